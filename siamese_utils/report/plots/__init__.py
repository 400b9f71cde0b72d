"""The figures, each a pure function from data to a matplotlib Figure; `study.Study.show_figure` puts one on the page.

Accuracies are drawn in %, 1-shot 20-way unless an axis says otherwise, under the author's protocol unless a label says
"strict". What a colour tells, a line style or a marker tells too. Nothing here trains, loads or shows anything.
"""

from .audit import both_ways, curve_figure, first_loss_scatter, leak_effects, paper_intervals
from .curves import learning_curves, learning_rates, loss_curves, weight_curves
from .images import block_diagram, contact_sheet, drawers_sheet, episode_figure, pairs_figure
from .results import differences, k_way, similarity_histograms
from .style import notes_of, to_png

__all__ = [
    "block_diagram", "both_ways", "contact_sheet", "curve_figure", "differences", "drawers_sheet", "episode_figure",
    "first_loss_scatter", "k_way", "leak_effects", "learning_curves", "learning_rates", "loss_curves", "notes_of",
    "pairs_figure", "paper_intervals", "similarity_histograms", "to_png", "weight_curves",
]  # fmt: skip
