"""Training pairs, drawn the way the paper's author drew them, as array work.

Source: the author's public training notebook. One batch of 128 pairs shows 128 different classes on the left; the
first half are negative pairs (the right image's class is another one, uniform over the rest), the second half
positive ones. Both samples of a pair are drawn uniformly, so a positive pair is the very same image once in 20.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import ParamsError
from .dataset import Split


@dataclass(frozen=True)
class Pairs:
    """Which images form a batch; images themselves are looked up by `gather`.

    left, right  (batch, 2) int: class and drawer of each side
    labels       (batch,) float32: 1 where both sides show the same class, else 0
    """

    left: np.ndarray
    right: np.ndarray
    labels: np.ndarray


def draw_pairs(split: Split, batch_size: int, seed: int | Sequence[int] = 0) -> Pairs:
    """Draw one batch of pairs as the paper's author did: first half negative, second half positive.

    split       whose classes the pairs are of; the left images' are all different
    batch_size  how many pairs: even, and at most as many as the split has classes
    seed        of the draw; training takes [seed, step], so that a batch depends on nothing else and training can
                resume anywhere

    The result holds left and right (batch_size, 2) int, class and drawer, and labels (batch_size,) float32. Source:
    the author's public training notebook. Raises ParamsError where the split has fewer classes than the batch has
    pairs, the batch size is odd or below 2, or classes differ in how many images they have.

    >>> split = load_dataset("demo").val
    >>> draw_pairs(split, batch_size=4, seed=1).labels
    array([0., 0., 1., 1.], dtype=float32)
    """
    rng, n_classes = np.random.default_rng(seed), split.classes
    if not 0 < batch_size <= n_classes or batch_size % 2:
        raise ParamsError(
            f"a batch of {batch_size} pairs cannot be drawn: choose an even batch_size from 2 to {n_classes}, the "
            "number of classes."
        )
    if split.counts is not None:
        raise ParamsError(
            "pairs are drawn from classes of one size each, as Omniglot's: use a method beyond the paper."
        )
    negative = batch_size // 2
    left_class = rng.permutation(n_classes)[:batch_size]
    right_class = left_class.copy()
    # an offset of 1 to n_classes - 1 reaches every other class with the same probability, and never the class itself
    right_class[:negative] = (left_class[:negative] + rng.integers(1, n_classes, negative)) % n_classes
    left_drawer, right_drawer = rng.integers(0, split.drawers, (2, batch_size))
    return Pairs(
        left=np.stack([left_class, left_drawer], axis=1),
        right=np.stack([right_class, right_drawer], axis=1),
        labels=(left_class == right_class).astype(np.float32),
    )


def gather(images: np.ndarray, picks: np.ndarray) -> np.ndarray:
    """Look up images (classes, drawers, height, width) by picks (..., 2) → (..., height, width, 1) uint8.

    >>> split = load_dataset("demo").val
    >>> gather(split.images, draw_pairs(split, batch_size=4).left).shape
    (4, 20, 20, 1)
    """
    found: np.ndarray = images[picks[..., 0], picks[..., 1]][..., None]
    return found
