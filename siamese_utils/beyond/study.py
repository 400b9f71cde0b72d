"""The calls that the notebook beyond the paper makes: learn what is missing, have a trained model at hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..config import Profile
from ..report.study import Study, show_line
from ..training.runs import Run
from .config import Method, load_method, methods_of
from .training import HeldOut, jobs_of

if TYPE_CHECKING:
    import keras

REFERENCE = "loss-cross-entropy"  # the paper's loss

RECIPE = "beyond-3-minutes"  # what the rows of the recipe's parts change


def loss_methods(profile: Profile) -> list[Method]:
    """The methods that differ in their loss and in nothing else."""
    return methods_of("loss", profile)


def recipe_methods(profile: Profile) -> list[Method]:
    """The three-minute recipe, and the same with one part left out or changed."""
    return [load_method(RECIPE), *methods_of("recipe", profile)]


def final_methods(profile: Profile) -> list[Method]:
    """The methods that are shown the evaluation set."""
    return methods_of("final", profile)


def run_missing(study: Study, methods: Sequence[Method], held_out: HeldOut = "validation") -> list[Run]:
    """The methods' runs under the study's seeds; those not on disk are trained now, with a line of progress."""
    profile = study.profile
    return study.complete(jobs_of(methods, profile, profile.seeds, held_out=held_out, dataset=lambda: study.dataset))


def trained(study: Study, name: str) -> tuple[keras.Model, Run]:
    """A method's model and run under the study's first seed, from training on all background alphabets.

    Where the results came without weights, it is trained again for them, from the same seed.
    """
    jobs = jobs_of(
        [load_method(name)],
        study.profile,
        [study.seed],
        held_out="evaluation",
        dataset=lambda: study.dataset,
        weights=True,
        notify=show_line,
    )
    (run,) = study.complete(jobs)
    return run.model(), run
