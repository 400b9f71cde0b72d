"""A study as one folder for an archive: an RO-Crate of its runs, report, parameters and locks, with their provenance.

The folder is laid out as a checkout; codecheck.yml is as https://codecheck.org.uk/spec/config/1.0/ says. What the crate
says of itself is in `crate`.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from ..config import load_profile
from ..errors import OutputError, ResultsError
from ..evidence.board import Board
from ..files import write_json, write_text
from ..paths import PACKAGE, project_root, reports_dir
from ..process import variables_set
from ..text import how_many
from ..training.integrity import EVIDENCE, SUMS, is_method, is_recorded, read_sums, sha256
from ..training.provenance import committed_files
from ..training.runs import SHIPPED, WEIGHTS, Run
from ..training.verify import RETRAINED, read_retrained, survey
from .batch import read_outcomes
from .crate import CRATE, MADE, address_of, describe, name_of
from .notebooks import read_notebook
from .plots import differences, to_png
from .private import forget_folders
from .records import SCHEMA, results_of
from .scoreboard import claims_csv

OF_PROJECT = ("LICENSE", "NOTICE.md", "CITATION.cff", "pyproject.toml", "requirements.lock", "environment.yml")


def export(profile: str | Path, folder: Path, *, weights: bool = False) -> list[str]:
    """Write the archive of a profile's study to a folder, renew what an earlier export wrote; return what to say of it.

    weights  whether the runs' weights that are here go with them

    Raises ResultsError where there is no run, and OutputError for a folder that holds anything else.
    """
    chosen, folder = load_profile(profile), Path(os.path.realpath(folder))
    reports, inside = reports_dir() / chosen.name, Path("reports", chosen.name)
    runs, left_out = _believed(reports, weights)
    if not runs:
        raise ResultsError(f"no run of the profile {chosen.name} is in {reports_dir()}: train one with `siamese run`.")
    _refuse_others(folder)
    # unreadable, it is said of where it is
    read_retrained(reports)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as aside:
        part = Path(aside) / "new"
        for place, run in runs.items():
            _copy(run.folder, part / place, [*EVIDENCE, SUMS, *((WEIGHTS, SHIPPED) if weights else ())])
            # of a run in training the checksums may be older than its last check
            if not run.finished and not is_recorded(part / place / "history.csv"):
                (part / place / SUMS).unlink(missing_ok=True)
        citation = _copy_project(part, Path(profile))
        left_out += _copy_report(reports, part / inside)
        committed = committed_files(reports)
        shipped = {run.run_id for run in runs.values() if (run.folder / SUMS).resolve() in committed}
        # the tables are those of what is in the archive
        with variables_set(SIAMESE_REPORTS_DIR=str(part / "reports")):
            board, copies = Board(chosen), {place: Run(part / place) for place in runs}
            results = results_of(board, copies, shipped, left_out)
            write_json(part / "results.json", results)
            write_text(part / inside / "claims.csv", claims := claims_csv(board))
            (part / "differences.png").write_bytes(to_png(differences(board.rows, iterations=chosen.iterations)))
        _write_codecheck(part, chosen.name, citation["references"][0])
        sums = {name: sha256(part / name) for name in _files(part)}
        describe(part, sums, results, citation)
        sums[CRATE] = sha256(part / CRATE)
        write_text(part / SUMS, "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items())))
        old = Path(aside) / "old"
        try:
            if folder.exists():
                folder.rename(old)
            part.rename(folder)
        finally:
            if old.exists() and not folder.exists():
                old.rename(folder)
    notes = [f"left out: {words}" for words in left_out]
    if not (folder / inside / "index.html").is_file():
        notes.append("it has no report: `siamese report` makes one")
    elif (table := reports / "claims.csv").is_file() and table.read_text("utf-8", "replace") != claims:
        notes.append("its report is older than its runs: `siamese report` renews it")
    size = sum((folder / name).stat().st_size for name in _files(folder)) / 1e6
    return [*notes, f"{folder}: {how_many(len(runs), 'run')}, {len(_files(folder))} files, {size:.1f} MB"]


def _refuse_others(folder: Path) -> None:
    """Raise OutputError for a place that is neither free nor just as an earlier export left it."""
    if folder.is_relative_to(reports_dir().resolve()):
        raise OutputError(f"{folder} lies among the results: choose another place.")
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is no folder: choose another place.")
    sums = read_sums(folder) if (folder / CRATE).is_file() else {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        # an export leaves neither empty folders nor links; a pipe is not read
        if path.is_dir():
            ours = any(path.iterdir())
        else:
            ours = path.is_file() and (sums.get(name, "") == sha256(path) if name != SUMS else bool(sums))
        if path.is_symlink() or not ours:
            raise OutputError(f"{folder} holds {name}, which no export left there so: choose another place.")


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


def _believed(reports: Path, weights: bool) -> tuple[dict[Path, Run], list[str]]:
    """Find the runs by their folder in the archive, and what is left out and why; those on one's own folder stay."""
    runs: dict[str, tuple[Path, Run]] = {}
    left_out = []
    for checked in survey(reports, weights=weights):
        run, place = Run(checked.folder), checked.folder.parent.name if checked.finished else "under_way"
        if checked.folder.parent.name == "own" or run.run_id in runs:
            continue
        if checked.problem:
            left_out.append(f"{checked.folder.name}: {checked.problem}")
        elif checked.finished or ((run.folder / "history.csv").is_file() and not is_method(run.config)):
            runs[run.run_id] = Path("reports", reports.name, place, run.run_id), run
    return dict(runs.values()), left_out


def _copy(source: Path, target: Path, names: Iterable[str]) -> None:
    """Copy the files of these names that are there."""
    for name in names:
        if (source / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, target / name)


def _copy_project(part: Path, profile: Path) -> dict[str, Any]:
    """Copy the parameters, and what the project says of itself; return its citation."""
    root = project_root()
    home = next(place for place in (root, PACKAGE.parent, PACKAGE / "_home") if (place / "CITATION.cff").is_file())
    # not what editors and systems hide there
    _copy(root / "params", part / "params", [name for name in _files(root / "params") if "/." not in f"/{name}"])
    if profile.suffix in (".yaml", ".yml"):
        _copy(profile.parent, part / "params" / "profiles", [profile.name])
    _copy(home, part, OF_PROJECT)
    _copy(SCHEMA.parent, part, [SCHEMA.name])
    citation: dict[str, Any] = yaml.safe_load((home / "CITATION.cff").read_text(encoding="utf-8"))
    return citation


def _copy_report(reports: Path, inside: Path) -> list[str]:
    """Copy the report and the executed notebooks, without folders of this machine; return what is left out, and why."""
    changed = [name for name, outcome in read_outcomes(reports).items() if outcome.status == "changed"]
    left_out = [f"{name}.ipynb: changed since the batch executed it" for name in changed]
    _copy(reports, inside, ["index.html", RETRAINED])
    for path in sorted((reports / "notebooks").glob("[!.]*.ipynb")):
        if path.stem in changed:
            continue
        try:
            read_notebook(path)
        except ResultsError:
            left_out.append(f"{path.name}: not a notebook that can be read")
            continue
        _copy(path.parent, inside / "notebooks", [path.name])
        content = json.loads(path.read_text(encoding="utf-8"))
        if (shown := forget_folders(content)) != content:
            write_json(inside / "notebooks" / path.name, shown)
    return left_out


def _write_codecheck(part: Path, profile: str, paper: dict[str, Any]) -> None:
    """Write CODECHECK's configuration; its `codechecker` and `report` are left to whoever checks."""
    about = {"title": paper["title"], "authors": [{"name": name_of(author)} for author in paper["authors"]]}
    files = {name: MADE[Path(name).name] for name in _files(part) if Path(name).name in MADE}
    content = {
        "version": "https://codecheck.org.uk/spec/config/1.0/",
        "paper": {**about, "reference": address_of(paper)} if address_of(paper) else about,
        "manifest": [{"file": name, "comment": comment} for name, comment in files.items()],
        "summary": "`make reproduce` makes the report of the demo, without data or a GPU. `siamese reproduce --profile "
        f"{profile}` trains what this archive holds and makes its report; `siamese export` writes its tables again. "
        f"`siamese verify --profile {profile} --retrain 3` trains three of the runs again and compares them.",
    }
    write_text(part / "codecheck.yml", yaml.safe_dump(content, explicit_start=True, sort_keys=False, width=120))
