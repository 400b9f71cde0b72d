"""Runs of methods on disk: how one is named and found; nothing here imports Keras."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

from ..config import Profile, key_hash, load_experiment, run_key
from ..data.load import dataset_fingerprint
from ..paths import reports_dir
from ..schema import checked_seed
from ..training.runs import Run, partial_folder, run_if_sound
from ..training.state import State, state_in
from .config import Method, load_beyond

# raise when batches, losses, networks or training change what a run's numbers would be
METHOD_VERSION = 1

# where runs on a folder of the reader's own lie: git does not see them
OWN = "own"

HeldOut = Literal["validation", "evaluation"]


def method_folder(
    method: Method,
    profile: Profile,
    seed: int,
    held_out: HeldOut,
    fingerprint: str | None = None,
    place: str = "beyond",
) -> tuple[Path, dict[str, Any]]:
    """Return the folder of a run and the key that names it: everything that determines its numbers.

    fingerprint  of the dataset; None for the profile's
    place        in the profile's folder; `OWN` for a folder of the reader's own
    """
    if method.experiment:
        # a row of the paper's matrix, with its recipe
        key_of_row = run_key(load_experiment(method.experiment), profile, 0, "")
        row = {"experiment": method.experiment, "recipe": key_of_row["recipe"], "padding": profile.padding}
        method_key = {"name": method.name, **row}
    else:
        left_out = {"title", "source", "group", "steps", "steps_on_synthetic", "image_size"}
        # what has its default is left out, so that a new field changes no older run
        method_key = method.model_dump(mode="json", exclude=left_out, exclude_defaults=True, by_alias=True)
    key = {
        "version": METHOD_VERSION,
        "learner": method_key,
        "steps": method.steps_on_synthetic if profile.dataset == "synthetic" else method.steps,
        "dataset": fingerprint or dataset_fingerprint(profile),
        "image_size": method.sized(profile).image_size,
        "episodes": profile.episodes,
        "held_out": held_out,
        "seed": checked_seed(seed),
    }
    name = f"{method.name}-{held_out}-s{seed}-{key_hash(key)}"
    return reports_dir() / profile.name / place / name, key


def find_run_on(archive: str, method: Method, profile: Profile, seed: int) -> Run | None:
    """Find the finished run on an archive's evaluation classes, without the archive; None where there is none."""
    folder, _ = method_folder(method, profile, seed, "evaluation", "")
    start = folder.name.rpartition("-")[0]
    for path in sorted(folder.parent.glob(f"{start}-*")):
        if path.name.endswith(".partial") or not (run := run_if_sound(path)):
            continue
        own, _ = method_folder(method, profile, seed, "evaluation", run.config["dataset"])
        if run.metrics["dataset"]["name"] == archive and own.name == path.name:
            return run
    return None


def find_method_run(method: Method, profile: Profile, seed: int, held_out: HeldOut = "validation") -> Run | None:
    """Find the finished run; None where it has not been run, or is not to be believed; see `runs.find_run`."""
    folder, _ = method_folder(method, profile, seed, held_out)
    return run_if_sound(folder)


def method_states(profile: Profile) -> list[tuple[str, int, State]]:
    """List the methods' runs that are finished or begun: the method's name, the seed, and the state."""
    found = []
    for method in load_beyond().methods:
        sized = method.sized(profile)
        for held_out in get_args(HeldOut):
            for seed in profile.seeds:
                folder, _ = method_folder(method, sized, seed, held_out)
                state = state_in(folder, run_if_sound(folder), folder.is_dir())
                if state.word == "not run" and partial_folder(folder).is_dir():
                    state = replace(state, word="under way")
                if state.word != "not run":
                    name = method.name if held_out == "validation" else f"{method.name}, {held_out}"
                    found.append((name, seed, state))
    return found
