"""The paper's details in all combinations: a full factorial, its main effects and interactions.

The paper changes one detail at a time, from one baseline. A factorial tries each at two levels in all combinations, so
that every run tells something about every detail, and shows where one detail's effect hangs on another's level.
Source: R. A. Fisher, The Design of Experiments, 1935; G. E. P. Box, J. S. Hunter and W. G. Hunter, Statistics for
Experimenters, 2005, chapter 5. The design is params/factorial.yaml.
"""

from functools import lru_cache
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field, model_validator
from scipy import special

from ..config import Experiment, Profile, load_experiment, params_dir
from ..schema import Seed, Strict, checked, read_yaml, refuse_repeated
from ..training.runs import Run, find_run
from .significance import half_width, holm


class Level(Strict):
    """One level of a factor: what it is called, and what it changes in the baseline's recipe."""

    words: str
    changes: dict[str, Any]


class Factor(Strict):
    """One detail at two levels."""

    name: str
    title: str
    low: Level
    high: Level


class Factorial(Strict):
    """The whole of params/factorial.yaml."""

    # the spread between seeds is what effects are weighed against
    seeds: tuple[Seed, ...] = Field(min_length=2)
    # fields of a profile of Omniglot that the design has of its own
    on_omniglot: dict[str, Any]
    factors: tuple[Factor, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _seeds_and_factors_are_unique(self) -> "Factorial":
        refuse_repeated("seeds", self.seeds)
        refuse_repeated("factor name", [factor.name for factor in self.factors])
        return self


@lru_cache
def load_factorial() -> Factorial:
    """Load the design; ParamsError where the file is not valid."""
    design: Factorial = checked(Factorial, read_yaml(_path()), _path())
    return design


def _path() -> Path:
    return params_dir() / "factorial.yaml"


def shortened(profile: Profile) -> Profile:
    """Make the profile under which the design runs: on Omniglot with its own size and length.

    Raises ParamsError, as `cells` does, where the design changes what is not there, or to what cannot be.
    """
    if profile.dataset != "omniglot":
        return profile
    return checked(Profile, {**profile.model_dump(), **load_factorial().on_omniglot}, _path())


def cells() -> dict[tuple[bool, ...], Experiment]:
    """Make an experiment of every combination of levels, a flag a factor."""
    factors, baseline = load_factorial().factors, load_experiment("baseline")
    found = {}
    for combination in product((False, True), repeat=len(factors)):
        levels = [f.high if high else f.low for f, high in zip(factors, combination, strict=True)]
        changes = {key: value for level in levels for key, value in level.changes.items()}
        found[combination] = checked(
            Experiment,
            {
                "name": "factorial-" + "".join(str(int(high)) for high in combination),
                "section": "factorial",
                "group": "Factorial",
                "row": ", ".join(level.words for level in levels),
                "variant": "same",
                "recipe": {**baseline.recipe.model_dump(), **changes},
            },
            _path(),
        )
    return found


def find_cells(profile: Profile) -> list[Run]:
    """Find the finished runs of the design; those not run are left out."""
    wanted, short = [(cell, seed) for cell in cells().values() for seed in load_factorial().seeds], shortened(profile)
    return [run for cell, seed in wanted if (run := find_run(cell, short, seed))]


def accuracies(profile: Profile) -> pd.DataFrame:
    """Tabulate the finished runs, one a line: ±1 a factor, the seed, and val accuracy in %, author's protocol."""
    levels = {cell.name: [1 if high else -1 for high in combination] for combination, cell in cells().items()}
    found = find_cells(profile)
    lines = [[*levels[run.config["experiment"]], run.seed, 100 * run.score().accuracy] for run in found]
    names = [factor.name for factor in load_factorial().factors]
    return pd.DataFrame(lines, columns=[*names, "seed", "accuracy"])


def is_complete(frame: pd.DataFrame, design: Factorial) -> bool:
    """Check whether every combination has run under every seed."""
    return len(frame) == len(cells()) * len(design.seeds)


def not_run(profile: Profile, found: int) -> str:
    """Say that the design is not complete, and what completes it."""
    wanted = len(cells()) * len(load_factorial().seeds)
    return (
        f"Not run: {found} of {wanted} runs of the factorial are finished under the profile {profile.name}; "
        f"`siamese factorial --profile {profile.name}` trains the others."
    )


def effects(frame: pd.DataFrame, n_episodes: int) -> pd.DataFrame:
    """Estimate main effects and interactions of two factors, in points, with 95 % intervals.

    frame       as `accuracies` gives it: every combination under the same number of seeds, at least two
    n_episodes  how many each accuracy is over: the same ones for every run

    A main effect is the mean at the high level minus the mean at the low one; an interaction is half the difference of
    one factor's effect at the two levels of the other. An interval is Student's t on two spreads: that between seeds
    within the combinations (pure error), and that of the episodes between combinations, which more seeds would not
    lessen; as if each combination had drawn episodes of its own, which is on the safe side. p is two-sided, after
    Holm's correction over all lines. Raises ValueError where the design is not complete.
    """
    names = [name for name in frame.columns if name not in ("seed", "accuracy")]
    groups = frame.groupby(names)["accuracy"]
    sizes = groups.size()
    if len(sizes) != 2 ** len(names) or len(set(sizes)) != 1 or sizes.iloc[0] < 2:
        raise ValueError(f"{len(sizes)} of {2 ** len(names)} combinations, with {sorted(set(sizes))} runs each")
    dof = len(frame) - len(sizes)
    by_seed = float(groups.var(ddof=1).mean()) / len(frame)
    by_episode = float((groups.mean() * (100 - groups.mean())).mean()) / n_episodes / len(sizes)
    error = 2 * max(by_seed + by_episode, 1e-18) ** 0.5
    half = half_width(error, dof)
    lines = []
    for factors in [*((name,) for name in names), *combinations(names, 2)]:
        sign = np.prod([frame[name] for name in factors], axis=0)
        value = float((sign * frame["accuracy"]).sum() / (len(frame) / 2))
        p = float(2 * special.stdtr(dof, -abs(value) / error))
        lines.append({"factors": factors, "effect": value, "low": value - half, "high": value + half, "p": p})
    found = pd.DataFrame(lines)
    return found.assign(p=holm(list(found["p"])))
