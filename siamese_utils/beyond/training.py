"""Training beyond the paper: load the finished run of a method, or train it, evaluate it and keep it.

A method is chosen on background alphabets that it does not train on, and only then shown the evaluation set:
`held_out` says which of the two a run is. What a run leaves is what `results` describes, under
reports/<profile>/beyond/; there is no checkpoint, as a run takes minutes.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from ..backend import keras
from ..config import Profile, key_hash, load_profile
from ..data import archives, omniglot
from ..data.dataset import Dataset, Split, hold_out, with_channels
from ..data.image_folder import load_folder
from ..data.load import dataset_fingerprint, load_dataset
from ..errors import DataError
from ..evaluation.accuracy import embed_split, predict_episodes, score_of, similarity_of_rows
from ..evaluation.episodes import Protocol, draw_episodes
from ..paths import reports_dir
from ..training.jobs import Job, Notify, OnProgress, Progress, find_or_make
from ..training.loop import prepare_backend
from ..training.provenance import code_version, provenance
from ..training.runs import SCHEMA_VERSION, WEIGHTS, Run, write_json
from . import benchmark
from .batches import batch_of_step
from .config import Method, load_method
from .hard_classes import find_hard_classes, is_due
from .networks import backbone_of, build_siamese, build_trainer, calibrated

METHOD_VERSION = 1  # raise when batches, losses, networks or training change what a run's numbers would be
EPISODE_SEED = 3_000
VALIDATION_SEED = 0  # of the drawing of the alphabets that are held out of the background set
VALIDATION_PART = 0.2  # of its alphabets: 6 of Omniglot's 30
WAYS = 20  # fewer where a dataset has fewer classes
EPOCHS = 20  # lines of a run's history

PROTOCOLS: tuple[Protocol, ...] = ("strict", "author")
HeldOut = Literal["validation", "evaluation"]


def load_or_train(
    method: str | Method,
    profile: str | Path | Profile,
    seed: int = 0,
    *,
    held_out: HeldOut = "validation",
    dataset: Dataset | None = None,
    folder: str | Path | None = None,
    on_progress: OnProgress | None = None,
    weights: bool = False,
    notify: Notify = warnings.warn,
) -> Run:
    """The finished run of a method under a profile and seed; trained now if it is not on disk.

    folder    train on the images of a folder (see `image_folder`), or on one of `archives` by name, instead of the
              profile's dataset, with batches no larger than it has classes
    held_out  "validation": trains on four fifths of the background alphabets and is scored on the others;
              "evaluation": trains on all of them and is scored on the evaluation set
    weights   whether its weights must be here too: trained anew for results that came without
    notify    is told where weights are trained anew

    The profile gives dataset, number of episodes and, unless the method has its own, image size. Raises ParamsError
    for names that do not exist, DataError where the dataset cannot be had.
    """
    method = load_method(method)
    profile = method.sized(load_profile(profile))
    fingerprint = dataset_fingerprint(profile)
    if folder is not None:
        named = str(folder) in archives.ARCHIVES
        size = profile.image_size
        dataset = archives.load(str(folder), size) if named else load_folder(Path(folder), size)
        fingerprint = dataset.fingerprint
        train, _ = splits(dataset, held_out)
        method = method.fitted_to(train.classes * method.forms, min(train.sizes))
    final, key = method_folder(method, profile, seed, held_out, fingerprint)
    reads = "pictures" if folder is not None else "drawings"

    def make() -> Path:
        return _train_and_evaluate(final, key, method, profile, dataset or load_dataset(profile), reads, on_progress)

    return find_or_make(final, make, weights=weights, notify=notify)


def jobs_of(
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
            data = dataset() if method.sized(profile) == profile else None
            return load_or_train(
                method,
                profile,
                seed,
                held_out=held_out,
                dataset=data,
                on_progress=on_progress,
                weights=weights,
                notify=notify,
            )

        return Job(method.title, seed, find, train)

    return [job(method, seed) for method in methods for seed in seeds]


def method_folder(
    method: Method, profile: Profile, seed: int, held_out: HeldOut, fingerprint: str | None = None
) -> tuple[Path, dict[str, Any]]:
    """The folder of a run and the key it is named after: everything that determines its numbers.

    fingerprint  of the dataset; None for the profile's
    """
    words = {"title", "source", "group", "steps", "steps_on_synthetic", "image_size"}
    key = {
        "version": METHOD_VERSION,
        # what has its default is left out, so that a new field changes no older run
        "learner": method.model_dump(mode="json", exclude=words, exclude_defaults=True, by_alias=True),
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


def held_out_alphabets(train: Split) -> tuple[str, ...]:
    """The background alphabets for choices: a fifth of them, drawn with a fixed seed, sorted; classes without alphabets
    each stand for themselves."""
    return tuple(sorted(hold_out(train.groups, VALIDATION_PART, VALIDATION_SEED)))


def splits(dataset: Dataset, held_out: HeldOut) -> tuple[Split, Split]:
    """What a run trains on, and what it is scored on; DataError where one of them has fewer than two classes."""
    train, scored = dataset.train, dataset.val
    if held_out == "validation":
        held = held_out_alphabets(train)
        outside = np.array([group in held for group in train.groups])
        train, scored = _part(train, ~outside), _part(train, outside)
    if min(train.classes, scored.classes) < 2:
        classes = dataset.train.classes + dataset.val.classes
        groups = len(set(dataset.train.groups + dataset.val.groups))
        raise DataError(
            f"{dataset.name} has {classes} classes in {groups} groups: too few to train on some, choose on others and "
            "evaluate on others still, two classes each at least, no group in two places. Add classes; six without "
            "groups will do."
        )
    return train, scored


def _part(split: Split, chosen: np.ndarray) -> Split:
    """The classes of a split where `chosen` (classes,) bool is true."""
    names = tuple(name for name, wanted in zip(split.characters, chosen, strict=True) if wanted)
    counts = None if split.counts is None else tuple(np.array(split.counts)[chosen].tolist())
    return Split(split.images[chosen], names, counts)


def _train_and_evaluate(
    folder: Path,
    key: dict[str, Any],
    method: Method,
    profile: Profile,
    dataset: Dataset,
    reads: str,
    on_progress: OnProgress | None,
) -> Path:
    """Train and evaluate → the complete partial folder."""
    code_version()  # as it is now, before anyone edits a file under the run
    seed, steps = key["seed"], key["steps"]
    prepare_backend(seed, profile.convolutions)
    train, scored = splits(dataset, key["held_out"])
    begun = time.perf_counter()
    model, history = train_method(method, train, seed, steps, on_progress, reads=reads)
    seconds = time.perf_counter() - begun
    scores, answers = one_shot_scores(model, scored, profile.episodes)
    within = benchmark_score(model, dataset) if key["held_out"] == "evaluation" else None
    if within:
        scores.append(within[0])
        answers["within_alphabet"] = within[1]
    model = calibrate(model, scored)
    partial = folder.with_name(folder.name + ".partial")
    partial.mkdir(exist_ok=True)
    write_json(partial / "config.json", key)
    history.to_csv(partial / "history.csv", index=False)
    np.savez(partial / "answers.npz", allow_pickle=False, **answers)
    write_json(
        partial / "metrics.json",
        {
            "schema_version": SCHEMA_VERSION,
            "run_id": folder.name,
            "learner": method.name,
            "profile": profile.name,
            "seed": seed,
            "held_out": key["held_out"],
            "scored_on": sorted(set(scored.groups)),
            "dataset": dataset.origin,
            "steps": steps,
            "images_seen": steps * method.classes * method.images,
            "parameters": model.count_params(),
            "episodes": profile.episodes,
            "scores": scores,
            "training_seconds": round(seconds, 1),
            "provenance": provenance(),
        },
    )
    model.save(partial / WEIGHTS)
    return partial


def benchmark_score(model: keras.Model, dataset: Dataset) -> tuple[dict[str, Any], np.ndarray] | None:
    """The score on Omniglot's official one-shot runs, and the packed answers (400 bits); None for other datasets, and
    where the runs cannot be had: what is not scored is reported as not run."""
    if dataset.fingerprint != omniglot.FINGERPRINT:
        return None
    try:
        runs = benchmark.load()
    except DataError as error:
        warnings.warn(f"the official one-shot runs are left out: {error}", stacklevel=2)
        return None
    score, correct = benchmark.within_alphabet(model, runs)
    return {"protocol": "within_alphabet", "ways": benchmark.WAYS, **score.as_dict()}, np.packbits(correct)


def train_method(
    method: Method,
    train: Split,
    seed: int,
    steps: int,
    on_progress: OnProgress | None = None,
    *,
    reads: str = "drawings",
) -> tuple[keras.Model, pd.DataFrame]:
    """Train on a split's images → the siamese model, and a line for each part of the training: step, loss, seconds."""
    shape = with_channels(train.images[0]).shape[1:]
    classes = train.classes * method.forms
    epochs = next(n for n in range(min(EPOCHS, steps), 0, -1) if steps % n == 0)
    trainer = build_trainer(method, shape, classes, steps, seed, reads)
    backbone = backbone_of(method, trainer)
    begun, lines, hard = time.perf_counter(), [], None
    for step in range(steps):
        if is_due(method.hard_classes, step, steps):
            hard = find_hard_classes(method, backbone, train, seed, step)
        # not `fit`: its epochs run on one core of two every now and then, as benchmarks/one_batch_at_a_time.py shows
        batch = batch_of_step(method, train, seed, step, hard)
        logs = trainer.train_on_batch(*batch, return_dict=True)
        if (step + 1) % (steps // epochs) == 0:
            seconds, loss = time.perf_counter() - begun, float(logs["loss"])  # the mean since the last line
            lines.append({"step": step + 1, "loss": loss, "seconds": round(seconds, 1)})
            trainer.reset_metrics()
            if on_progress:
                on_progress(Progress(method.title, seed, step + 1, steps, loss))
    # the averages, where there are any
    trainer.optimizer.finalize_variable_values(trainer.trainable_variables)
    return build_siamese(method, trainer), pd.DataFrame(lines)


def calibrate(model: keras.Model, split: Split, pairs: int = 20_000) -> keras.Model:
    """The model with the spread of its similarities on a split that it was not trained on: 101 quantiles each of
    pairs of one class by two drawers, and of pairs of two classes."""
    embeddings = embed_split(model, split).reshape(split.classes * split.drawers, -1)
    rng = np.random.default_rng([EPISODE_SEED, 9])
    counts = np.array(split.sizes)
    left = rng.integers(0, split.classes, pairs)
    others = (left + rng.integers(1, split.classes, pairs)) % split.classes
    shown = rng.integers(0, counts[left])
    another = (shown + rng.integers(1, counts[left])) % counts[left]
    elsewhere = rng.integers(0, counts[others])

    def spread(right: np.ndarray, drawn: np.ndarray) -> list[float]:
        values = similarity_of_rows(model, embeddings, left * split.drawers + shown, right * split.drawers + drawn)
        return np.quantile(values, np.linspace(0, 1, 101)).round(6).tolist()

    return calibrated(model, spread(left, another), spread(others, elsewhere))


def one_shot_scores(
    model: keras.Model, split: Split, episodes: int
) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """1-shot 20-way accuracy under both protocols → scores, and the packed answers "<protocol>/<ways>"."""
    embeddings = embed_split(model, split)
    scores: list[dict[str, Any]] = []
    answers: dict[str, np.ndarray] = {}
    for number, protocol in enumerate(PROTOCOLS):
        n_way, seed = min(WAYS, split.classes), [EPISODE_SEED, number]
        drawn = draw_episodes(split, protocol=protocol, n_way=n_way, n_episodes=episodes, seed=seed)
        correct = predict_episodes(model, embeddings, drawn)
        scores.append({"protocol": protocol, "ways": drawn.n_way, **score_of(correct).as_dict()})
        answers[protocol] = np.packbits(correct)
    return scores, answers
