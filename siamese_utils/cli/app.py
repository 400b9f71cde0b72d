"""The command line: `siamese data`, `run`, `batch`, `report`, `reproduce`, `status`, `scoreboard`, `fidelity`, and
those of `commands`: `learn`, `embed`, `compare`, `classify`.

Exit codes: 0 all went well, 1 a notebook failed, 2 wrong input or missing data (one sentence says what to do),
130 interrupted (what was trained is kept; the same command goes on from there).
"""

from __future__ import annotations

import signal
import sys
import threading
import warnings
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from ..errors import SiameseError
from . import commands

app = typer.Typer(
    help="A reproducible companion to the paper “Architectures for Siamese Neural Networks”.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
out = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

ProfileOption = Annotated[
    str, typer.Option("--profile", "-p", help="demo, laptop, paper, or the path of a profile's YAML file.")
]
SeedsOption = Annotated[
    list[int],
    typer.Option("--seed", "-s", min=0, max=2**32 - 1, help="Repeat for several; default: the profile's."),
]
NotebooksOption = Annotated[
    list[str],
    typer.Option("--notebook", "-n", help="Name, number or topic; repeat for several; default: all."),
]
ExperimentsOption = Annotated[
    list[str], typer.Option("--experiment", "-e", help="Show only these; repeat for several; default: all.")
]
TrainingOption = Annotated[
    bool, typer.Option("--training/--no-training", help="Whether what is missing is trained, or left out.")
]
TimeoutOption = Annotated[int | None, typer.Option(help="Seconds that a cell may take; default: no limit.", min=1)]


@app.command(epilog="Example: `siamese data --source ~/Downloads/omniglot`")
def data(
    source: Annotated[
        Path | None,
        typer.Option(help="A folder with Omniglot's two zips, or with them unpacked; default: download."),
    ] = None,
) -> None:
    """Get Omniglot, check every image, and keep it as one packed file."""
    from ..data import omniglot

    dataset = omniglot.load(source)
    for name in ("train", "val"):
        split = dataset.split(name)
        out.print(
            f"{name:5} {len(set(split.alphabets)):3} alphabets {split.classes:5,} characters "
            f"{split.classes * split.drawers:7,} images of {split.images.shape[2]}×{split.images.shape[3]}"
        )
    out.print(f"pixels verified, SHA-256 {dataset.fingerprint[:16]}…")


@app.command(epilog="Example: `siamese run baseline dense-512 --profile laptop --seed 0 --seed 1`")
def run(
    experiments: Annotated[list[str], typer.Argument(help="Names from params/experiments.yaml, or “all”.")],
    profile: ProfileOption = "demo",
    seed: SeedsOption = [],  # noqa: B006 - typer copies it
    until: Annotated[
        int | None,
        typer.Option(help="Train up to this iteration, and leave the runs there to go on from.", min=0),
    ] = None,
    convolutions: Annotated[
        str | None,
        typer.Option(help="auto, float32 or bfloat16; default: the profile's. Not part of a run's name."),
    ] = None,
) -> None:
    """Train experiments, or load those that are finished; a killed run goes on from its last check."""
    from ..config import Profile, checked, load_experiment, load_matrix, load_profile
    from ..training.runs import find_run, find_so_far

    chosen = load_profile(profile)
    if convolutions:
        chosen = checked(Profile, {**chosen.model_dump(), "convolutions": convolutions}, Path("--convolutions"))
    matrix = load_matrix().experiments
    rows = list(matrix) if experiments == ["all"] else [load_experiment(name) for name in experiments]
    todo = [(row, number) for row in rows for number in (seed or chosen.seeds)]
    missing = [(row, number) for row, number in todo if find_run(row, chosen, number) is None]
    dataset = None
    if missing:
        from ..data.load import load_dataset

        dataset = load_dataset(chosen)
    with _progress() as progress:
        whole = progress.add_task("runs", total=len(todo), completed=len(todo) - len(missing), what="")
        for row, number in missing:
            from ..training.loop import Progress as Step
            from ..training.loop import run_until as train

            bar = progress.add_task(f"{row.name} s{number}", total=None, what="")

            def tell(step: Step, bar=bar) -> None:
                what = f"loss {step.batch_loss:.3f}  val {step.val_accuracy:.1%}"
                progress.update(bar, total=step.iterations, completed=step.iteration, what=what)

            train(row, chosen, number, until, dataset=dataset, progress=tell)
            progress.remove_task(bar)
            progress.advance(whole)
    table = Table("experiment", "seed", "val, author's protocol", "val, strict", "run")
    for row, number in todo:
        found = find_so_far(row, chosen, number)
        assert found is not None
        if not found.finished:
            last = found.history.iloc[-1]
            so_far = f"{last['val_accuracy']:.1%} [{last['val_low']:.1%}, {last['val_high']:.1%}]"
            under_way = f"under way, iteration {last['iteration']:,}"
            table.add_row(row.name, str(number), so_far, "–", under_way)
            continue
        scores = {s["protocol"]: s for s in found.metrics["scores"] if s["split"] == "val" and s["ways"] == 20}
        cells = [f"{s['accuracy']:.1%} [{s['low']:.1%}, {s['high']:.1%}]" for s in (scores["author"], scores["strict"])]
        table.add_row(row.name, str(number), *cells, found.run_id)
    out.print(table)
    if chosen.dataset == "synthetic":
        out.print("Built-in drawn characters, not Omniglot: these figures say nothing about the paper.")


@app.command(epilog="Example: `siamese batch --profile laptop --notebook 05`")
def batch(
    profile: ProfileOption = "demo",
    notebook: NotebooksOption = [],  # noqa: B006
    seed: SeedsOption = [],  # noqa: B006
    experiment: ExperimentsOption = [],  # noqa: B006
    training: TrainingOption = True,
    timeout: TimeoutOption = None,
) -> None:
    """Execute the notebooks with papermill, training what is missing; a failing one does not stop the others."""
    if not _batch(profile, notebook, seed, experiment, training, timeout):
        raise typer.Exit(1)


@app.command(epilog="Example: `siamese report --profile laptop`")
def report(profile: ProfileOption = "demo") -> None:
    """Stitch the executed notebooks into one HTML file that needs no network."""
    from ..config import load_profile
    from ..report.page import build_report

    _say_where(build_report(load_profile(profile)))


@app.command(epilog="Example: `siamese reproduce --profile paper`")
def reproduce(
    profile: ProfileOption = "demo",
    seed: SeedsOption = [],  # noqa: B006
    training: TrainingOption = True,
    timeout: TimeoutOption = None,
) -> None:
    """Everything: the notebooks, then the report."""
    from ..config import load_profile
    from ..report.page import build_report

    good = _batch(profile, [], seed, [], training, timeout)
    _say_where(build_report(load_profile(profile)))
    if not good:
        raise typer.Exit(1)


@app.command(epilog="Example: `siamese scoreboard --check`")
def scoreboard(
    profile: Annotated[
        str, typer.Option("--profile", "-p", help="The scaled-down profile beside the full protocol.")
    ] = "laptop",
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if it is not current.")] = False,
) -> None:
    """Renew the README's scoreboard from the runs on disk: Table 1, the claims with their verdicts, what we learned."""
    from ..beyond.published import markdown_table
    from ..config import load_profile
    from ..paths import project_root
    from ..report.readme import scoreboard_markdown, with_scoreboard
    from ..report.scoreboard import Scoreboard

    path, small = project_root() / "README.md", load_profile(profile)
    old = path.read_text(encoding="utf-8")
    block = scoreboard_markdown(Scoreboard(load_profile("paper")), Scoreboard(small), markdown_table(small))
    new = with_scoreboard(old, block)
    if new == old:
        out.print("the README's scoreboard is current")
    elif check:
        errors.print("the README's scoreboard is not current: run `siamese scoreboard`.")
        raise typer.Exit(1)
    else:
        path.write_text(new, encoding="utf-8")
        out.print(f"{path}: scoreboard renewed", soft_wrap=True)


@app.command(epilog="Example: `siamese status --profile paper`")
def status(profile: ProfileOption = "demo") -> None:
    """How far the runs and notebooks of a profile have come: iteration, last accuracy, pace and time left."""
    from ..config import load_matrix, load_profile
    from ..paths import reports_dir
    from ..report.batch import notebook_names, read_outcomes
    from ..text import duration, number
    from ..training.loop import check_iterations
    from ..training.runs import find_so_far

    chosen = load_profile(profile)
    whole = [Column(words, no_wrap=True) for words in ("experiment", "seed", "state")]
    table = Table(*whole, "iteration", "last val", "s/iteration", "time left")
    for row in load_matrix().experiments:
        for seed in chosen.seeds:
            found = find_so_far(row, chosen, seed)
            if found is None:
                table.add_row(row.name, str(seed), "not run")
                continue
            last, end = found.history.iloc[-1], check_iterations(row, chosen)[-1]
            left = (end - last["iteration"]) * found.pace
            table.add_row(
                row.name,
                str(seed),
                "finished" if found.finished else "under way",
                f"{last['iteration']:,} of {end:,}",
                f"{last['val_accuracy']:.1%}",
                number(found.pace, 2),
                "" if found.finished else "not known" if left != left else duration(left),
            )
    out.print(table)
    outcomes = {outcome["notebook"]: outcome for outcome in read_outcomes(reports_dir() / chosen.name)}
    table = Table("notebook", "status", "seconds")
    for name in notebook_names():
        outcome = outcomes.get(name, {"status": "not run", "seconds": ""})
        table.add_row(name, outcome["status"], str(outcome["seconds"]))
    out.print(table)
    index = reports_dir() / chosen.name / "index.html"
    out.print(f"report: {index if index.is_file() else 'not built'}", soft_wrap=True)


@app.command(epilog="Example: `siamese fidelity baseline mlp --figure curves.png`")
def fidelity(
    experiments: Annotated[
        list[str] | None, typer.Argument(help="Names from params/experiments.yaml; default: all.")
    ] = None,
    seed: SeedsOption = [],  # noqa: B006
    figure: Annotated[Path | None, typer.Option(help="A PNG file for our curves over the author's.")] = None,
) -> None:
    """Compare the runs at the author's full protocol with his logs, as far as they have come; trains nothing.

    `siamese run NAME --profile paper --until N` takes a run to iteration N.
    """
    from ..evidence.fidelity import curves, histories, judge_all, judgement_table, source_words, summary
    from ..paths import writable
    from ..report.audit_plots import curve_figure
    from ..report.style import to_png
    from ..text import JOIN

    place = writable(figure, ".png") if figure else None
    found = histories(experiments or (), seed)
    judgements = judge_all(found)
    if judgements:
        lines = judgement_table(judgements).drop(columns=["checks", "train, points"])  # for a narrow screen
        table = Table(*lines.columns)
        for line in lines.itertuples(index=False):
            table.add_row(*(str(cell).replace(JOIN, "") for cell in line))
        out.print(table)
    out.print(summary(judgements))
    if judgements:
        out.print(source_words(found))
    if place:
        place.write_bytes(to_png(curve_figure(curves(found))))
        out.print(f"{place}: drawn", soft_wrap=True)


commands.register(app)


def main() -> None:
    """Entry point: a user's error is one sentence on stderr and exit code 2, never a traceback."""
    warnings.showwarning = _said
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        app()
    except SiameseError as error:
        errors.print(f"[bold red]error:[/] {_escaped(str(error))}", soft_wrap=True)
        sys.exit(2)
    except (KeyboardInterrupt, SystemExit) as end:  # Typer makes an exit of 130 of the first
        if isinstance(end, SystemExit) and end.code != 130:
            raise
        errors.print(
            "interrupted: a run is kept up to its last check, and the same command goes on from there; "
            "a learner starts anew.",
            soft_wrap=True,
        )
        sys.exit(130)


def _interrupt(*_) -> None:
    """What a cluster's SIGTERM means here: the same as Ctrl-C."""
    raise KeyboardInterrupt


def _said(message, category, filename, lineno, file=None, line=None) -> None:
    """A warning as one line, without the place in the code that gave it."""
    errors.print(f"[yellow]note:[/] {_escaped(str(message))}", soft_wrap=True)


def _batch(profile: str, notebooks, seeds, experiments, training, timeout) -> bool:
    """Execute the batch under a progress display; True if every notebook went well."""
    from ..config import load_profile
    from ..report.batch import choose_notebooks, execute_batch

    chosen = load_profile(profile)
    if chosen.dataset == "omniglot":
        from ..data import omniglot

        omniglot.load()  # a missing dataset is one clear error here, not one in every notebook
    with _progress() as progress:
        bar = progress.add_task("notebooks", total=len(choose_notebooks(notebooks)), what="")
        with _watching(chosen, progress, bar) as watch:

            def after(outcome) -> None:
                sign = SIGNS[outcome.status]
                progress.console.print(f"{sign} {outcome.notebook:26} {outcome.seconds:7.1f} s")
                if outcome.error:
                    progress.console.print(f"       {_escaped(outcome.error)}", soft_wrap=True)
                progress.advance(bar)

            outcomes = execute_batch(
                profile,
                notebooks=notebooks,
                seeds=seeds,
                experiments=experiments,
                training=training,
                timeout=timeout,
                before=watch.start,
                after=after,
            )
    failed = [outcome.notebook for outcome in outcomes if outcome.status == "failed"]
    if failed:
        errors.print(f"[bold red]{len(failed)} of {len(outcomes)} notebooks failed:[/] {', '.join(failed)}")
    return not failed


SIGNS = {"ok": "[green]done   [/]", "failed": "[bold red]failed [/]", "not run": "[yellow]not run[/]"}


class _watching:
    """Shows the current notebook, and how far its training has come by what it leaves on disk."""

    def __init__(self, profile, progress: Progress, bar):
        self.profile, self.progress, self.bar = profile, progress, bar
        self.notebook, self.stop = "", threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)

    def start(self, notebook: str) -> None:
        self.notebook = notebook

    def __enter__(self) -> _watching:
        self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.stop.set()
        self.thread.join()

    def _look(self) -> None:
        from ..training.runs import results_dir

        folder = results_dir(self.profile)
        while not self.stop.wait(1.0):
            training = [path.name.rpartition("-")[0] for path in folder.glob("*.partial")]
            what = self.notebook + (f" · training {', '.join(sorted(training))}" if training else "")
            self.progress.update(self.bar, what=what)


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[what]}"),
        console=out,
    )


def _say_where(index: Path) -> None:
    size = index.stat().st_size / 1e6
    out.print(f"[bold]The report:[/] {index.resolve()} ({size:.1f} MB, open it in a browser)", soft_wrap=True)


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
