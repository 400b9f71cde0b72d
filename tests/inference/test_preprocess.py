"""Anybody's drawing: its ink found on any paper, in any colour, with any pen, and brought to Omniglot's."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from siamese_utils.data.omniglot import load as load_omniglot
from siamese_utils.errors import DataError
from siamese_utils.inference.preprocess import PENS, drawing, pen_width

DARK, LIGHT = (20, 20, 20), (250, 250, 250)


def hook(side=240, pen=9, ink=DARK, paper=LIGHT):
    """A character of two strokes, as a paint program draws it."""
    image = Image.new("RGB", (side, round(1.3 * side)), paper)
    pencil, at = ImageDraw.Draw(image), side / 10
    pencil.line([(3 * at, 3 * at), (7 * at, 3 * at), (4 * at, 8 * at)], fill=ink, width=pen, joint="curve")
    pencil.line([(2 * at, 6 * at), (8 * at, 6 * at)], fill=ink, width=pen)
    return image


def lit(image, light):
    """The image under a light (height, width) between 0 and 1."""
    return Image.fromarray(np.uint8(np.asarray(image, np.float64) * light[..., None]))


def ramp(image):
    return np.tile(np.linspace(1, 0.35, image.width), (image.height, 1))


def vignette(image):
    down, across = np.mgrid[-1 : 1 : image.height * 1j, -1 : 1 : image.width * 1j]
    return 1 - 0.6 * np.clip((down**2 + across**2) / 2, 0, 1)


def shadow(image):
    return np.where(np.arange(image.width) < image.width // 2, 1.0, 0.6) * np.ones((image.height, 1))


def alike(image, other=None):
    """The part of the ink that two drawings share, at 50 × 50 pixels."""
    first, second = (drawing(e, 50) < 128 for e in (image, other or hook()))
    return (first & second).sum() / max((first | second).sum(), 1)


def test_a_drawing_is_cut_to_its_ink_and_centred():
    image = Image.new("L", (300, 200), 255)
    ImageDraw.Draw(image).rectangle((200, 120, 239, 179), fill=0)
    pixels = drawing(image, 50)
    rows, columns = np.nonzero(pixels < 128)
    # 0.7 of the side
    assert rows.max() - rows.min() + 1 == pytest.approx(35, abs=1)
    assert abs((rows.min() + rows.max()) / 2 - 24.5) <= 1
    assert abs((columns.min() + columns.max()) / 2 - 24.5) <= 1
    with pytest.raises(DataError, match=r"blank\.png shows no drawing"):
        drawing(Image.new("L", (30, 30), 250), 20, "blank.png")


@pytest.mark.parametrize("light", [ramp, vignette, shadow])
def test_paper_may_be_lit_unevenly(light):
    assert alike(lit(hook(), light(hook()))) > 0.85


def test_specks_and_what_reaches_in_from_the_border_are_no_strokes():
    dirty = np.array(hook())
    for row, column in [(20, 30), (25, 200), (300, 60), (290, 220)]:
        dirty[row : row + 2, column : column + 2] = 60
    dirty[-30:, :12] = 40
    assert alike(Image.fromarray(dirty)) > 0.95
    # all of its strokes reach the border
    tight = hook().crop((44, 68, 194, 196))
    assert alike(tight) > 0.7


@pytest.mark.parametrize("wide", [4, 12, 24])
def test_a_dark_frame_around_the_sheet_is_no_stroke(wide):
    framed = np.array(hook())
    framed[:wide], framed[-wide:], framed[:, :wide], framed[:, -wide:] = 30, 30, 30, 30
    assert alike(Image.fromarray(framed)) > 0.95
    # a square: all the ink there is
    alone = np.full((100, 100, 3), 250, np.uint8)
    alone[:wide], alone[-wide:], alone[:, :wide], alone[:, -wide:] = 30, 30, 30, 30
    # and a speck
    alone[48:50, 48:50] = 30
    ink = drawing(Image.fromarray(alone), 50) < 128
    assert ink[:25].any(axis=0).sum() > 30
    assert ink[:, 25:].any(axis=1).sum() > 30
    assert not ink[22:28, 22:28].any()


@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        (LIGHT, DARK),
        ((255, 255, 128), (255, 255, 255)),
        ((0, 128, 0), (200, 40, 40)),
        ((0, 128, 255), (208, 64, 48)),
    ],
)
def test_ink_may_have_any_colour_that_the_paper_has_not(ink, paper):
    assert alike(hook(ink=ink, paper=paper)) > 0.95


@pytest.mark.parametrize(("side", "pen"), [(240, 1), (240, 3), (240, 22), (1000, 2), (4000, 3), (30, 2)])
def test_a_pen_much_thinner_or_thicker_than_omniglots_is_brought_to_theirs(side, pen):
    pixels = drawing(hook(side, pen), 105)
    # lines of other places and widths share less than all of their ink, but far more than lines of another character
    assert alike(hook(side, pen)) > 3 * alike(hook(side, pen).rotate(90, expand=True, fillcolor=LIGHT))
    width = pen_width(pixels < 128) / (0.7 * 105)
    assert 0.8 * PENS[0] < width < 1.2 * PENS[1]


@pytest.mark.real_data
def test_characters_of_omniglot_keep_their_strokes():
    images = load_omniglot().train.images[::80, 0]
    shares = []
    for image in images:
        kept = drawing(Image.fromarray(image), 105) < 128
        rows, columns = np.nonzero(image < 128)
        cut = Image.fromarray(image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1])
        rows, columns = np.nonzero(kept)
        fitted = cut.resize((np.ptp(columns) + 1, np.ptp(rows) + 1), Image.Resampling.BOX)
        there = kept[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        ink = np.asarray(fitted) < 128
        shares.append((there & ink).sum() / (there | ink).sum())
    assert np.median(shares) > 0.85
