"""Use a trained model on images of your own, in three lines:

from siamese_utils.one_shot import OneShot
model = OneShot.load("model.keras")
model.classify("query.png", support="letters/")       # a folder with a folder of images for each class
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PIL import Image

from .errors import DataError
from .evaluation import embed, similarity
from .folders import find_images, read_image, square

if TYPE_CHECKING:
    import keras

ImageLike: TypeAlias = str | Path | Image.Image | np.ndarray
INK_SIDE = 0.7  # how much of an image's side the ink of a drawing is brought to: Omniglot's characters take about that


@dataclass(frozen=True)
class Comparison:
    """How alike two images are, and what that means to this model.

    similarity           the model's own figure; larger is more alike
    above_different      part of the pairs of two classes, not seen in training, that are less alike than these two
    below_same           part of the pairs of one class, not seen in training, that are more alike than these two
    same                 whether they are taken for one class: the second part is smaller than what the first leaves
    """

    similarity: float
    above_different: float
    below_same: float

    @property
    def same(self) -> bool:
        return self.below_same < self.above_different


@dataclass(frozen=True)
class OneShot:
    """A trained siamese model: a file that `siamese learn` keeps, or any siamese model of this package."""

    model: keras.Model

    @classmethod
    def load(cls, path: str | Path) -> OneShot:
        """A model from its .keras file; DataError where it is not one."""
        from .beyond import networks

        try:
            model = networks.keras.saving.load_model(Path(path).expanduser(), safe_mode=True)
            model.get_layer("backbone")
        except (OSError, ValueError, TypeError, KeyError) as error:
            reason = str(error).strip().splitlines()[0]
            raise DataError(
                f"{path} is not a siamese model ({reason}): train one with `siamese learn`."
            ) from error
        return cls(model)

    @property
    def size(self) -> int:
        """The side of the images that the model takes, in pixels."""
        return int(self.model.get_layer("backbone").input_shape[1])

    @property
    def colour(self) -> bool:
        return int(self.model.get_layer("backbone").input_shape[-1]) == 3

    @property
    def reads_drawings(self) -> bool:
        """Whether it was trained on dark ink on light paper, as opposed to pictures of any kind."""
        backbone = self.model.get_layer("backbone")
        every = [
            *backbone.layers,
            *(inner for layer in backbone.layers for inner in getattr(layer, "layers", ())),
        ]
        kinds = [layer.reads for layer in every if layer.name == "pixels"]
        return kinds in ([], ["drawings"])

    def read(self, image: ImageLike) -> np.ndarray:
        """One image as the model takes it: (size, size) uint8, or (size, size, 3).

        Drawings are brought to dark ink on white paper, cut to their ink and centred; pictures are padded to a square.
        Raises DataError where a file is not an image, or a drawing has no ink.
        """
        name = str(image) if isinstance(image, str | Path) else "the image"
        if isinstance(image, str | Path):
            image = read_image(Path(image).expanduser())
        elif isinstance(image, np.ndarray):
            image = Image.fromarray(image)
        if self.reads_drawings:
            return drawing(image, self.size, name)
        pixels = square(image, self.size)
        return pixels if self.colour else np.asarray(Image.fromarray(pixels).convert("L"))

    def embed(self, images: Iterable[ImageLike]) -> np.ndarray:
        """Embeddings of images → (n, d) float32."""
        return embed(self.model, np.stack([self.read(image) for image in images]))

    def compare(self, left: ImageLike, right: ImageLike) -> Comparison:
        """How alike two images are."""
        first, second = self.embed([left, right])
        value = float(similarity(self.model, first[None], second[None])[0])
        layers = {layer.name: layer for layer in self.model.layers}
        spread = layers.get("calibration")
        if spread is None:
            return Comparison(value, np.nan, np.nan)
        return Comparison(value, _part_below(spread.different, value), 1 - _part_below(spread.same, value))

    def classify(
        self, query: ImageLike, support: str | Path | Mapping[str, ImageLike | Sequence[ImageLike]]
    ) -> list[tuple[str, float]]:
        """The classes of the support with their similarity to the query, the most alike first.

        support  a folder that holds a folder of images for each class, or class → image or images. A class's
                 similarity is the mean over its images.
        """
        classes = self._support(support)
        asked = self.embed([query])
        found = []
        for name, images in classes.items():
            shown = self.embed(images)
            values = similarity(self.model, np.repeat(asked, len(shown), axis=0), shown)
            found.append((name, float(values.mean())))
        return sorted(found, key=lambda pair: -pair[1])

    def _support(self, support) -> dict[str, list[ImageLike]]:
        if isinstance(support, str | Path):
            return {name: list(paths) for name, paths in find_images(Path(support), fewest=1).files.items()}
        one = (str, Path, Image.Image, np.ndarray)
        classes = {
            name: [images] if isinstance(images, one) else list(images) for name, images in support.items()
        }
        if not classes or not all(classes.values()):
            raise DataError("the support is empty: give at least one class with at least one image.")
        return classes


def drawing(image: Image.Image, size: int, name: str = "the image") -> np.ndarray:
    """A drawing as Omniglot's are: (size, size) uint8, 0 ink to 255 paper, its ink centred and of Omniglot's extent.

    Ink is what stands out from the border, dark on light or light on dark; the threshold is Otsu's (N. Otsu, 1979).
    Raises DataError where there is no ink.
    """
    grey = np.asarray(image.convert("L"), np.float64)
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    contrast = np.abs(grey - np.median(border))
    if contrast.max() < 25:
        raise DataError(f"{name} shows no drawing: nothing in it stands out from its border.")
    ink = contrast > _otsu(contrast)
    rows, columns = np.nonzero(ink.any(axis=1))[0], np.nonzero(ink.any(axis=0))[0]
    cut = contrast[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] / contrast.max()
    side = round(max(cut.shape) / INK_SIDE)
    paper = np.zeros((side, side))
    top, left = (side - cut.shape[0]) // 2, (side - cut.shape[1]) // 2
    paper[top : top + cut.shape[0], left : left + cut.shape[1]] = cut
    shown = Image.fromarray(np.uint8(255 - np.round(255 * np.clip(paper, 0, 1))))
    return np.asarray(shown.resize((size, size), Image.Resampling.BOX))


def _otsu(values: np.ndarray) -> float:
    """The threshold that parts values of 0 to 255 into two groups of least variance within."""
    counts, edges = np.histogram(values, bins=256, range=(0, 256))
    levels, below = edges[:-1], np.cumsum(counts)
    total, sums = below[-1], np.cumsum(counts * edges[:-1])
    above = total - below
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(levels[np.nanargmax(between)])


def _part_below(quantiles: Sequence[float], value: float) -> float:
    """Which part of a distribution, given by its quantiles, lies below a value."""
    return float(np.interp(value, quantiles, np.linspace(0, 1, len(quantiles)), left=0.0, right=1.0))
