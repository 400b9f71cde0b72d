"""What an open notebook shows while it is at work: an error as its sentence, and the curves of what is in training."""

from __future__ import annotations

import os
import time
from base64 import b64encode
from textwrap import fill
from types import TracebackType
from typing import Any

from IPython.core.getipython import get_ipython
from markupsafe import Markup

from ..errors import SiameseError
from ..training.store import Progress
from .rendering import piece

# seconds between two drawings, so that checks that follow quickly are not held up
PAUSE = 1.0
# pixels that a figure takes on the page; its PNG has more, for sharp screens
SHOWN_WIDTH = 780
# dots an inch: it is looked at for a moment
DPI = 98
# letters a line of an error's sentence
LINE = 80


def show_errors_as_sentences() -> None:
    """Make a notebook show an error that is the user's to mend without its traceback, as the command line does.

    The cell fails as it would: papermill and a batch see it. SIAMESE_DEBUG=1 shows the traceback.
    """
    if shell := get_ipython():
        shell.set_custom_exc((SiameseError,), _show_error)


def _show_error(
    shell: Any, kind: type[BaseException], error: BaseException, trace: TracebackType, tb_offset: int | None = None
) -> None:
    if os.environ.get("SIAMESE_DEBUG"):
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
    else:
        # JupyterLab would break a long line within a word
        words = fill(f"{kind.__name__}: {error}", LINE, break_long_words=False, break_on_hyphens=False)
        shell._showtraceback(kind, error, [words])


def is_live() -> bool:
    """Say whether somebody may be looking on: in a kernel, but not a batch's, which sets SIAMESE_LIVE_CURVES to 0."""
    return hasattr(get_ipython(), "kernel") and os.environ.get("SIAMESE_LIVE_CURVES") != "0"


class LiveCurves:
    """The curves of trainings that are going on, as a picture for the page; "" where nobody looks on."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, int], list[Progress]] = {}
        self._drawn, self._picture = -PAUSE, Markup()

    def after(self, progress: Progress) -> Markup:
        """Return the picture after one check more, or the last one where that has only just been drawn."""
        if not is_live():
            return Markup()
        self._told.setdefault((progress.name, progress.seed), []).append(progress)
        if time.monotonic() - self._drawn >= PAUSE:
            # Matplotlib takes a second to import
            from .plots.curves import curves_so_far
            from .plots.style import to_png

            png = b64encode(to_png(curves_so_far(list(self._told.values())), DPI)).decode()
            alt = f"Loss, and accuracy where it is checked, of what is in training: {progress}. Earlier runs are grey."
            self._picture = piece("image", png, alt, SHOWN_WIDTH, [])
            self._drawn = time.monotonic()
        return self._picture
