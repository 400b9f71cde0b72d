"""How far each wanted run has come, whoever trains it, and how long the rest will take.

It is read from what is on disk here or in a shared folder; `forecast` times a few steps as well.
"""

from __future__ import annotations

import platform
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isnan, nan
from pathlib import Path
from statistics import median
from typing import Literal

from pydantic import TypeAdapter

from ..config import Experiment, Profile, load_experiment, load_matrix
from ..data.load import load_dataset
from ..models.cost import cost_of
from ..process import Process
from ..schema import LARGEST_SEED
from ..text import duration, on_one_line
from .runs import (
    Run,
    check_iterations,
    find_so_far,
    partial_folder,
    places_of,
    results_dir,
    run_folder,
    under_way_dir,
    worker_file,
)

_PROCESS = TypeAdapter(Process)
# seconds without a check after which a process of another machine is taken to be gone
SILENCE = 3600
# bytes of a log in which its last line is looked for; a worker's file has fewer
END = 4096
# how a log's last line begins that tells of no failure
ENDED_WELL = ("interrupted", "done")
# steps of the baseline
WARM_UP, TIMED = 2, 6

Word = Literal["finished", "running", "failed", "under way", "left out", "not run"]


@dataclass(frozen=True)
class State:
    """How a run stands.

    word     "finished"; "running": a process is training it; "failed": one has ended, and its log says why; "under
             way": it has made checks, and goes on from there when it is asked for; "left out": it is not to be
             believed; "not run"
    run      as far as it has come; None without a check
    process  that is training it
    reason   the last line of the log of one that failed
    """

    word: Word
    folder: Path
    run: Run | None = None
    process: Process | None = None
    reason: str = ""

    def __str__(self) -> str:
        """Write it as "running on node7, job 4711", "not run"."""
        return on_one_line(f"{self.word} on {self.process}") if self.process else self.word

    @cached_property
    def iteration(self) -> int:
        """That of its last check, -1 without one."""
        return int(self.run.history["iteration"].iloc[-1]) if self.run else -1


def log_file(folder: Path) -> Path:
    """Name the file for what a training says that is started unattended: reports/<profile>/logs/<run>.log."""
    return folder.parent.parent / "logs" / f"{folder.name}.log"


def seeds_wanted_or_here(experiment: Experiment, profile: Profile) -> list[int]:
    """List the profile's seeds, then those of other runs of the experiment that are here.

    These are finished, under way, or begun and so far nothing but a log.
    """
    named = re.compile(re.escape(experiment.name) + r"-s(\d+)-[0-9a-f]+(\.partial|\.log)?")
    places = results_dir(profile), under_way_dir(profile), results_dir(profile).parent / "logs"
    here = [path.name for place in places for path in place.glob("*")]
    others = {int(found[1]) for name in here if (found := named.fullmatch(name))} - {*profile.seeds}

    def is_here(seed: int) -> bool:
        log = log_file(run_folder(experiment, profile, seed)[0])
        return log.is_file() or bool(places_of(experiment, profile, seed))

    return [*profile.seeds, *(seed for seed in sorted(others) if seed <= LARGEST_SEED and is_here(seed))]


def state_of(experiment: Experiment, profile: Profile, seed: int) -> State:
    """Say how one run of the matrix stands."""
    folder, _ = run_folder(experiment, profile, seed)
    run = find_so_far(experiment, profile, seed)
    return state_in(folder, run, exists=not run and bool(places_of(experiment, profile, seed)))


def states_of(
    profile: Profile, seeds: Callable[[Experiment, Profile], Iterable[int]] = lambda _, profile: profile.seeds
) -> list[tuple[Experiment, int, State]]:
    """Say how every run of the matrix stands, in its order: experiment, seed and state.

    seeds  of an experiment; without it the profile's
    """
    wanted = [(experiment, seed) for experiment in load_matrix().experiments for seed in seeds(experiment, profile)]
    return [(experiment, seed, state_of(experiment, profile, seed)) for experiment, seed in wanted]


def state_in(folder: Path, run: Run | None, exists: bool) -> State:
    """Say how the run of a folder stands.

    run     as it was found, if it is to be believed;  exists: whether there is something else by its name
    """
    if run and run.finished:
        return State("finished", folder, run)
    if process := _process(folder):
        return State("running", folder, run, process)
    if reason := _last_line(log_file(folder)):
        return State("failed", folder, run, reason=reason)
    return State("under way" if run else "left out" if exists else "not run", folder, run)


def seconds_left(states: Sequence[tuple[Experiment, int, State]], profile: Profile) -> dict[Path, float]:
    """Estimate the seconds of training that each run still needs, by its folder; NaN where no run tells.

    At the run's own pace; without one, at that of the row's other seeds; without these, at the pace of all, in
    proportion to the counted work of a step (`models.cost`).
    """
    rows = {experiment.name: experiment for experiment, *_ in states}
    work = {name: cost_of(experiment, profile).flop for name, experiment in rows.items()}
    paces: dict[str, list[float]] = {}
    for experiment, _, state in states:
        if state.run and (pace := state.run.pace) > 0:
            paces.setdefault(experiment.name, []).append(pace)
    per_work = median([pace / work[name] for name, own in paces.items() for pace in own] or [nan])
    of_row = {name: median(paces.get(name, [per_work * work[name]])) for name in rows}
    left = {}
    for experiment, _, state in states:
        own = state.run.pace if state.run else nan
        steps = check_iterations(experiment, profile)[-1] - state.iteration
        left[state.folder] = steps * (own if own > 0 else of_row[experiment.name]) if state.word != "finished" else 0.0
    return left


def what_is_left(states: Sequence[tuple[Experiment, int, State]], profile: Profile) -> list[str]:
    """Say what of the matrix is at work or has failed, and how long the rest takes, a sentence each; none when done."""
    told = [
        f"{state.word}: {experiment.label} (seed {seed})"
        + (f", at iteration {state.iteration:,}" if state.run else "")
        + (f": {state.reason}" if state.reason else "")
        for experiment, seed, state in states
        if state.word in ("running", "failed")
    ]
    seconds = sum(seconds_left(states, profile).values())
    if any(state.word != "finished" for *_, state in states) and not isnan(seconds):
        told.append(
            f"{duration(seconds)} of training left, one run after the other, by the pace of those that are here"
        )
    return told


def forecast(profile: Profile, experiments: Iterable[Experiment]) -> tuple[int, float]:
    """Count the runs of the experiments that are not finished, and estimate the seconds that they take.

    The baseline is timed, and multiplied by the updates and checks that are missing: other rows cost more or less.
    Raises DataError where the dataset cannot be had.
    """
    runs = updates = checks = 0
    for experiment in experiments:
        wanted = check_iterations(experiment, profile)
        for seed in profile.seeds:
            found = find_so_far(experiment, profile, seed)
            if found and found.finished:
                continue
            done = int(found.history["iteration"].max()) if found else -1
            left = [check for check in wanted if check > done]
            runs, updates, checks = runs + 1, updates + wanted[-1] - done, checks + len(left)
    if not runs:
        return 0, 0.0
    a_step, a_check = _time_baseline(profile)
    return runs, updates * a_step + checks * a_check


def _time_baseline(profile: Profile) -> tuple[float, float]:
    """Time a training step and a check of the baseline, in seconds."""
    from ..models.siamese import build_model
    from .loop import prepare_backend, train
    from .scores import check_model

    prepare_backend(profile.seeds[0], profile.convolutions)
    dataset, baseline, moments = load_dataset(profile), load_experiment("baseline"), []
    model = build_model(baseline, profile, profile.seeds[0])
    checks = [WARM_UP - 1, WARM_UP + TIMED - 1]

    def after_check(*_: object) -> None:
        moments.append(time.perf_counter())

    train(model, dataset.train, baseline, profile, checks=checks, after_check=after_check)
    # the first call traces the graph
    check_model(model, dataset, profile, 0)
    begun = time.perf_counter()
    check_model(model, dataset, profile, 1)
    return (moments[1] - moments[0]) / TIMED, time.perf_counter() - begun


def _process(folder: Path) -> Process | None:
    """Find the process that is training the run of a folder; None without one."""
    signs = worker_file(folder), partial_folder(folder) / "history.csv"
    try:
        process = _PROCESS.validate_json(_end_of(signs[0]))
        last = max(sign.stat().st_mtime for sign in signs if sign.exists())
    except (OSError, ValueError):
        return None
    believed = process.host == platform.node() or time.time() - last < SILENCE
    return process if believed and process.lives else None


def _last_line(log: Path) -> str:
    """Read the last line of a log that has words; "" without one, and where it tells of an interruption or an end."""
    try:
        lines = map(on_one_line, reversed(_end_of(log).decode(errors="replace").split("\n")))
    except OSError:
        return ""
    last = next(filter(None, lines), "")
    return "" if last.startswith(ENDED_WELL) else last


def _end_of(path: Path) -> bytes:
    """Read the last bytes of a file; none of what is no file, such as a pipe, for which one would wait."""
    if not path.is_file():
        return b""
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - END))
        return file.read(END)
