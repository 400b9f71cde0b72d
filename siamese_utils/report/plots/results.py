"""The figures of final results: k ways, differences to the baseline, similarities of pairs."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ...evidence.estimates import paper_of, resolution
from ...text import how_many, signed
from ..tables import pooled
from .style import BLUE, DOTTED, GREY, INK, ORANGE, Look, dot_rows, legend, new_figure, note, styled, with_intervals

# how far the paper's mark stands above its line, and ours below
LIFT = 0.17


@styled
def k_way(scores: pd.DataFrame, paper: dict[int, float] | None = None) -> Figure:
    """Draw the paper's Figure 2: accuracy on val for different k, both protocols, with 95 % intervals.

    scores  one experiment's rows of `training.runs.tidy`; several seeds' episodes are pooled.
    paper   k → accuracy in %, figures of the paper to mark.
    """
    figure = new_figure(4.2)
    ax = figure.subplots()
    shown = pooled(scores[scores["split"] == "val"], ["protocol", "ways"]).sort_values("ways")
    for protocol, words, colour, line, marker, shift in (
        ("author", "author's protocol", BLUE, "-", "o", -0.08),
        ("strict", "strict protocol", ORANGE, "--", "s", 0.08),
    ):
        part = shown[shown["protocol"] == protocol]
        values = (100 * part[name] for name in ("accuracy", "low", "high"))
        look: Look = {"color": colour, "linestyle": line, "marker": marker, "elinewidth": 1, "label": words}
        with_intervals(ax, part["ways"] + shift, *values, upright=True, **look)
    ways = np.arange(1, max([20, *shown["ways"]]) + 1)
    ax.plot(ways, 100 / ways, label="chance, 1/k", **{**DOTTED, "linewidth": 0.9})
    if paper:
        star: Look = {"color": INK, "marker": "*", "markersize": 10, "fillstyle": "none", "linestyle": ""}
        ax.plot(list(paper), list(paper.values()), label="the paper's Figure 2", **star)
    ax.set(xlabel="k, classes in the support set", ylabel="accuracy in %, 1-shot k-way, val", ylim=(0, 104))
    ax.set_xticks([1, *range(2, len(ways) + 1, 2)])
    legend(figure)
    return figure


@styled
def differences(rows: pd.DataFrame, *, iterations: int, at_iteration: pd.DataFrame | None = None) -> Figure:
    """Draw differences to the baseline in points of val accuracy, a line a row of Table 1: the paper's and ours.

    rows          those of a `Board`; a row without a finished run shows the paper's difference alone
    iterations    the length of a finished run
    at_iteration  experiment, author_difference: the author's own difference at the same iteration, in points
    """
    rows = rows[rows["paper_val"].notna() & (rows["experiment"] != "baseline")].reset_index(drop=True)
    figure, ax = dot_rows(list(rows["label"]), ylabel="", xlabel="difference to the baseline, val, in points")
    ax.axvline(0, color=INK, linewidth=1.6)
    ax.annotate("baseline", (0, 1), (0, 2), ("data", "axes fraction"), "offset points", ha="center", fontsize=8.5)
    for place in np.flatnonzero(rows["group"].ne(rows["group"].shift()))[1:]:
        ax.axhline(place - 0.5, color=GREY, linewidth=0.7)
    y = np.arange(len(rows))
    noise = rows["paper_val"].map(lambda val: resolution(val, paper_of("baseline").val))
    rows = rows.assign(
        noise=noise, noise_low=rows["paper_difference"] - noise, noise_high=rows["paper_difference"] + noise
    )
    logged = (
        pd.Series(dtype=float) if at_iteration is None else at_iteration.set_index("experiment")["author_difference"]
    )
    rows["logged"] = rows["experiment"].map(logged).astype(float)
    ring: Look = {"color": INK, "marker": "o", "markersize": 6, "fillstyle": "none", "ecolor": GREY, "capsize": 0}
    values = (rows[name] for name in ("paper_difference", "noise_low", "noise_high"))
    with_intervals(ax, y - LIFT, *values, label="the paper, ± its noise", **ring)
    if rows["difference"].notna().any():
        words = "here, with 95 % interval" if rows["difference_low"].notna().any() else "here"
        values = (rows[name] for name in ("difference", "difference_low", "difference_high"))
        with_intervals(ax, y + LIFT, *values, color=BLUE, marker="o", label=words)
    if at_iteration is not None:
        diamond: Look = {"color": GREY, "marker": "D", "markersize": 4.5, "capsize": 0}
        with_intervals(
            ax, y, *[rows["logged"]] * 3, label="the author’s log at that iteration, mean of 5 checks", **diamond
        )
    drawn = rows[["noise_low", "noise_high", "difference", "difference_low", "difference_high", "logged"]].astype(float)
    ax.set_xlim(min(-5, drawn.min().min()) - 2, max(5, drawn.max().max()) + 2)
    margin: Look = {"transform": ax.get_yaxis_transform(), "va": "center", "fontsize": 8}
    for place, row in enumerate(rows.to_dict("records")):
        label, paper, ours = row["label"], row["paper_difference"], row["difference"]
        note(ax, paper, place - LIFT, f"{label}, Table 1: {signed(paper)} ± {row['noise']:.1f} points")
        if not np.isnan(row["logged"]):
            words = f"{signed(row['logged'])} points in the author's log at the same iteration"
            note(ax, row["logged"], place, f"{label}: {words}")
        if np.isnan(ours):
            continue
        low, high, seeds = row["difference_low"], row["difference_high"], how_many(int(row["difference_seeds"]), "seed")
        interval = "" if np.isnan(low) else f" (95 % {signed(low)} to {signed(high)})"
        words = f"{signed(ours)} points{interval}, {seeds}, {iterations:,} iterations, runs {', '.join(row['run_ids'])}"
        note(ax, ours, place + LIFT, f"{label}, here: {words}")
        ax.text(1.01, place, f"{seeds}, {iterations:,} it.", **margin)
    legend(figure)
    return figure


@styled
def similarity_histograms(panels: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Draw how a network's similarities of pairs are spread, from 0 to 1, in % of the pairs; panels side by side.

    panels  title → similarities of different pairs (n,), of same pairs (m,)
    """
    # takes most of a second to import
    import seaborn as sns

    figure = new_figure(3.3)
    axes = figure.subplots(1, len(panels), squeeze=False, sharex=True, sharey=True)[0]
    bins = np.linspace(0, 1, 26)
    same: Look = {"color": BLUE, "alpha": 0.75, "linewidth": 0, "label": "same character"}
    different: Look = {"color": "none", "edgecolor": ORANGE, "hatch": "////", "label": "different characters"}
    for ax, (title, (others, alike)) in zip(axes, panels.items(), strict=True):
        for values, look in ((alike, same), (others, different)):
            sns.histplot(x=values, bins=bins, stat="percent", element="step", ax=ax, **look)
        ax.set(title=title, xlabel="similarity", ylabel="% of the pairs")
    axes[0].set(xlim=(0, 1), ylim=(0, None))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure
