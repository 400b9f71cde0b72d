"""Any folder of images as a dataset: a folder for each class, or groups of such folders, as alphabets are.

animals/cat/1.jpg                a class is a folder of images
letters/greek/alpha/1.png        classes in groups: a group lies wholly in training or wholly in evaluation
"""

from __future__ import annotations

import hashlib
import os
import unicodedata
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ..errors import DataError
from .dataset import Dataset, Split, hold_out

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
KINDS = ", ".join(ending[1:] for ending in ENDINGS)
EVALUATION_PART = 0.2  # of the groups, or of the classes where there are no groups
SPLIT_SEED = 0
NEARLY_WHITE = 200  # grey level


@dataclass(frozen=True)
class Found:
    """The image files of a folder, by class: "class" or "group/class" → paths, both sorted."""

    root: Path
    files: dict[str, list[Path]]

    @property
    def grouped(self) -> bool:
        return "/" in next(iter(self.files))


def find_images(root: Path, fewest: int = 2) -> Found:
    """Every image file under a folder, by class.

    fewest  how many images a class must have: to train, one to show and one to ask
    Raises DataError with what to do where the layout is not clear, or a class has too few.
    """
    root = Path(root).expanduser().resolve()
    if not root.is_dir():
        problem = f"{root} is a file" if root.is_file() else f"there is no folder {root}"
        raise DataError(f"{problem}: give a folder that holds a folder of images for each class.")
    files, empty = _walk(root)
    if not files:
        raise DataError(f"{root} holds no images ({KINDS}): put a folder of images for each class there.")
    depths = {0 if name == "." else name.count("/") + 1: name for name in sorted(files)}
    if 0 in depths:
        raise DataError(f"{files['.'][0]} lies in no class's folder: move it into one.")
    if len(depths) > 1 or max(depths) > 2:
        example = depths[max(depths)]
        raise DataError(
            f"{root} mixes classes, groups of classes and deeper folders (for example {example}): every image must lie "
            "in CLASS/ or every image in GROUP/CLASS/."
        )
    if empty:
        raise DataError(f"{root / empty[0]} holds no images ({KINDS}): put some there, or remove the folder.")
    _refuse_twins(root, files)
    for name, paths in files.items():
        if len(paths) < fewest:
            raise DataError(
                f"class {name} has one image ({paths[0].name}), but a class needs one to show and one to ask: add "
                "another, or remove the folder."
            )
    return Found(root, dict(sorted(files.items())))


def load_folder(root: Path, size: int) -> Dataset:
    """A folder's images at size × size pixels as a dataset; a fifth of its groups, or classes, is for evaluation.

    Images keep their proportions: they are padded to a square in the colour of their border. If one image is in colour,
    all are read as colour. Raises DataError, naming the file, where one cannot be read.
    """
    found = find_images(root)
    classes, grey = {}, []
    for name, paths in found.files.items():
        classes[name] = np.empty((len(paths), size, size, 3), np.uint8)
        for row, path in zip(classes[name], paths, strict=True):
            image = read_image(path)
            row[:] = square(image, size)
            if image.mode == "L":
                grey.append(path)
    total = sum(map(len, classes.values()))
    if len(grey) == total:
        classes = {name: np.ascontiguousarray(pixels[..., 0]) for name, pixels in classes.items()}
    elif grey:
        warnings.warn(
            f"{len(grey):,} of {total:,} images in {found.root} are grey, for example {grey[0]}: they are read as "
            "colour images without colour.",
            stacklevel=2,
        )
    train, val = _parts(found)
    digest = hashlib.sha256(str(size).encode())
    for name, pixels in classes.items():
        digest.update(name.encode() + repr(pixels.shape).encode() + pixels.tobytes())
    return Dataset(
        name=found.root.name,
        train=_split(classes, train),
        val=_split(classes, val),
        fingerprint=digest.hexdigest(),
        synthetic=False,
        source=f"the folder {found.root.name}",
    )


def _parts(found: Found) -> tuple[list[str], list[str]]:
    """The names of the classes to train on and to evaluate on."""
    groups = [name.partition("/")[0] for name in found.files]
    if len(set(groups)) < 2:
        kind = "group of classes" if found.grouped else "class"
        raise DataError(f"{found.root} holds one {kind} only: there must be some to train on and others to ask about.")
    held = hold_out(groups, EVALUATION_PART, SPLIT_SEED)
    val = [name for name, group in zip(found.files, groups, strict=True) if group in held]
    return [name for name in found.files if name not in set(val)], val


def _split(classes: dict[str, np.ndarray], names: Iterable[str]) -> Split:
    """Classes of different sizes in one array: what is missing at a class's end is blank and never drawn."""
    names = tuple(names)
    counts = tuple(len(classes[name]) for name in names)
    shape = classes[names[0]].shape[1:]
    images = np.full((len(names), max(counts), *shape), 255, np.uint8)
    for row, name in zip(images, names, strict=True):
        row[: len(classes[name])] = classes[name]
    return Split(images, names, None if len(set(counts)) == 1 else counts)


def read_image(path: Path, *, light_ink: bool = False) -> Image.Image:
    """The image in a file as `flat` gives it; DataError, naming the file, where it cannot be read."""
    if not path.is_file():
        problem = "it is a folder" if path.is_dir() else "there is no such file"
        raise DataError(f"{path} is not a readable image: {problem}.")
    try:
        with Image.open(path) as opened:
            opened.load()
            return flat(opened, light_ink=light_ink)
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} is not a readable image ({error}): replace or remove it.") from error


def flat(image: Image.Image, *, light_ink: bool = False) -> Image.Image:
    """An image upright as its camera says, transparent parts white; mode L where it has no colour, else RGB.

    light_ink  transparent parts are black where what can be seen is nearly white
    """
    image = ImageOps.exif_transpose(image)
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        paper = "black" if light_ink and _is_nearly_white(image) else "white"
        image = Image.alpha_composite(Image.new("RGBA", image.size, paper), image)
    if image.mode in ("I", "I;16", "F"):  # more than eight bits a pixel: spread over what is there
        values = np.asarray(image, np.float64)
        spread = max(float(np.ptp(values)), 1e-9)
        return Image.fromarray(np.uint8(255 * (values - values.min()) / spread))
    if image.mode in ("1", "L"):
        return image.convert("L")
    image = image.convert("RGB")
    red, green, blue = (np.asarray(band) for band in image.split())
    return image.convert("L") if np.array_equal(red, green) and np.array_equal(red, blue) else image


def _is_nearly_white(image: Image.Image) -> bool:
    """Whether what can be seen of an image with transparent parts is nearly white."""
    grey, alpha = (np.asarray(band, np.float64) for band in (image.convert("L"), image.getchannel("A")))
    return bool(alpha.any()) and float(np.average(grey, weights=alpha)) > NEARLY_WHITE


def square(image: Image.Image, size: int) -> np.ndarray:
    """(size, size, 3) uint8, area-averaged, padded to a square in the median colour of its border."""
    image = image.convert("RGB")
    pixels = np.asarray(image)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    side = max(image.size)
    square = Image.new("RGB", (side, side), tuple(int(value) for value in np.median(border, axis=0)))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return np.asarray(square.resize((size, size), Image.Resampling.BOX))


def _refuse_twins(root: Path, files: dict[str, list[Path]]) -> None:
    """Two classes, or groups, of one name would be told apart by nothing but their spelling."""
    seen: dict[str, str] = {}
    for name in [*files, *dict.fromkeys(name.partition("/")[0] for name in files if "/" in name)]:
        if (twin := seen.setdefault(_spelled(name), name)) != name:
            kind = "classes" if name in files else "groups"
            raise DataError(f"{root} holds two {kind} of the same name, {twin!r} and {name!r}: rename or join them.")


def _spelled(name: str) -> str:
    """A name without what a reader does not see: capitals, blanks at the ends, how accents are stored."""
    return "/".join(part.strip() for part in unicodedata.normalize("NFC", name).casefold().split("/"))


def _walk(root: Path) -> tuple[dict[str, list[Path]], list[str]]:
    """The image files of every folder under the root, links followed, and the folders that hold nothing of use."""
    files: dict[str, list[Path]] = {}
    empty: list[str] = []
    for folder, inner, names in os.walk(root, followlinks=True):
        here = Path(folder)
        above = {e.resolve() for e in (here, *here.parents)}  # a link back there would go round for ever
        inner[:] = sorted(e for e in inner if not _hidden(e) and (here / e).resolve() not in above)
        images = [here / e for e in sorted(names) if Path(e).suffix.lower() in ENDINGS and not _hidden(e)]
        name = here.relative_to(root).as_posix()
        if images:
            files[name] = images
        elif not inner:
            empty.append(name)
    return files, empty


def _hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX"))
