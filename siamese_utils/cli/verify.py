"""The command `verify`: whether the runs on disk are what they say they are."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from ..errors import ResultsError
from ..text import how_many
from .shared import ProfileOption, errors, out

if TYPE_CHECKING:
    from ..config import Profile
    from ..training.runs import Run


def verify(
    profile: ProfileOption = "laptop",
    retrain: Annotated[
        int, typer.Option(help="Train so many of the finished runs anew, drawn at random, and compare.", min=0)
    ] = 0,
) -> None:
    """Check every run of a profile, its name, parts and checksums, and the executed notebooks' checksums; exit 1 where
    one is not to be believed."""
    from ..config import load_profile
    from ..paths import reports_dir
    from ..report.batch import read_outcomes
    from ..training.runs import Run
    from ..training.verify import survey

    chosen = load_profile(profile)
    reports = reports_dir() / chosen.name
    if not reports.is_dir():
        raise ResultsError(
            f"there is no folder {reports}: run something under the profile, or set SIAMESE_REPORTS_DIR."
        )
    found = survey(reports)
    wrong = [finding for finding in found if finding.problem]
    for finding in wrong:
        errors.print(f"[bold red]{escape(finding.folder.name)}[/]: {escape(finding.problem)}", soft_wrap=True)
    finished = [Run(finding.folder) for finding in found if finding.finished and not finding.problem]
    under_way = sum(not finding.finished and not finding.problem for finding in found)
    out.print(
        f"{how_many(len(finished), 'finished run')} and {under_way} under way agree with their records"
        + (f"; {len(wrong)}, named above, do not: what does not agree is in no table and not loaded" if wrong else "")
    )
    changed = [name for name, outcome in read_outcomes(reports).items() if outcome.status == "changed"]
    for name in changed:
        errors.print(f"[bold red]{escape(name)}.ipynb[/]: changed since the batch executed it: run the batch again")
    ours = [run for run in finished if _can_train(run, chosen)]
    good = _retrain(random.sample(ours, min(retrain, len(ours))), chosen) if retrain else True
    if wrong or changed or not good:
        raise typer.Exit(1)


def _can_train(run: Run, profile: Profile) -> bool:
    """Whether today's matrix, methods and profile still define the run."""
    from ..beyond.config import load_method
    from ..beyond.runs import method_folder
    from ..config import load_experiment
    from ..errors import ParamsError
    from ..training.runs import run_folder

    config = run.config
    try:
        if "recipe" in config:
            folder, _ = run_folder(load_experiment(config["experiment"]), profile, run.seed)
        else:
            folder, _ = method_folder(load_method(config["learner"]["name"]), profile, run.seed, config["held_out"])
    except ParamsError:
        return False
    return folder.name == run.run_id


def _retrain(runs: list[Run], profile: Profile) -> bool:
    """Train runs anew in a folder of their own, and tell how they compare; True where all agree."""
    from ..beyond.training import load_or_train as train_method
    from ..training.loop import load_or_train
    from ..training.verify import compare_anew, reports_of_its_own

    table, good = Table("run", "trained anew", "how"), True
    for number, run in enumerate(runs, 1):
        out.print(f"training {escape(run.run_id)} anew, {number} of {len(runs)}", soft_wrap=True)
        with reports_of_its_own():
            if "recipe" in run.config:
                anew = load_or_train(run.config["experiment"], profile, run.seed)
            else:
                name, held_out = run.config["learner"]["name"], run.config["held_out"]
                anew = train_method(name, profile, run.seed, held_out=held_out)
            found = compare_anew(run, anew)
        table.add_row(escape(found.run_id), "agrees" if found.agrees else "[bold red]does not agree[/]", found.words)
        good = good and found.agrees
    out.print(table)
    return good
