"""Training beyond the paper: load the finished run of a method, or train it, score it and keep it.

A method is chosen on background alphabets that it does not train on, and only then shown the evaluation set:
`held_out` says which of the two a run is. A run leaves what `training.runs` describes, under
reports/<profile>/beyond/; a killed run goes on from its last line.
"""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..backend import keras
from ..config import Profile, load_experiment, load_profile
from ..data import archives
from ..data.dataset import Dataset, Split, hold_out, with_channels
from ..data.image_folder import load_folder
from ..data.load import dataset_fingerprint, load_dataset, refuse_another
from ..errors import DataError
from ..files import write_json
from ..training.loop import prepare_backend
from ..training.provenance import remember_code_version
from ..training.runs import Run, partial_folder
from ..training.scores import keep_results
from ..training.store import Notify, OnProgress, find_or_make
from .batches import batch_of_step, find_hard_classes, is_due
from .checkpoints import Parts
from .config import Method, load_method
from .networks import Reads, backbone_of, build_siamese, build_trainer
from .paper_rows import in_grey, pairs_of, train_row
from .runs import OWN, HeldOut, method_folder
from .scoring import benchmark_scores, calibrate, one_shot_scores

# by which the background alphabets that are held out are drawn
VALIDATION_SEED = 0
# of the background alphabets: 6 of Omniglot's 30
VALIDATION_PART = 0.2
# of further strict scores on pictures, whose classes may be few
FEWER_WAYS = (2, 3, 5, 10)


def load_or_train(
    method: str | Method,
    profile: str | Path | Profile,
    seed: int = 0,
    *,
    held_out: HeldOut = "validation",
    dataset: Dataset | None = None,
    folder: str | Path | None = None,
    archive: str | None = None,
    on_progress: OnProgress | None = None,
    weights: bool = False,
    notify: Notify = warnings.warn,
) -> Run:
    """Load the finished run of a method under a profile and seed; train it now if it is not on disk.

    held_out  "validation": trains on four fifths of the background alphabets and is scored on the others;
              "evaluation": trains on all of them and is scored on the evaluation set
    dataset   the profile's, where it is loaded already, at the method's image size
    folder    train on a folder of images instead (see `image_folder`), with batches no larger than it has classes
    archive   train on one of `archives.ARCHIVES` instead, by its name, in the same way
    weights   whether its weights must be here too: trained anew for results that came without
    notify    is told where weights are trained anew

    The profile gives dataset, number of episodes and, unless the method has its own, image size. Raises ParamsError
    for names that do not exist and a dataset that is not the profile's, DataError where the dataset cannot be had.
    """
    method = load_method(method)
    profile = method.sized(load_profile(profile))
    method.check_fits(profile)
    if dataset:
        refuse_another(dataset, profile)
    fingerprint = dataset_fingerprint(profile)
    reads: Reads = "drawings"
    if folder or archive:
        size, reads = profile.image_size, "pictures"
        dataset = archives.load(archive, size) if archive else load_folder(Path(folder or ""), size)
        fingerprint = dataset.fingerprint
        if method.experiment:
            dataset = in_grey(dataset)
        train, _ = splits(dataset, held_out)
        method = method.fitted_to(train.classes * method.forms, min(train.sizes))
    place = OWN if folder and not archive else "beyond"
    final, key = method_folder(method, profile, seed, held_out, fingerprint, place)

    def make() -> Path:
        return _train_and_evaluate(final, key, method, profile, dataset or load_dataset(profile), reads, on_progress)

    return find_or_make(final, make, weights=weights, notify=notify)


def splits(dataset: Dataset, held_out: HeldOut) -> tuple[Split, Split]:
    """Return what a run trains on and what it is scored on; DataError where either has fewer than two classes."""
    train, scored = dataset.train, dataset.val
    if held_out == "validation":
        held = hold_out(train.groups, VALIDATION_PART, VALIDATION_SEED)
        outside = np.array([group in held for group in train.groups])
        train, scored = train.only(~outside), train.only(outside)
    if min(train.classes, scored.classes) < 2:
        classes = dataset.train.classes + dataset.val.classes
        groups = len(set(dataset.train.groups + dataset.val.groups))
        inside = "" if groups == classes else f" in {groups} groups, each of which stays together"
        raise DataError(
            f"{dataset.name} has {classes} classes{inside}: too few to train on some of them, to choose on others and "
            "to evaluate on yet others, two at least each time. Add classes: six are enough, without groups."
        )
    return train, scored


def _train_and_evaluate(
    folder: Path,
    key: dict[str, Any],
    method: Method,
    profile: Profile,
    dataset: Dataset,
    reads: Reads,
    on_progress: OnProgress | None,
) -> Path:
    """Train and score → the complete partial folder."""
    remember_code_version()
    seed, steps = key["seed"], key["steps"]
    prepare_backend(seed, profile.convolutions)
    train, scored = splits(dataset, key["held_out"])
    partial = partial_folder(folder)
    if method.experiment:
        model, history = train_row(method, profile, train, seed, steps, on_progress, reads=reads, keep=partial)
        images = 2 * pairs_of(load_experiment(method.experiment), train)
    else:
        model, history = train_method(method, train, seed, steps, on_progress, reads=reads, keep=partial)
        images = method.classes * method.images
    pictures = reads == "pictures"
    scores, answers = one_shot_scores(model, scored, profile.episodes, FEWER_WAYS if pictures else ())
    if key["held_out"] == "evaluation":
        official_scores, official_answers = benchmark_scores(model, dataset)
        scores, answers = scores + official_scores, answers | official_answers
    write_json(partial / "config.json", key)
    history.to_csv(partial / "history.csv", index=False)
    keep_results(
        partial,
        calibrate(model, scored),
        dataset,
        scores,
        answers,
        learner=method.name,
        profile=profile.name,
        seed=seed,
        held_out=key["held_out"],
        scored_on=sorted(set(scored.groups)),
        steps=steps,
        images_seen=steps * images,
        episodes=profile.episodes,
        training_seconds=float(history["seconds"].iloc[-1]),
        **({"scored_images": dict(zip(scored.characters, scored.sizes, strict=True))} if pictures else {}),
    )
    return partial


def train_method(
    method: Method,
    train: Split,
    seed: int,
    steps: int,
    on_progress: OnProgress | None = None,
    *,
    reads: Reads = "drawings",
    keep: Path | None = None,
) -> tuple[keras.Model, pd.DataFrame]:
    """Train on a split's images → the siamese model, and a line for each part of the training: step, loss, seconds.

    keep  as in `checkpoints.Parts`
    """
    shape = with_channels(train.flat[:1]).shape[1:]
    classes = train.classes * method.forms
    trainer = build_trainer(method, shape, classes, steps, seed, reads)
    backbone = backbone_of(method, trainer)
    # pixels that are compared as they are have nothing to train
    one_step = trainer.train_on_batch if trainer.trainable_variables else trainer.test_on_batch
    parts = Parts(method, trainer, seed, steps, keep, on_progress)
    for step in range(parts.done, steps):
        if is_due(method.hard_classes, step, steps):
            parts.hard = find_hard_classes(method, backbone, train, seed, step)
        # not `fit`: its epochs run on one core of two every now and then, as benchmarks/one_batch_at_a_time.py shows
        batch = batch_of_step(method, train, seed, step, parts.hard)
        logs = one_step(*batch, return_dict=True)
        if (step + 1) % parts.length == 0:
            # Keras's is the mean since the metrics were reset
            trainer.reset_metrics()
            parts.end(step + 1, float(logs["loss"]))
    # the weights become their moving averages, where there are any
    trainer.optimizer.finalize_variable_values(trainer.trainable_variables)
    return build_siamese(method, trainer), pd.DataFrame(parts.lines)
