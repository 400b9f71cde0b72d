"""Tests and corrections as arithmetic on counts and p values."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

# of all claims together, after Holm's correction
LEVEL = 0.05


class Interval(NamedTuple):
    """A value and its 95 % interval; p where a test comes with it."""

    value: float
    low: float
    high: float
    p: float = np.nan

    @property
    def in_words(self) -> str:
        """ "73.1 (71.1–75.0)"."""
        return f"{self.value:.1f} ({self.low:.1f}–{self.high:.1f})"


def mcnemar_one_sided(only_first: np.ndarray, only_second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Test two networks on the same episodes, exact and one-sided (Q. McNemar, Psychometrika 12, 1947).

    only_first, only_second  (n,) int: how many episodes only that network answered correctly, a pair of networks each

    Returns p against "the first is not better" and against "the first is not worse", (n,) each.
    """
    fewer, more = np.minimum(only_first, only_second), np.maximum(only_first, only_second)
    # the binomial distribution of `fewer` of all at ½, as an incomplete beta function
    half = np.minimum(2 * special.betainc(more, fewer + 1, 0.5), 1) / 2
    above = np.select([only_first > only_second, only_first < only_second], [half, 1 - half], 0.5)
    below = np.select([only_first < only_second, only_first > only_second], [half, 1 - half], 0.5)
    return above, below


def half_width(error: float, dof: int) -> float:
    """Compute half of a 95 % interval, Student's t: from the standard error and its degrees of freedom."""
    return float(special.stdtrit(dof, 0.975)) * error


def holm(p: Sequence[float]) -> list[float]:
    """Correct p values for their number (S. Holm, Scandinavian Journal of Statistics 6, 1979: step-down)."""
    order = np.argsort(p)
    stepped = np.asarray(p, float)[order] * np.arange(len(order), 0, -1)
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(np.maximum.accumulate(stepped), 1)
    return [float(q) for q in corrected]
