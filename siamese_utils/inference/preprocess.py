"""Anybody's drawing brought to what Omniglot's look like: dark ink on white, centred, of their extent and pen."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

from ..errors import DataError

# the part of an image's side that the ink is scaled to, about that of Omniglot's characters
INK_SIDE = 0.7
# the middle width of Omniglot's strokes, as a part of the longer side of the ink
PEN = 0.075
# widths that are left as they are: those of nine in ten of its characters
PENS = (0.055, 0.12)
# grey levels that ink must differ from the paper around it
FAINT = 25
# the part of the ink that may be the edge of a shadow or of a scan
BORDER_PART = 0.3
# the part of an image's border that is ink where something lies around the paper
FRAME_PART = 0.75
# the part of an image's longer side that a character within a frame has at least
FRAMED = 0.25
# pixels a side, for the sake of time
LARGEST = 1600
# pixels a side, at least, that the ink is measured at
MEASURED = 210


def drawing(image: Image.Image, size: int, name: str = "the image") -> np.ndarray:
    """Bring a drawing to what Omniglot's are: (size, size) uint8, 0 ink to 255 paper.

    Ink is what stands out from the paper around it in any colour, dark on light or light on dark; the threshold is
    Otsu's (N. Otsu, 1979). Thin and thick pens are brought to PEN. Raises DataError where there is no ink.
    """
    image = image.convert("RGB")
    image = image.reduce(-(-max(image.size) // LARGEST))
    contrast = _contrast(np.asarray(image, np.float32))
    if contrast.max() < FAINT:
        raise DataError(f"{name} shows no drawing: nothing in it stands out from its paper.")
    threshold = max(_otsu(contrast), FAINT / 2)
    contrast = np.where(_stray(contrast > threshold), 0, contrast)
    contrast = contrast[_box(contrast > threshold)]
    # enlarged, so that a pen can be a part of a pixel
    factor = -(-MEASURED // max(contrast.shape))
    grey = Image.fromarray(contrast).resize(
        (contrast.shape[1] * factor, contrast.shape[0] * factor), Image.Resampling.BICUBIC
    )
    ink = _with_pen(np.asarray(grey) > threshold)
    ink = ink[_box(ink)]
    side = round(max(ink.shape) / INK_SIDE)
    paper = np.full((side, side), 255, np.uint8)
    top, left = (side - ink.shape[0]) // 2, (side - ink.shape[1]) // 2
    paper[top : top + ink.shape[0], left : left + ink.shape[1]][ink] = 0
    return np.asarray(Image.fromarray(paper).resize((size, size), Image.Resampling.BOX))


def pen_width(ink: np.ndarray) -> float:
    """Measure the median width of the strokes of (height, width) bool ink, in pixels.

    It is twice the distance of their middle lines to the paper.
    """
    return 2 * float(np.median(_middle_lines(ink))) - 1


def _contrast(pixels: np.ndarray) -> np.ndarray:
    """Measure how far each pixel is from its paper: (height, width, 3) → (height, width), the most of its colours.

    The paper is what is left where dark strokes are closed, or light ones opened, with a square larger than any pen: it
    may be lit unevenly. What covers less than half of a colour's range below its median is dark ink.
    """
    window = max(3, round(max(pixels.shape[:2]) / 3))
    found = []
    for colour in np.moveaxis(pixels, -1, 0):
        middle = np.median(colour)
        if middle - colour.min() >= colour.max() - middle:
            found.append(ndimage.grey_closing(colour, size=window, mode="nearest") - colour)
        else:
            found.append(colour - ndimage.grey_opening(colour, size=window, mode="nearest"))
    return np.asarray(np.max(found, axis=0))


def _stray(ink: np.ndarray) -> np.ndarray:
    """Find what is no stroke, (height, width) bool: specks, and what reaches in from the image's border.

    A speck is smaller than half a square of the pen's width. What touches the border stays if it is a good part of the
    ink and no frame. A frame lies along most of the border, with a character's worth of ink within: a square within a
    square that fills the image is taken for one.
    """
    parts, count = ndimage.label(ink, np.ones((3, 3)))
    areas = np.bincount(parts.ravel(), minlength=count + 1)
    border = np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])
    from_border = np.zeros(count + 1, bool)
    from_border[border] = True
    from_border[0] = False
    inside = ink & ~from_border[parts]
    framed = (
        (border > 0).mean() > FRAME_PART and inside.any() and max(inside[_box(inside)].shape) > FRAMED * max(ink.shape)
    )
    if not framed and areas[from_border].sum() > BORDER_PART * areas[1:].sum():
        from_border[:] = False
    specks = areas < pen_width(ink & ~from_border[parts]) ** 2 / 2
    return np.asarray(ink & (specks | from_border)[parts])


def _box(ink: np.ndarray) -> tuple[slice, slice]:
    """Find the part of an image that holds its ink."""
    rows, columns = np.nonzero(ink.any(axis=1))[0], np.nonzero(ink.any(axis=0))[0]
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _with_pen(ink: np.ndarray) -> np.ndarray:
    """Bring strokes much thinner or thicker than Omniglot's to their middle width."""
    longer, width = max(ink.shape), pen_width(ink)
    least, most = (part * longer for part in PENS)
    if width < least:
        margin = (PEN * longer - width) / 2
        wide = np.pad(ink, int(np.ceil(margin)))
        return np.asarray(ndimage.distance_transform_edt(~wide) <= margin)
    if width > most:
        thinnest = float(np.quantile(_middle_lines(ink), 0.1))
        # no stroke is rubbed out
        margin = min((width - PEN * longer) / 2, 0.8 * thinnest)
        return np.asarray(_distances(ink) > margin)
    return ink


def _middle_lines(ink: np.ndarray) -> np.ndarray:
    """Measure the distances to the paper of the pixels that lie on the middle lines of the strokes."""
    distances = _distances(ink)
    return np.asarray(distances[ink & (distances == ndimage.maximum_filter(distances, 3))])


def _distances(ink: np.ndarray) -> np.ndarray:
    """Measure the distance of every pixel of ink to the paper, which begins beyond the image's border at the latest."""
    return np.asarray(ndimage.distance_transform_edt(np.pad(ink, 1))[1:-1, 1:-1])


def _otsu(values: np.ndarray) -> float:
    """Find the threshold that parts values of 0 to 255 into two groups of least variance within."""
    counts, edges = np.histogram(values, bins=256, range=(0, 256))
    levels, below = edges[:-1], np.cumsum(counts)
    total, sums = below[-1], np.cumsum(counts * edges[:-1])
    above = total - below
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(levels[np.nanargmax(between)])
