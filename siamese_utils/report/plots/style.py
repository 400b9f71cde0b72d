"""How every figure looks, and what several have in common; readable without colour, small as a PNG."""

from __future__ import annotations

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

# inches
WIDTH = 8.0
DPI = 130
# % of 20-way episodes that guessing answers correctly
CHANCE = 100 / 20
INK, BLUE, ORANGE, GREY = "#21242a", "#1f5a85", "#c0651a", "#8a8f98"
# how a line or a marker looks, as matplotlib takes it
Look: TypeAlias = dict[str, Any]
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
    "grid.color": "#e4e2dd",
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
    """The figure as a PNG of at most 256 colours, which keeps a report of dozens of figures small."""
    with mpl.rc_context(STYLE):
        raw, packed = io.BytesIO(), io.BytesIO()
        figure.savefig(raw, format="png", dpi=dpi, facecolor="white")
    Image.open(raw).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(packed, "png", optimize=True)
    return packed.getvalue()


# ---- what several figures have in common ---------------------------------------------------------


def new_figure(height: float) -> Figure:
    """An empty figure of the page's width; height in inches."""
    return Figure(figsize=(WIDTH, height), layout="constrained")


def empty_figure(words: str = "no run yet", height: float = 3.9) -> Figure:
    """A figure that says why it shows nothing."""
    figure = new_figure(height)
    figure.text(0.5, 0.5, words, ha="center", va="center", fontsize=11, color=GREY)
    return figure


def dot_rows(labels: Sequence[str], *, ylabel: str, xlabel: str, each: float = 0.27) -> tuple[Figure, Axes]:
    """A dot plot of values in %, without its dots yet: a labelled row each, the first on top.

    each  the height of a row in inches
    """
    figure = new_figure(1.2 + each * len(labels))
    ax = figure.subplots()
    ax.set_yticks(range(len(labels)), labels)
    ax.set(xlim=(0, 100), ylim=(len(labels) - 0.4, -0.6), xlabel=xlabel, ylabel=ylabel)
    return figure, ax


def with_intervals(ax: Axes, places: ArrayLike, *values: pd.Series, upright: bool = False, **style: Any) -> None:
    """Markers with whiskers, which lie along the x axis, or stand upright; values: value, low and high."""
    value, low, high = (column.to_numpy(float) for column in values)
    whiskers = np.maximum(0, [value - low, high - value])
    style = {"linestyle": "", "markersize": 5, "capsize": 2.5, **style}
    if upright:
        ax.errorbar(places, value, yerr=whiskers, **style)
    else:
        ax.errorbar(value, places, xerr=whiskers, **style)


def chance_line(ax: Axes, *, upright: bool = False) -> None:
    """A dotted line where guessing is, in 20-way episodes."""
    (ax.axvline if upright else ax.axhline)(CHANCE, label="chance, 5 %", **DOTTED)


def legend(figure: Figure, entries: Mapping[str, Look] | None = None) -> None:
    """One legend above all panels: words and the style of their line, or whatever has a label."""
    if entries is None:
        figure.legend(loc="outside upper center", ncols=4)
    else:
        handles = [Line2D([], [], **style) for style in entries.values()]
        figure.legend(handles, list(entries), loc="outside upper center", ncols=4)
