"""The command line's entry point; how a command ends is in `boundary`.

Exit codes: 0 all went well, 1 a notebook failed, 2 wrong input or missing data (one sentence says what to do),
130 interrupted (what was trained is kept; the same command goes on from there).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

import siamese_utils

from . import pages, sharing, training, use, verify
from .boundary import guarded, prepare

EXAMPLES: dict[Callable[..., None], str] = {
    training.data: "siamese data --source ~/Downloads/omniglot",
    training.run: "siamese run baseline dense-512 --profile laptop --seed 0 --seed 1",
    pages.batch: "siamese batch --profile laptop --notebook 05",
    pages.report: "siamese report --profile laptop",
    pages.reproduce: "siamese reproduce --profile paper",
    pages.notebooks: "siamese notebooks course",
    pages.scoreboard: "siamese scoreboard --check",
    training.status: "siamese status --profile paper",
    verify.verify: "siamese verify --profile laptop --retrain 1",
    sharing.export: "siamese export --profile laptop -o study/",
    training.fidelity: "siamese fidelity baseline mlp --figure curves.png",
    training.factorial: "siamese factorial --profile laptop",
    training.learn: "siamese learn loss-prototype --profile laptop -o model.keras",
    sharing.copies: "siamese copies -o class/",
    sharing.slides: "siamese slides --profile laptop -n 04",
    use.embed: "siamese embed a.png b.png -o embeddings.csv",
    use.compare: "siamese compare a.png b.png",
    use.classify: "siamese classify query.png --support letters/",
}

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"siamese-utils {siamese_utils.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """A reproducible companion to the paper “Architectures for Siamese Neural Networks”."""


for command, example in EXAMPLES.items():
    app.command(epilog=f"Example: `{example}`")(guarded(command))


def main() -> None:
    """Run the command line."""
    prepare()
    app()
