"""How long the runs that are missing will take on this machine: a few steps and a check of the baseline, timed."""

from __future__ import annotations

import time
from collections.abc import Iterable

from ..config import Experiment, Profile, load_experiment
from ..data.load import load_dataset
from .runs import check_iterations, find_so_far

WARM_UP, TIMED = 2, 6  # steps


def forecast(profile: Profile, experiments: Iterable[Experiment]) -> tuple[int, float]:
    """How many runs of the experiments are not finished, and about how many seconds they take.

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
    a_step, a_check = _time(profile)
    return runs, updates * a_step + checks * a_check


def _time(profile: Profile) -> tuple[float, float]:
    """Seconds of a training step and of a check of the baseline."""
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
    check_model(model, dataset, profile, 0)  # the first traces
    begun = time.perf_counter()
    check_model(model, dataset, profile, 1)
    return (moments[1] - moments[0]) / TIMED, time.perf_counter() - begun
