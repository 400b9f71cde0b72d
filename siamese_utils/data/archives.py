"""Two public datasets by their published archives: the AT&T (ORL) faces, and mini-ImageNet.

`load(name, size)` finds the archive in the folder that SIAMESE_DATA_DIR names or in the cache, else downloads it and
checks its MD5. Nothing of either is part of this project: see each one's terms where it is published.
"""

from __future__ import annotations

import os
import pickle
import re
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from .. import paths
from ..errors import DataError
from .dataset import Dataset, Split, fingerprint
from .download import fetch
from .image_folder import load_folder

UNREADABLE = (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, IndexError, RuntimeError,
              tarfile.TarError, zipfile.BadZipFile, pickle.UnpicklingError)  # fmt: skip


@dataclass(frozen=True)
class Archive:
    """A published archive: its file's name, where it is, its MD5, and how it is read (archive, size) → Dataset."""

    file: str
    url: str
    md5: str
    read: Callable[[Path, int], Dataset]


def load(name: str, size: int, source: Path | None = None) -> Dataset:
    """One of `ARCHIVES` at size × size pixels.

    source  its archive, or a folder that holds it; any archive of the same layout will do
    Raises DataError with what to do where it cannot be had or read.
    """
    archive = ARCHIVES[name]
    folder = Path(source or os.environ.get("SIAMESE_DATA_DIR") or paths.data_dir()).expanduser()
    path = folder if folder.is_file() else folder / archive.file
    if not path.is_file():
        if source:
            raise DataError(f"there is no {archive.file} in {source}: give the archive, or a folder that holds it.")
        path = fetch(
            archive.url,
            paths.data_dir(),
            name=archive.file,
            md5=archive.md5,
            instead=f"get {archive.file} by another way and set SIAMESE_DATA_DIR to its folder",
        )
    try:
        return archive.read(path, size)
    except UNREADABLE as error:
        raise DataError(
            f"{path} is damaged, or not laid out as {archive.file} is ({error}): remove it and get the published one."
        ) from error


def read_faces(path: Path, size: int) -> Dataset:
    """att_faces.zip: s1/1.pgm to s40/10.pgm, ten pictures a person; a fifth of the people is for evaluation."""
    folder = paths.data_dir() / "att-faces"
    shutil.rmtree(folder, ignore_errors=True)
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            if found := re.search(r"(?:^|/)(s\d+)/(\d+)\.pgm$", member):
                person, number = found.groups()
                target = folder / f"s{int(person[1:]):02}" / f"{int(number):02}.pgm"
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(member))
    if not folder.is_dir():
        raise ValueError("no s1/1.pgm in it")
    return load_folder(folder, size)


def read_mini_imagenet(path: Path, size: int) -> Dataset:
    """mini-imagenet.tar.gz: of its 100 classes, the 64 of "train" for training, the 20 of "test" for evaluation.

    Its "val" classes are not read: choices are made on classes held out of "train", as with every other dataset. The
    split is that of S. Ravi and H. Larochelle, ICLR 2017.
    """
    splits: dict[str, Split] = {}
    with tarfile.open(path) as archive:
        for member in archive:
            found = re.search(r"mini-imagenet-cache-(train|test)\.pkl$", member.name)
            file = archive.extractfile(member) if found else None
            if found and file:
                splits[found[1]] = _pickled_split(file, size)
    train, val = splits["train"], splits["test"]
    return Dataset(
        name="mini-ImageNet",
        train=train,
        val=val,
        fingerprint=fingerprint(train, val),
        synthetic=False,
        source="mini-ImageNet (Vinyals et al., 2016; split of Ravi and Larochelle, 2017), "
        "https://github.com/renmengye/few-shot-ssl-public",
    )


def _pickled_split(file: IO[bytes], size: int) -> Split:
    """{"image_data": (n, height, width, 3) uint8, "class_dict": {class: image numbers}} at size × size pixels."""
    content = _ArraysOnly(file, encoding="latin1").load()
    pixels, numbers = content["image_data"], content["class_dict"]
    if pixels.ndim != 4 or pixels.dtype != np.uint8:
        raise ValueError(f"images of shape {pixels.shape} and type {pixels.dtype}")
    names = tuple(sorted(numbers))
    counts = tuple(len(numbers[name]) for name in names)
    images = np.full((len(names), max(counts), size, size, 3), 255, np.uint8)
    for row, name in zip(images, names, strict=True):
        for target, number in zip(row, numbers[name], strict=False):
            target[:] = Image.fromarray(pixels[number]).resize((size, size), Image.Resampling.BOX)
    return Split(images, names, None if len(set(counts)) == 1 else counts)


class _ArraysOnly(pickle.Unpickler):
    """A pickle may run any code: this one makes NumPy arrays and plain containers, and refuses everything else."""

    def find_class(self, module: str, name: str) -> Any:
        arrays = {"_reconstruct", "_frombuffer", "ndarray", "dtype", "scalar"}
        if (module.partition(".")[0] == "numpy" and name in arrays) or (module, name) == (
            "_codecs",
            "encode",
        ):
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is no array")


ARCHIVES = {
    "att-faces": Archive(
        "att_faces.zip",
        "http://www.idiap.ch/software/bob/data/bob/att_faces.zip",  # as bob.bio.base fetches it, with its MD5
        "6efb25cb0d40755e9492b9c012e3348d",
        read_faces,
    ),
    "mini-imagenet": Archive(
        "mini-imagenet.tar.gz",
        # as few-shot-ssl-public publishes it; MD5 as torchmeta has it
        "https://drive.usercontent.google.com/download?id=16V_ZlkW4SsnNDtnGmaBRq2OoPmUOc5mY&export=download&confirm=t",
        "b38f1eb4251fb9459ecc8e7febf9b2eb",
        read_mini_imagenet,
    ),
}
