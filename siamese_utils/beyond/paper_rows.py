"""A row of the paper's matrix on other images than Omniglot's: its network, its pairs, its loss and its optimizer.

It is a method that names the row (`Method.experiment`), so that it is run, kept and scored as the others are. What is
its own is the number of pairs: there are no more of them in a batch than classes.
"""

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
from ..training.store import OnProgress
from .checkpoints import Parts
from .config import Method
from .networks import Reads, siamese_of

# the weights of red, green and blue in the brightness of a picture (ITU-R BT.601)
BRIGHTNESS = (0.299, 0.587, 0.114)


def in_grey(dataset: Dataset) -> Dataset:
    """Remove a dataset's colour, as the paper's networks take images; itself where it has none."""

    def grey(split: Split) -> Split:
        if split.flat.ndim == 3:
            return split
        return replace(split, images=np.rint(split.images @ np.array(BRIGHTNESS, np.float32)).astype(np.uint8))

    return replace(dataset, train=grey(dataset.train), val=grey(dataset.val))


def pairs_of(experiment: Experiment, split: Split) -> int:
    """Return the pairs of a batch: the row's, or the largest even number that the split has classes for."""
    return min(experiment.recipe.batch_size, split.classes // 2 * 2)


def train_row(
    method: Method,
    profile: Profile,
    split: Split,
    seed: int,
    steps: int,
    on_progress: OnProgress | None = None,
    *,
    reads: Reads = "drawings",
    keep: Path | None = None,
) -> tuple[keras.Model, pd.DataFrame]:
    """Train the row that a method names → the siamese model, and a line for each part: step, loss, seconds.

    keep  as in `checkpoints.Parts`

    The learning rate's decay is shortened in proportion to the steps, also where the profile cuts it. Raises
    ParamsError where classes differ in how many images they have: the paper's pairs are drawn from classes of one size.
    """
    experiment = load_experiment(method.experiment or "baseline")
    size, pairs = split.images.shape[-1], pairs_of(experiment, split)
    own = {"image_size": size, "iterations": steps, "batch_size": pairs, "decay": None}
    shortened = profile.model_copy(update=own)
    model = build_model(experiment, shortened, seed)
    parts = Parts(method, model, seed, steps, keep, on_progress)

    def after_part(update: int, losses: dict[str, float]) -> None:
        parts.end(update + 1, losses["mean_loss"])

    ends = [end - 1 for end in range(parts.length, steps + 1, parts.length) if end > parts.done]
    train(model, split, experiment, shortened, seed=seed, checks=ends, after_check=after_part, first_update=parts.done)
    return model if reads == "drawings" else _reads_pictures(model), pd.DataFrame(parts.lines)


def _reads_pictures(model: keras.Model) -> keras.Model:
    """Rebuild the model with a note in its file that it reads pictures, not drawings (see `FromPixels`)."""
    backbone: Any = model.get_layer("backbone")
    image = keras.Input(backbone.input_shape[1:], name="image")
    network = keras.Model(backbone.input, backbone.output, name="network")
    noted = keras.Model(image, network(FromPixels("raw pictures", name="pixels")(image)), name="backbone")
    return siamese_of(noted, [AbsoluteDifference(name="l1_distance"), model.get_layer(HEAD)], model.name)
