"""A row of the paper's matrix on other images than Omniglot's: its network, its pairs, its loss and its optimizer.

It is a method that names the row (`Method.experiment`), so that it is run, kept and scored as the others are. What is
its own is the number of pairs: there are no more of them in a batch than classes.
"""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..backend import keras
from ..config import Experiment, Profile, load_experiment
from ..data.dataset import Dataset, Split
from ..models.layers import AbsoluteDifference, FromPixels
from ..models.plan import HEAD
from ..models.siamese import build_model
from ..training.loop import train
from ..training.store import OnProgress, Progress
from . import checkpoints
from .config import Method
from .networks import Reads

# the weights of red, green and blue in the brightness of a picture (ITU-R BT.601)
BRIGHTNESS = (0.299, 0.587, 0.114)


def in_grey(dataset: Dataset) -> Dataset:
    """The dataset without colour, as the paper's networks take images; itself where it has none."""

    def grey(split: Split) -> Split:
        if split.flat.ndim == 3:
            return split
        return replace(split, images=np.rint(split.images @ np.array(BRIGHTNESS, np.float32)).astype(np.uint8))

    return replace(dataset, train=grey(dataset.train), val=grey(dataset.val))


def pairs_of(experiment: Experiment, split: Split) -> int:
    """The pairs of a batch: the row's, or as many, an even number, as the split has classes."""
    return min(experiment.recipe.batch_size, split.classes // 2 * 2)


def equal_parts(steps: int, most: int) -> int:
    """Into how many equal parts a training is cut, `most` at most."""
    return next(n for n in range(min(most, steps), 0, -1) if steps % n == 0)


def train_row(
    method: Method,
    profile: Profile,
    split: Split,
    seed: int,
    steps: int,
    parts: int,
    on_progress: OnProgress | None = None,
    *,
    reads: Reads = "drawings",
    keep: Path | None = None,
) -> tuple[keras.Model, pd.DataFrame]:
    """Train the row that a method names → the siamese model, and a line for each part: step, loss, seconds.

    parts  how many there are at most; keep: as in `training.train_method`

    The learning rate's decay is shortened in proportion to the steps, as under a profile. Raises ParamsError where
    classes differ in how many images they have: the paper's pairs are drawn from classes of one size.
    """
    experiment = load_experiment(method.experiment or "baseline")
    length = {"image_size": split.images.shape[-1], "iterations": steps, "batch_size": pairs_of(experiment, split)}
    shortened = profile.model_copy(update=length)
    model = build_model(experiment, shortened, seed)
    done, lines, _ = checkpoints.resume(keep, model) if keep else (0, [], None)
    begun = time.perf_counter() - (lines[-1]["seconds"] if lines else 0.0)
    part = steps // equal_parts(steps, parts)

    def after_part(update: int, losses: dict[str, float]) -> None:
        seconds = round(time.perf_counter() - begun, 1)
        lines.append({"step": update + 1, "loss": losses["mean_loss"], "seconds": seconds})
        if keep:
            checkpoints.save(keep, model, update + 1, lines, None)
        if on_progress:
            on_progress(Progress(method.title, seed, update + 1, steps, losses["mean_loss"]))

    ends = [end - 1 for end in range(part, steps + 1, part) if end > done]
    train(model, split, experiment, shortened, seed=seed, checks=ends, after_check=after_part, first_update=done)
    return model if reads == "drawings" else _reads_pictures(model), pd.DataFrame(lines)


def _reads_pictures(model: keras.Model) -> keras.Model:
    """The same model with a note in its file that it reads pictures, not drawings (see `FromPixels`)."""
    backbone: Any = model.get_layer("backbone")
    image = keras.Input(backbone.input_shape[1:], name="image")
    network = keras.Model(backbone.input, backbone.output, name="network")
    noted = keras.Model(image, network(FromPixels("raw pictures", name="pixels")(image)), name="backbone")
    left, right = (keras.Input(backbone.input_shape[1:], name=side) for side in ("left", "right"))
    distance = AbsoluteDifference(name="l1_distance")([noted(left), noted(right)])
    return keras.Model([left, right], model.get_layer(HEAD)(distance), name=model.name)
