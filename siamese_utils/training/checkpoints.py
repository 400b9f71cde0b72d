"""A run under way on disk: its history and its model after each check, and how a training goes on from them."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import warnings
from pathlib import Path
from typing import Any

from ..backend import keras
from ..config import Experiment, Profile, load_matrix
from ..errors import ResultsError
from ..files import replacing, write_json
from ..models import siamese
from .integrity import DAMAGED, SPLITS, find_problem_under_way, is_recorded, read_history, record_sums, sha256
from .provenance import ORIGIN_COLUMNS
from .runs import WEIGHTS, check_iterations, partial_folder, run_folder, run_if_sound
from .store import Notify

RECORD = "checkpoints.json"
History = list[dict[str, Any]]
HISTORY_COLUMNS = (
    # the check's number as the author counts: after update `iteration`, the first being update 0
    "iteration",
    # loss of that update's batch alone, penalties included, before the update
    "batch_loss",
    # mean over the updates since the last check
    "mean_loss",
    "learning_rate",
    # author's protocol, 20-way
    *(f"{split}_{what}" for split in SPLITS for what in ("accuracy", "low", "high")),
    # the length of all kernel weights as one vector
    "kernel_norm",
    # part of the embeddings' values, of the check's queries on val, within 0.01 of 0 or of 1
    "saturated",
    # since the run began, pauses between a kill and its resumption left out
    "seconds",
    # where the updates since the last check were made: a long run may change machines
    *ORIGIN_COLUMNS,
)


def save_checkpoint(partial: Path, model: keras.Model, history: History) -> None:
    """Save model, optimizer and history up to one check; the record of both is written last.

    The checkpoint before it stays: should this one be damaged, a training goes on from there.
    """
    now = history[-1]["iteration"]
    with replacing(partial / _checkpoint_name(now)) as part:
        model.save(part)
    # without a history the checks before are a shorter run's
    kept_before = _intact_checks(partial) if (partial / "history.csv").is_file() else []
    before = [check for check in kept_before if check < now][:1]
    _write_history(partial, history)
    record_sums(partial, "config.json", "history.csv")
    kept = [*before, now]
    write_json(partial / RECORD, [_entry(partial, check) for check in kept])
    for old in partial.glob("checkpoint-*.keras"):
        if old.name not in map(_checkpoint_name, kept):
            old.unlink()


def prepare_resume(
    experiment: Experiment, profile: Profile, seed: int, partial: Path, *, notify: Notify = warnings.warn
) -> tuple[keras.Model | None, History]:
    """Find the model and the lines of the check from which a training goes on; None and none where it starts anew.

    They are the interrupted run's own, of its last check or, with a note, of the one before it, or those of a shorter
    run of the same recipe: the first updates are the same. Raises ResultsError for a folder that another run has left,
    that was changed, or whose checkpoints are both damaged; nothing in it is touched.
    """
    # a run that has made a check, whatever has become of its history, is never thrown away
    if any(os.path.lexists(partial / name) for name in ("history.csv", RECORD, "metrics.json", WEIGHTS)):
        problem = find_problem_under_way(partial)
        checks = [] if problem else _intact_checks(partial)
        if not checks:
            raise ResultsError(
                f"run {partial.name} cannot go on ({problem or 'no checkpoint is the one on record'}): restore the "
                f"folder {partial}, or move it elsewhere and run again."
            )
        lines = _lines(partial)
        if checks[0] < lines[-1]["iteration"]:
            notify(f"run {partial.name}: its last check was not kept whole; it goes on from iteration {checks[0]:,}.")
        model = _load(partial / _checkpoint_name(checks[0]))
        _refuse_another_runs(model, experiment, profile, seed, partial, checks[0])
        return model, _up_to(lines, checks[0])
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    _, key = run_folder(experiment, profile, seed)
    write_json(partial / "config.json", key)
    return _of_a_shorter_run(experiment, profile, seed)


def _of_a_shorter_run(experiment: Experiment, profile: Profile, seed: int) -> tuple[keras.Model | None, History]:
    """Find model and history of a shorter run; None and none where there is none that kept its optimizer."""
    for shorter in load_matrix().experiments:
        length = shorter.recipe.iterations
        same = experiment.recipe.model_copy(update={"iterations": length}) == shorter.recipe
        if not same or length >= experiment.recipe.iterations:
            continue
        folder, _ = run_folder(shorter, profile, seed)
        for place, name in ((folder, WEIGHTS), *_last_checkpoint(partial_folder(folder))):
            try:
                if place == folder and not (run_if_sound(folder) and is_recorded(folder / WEIGHTS)):
                    continue
                lines = _lines(place)
                if lines[-1]["iteration"] in check_iterations(experiment, profile):
                    model = _load(place / name)
                    if _updates_made(model) == lines[-1]["iteration"] + 1:
                        return model, lines
            # weights that are not here, or a run at work has just renewed them
            except (OSError, ResultsError):
                continue
    return None, []


def _refuse_another_runs(
    model: keras.Model, experiment: Experiment, profile: Profile, seed: int, partial: Path, iteration: int
) -> None:
    """Raise ResultsError for a checkpoint of another run: its layers tell, their seeds, and its number of updates."""

    def layers(model: keras.Model) -> str:
        config = {name: value for name, value in model.get_config().items() if name != "name"}
        return json.dumps(config, default=str, sort_keys=True)

    own = layers(model) == layers(siamese.build_model(experiment, profile, seed))
    if not own or _updates_made(model) != iteration + 1:
        raise ResultsError(
            f"run {partial.name} cannot go on ({_checkpoint_name(iteration)} is another run's, or another check's): "
            f"restore the folder {partial}, or move it elsewhere and run again."
        )


def _updates_made(model: keras.Model) -> int:
    """Count the updates made, by the model's optimizer; 0 where the model was kept without one."""
    optimizer = getattr(model, "optimizer", None)
    return int(optimizer.iterations) if optimizer else 0


def _load(path: Path) -> keras.Model:
    """Load the model with its optimizer at a check; ResultsError where the file is damaged."""
    try:
        return keras.saving.load_model(path, safe_mode=True)
    except DAMAGED as error:
        raise ResultsError(
            f"{path.name} of run {path.parent.name} cannot be read: move the folder {path.parent} elsewhere and run "
            "again."
        ) from error


# ---- the record of the last two checks -----------------------------------------------------------


def _checkpoint_name(iteration: int) -> str:
    return f"checkpoint-{iteration}.keras"


def _entry(partial: Path, iteration: int) -> dict[str, Any]:
    """Make the record of a check: the checksums of its checkpoint, and of the history up to it."""
    checkpoint = sha256(partial / _checkpoint_name(iteration))
    return {"iteration": iteration, "history": _sum_of_history(partial, iteration), "checkpoint": checkpoint}


def _sum_of_history(partial: Path, iteration: int) -> str:
    lines = (partial / "history.csv").read_bytes().splitlines(keepends=True)
    count = 1 + len(_up_to(_lines(partial), iteration))
    return hashlib.sha256(b"".join(lines[:count])).hexdigest()


def _read_record(partial: Path) -> list[dict[str, Any]]:
    path = partial / RECORD
    try:
        return list(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else []
    except ValueError:
        return []


def _intact_checks(partial: Path) -> list[int]:
    """List the checks on record whose checkpoint and history are as they were, the last one first.

    Runs from before there was a record have one checkpoint, that of the last line.
    """
    if not os.path.lexists(partial / RECORD):
        last = int(_lines(partial)[-1]["iteration"])
        return [last] if (partial / _checkpoint_name(last)).is_file() else []
    found = []
    for entry in reversed(_read_record(partial)):
        try:
            found += [int(entry["iteration"])] if entry == _entry(partial, entry["iteration"]) else []
        except DAMAGED:
            continue
    return found


def _last_checkpoint(partial: Path) -> list[tuple[Path, str]]:
    """Name a run under way and its last checkpoint; empty where there is none."""
    if not (partial / "history.csv").is_file() or find_problem_under_way(partial):
        return []
    return [(partial, _checkpoint_name(check)) for check in _intact_checks(partial)[:1]]


# ---- the history ---------------------------------------------------------------------------------


def _lines(place: Path) -> History:
    """Read the lines of a folder's history, their iterations as numbers."""
    return [{**line, "iteration": int(line["iteration"])} for line in read_history(place)]


def _up_to(lines: History, iteration: int) -> History:
    return [line for line in lines if line["iteration"] <= iteration]


def _write_history(partial: Path, history: History) -> None:
    with replacing(partial / "history.csv") as part, open(part, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, HISTORY_COLUMNS)
        writer.writeheader()
        writer.writerows(history)
