"""`run(experiment, profile, seed)`: load the finished run, or train it, evaluate it and keep it.

The author's loop (5,001 updates, a check after updates 0, 100, …, 5,000) is cut at its checks: the updates up to a
check are one compiled call that returns the loss of each, so that the check's own can be logged by itself as the author
did. After each check the model with its optimizer is saved, and a killed run goes on from there.
"""

from __future__ import annotations

import csv
import os
import shutil
import time
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from ..backend import keras, on_cpu
from ..config import Experiment, Profile, load_experiment, load_matrix, load_profile
from ..data.dataset import Dataset, Split
from ..data.load import load_dataset
from ..data.pairs import batch_of_step
from ..errors import ResultsError
from ..evaluation.accuracy import answer, embed, one_shot_accuracy, score_of
from ..evaluation.episodes import draw_episodes
from ..models import siamese
from .intervals import interval_of
from .precision import Convolutions, choose_convolutions
from .provenance import ORIGIN_COLUMNS, code_version, origin_of_checks, provenance
from .runs import SCHEMA_VERSION, WEIGHTS, Run, load_or_train, partial_folder, read_history, run_folder, write_json

CHECK_SEED, FINAL_SEED = (
    1_000,
    2_000,
)  # episodes never share random numbers with training, nor checks with finals
SPLITS = ("train", "val")
HISTORY_COLUMNS = (
    "iteration",  # the check's number as the author counts: after update `iteration`, the first being update 0
    "batch_loss",  # loss of that update's batch alone, penalties included, before the update
    "mean_loss",  # mean over the updates since the last check
    "learning_rate",
    *(f"{split}_{what}" for split in SPLITS for what in ("accuracy", "low", "high")),  # author's protocol, 20-way
    "seconds",  # since the run began, pauses between a kill and its resumption left out
    *ORIGIN_COLUMNS,  # where the updates since the last check were made: a long run may change machines
)


@dataclass(frozen=True)
class Progress:
    """What a run tells while it trains: for a progress display, not for results."""

    experiment: str
    seed: int
    iteration: int
    iterations: int
    batch_loss: float
    val_accuracy: float


def batches_of(
    images: np.ndarray, seed: int, batch_size: int, first: int, last: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The pairs of training steps first to last - 1: left and right (steps, batch, 2) int, labels (steps, batch).

    images  (classes, drawers, height, width); the picks are class and drawer, as in `pairs.Pairs`.
    """
    classes, drawers = images.shape[:2]
    drawn = [batch_of_step(seed, step, classes, drawers, batch_size) for step in range(first, last)]
    left, right, labels = zip(*((p.left, p.right, p.labels) for p in drawn), strict=True)
    return np.stack(left), np.stack(right), np.stack(labels)


def run(
    experiment: str | Experiment,
    profile: str | Profile,
    seed: int = 0,
    *,
    dataset: Dataset | None = None,
    progress: Callable[[Progress], None] | None = None,
    weights: bool = False,
    tell: Callable[[str], object] = warnings.warn,
) -> Run:
    """The finished run of an experiment under a profile and seed; trained now if it is not on disk.

    weights, tell  whether its weights must be here too, and who is told where they are trained anew: see
                   `results.load_or_train`
    A second process that asks for the same run waits for the first. A killed run resumes from its last check.
    Raises ParamsError for names that do not exist, DataError where the dataset cannot be had.
    """
    experiment, profile = load_experiment(experiment), load_profile(profile)
    folder, key = run_folder(experiment, profile, seed)

    def train_it() -> Path:
        return _train_and_evaluate(folder, key, experiment, profile, seed, dataset or load_dataset(profile), progress)

    return load_or_train(folder, train_it, weights=weights, tell=tell)


def run_until(
    experiment: str | Experiment,
    profile: str | Profile,
    seed: int,
    until: int | None,
    *,
    dataset: Dataset | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Run | None:
    """`run`, but trained through the checks up to an iteration only, and left there to go on from.

    until  the last iteration that may be checked; None, or one at or behind the run's last check, finishes the run.

    Returns the finished run, or None where it is still under way; `results.find_so_far` has its checks.
    """
    experiment, profile = load_experiment(experiment), load_profile(profile)
    if until is None or until >= check_iterations(experiment, profile)[-1]:
        return run(experiment, profile, seed, dataset=dataset, progress=progress)
    folder, key = run_folder(experiment, profile, seed)
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f".{folder.name}.lock")):
            if not folder.is_dir():
                dataset = dataset or load_dataset(profile)
                _train_checks(folder, key, experiment, profile, seed, dataset, progress, until=until)
    return Run(folder) if folder.is_dir() else None


def check_iterations(experiment: Experiment, profile: Profile) -> list[int]:
    """The updates after which a check is made: 0, every `check_every`-th, and the last."""
    last = profile.scaled(experiment.recipe.iterations)
    return sorted({*range(0, last + 1, profile.check_every), last})


def train(
    model: keras.Model,
    split: Split,
    experiment: Experiment,
    profile: Profile,
    seed: int,
    checks: list[int],
    *,
    after_check: Callable[[int, dict[str, float]], None],
    first_update: int = 0,
) -> None:
    """Train through the given checks; `after_check(iteration, losses)` follows each.

    Losses: batch_loss, mean_loss, learning_rate. Updates before `first_update` were made earlier.
    """

    batch_size = profile.batch_size or experiment.recipe.batch_size
    rate = siamese.learning_rate_schedule(experiment.recipe.learning_rate, profile)
    interval = interval_of(model, split.images)
    for check in checks:
        _place_dropout(model, first_update)
        losses = interval(*batches_of(split.images, seed, batch_size, first_update, check + 1))
        after_check(
            check,
            {
                "batch_loss": float(losses[-1]),
                "mean_loss": float(losses.mean(dtype=np.float64)),
                "learning_rate": float(keras.ops.convert_to_tensor(rate(check) if callable(rate) else rate)),
            },
        )
        first_update = check + 1


def _place_dropout(model: keras.Model, update: int) -> None:
    """Set every dropout layer's counter to where it stands before an update: a saved model does not keep it.

    A mask is a function of the layer's seed and the counter, which moves once a call, twice an update.
    """
    for variable in model.non_trainable_variables:
        if variable.path.endswith("seed_generator_state"):
            seed = keras.ops.convert_to_numpy(variable.value)[0]
            variable.assign([seed, 2 * update])


def prepare_backend(seed: int, convolutions: Convolutions = "float32") -> None:
    """Make a CPU run repeatable to the byte: deterministic operations on TensorFlow; JAX's always are.

    convolutions  the precision they are computed in, see `precision`.

    Initial weights, dropout masks, pairs and episodes have seeds of their own; this is for whatever else may draw.
    """
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        keras.utils.set_random_seed(seed)
        if on_cpu():
            tf.config.experimental.enable_op_determinism()
    choose_convolutions(convolutions)


def check_accuracy(model: keras.Model, dataset: Dataset, profile: Profile, iteration: int) -> dict[str, float]:
    """The author's check: 250 1-shot 20-way episodes on each split; the same episodes for every model."""
    row: dict[str, float] = {}
    for number, name in enumerate(SPLITS):
        score = one_shot_accuracy(
            model,
            dataset.split(name),
            protocol="author",
            episodes=profile.check_episodes,
            seed=[CHECK_SEED, number, iteration],
        )
        row |= {f"{name}_accuracy": score.accuracy, f"{name}_low": score.low, f"{name}_high": score.high}
    return row


def final_scores(
    model: keras.Model, dataset: Dataset, profile: Profile
) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """Every final accuracy, and the packed answers of the 20-way episodes.

    Scores: both protocols on both splits at 20 ways, and on val at each of the profile's ways.
    Answers: "<protocol>/<split>" → np.packbits of (episodes,) bool.
    """
    scores, answers = [], {}
    for name in SPLITS:
        split = dataset.split(name)
        embeddings = embed(model, split.images.reshape(-1, *split.images.shape[2:]))
        embeddings = embeddings.reshape(split.classes, split.drawers, -1)
        for protocol in ("author", "strict"):
            for ways in sorted({20, *(profile.ways if name == "val" else ())}):
                drawn = draw_episodes(
                    protocol,
                    classes=split.classes,
                    drawers=split.drawers,
                    ways=ways,
                    episodes=profile.episodes,
                    seed=final_seed(name, ways),
                )
                correct = answer(model, embeddings, drawn)
                scores.append({"protocol": protocol, "split": name, "ways": ways, **score_of(correct).as_dict()})
                if ways == 20:
                    answers[f"{protocol}/{name}"] = np.packbits(correct)
    return scores, answers


def final_seed(split: str, ways: int) -> list[int]:
    """The seed of the final episodes: who knows it can draw them again."""
    return [FINAL_SEED, SPLITS.index(split), ways]


def _train_checks(
    folder: Path,
    key: dict[str, Any],
    experiment: Experiment,
    profile: Profile,
    seed: int,
    dataset: Dataset,
    progress: Callable[[Progress], None] | None,
    until: int | None = None,
) -> tuple[keras.Model, list[dict[str, Any]]]:
    """Train the checks that are not made yet, in the run's partial folder → the model, and a line for every check."""
    code_version()  # as it is now, before anyone edits a file under a long run
    prepare_backend(seed, profile.convolutions)
    origin = origin_of_checks()
    partial = partial_folder(folder)
    partial.mkdir(exist_ok=True)
    history = _resumable(partial) or _of_a_shorter_run(experiment, profile, seed, partial)
    write_json(partial / "config.json", key)
    model = _checkpoint(partial, history) if history else siamese.build_model(experiment, profile, seed)
    done = int(history[-1]["iteration"]) + 1 if history else 0
    begun = time.perf_counter() - (float(history[-1]["seconds"]) if history else 0.0)
    checks = check_iterations(experiment, profile)

    def after_check(iteration: int, losses: dict[str, float]) -> None:
        accuracies = check_accuracy(model, dataset, profile, iteration)
        seconds = round(time.perf_counter() - begun, 1)
        history.append({"iteration": iteration, **losses, **accuracies, "seconds": seconds, **origin})
        _save_checkpoint(partial, model, history)
        if progress:
            now = losses["batch_loss"], accuracies["val_accuracy"]
            progress(Progress(experiment.name, seed, iteration, checks[-1], *now))

    train(
        model,
        dataset.train,
        experiment,
        profile,
        seed,
        [check for check in checks if done <= check <= (checks[-1] if until is None else until)],
        after_check=after_check,
        first_update=done,
    )
    return model, history


def _train_and_evaluate(
    folder: Path,
    key: dict[str, Any],
    experiment: Experiment,
    profile: Profile,
    seed: int,
    dataset: Dataset,
    progress: Callable[[Progress], None] | None,
) -> Path:
    """Train to the end and evaluate → the complete partial folder."""
    model, history = _train_checks(folder, key, experiment, profile, seed, dataset, progress)
    begun, partial = time.perf_counter(), partial_folder(folder)
    scores, answers = final_scores(model, dataset, profile)
    np.savez(partial / "answers.npz", allow_pickle=False, **answers)
    write_json(
        partial / "metrics.json",
        {
            "schema_version": SCHEMA_VERSION,
            "run_id": folder.name,
            "experiment": experiment.name,
            "profile": profile.name,
            "seed": seed,
            "dataset": {
                "name": dataset.name,
                "synthetic": dataset.synthetic,
                "source": dataset.source,
                "fingerprint": dataset.fingerprint,
            },
            "iterations": int(history[-1]["iteration"]),
            "parameters": model.count_params(),
            "first_batch_loss": float(history[0]["batch_loss"]),
            "episodes": profile.episodes,
            "scores": scores,
            "seconds": round(float(history[-1]["seconds"]) + time.perf_counter() - begun, 1),
            "provenance": provenance(),
            "origins": _origins(history),
        },
    )
    model.save(partial / WEIGHTS)  # with its optimizer: a longer run may go on from here
    for path in partial.glob("checkpoint*"):
        path.unlink()
    return partial


def _origins(history: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Where the checks were made, each place once: a long run may change machines. Older checks do not say."""
    found = [{name: str(row.get(name) or "") for name in ORIGIN_COLUMNS} for row in history]
    return [
        dict(place) for place in dict.fromkeys(tuple(origin.items()) for origin in found) if any(v for _, v in place)
    ]


def _save_checkpoint(partial: Path, model: keras.Model, history: list[dict[str, Any]]) -> None:
    """Model, optimizer and history up to one check; the history is renamed last and names the checkpoint."""
    current = _checkpoint_file(partial, history)
    model.save(current)
    _write_history(partial, history)
    for old in partial.glob("checkpoint-*.keras"):
        if old != current:
            old.unlink()


def _write_history(partial: Path, history: list[dict[str, Any]]) -> None:
    part = partial / "history.csv.part"
    with open(part, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, HISTORY_COLUMNS)
        writer.writeheader()
        writer.writerows(history)
    os.replace(part, partial / "history.csv")


def _resumable(partial: Path) -> list[dict[str, Any]]:
    """The lines of an interrupted run's history, if its checkpoint is there too; otherwise the run starts anew."""
    rows = _lines(partial)
    if rows and _checkpoint_file(partial, rows).is_file():
        return rows
    shutil.rmtree(partial)
    partial.mkdir()
    return []


def _of_a_shorter_run(experiment: Experiment, profile: Profile, seed: int, partial: Path) -> list[dict[str, Any]]:
    """The history of a shorter run of the same recipe, its checkpoint copied: the first updates are the same ones.

    Empty where there is none, or none that kept its optimizer.
    """
    for shorter in load_matrix().experiments:
        length = shorter.recipe.iterations
        same = experiment.recipe.model_copy(update={"iterations": length}) == shorter.recipe
        if not same or length >= experiment.recipe.iterations:
            continue
        folder, _ = run_folder(shorter, profile, seed)
        for place in (folder, partial_folder(folder)):
            history = _lines(place)
            kept = place / WEIGHTS if place == folder else _checkpoint_file(place, history)
            if not history or int(history[-1]["iteration"]) not in check_iterations(experiment, profile):
                continue
            try:
                shutil.copyfile(kept, _checkpoint_file(partial, history))
            except FileNotFoundError:  # weights that are not here, or a run at work has just renewed them
                continue
            try:
                updates = _updates_made(_checkpoint(partial, history))
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


def _checkpoint_file(partial: Path, history: list[dict[str, Any]]) -> Path:
    return partial / f"checkpoint-{history[-1]['iteration'] if history else None}.keras"


def _lines(place: Path) -> list[dict[str, Any]]:
    """The whole lines of a folder's history; a line that was cut is left out, with all behind it."""
    rows = read_history(place / "history.csv") if (place / "history.csv").is_file() else []
    whole = [all(value is not None for value in row.values()) for row in rows]
    return rows[: whole.index(False)] if False in whole else rows


def _checkpoint(partial: Path, history: list[dict[str, Any]]) -> keras.Model:
    """The model with its optimizer at the last check; ResultsError where the file is damaged."""
    path = _checkpoint_file(partial, history)
    try:
        return keras.saving.load_model(path, safe_mode=True)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ResultsError(
            f"{path.name} of run {partial.name} cannot be read: move the folder {partial} elsewhere and run again."
        ) from error
