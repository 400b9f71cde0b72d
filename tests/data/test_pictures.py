"""One picture in any format, at any depth and byte order, is the same picture; what is none is refused."""

import io
import os
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from siamese_utils.data.image_folder import find_images, load_folder
from siamese_utils.data.pictures import LARGEST, eight_bits, endings, flat, read_each, read_image, square
from siamese_utils.errors import DataError

# a picture of a few grey levels, dim: nothing in it comes near white
GREY = np.array([[0, 10, 20, 30], [40, 50, 60, 70], [80, 90, 100, 110]], np.uint8)


def png(depth, colour, rows, width, transparent=None):
    """A PNG file's bytes, of rows of packed pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, len(rows), depth, colour, 0, 0, 0)
    clear = chunk(b"tRNS", transparent) if transparent else b""
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + clear + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def tiff(values, order, kind, white_is_zero=False, bits=None, width=None):
    """An uncompressed TIFF file's bytes; kind: 1 unsigned, 2 signed, 3 float."""
    data = values.astype(values.dtype.newbyteorder(order)).tobytes()
    height, width = len(values), width or values.shape[1]
    tags = {256: width, 257: height, 258: bits or 8 * values.dtype.itemsize, 259: 1, 262: 0 if white_is_zero else 1,
            273: 8, 277: 1, 278: height, 279: len(data), 339: kind}  # fmt: skip
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in tags.items())
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", 8 + len(data))
    return head + data + struct.pack(f"{order}H", len(tags)) + entries + bytes(4)


def pixels_of(content):
    return np.asarray(read_image(io.BytesIO(content))[0])


TWELVE_BITS = bytes.fromhex("".join(f"{round(value * 4095 / 255):03x}" for value in GREY.ravel().tolist()))
DEEP = {
    "16-bit PNG": png(16, 0, [row.astype(">u2").tobytes() for row in GREY.astype(np.uint16) * 257], 4),
    "16-bit PNG with a transparent value that it has not": png(
        16, 0, [row.astype(">u2").tobytes() for row in GREY.astype(np.uint16) * 257], 4, struct.pack(">H", 5)
    ),
    "PGM to 65535": b"P5 4 3 65535\n" + (GREY.astype(np.uint16) * 257).astype(">u2").tobytes(),
    "PGM to 510": b"P5 4 3 510\n" + (GREY.astype(np.uint16) * 2).astype(">u2").tobytes(),
    "little-endian 16-bit TIFF": tiff(GREY.astype(np.uint16) * 257, "<", 1),
    "big-endian 16-bit TIFF": tiff(GREY.astype(np.uint16) * 257, ">", 1),
    "12-bit TIFF": tiff(np.frombuffer(TWELVE_BITS, np.uint8).reshape(3, 6), "<", 1, bits=12, width=4),
    "white is zero, 16 bits": tiff(65535 - GREY.astype(np.uint16) * 257, "<", 1, white_is_zero=True),
    "white is zero, 8 bits": tiff(255 - GREY, ">", 1, white_is_zero=True),
    "32-bit integers of 16 bits": tiff(GREY.astype(np.int32) * 257, ">", 2),
    "32-bit integers of 8 bits": tiff(GREY.astype(np.int32), "<", 2),
    "floats to 1": tiff((GREY / 255).astype(np.float32), "<", 3),
    "floats to 255": tiff(GREY.astype(np.float32), ">", 3),
}


@pytest.mark.parametrize("name", DEEP)
def test_one_picture_is_the_same_at_any_depth(name):
    np.testing.assert_array_equal(pixels_of(DEEP[name]), GREY)


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I;16L", "I;16N", "I", "F"])
def test_an_image_in_memory_is_the_same_at_any_depth(mode):
    values = GREY.astype(np.float32) if mode == "F" else GREY.astype(np.uint16) * 257
    if mode in ("I", "F"):
        image = Image.fromarray(values.astype(np.int32) if mode == "I" else values)
    else:
        order = ">u2" if mode == "I;16B" else "<u2"
        image = Image.frombytes(mode, (4, 3), values.astype(order).tobytes())
    np.testing.assert_array_equal(np.asarray(flat(image)), GREY)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "RGBa", "RGBX", "LA", "La", "PA", "P", "CMYK", "YCbCr", "HSV", "LAB"])
def test_an_image_of_any_colours_is_the_same(mode):
    """To rounding: some of these keep colours in coarser steps."""
    through = {"La": "LA", "RGBa": "RGBA", "PA": "P", "HSV": "RGB", "LAB": "RGB"}.get(mode)
    grey = Image.fromarray(GREY)
    image = grey.convert(through).convert(mode) if through else grey.convert(mode)
    read = np.asarray(flat(image).convert("L"), int)
    assert np.abs(read - GREY).max() <= 3


def test_of_two_colours_only_black_and_white_are_left():
    np.testing.assert_array_equal(np.asarray(flat(Image.fromarray(GREY > 50))), 255 * (GREY > 50))


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_the_transparent_value_of_a_grey_png_counts_in_its_own_steps(depth):
    """The shape is black on a transparent ground, stored as white."""
    top = (1 << depth) - 1
    bits = "".join(format(value, f"0{depth}b") for value in [top, 0, 0, top, top, top, 0, 0])
    row = int(bits, 2).to_bytes(len(bits) // 8, "big")
    with_white = pixels_of(png(depth, 0, [row], 8, struct.pack(">H", top)))
    np.testing.assert_array_equal(with_white, [[255, 0, 0, 255, 255, 255, 0, 0]])
    without_black = pixels_of(png(depth, 0, [row], 8, struct.pack(">H", 0)))
    np.testing.assert_array_equal(without_black, [[255, 0, 0, 255, 255, 255, 0, 0]])


def test_a_transparent_colour_of_16_bits():
    row = struct.pack(">6H", 0x8000, 0, 0, 0, 0, 0xFFFF)
    found = pixels_of(png(16, 2, [row], 2, struct.pack(">3H", 0x8000, 0, 0)))
    assert found[0].tolist() == [[255, 255, 255], [0, 0, 255]]


@pytest.mark.parametrize("ink", [0, 120, 215, 255])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_shapes_of_any_grey_on_nothing_are_seen(ink, soft, mode):
    """soft: the shape's edge fades into black that cannot be seen."""
    alpha = np.zeros((20, 20), np.uint8)
    alpha[5:15, 5:15] = 120 if soft else 255
    alpha[7:13, 7:13] = 255
    grey = np.where(alpha == 255, ink, ink // 2).astype(np.uint8)
    image = Image.merge("LA", (Image.fromarray(grey), Image.fromarray(alpha))).convert("RGBA")
    found = np.asarray(flat(image.quantize() if mode == "P" else image.convert(mode)).convert("L"), int)
    assert abs(found[10, 10] - found[0, 0]) >= 40


def test_opaque_paper_with_transparent_margins_stays_on_white():
    alpha = np.zeros((40, 40), np.uint8)
    alpha[4:36, 4:36] = 255
    grey = np.full((40, 40), 245, np.uint8)
    grey[10:30, 19:21] = 20
    assert np.asarray(flat(Image.merge("LA", (Image.fromarray(grey), Image.fromarray(alpha)))))[0, 0] == 255


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([False, True]), [0, 255]),
        (np.array([0, 1], np.uint8), [0, 1]),
        (np.array([0, 128, 129, 65535], np.uint16), [0, 0, 1, 255]),
        (np.array([0, 65535], ">u2"), [0, 255]),
        (np.array([0, 1], np.int64), [0, 255]),
        (np.array([0, 200], np.int16), [0, 200]),
        (np.array([0, 51400], np.uint32), [0, 200]),
        (np.array([0, 0.5, 1], np.float16), [0, 128, 255]),
        (np.array([0, 254.6]), [0, 255]),
    ],
)
def test_the_type_says_how_pixels_are_scaled(values, expected):
    assert eight_bits(values).tolist() == expected
    assert eight_bits(values).dtype == np.uint8


@pytest.mark.parametrize("wrong", [[-1, 3], [0, 70000], [0.0, 256.0], [0.0, np.nan], [np.inf, 0.0], [-0.2, 1.0]])
def test_what_is_out_of_range_is_refused(wrong):
    with pytest.raises(ValueError, match=r"are no pixels"):
        eight_bits(np.array(wrong))


def test_an_unknown_kind_of_pixels_is_refused():
    image = Image.new("L", (4, 4))
    image._mode = "X;7"
    with pytest.raises(DataError, match=r"the image is not a readable image .*kind that is not read, X;7"):
        read_image(image)


# --- files -------------------------------------------------------------------------------------------------


def save(path, image=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    (image or Image.fromarray(GREY).resize((24, 16))).save(path, **options)
    return path


def test_what_pillow_reads_is_read(tmp_path):
    colour = Image.fromarray(np.random.default_rng(0).integers(0, 255, (16, 16, 3), np.uint8))
    for number, ending in enumerate(["jfif", "jpe", "avif", "jp2", "j2k", "tga", "pcx", "PNG", "qoi", "ico", "psd"]):
        kind = {"jfif": "JPEG", "jpe": "JPEG"}.get(ending)
        if f".{ending}".lower() in endings() and ending not in ("psd", "qoi"):
            save(tmp_path / "x" / f"{number}.{ending}", colour.resize((16, 16 + number)), format=kind)
    assert {".jfif", ".jpe", ".jp2", ".psd", ".bmp", ".webp"} <= endings()
    assert not {".eps", ".ps", ".pdf", ".h5", ".mpg", ".wmf"} & endings()
    found = find_images(tmp_path)
    assert len(found["x"]) == len(list((tmp_path / "x").iterdir()))
    read_each([(str(path), path) for path in found["x"]], lambda image, _: image)


def test_files_that_look_like_images_are_counted_in_one_line(tmp_path):
    for name in ("1.png", "2.png"):
        save(tmp_path / "x" / name)
    (tmp_path / "x" / "photo.HEIC").write_bytes(b"any")
    (tmp_path / "x" / "drawing.svg").write_text("<svg/>")
    # a picture without an ending
    save(tmp_path / "x" / "scan.jpg").rename(tmp_path / "x" / "scan")
    save(tmp_path / "x" / "old.png").rename(tmp_path / "x" / "old.png~")
    for litter in ("notes.txt", ".DS_Store", "Thumbs.db", "._1.png", "desktop.ini"):
        (tmp_path / "x" / litter).write_bytes(b"\0\5litter")
    with pytest.warns(
        UserWarning, match=r"4 files look like images and are not read \(.*drawing\.svg.* and 1 more\)"
    ) as given:
        found = find_images(tmp_path)
    assert len(given) == 1
    assert [path.name for path in found["x"]] == ["1.png", "2.png"]


@pytest.mark.parametrize(
    "start", [b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"%PDF-1.4\n", b"SIMPLE  =", b""]
)
def test_no_other_program_is_started_whatever_a_file_is_named(start, tmp_path, monkeypatch):
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("a program is started"))
    monkeypatch.setattr(os, "system", lambda *_: pytest.fail("a program is started"))
    (tmp_path / "1.png").write_bytes(start + b"showpage\n" * 100)
    with pytest.raises(DataError, match=r"1\.png is not a readable image \(its format is not known\)"):
        read_image(tmp_path / "1.png")


def test_several_frames_or_pages_are_said_once(tmp_path):
    first, second = Image.fromarray(GREY), Image.fromarray(255 - GREY)
    names = ["a.gif", "b.tif", "c.png", "d.webp"]
    for name in names:
        first.save(
            tmp_path / name, save_all=True, append_images=[second], **({"lossless": True} if "webp" in name else {})
        )
    first.save(tmp_path / "single.gif")
    files = [(name, tmp_path / name) for name in [*names, "single.gif"]]
    with pytest.warns(
        UserWarning, match=r"4 images of several frames or pages, of which the first is used: a\.gif, b"
    ) as said:
        read = read_each(files, lambda image, _: np.asarray(image))
    assert len(said) == 1
    for pixels in read:
        np.testing.assert_array_equal(pixels, GREY)
    with Image.open(tmp_path / "b.tif") as opened:
        assert read_image(opened)[1] == ["of several frames or pages, of which the first is used"]
        # by whoever chose that page
        opened.seek(1)
        second_page, remarks = read_image(opened)
    assert not remarks
    np.testing.assert_array_equal(np.asarray(second_page), 255 - GREY)


def test_a_blank_picture_is_said(tmp_path):
    for number in range(2):
        save(tmp_path / "x" / f"{number}.png")
        save(tmp_path / "y" / f"{number}.png", Image.fromarray(GREY + np.uint8(number + 1)))
    save(tmp_path / "x" / "clear.png", Image.new("RGBA", (9, 9), (3, 90, 7, 0)))
    with pytest.warns(
        UserWarning, match=r"1 image of one single colour, or nearly, which shows nothing: .*x/clear\.png"
    ):
        assert load_folder(tmp_path, 6).train.images.shape[1] >= 2


def test_all_that_cannot_be_read_is_named_together(tmp_path):
    for name in "xy":
        for number in range(8):
            save(tmp_path / name / f"{number}.png")
            if number > 1:
                (tmp_path / name / f"{number}.png").write_bytes(b"no")
    with pytest.raises(DataError, match=r"x/2\.png is not .*; .*y/4\.png is not .* and 2 more\.$"):
        load_folder(tmp_path, 6)


def test_broken_exif_does_not_stop_a_picture():
    """Every byte of its EXIF in turn; the picture may be turned by what is left of it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "camera"
    exif[0x8769] = {0x9003: "2020:01:01 00:00:00", 0x829A: (1, 50)}
    whole, picture = exif.tobytes(), Image.fromarray(np.uint8(np.arange(256).reshape(8, 32)))
    turned = {(32, 8), (8, 32)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for kind in ("JPEG", "PNG", "WEBP"):
            for place in range(0, len(whole), 2):
                damaged = bytearray(whole)
                damaged[place] ^= 255
                for broken in (bytes(damaged), whole[:place]):
                    file = io.BytesIO()
                    picture.save(file, kind, exif=broken)
                    assert read_image(file)[0].size in turned
    file = io.BytesIO()
    picture.save(file, "JPEG", exif=whole)
    assert read_image(file)[0].size == (8, 32)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["png", "tif", "webp"])
def test_a_picture_is_upright_in_any_container(orientation, ending, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if ending == "webp" else {}
    Image.fromarray(GREY).save(tmp_path / f"a.{ending}", exif=exif, **options)
    expected = {1: GREY, 2: GREY[:, ::-1], 3: GREY[::-1, ::-1], 4: GREY[::-1], 5: GREY.T, 6: GREY[::-1].T,
                7: GREY[::-1, ::-1].T, 8: GREY.T[::-1]}  # fmt: skip
    np.testing.assert_array_equal(np.asarray(read_image(tmp_path / f"a.{ending}")[0]), expected[orientation])


@pytest.mark.parametrize("size", [(60_000, 20), (20, 60_000), (100_000, 1), (1, 1)])
def test_extreme_shapes_are_scaled_before_they_are_padded(size, monkeypatch):
    largest = []
    new = Image.new
    monkeypatch.setattr(Image, "new", lambda mode, size, *rest: largest.append(max(size)) or new(mode, size, *rest))
    strip = square(Image.fromarray(np.full(size[::-1], 90, np.uint8)), 35)
    assert (strip.shape, set(np.unique(strip)), max(largest) <= LARGEST) == ((35, 35, 3), {90}, True)


@pytest.mark.skipif(os.name != "posix", reason="names are text there")
def test_names_that_are_no_utf8_are_read_and_can_be_printed(tmp_path):
    for number, name in enumerate([b"caf\xe9", b"other"]):
        for image in range(2):
            folder = os.fsdecode(os.path.join(os.fsencode(tmp_path), b"d\xff", name))
            os.makedirs(folder, exist_ok=True)
            Image.fromarray(GREY + np.uint8(2 * number + image)).save(
                os.path.join(folder, os.fsdecode(b"\xe9%d.png" % image))
            )
    dataset = load_folder(os.fsdecode(os.path.join(os.fsencode(tmp_path), b"d\xff")), 4)
    names = [dataset.name, dataset.source, *dataset.train.characters, *dataset.val.characters]
    assert "caf\\xe9" in names
    assert "\n".join(names).encode()


@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_one_pixel_over_the_top_changes_no_other(kind):
    grey = np.arange(256).reshape(16, 16).astype(kind) / 255
    for low, high in ((0, 1.0000001), (-0.03, 1.04)):
        over = grey.copy()
        over[0, 0], over[-1, -1] = low, high
        np.testing.assert_array_equal(eight_bits(over), np.arange(256).reshape(16, 16))


def test_a_picture_of_next_to_nothing_is_said():
    faint = np.full((9, 9), 254, np.uint8)
    faint[3:6, 3:6] = 255
    assert read_image(Image.fromarray(faint))[1] == ["of one single colour, or nearly, which shows nothing"]
    faint[0, 0] = 250
    assert not read_image(Image.fromarray(faint))[1]


def test_signed_pixels_of_8_bits_are_refused(tmp_path):
    path = tmp_path / "signed.tif"
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(path, tiffinfo={339: 2})
    with pytest.raises(DataError, match=r"signed numbers of 8 bits: save it with 0 to 255"):
        read_image(path)


def test_a_white_drawing_with_a_few_dark_pixels_stays_on_black(tmp_path):
    drawing = np.zeros((50, 50, 4), np.uint8)
    drawing[20:30, 5:45] = drawing[5:45, 20:30] = 255
    drawing[22, 6:14, :3] = 0
    Image.fromarray(drawing).save(tmp_path / "cross.png")
    assert read_image(tmp_path / "cross.png")[0].getpixel((0, 0)) == 0
