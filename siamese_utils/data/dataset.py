"""What a dataset is: characters by drawers, or any classes of images.

A drawer, in Omniglot's words, is a person who drew every character of an alphabet once.
Shapes follow one convention everywhere: images (classes, drawers, height, width), uint8; of drawings 0 is ink and 255
is paper. Pictures in colour have a last axis of 3. Classes of different sizes stand one after the other in rows.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Split:
    """One set of characters; the training and the evaluation set share no character and no alphabet.

    images      (classes, drawers, height, width) uint8, 0 ink to 255 paper; a last axis of 3 where they are in colour.
                Where classes differ in size: (images, height, width), class by class
    characters  one name a class, "Alphabet/character"; sorted, so that class numbers mean the same everywhere
    counts      how many images each class has, where that differs; None: one by each drawer
    """

    images: np.ndarray
    characters: tuple[str, ...]
    counts: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.counts is not None and sum(self.counts) != len(self.images):
            raise ValueError(f"{sum(self.counts)} images by the counts, {len(self.images)} in the array")

    @classmethod
    def of(cls, classes: Mapping[str, np.ndarray]) -> "Split":
        """Make a split from each class's images, (its images, height, width) uint8 or with a last axis of 3."""
        counts = tuple(map(len, classes.values()))
        if len(set(counts)) == 1:
            return cls(np.stack(list(classes.values())), tuple(classes))
        return cls(np.concatenate(list(classes.values())), tuple(classes), counts)

    @property
    def alphabets(self) -> tuple[str, ...]:
        """The alphabet of each class, in class order."""
        return tuple(name.rpartition("/")[0] for name in self.characters)

    @property
    def groups(self) -> tuple[str, ...]:
        """What is never torn apart between training and evaluation: each class's alphabet, or the class itself."""
        return self.alphabets if any(self.alphabets) else self.characters

    @property
    def classes(self) -> int:
        return int(self.images.shape[0]) if self.counts is None else len(self.counts)

    @property
    def drawers(self) -> int:
        """How many images the classes have, or the largest of them."""
        return int(self.images.shape[1]) if self.counts is None else max(self.counts)

    @property
    def flat(self) -> np.ndarray:
        """Every image once, class by class: (images, height, width)."""
        return self.images.reshape(-1, *self.images.shape[2:]) if self.counts is None else self.images

    @cached_property
    def starts(self) -> np.ndarray:
        """The row of each class's first image in `flat`, (classes,) int."""
        return np.cumsum((0, *self.sizes[:-1]))

    def look_up(self, classes: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Look up images by their classes and their numbers within these, (…) int each → (…, height, width)."""
        found = self.images[classes, numbers] if self.counts is None else self.images[self.starts[classes] + numbers]
        return np.asarray(found)

    def only(self, chosen: np.ndarray) -> "Split":
        """Keep the classes where `chosen` (classes,) bool is true."""
        numbers = np.flatnonzero(chosen)
        names = tuple(self.characters[n] for n in numbers)
        if self.counts is None:
            return Split(self.images[numbers], names)
        return Split(self.images[np.repeat(chosen, self.counts)], names, tuple(self.counts[n] for n in numbers))

    def resized(self, size: int) -> "Split":
        """Return the split at size × size pixels, area-averaged; itself where it has that size."""
        return self if self.images.shape[2] == size else replace(self, images=resize(self.images, size))

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many images each class has, in class order."""
        return self.counts or (self.drawers,) * self.classes


@dataclass(frozen=True)
class Dataset:
    """A training split, an evaluation split ("val" in the paper's Table 1), and where they come from.

    fingerprint  SHA-256 of names and pixels: of Omniglot at its native size, of a folder at the size that was asked for
    synthetic    True for the built-in characters: every figure and page made from them says so
    """

    name: str
    train: Split
    val: Split
    fingerprint: str
    synthetic: bool
    source: str

    @property
    def origin(self) -> dict[str, Any]:
        """What a result says of its dataset."""
        return {name: getattr(self, name) for name in ("name", "synthetic", "source", "fingerprint")}

    def split(self, name: str) -> Split:
        """Return the split called "train" or "val"."""
        return {"train": self.train, "val": self.val}[name]


def hold_out(groups: Sequence[str], part: float, seed: int) -> set[str]:
    """Draw a part of the groups, with a seed, to be kept from training.

    It is more than that part where that is not two classes yet, but never all.

    groups  (classes,) the group of each class
    """
    sizes = Counter(groups)
    names = sorted(sizes)
    order = [names[number] for number in np.random.default_rng(seed).permutation(len(names))]
    count = max(1, round(part * len(order)))
    while count < len(order) - 1 and sum(sizes[group] for group in order[:count]) < 2:
        count += 1
    return set(order[:count])


def with_channels(images: np.ndarray) -> np.ndarray:
    """Add a last axis: (n, height, width) → (n, height, width, 1); images in colour stay as they are."""
    return images[..., None] if images.ndim == 3 else images


def fingerprint(*splits: Split) -> str:
    """Compute the SHA-256 (hex) over the splits' class names, shapes and pixels, in order."""
    digest = hashlib.sha256()
    for split in splits:
        digest.update("\n".join(split.characters).encode())
        digest.update(repr(split.images.shape).encode())
        digest.update(repr(split.counts).encode() if split.counts else b"")
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
