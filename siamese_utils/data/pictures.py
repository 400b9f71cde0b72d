"""One picture, whatever its file's format, depth and byte order: upright, 8 bits a channel, padded to a square.

Every way to an image of one's own goes through here, so that a picture is the same to a model in any of its files.
"""

import lzma
import struct
import warnings
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, TypeAlias, TypeVar

import numpy as np
from PIL import Image, UnidentifiedImageError

from ..errors import DataError
from ..text import how_many, named, printable

# Formats that hold pictures and that Pillow reads by itself; an EPS would be run as a program by Ghostscript.
FORMATS = ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "AVIF", "BMP", "DIB", "JPEG2000", "PPM", "PSD", "QOI", "TGA", "ICO",
           "ICNS", "CUR", "PCX", "DCX", "SGI", "SUN", "MSP", "XBM", "XPM", "IM", "DDS", "FLI", "PCD",
           "PIXAR")  # fmt: skip
# those that a file may be of without saying so by its ending
COMMON = FORMATS[:7]
# endings of pictures that are not read: of cameras, of drawing programs
UNREAD = {".3fr", ".ai", ".arw", ".cdr", ".cr2", ".cr3", ".dcm", ".dng", ".emf", ".eps", ".exr", ".fit", ".fits",
          ".hdr", ".heic", ".heics", ".heif", ".hif", ".jls", ".jxl", ".jxr", ".kra", ".mng", ".nef", ".nrw", ".orf",
          ".pct", ".pef", ".pict", ".psb", ".raf", ".raw", ".rw2", ".sr2", ".srw", ".svg", ".svgz", ".wbmp", ".wdp",
          ".wmf", ".x3f", ".xcf"}  # fmt: skip
# what the readers of pictures and archives raise for bytes that they cannot make sense of
UNREADABLE = (OSError, EOFError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError, AssertionError,
              RuntimeError, SyntaxError, MemoryError, struct.error, zlib.error, lzma.LZMAError, zipfile.BadZipFile,
              Image.DecompressionBombError)  # fmt: skip

# Pillow's modes of more than 8 bits a pixel
DEEP = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
WITH_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")
WITHOUT_ALPHA = ("1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")
# a grey level
NEARLY_WHITE = 200
# part of the pixels that can be seen
TRACE = 0.02
# grey levels between the darkest and the lightest pixel of a picture that shows nothing
NEARLY_NONE = 1
# part of a float picture's range by which scaling and rounding lead out of it
OVERSHOOT = 0.1
# pixels a side of the square that a picture is padded to
LARGEST = 4096
# tags of EXIF and of TIFF, and one of the sample formats
ORIENTATION, WHITE_IS_ZERO, SAMPLE_FORMAT = 0x0112, 262, 339
SIGNED = 2
TURNS = dict(enumerate((
    Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_180, Image.Transpose.FLIP_TOP_BOTTOM,
    Image.Transpose.TRANSPOSE, Image.Transpose.ROTATE_270, Image.Transpose.TRANSVERSE, Image.Transpose.ROTATE_90,
), start=2))  # fmt: skip

Source: TypeAlias = "str | Path | IO[bytes] | Image.Image"
Made = TypeVar("Made")


def endings() -> set[str]:
    """List the endings of file names that are read as pictures: ".png", ".jpg" and so on."""
    return {ending for ending, kind in Image.registered_extensions().items() if kind in FORMATS and kind in Image.OPEN}


def looks_like_picture(path: Path) -> bool:
    """Say whether a file that is not read by its ending is a picture, by that ending or its first bytes."""
    if path.suffix.lower() in UNREAD:
        return True
    Image.init()
    try:
        if not path.is_file():
            return False
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=[kind for kind in COMMON if kind in Image.OPEN]):
                return True
    except UNREADABLE:
        return False


def read_each(sources: Iterable[tuple[str, Source]], make: Callable[[Image.Image, str], Made]) -> list[Made]:
    """Read every picture and return what `make` gives for it and its name.

    sources  a name, for messages, and a file, an open file or a PIL image

    Raises one DataError that names every picture which cannot be read, or of which nothing can be made; a warning for
    each kind of oddity names the odd ones.
    """
    made: list[Made] = []
    broken: list[str] = []
    odd: dict[str, list[str]] = defaultdict(list)
    for name, source in sources:
        try:
            image, remarks = read_image(source, name)
            made.append(make(image, name))
        except DataError as error:
            broken.append(str(error).removesuffix("."))
            continue
        for words in remarks:
            odd[words].append(printable(name))
    if broken:
        raise DataError(f"{named(broken, mark='; ')}.")
    for words, names in odd.items():
        warnings.warn(f"{how_many(len(names), 'image')} {words}: {named(names)}.", stacklevel=3)
    return made


def read_image(source: Source, name: str = "") -> tuple[Image.Image, list[str]]:
    """Read the picture in a file, or a PIL image, as `flat` makes it, and say what its owner should know of it.

    Raises DataError, naming it, where it cannot be read. Files are opened by the formats above only, and by one without
    a signature only where their ending says so.
    """
    name = printable(name or (str(source) if isinstance(source, str | Path) else "the image"))
    try:
        if isinstance(source, Image.Image):
            return _with_remarks(source)
        if not isinstance(source, str | Path):
            return _read(source, _formats(Path()))
        path = Path(source).expanduser()
        if not path.is_file():
            problem = (
                "it is a folder" if path.is_dir() else "it is no file" if path.exists() else "there is no such file"
            )
            raise DataError(f"{name} is not a readable image: {problem}.")
        # not by its path: Pillow 13 maps a plain TIFF into memory before it has turned it
        with path.open("rb") as file:
            return _read(file, _formats(path))
    except UnidentifiedImageError as error:
        raise DataError(f"{name} is not a readable image (its format is not known): replace or remove it.") from error
    except UNREADABLE as error:
        why = str(error) or type(error).__name__
        raise DataError(f"{name} is not a readable image ({why}): replace or remove it.") from error


def _read(file: IO[bytes], formats: list[str]) -> tuple[Image.Image, list[str]]:
    with warnings.catch_warnings():
        # of damaged metadata, and of many pixels
        warnings.simplefilter("ignore")
        with Image.open(file, formats=formats) as opened:
            return _with_remarks(opened)


def _with_remarks(image: Image.Image) -> tuple[Image.Image, list[str]]:
    upright, remarks = flat(image), []
    if image.tell() == 0 and _has_frames(image):
        remarks.append("of several frames or pages, of which the first is used")
    if np.ptp(np.reshape(np.asarray(upright.getextrema()), (-1, 2)), axis=1).max() <= NEARLY_NONE:
        remarks.append("of one single colour, or nearly, which shows nothing")
    return upright, remarks


def flat(image: Image.Image) -> Image.Image:
    """Turn a PIL image upright and bring it to 8 bits a channel; mode L where it has no colour, else RGB.

    More than 8 bits are brought to 8 as `eight_bits` says. Transparent parts are white, or black where what can be seen
    is nearly white. Raises ValueError for a mode that is not known or values that are no pixels, and what Pillow
    raises where its file is damaged.
    """
    mode, raw, clear = image.mode, _raw_mode(image), image.info.get("transparency")
    if mode not in (*DEEP, *WITH_ALPHA, *WITHOUT_ALPHA):
        raise ValueError(f"its pixels are of a kind that is not read, {mode}: save it with 8 bits a channel")
    image.load()
    if SIGNED in np.atleast_1d(getattr(image, "tag_v2", {}).get(SAMPLE_FORMAT, 1)) and mode not in DEEP:
        raise ValueError("its pixels are signed numbers of 8 bits: save it with 0 to 255")
    try:
        turn = TURNS.get(int(image.getexif().get(ORIENTATION, 1)))
    # damaged EXIF
    except UNREADABLE:
        turn = None
    if mode in DEEP:
        image = _with_8_bits(image, raw, clear)
    elif clear is not None and raw in ("L;2", "L;4", "RGB;16B"):
        # the file counts in other steps than Pillow's pixels
        image = image.copy()
        steps = {"L;2": 85, "L;4": 17}
        image.info["transparency"] = clear * steps[raw] if raw in steps else tuple(value >> 8 for value in clear)
    if image.mode in (*WITH_ALPHA, "1", "L", "P", "RGB") and image.has_transparency_data:
        image = image.convert("LA") if image.mode == "La" else image
        image = image.convert("RGBA")
        paper = "black" if _is_nearly_white(image) else "white"
        image = Image.alpha_composite(Image.new("RGBA", image.size, paper), image)
    image = image.convert("L" if image.mode in ("1", "L") else "RGB")
    if image.mode == "RGB":
        red, green, blue = (np.asarray(band) for band in image.split())
        if np.array_equal(red, green) and np.array_equal(red, blue):
            image = image.getchannel(0)
    return image if turn is None else image.transpose(turn)


def eight_bits(values: np.ndarray) -> np.ndarray:
    """Bring pixels of any type to uint8, by a rule that looks at their type, never at how bright the picture is.

    booleans        0 and 255
    uint8           as they are
    uint16          0 to 65535 → 0 to 255
    wider integers  0 and 1 → 0 and 255; else 0 to 255 as they are; else as uint16
    floats          0 to 1 → 0 to 255, a tenth below and above cut off; else 0 to 255 as they are

    Raises ValueError for anything else: what is below 0, too large or not finite.
    """
    if values.dtype == np.uint8:
        return values
    high = float(values.max())
    whole, deep = values.dtype.kind in "iu", values.dtype in (np.dtype("<u2"), np.dtype(">u2"))
    if not whole and high <= 1 + OVERSHOOT and float(values.min()) >= -OVERSHOOT:
        values, high = np.clip(values, 0, 1), min(high, 1)
    if not (float(values.min()) >= 0 and high <= (65535 if whole else 255)):
        raise ValueError(
            f"numbers from {values.min():g} to {high:g} are no pixels: give 0 to 1, 0 to 255, or integers to 65535"
        )
    if deep or high > 255:
        values = values / np.float32(257)
    elif high <= 1:
        values = values * np.float32(255)
    return np.round(values).astype(np.uint8)


def square(image: Image.Image, size: int) -> np.ndarray:
    """Pad to a square in the median colour of the border and resize → (size, size, 3) uint8, area-averaged."""
    image = image.convert("RGB")
    if (longer := max(image.size)) > LARGEST:
        # the square of a long strip could be too large
        smaller = [max(1, round(pixels * LARGEST / longer)) for pixels in image.size]
        image = image.resize((smaller[0], smaller[1]), Image.Resampling.BOX)
    pixels = np.asarray(image)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    side = max(image.size)
    square = Image.new("RGB", (side, side), tuple(int(value) for value in np.median(border, axis=0)))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return np.asarray(square.resize((size, size), Image.Resampling.BOX))


def _formats(path: Path) -> list[str]:
    """List which of `FORMATS` this Pillow reads and a file may be of: one without a signature only by its ending."""
    own = Image.registered_extensions().get(path.suffix.lower())
    return [kind for kind in FORMATS if kind in Image.OPEN and (kind == own or Image.OPEN[kind][1] is not None)]


def _has_frames(image: Image.Image) -> bool:
    """Say whether an opened file has several frames or pages. The layers of a PSD are none: it is read as it looks."""
    try:
        return image.format != "PSD" and bool(getattr(image, "is_animated", False))
    except UNREADABLE:
        return False


def _raw_mode(image: Image.Image) -> str:
    """Say how the pixels are stored in the file, in Pillow's words: "I;16B"; "" once they are loaded."""
    tiles = getattr(image, "tile", None)
    stored = tiles[0][3] if tiles else ""
    return str(stored[0] if isinstance(stored, tuple) and stored else stored)


def _with_8_bits(image: Image.Image, raw: str, clear: object) -> Image.Image:
    """Bring an image of one of the modes `DEEP` to L, or to LA where one value is transparent."""
    values = np.asarray(image)
    seen = None if clear is None else values != clear
    if raw == "I;12":
        values = np.round(values * (65535 / 4095)).astype(np.uint16)
    elif image.mode == "I" and (image.format == "PPM" or raw.startswith("I;16")) and values.min() >= 0:
        values = values.astype(np.uint16)
    grey = eight_bits(values)
    if getattr(image, "tag_v2", {}).get(WHITE_IS_ZERO) == 0:
        grey = 255 - grey
    flat = Image.fromarray(grey)
    return flat if seen is None else Image.merge("LA", (flat, Image.fromarray(np.uint8(255 * seen))))


def _is_nearly_white(image: Image.Image) -> bool:
    """Say whether what is seen best of an image with transparent parts is nearly white, all but a trace."""
    grey, alpha = (np.asarray(band) for band in (image.convert("L"), image.getchannel("A")))
    if alpha.min() == alpha.max():
        return False
    return bool(np.quantile(grey[alpha >= 0.9 * alpha.max()], TRACE) > NEARLY_WHITE)
