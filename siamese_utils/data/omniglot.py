"""Omniglot: 1,623 characters of 50 alphabets, each drawn once by 20 people.

Source: Lake, Salakhutdinov and Tenenbaum, "Human-level concept learning through probabilistic program
induction", Science 350 (2015); https://github.com/brendenlake/omniglot.

On first use both archives are checked, decoded and packed into one cache file; later loads read only that.
"""

import io
import os
import warnings
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm  # type: ignore[import-untyped]

from .. import paths
from ..errors import DataError
from ..files import in_any_case, locked, replacing
from ..text import named
from . import download
from .dataset import Dataset, Split, fingerprint
from .pictures import UNREADABLE


@dataclass(frozen=True)
class Zip:
    """One upstream archive: its name without .zip, the MD5 of the zip as published, and what it holds."""

    name: str
    md5: str
    characters: int
    alphabets: tuple[str, ...]


ARCHIVES = {
    "train": Zip(
        "images_background",
        "68d2efa1b9178cc56df9314c21c6e718",
        964,
        ("Alphabet_of_the_Magi", "Anglo-Saxon_Futhorc", "Arcadian", "Armenian", "Asomtavruli_(Georgian)", "Balinese",
         "Bengali", "Blackfoot_(Canadian_Aboriginal_Syllabics)", "Braille", "Burmese_(Myanmar)", "Cyrillic",
         "Early_Aramaic", "Futurama", "Grantha", "Greek", "Gujarati", "Hebrew",
         "Inuktitut_(Canadian_Aboriginal_Syllabics)", "Japanese_(hiragana)", "Japanese_(katakana)", "Korean", "Latin",
         "Malay_(Jawi_-_Arabic)", "Mkhedruli_(Georgian)", "N_Ko", "Ojibwe_(Canadian_Aboriginal_Syllabics)",
         "Sanskrit", "Syriac_(Estrangelo)", "Tagalog", "Tifinagh"),
    ),
    "val": Zip(
        "images_evaluation",
        "6b91aef0f799c5bb55b94e3f2daec811",
        659,
        ("Angelic", "Atemayar_Qelisayer", "Atlantean", "Aurek-Besh", "Avesta", "Ge_ez", "Glagolitic", "Gurmukhi",
         "Kannada", "Keble", "Malayalam", "Manipuri", "Mongolian", "Old_Church_Slavonic_(Cyrillic)", "Oriya",
         "Sylheti", "Syriac_(Serto)", "Tengwar", "Tibetan", "ULOG"),
    ),
}  # fmt: skip
DRAWERS = 20
SIZE = 105
# What `dataset.fingerprint` gives for the genuine background and evaluation sets.
FINGERPRINT = "6882afae033e0587d1537253dd1064a8c8fbb1ca232c37e2924e66389cbe5257"

URL = "https://raw.githubusercontent.com/brendenlake/omniglot/master/python"
SOURCE = "Omniglot (Lake, Salakhutdinov and Tenenbaum, 2015), https://github.com/brendenlake/omniglot"
ZIPS = "images_background.zip and images_evaluation.zip"
CACHE_NAME = "omniglot.npz"
# bytes, unpacked; a drawing takes about 250
LARGEST_FILE, LARGEST_ARCHIVE = 100_000, 500_000_000
# a machine short of memory damages nothing
DAMAGED = tuple(error for error in UNREADABLE if error is not MemoryError)


def load(source: Path | None = None) -> Dataset:
    """Load Omniglot at its native 105 × 105 pixels: `train` is the background set, `val` the evaluation set.

    train.images (964, 20, 105, 105) and val.images (659, 20, 105, 105), uint8, 0 ink and 255 paper; classes
    sorted by name, drawings by file name.

    source  a local folder that holds both archives, zipped or unpacked; the cache is built anew from it

    Without `source`: the cache, else the folder that SIAMESE_DATA_DIR names, else a download, from the mirror that
    SIAMESE_OMNIGLOT_URL names if it does; one that stops is resumed, by this call or the next, and intact zips stay.
    Both are kept in `paths.data_dir()`. A damaged cache is rebuilt. Raises DataError where the data is missing,
    damaged, not Omniglot, or cannot be stored.
    """
    folder = paths.data_dir()
    cache = folder / CACHE_NAME
    if source is None and (dataset := _read_cache(cache)):
        if (asked := find_source()) and not asked.expanduser().is_dir():
            warnings.warn(f"SIAMESE_DATA_DIR names no folder ({asked}): the copy {cache} is used.", stacklevel=2)
        return dataset
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise download.cannot_store(folder, error) from error
    # notebooks may run side by side
    with locked(folder / ".omniglot.lock", "the packed Omniglot"):
        # built by another process in the meantime
        if source is None and (dataset := _read_cache(cache)):
            return dataset
        try:
            place = source or find_source()
            for archive in () if place else ARCHIVES.values():
                base = (os.environ.get("SIAMESE_OMNIGLOT_URL") or URL).rstrip("/")
                instead = f"set SIAMESE_DATA_DIR to a folder that holds {ZIPS}"
                download.fetch(f"{base}/{archive.name}.zip", folder, md5=archive.md5, instead=instead)
            dataset = read_folder(place or folder)
        except DataError as error:
            if source is None and cache.exists():
                raise DataError(f"the cache {cache} is damaged and was not rebuilt, because {error}") from error
            raise
        _write_cache(cache, dataset)
    return dataset


def find_source() -> Path | None:
    """Return the local folder that SIAMESE_DATA_DIR names, or None where it is not set."""
    return Path(folder) if (folder := os.environ.get("SIAMESE_DATA_DIR")) else None


def read_folder(source: Path) -> Dataset:
    """Check and decode both archives, zipped or unpacked, from a local folder; writes nothing.

    A zip may be packed differently from upstream's, and names may be in capitals: the pixels decide.
    """
    source = Path(source).expanduser().resolve()
    if not source.is_dir():
        raise DataError(f"there is no folder {source}: name one that holds {ZIPS}, by --source or SIAMESE_DATA_DIR.")
    places = [(_find_archive(source, archive), archive) for archive in ARCHIVES.values()]
    train, val = (_read_split(place, archive) for place, archive in places)
    if (found := fingerprint(train, val)) != FINGERPRINT:
        raise DataError(
            f"the drawings in {source} are not Omniglot's (fingerprint {found[:12]}, not "
            f"{FINGERPRINT[:12]}): get {ZIPS} from {URL}."
        )
    return _dataset(train, val)


def _dataset(train: Split, val: Split) -> Dataset:
    return Dataset("omniglot", train, val, FINGERPRINT, synthetic=False, source=SOURCE)


def _find_archive(source: Path, archive: Zip) -> Path:
    """Find the zip, else the unpacked folder; a clone of upstream keeps both in python/."""
    for folder in (source, source / "python"):
        zipped, unpacked = in_any_case(folder, f"{archive.name}.zip"), in_any_case(folder, archive.name)
        if zipped.is_file():
            return zipped
        if zipped.is_dir():
            raise DataError(f"{zipped} is a folder, not the archive: put the archive there, or rename the folder.")
        if unpacked.is_dir():
            return unpacked
    raise DataError(
        f"{source} holds neither {archive.name}.zip nor a folder {archive.name}: put one of them there; "
        "without --source and SIAMESE_DATA_DIR, Omniglot is downloaded."
    )


def _read_split(where: Path, archive: Zip) -> Split:
    """Check and decode one archive: first the names and counts of its files, then every drawing."""
    drawings: dict[str, list[tuple[str, bytes]]] = defaultdict(list)
    for path, content in _zip_files(where) if where.is_file() else _folder_files(where):
        character, file_name = _split_path(where, path, archive)
        drawings[character].append((file_name, content))
    if wrong := [f"{len(files)} drawings of {name}" for name, files in drawings.items() if len(files) != DRAWERS]:
        raise DataError(f"{where} holds {named(wrong)}, not {DRAWERS}: get it again from {URL}.")
    characters = tuple(sorted(drawings))
    alphabets = len({character.partition("/")[0] for character in characters})
    if (alphabets, len(characters)) != (len(archive.alphabets), archive.characters):
        raise DataError(
            f"{where} holds {alphabets} alphabets with {len(characters)} characters, Omniglot "
            f"{len(archive.alphabets)} with {archive.characters}: get it again from {URL}."
        )
    images = np.empty((len(characters), DRAWERS, SIZE, SIZE), np.uint8)
    # None: only on a terminal
    progress = tqdm(characters, desc=archive.name, disable=None, leave=False)
    broken: list[str] = []
    for row, character in zip(images, progress, strict=True):
        for image, (file_name, content) in zip(row, sorted(drawings[character]), strict=True):
            try:
                image[:] = _decode(content, f"{character}/{file_name} in {where}")
            except DataError as error:
                broken.append(str(error).removesuffix("."))
    if broken:
        raise DataError(f"{named(broken, mark='; ')}.")
    return Split(images, characters)


def _zip_files(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of every file in a zip, without unpacking it to disk."""
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(info.file_size for info in archive.infolist()) > LARGEST_ARCHIVE:
                raise DataError(f"{path} holds more than {LARGEST_ARCHIVE:,} bytes unpacked: get it again from {URL}.")
            for info in archive.infolist():
                if info.file_size > LARGEST_FILE:
                    raise DataError(f"{path} holds {info.filename!r}, too large for a drawing: get it from {URL}.")
                # folders end so, as Windows packs them, too
                if _is_to_be_read(info.filename, info.filename.endswith(("/", "\\")), path):
                    yield info.filename, archive.read(info)
    except DAMAGED as error:
        raise DataError(f"{path} is damaged or incomplete ({error}): get it again from {URL}.") from error


def _folder_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield path, from the folder's own name on, and content of every file in an unpacked folder."""
    try:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder.parent).as_posix()
            if _is_to_be_read(name, path.is_dir(), folder):
                if path.stat().st_size > LARGEST_FILE:
                    raise DataError(f"{path} is too large for a drawing: remove it, or unpack {folder.name}.zip again.")
                yield name, path.read_bytes()
    except OSError as error:
        raise DataError(f"{folder} cannot be read ({error}): check its permissions and its disk.") from error


def _is_to_be_read(path: str, is_folder: bool, where: Path) -> bool:
    """Say whether it is a file that no file manager left behind; DataError for a folder named like a drawing."""
    if is_folder and path.rstrip("/\\").lower().endswith(".png"):
        raise DataError(f"{where} holds a folder {path!r}, named like a drawing: remove it, or get it from {URL}.")
    *folders, name = path.replace("\\", "/").split("/")
    left_behind = name.startswith("._") or name.lower() in (".ds_store", "thumbs.db", "desktop.ini")
    return not (is_folder or left_behind or "__MACOSX" in folders)


def _split_path(where: Path, path: str, archive: Zip) -> tuple[str, str]:
    """Split "images_background/Latin/character01/0001_01.png" into "Latin/character01" and "0001_01.png".

    The archive's own folder may be missing, or nested in itself as some programs unpack it, and all in capitals.
    """
    parts = path.replace("\\", "/").split("/")
    if ".." in parts or not parts[0] or ":" in parts[0]:
        raise DataError(f"{where} holds {path!r}, which leads out of its folder: get the archive from {URL}.")
    own = [number for number, part in enumerate(parts) if part.lower() == archive.name]
    parts = parts[own[-1] + 1 :] if own else parts
    if len(parts) != 3 or not parts[2].lower().endswith(".png"):
        raise DataError(
            f"{where} holds {path!r}, which is not a drawing of {archive.name}: remove that file, or get the "
            f"archive from {URL}."
        )
    spelled = {name.lower(): name for name in archive.alphabets}
    return f"{spelled.get(parts[0].lower(), parts[0])}/{parts[1].lower()}", parts[2].lower()


def _decode(content: bytes, where: str) -> np.ndarray:
    """Decode one PNG → (105, 105) uint8, 0 ink and 255 paper. Upstream's are 1-bit; re-saved ones may be grey."""
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            size = image.size
            pixels = np.asarray(image.convert("L")) if size == (SIZE, SIZE) else None
    except DAMAGED as error:
        raise DataError(f"{where} is not a readable PNG ({error}): get the archive from {URL}.") from error
    if pixels is None:
        raise DataError(f"{where} is {size[0]}×{size[1]} pixels, not {SIZE}×{SIZE}: get the archive from {URL}.")
    ink, paper = np.count_nonzero(pixels == 0), np.count_nonzero(pixels == 255)
    if not ink or not paper or ink + paper != SIZE * SIZE:
        raise DataError(f"{where} is not a drawing in black on white only: get the archive from {URL}.")
    return pixels


def _read_cache(path: Path) -> Dataset | None:
    """Read the dataset from the packed cache; None where there is no intact one.

    Every array is checked by the zip's CRC-32, and the fingerprint is the one taken when the pixels were packed:
    without a processor's help, SHA-256 over all 358 million pixels takes longer than a load may.
    """
    try:
        with zipfile.ZipFile(path) as archive, np.load(path, allow_pickle=False) as stored:
            if archive.testzip() is not None or str(stored["fingerprint"]) != FINGERPRINT:
                return None
            splits = []
            for name in ARCHIVES:
                characters = tuple(map(str, stored[f"{name}_characters"]))
                # one bit a pixel, 1 for paper
                pixels = np.unpackbits(stored[name], count=len(characters) * DRAWERS * SIZE * SIZE)
                pixels *= 255
                splits.append(Split(pixels.reshape(len(characters), DRAWERS, SIZE, SIZE), characters))
            return _dataset(*splits)
    except DAMAGED:
        return None


def _write_cache(path: Path, dataset: Dataset) -> None:
    """Pack one bit a pixel (45 MB) and store it; the final name appears only when the file is complete."""
    arrays = {"fingerprint": np.array(dataset.fingerprint)}
    for name in ARCHIVES:
        split = dataset.split(name)
        arrays |= {name: np.packbits(split.images != 0), f"{name}_characters": np.array(split.characters)}
    try:
        with replacing(path) as part:
            np.savez(part, allow_pickle=False, **arrays)
    except OSError as error:
        raise download.cannot_store(path.parent, error) from error
