"""Two public datasets by their published archives: the AT&T (ORL) faces, and mini-ImageNet.

`load(name, size)` finds the archive in the folder that SIAMESE_DATA_DIR names (the faces: SIAMESE_FACES_DIR) or in the
cache, else downloads it and checks its MD5. Nothing of either is part of this project: see each one's terms where it is
published.
"""

import io
import os
import pickle
import re
import tarfile
import warnings
import zipfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from .. import paths
from ..errors import DataError
from ..files import in_any_case
from ..text import named
from .dataset import Dataset, Split, fingerprint
from .download import fetch
from .image_folder import dataset_of, digest_of, say_doubles
from .pictures import UNREAD, UNREADABLE, endings

DAMAGED = (*UNREADABLE, ImportError, tarfile.TarError, pickle.UnpicklingError)
# files and bytes: many times what is published, and little enough for a machine's memory
MOST_FACES, LARGEST_FACES = 100_000, 200_000_000
# of the people, for evaluation: 10 of 40
FACES_PART = 0.25
# bytes
LARGEST_PICKLE = 2_000_000_000


@dataclass(frozen=True)
class Archive:
    """A published archive: its file's name, where it is, its MD5, and how it is read (archive, size) → Dataset.

    variable  of the environment: names a folder that holds it, before SIAMESE_DATA_DIR
    """

    file: str
    url: str
    md5: str
    read: Callable[[Path, int], Dataset]
    variable: str = "SIAMESE_DATA_DIR"


def load(name: str, size: int) -> Dataset:
    """Load one of `ARCHIVES` at size × size pixels; DataError with what to do where it cannot be had or read."""
    archive, path = ARCHIVES[name], place_of(name)
    if path.is_dir():
        raise DataError(f"{path} is a folder, not the archive: give the archive itself, or remove the folder.")
    if not path.is_file():
        instead = f"get {archive.file} by another way and set SIAMESE_DATA_DIR to its folder"
        path = fetch(archive.url, paths.data_dir(), name=archive.file, md5=archive.md5, instead=instead)
    try:
        return archive.read(path, size)
    except DAMAGED as error:
        raise DataError(
            f"{path} is damaged, or not laid out as {archive.file} is ({error}): remove it and get the published one."
        ) from error


def place_of(name: str) -> Path:
    """Name the place where `load` looks for an archive before it downloads it, whether it is there or not."""
    archive = ARCHIVES[name]
    given = os.environ.get(archive.variable) or os.environ.get("SIAMESE_DATA_DIR") or paths.data_dir()
    folder = Path(given).expanduser()
    return folder if folder.is_file() else in_any_case(folder, archive.file)


def read_faces(path: Path, size: int) -> Dataset:
    """Read att_faces.zip: s1/1.pgm to s40/10.pgm, ten pictures a person; a quarter of the people is for evaluation.

    It is read where it is: nothing is unpacked to disk.
    """
    people: dict[int, dict[int, zipfile.ZipInfo]] = defaultdict(dict)
    others: list[str] = []
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len(members) > MOST_FACES or sum(member.file_size for member in members) > LARGEST_FACES:
            raise ValueError(f"more than {MOST_FACES:,} files or {LARGEST_FACES:,} bytes in it")
        for member in members:
            found = re.search(r"(?:^|[/\\])s(\d{1,6})[/\\](\d{1,6})\.pgm/?$", member.filename, re.IGNORECASE)
            if found and member.is_dir():
                raise ValueError(f"{member.filename} in it is a folder")
            if found and people[int(found[1])].setdefault(int(found[2]), member) is not member:
                raise ValueError(f"picture {found[2]} of person {found[1]} is in it twice")
            own = Path(member.filename.replace("\\", "/"))
            if not found and own.suffix.lower() in endings() | UNREAD and not own.name.startswith("."):
                others.append(str(own))
        # what is damaged may hide under another name
        if damaged := archive.testzip():
            raise ValueError(f"{damaged} in it is damaged")
        if not people:
            raise ValueError("no s1/1.pgm in it")
        if few := [f"s{person}" for person, pictures in people.items() if len(pictures) < 2]:
            raise ValueError(f"fewer than two pictures of {named(few)}")
        classes = {
            f"s{person:02}": [
                (f"{member.filename} in {path}", io.BytesIO(archive.read(member)))
                for _, member in sorted(pictures.items())
            ]
            for person, pictures in sorted(people.items())
        }
    if others:
        words = "picture in it is" if len(others) == 1 else "pictures in it are"
        warnings.warn(f"{path}: {len(others):,} {words} no s1/1.pgm and not read ({named(others, 3)}).", stacklevel=3)
    return dataset_of("att-faces", str(path), dict(sorted(classes.items())), size, part=FACES_PART)


def read_mini_imagenet(path: Path, size: int) -> Dataset:
    """Read mini-imagenet.tar.gz: of its 100 classes, the 64 of "train" to train on, the 20 of "test" for evaluation.

    Its "val" classes are not read: choices are made on classes held out of "train", as with every other dataset. The
    split is that of S. Ravi and H. Larochelle, ICLR 2017.
    """
    splits: dict[str, Split] = {}
    digests: dict[str, list[tuple[str, bytes]]] = {}
    with tarfile.open(path) as archive:
        for member in archive:
            found = re.search(r"(?:^|/)mini-imagenet-cache-(train|test)\.pkl$", member.name)
            if found and member.size > LARGEST_PICKLE:
                raise ValueError(f"{member.name} takes more than {LARGEST_PICKLE:,} bytes")
            file = archive.extractfile(member) if found else None
            if found and file:
                if found[1] in splits:
                    raise ValueError(f"{member.name} is in it twice")
                splits[found[1]], own = _pickled_split(file, size)
                if shared := sorted(digests.keys() & own.keys()):
                    raise ValueError(f"{named(shared)} in both train and test")
                digests |= own
        # the checksum stands at the end of a compressed file
        while archive.fileobj and archive.fileobj.read(2**20):
            pass
    if missing := [name for name in ("train", "test") if name not in splits]:
        raise ValueError(f"no mini-imagenet-cache-{missing[0]}.pkl in it")
    train, val = splits["train"], splits["test"]
    say_doubles(digests, set(val.characters))
    return Dataset(
        name="mini-ImageNet",
        train=train,
        val=val,
        fingerprint=fingerprint(train, val),
        synthetic=False,
        source="mini-ImageNet (Vinyals et al., 2016; split of Ravi and Larochelle, 2017), "
        "https://github.com/renmengye/few-shot-ssl-public",
    )


def _pickled_split(file: IO[bytes], size: int) -> tuple[Split, dict[str, list[tuple[str, bytes]]]]:
    """Read one split and resize its images to size × size pixels; also return each image's name and digest, by class.

    The file holds {"image_data": (n, height, width, 3) uint8, "class_dict": {class: image numbers}}.
    """
    content = _ArraysOnly(file, encoding="latin1").load()
    pixels, numbers = content["image_data"], content["class_dict"]
    if pixels.ndim != 4 or pixels.shape[3] != 3 or pixels.dtype != np.uint8:
        raise ValueError(f"images of shape {pixels.shape} and type {pixels.dtype}")
    rows = {name: _numbers_of(name, numbers[name], len(pixels)) for name in sorted(numbers)}
    every = np.concatenate(list(rows.values()))
    if len(np.unique(every)) < len(every):
        raise ValueError("an image number stands there twice")

    def resized(number: int) -> np.ndarray:
        return np.asarray(Image.fromarray(pixels[number]).resize((size, size), Image.Resampling.BOX))

    classes = {name: np.stack([resized(number) for number in row]) for name, row in rows.items()}
    digests = {
        name: [(f"{name}, image {number}", digest_of(pixels[number].tobytes())) for number in row]
        for name, row in rows.items()
    }
    return Split.of(classes), digests


def _numbers_of(name: str, numbers: Any, images: int) -> np.ndarray:
    """Check a class's image numbers and return them, (n,) int; ValueError for what numbers no image."""
    found = np.asarray(numbers)
    if not isinstance(name, str) or found.ndim != 1 or found.dtype.kind not in "iu" or len(found) < 2:
        raise ValueError(f"class {name!r} is no list of two or more whole numbers")
    if any(isinstance(number, bool | np.bool_) for number in numbers):
        raise ValueError(f"class {name!r} has true or false for an image number")
    if found.min() < 0 or found.max() >= images:
        raise ValueError(f"class {name!r} has image numbers from {found.min()} to {found.max()}, of {images:,} images")
    return found


class _ArraysOnly(pickle.Unpickler):
    """A pickle may run any code: this one makes NumPy arrays and plain containers, and refuses everything else."""

    def find_class(self, module: str, name: str) -> Any:
        arrays = {"_reconstruct", "_frombuffer", "ndarray", "dtype", "scalar"}
        if (module.partition(".")[0] == "numpy" and name in arrays) or (module, name) == ("_codecs", "encode"):
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is no array")


ARCHIVES = {
    "att-faces": Archive(
        "att_faces.zip",
        # as bob.bio.base fetches it, with its MD5
        "http://www.idiap.ch/software/bob/data/bob/att_faces.zip",
        "6efb25cb0d40755e9492b9c012e3348d",
        read_faces,
        "SIAMESE_FACES_DIR",
    ),
    "mini-imagenet": Archive(
        "mini-imagenet.tar.gz",
        # as few-shot-ssl-public publishes it; MD5 as torchmeta has it
        "https://drive.usercontent.google.com/download?id=16V_ZlkW4SsnNDtnGmaBRq2OoPmUOc5mY&export=download&confirm=t",
        "b38f1eb4251fb9459ecc8e7febf9b2eb",
        read_mini_imagenet,
    ),
}
