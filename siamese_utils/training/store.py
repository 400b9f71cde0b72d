"""Runs that are wanted, found or made once: one way for the runs of the paper and for those beyond it."""

from __future__ import annotations

import functools
import json
import os
import shutil
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

from ..config import Experiment, Profile
from ..data.dataset import Dataset
from ..errors import OutputError
from ..files import locked, write_json
from ..models.plan import kernel_shapes
from ..process import Process
from .integrity import find_problem, is_recorded, record_sums
from .runs import WEIGHTS, Run, find_run, open_run, partial_folder, worker_file

Notify = Callable[[str], object]


@dataclass(frozen=True)
class Progress:
    """What a training tells on its way: for a progress display, not for results.

    name  of the experiment or method;  accuracy: on val at the last check, None where there are no checks
    """

    name: str
    seed: int
    step: int
    steps: int
    loss: float
    accuracy: float | None = None

    def __str__(self) -> str:
        """Write it as "Baseline, seed 0, step 400 of 5,000, loss 1.652, val accuracy 25.6 %"."""
        words = f"{self.name}, seed {self.seed}, step {self.step:,} of {self.steps:,}, loss {self.loss:.3f}"
        return words if self.accuracy is None else f"{words}, val accuracy {100 * self.accuracy:.1f} %"


OnProgress = Callable[[Progress], object]


def find_or_make(
    folder: Path, make: Callable[[], Path], *, weights: bool = False, notify: Notify = warnings.warn
) -> Run:
    """Open the finished run of a folder; make it now if it is not there, or if its weights are wanted and are not.

    make     trains, evaluates, and returns the complete folder under its temporary name
    weights  whether they are wanted: trained anew for results that have none, they join them, which stay as they are
    notify   is told so, and how the scores of the new weights compare with those on record

    A second process that asks for the same run waits for the first.
    """

    def missing() -> bool:
        return not folder.is_dir() or (weights and open_run(folder).weights is None)

    partial = partial_folder(folder)
    for place in (folder, partial):
        if place.exists() and not place.is_dir():
            raise OutputError(f"{place} is a file in the place of a run's folder: move it elsewhere.")
    if missing() or (weights and partial.is_dir()):
        with lock_of(folder):
            if missing():
                found = open_run(folder) if folder.is_dir() else None
                if found:
                    notify(
                        f"run {found.run_id} has its results here, but not its weights: they are trained anew, which "
                        f"took {found.seconds:.0f} s where the results were made; the results stay as they are."
                    )
                begun = time.perf_counter()
                # of a kill when all was there but the name
                is_complete = not find_problem(partial) and is_recorded(partial / WEIGHTS)
                new = Run(partial if is_complete else make())
                if found:
                    words = _compared(found.metrics["scores"], new.metrics["scores"])
                    notify(f"weights of {found.run_id} trained in {time.perf_counter() - begun:.0f} s: {words}.")
                finish(new.folder, folder)
            else:
                # of a kill after the weights had joined their results
                shutil.rmtree(partial, ignore_errors=True)
    return open_run(folder)


@contextmanager
def lock_of(folder: Path) -> Iterator[None]:
    """Hold the lock of a run, as who trains it does, and say beside it who that is; see `state`."""
    with locked(folder.with_name(f".{folder.name}.lock"), f"run {folder.name}"):
        this = asdict(Process.this())
        write_json(worker_file(folder), this)
        try:
            yield
        finally:
            # where a lease was taken over meanwhile, it is another's
            with suppress(OSError, ValueError):
                if json.loads(worker_file(folder).read_bytes()) == this:
                    worker_file(folder).unlink()


def finish(partial: Path, final: Path) -> Run:
    """Give a complete folder its final name; results that have it already stay, and take the weights they lack.

    What it took to go on after a kill is removed after that, as far as it can be: the run is finished.
    """
    if final.is_dir():
        if Run(final).weights is None:
            record_sums(final, WEIGHTS, source=partial)
            os.replace(partial / WEIGHTS, final / WEIGHTS)
        shutil.rmtree(partial, ignore_errors=True)
    else:
        partial.rename(final)
    for path in (*final.glob("checkpoint*"), *final.glob(".*")):
        with suppress(OSError):
            path.unlink()
    return Run(final)


def _compared(recorded: list[dict[str, Any]], new: list[dict[str, Any]]) -> str:
    """Say how the scores of a second training of a run compare with those of the first, on the same episodes."""

    def by_kind(scores: list[dict[str, Any]]) -> dict[tuple[Any, ...], float]:
        return {(s["protocol"], s.get("split"), s["ways"]): s["accuracy"] for s in scores}

    before, after = by_kind(recorded), by_kind(new)
    apart = [abs(after[kind] - before[kind]) for kind in before if kind in after]
    differing = sum(map(bool, apart))
    if not differing:
        return "their scores are those on record"
    return (
        f"{differing} of {len(apart)} scores differ from those on record, by {100 * max(apart):.2f} points at most; "
        "machines round differently"
    )


# ---- runs that are wanted --------------------------------------------------------------------------


@dataclass(frozen=True)
class Job:
    """A run that someone wants, of the paper or beyond it: how it is found, and how it is trained."""

    label: str
    seed: int
    find: Callable[[], Run | None]
    train: Callable[[OnProgress], Run]


def complete(jobs: Sequence[Job], on_progress: Callable[[int, int, Progress], object]) -> list[Run]:
    """Return the run of every job; those not on disk are trained now, one after the other.

    on_progress  is told which of how many trainings it is, from 1 on, and how far that is
    """
    found = [job.find() for job in jobs]
    missing, number = found.count(None), count(1)
    return [
        run or job.train(functools.partial(on_progress, next(number), missing))
        for job, run in zip(jobs, found, strict=True)
    ]


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
    """List the runs of experiments under every seed, as `complete` takes them.

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
            # only now: it takes Keras
            from .loop import load_or_train

            data = dataset() if dataset else None
            return load_or_train(
                experiment, profile, seed,
                dataset=data, on_progress=on_progress, weights=weights, notify=notify, until=until,
            )  # fmt: skip

        return Job(experiment.label, seed, find, train)

    return [job(experiment, seed) for experiment in experiments for seed in seeds]
