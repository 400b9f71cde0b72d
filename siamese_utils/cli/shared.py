"""What several commands share: options, consoles, a progress display."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import progress
from rich.console import Console

if TYPE_CHECKING:
    from ..training.runs import Run
    from ..training.store import Job

out = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def say(words: object, console: Console = out) -> None:
    """Print words as they are, whatever they hold: a file's name may look like markup, and a line is not broken."""
    console.print(words, markup=False, soft_wrap=True)


def each_once(values: list[Any] | None) -> list[Any] | None:
    """Keep each value of an option that may be repeated once, in their order."""
    return values and list(dict.fromkeys(values))


ProfileOption = Annotated[str, typer.Option("--profile", "-p", help="demo, laptop, paper, or a YAML file's path.")]
SeedsOption = Annotated[
    list[int] | None,
    typer.Option(
        "--seed", "-s", min=0, max=2**32 - 1, callback=each_once, help="Repeat for several; default: the profile's."
    ),
]
ModelOption = Annotated[
    Path | None,
    typer.Option(
        "--model",
        "-m",
        help="A model's file, as `siamese learn -o` writes it; default: the one in the package.",
    ),
]


def display() -> progress.Progress:
    """Make a progress display: what, how far, how long, and a note."""
    return progress.Progress(
        progress.SpinnerColumn(),
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        progress.TextColumn("{task.fields[what]}", markup=False),
        console=out,
    )


def complete_jobs(jobs: Sequence[Job]) -> list[Run]:
    """Find the runs of the jobs; those not on disk are trained now, under a progress display."""
    from ..training.store import Progress, complete

    with display() as shown:
        whole = shown.add_task("runs", total=len(jobs), what="")
        bar = shown.add_task("", total=None, visible=False, what="")

        def show(number: int, count: int, now: Progress) -> None:
            what = f"loss {now.loss:.3f}" + ("" if now.accuracy is None else f"  val {now.accuracy:.1%}")
            shown.update(whole, completed=len(jobs) - count + number - 1)
            name = f"{now.name}, seed {now.seed}"
            shown.update(bar, description=name, total=now.steps, completed=now.step, visible=True, what=what)

        runs = complete(jobs, show)
        shown.update(whole, completed=len(jobs))
        shown.update(bar, visible=False)
    return runs
