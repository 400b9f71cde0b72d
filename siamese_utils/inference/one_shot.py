"""A trained model on images of your own, in three lines:

from siamese_utils import OneShot
model = OneShot.load()                                # the model that comes with the package; or a file of your own
model.classify("query.png", support="letters/")       # a folder that holds a folder of images for each class
"""

from __future__ import annotations

import lzma
import warnings
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from PIL import Image

from ..data.image_folder import digest_of, find_images, say_doubles
from ..data.pictures import UNREADABLE, Source, eight_bits, read_each, square
from ..errors import DataError
from ..evaluation.accuracy import embed, similarity
from ..models.by_numpy import Network, Unsupported, load_network
from ..paths import shipped_model
from ..text import named, printable
from .preprocess import drawing

if TYPE_CHECKING:
    import keras

ImageLike: TypeAlias = str | Path | Image.Image | np.ndarray
Support: TypeAlias = str | Path | Mapping[str, ImageLike | Sequence[ImageLike]]
# what the readers of a file raise where it is damaged, or is something else
NO_MODEL = (*UNREADABLE, zipfile.BadZipFile, lzma.LZMAError)


@dataclass(frozen=True)
class PairSimilarity:
    """How alike two images are, and what that means to this model.

    similarity           the model's own figure; larger is more alike
    above_different      part of the pairs of two classes, not seen in training, that are less alike than these two
    below_same           part of the pairs of one class, not seen in training, that are more alike than these two

    Both parts are NaN for a model without a calibration.
    """

    similarity: float
    above_different: float
    below_same: float

    @property
    def same(self) -> bool:
        """Whether the two are taken for one class: `below_same` is smaller than what `above_different` leaves of 1."""
        return self.below_same < self.above_different

    @property
    def words(self) -> str:
        """What both parts mean, in words; "" without a calibration."""
        if np.isnan(self.above_different):
            return ""
        return (
            f"{self.above_different:.1%} of the pairs of different classes are less alike than these two; "
            f"{self.below_same:.1%} of the pairs of the same class are more alike"
        )


@dataclass(frozen=True)
class OneShot:
    """A trained siamese model: the one that comes with the package, a file that `siamese learn` keeps, or any other.

    model  computed by NumPy where it was loaded, unless it has layers that only Keras knows; or a Keras model
    name   what it is called: its file, or the run that it is from

    >>> OneShot(build_model("baseline", "demo")).size
    20
    """

    model: keras.Model | Network
    name: str = "a model without a name"

    @classmethod
    def load(cls, path: str | Path | None = None) -> OneShot:
        """Load a model from its .keras file, or the shipped one (docs/models.md); DataError for a file that is none."""
        if path is None:
            file = shipped_model()
            name = f"{file.parent.name}, which comes with siamese-utils"
        else:
            file, name = Path(path).expanduser(), str(path)
        problem = "there is no such file" if not file.is_file() else "its name must end in .keras"
        if not file.is_file() or file.suffix != ".keras":
            raise DataError(f"{file} is not a siamese model ({problem}): train one with `siamese learn`.")
        try:
            model = _load(file)
        except NO_MODEL as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise DataError(f"{file} is not a siamese model ({reason}): train one with `siamese learn`.") from error
        if not all(np.isfinite(weight).all() for weight in model.get_weights()):
            raise DataError(
                f"{file} is damaged: it holds weights that are no numbers. Train it again, or copy it again."
            )
        return cls(model, name)

    @property
    def size(self) -> int:
        """The side of the images that the model takes, in pixels."""
        return int(self.model.get_layer("backbone").input_shape[1])

    @property
    def colour(self) -> bool:
        """Whether the model takes images in colour."""
        return int(self.model.get_layer("backbone").input_shape[-1]) == 3

    @property
    def reads_drawings(self) -> bool:
        """Whether the model was trained on dark ink on light paper, as opposed to pictures of any kind.

        Its `FromPixels` layer says so; the paper's networks have none, and read drawings.
        """
        pixels = _options_of(self.model, "FromPixels")
        return pixels is None or pixels["reads"] == "drawings"

    def read(self, image: ImageLike, size: int | None = None) -> np.ndarray:
        """Bring one image to what the model takes: (size, size) uint8, or (size, size, 3).

        size   its side in pixels, the model's without one
        image  a file; a PIL image; or an array (height, width[, 1, 3 or 4]), brought to 8 bits as `eight_bits` says

        Drawings are brought to dark ink on white paper, cut to their ink and centred; pictures are padded to a square.
        Raises DataError where a file is not an image, an array is no image, or a drawing has no ink. Warns of a picture
        of one single colour, and of a file of several frames or pages.
        """
        return self._read_each([image], size)[0]

    def embed(self, images: Iterable[ImageLike]) -> np.ndarray:
        """Embed images → (n, d) float32; DataError for one image alone, and for those that cannot be read."""
        # its letters, or its rows, would be taken for images
        is_one = isinstance(images, str | Path | Image.Image)
        if isinstance(images, np.ndarray):
            is_one = images.ndim < 3 or (images.ndim == 3 and images.shape[2] in (3, 4))
        if is_one:
            raise DataError("this is one image, and embed takes several: give it in a list, [image].")
        read = self._read_each(images)
        if not read:
            raise DataError("there are no images to embed: give at least one.")
        return _finite(embed(self.model, np.stack(read)))

    def _read_each(self, images: Iterable[ImageLike], size: int | None = None) -> list[np.ndarray]:
        side = size or self.size
        sources: Iterable[tuple[str, Source]] = (
            (str(image), image)
            if isinstance(image, str | Path)
            else ("the image", from_array(image) if isinstance(image, np.ndarray) else image)
            for image in images
        )

        def as_taken(image: Image.Image, name: str) -> np.ndarray:
            if self.reads_drawings:
                return drawing(image, side, printable(name))
            pixels = square(image, side)
            return pixels if self.colour else np.asarray(Image.fromarray(pixels).convert("L"))

        return read_each(sources, as_taken)

    def compare(self, left: ImageLike, right: ImageLike) -> PairSimilarity:
        """Say how alike two images are."""
        first, second = self.embed([left, right])
        value = float(_finite(similarity(self.model, first[None], second[None]))[0])
        known = _options_of(self.model, "Calibration")
        if known is None:
            return PairSimilarity(value, np.nan, np.nan)
        parts = _finite(np.array([_part_below(known["different"], value), 1 - _part_below(known["same"], value)]))
        return PairSimilarity(value, float(parts[0]), float(parts[1]))

    def classify(self, query: ImageLike, support: Support) -> list[tuple[str, float]]:
        """Rank the classes of the support by their similarity to the query, the most alike first.

        support  a folder that holds a folder of images for each class, or class → image or images. A class's
                 similarity is the mean over its images.

        Warns of images that are in two classes, and of the query among them.
        """
        classes = images_by_class(support)
        pixels = self._read_each([query, *(image for images in classes.values() for image in images)])
        _say_doubles(classes, pixels)
        embeddings = _finite(embed(self.model, np.stack(pixels)))
        return self.rank(embeddings[0], divided(embeddings[1:], classes))

    def rank(self, query: np.ndarray, support: Mapping[str, np.ndarray]) -> list[tuple[str, float]]:
        """Do the same with what `embed` gave: the query (d,), and each class's images (n, d)."""
        found = []
        for name, own in support.items():
            values = _finite(similarity(self.model, np.repeat(query[None], len(own), axis=0), own))
            found.append((name, float(values.mean())))
        return sorted(found, key=lambda pair: -pair[1])


def from_array(pixels: np.ndarray) -> Image.Image:
    """Make an image of an array of pixels: (height, width[, 1, 3 or 4]); DataError for what is none."""
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    kind, shape = pixels.dtype.kind, pixels.shape
    if 0 in shape or not (len(shape) == 2 or (len(shape) == 3 and shape[2] in (3, 4))) or kind not in "biuf":
        raise DataError(
            f"an array of {pixels.dtype}, shape {shape}, is not one image: give (height, width) or (height, width, 3)."
        )
    try:
        return Image.fromarray(eight_bits(pixels))
    except ValueError as error:
        raise DataError(f"the array is no image: {error}.") from error


def _finite(values: np.ndarray) -> np.ndarray:
    """Check embeddings or similarities: DataError where some are no numbers, which is never an answer."""
    if not np.isfinite(values).all():
        raise DataError("the model is damaged: it gives no finite numbers. Train it again, or copy it again.")
    return values


def images_by_class(support: Support) -> Mapping[str, Sequence[ImageLike]]:
    """Sort a support set into a sequence of images a class; DataError where it, or a class of it, is empty or none."""
    if isinstance(support, str | Path):
        return find_images(Path(support), fewest=1)
    one = (str, Path, Image.Image, np.ndarray)
    try:
        classes = {name: [images] if isinstance(images, one) else list(images) for name, images in support.items()}
    except (AttributeError, TypeError) as error:
        raise DataError("a support is a folder, or each class's name with its image or images: give one.") from error
    if not classes or not all(classes.values()):
        raise DataError("the support is empty: give at least one class with at least one image.")
    return classes


def divided(rows: np.ndarray, classes: Mapping[str, Sequence[ImageLike]]) -> dict[str, np.ndarray]:
    """Divide rows (images, …), class after class, into those of each class."""
    ends = np.cumsum([len(images) for images in classes.values()])
    return dict(zip(classes, np.split(rows, ends[:-1]), strict=True))


def _say_doubles(classes: Mapping[str, Sequence[ImageLike]], pixels: Sequence[np.ndarray]) -> None:
    """Warn of images that are the same as the model takes them: in two classes, or one of them the query.

    pixels  the query's, then those of all classes
    """
    query, *rest = (digest_of(image.tobytes()) for image in pixels)
    digests = iter(rest)
    known = {
        name: [(str(i) if isinstance(i, str | Path) else f"an image of {name}", next(digests)) for i in images]
        for name, images in classes.items()
    }
    say_doubles(known, set())
    if same := [printable(file) for images in known.values() for file, digest in images if digest == query]:
        warnings.warn(f"the query is in the support, too: {named(same, 3)}.", stacklevel=3)


def _load(file: Path) -> keras.Model | Network:
    """Load a siamese model, by NumPy where it knows all layers, else by Keras; raise what reading it raises."""
    try:
        return load_network(file)
    except Unsupported:
        from ..backend import keras
        from ..models import layers  # noqa: F401 - the file may name them

        model = keras.saving.load_model(file, safe_mode=True)
        model.get_layer("backbone")
        return model


def _options_of(model: Any, kind: str) -> dict[str, Any] | None:
    """Find the options of the first layer of a class in a model or in a model within it; None where there is none."""
    for layer in getattr(model, "layers", ()):
        is_it = getattr(layer, "kind", type(layer).__name__) == kind
        found = layer.get_config() if is_it else _options_of(layer, kind)
        if found is not None:
            return dict(found)
    return None


def _part_below(quantiles: Sequence[float], value: float) -> float:
    """Compute which part of a distribution, given by its quantiles, lies below a value."""
    return float(np.interp(value, quantiles, np.linspace(0, 1, len(quantiles)), left=0.0, right=1.0))
