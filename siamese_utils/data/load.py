"""A profile's dataset: real Omniglot or the built-in characters, at the profile's image size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from ..config import Profile
from . import omniglot, synthetic
from .dataset import Dataset


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
    dataset = omniglot.load() if profile.dataset == "omniglot" else synthetic.draw_dataset()
    if profile.image_size == dataset.train.images.shape[-1]:
        return dataset
    return replace(
        dataset,
        train=replace(dataset.train, images=resize(dataset.train.images, profile.image_size)),
        val=replace(dataset.val, images=resize(dataset.val.images, profile.image_size)),
    )
