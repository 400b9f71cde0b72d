"""Power: how many seeds or episodes would decide what is undecided, and how small a difference the present ones show.

The normal approximation: a distance is found with a power of 80 % where it is at least (z_level + z_power) standard
errors, z_level for the first and strictest step of Holm's correction, two-sided.
"""

import numpy as np
from scipy import special

from .estimates import Estimate
from .questions import Test
from .significance import LEVEL

POWER = 0.8
# more than anyone would draw
MOST_EPISODES = 200_000
# seeds, more than anyone would train
MOST_SEEDS = 1000


def needs(test: Test, tests: int) -> str:
    """Say what would decide an undecided test, if what was found is the truth, and what can be seen now."""
    estimate = test.estimate
    # an F test on more than one seed
    if estimate is None and test.p < 1:
        return "The checks of these seeds do not tell; those of more seeds might."
    if estimate is None or not estimate.has_interval:
        return "One seed cannot decide: a network and its luck look the same."
    detect = f"{len(estimate.seeds)} seeds detect" if len(estimate.seeds) > 1 else "one seed detects"
    seen = f"Underpowered: {detect} {detectable(estimate, tests):.1f} points or more"
    seen = f"{seen} with {POWER:.0%} power".replace("%", " %")
    if (seeds := seeds_needed(estimate, test.distance, tests)) is not None:
        return f"{seen}; about {seeds} seeds would decide."
    episodes = episodes_needed(estimate, test.distance, tests)
    if episodes > MOST_EPISODES:
        return f"{seen}; too close to call."
    return f"{seen}; about {float(f'{episodes:.2g}'):,.0f} episodes and more seeds would decide."


def _quantiles(tests: int) -> float:
    """Add up the normal quantiles of level and power; the level is Holm's first and strictest step, two-sided."""
    return float(special.ndtri(1 - LEVEL / (2 * max(tests, 1))) + special.ndtri(POWER))


def detectable(estimate: Estimate, tests: int = 1) -> float:
    """Compute the smallest distance, in points, that as many seeds and episodes find with a power of 80 %."""
    return _quantiles(tests) * estimate.error


def seeds_needed(estimate: Estimate, distance: float, tests: int = 1) -> int | None:
    """Compute how many seeds would show the distance with a power of 80 % on as many episodes; None where none would.

    (z_level + z_power)² · (seeds' variance / n + episodes' variance) ≤ distance²
    """
    room = (distance / _quantiles(tests)) ** 2 - estimate.se_episodes**2
    needed = np.ceil(len(estimate.seeds) * estimate.se_seeds**2 / room) if room > 0 else np.inf
    return max(int(needed), len(estimate.seeds) + 1) if needed <= MOST_SEEDS else None


def episodes_needed(estimate: Estimate, distance: float, tests: int = 1) -> float:
    """Compute how many episodes would bring their part of the variance to half of what is allowed; may be infinite."""
    allowed = (distance / _quantiles(tests)) ** 2 / 2
    return float(np.ceil(estimate.episodes * estimate.se_episodes**2 / allowed)) if allowed > 0 else np.inf
