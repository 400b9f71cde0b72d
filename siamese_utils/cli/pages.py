"""Commands that execute notebooks and build pages: `batch`, `report`, `reproduce`, `notebooks`, `scoreboard`."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from ..text import duration, how_many, listed
from .shared import ProfileOption, SeedsOption, display, each_once, errors, out, say

# jsonschema, which reads notebooks, compiles a grammar of internet addresses for two seconds where it finds this
# package, to check a format that no notebook has; a name bound to None is not found
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

if TYPE_CHECKING:
    from ..config import Profile
    from ..report.batch import Outcome

NotebooksOption = Annotated[
    list[str] | None,
    typer.Option("--notebook", "-n", help="Name, number (04) or topic; repeat for several; default: all."),
]
ExperimentsOption = Annotated[
    list[str] | None,
    typer.Option("--experiment", "-e", callback=each_once, help="Show only these; repeat for several; default: all."),
]
TrainingOption = Annotated[
    bool, typer.Option("--training/--no-training", help="Train what is missing, or leave it out.")
]
TimeoutOption = Annotated[int | None, typer.Option(help="Seconds that a cell may take; default: no limit.", min=1)]
SIGNS = {"ok": "[green]done   [/]", "failed": "[bold red]failed [/]", "not run": "[yellow]not run[/]"}


def batch(
    profile: ProfileOption = "demo",
    notebook: NotebooksOption = None,
    seed: SeedsOption = None,
    experiment: ExperimentsOption = None,
    training: TrainingOption = True,
    timeout: TimeoutOption = None,
) -> None:
    """Execute the notebooks with papermill, training what is missing; a failing one does not stop the others."""
    if not _execute(profile, notebook or (), seed or (), experiment or (), training=training, timeout=timeout):
        raise typer.Exit(1)


def report(profile: ProfileOption = "demo") -> None:
    """Stitch the executed notebooks into one HTML file that needs no network."""
    from ..config import load_profile
    from ..report.page import build_report

    index = build_report(load_profile(profile))
    size = index.stat().st_size / 1e6
    place = escape(str(index.resolve()))
    out.print(f"[bold]The report:[/] {place} ({size:.1f} MB, open it in a browser)", soft_wrap=True)


def reproduce(
    profile: ProfileOption = "demo",
    seed: SeedsOption = None,
    training: TrainingOption = True,
    timeout: TimeoutOption = None,
) -> None:
    """Make everything: the notebooks, then the report."""
    good = _execute(profile, (), seed or (), (), training=training, timeout=timeout)
    report(profile)
    if not good:
        raise typer.Exit(1)


def notebooks(
    folder: Annotated[Path, typer.Argument(help="Where they go; the folder is made.")],
) -> None:
    """Copy the notebooks and parameters of an installed package to work on: `siamese batch` there executes these."""
    from ..errors import OutputError, ParamsError
    from ..paths import is_packaged, project_root

    root, folder = project_root(), folder.expanduser().resolve()
    if not is_packaged():
        raise ParamsError(f"{root / 'notebooks'} can be changed where it is: nothing is copied.")
    if taken := [name for name in ("notebooks", "params") if os.path.lexists(folder / name)]:
        raise OutputError(f"{folder} holds {listed(taken)} already: choose another place.")
    for name in ("notebooks", "params"):
        shutil.copytree(root / name, folder / name)
    for words in (f"the notebooks: {folder / 'notebooks'}", f"results will go to {folder / 'reports'}"):
        say(words)


def scoreboard(
    profile: Annotated[
        str, typer.Option("--profile", "-p", help="The scaled-down profile beside the full protocol.")
    ] = "laptop",
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit code 1 if a file is not current.")
    ] = False,
) -> None:
    """Renew RESULTS.md, the README's results and the costs in docs/running.md from the checkout's own runs alone."""
    from ..beyond.published import markdown_table
    from ..config import load_profile
    from ..errors import ParamsError
    from ..evidence.board import Board
    from ..files import replacing, write_text
    from ..paths import project_root, reports_dir
    from ..report.costs import costs_markdown
    from ..report.findings import findings, numbers
    from ..report.readme import deciding, front_page, results_markdown, with_costs, with_results

    root = project_root()
    if not (root / "README.md").is_file():
        raise ParamsError(f"there is no README.md in {root}: run this in a checkout of the project.")
    if reports_dir().resolve() != (root / "reports").resolve():
        raise ParamsError(
            f"SIAMESE_REPORTS_DIR is {reports_dir()}, but README.md and RESULTS.md tell of the runs in "
            f"{root / 'reports'}: unset it for this command."
        )
    small = Board(load_profile(profile))
    full, readme, running = Board(load_profile("paper")), root / "README.md", root / "docs" / "running.md"
    board = deciding(full, small)
    found = findings(numbers(board))
    made = {
        readme: with_results(readme.read_text(encoding="utf-8"), front_page(board, found)),
        root / "RESULTS.md": results_markdown(full, small, found, markdown_table(small.profile)),
        running: with_costs(running.read_text(encoding="utf-8"), costs_markdown(full.profile)),
    }
    figure = root / "docs" / "images" / "differences.png"
    stale = [path for path, new in made.items() if not path.is_file() or path.read_text(encoding="utf-8") != new]
    stale += [] if figure.is_file() else [figure]
    if not stale:
        out.print("README.md, RESULTS.md and docs/running.md are current")
        return
    if check:
        errors.print(f"{listed(path.name for path in stale)} not current: run `siamese scoreboard`.")
        raise typer.Exit(1)
    # Matplotlib takes a second to import
    from ..report.plots import differences, to_png

    figure.parent.mkdir(parents=True, exist_ok=True)
    with replacing(figure) as part:
        part.write_bytes(to_png(differences(board.rows, iterations=board.profile.iterations)))
    for path in stale:
        if path in made:
            write_text(path, made[path])
        say(f"{path}: renewed")


class _CurrentWork:
    """What a batch is doing, as text: its notebook, and the runs in training on disk whenever the display draws it."""

    def __init__(self, results: Path):
        self.results, self.notebook = results, ""

    def __str__(self) -> str:
        training = sorted(path.name.rpartition("-")[0] for path in self.results.glob("*.partial"))
        return self.notebook + (f" · training {', '.join(training)}" if training else "")


def _announce(profile: Profile, notebooks: Sequence[str], seeds: Sequence[int], experiments: Sequence[str]) -> None:
    """Say how long the runs that the chosen notebooks and seeds miss will take, before anything is trained."""
    from ..config import with_seeds
    from ..report.batch import choose_notebooks, experiments_of
    from ..training.state import forecast

    needed = experiments_of(choose_notebooks(notebooks), experiments)
    runs, seconds = forecast(with_seeds(profile, seeds), needed)
    if runs:
        about = f"about {duration(seconds)} on this machine, by a few steps of the baseline"
        out.print(f"{how_many(runs, 'run')} of Table 1 not finished: {about}.", soft_wrap=True)


def _execute(
    profile: str,
    notebooks: Sequence[str],
    seeds: Sequence[int],
    experiments: Sequence[str],
    *,
    training: bool,
    timeout: int | None,
) -> bool:
    """Execute the notebooks under a progress display, chosen as for `execute_batch`; True if every one went well."""
    from ..config import load_profile
    from ..report.batch import choose_notebooks, execute_batch
    from ..training.runs import results_dir

    loaded = load_profile(profile)
    if loaded.dataset == "omniglot":
        from ..data import omniglot

        # a missing dataset is one clear error here, not one in every notebook
        omniglot.load()
        if training:
            _announce(loaded, notebooks, seeds, experiments)
    work = _CurrentWork(results_dir(loaded))
    with display() as shown:
        bar = shown.add_task("notebooks", total=len(choose_notebooks(notebooks)), what=work)

        def after(outcome: Outcome) -> None:
            shown.console.print(f"{SIGNS[outcome.status]} {escape(f'{outcome.notebook:26}')} {outcome.seconds:7.1f} s")
            if outcome.error:
                shown.console.print(f"       {escape(outcome.error)}", soft_wrap=True)
            shown.advance(bar)

        outcomes = execute_batch(
            profile,
            notebooks=notebooks,
            seeds=seeds,
            experiments=experiments,
            training=training,
            timeout=timeout,
            before=lambda name: setattr(work, "notebook", name),
            after=after,
        )
    failed = [outcome.notebook for outcome in outcomes if outcome.status == "failed"]
    if failed:
        errors.print(f"[bold red]{len(failed)} of {len(outcomes)} notebooks failed:[/] {escape(', '.join(failed))}")
    return not failed
