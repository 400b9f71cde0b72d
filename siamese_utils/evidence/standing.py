"""Where a run under way at the full protocol stands beside the author's log of its row, by its last checks."""

from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from ..config import Experiment
from .author_logs import comparable_log
from .estimates import PAPER_EPISODES
from .facts import LATEST
from .fidelity import known_replicates
from .likeness import differences, mean_difference, spread
from .significance import half_width

FEWEST_LATEST = 3  # of the last checks, to say where a run under way stands


class Interval(NamedTuple):
    """A value in % or points, and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Standing:
    """Where a run stands beside the author's log: val accuracies in %, means of up to five checks after the first.

    checks        how many of ours
    ours, author  over the same checks; None where there are none, or no log can be compared
    words         "on the author's curve", "above", "below", "too early" or "not compared"
    """

    checks: int
    ours: Interval | None
    author: Interval | None
    words: str


def standing(experiment: Experiment, history: pd.DataFrame) -> Standing:
    """Compare the last five checks after iteration 0 of a history of the full protocol with the author's."""
    log, replicates = comparable_log(experiment), known_replicates(experiment)
    ours = history[history["iteration"] > 0].tail(LATEST)
    theirs = log[log["iteration"].isin(ours["iteration"])]
    apart = mean_difference(differences(ours, theirs), "val", replicates)
    if log.empty:
        words = "not compared"
    elif apart is None or len(theirs) < FEWEST_LATEST:
        words = "too early"
    else:
        words = "above" if apart.low > 0 else "below" if apart.high < 0 else "on the author’s curve"
    between, dof = spread(replicates, "val", max(len(ours), 1))

    def mean(checks: pd.DataFrame) -> Interval | None:
        """Of one curve, in %; the interval is quasi-binomial."""
        if checks.empty:
            return None
        p, count = float(checks["val_accuracy"].mean()), len(checks) * PAPER_EPISODES
        smooth = (p * count + 0.5) / (count + 1)
        half = half_width((between * smooth * (1 - smooth) / count) ** 0.5, dof)
        return Interval(100 * p, max(0.0, 100 * (p - half)), min(100.0, 100 * (p + half)))

    return Standing(len(ours), mean(ours), mean(theirs), words)
