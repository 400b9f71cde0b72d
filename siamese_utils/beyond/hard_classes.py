"""Hard-class mining: which classes look most alike to a network in training, so that batches can hold them together.

Source: Y. Suh et al., "Stochastic class-based hard example mining for deep metric learning", CVPR 2019, choose whole
classes by how near they lie; they keep a running signature of each class, where this embeds one image of each anew.
"""

import numpy as np

from ..backend import keras
from ..data.dataset import Split, with_channels
from .batches import take_forms
from .config import HardClasses, Method

# of the matrix of distances at a time
ROWS = 512


def is_due(mining: HardClasses | None, step: int, steps: int) -> bool:
    """Whether the pools of hard classes are found again at this step of a training of so many."""
    if mining is None:
        return False
    since = step - int(mining.start * steps)
    return since >= 0 and since % mining.refresh == 0


def find_hard_classes(method: Method, backbone: keras.Model, split: Split, seed: int, step: int) -> np.ndarray | None:
    """For every class, form by form, its pool: the `pool_size` most like it, of other characters, unsorted.

    Returns (classes · forms, pool_size) int, from one image of each class, drawn at random; a symmetrical character may
    be in a pool with all its forms. None where there are no other characters, or the method does not mine.
    """
    classes = split.classes * method.forms
    pool_size = min(method.hard_classes.pool_size if method.hard_classes else 0, classes - method.forms)
    if pool_size < 1:
        return None
    rng = np.random.default_rng([seed, step, 1])
    drawers = rng.integers(0, np.tile(split.sizes, method.forms))
    images = take_forms(split, np.arange(classes), drawers[:, None])[:, 0]
    embeddings = backbone.predict(with_channels(images), batch_size=256, verbose=0).astype(np.float32)
    if method.comparison == "cosine":
        embeddings /= np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
    squares = (embeddings**2).sum(axis=1)
    character = np.arange(classes) % split.classes
    nearest = []
    for start in range(0, classes, ROWS):
        rows = slice(start, start + ROWS)
        # D², but for what is the same all along a row
        distances = squares - 2 * embeddings[rows] @ embeddings.T
        distances[character[rows, None] == character] = np.inf
        nearest.append(np.argpartition(distances, pool_size - 1, axis=1)[:, :pool_size])
    return np.concatenate(nearest)
