"""Any folder of images as a dataset: a folder for each class, or groups of such folders, as alphabets are.

animals/cat/1.jpg                a class is a folder of images
letters/greek/alpha/1.png        classes in groups: a group lies wholly in training or wholly in evaluation
"""

import hashlib
import os
import re
import unicodedata
import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import DataError
from ..text import listed, named, printable
from .dataset import Dataset, Split, hold_out
from .pictures import Source, endings, looks_like_picture, read_each, square

KINDS = "PNG, JPEG, GIF, TIFF, WebP and others"
# of the groups, or of the classes where there are no groups
EVALUATION_PART = 0.2
SPLIT_SEED = 0
# what the parts of a dataset are called, as a word of a name: "train", "Test_set", "my-val2", "01 trainval", "fold3"
PART = re.compile(
    r"(?<![^\W\d_])(train(ing|val)?|val|valid|validation|validate|dev|development|test|testing|eval|evaluation|"
    r"hold_?out|held_?out|fold|split|seen|unseen|base|novel|gallery|probe|query|queries|support|orig|original|originals|"
    r"aug|augmented)(s?_?(set|split|data|daten|images))?\d*(?![^\W\d_])"
)


def find_images(root: Path, fewest: int = 2) -> dict[str, list[Path]]:
    """Find every image file under a folder: "class" or "group/class" → paths, both sorted.

    What is hidden, and what file managers leave, is no part of it.

    fewest  how many images a class must have: to train, one to show and one to ask
    Raises DataError with what to do where the layout is not clear, a folder cannot be listed, or classes have too few.
    Warns of files that look like images and are not read.
    """
    try:
        root = Path(root).expanduser().resolve()
        problem = f"{root} is a file" if root.is_file() else "" if root.is_dir() else f"there is no folder {root}"
    except (OSError, RuntimeError, ValueError) as error:
        problem = f"{root} cannot be read ({error})"
    if problem:
        raise DataError(f"{problem}: give a folder that holds a folder of images for each class.")
    files, empty = _walk(root)
    if not files:
        raise DataError(f"{root} holds no images ({KINDS}): put a folder of images for each class there.")
    depths = {0 if name == "." else name.count("/") + 1: name for name in sorted(files)}
    if 0 in depths:
        loose = named([file.name for file in files["."]], 3)
        raise DataError(f"{root} has images in no class's folder ({loose}): give each class a folder of its own.")
    if len(depths) > 1 or max(depths) > 2:
        example = depths[max(depths)]
        raise DataError(
            f"{root} mixes classes, groups of classes and deeper folders (for example {example}): every image must lie "
            "in CLASS/ or every image in GROUP/CLASS/."
        )
    if empty:
        raise DataError(
            f"{named(str(root / name) for name in empty)} {'hold' if len(empty) > 1 else 'holds'} no images ({KINDS}): "
            "put some there, or remove the folder."
        )
    _refuse_twins(root, files)
    _refuse_parts(root, files)
    if few := [f"{name} has one image ({paths[0].name})" for name, paths in files.items() if len(paths) < fewest]:
        raise DataError(
            f"a class needs two images, one to show and one to ask, but {named(few)}: add another, or remove the "
            "folder."
        )
    return dict(sorted(files.items()))


def load_folder(root: Path, size: int) -> Dataset:
    """Load a folder's images at size × size pixels as a dataset; a fifth of its groups, or classes, is for evaluation.

    Raises DataError where `find_images` or `dataset_of` does.
    """
    classes = {name: [(str(path), path) for path in paths] for name, paths in find_images(root).items()}
    root = Path(root).expanduser().resolve()
    return dataset_of(printable(root.name), str(root), classes, size)


def dataset_of(
    name: str, place: str, classes: Mapping[str, Sequence[tuple[str, Source]]], size: int, part: float = EVALUATION_PART
) -> Dataset:
    """Make a dataset of images at size × size pixels; a part of their groups, or classes, is for evaluation.

    place    where they are, for messages
    classes  "class" or "group/class" → each image's name, for messages, and where it is read from

    Images keep their proportions: they are padded to a square in the colour of their border. If one image is in colour,
    all are read as colour. Raises DataError, naming the files, where some cannot be read, or where classes of one name
    share an image; warns of other images that are there twice.
    """
    train, val = _parts(place, classes, part)
    every = [(file, source) for images in classes.values() for file, source in images]
    pixels = np.empty((len(every), size, size, 3), np.uint8)
    rows = iter(pixels)

    def keep(image: Image.Image, _: str) -> tuple[bool, bytes]:
        next(rows)[:] = square(image, size)
        return image.mode == "L", digest_of(image.tobytes(), image.mode, image.size)

    read = read_each(every, keep)
    grey = [file for (file, _), (is_grey, _) in zip(every, read, strict=True) if is_grey]
    if len(grey) == len(every):
        pixels = np.ascontiguousarray(pixels[..., 0])
    elif grey:
        warnings.warn(
            f"{len(grey):,} of {len(every):,} images in {printable(place)} are grey, for example "
            f"{printable(grey[0])}: they are read as colour images without colour.",
            stacklevel=2,
        )
    ends = np.cumsum([len(images) for images in classes.values()])
    parts = dict(zip(classes, np.split(pixels, ends[:-1]), strict=True))
    digests = iter([digest for _, digest in read])
    say_doubles({key: [(file, next(digests)) for file, _ in images] for key, images in classes.items()}, set(val))
    digest = hashlib.sha256(f"{size}{f' {part}' if part != EVALUATION_PART else ''}".encode())
    for key, images in parts.items():
        digest.update(key.encode() + repr(images.shape).encode() + images.tobytes())
    return Dataset(
        name=name,
        train=Split.of({key: parts[key] for key in train}),
        val=Split.of({key: parts[key] for key in val}),
        fingerprint=digest.hexdigest(),
        synthetic=False,
        source=f"the folder {name}",
    )


def digest_of(pixels: bytes, *shape: object) -> bytes:
    """Compute a short digest of an image, the same for the same pixels only."""
    return hashlib.blake2b(repr(shape).encode() + pixels, digest_size=16).digest()


def say_doubles(classes: Mapping[str, Sequence[tuple[str, bytes]]], val: set[str]) -> None:
    """Warn of images that are in training and evaluation, or in two classes.

    classes  each class's images: a name, for messages, and its digest
    val      the classes of the evaluation

    Raises DataError where the two classes have one name, in two groups: they are one class, on both sides.
    """
    first: dict[bytes, tuple[str, str]] = {}
    both: list[str] = []
    two: list[str] = []
    one: list[str] = []
    for name, images in classes.items():
        for file, digest in images:
            twin, its_file = first.setdefault(digest, (name, file))
            if twin == name:
                continue
            same = _spelled(twin).rpartition("/")[2] == _spelled(name).rpartition("/")[2]
            kind = one if same else both if (twin in val) != (name in val) else two
            kind.append(printable(f"{its_file} and {file}"))
    if one:
        raise DataError(
            f"two groups hold a class of the same name with the same images ({named(one, 3, '; ')}): a class belongs "
            "in one group, so join the two."
        )
    for found, what in (
        (both, "both in training and in evaluation, which raises the accuracy"),
        (two, "in two classes"),
    ):
        if found:
            words = "image is" if len(found) == 1 else "images are"
            warnings.warn(f"{len(found):,} {words} {what}: {named(found, 3, '; ')}.", stacklevel=3)


def _parts(place: str, classes: Iterable[str], part: float) -> tuple[list[str], list[str]]:
    """Name the classes to train on and those to evaluate on; DataError where there is one group only."""
    names = list(classes)
    groups = [name.partition("/")[0] for name in names]
    if len(set(groups)) < 2:
        kind = "group of classes" if "/" in names[0] else "class"
        raise DataError(f"{place} holds one {kind} only: there must be some to train on and others to ask about.")
    held = hold_out(groups, part, SPLIT_SEED)
    return [n for n in names if n.partition("/")[0] not in held], [n for n in names if n.partition("/")[0] in held]


def _refuse_twins(root: Path, files: dict[str, list[Path]]) -> None:
    """Raise DataError for two classes, or groups, that only the spelling of one name tells apart."""
    seen: dict[str, str] = {}
    twins: list[str] = []
    for name in [*files, *dict.fromkeys(name.partition("/")[0] for name in files if "/" in name)]:
        if (twin := seen.setdefault(_spelled(name), name)) != name:
            twins.append(f"two {'classes' if name in files else 'groups'} of the same name, {twin!r} and {name!r}")
    if twins:
        raise DataError(f"{root} holds {named(twins, mark='; ')}: rename or join them.")


def _spelled(name: str) -> str:
    """Strip a name of what a reader does not see: capitals, blanks at the ends, how accents are stored."""
    return "/".join(part.strip() for part in unicodedata.normalize("NFC", name).casefold().split("/"))


def _refuse_parts(root: Path, files: dict[str, list[Path]]) -> None:
    """Raise DataError for parts of one class: a dataset in such parts has no group that is new at evaluation."""
    alike: dict[str, list[str]] = defaultdict(list)
    for name in files:
        if whole := _without_part(name):
            alike[whole].append(name)
    shared = [sorted(names) for names in alike.values() if len(names) > 1]
    if shared:
        raise DataError(
            f"{root} holds parts of the same class ({named(map(listed, shared), 3, '; ')}), but a model is asked about "
            "classes that it was not trained on: give one part only, or put all images of a class in one folder."
        )


def _without_part(name: str) -> str:
    """Strip a class's name of what says to which part of a dataset it belongs; "" where nothing does."""
    *group, own = _spelled(name).split("/")
    kept = [part for part in group if not PART.search(part)]
    rest = "/".join([*kept, PART.sub("", own).strip(" -_.")])
    return rest if rest != _spelled(name) else ""


def _walk(root: Path) -> tuple[dict[str, list[Path]], list[str]]:
    """Find the image files of every folder under the root, links followed, and the folders without anything of use.

    Raises DataError for folders that cannot be listed and links that lead nowhere; warns of images not read.
    """
    files: dict[str, list[Path]] = {}
    empty: list[str] = []
    unread: list[Path] = []
    closed: list[str] = []
    astray: list[str] = []
    alike: list[str] = []
    read = endings()

    def unlisted(error: OSError) -> None:
        closed.append(f"{error.filename} cannot be listed ({error.strerror})")

    def shown(names: list[str]) -> list[str]:
        return sorted(name for name in names if not name.startswith(".") and name != "__MACOSX")

    for folder, inner, names in os.walk(root, followlinks=True, onerror=unlisted):
        here = Path(folder)
        # a link back there would go round for ever
        above = {e.resolve() for e in (here, *here.parents)}
        inner[:] = [e for e in shown(inner) if (here / e).resolve() not in above]
        paths = [here / e for e in shown(names)]
        images = [path for path in paths if path.suffix.lower() in read]
        closed += [f"{path} is no regular file" for path in images if path.exists() and not path.is_file()]
        astray += [str(path) for path in paths if path.is_symlink() and not path.exists()]
        unread += [path for path in paths if path.suffix.lower() not in read and looks_like_picture(path)]
        name = printable(here.relative_to(root).as_posix())
        if name in files:
            alike.append(name)
        if images:
            files[name] = images
        elif not inner:
            empty.append(name)
    if closed:
        raise DataError(f"{named(closed, mark='; ')}: change the rights, or remove what is named.")
    if astray:
        words = "is a link that leads" if len(astray) == 1 else "are links that lead"
        raise DataError(f"{named(astray)} {words} nowhere: mend or remove what is named.")
    if alike:
        raise DataError(f"{root} holds two folders whose names are printed alike ({named(alike)}): rename one of them.")
    if unread:
        words = "file looks like an image and is" if len(unread) == 1 else "files look like images and are"
        examples = named((printable(str(path)) for path in unread), 3)
        warnings.warn(
            f"{len(unread):,} {words} not read ({examples}): save them as PNG or JPEG, under a name that ends so.",
            stacklevel=4,
        )
    return files, empty
