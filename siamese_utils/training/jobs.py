"""Runs that are wanted: those on disk are loaded, the others trained one after the other."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

from ..config import Experiment, Profile
from ..data.dataset import Dataset
from ..models.plan import kernel_shapes
from .runs import Run, find_run
from .store import Notify, OnProgress, Progress


@dataclass(frozen=True)
class Job:
    """A run that someone wants, of the paper or beyond it: how it is found, and how it is trained."""

    label: str
    seed: int
    find: Callable[[], Run | None]
    train: Callable[[OnProgress], Run]


def complete(jobs: Sequence[Job], on_progress: Callable[[int, int, Progress], object]) -> list[Run]:
    """The run of every job; those not on disk are trained now, one after the other.

    on_progress  is told which of how many trainings it is, from 1 on, and how far that is
    """
    found = [job.find() for job in jobs]
    missing, number = found.count(None), count(1)
    return [run or job.train(partial(on_progress, next(number), missing)) for job, run in zip(jobs, found, strict=True)]


def jobs_of(
    experiments: Iterable[Experiment],
    profile: Profile,
    seeds: Iterable[int],
    *,
    dataset: Callable[[], Dataset] | None = None,
    weights: bool = False,
    notify: Notify = warnings.warn,
    until: int | None = None,
) -> list[Job]:
    """The runs of experiments under every seed, as `complete` takes them.

    dataset  loads the profile's dataset, called where one is trained;  the others: see `loop.load_or_train`

    Raises ParamsError where the profile's images are too small for one of the networks, before any is trained.
    """
    experiments = list(experiments)
    for experiment in experiments:
        kernel_shapes(experiment.recipe, profile)

    def find(experiment: Experiment, seed: int) -> Run | None:
        run = find_run(experiment, profile, seed)
        return run if run and (run.weights or not weights) else None

    def train(experiment: Experiment, seed: int, on_progress: OnProgress) -> Run:
        from .loop import load_or_train  # only now: it takes Keras

        data = dataset() if dataset else None
        options: dict[str, Any] = {"dataset": data, "on_progress": on_progress, "weights": weights, "notify": notify}
        return load_or_train(experiment, profile, seed, until=until, **options)

    wanted = [(experiment, seed) for experiment in experiments for seed in seeds]
    return [Job(row.label, seed, partial(find, row, seed), partial(train, row, seed)) for row, seed in wanted]
