"""Where a run under way stands beside the author's log, by its last checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from ..config import Experiment, load_experiment
from .author_logs import comparable_log
from .estimates import PAPER_EPISODES
from .fidelity import histories, known_replicates
from .likeness import Replicates, differences, mean_difference, spread

LATEST = 5  # checks that say where a run stands
FEWEST_LATEST = 3


class Interval(NamedTuple):
    """A value with its 95 % interval; all NaN where there is none."""

    value: float = np.nan
    low: float = np.nan
    high: float = np.nan


@dataclass(frozen=True)
class Standing:
    """Where a run stands beside the author's log: val accuracies in %, means of up to five checks after the first.

    checks                    how many of ours;  iteration: of the last
    ours, author, difference  over the same checks; the last two NaN where no log can be compared
    words                     "on the author's curve", "above", "below", "too early" or "not compared"
    """

    iteration: int
    checks: int
    ours: Interval
    author: Interval
    difference: Interval
    words: str


def under_way(experiment: str | Experiment, seed: int = 0) -> Standing | None:
    """Where a run at the full protocol stands beside the author's log; None where it has made no check."""
    experiment = load_experiment(experiment)
    found = histories([experiment], [seed])
    return standing(experiment, found[0][2], known_replicates(experiment)) if found else None


def standing(experiment: Experiment, ours: pd.DataFrame, replicates: Sequence[Replicates]) -> Standing:
    """`under_way` of a history: the last five checks after iteration 0, and the same ones of the author's."""
    log = comparable_log(experiment)
    last = ours[ours["iteration"] > 0].tail(LATEST)
    theirs = log[log["iteration"].isin(last["iteration"])]
    between, dof = spread(replicates, "val", max(len(last), 1))

    def mean(checks: pd.DataFrame) -> Interval:
        """Of one curve, in %; the interval is quasi-binomial."""
        if checks.empty:
            return Interval()
        p, count = float(checks["val_accuracy"].mean()), len(checks) * PAPER_EPISODES
        smooth = (p * count + 0.5) / (count + 1)
        half_width = float(stats.t.ppf(0.975, dof)) * (between * smooth * (1 - smooth) / count) ** 0.5
        return Interval(100 * p, max(0.0, 100 * (p - half_width)), min(100.0, 100 * (p + half_width)))

    apart = mean_difference(differences(last, theirs), "val", replicates)
    if log.empty:
        words = "not compared"
    elif apart is None or len(theirs) < FEWEST_LATEST:
        words = "too early"
    else:
        words = "above" if apart.low > 0 else "below" if apart.high < 0 else "on the author’s curve"
    difference = Interval(*apart[:3]) if apart else Interval()
    return Standing(int(ours["iteration"].max()), len(last), mean(last), mean(theirs), difference, words)
