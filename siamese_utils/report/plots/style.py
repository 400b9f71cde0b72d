"""How every figure looks: width, colours, type; readable without colour, small as a PNG."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

import matplotlib as mpl
from matplotlib.figure import Figure
from PIL import Image

WIDTH = 8.0  # inches
DPI = 130
CHANCE = 100 / 20  # % of 20-way episodes that guessing answers correctly
INK, BLUE, ORANGE, GREY = "#21242a", "#1f5a85", "#c0651a", "#8a8f98"
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
