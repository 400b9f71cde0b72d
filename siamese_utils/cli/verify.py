"""The command `verify`: whether the runs on disk are what they say they are."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from ..errors import ResultsError, missing_extra
from ..text import how_many
from .shared import ProfileOption, errors, out, say

if TYPE_CHECKING:
    from ..config import Experiment, Profile
    from ..training.runs import Run


def verify(
    profile: ProfileOption = "laptop",
    retrain: Annotated[
        int, typer.Option(help="Train so many of the finished runs again, drawn at random, and compare.", min=0)
    ] = 0,
) -> None:
    """Check every run of a profile (name, parts, checksums) and the executed notebooks; exit code 1 if one fails."""
    from ..config import load_profile
    from ..paths import reports_dir
    from ..training.runs import Run
    from ..training.verify import survey

    chosen = load_profile(profile)
    reports = reports_dir() / chosen.name
    if not reports.is_dir():
        raise ResultsError(
            f"there is no folder {reports}: run something under the profile, or set SIAMESE_REPORTS_DIR."
        )
    found = survey(reports)
    wrong = [checked for checked in found if checked.problem]
    for checked in wrong:
        errors.print(f"[bold red]{escape(checked.folder.name)}[/]: {escape(checked.problem)}", soft_wrap=True)
    finished = [Run(checked.folder) for checked in found if checked.finished and not checked.problem]
    under_way = sum(not checked.finished and not checked.problem for checked in found)
    out.print(
        f"{how_many(len(finished), 'finished run')} and {under_way} under way agree with their records"
        + (f"; {len(wrong)}, named above, do not: what does not agree is in no table and not loaded" if wrong else "")
    )
    changed = _changed_notebooks(reports)
    for name in changed:
        errors.print(f"[bold red]{escape(name)}.ipynb[/]: changed since the batch executed it: run the batch again")
    good = True
    if retrain:
        reasons = {run: _why_not_trained(run, chosen) for run in finished}
        ours = [run for run in finished if not reasons[run]]
        for reason, count in Counter(filter(None, reasons.values())).items():
            say(f"{how_many(count, 'run')} cannot be trained again: {reason}")
        good = _retrain(random.sample(ours, min(retrain, len(ours))), chosen)
    if wrong or changed or not good:
        raise typer.Exit(1)


def _changed_notebooks(reports: Path) -> list[str]:
    """List the executed notebooks that are no longer what the batch left; say so where notebooks cannot be read."""
    try:
        from ..report.batch import read_outcomes
    except ModuleNotFoundError as error:
        if words := missing_extra(error.name):
            say(f"executed notebooks are not looked at: {words}", errors)
            return []
        raise
    return [name for name, outcome in read_outcomes(reports).items() if outcome.status == "changed"]


def _why_not_trained(run: Run, profile: Profile) -> str:
    """Say why a run cannot be trained again; "" where it can."""
    from ..beyond.config import load_method
    from ..beyond.runs import OWN, method_folder
    from ..data import archives
    from ..errors import ParamsError
    from ..training.integrity import is_method
    from ..training.runs import run_folder

    config, archive = run.config, _archive_of(run)
    if run.folder.parent.name == OWN:
        return "trained on a folder of your own, which no record names"
    if archive and not (place := archives.place_of(archive)).is_file():
        variable = archives.ARCHIVES[archive].variable
        return f"trained on {archive}, and {place} is not here (set {variable} to its folder)"
    try:
        if is_method(config):
            method_key, method = config["learner"], load_method(config["learner"]["name"])
            if archive:
                # no larger than the archive allowed
                classes, images = (method_key.get(name, getattr(method, name)) for name in ("classes", "images"))
                method = method.fitted_to(classes, images)
            dataset = config["dataset"] if archive else None
            folder, _ = method_folder(method, profile, run.seed, config["held_out"], dataset)
        else:
            folder, _ = run_folder(*_row_of(run, profile), run.seed)
    except ParamsError as error:
        return f"{error}"
    return "" if folder.name == run.run_id else "today's parameters and profile make another run of that name"


def _row_of(run: Run, profile: Profile) -> tuple[Experiment, Profile]:
    """Find the row of the matrix or of the factorial that a run is of, and the profile with that row's length."""
    from ..config import load_experiment
    from ..evidence.factorial import cells, shortened

    name = run.config["experiment"]
    for cell in cells().values():
        if cell.name == name:
            return cell, shortened(profile)
    return load_experiment(name), profile


def _archive_of(run: Run) -> str | None:
    """Name the archive that a method's run was trained on; None for the profile's dataset."""
    from ..data.archives import ARCHIVES

    name = str(run.metrics["dataset"]["name"]).lower()
    return name if name in ARCHIVES else None


def _retrain(runs: list[Run], profile: Profile) -> bool:
    """Train runs again in a folder of their own, record and tell how they compare; True where all agree."""
    from ..beyond.training import load_or_train as train_method
    from ..files import writable
    from ..paths import reports_dir
    from ..training.integrity import is_method
    from ..training.loop import load_or_train
    from ..training.verify import RETRAINED, compare_anew, record_retrained, reports_of_its_own

    reports = reports_dir() / profile.name
    writable(reports / RETRAINED)
    table, good = Table("run", "trained again", "how"), True
    for number, run in enumerate(runs, 1):
        out.print(f"training {escape(run.run_id)} again, {number} of {len(runs)}", soft_wrap=True)
        with reports_of_its_own():
            if is_method(run.config):
                name, held_out = run.config["learner"]["name"], run.config["held_out"]
                retrained = train_method(name, profile, run.seed, held_out=held_out, archive=_archive_of(run))
            else:
                retrained = load_or_train(*_row_of(run, profile), run.seed)
            if retrained.run_id == run.run_id:
                agrees, words = compare_anew(run, retrained)
            else:
                agrees, words = False, f"the data here is another: it became {retrained.run_id}"
            record_retrained(reports, run, retrained, agrees, words)
        table.add_row(escape(run.run_id), "agrees" if agrees else "[bold red]does not agree[/]", words)
        good = good and agrees
    if runs:
        out.print(table)
    return good
