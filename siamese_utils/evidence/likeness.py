"""Is one curve of training another run of the other's recipe? Every check beside the same check, as a statistic.

Two runs of one recipe differ by their random numbers alone. How far is known from replicates: the author trained the
baseline twice, and where several seeds of a row have run here, they count too. A row is judged by three differences,
each averaged over the checks that both curves have after iteration 0:

loss         log(ours / author's), the batch's loss with its penalty
train, val   ours − author's, in points; 250 episodes each, so binomial noise at least

Neighbouring checks are not independent: networks that are ahead at one check are ahead at the next. So replicates are
compared by the same averages, over windows of up to ten checks (batch means: A. Law, Simulation Modeling and Analysis,
2015, Chapter 9), and a mean over more than ten is not taken to be any surer than one over ten, as two of the
author's runs may differ for good. Accuracies are scaled by their binomial noise, so that the spread of the baseline,
a multiple of that noise, can be carried to a network near chance (quasi-binomial: P. McCullagh and J. Nelder,
Generalized Linear Models, 1989, Section 4.5). Where a row's own differences scatter more from check to check than the
replicates' do (a loss that jumps), that scatter counts, widened for its neighbours as much as the replicates'.

From twenty checks on, each ten are judged, so that differences of both signs do not cancel: the statistic is the root
mean square of the windows' means, each in units of its standard error. It is referred to Student's t, as a single mean
would be; the mean of several squares has a thinner tail than one square, so this errs on the side of agreement. A row's
p values, three at most, are corrected for their number (Bonferroni). The first loss needs no statistics: see
`first_loss.FIRST_LOSS_LEFT`.

What this assumes: the spread between two baselines, relative to the noise, is the spread of the other rows; windows of
ten checks are as good as independent; one pair of replicates gives five degrees of freedom, and what it cannot show, a
processor's or a precision's share in the difference for instance, is not corrected for.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
from scipy import special

from ..text import how_many, listed, signed
from .estimates import PAPER_EPISODES
from .first_loss import FIRST_LOSS_LEFT
from .significance import LEVEL, Interval, half_width

MEASURES = ("loss", "train", "val")
# checks, of 100 iterations each; where the author's two baselines differ on train, they forget it within six
WINDOW = 10
# checks after iteration 0; three tell so little of how they scatter that hardly anything would differ
FEWEST = 4
# half of a 95 % interval that may still say "agrees": a factor of two, or points
WIDEST = {"loss": float(np.log(2)), "train": 20.0, "val": 20.0}
# how far two first losses of one network may lie apart
FIRST_LOSS = FIRST_LOSS_LEFT[1]
LikenessVerdict: TypeAlias = Literal["agrees", "differs", "undecided", "not compared"]


class Replicates(NamedTuple):
    """Runs of one recipe: how many, and the differences of each two of them."""

    runs: int
    apart: list[pd.DataFrame]

    @classmethod
    def of(cls, curves: Sequence[pd.DataFrame]) -> "Replicates":
        """Compare each two of some histories or logs, one a run."""
        return cls(len(curves), [differences(one, other) for one, other in combinations(curves, 2)])


def differences(ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    """Subtract at the checks that both have after iteration 0: log ratio of the losses, train and val in points.

    `<measure>_noise` is the unit of a difference's variance: 1 for the loss, binomial for accuracies (points²).
    """
    both = ours.merge(theirs, on="iteration", suffixes=("", "_theirs"))
    both = both[both["iteration"] > 0]
    found = {"iteration": both["iteration"], "loss": np.log(both["batch_loss"] / both["batch_loss_theirs"])}
    for split in ("train", "val"):
        one, other = both[f"{split}_accuracy"], both[f"{split}_accuracy_theirs"]
        # never quite 0 or 1
        p = ((one + other) * PAPER_EPISODES + 1) / (2 * PAPER_EPISODES + 2)
        found |= {split: 100 * (one - other), f"{split}_noise": 1e4 * p * (1 - p) * 2 / PAPER_EPISODES}
    return pd.DataFrame(found).assign(loss_noise=1.0).reset_index(drop=True)


def spread(replicates: Sequence[Replicates], measure: str, length: int) -> tuple[float, int]:
    """Estimate how far means of so many checks in a row lie apart in two runs of one recipe → (variance, its dof).

    The variance is in units of noise / length, 1 at least for accuracies. A curve has one degree of freedom for every
    ten checks, a group one curve less.
    """
    total, dof = 0.0, 0
    for group in replicates:
        squares, checks = [], 0
        for apart in group.apart:
            values, noise = _values(apart, measure)
            checks = max(checks, len(values))
            whole = len(values) // length * length
            means, noises = (x[:whole].reshape(-1, length).mean(axis=1) for x in (values, noise))
            squares += list(means**2 * length / noises)
        if squares:
            group_dof = (group.runs - 1) * max(1, checks // WINDOW)
            total, dof = total + group_dof * float(np.mean(squares)), dof + group_dof
    if not dof:
        raise ValueError(f"no replicates have {length} checks in common")
    return max(total / dof, 0.0 if measure == "loss" else 1.0), dof


def mean_difference(apart: pd.DataFrame, measure: str, replicates: Sequence[Replicates]) -> Interval | None:
    """Average a measure's differences (log ratios, or points), as the module's text says; None without any.

    p is that of the whole curve: that one recipe makes two curves which lie so far apart.
    """
    values, noise = _values(apart, measure)
    if not len(values):
        return None
    length = min(len(values), WINDOW)
    windows = np.array_split(np.arange(len(values)), max(1, len(values) // WINDOW))
    between, between_dof = spread(replicates, measure, length)
    # neighbours repeat one another
    alike = max(1.0, between / spread(replicates, measure, 1)[0])
    scatter_dof = len(values) - len(windows)
    squares = sum(float(((values[w] - values[w].mean()) ** 2).sum()) for w in windows)
    scatter = alike * squares / max(scatter_dof, 1)

    def error(picked: np.ndarray) -> tuple[float, int]:
        """Estimate the variance of a mean of these checks, the larger of two → (variance, its dof)."""
        replicated, own = between * float(noise[picked].mean()) / length, scatter / len(picked)
        return (replicated, between_dof) if replicated >= own else (own, scatter_dof)

    variance, dof = error(np.arange(len(values)))
    half = half_width(variance**0.5, dof)
    parts = [(values[w].mean() ** 2 / error(w)[0], error(w)[1]) for w in windows]
    apart_by = float(np.mean([square for square, _ in parts])) ** 0.5
    p = 2 * float(special.stdtr(min(dof for _, dof in parts), -apart_by))
    value = float(values.mean())
    return Interval(value, value - half, value + half, p)


def _values(apart: pd.DataFrame, measure: str) -> tuple[np.ndarray, np.ndarray]:
    """Pick a measure's differences and their noise, a number a check, those that were not logged left out."""
    both = apart[[measure, f"{measure}_noise"]].to_numpy(float)
    both = both[~np.isnan(both[:, 0])]
    return both[:, 0], both[:, 1]


def verdict_of(checks: int, first: float | None, found: dict[str, Interval]) -> tuple[LikenessVerdict, str]:
    """Reach a verdict on so many common checks, and say why, where it takes words.

    first  our first loss − the logged one, None where none was logged;  found: the measures' mean differences
    """
    if first is not None and abs(first) > FIRST_LOSS:
        return "differs", f"first loss {signed(first, 2)}, by chance {FIRST_LOSS:g} at most"
    if checks < FEWEST:
        return "undecided", f"{how_many(checks, 'check')}, {FEWEST} needed"
    if far := [name for name, mean in found.items() if mean.p * len(found) < LEVEL]:
        return "differs", f"by its {listed(far)}"
    if wide := [name for name, mean in found.items() if mean.high - mean.value > WIDEST[name]]:
        return "undecided", f"{listed(wide)} known too roughly"
    return "agrees", ""
