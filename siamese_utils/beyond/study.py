"""The calls that the notebook beyond the paper makes: train what is missing, have a trained model at hand."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..config import Profile
from ..data.dataset import Dataset
from ..report.study import Study, show_line
from ..training.jobs import Job
from ..training.runs import Run
from ..training.store import Notify, OnProgress
from .config import Method, load_method
from .runs import HeldOut, find_method_run

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


def method_jobs(
    methods: Iterable[Method],
    profile: Profile,
    seeds: Iterable[int],
    *,
    held_out: HeldOut = "validation",
    dataset: Callable[[], Dataset],
    weights: bool = False,
    notify: Notify = warnings.warn,
) -> list[Job]:
    """The runs of methods under every seed, as `jobs.complete` takes them.

    dataset  loads the profile's dataset, called where one is trained; a method of its own image size loads its own
    """

    def job(method: Method, seed: int) -> Job:
        def find() -> Run | None:
            run = find_method_run(method, profile, seed, held_out)
            return run if run and (run.weights or not weights) else None

        def train(on_progress: OnProgress) -> Run:
            from .training import load_or_train  # only now: it takes Keras

            data = dataset() if method.sized(profile) == profile else None
            options: dict[str, Any] = {"on_progress": on_progress, "weights": weights, "notify": notify}
            return load_or_train(method, profile, seed, held_out=held_out, dataset=data, **options)

        return Job(method.title, seed, find, train)

    return [job(method, seed) for method in methods for seed in seeds]
