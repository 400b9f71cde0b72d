"""A run under way on disk: its history and its model after each check, and how a training goes on from them."""

from __future__ import annotations

import csv
import shutil
import zipfile
from pathlib import Path
from typing import Any

from ..backend import keras
from ..config import Experiment, Profile, load_matrix
from ..errors import ResultsError
from ..files import replacing
from .provenance import ORIGIN_COLUMNS
from .runs import SPLITS, WEIGHTS, check_iterations, partial_folder, read_history, run_folder

History = list[dict[str, Any]]
HISTORY_COLUMNS = (
    "iteration",  # the check's number as the author counts: after update `iteration`, the first being update 0
    "batch_loss",  # loss of that update's batch alone, penalties included, before the update
    "mean_loss",  # mean over the updates since the last check
    "learning_rate",
    *(f"{split}_{what}" for split in SPLITS for what in ("accuracy", "low", "high")),  # author's protocol, 20-way
    "kernel_norm",  # the length of all kernel weights as one vector
    "saturated",  # part of the embeddings' values, of the check's queries on val, within 0.01 of 0 or of 1
    "seconds",  # since the run began, pauses between a kill and its resumption left out
    *ORIGIN_COLUMNS,  # where the updates since the last check were made: a long run may change machines
)


def save_checkpoint(partial: Path, model: keras.Model, history: History) -> None:
    """Model, optimizer and history up to one check; the history is renamed last and names the checkpoint."""
    current = _checkpoint_file(partial, history)
    model.save(current)
    _write_history(partial, history)
    for old in partial.glob("checkpoint-*.keras"):
        if old != current:
            old.unlink()


def load_checkpoint(partial: Path, history: History) -> keras.Model:
    """The model with its optimizer at the last check; ResultsError where the file is damaged."""
    path = _checkpoint_file(partial, history)
    try:
        return keras.saving.load_model(path, safe_mode=True)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ResultsError(
            f"{path.name} of run {partial.name} cannot be read: move the folder {partial} elsewhere and run again."
        ) from error


def prepare_resume(experiment: Experiment, profile: Profile, seed: int, partial: Path) -> History:
    """The lines from which a training can go on, its checkpoint in the partial folder; none where it starts anew.

    A partial folder without its checkpoint is removed and made anew. The lines are the interrupted run's own, or those
    of a shorter run of the same recipe: the first updates are the same.
    """
    history = _lines(partial)
    if history and _checkpoint_file(partial, history).is_file():
        return history
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    return _of_a_shorter_run(experiment, profile, seed, partial)


def _of_a_shorter_run(experiment: Experiment, profile: Profile, seed: int, partial: Path) -> History:
    """The history of a shorter run, its checkpoint copied; empty where there is none that kept its optimizer."""
    for shorter in load_matrix().experiments:
        length = shorter.recipe.iterations
        same = experiment.recipe.model_copy(update={"iterations": length}) == shorter.recipe
        if not same or length >= experiment.recipe.iterations:
            continue
        folder, _ = run_folder(shorter, profile, seed)
        for place in (folder, partial_folder(folder)):
            history = _lines(place)
            if not history or int(history[-1]["iteration"]) not in check_iterations(experiment, profile):
                continue
            kept = place / WEIGHTS if place == folder else _checkpoint_file(place, history)
            try:
                shutil.copyfile(kept, _checkpoint_file(partial, history))
            except FileNotFoundError:  # weights that are not here, or a run at work has just renewed them
                continue
            try:
                updates = _updates_made(load_checkpoint(partial, history))
            except ResultsError:  # damaged: this run is trained from its own beginning
                updates = 0
            if updates == int(history[-1]["iteration"]) + 1:
                _write_history(partial, history)
                return history
            _checkpoint_file(partial, history).unlink()
    return []


def _updates_made(model: keras.Model) -> int:
    """By the model's optimizer; 0 where the model was kept without one."""
    optimizer = getattr(model, "optimizer", None)
    return int(optimizer.iterations) if optimizer else 0


def _checkpoint_file(partial: Path, history: History) -> Path:
    return partial / f"checkpoint-{history[-1]['iteration']}.keras"


def _lines(place: Path) -> History:
    """The whole lines of a folder's history; a line that was cut is left out, with all behind it."""
    rows = read_history(place / "history.csv") if (place / "history.csv").is_file() else []
    whole = [all(value is not None for value in row.values()) for row in rows]
    return rows[: whole.index(False)] if False in whole else rows


def _write_history(partial: Path, history: History) -> None:
    with replacing(partial / "history.csv") as part, open(part, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, HISTORY_COLUMNS)
        writer.writeheader()
        writer.writerows(history)
