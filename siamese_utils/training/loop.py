"""Training: load the finished run of an experiment, or train it, evaluate it and keep it.

The author's loop (5,001 updates, a check after updates 0, 100, …, 5,000) is cut at its checks: the updates up to a
check are one call (`intervals.py`) that returns the loss of each, so that the check's own can be logged by itself, as
the author did. After each check the model with its optimizer is saved, and a killed run goes on from there.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ..backend import keras, on_cpu
from ..config import Experiment, Profile, load_experiment, load_profile
from ..data.dataset import Dataset, Split
from ..data.load import load_dataset, refuse_another
from ..data.pairs import draw_pairs
from ..models import siamese
from .checkpoints import History, prepare_resume, save_checkpoint
from .intervals import interval_of
from .precision import Convolutions, choose_convolutions
from .provenance import ORIGIN_COLUMNS, origin_of_checks, remember_code_version
from .runs import Run, check_iterations, open_run, partial_folder, run_folder
from .scores import check_model, final_scores, keep_results
from .store import Notify, OnProgress, Progress, find_or_make, lock_of


def load_or_train(
    experiment: str | Experiment,
    profile: str | Path | Profile,
    seed: int = 0,
    *,
    until: int | None = None,
    dataset: Dataset | None = None,
    on_progress: OnProgress | None = None,
    weights: bool = False,
    notify: Notify = warnings.warn,
) -> Run:
    """Load the finished run of an experiment under a profile and seed; train it now if it is not on disk.

    experiment   a row of params/experiments.yaml by its name, or an Experiment
    profile      "demo", "laptop", "paper", the path of a profile's file, or a Profile
    seed         of weights, pairs and dropout
    until        train through the checks up to this iteration only, and return the run as far as it has come
    dataset      the profile's, where it is loaded already
    on_progress  is told after each check
    weights      whether its weights must be here too: trained anew for results that came without
    notify       is told where weights are trained anew

    A second process that asks for the same run waits for the first. A killed run resumes from its last check.
    Raises ParamsError for what does not exist or does not fit, such as a dataset that is not the profile's, DataError
    where the dataset cannot be had, ResultsError where what is on disk is damaged or another run's, OutputError where
    nothing can be written or locked.

    >>> load_or_train("baseline", "laptop", seed=0).score(protocol="strict", n_way=20).episodes
    10000
    """
    experiment, profile = load_experiment(experiment), load_profile(profile)
    folder, _ = run_folder(experiment, profile, seed)
    end = check_iterations(experiment, profile)[-1]
    stop = end if until is None else min(until, end)

    def train_checks(data: Dataset) -> tuple[keras.Model, History]:
        return _train_checks(folder, experiment, profile, seed, data, on_progress, stop, notify)

    if stop < end:
        with lock_of(folder):
            if not folder.is_dir():
                train_checks(dataset or load_dataset(profile))
        return open_run(folder) if folder.is_dir() else Run(partial_folder(folder))

    def make() -> Path:
        data = dataset or load_dataset(profile)
        return _evaluate_and_keep(folder, experiment, profile, seed, data, *train_checks(data))

    return find_or_make(folder, make, weights=weights, notify=notify)


def train(
    model: keras.Model,
    split: Split,
    experiment: Experiment,
    profile: Profile,
    *,
    seed: int = 0,
    checks: Sequence[int],
    after_check: Callable[[int, dict[str, float]], object] | None = None,
    first_update: int = 0,
) -> list[dict[str, float]]:
    """Train a model on a split's pairs through the given checks → the losses of each check.

    model         a compiled siamese model, as `build_model` makes it: trained in place
    split         its images (classes, drawers, height, width) uint8, at the model's size, all classes of one size
    experiment, profile  give batch size and learning rate
    seed          of the pairs
    checks        the updates after which there is one, ascending: [0, 100, 200] makes 201 updates
    after_check   is called with each check's iteration and losses
    first_update  updates before it were made earlier

    Losses: batch_loss and mean_loss since the last check, penalties included, and learning_rate.
    Raises ParamsError as `draw_pairs`.

    >>> experiment, profile = load_experiment("baseline"), load_profile("demo")
    >>> model, split = build_model(experiment, profile), load_dataset(profile).train
    >>> len(train(model, split, experiment, profile, checks=[0, 1]))
    2
    """
    batch_size = profile.batch_size or experiment.recipe.batch_size
    learning_rate = siamese.learning_rate_schedule(experiment.recipe.learning_rate, profile)
    interval, found = interval_of(model, split.images), []
    for check in checks:
        _place_dropout(model, first_update)
        losses = interval(*pairs_of_steps(split, seed, batch_size, first_update, check + 1))
        now = learning_rate(check) if callable(learning_rate) else learning_rate
        measured = {
            "batch_loss": float(losses[-1]),
            "mean_loss": float(losses.mean(dtype=np.float64)),
            "learning_rate": float(keras.ops.convert_to_tensor(now)),
        }
        found.append(measured)
        if after_check:
            after_check(check, measured)
        first_update = check + 1
    return found


def pairs_of_steps(
    split: Split, seed: int, batch_size: int, first: int, last: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw the pairs of steps first to last - 1: left and right (steps, batch, 2) int, labels (steps, batch)."""
    drawn = [draw_pairs(split, batch_size, [seed, step]) for step in range(first, last)]
    left, right, labels = zip(*((p.left, p.right, p.labels) for p in drawn), strict=True)
    return np.stack(left), np.stack(right), np.stack(labels)


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


def _train_checks(
    folder: Path,
    experiment: Experiment,
    profile: Profile,
    seed: int,
    dataset: Dataset,
    on_progress: OnProgress | None,
    until: int,
    notify: Notify,
) -> tuple[keras.Model, History]:
    """Train the checks that are not made yet, in the run's partial folder → the model, and a line for every check."""
    refuse_another(dataset, profile)
    remember_code_version()
    prepare_backend(seed, profile.convolutions)
    origin = origin_of_checks()
    partial = partial_folder(folder)
    model, history = prepare_resume(experiment, profile, seed, partial, notify=notify)
    model = model or siamese.build_model(experiment, profile, seed)
    done = int(history[-1]["iteration"]) + 1 if history else 0
    begun = time.perf_counter() - (float(history[-1]["seconds"]) if history else 0.0)
    checks = check_iterations(experiment, profile)

    def after_check(iteration: int, losses: dict[str, float]) -> None:
        found = check_model(model, dataset, profile, iteration)
        seconds = round(time.perf_counter() - begun, 1)
        history.append({"iteration": iteration, **losses, **found, "seconds": seconds, **origin})
        save_checkpoint(partial, model, history)
        if on_progress:
            now = losses["batch_loss"], found["val_accuracy"]
            on_progress(Progress(experiment.label, seed, iteration, checks[-1], *now))

    train(
        model,
        dataset.train,
        experiment,
        profile,
        seed=seed,
        checks=[check for check in checks if done <= check <= until],
        after_check=after_check,
        first_update=done,
    )
    return model, history


def _evaluate_and_keep(
    folder: Path,
    experiment: Experiment,
    profile: Profile,
    seed: int,
    dataset: Dataset,
    model: keras.Model,
    history: History,
) -> Path:
    """Evaluate a trained model → the complete partial folder."""
    begun, partial = time.perf_counter(), partial_folder(folder)
    scores, answers = final_scores(model, dataset, profile)
    keep_results(
        partial,
        model,
        dataset,
        scores,
        answers,
        experiment=experiment.name,
        profile=profile.name,
        seed=seed,
        iterations=int(history[-1]["iteration"]),
        first_batch_loss=float(history[0]["batch_loss"]),
        episodes=profile.episodes,
        seconds=round(float(history[-1]["seconds"]) + time.perf_counter() - begun, 1),
        origins=_origins(history),
    )
    return partial


def _origins(history: History) -> list[dict[str, str]]:
    """List where the checks were made, each place once: a long run may change machines. Older checks do not say."""
    found = [{name: str(row.get(name) or "") for name in ORIGIN_COLUMNS} for row in history]
    places = dict.fromkeys(tuple(origin.items()) for origin in found)
    return [dict(place) for place in places if any(value for _, value in place)]
