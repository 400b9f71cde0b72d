"""Runs of methods on disk: how one is found, and which are to be made; nothing here takes Keras."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

from ..config import Profile, key_hash
from ..data.dataset import Dataset
from ..data.load import dataset_fingerprint
from ..paths import reports_dir
from ..training.jobs import Job, Notify, OnProgress
from ..training.runs import Run
from .config import Method

# raise when batches, losses, networks or training change what a run's numbers would be
METHOD_VERSION = 1

HeldOut = Literal["validation", "evaluation"]


def method_folder(
    method: Method, profile: Profile, seed: int, held_out: HeldOut, fingerprint: str | None = None
) -> tuple[Path, dict[str, Any]]:
    """The folder of a run and the key it is named after: everything that determines its numbers.

    fingerprint  of the dataset; None for the profile's
    """
    left_out = {"title", "source", "group", "steps", "steps_on_synthetic", "image_size"}
    key = {
        "version": METHOD_VERSION,
        # what has its default is left out, so that a new field changes no older run
        "learner": method.model_dump(mode="json", exclude=left_out, exclude_defaults=True, by_alias=True),
        "steps": method.steps_under(profile),
        "dataset": fingerprint or dataset_fingerprint(profile),
        "image_size": method.sized(profile).image_size,
        "episodes": profile.episodes,
        "held_out": held_out,
        "seed": seed,
    }
    name = f"{method.name}-{held_out}-s{seed}-{key_hash(key)}"
    return reports_dir() / profile.name / "beyond" / name, key


def find_method_run(method: Method, profile: Profile, seed: int, held_out: HeldOut = "validation") -> Run | None:
    """The finished run, or None where it has not been run."""
    folder, _ = method_folder(method, profile, seed, held_out)
    return Run(folder) if folder.is_dir() else None


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
