"""Where a run under way at the full protocol stands beside the author's log of its row, by its last checks."""

from dataclasses import dataclass

import pandas as pd

from ..config import Experiment
from .author_logs import comparable_log
from .estimates import PAPER_EPISODES
from .facts import LATEST
from .fidelity import Origin, known_replicates
from .likeness import differences, mean_difference, spread
from .significance import Interval, half_width

# of the last checks, to say where a run under way stands
FEWEST_LATEST = 3


@dataclass(frozen=True)
class Standing:
    """Where a run stands beside the author's log: val accuracies in %, means of up to five checks after the first.

    ours, author  over the same checks; the author's is None where no log can be compared
    words         "on the author's curve", "above", "below", "too early" or "not compared"
    """

    ours: Interval
    author: Interval | None
    words: str

    @property
    def in_words(self) -> str:
        """ "the author’s log there 61.2, above"."""
        return f"the author’s log there {self.author.value:.1f}, {self.words}" if self.author else self.words


@dataclass(frozen=True)
class UnderWay:
    """How far a run under way has come, of how many iterations, and where it was trained.

    standing  beside the author's log; None before the first check after iteration 0, or at another protocol
    """

    run_id: str
    iteration: int
    end: int
    origin: Origin
    standing: Standing | None

    @property
    def in_words(self) -> str:
        """ "iteration 2,000 of 5,000; the author’s log there 61.2, above"."""
        beside = f"; {self.standing.in_words}" if self.standing else ""
        return f"iteration {self.iteration:,} of {self.end:,}{beside}"


def standing(experiment: Experiment, history: pd.DataFrame) -> Standing | None:
    """Compare the last five checks after iteration 0 of a full protocol's history with the log's; None without any."""
    log, replicates = comparable_log(experiment), known_replicates(experiment)
    ours = history[history["iteration"] > 0].tail(LATEST)
    if ours.empty:
        return None
    theirs = log[log["iteration"].isin(ours["iteration"])]
    apart = mean_difference(differences(ours, theirs), "val", replicates)
    if log.empty:
        words = "not compared"
    elif apart is None or len(theirs) < FEWEST_LATEST:
        words = "too early"
    else:
        words = "above" if apart.low > 0 else "below" if apart.high < 0 else "on the author’s curve"
    between, dof = spread(replicates, "val", len(ours))

    def mean(checks: pd.DataFrame) -> Interval:
        """Average one curve, in %; the interval is quasi-binomial."""
        p, count = float(checks["val_accuracy"].mean()), len(checks) * PAPER_EPISODES
        smooth = (p * count + 0.5) / (count + 1)
        half = half_width((between * smooth * (1 - smooth) / count) ** 0.5, dof)
        return Interval(100 * p, max(0.0, 100 * (p - half)), min(100.0, 100 * (p + half)))

    return Standing(mean(ours), None if theirs.empty else mean(theirs), words)
