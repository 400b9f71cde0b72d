"""The calls that the notebook beyond the paper makes: train what is missing, have a trained model at hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..report.study import Study, show_line
from ..training.runs import Run
from .config import Method, load_method
from .runs import HeldOut, method_jobs

if TYPE_CHECKING:
    import keras

# the paper's loss
REFERENCE = "loss-cross-entropy"


def run_missing(study: Study, methods: Sequence[Method], held_out: HeldOut = "validation") -> list[Run]:
    """The methods' runs under the study's seeds; those not on disk are trained now, with a line of progress."""
    profile = study.profile
    return study.complete(
        method_jobs(methods, profile, profile.seeds, held_out=held_out, dataset=lambda: study.dataset)
    )


def trained(study: Study, name: str) -> tuple[keras.Model, Run]:
    """A method's model and run under the study's first seed, from training on all background alphabets.

    Where the results came without weights, it is trained again for them, from the same seed.
    """
    jobs = method_jobs(
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
