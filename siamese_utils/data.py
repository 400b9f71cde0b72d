"""Datasets of drawn characters: what they hold, and how a profile's dataset is loaded.

Shapes follow one convention everywhere: images (classes, drawers, height, width), uint8, 0 is ink and 255 is paper.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from .params import Profile


@dataclass(frozen=True)
class Split:
    """One set of characters; the training and the evaluation set share no character and no alphabet.

    images      (classes, drawers, height, width) uint8, 0 ink to 255 paper
    characters  one name a class, "Alphabet/character"; sorted, so that class numbers mean the same everywhere
    """

    images: np.ndarray
    characters: tuple[str, ...]

    @property
    def alphabets(self) -> tuple[str, ...]:
        """The alphabet of each class, in class order."""
        return tuple(name.rpartition("/")[0] for name in self.characters)

    @property
    def classes(self) -> int:
        return self.images.shape[0]

    @property
    def drawers(self) -> int:
        return self.images.shape[1]


@dataclass(frozen=True)
class Dataset:
    """A training split, an evaluation split ("val" in the paper's Table 1), and where they come from.

    fingerprint  SHA-256 of names and pixels at the dataset's native size; part of every result's key
    synthetic    True for the built-in characters: every figure and page made from them says so
    """

    name: str
    train: Split
    val: Split
    fingerprint: str
    synthetic: bool
    source: str

    def split(self, name: str) -> Split:
        """The split called "train" or "val"."""
        return {"train": self.train, "val": self.val}[name]


def fingerprint(*splits: Split) -> str:
    """SHA-256 (hex) over the splits' class names, shapes and pixels, in order."""
    digest = hashlib.sha256()
    for split in splits:
        digest.update("\n".join(split.characters).encode())
        digest.update(repr(split.images.shape).encode())
        digest.update(np.ascontiguousarray(split.images).tobytes())
    return digest.hexdigest()


def resize(images: np.ndarray, size: int) -> np.ndarray:
    """Area-average square images down (or up) to size × size pixels.

    images (classes, drawers, height, width) uint8 → (classes, drawers, size, size) uint8, grey where ink is partial.
    """
    if images.shape[-1] == size:
        return images
    classes, drawers, height, width = images.shape
    out = np.empty((classes * drawers, size, size), np.uint8)
    for target, image in zip(out, images.reshape(-1, height, width), strict=True):
        target[:] = Image.fromarray(image).resize((size, size), Image.Resampling.BOX)
    return out.reshape(classes, drawers, size, size)


def load_dataset(profile: Profile) -> Dataset:
    """The profile's dataset at the profile's image size.

    Omniglot is downloaded on first use, or read from SIAMESE_DATA_DIR; see `omniglot.load`. The built-in characters
    are drawn on the spot; see `synthetic.draw_dataset`. Raises DataError with what to do when that fails.
    """
    if profile.dataset == "omniglot":
        from . import omniglot

        dataset = omniglot.load()
    else:
        from . import synthetic

        dataset = synthetic.draw_dataset()
    if profile.image_size == dataset.train.images.shape[-1]:
        return dataset
    return replace(
        dataset,
        train=replace(dataset.train, images=resize(dataset.train.images, profile.image_size)),
        val=replace(dataset.val, images=resize(dataset.val.images, profile.image_size)),
    )
