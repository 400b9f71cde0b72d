"""Runs of methods on disk: how one is named and found; nothing here takes Keras."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from ..config import Profile, checked_seed, key_hash
from ..data.load import dataset_fingerprint
from ..paths import reports_dir
from ..training.runs import Run, run_if_sound
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
        "seed": checked_seed(seed),
    }
    name = f"{method.name}-{held_out}-s{seed}-{key_hash(key)}"
    return reports_dir() / profile.name / "beyond" / name, key


def find_method_run(method: Method, profile: Profile, seed: int, held_out: HeldOut = "validation") -> Run | None:
    """The finished run, or None where it has not been run, or is not to be believed; see `runs.find_run`."""
    folder, _ = method_folder(method, profile, seed, held_out)
    return run_if_sound(folder)
