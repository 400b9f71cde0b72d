"""How every figure looks, and what several have in common; readable without colour, small as a PNG."""

import io
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeAlias

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike
from PIL import Image
from scipy.optimize import isotonic_regression

from ...evidence.estimates import CHANCE

# inches; a page shows 780 pixels, and sharp screens have two for each
WIDTH = 8.0
DPI = 195
COLOURS = 64
INK, BLUE, ORANGE, GREY = "#21242a", "#1f5a85", "#c0651a", "#8a8f98"
PALE_BLUE, PALE_GREY = "#eef3f7", "#e4e2dd"
# how a line or a marker looks, as matplotlib takes it
Look: TypeAlias = dict[str, Any]
GUESSING = f"chance, {CHANCE:g} %"
DOTTED: Look = {"color": INK, "linewidth": 0.8, "linestyle": (0, (1, 2))}
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": PALE_GREY,
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.8,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
}

P = ParamSpec("P")


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw under the project's style, whatever the caller's own settings are."""

    @wraps(draw)
    def styled(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with mpl.rc_context(STYLE):
            return draw(*args, **kwargs)

    return styled


def to_png(figure: Figure, dpi: int = DPI) -> bytes:
    """Save the figure as a PNG of few colours, which keeps a report of dozens of figures small."""
    with mpl.rc_context(STYLE):
        raw, packed = io.BytesIO(), io.BytesIO()
        figure.savefig(raw, format="png", dpi=dpi, facecolor="white")
    Image.open(raw).convert("RGB").quantize(COLOURS, kmeans=2, dither=Image.Dither.NONE).save(
        packed, "png", optimize=True
    )
    return packed.getvalue()


# ---- notes: what a page says of a point under the mouse ------------------------------------------


def note(ax: Axes, x: float, y: float, words: str) -> None:
    """Keep words about a point of an axes, in data coordinates; a point without a place, such as a NaN, has none."""
    vars(ax).setdefault("notes", []).append((x, y, words))


def notes_of(figure: Figure) -> list[tuple[float, float, str]]:
    """List the notes of a figure that has been drawn, by `to_png`: x, y as fractions from its top left, and the words.

    >>> notes_of(empty_figure())
    []
    """
    found = []
    for ax in figure.axes:
        for x, y, words in vars(ax).get("notes", []):
            right, up = ax.transData.transform((x, y)) / figure.bbox.size
            if not (np.isfinite(right) and np.isfinite(up)):
                continue
            found.append((round(float(right), 4), round(1 - float(up), 4), str(words)))
    return found


# ---- what several figures have in common ---------------------------------------------------------


def look_of(number: int) -> Look:
    """Choose colour, dash and marker of a figure's line by its number, from 0; the first 16 differ in two of them."""
    colours, dashes = (INK, BLUE, ORANGE, GREY), ("-", "--", "-.", ":")
    dash = dashes[(number + number // 4) % 4]
    return {"color": colours[number % 4], "linestyle": dash, "marker": "osD^vP*X"[number % 8]}


def new_figure(height: float) -> Figure:
    """Make an empty figure of the page's width; height in inches."""
    return Figure(figsize=(WIDTH, height), layout="constrained")


def empty_figure(words: str = "no run yet", height: float = 3.9) -> Figure:
    """Make a figure that says why it shows nothing."""
    figure = new_figure(height)
    figure.text(0.5, 0.5, words, ha="center", va="center", fontsize=11, color=GREY)
    return figure


def dot_rows(labels: Sequence[str], *, ylabel: str, xlabel: str, each: float = 0.27) -> tuple[Figure, Axes]:
    """Begin a dot plot of values in %, without its dots yet: a labelled row each, the first on top.

    each  the height of a row in inches
    """
    figure = new_figure(1.2 + each * len(labels))
    ax = figure.subplots()
    ax.set_yticks(range(len(labels)), labels)
    ax.set(xlim=(0, 100), ylim=(len(labels) - 0.4, -0.6), xlabel=xlabel, ylabel=ylabel)
    return figure, ax


def with_intervals(ax: Axes, places: ArrayLike, *values: pd.Series, upright: bool = False, **style: Any) -> None:
    """Draw markers with whiskers, which lie along the x axis, or stand upright; values: value, low and high."""
    value, low, high = (column.to_numpy(float) for column in values)
    whiskers = np.maximum(0, [value - low, high - value])
    style = {"linestyle": "", "markersize": 5, "capsize": 2.5, **style}
    if upright:
        ax.errorbar(places, value, yerr=whiskers, **style)
    else:
        ax.errorbar(value, places, xerr=whiskers, **style)


def chance_line(ax: Axes, *, upright: bool = False) -> None:
    """Draw a dotted line where guessing is, in 20-way episodes."""
    (ax.axvline if upright else ax.axhline)(CHANCE, label=GUESSING, **DOTTED)


def legend(figure: Figure, entries: Mapping[str, Look] | None = None) -> None:
    """Put one legend above all panels: words and the style of their line, or whatever has a label."""
    place: Look = {"loc": "outside upper center", "ncols": 5, "columnspacing": 1.4, "handlelength": 1.8}
    if entries is None:
        figure.legend(**place)
    else:
        figure.legend([Line2D([], [], **style) for style in entries.values()], list(entries), **place)


def square_root_axis(ax: Axes, end: int, between: float = 0.13) -> None:
    """Make x a square root's axis from 0 to the last iteration, with ticks at round ones.

    between  the least distance of two ticks, as a part of the axis
    """
    end = max(end, 1)
    ax.set_xscale("function", functions=(lambda x: np.sqrt(np.maximum(x, 0)), np.square))
    ax.set_xlim(0, end)
    ticks = [end]
    for tick in (digit * 10**power for power in range(6, -1, -1) for digit in (5, 2, 1)):
        if (ticks[-1] / end) ** 0.5 - (tick / end) ** 0.5 >= between <= (tick / end) ** 0.5:
            ticks.append(tick)
    ax.set_xticks([0, *reversed(ticks)], ["0", *(f"{tick:,}" for tick in reversed(ticks))])


def end_labels(ax: Axes, ends: Sequence[tuple[float, float, str]], height: float, size: float = 8) -> None:
    """Write words at the right of an axes, as near to their points as they fit; a thin line leads from each to its own.

    ends    x, y in data coordinates, and the words
    height  of the axes in inches, about
    """
    # asked for, the limits are settled
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    ax.set(xlim=(left, right), ylim=(low, high))
    to_axes = ax.transScale + ax.transLimits
    # of points as high as one another, the left one has its words above: no line crosses a mark
    ends = sorted(ends, key=lambda end: -end[0])
    heights = [round(float(to_axes.transform((x, y))[1]), 2) for x, y, _ in ends]
    line: Look = {"arrowstyle": "-", "color": GREY, "linewidth": 0.6, "shrinkA": 1, "shrinkB": 3, "relpos": (0, 0.5)}
    place: Look = {"textcoords": "axes fraction", "va": "center", "annotation_clip": False, "fontsize": size}
    for (x, y, words), up in zip(ends, spread(heights, 1.25 * size / 72 / height), strict=True):
        ax.annotate(words, (x, y), (1.06, up), arrowprops=line, **place)


def spread(values: Sequence[float], gap: float) -> list[float]:
    """Move values between 0 and 1 apart, by as little as possible and in their order, until all differ by the gap.

    Least squares: isotonic regression of what is left after the gaps.
    """
    order, gaps = np.argsort(values, kind="stable"), gap * np.arange(len(values))
    placed = np.empty(len(values))
    if len(values):
        level = isotonic_regression(np.asarray(values)[order] - gaps).x
        placed[order] = np.clip(level, 0, max(0, 1 - gap * (len(values) - 1))) + gaps
    return placed.tolist()
