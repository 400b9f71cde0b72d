"""Runs that are wanted: those on disk are loaded, the others trained one after the other."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass

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


def complete(jobs: Iterable[Job], on_progress: Callable[[int, int, Progress], object] | None = None) -> list[Run]:
    """The run of every job; those not on disk are trained now, one after the other.

    on_progress  is told which of how many trainings it is, from 1 on, and how far that is
    """
    jobs = list(jobs)
    found = [job.find() for job in jobs]
    missing, trained, runs = found.count(None), 0, []
    for job, run in zip(jobs, found, strict=True):
        if run is None:
            trained += 1

            def tell(progress: Progress, number: int = trained) -> None:
                if on_progress:
                    on_progress(number, missing, progress)

            run = job.train(tell)
        runs.append(run)
    return runs


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

    def job(experiment: Experiment, seed: int) -> Job:
        def find() -> Run | None:
            run = find_run(experiment, profile, seed)
            return run if run and (run.weights or not weights) else None

        def train(on_progress: OnProgress) -> Run:
            from .loop import load_or_train  # only now: it takes Keras

            data = dataset() if dataset else None
            return load_or_train(
                experiment,
                profile,
                seed,
                until=until,
                dataset=data,
                on_progress=on_progress,
                weights=weights,
                notify=notify,
            )

        return Job(experiment.label, seed, find, train)

    return [job(experiment, seed) for experiment in experiments for seed in seeds]
