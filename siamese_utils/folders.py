"""Any folder of images as a dataset: a folder for each class, or groups of such folders, as alphabets are.

animals/cat/1.jpg                a class is a folder of images
letters/greek/alpha/1.png        classes in groups: a group lies wholly in training or wholly in evaluation
"""

from __future__ import annotations

import hashlib
import warnings
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from .data import Dataset, Split
from .errors import DataError

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
EVALUATION_PART = 0.2  # of the groups, or of the classes where there are no groups
SPLIT_SEED = 0


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
        raise DataError(f"there is no folder {root}: give one that holds a folder of images for each class.")
    files: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() in ENDINGS and path.is_file() and not _hidden(path, root):
            files[path.parent.relative_to(root).as_posix()].append(path)
    if not files:
        raise DataError(
            f"{root} holds no images ({', '.join(ending[1:] for ending in ENDINGS)}): put a folder of images for each "
            "class there."
        )
    depths = {0 if name == "." else name.count("/") + 1: name for name in sorted(files)}
    if 0 in depths:
        raise DataError(f"{files['.'][0]} lies in no class's folder: move it into one.")
    if len(depths) > 1 or max(depths) > 2:
        example = depths[max(depths)]
        raise DataError(
            f"{root} mixes classes, groups of classes and deeper folders (for example {example}): every image must lie "
            "in CLASS/ or every image in GROUP/CLASS/."
        )
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
    groups: dict[str, list[str]] = defaultdict(list)
    for name in found.files:
        groups[name.partition("/")[0]].append(name)
    if len(groups) < 2:
        kind = "group of classes" if found.grouped else "class"
        raise DataError(
            f"{found.root} holds one {kind} only: there must be some to train on and others to ask about."
        )
    order = np.random.default_rng(SPLIT_SEED).permutation(len(groups))
    count = max(1, round(EVALUATION_PART * len(groups)))
    held = {sorted(groups)[number] for number in order[:count]}
    val = [name for name in found.files if name.partition("/")[0] in held]
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


def read_image(path: Path) -> Image.Image:
    """One image, upright as its camera says, transparent parts white; mode L where it has no colour, else RGB."""
    try:
        with Image.open(path) as opened:
            opened.load()
            image = ImageOps.exif_transpose(opened)
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} is not a readable image ({error}): replace or remove it.") from error
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    if image.mode in ("I", "I;16", "F"):  # more than eight bits a pixel: spread over what is there
        values = np.asarray(image, np.float64)
        spread = max(float(np.ptp(values)), 1e-9)
        return Image.fromarray(np.uint8(255 * (values - values.min()) / spread))
    if image.mode in ("1", "L"):
        return image.convert("L")
    image = image.convert("RGB")
    red, green, blue = (np.asarray(band) for band in image.split())
    return image.convert("L") if np.array_equal(red, green) and np.array_equal(red, blue) else image


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
    """Two classes of one name would be told apart by nothing but their spelling."""
    seen: dict[str, str] = {}
    for name in files:
        if (twin := seen.setdefault(name.casefold().strip(), name)) != name:
            raise DataError(
                f"{root} holds two classes of the same name, {twin} and {name}: rename or join them."
            )


def _hidden(path: Path, root: Path) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in path.relative_to(root).parts)
