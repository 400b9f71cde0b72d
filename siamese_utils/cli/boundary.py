"""How every command ends: what a user can put right is a sentence, exit code 2; an interruption is told, exit code 130.

SIAMESE_DEBUG=1 shows the traceback, too.
"""

from __future__ import annotations

import errno
import functools
import os
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from types import FrameType

import typer

from ..errors import SiameseError, missing_extra
from .shared import errors, say

INTERRUPTED = (
    "interrupted: what was trained is kept up to its last check, and the same command goes on from there; a notebook "
    "that was at work counts as interrupted, and is executed again."
)
# commands that train nothing
QUICK = ("data", "report", "scoreboard", "status", "fidelity", "embed", "compare", "classify", "copies", "slides",
         "export")  # fmt: skip
INTERRUPTIONS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
# seconds for a clean end, in which no second interruption is heard; when the last one was
PATIENCE = 5.0
_heard: dict[str, float] = {}
# what a system says of a file → what to do
REMEDIES = {
    **dict.fromkeys(
        (errno.ENOSPC, errno.EDQUOT),
        "make room there, or set SIAMESE_REPORTS_DIR and SIAMESE_CACHE_DIR to folders with more",
    ),
    errno.EROFS: "set SIAMESE_REPORTS_DIR and SIAMESE_CACHE_DIR to folders that can be written",
    **dict.fromkeys((errno.EACCES, errno.EPERM), "change its rights, or choose another place"),
    errno.ENOENT: "check its name",
    errno.ENOTDIR: "a file is in the way: move it elsewhere",
    errno.EISDIR: "a folder is in the way: move it elsewhere",
    **dict.fromkeys((errno.EEXIST, errno.ENOTEMPTY), "move what is there elsewhere"),
    errno.ENAMETOOLONG: "choose a shorter name",
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "close other programs, or raise the limit of open files (ulimit -n)"),
    errno.ENOLCK: "set SIAMESE_REPORTS_DIR and SIAMESE_CACHE_DIR to folders on a local disk",
}


def prepare() -> None:
    """Print whatever name a file has, tell warnings in one line, take SIGTERM and a terminal's end for Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    warnings.showwarning = _show_warning
    for number in INTERRUPTIONS:
        # who starts a command in the background, or with nohup, has told it to ignore Ctrl-C, or the terminal's end
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command its ends: see the head of this module."""

    @functools.wraps(command)
    def run(**options: object) -> None:
        try:
            command(**options)
        except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError, SystemExit):
            raise
        except KeyboardInterrupt:
            say("interrupted." if command.__name__ in QUICK else INTERRUPTED, errors)
            raise typer.Exit(130) from None
        except BaseException as error:
            if os.environ.get("SIAMESE_DEBUG"):
                traceback.print_exc()
            errors.print("[bold red]error:[/] ", end="")
            say(in_words(error), errors)
            raise typer.Exit(2) from None

    return run


def in_words(error: BaseException) -> str:
    """Say what went wrong and what to do, in a sentence."""
    if isinstance(error, SiameseError):
        return str(error)
    if isinstance(error, ModuleNotFoundError) and (words := missing_extra(error.name)):
        return words
    if isinstance(error, OSError) and error.errno:
        files = " and ".join(str(file) for file in (error.filename, error.filename2) if file is not None)
        remedy = REMEDIES.get(error.errno, "try again, or choose another place")
        return f"{files or 'a file'}: {error.strerror} ({remedy})."
    if isinstance(error, MemoryError):
        return f"not enough memory ({error}): close other programs, or take fewer or smaller images."
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said[:500]} (not foreseen; SIAMESE_DEBUG=1 shows where it was raised)."


def _interrupt(signum: int, frame: FrameType | None) -> None:
    """Interrupt, but not twice within seconds: a second would end the clean end that the first one began."""
    now = time.monotonic()
    if now - _heard.get("last", -PATIENCE) < PATIENCE:
        return
    _heard["last"] = now
    raise KeyboardInterrupt


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Print a warning as one line, without the place in the code that gave it."""
    errors.print("[yellow]note:[/] ", end="")
    say(str(message), errors)
