"""Which classes look alike to a network in training, for batches that it can still learn from.

Source: Y. Suh et al., "Stochastic class-based hard example mining for deep metric learning", CVPR 2019, choose whole
classes by how near they lie; they keep a running signature of each class where this looks anew now and then.
"""

from __future__ import annotations

import numpy as np

from ..backend import keras
from ..data.dataset import Split, with_channels
from .batches import take_forms
from .config import Learner, LookAlikes

ROWS = 512  # of the matrix of similarities at a time


def due(look_alikes: LookAlikes | None, step: int, steps: int) -> bool:
    """Whether a training of so many steps looks up at this one what looks alike."""
    if look_alikes is None:
        return False
    since = step - int(look_alikes.after * steps)
    return since >= 0 and since % look_alikes.every == 0


def look_alikes(learner: Learner, backbone: keras.Model, split: Split, seed: int, step: int) -> np.ndarray | None:
    """For every class and form the `among` most like it, of other characters: (classes · forms, among) int, unsorted.

    Each is judged by one image, drawn by chance. Of a symmetrical character all forms may be there. None where there
    are no other characters, or look-alikes are not asked for.
    """
    classes = split.classes * learner.forms
    among = min(learner.look_alikes.among if learner.look_alikes else 0, classes - learner.forms)
    if among < 1:
        return None
    rng = np.random.default_rng([seed, step, 1])
    counts = np.tile(split.sizes, learner.forms)
    images = take_forms(split.images, np.arange(classes), rng.integers(0, counts)[:, None])[:, 0]
    embeddings = backbone.predict(with_channels(images), batch_size=256, verbose=0).astype(np.float32)
    if learner.comparison == "cosine":
        embeddings /= np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
    squares = (embeddings**2).sum(axis=1)
    character = np.arange(classes) % split.classes
    nearest = []
    for start in range(0, classes, ROWS):
        rows = slice(start, start + ROWS)
        distances = squares - 2 * embeddings[rows] @ embeddings.T  # but for what is the same all along a row
        distances[character[rows, None] == character] = np.inf
        nearest.append(np.argpartition(distances, among - 1, axis=1)[:, :among])
    return np.concatenate(nearest)
