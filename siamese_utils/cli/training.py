"""Commands that get data, train, and say how far trainings have come."""

from __future__ import annotations

import os
import shutil
from functools import lru_cache
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Column, Table

from .shared import ProfileOption, SeedsOption, complete_jobs, display, each_once, errors, out, say

if TYPE_CHECKING:
    from ..config import Experiment, Profile
    from ..training.state import State


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


def run(
    experiments: Annotated[
        list[str], typer.Argument(callback=each_once, help="Names from params/experiments.yaml, or “all”.")
    ],
    profile: ProfileOption = "demo",
    seed: SeedsOption = None,
    until: Annotated[
        int | None, typer.Option(help="Stop at the last check up to this iteration; a later command continues.", min=0)
    ] = None,
    convolutions: Annotated[
        str | None,
        typer.Option(
            help="float32, bfloat16 (for timings only: it spoils BatchNorm) or auto (bfloat16 where the processor "
            "has it); default: the profile's."
        ),
    ] = None,
) -> None:
    """Train experiments, or load those that are finished; a killed run goes on from its last check."""
    from ..config import Profile, load_experiment, load_matrix, load_profile
    from ..data.load import load_dataset
    from ..schema import checked
    from ..training.store import jobs_of

    chosen = load_profile(profile)
    if convolutions:
        chosen = checked(Profile, {**chosen.model_dump(), "convolutions": convolutions}, Path("--convolutions"))
    rows = load_matrix().experiments if experiments == ["all"] else [load_experiment(name) for name in experiments]
    dataset = lru_cache(lambda: load_dataset(chosen))
    runs = complete_jobs(jobs_of(rows, chosen, seed or chosen.seeds, dataset=dataset, until=until))
    names = ("experiment", "seed", "val, author's protocol", "val, strict", "run")
    table = Table(*(Column(name, overflow="fold") for name in names), box=SIMPLE_HEAD, pad_edge=False)
    for found in runs:
        cells = [escape(found.config["experiment"]), str(found.seed)]
        if found.finished:
            scores = (found.score(protocol) for protocol in ("author", "strict"))
            accuracies = [f"{s.accuracy:.1%} [{s.low:.1%}, {s.high:.1%}]" for s in scores]
            table.add_row(*cells, *accuracies, found.run_id)
        else:
            last = found.history.iloc[-1]
            so_far = f"{last['val_accuracy']:.1%} [{last['val_low']:.1%}, {last['val_high']:.1%}]"
            table.add_row(*cells, so_far, "–", f"under way, iteration {last['iteration']:,}")
    out.print(table)
    if chosen.dataset == "synthetic":
        out.print("Built-in drawn characters, not Omniglot: these figures say nothing about the paper.")


def factorial(profile: ProfileOption = "laptop") -> None:
    """Train the paper's details in all combinations (params/factorial.yaml); what is finished is not trained again."""
    from ..config import load_profile
    from ..data.load import load_dataset
    from ..evidence.factorial import cells, load_factorial, shortened
    from ..training.store import jobs_of

    chosen, seeds = shortened(load_profile(profile)), load_factorial().seeds
    dataset = lru_cache(lambda: load_dataset(chosen))
    jobs = [job for seed in seeds for job in jobs_of(cells().values(), chosen, [seed], dataset=dataset)]
    for job, found in zip(jobs, complete_jobs(jobs), strict=True):
        say(f"{job.label}, seed {job.seed}: {found.run_id}")


def learn(
    method: Annotated[str, typer.Argument(help="A row of params/beyond.yaml.")],
    profile: ProfileOption = "laptop",
    seed: Annotated[int, typer.Option("--seed", "-s", min=0, max=2**32 - 1)] = 0,
    evaluation: Annotated[
        bool,
        typer.Option("--evaluation", help="Train on all training classes, and score on the evaluation set."),
    ] = False,
    data: Annotated[
        str | None,
        typer.Option(
            help="What to train on: a folder that holds a folder for each class, or groups of these; att-faces; or "
            "mini-imagenet. Default: the profile's dataset."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Copy the trained model to this .keras file; weights that are not on disk are trained again.",
        ),
    ] = None,
) -> None:
    """Train a method beyond the paper, or load its finished run, and print its accuracy."""
    from ..beyond.training import load_or_train
    from ..data.archives import ARCHIVES
    from ..files import refuse_runs, replacing
    from ..text import named, printable

    output = _place_of_model(output, None if data in ARCHIVES else data) if output else None
    with display() as shown:
        bar = shown.add_task(f"{method}, seed {seed}", total=None, what="")
        run = load_or_train(
            method,
            profile,
            seed,
            held_out="evaluation" if evaluation else "validation",
            folder=None if data in ARCHIVES else data,
            archive=data if data in ARCHIVES else None,
            on_progress=lambda now: shown.update(bar, completed=now.step, total=now.steps),
            weights=output is not None,
            notify=lambda words: shown.console.print(escape(words), soft_wrap=True),
        )
        shown.update(bar, visible=False)
    found = run.metrics
    for score in found["scores"]:
        out.print(
            f"{score['protocol']} {score['ways']}-way 1-shot: {score['accuracy']:.1%} "
            f"({score['low']:.1%} to {score['high']:.1%}, {score['episodes']:,} episodes)"
        )
    drawn = "; drawn by a program, not Omniglot" if found["dataset"]["synthetic"] else ""
    say(
        f"held out from training, and scored on: {printable(named(found['scored_on'], 6))}{drawn}; "
        f"{found['images_seen']:,} images seen in training"
    )
    where = f"not kept with these results; -o FILE trains it again, which took {run.seconds:.0f} s for them"
    if run.weights:
        if output and not (output.exists() and output.samefile(run.weights)):
            from ..inference.one_shot import OneShot

            refuse_runs(output)
            with replacing(output) as part:
                shutil.copyfile(run.weights, part)
                OneShot.load(part)
        where = str(output or run.weights)
    say(f"model: {printable(where)}")


def _place_of_model(output: Path, data: str | None) -> Path:
    """Find where a copy of a model goes, and make its folder; OutputError for a place among the images that it is
    trained on, or among what a run left."""
    from ..errors import OutputError
    from ..files import refuse_runs, writable
    from ..training.runs import SHIPPED, WEIGHTS

    place = Path(os.path.realpath(output.expanduser()))
    if data and place.is_relative_to(os.path.realpath(Path(data).expanduser())):
        raise OutputError(f"{output} lies in {data}, among the images to train on: choose another place.")
    if place.suffix != ".keras" and output.suffix == ".keras":
        raise OutputError(f"{output} is a link to {place}, which is no model: choose another place.")
    # a run's own weights need no copy
    if output.name not in (WEIGHTS, SHIPPED):
        refuse_runs(output)
    return writable(output, ".keras")


def status(profile: ProfileOption = "demo") -> None:
    """Say how far the runs and notebooks of a profile have come, whichever process trains them, and the time left."""
    from ..beyond.runs import method_states
    from ..config import load_profile
    from ..errors import ResultsError
    from ..paths import reports_dir
    from ..report.batch import notebook_names, read_outcomes
    from ..text import duration, how_many
    from ..training.state import log_file, seconds_left, seeds_wanted_or_here, states_of

    chosen = load_profile(profile)
    states = states_of(chosen, seeds_wanted_or_here)
    left = seconds_left(states, chosen)
    beyond = method_states(chosen)
    out.print(escape(chosen.description), soft_wrap=True)
    # for a narrow screen
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column in ("experiment", "seed", "state", "iteration", "val", "s/step", "time left"):
        table.add_column(column, no_wrap=column != "state", min_width=9 if column == "state" else None)
    for row, seed, state in states:
        table.add_row(escape(row.name), str(seed), *_standing(row, chosen, state, left[state.folder]))
    for name, seed, state in beyond:
        if state.word != "finished":
            table.add_row(escape(name), str(seed), escape(str(state)))
    out.print(table)
    finished = sum(state.word == "finished" for *_, state in beyond)
    if finished:
        out.print(f"{how_many(finished, 'run')} of methods beyond the paper finished")
    missing = [left[state.folder] for *_, state in states if state.word != "finished"]
    if missing:
        total = sum(missing)
        time_left = (
            "not known: none has a pace"
            if isnan(total)
            else f"{duration(total)}, one after the other, at the pace of the runs on disk"
        )
        out.print(f"{how_many(len(missing), 'run')} of the matrix to finish, time left: {time_left}")
    for *_, state in (*states, *beyond):
        if state.word == "failed":
            errors.print(f"[bold red]failed:[/] {escape(state.reason)} ({log_file(state.folder)})", soft_wrap=True)
    table = Table("notebook", "status", "seconds")
    try:
        outcomes, damaged = read_outcomes(reports_dir() / chosen.name), ""
    except ResultsError as error:
        outcomes, damaged = {}, str(error)
    for name in notebook_names():
        outcome = outcomes.get(name)
        seconds = str(outcome.seconds) if outcome and outcome.seconds else ""
        table.add_row(escape(name), outcome.status if outcome else "not run", seconds)
    out.print(table)
    if damaged:
        errors.print(f"[bold red]damaged:[/] {escape(damaged)}", soft_wrap=True)
    index = reports_dir() / chosen.name / "index.html"
    say(f"report: {index if index.is_file() else 'not built'}")


def _standing(row: Experiment, profile: Profile, state: State, left: float) -> list[str]:
    """Fill a run's cells in the table of `status`."""
    from ..text import duration, number
    from ..training.runs import check_iterations

    words = escape(str(state))
    if not state.run:
        return [words]
    return [
        words,
        f"{state.iteration:,}/{check_iterations(row, profile)[-1]:,}",
        f"{state.run.history['val_accuracy'].iloc[-1]:.1%}",
        number(state.run.pace, 2),
        "" if state.word == "finished" else "not known" if isnan(left) else duration(left),
    ]


def fidelity(
    experiments: Annotated[
        list[str] | None, typer.Argument(callback=each_once, help="Names from params/experiments.yaml; default: all.")
    ] = None,
    seed: SeedsOption = None,
    figure: Annotated[Path | None, typer.Option(help="A PNG file for our curves over the author's.")] = None,
) -> None:
    """Compare the runs at the full protocol with the author's logs, as far as they have come; trains nothing.

    `siamese run NAME --profile paper --until N` takes a run to iteration N.
    """
    from ..evidence.fidelity import curves, histories, likeness_table, likenesses, source_words, summary
    from ..files import replacing, writable
    from ..report.plots.audit import curve_figure
    from ..report.plots.style import to_png
    from ..text import JOIN

    place = writable(figure, ".png") if figure else None
    found = histories(experiments or (), seed or ())
    judgements = likenesses(found)
    if judgements:
        # for a narrow screen; the report has all of it
        lines = likeness_table(judgements).drop(columns=["checks", "train, points"])
        lines["verdict"] = lines["verdict"].str.partition(":")[0]
        table = Table(*(Column(name, overflow="fold") for name in lines.columns), box=SIMPLE_HEAD, pad_edge=False)
        for line in lines.itertuples(index=False):
            table.add_row(*(escape(str(cell).replace(JOIN, "")) for cell in line))
        out.print(table)
        for judged in judgements:
            if judged.verdict in ("not compared", "differs"):
                out.print(f"{judged.experiment.label}: {judged.verdict} ({judged.why})", markup=False)
    out.print(summary(judgements), markup=False)
    if judgements:
        out.print(source_words(found), markup=False)
    if place:
        with replacing(place) as part:
            part.write_bytes(to_png(curve_figure(curves(found))))
        say(f"{place}: drawn")
