"""The calls that the notebook beyond the paper makes: learn what is missing, have a trained model at hand."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from IPython.display import DisplayHandle

from ..config import Profile
from ..data.dataset import Dataset
from ..data.load import load_dataset
from ..report.notebook import Section, loaded_and_trained, progress_line, show_line, training_allowed
from ..text import how_many
from ..training.runs import Run
from .config import Learner, learners_of, load_learner
from .training import HeldOut, Progress, find_learned, learn

if TYPE_CHECKING:
    import keras

REFERENCE = "loss-cross-entropy"  # the paper's loss

RECIPE = "beyond-3-minutes"  # what the rows of the recipe's parts change


def loss_learners(profile: Profile) -> list[Learner]:
    """The learners that differ in their loss and in nothing else."""
    return learners_of("loss", profile)


def recipe_learners(profile: Profile) -> list[Learner]:
    """The three-minute recipe, and the same with one part left out or changed."""
    return [load_learner(RECIPE), *learners_of("recipe", profile)]


def final_learners(profile: Profile) -> list[Learner]:
    """The learners that are shown the evaluation set."""
    return learners_of("final", profile)


def learn_missing(section: Section, learners: Sequence[Learner], held_out: HeldOut = "validation") -> list[Run]:
    """The learners' runs under the section's seeds; those not on disk are trained now, with a line of progress."""
    wanted = [(learner, seed) for learner in learners for seed in section.profile.seeds]
    missing = [pair for pair in wanted if find_learned(pair[0], section.profile, pair[1], held_out) is None]
    absent, missing = len(missing), missing if training_allowed() else []
    begun, line = time.perf_counter(), DisplayHandle()
    line.display(progress_line(f"{len(wanted) - absent} of {how_many(len(wanted), 'run')} loaded from disk."))

    for number, (learner, seed) in enumerate(missing, start=1):

        def tell(now: Progress, number: int = number, learner: Learner = learner) -> None:
            words = f"{learner.title}, seed {now.seed}, step {now.step:,} of {now.steps:,}, loss {now.loss:.3f}"
            line.update(progress_line(f"Training run {number} of {len(missing)}: {words}"))

        dataset = _dataset(section, learner)
        learn(learner, section.profile, seed, held_out=held_out, dataset=dataset, progress=tell)
    if missing:
        line.update(progress_line(loaded_and_trained(len(wanted), len(missing), time.perf_counter() - begun)))
    found = (find_learned(learner, section.profile, seed, held_out) for learner, seed in wanted)
    return [run for run in found if run]


def trained(section: Section, name: str) -> tuple[keras.Model, Run]:
    """A learner's model and run under the section's first seed, from training on all background alphabets.

    Where the results came without weights, it is trained again for them, from the same seed.
    """
    learner = load_learner(name)
    dataset = _dataset(section, learner)
    run = learn(
        learner,
        section.profile,
        section.seed,
        held_out="evaluation",
        dataset=dataset,
        weights=True,
        tell=show_line,
    )
    return run.model(), run


def _dataset(section: Section, learner: Learner) -> Dataset:
    """The section's dataset, or the same at the learner's own image size."""
    sized = learner.sized(section.profile)
    return section.dataset if sized == section.profile else load_dataset(sized)
