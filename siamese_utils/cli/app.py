"""The command line's entry point, and how errors and interruptions end.

Exit codes: 0 all went well, 1 a notebook failed, 2 wrong input or missing data (one sentence says what to do),
130 interrupted (what was trained is kept; the same command goes on from there).
"""

from __future__ import annotations

import signal
import sys
import warnings
from collections.abc import Callable
from types import FrameType

import typer
from rich.markup import escape

from ..errors import SiameseError
from . import pages, training, use
from .shared import errors

EXAMPLES: dict[Callable[..., None], str] = {
    training.data: "siamese data --source ~/Downloads/omniglot",
    training.run: "siamese run baseline dense-512 --profile laptop --seed 0 --seed 1",
    pages.batch: "siamese batch --profile laptop --notebook 05",
    pages.report: "siamese report --profile laptop",
    pages.reproduce: "siamese reproduce --profile paper",
    pages.scoreboard: "siamese scoreboard --check",
    training.status: "siamese status --profile paper",
    training.fidelity: "siamese fidelity baseline mlp --figure curves.png",
    training.factorial: "siamese factorial --profile laptop",
    training.learn: "siamese learn loss-prototype --profile laptop -o model.keras",
    use.embed: "siamese embed a.png b.png -m model.keras -o embeddings.csv",
    use.compare: "siamese compare a.png b.png -m model.keras",
    use.classify: "siamese classify query.png --support letters/ -m model.keras",
}

app = typer.Typer(
    help="A reproducible companion to the paper “Architectures for Siamese Neural Networks”.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
for command, example in EXAMPLES.items():
    app.command(epilog=f"Example: `{example}`")(command)


def main() -> None:
    """Entry point: a user's error is one sentence on stderr and exit code 2, never a traceback."""
    warnings.showwarning = _show_warning
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        app()
    except SiameseError as error:
        errors.print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True)
        sys.exit(2)
    except (KeyboardInterrupt, SystemExit) as end:
        # Typer makes an exit of 130 of an interruption
        if isinstance(end, SystemExit) and end.code != 130:
            raise
        errors.print(
            "interrupted: a run is kept up to its last check, and the same command goes on from there; "
            "a method beyond the paper starts anew.",
            soft_wrap=True,
        )
        sys.exit(130)


def _interrupt(signum: int, frame: FrameType | None) -> None:
    """What a cluster's SIGTERM means here: the same as Ctrl-C."""
    raise KeyboardInterrupt


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """A warning as one line, without the place in the code that gave it."""
    errors.print(f"[yellow]note:[/] {escape(str(message))}", soft_wrap=True)
