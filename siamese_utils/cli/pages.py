"""Commands that execute notebooks and build pages: `batch`, `report`, `reproduce`, `scoreboard`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from .shared import ProfileOption, SeedsOption, display, errors, out

if TYPE_CHECKING:
    from ..report.batch import Outcome

NotebooksOption = Annotated[
    list[str], typer.Option("--notebook", "-n", help="Name, number or topic; repeat for several; default: all.")
]
ExperimentsOption = Annotated[
    list[str], typer.Option("--experiment", "-e", help="Show only these; repeat for several; default: all.")
]
TrainingOption = Annotated[
    bool, typer.Option("--training/--no-training", help="Whether what is missing is trained, or left out.")
]
TimeoutOption = Annotated[int | None, typer.Option(help="Seconds that a cell may take; default: no limit.", min=1)]
SIGNS = {"ok": "[green]done   [/]", "failed": "[bold red]failed [/]", "not run": "[yellow]not run[/]"}


def batch(
    profile: ProfileOption = "demo",
    notebook: NotebooksOption = [],  # noqa: B006
    seed: SeedsOption = [],  # noqa: B006
    experiment: ExperimentsOption = [],  # noqa: B006
    training: TrainingOption = True,
    timeout: TimeoutOption = None,
) -> None:
    """Execute the notebooks with papermill, training what is missing; a failing one does not stop the others."""
    if not _execute(profile, notebook, seed, experiment, training, timeout):
        raise typer.Exit(1)


def report(profile: ProfileOption = "demo") -> None:
    """Stitch the executed notebooks into one HTML file that needs no network."""
    from ..config import load_profile
    from ..report.page import build_report

    index = build_report(load_profile(profile))
    size = index.stat().st_size / 1e6
    out.print(f"[bold]The report:[/] {index.resolve()} ({size:.1f} MB, open it in a browser)", soft_wrap=True)


def reproduce(
    profile: ProfileOption = "demo",
    seed: SeedsOption = [],  # noqa: B006
    training: TrainingOption = True,
    timeout: TimeoutOption = None,
) -> None:
    """Everything: the notebooks, then the report."""
    good = _execute(profile, [], seed, [], training, timeout)
    report(profile)
    if not good:
        raise typer.Exit(1)


def scoreboard(
    profile: Annotated[
        str, typer.Option("--profile", "-p", help="The scaled-down profile beside the full protocol.")
    ] = "laptop",
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if it is not current.")] = False,
) -> None:
    """Renew the README's scoreboard from the runs on disk: Table 1, the claims with their verdicts, what we learned."""
    from ..beyond.published import markdown_table
    from ..config import load_profile
    from ..evidence.board import Board
    from ..paths import project_root
    from ..report.readme import scoreboard_markdown, with_scoreboard

    path, small = project_root() / "README.md", load_profile(profile)
    old = path.read_text(encoding="utf-8")
    full = Board(load_profile("paper"))
    new = with_scoreboard(old, scoreboard_markdown(full, Board(small), markdown_table(small)))
    if new == old:
        out.print("the README's scoreboard is current")
    elif check:
        errors.print("the README's scoreboard is not current: run `siamese scoreboard`.")
        raise typer.Exit(1)
    else:
        path.write_text(new, encoding="utf-8")
        out.print(f"{path}: scoreboard renewed", soft_wrap=True)


def _execute(
    profile: str,
    notebooks: Sequence[str],
    seeds: Sequence[int],
    experiments: Sequence[str],
    training: bool,
    timeout: int | None,
) -> bool:
    """Execute the batch under a progress display; True if every notebook went well."""
    from ..config import load_profile
    from ..report.batch import choose_notebooks, execute_batch

    chosen = load_profile(profile)
    if chosen.dataset == "omniglot":
        from ..data import omniglot

        omniglot.load()  # a missing dataset is one clear error here, not one in every notebook
    with display() as shown:
        bar = shown.add_task("notebooks", total=len(choose_notebooks(notebooks)), what="")
        current = [""]

        def look() -> None:
            from ..training.runs import results_dir

            training = [path.name.rpartition("-")[0] for path in results_dir(chosen).glob("*.partial")]
            what = f" · training {', '.join(sorted(training))}" if training else ""
            shown.update(bar, what=current[0] + what)

        def after(outcome: Outcome) -> None:
            shown.console.print(f"{SIGNS[outcome.status]} {outcome.notebook:26} {outcome.seconds:7.1f} s")
            if outcome.error:
                shown.console.print(f"       {escape(outcome.error)}", soft_wrap=True)
            shown.advance(bar)

        with _every_second(look):
            outcomes = execute_batch(
                profile,
                notebooks=notebooks,
                seeds=seeds,
                experiments=experiments,
                training=training,
                timeout=timeout,
                before=lambda name: current.__setitem__(0, name),
                after=after,
            )
    failed = [outcome.notebook for outcome in outcomes if outcome.status == "failed"]
    if failed:
        errors.print(f"[bold red]{len(failed)} of {len(outcomes)} notebooks failed:[/] {', '.join(failed)}")
    return not failed


@contextmanager
def _every_second(look: Callable[[], None]) -> Iterator[None]:
    """Call a function every second meanwhile: it shows how far a notebook's training has come by what is on disk."""
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(1.0):
            look()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
