"""A study as one folder for an archive: an RO-Crate of its runs, report, parameters and locks, with their provenance.

The folder is laid out as a checkout. It conforms to RO-Crate 1.1 (https://w3id.org/ro/crate/1.1) and Process Run Crate
0.5; codecheck.yml is as https://codecheck.org.uk/spec/config/1.0/ says.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml
from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from ..config import load_profile
from ..errors import OutputError, ResultsError
from ..evidence.board import Board
from ..files import write_json, write_text
from ..paths import PACKAGE, project_root, reports_dir
from ..process import variables_set
from ..text import how_many
from ..training.integrity import EVIDENCE, SUMS, is_recorded, read_sums, sha256
from ..training.provenance import committed_files
from ..training.runs import SHIPPED, WEIGHTS, Run
from ..training.verify import RETRAINED, read_retrained, survey
from .batch import read_outcomes
from .notebooks import read_notebook
from .plots import differences, to_png
from .private import forget_folders
from .records import SCHEMA, results_of
from .scoreboard import claims_csv

CRATE = "ro-crate-metadata.json"
PROCESS = "https://w3id.org/ro/wfrun/process/0.5"
TERMS = "https://w3id.org/ro/terms/workflow-run"
OF_PROJECT = ("LICENSE", "NOTICE.md", "CITATION.cff", "pyproject.toml", "requirements.lock", "environment.yml")
# what whoever checks the archive makes again
MADE = {
    "differences.png": "how far each row of Table 1 is from the baseline, in the paper and here",
    "results.json": "every number of the runs, of Table 1 and of the verdicts, and where each comes from",
    "claims.csv": "the verdict on every claim of the paper",
    "index.html": "the report, one page that needs no network",
}
MEDIA = {
    **{".json": "application/json", ".csv": "text/csv", ".html": "text/html", ".png": "image/png"},
    **{".ipynb": "application/x-ipynb+json", ".md": "text/markdown", ".toml": "application/toml"},
    **{".yaml": "application/yaml", ".yml": "application/yaml", ".cff": "application/yaml"},
    **{".npz": "application/zip", ".keras": "application/zip"},
}


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
        _describe(part, sums, results, citation)
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
    """OutputError for a place that is neither free nor just as an earlier export left it."""
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


# ---- what is in it -------------------------------------------------------------------------------


def _believed(reports: Path, weights: bool) -> tuple[dict[Path, Run], list[str]]:
    """The runs by their folder in the archive, and which are left out and why; those on a reader's own folder stay."""
    runs: dict[str, tuple[Path, Run]] = {}
    left_out = []
    for finding in survey(reports, weights=weights):
        run, place = Run(finding.folder), finding.folder.parent.name if finding.finished else "under_way"
        if finding.folder.parent.name == "own" or run.run_id in runs:
            continue
        if finding.problem:
            left_out.append(f"{finding.folder.name}: {finding.problem}")
        elif finding.finished or ((run.folder / "history.csv").is_file() and "recipe" in run.config):
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
    about = {"title": paper["title"], "authors": [{"name": _name(author)} for author in paper["authors"]]}
    files = {name: MADE[Path(name).name] for name in _files(part) if Path(name).name in MADE}
    content = {
        "version": "https://codecheck.org.uk/spec/config/1.0/",
        "paper": {**about, "reference": _address(paper)} if _address(paper) else about,
        "manifest": [{"file": name, "comment": comment} for name, comment in files.items()],
        "summary": "`make reproduce` makes the report of the demo, without data or a GPU. `siamese reproduce --profile "
        f"{profile}` trains what this archive holds and makes its report; `siamese export` writes its tables again. "
        f"`siamese verify --profile {profile} --retrain 3` trains three of the runs anew and compares them.",
    }
    write_text(part / "codecheck.yml", yaml.safe_dump(content, explicit_start=True, sort_keys=False, width=120))


# ---- what is said of it --------------------------------------------------------------------------


def _describe(part: Path, sums: dict[str, str], results: dict[str, Any], citation: dict[str, Any]) -> None:
    """Write the crate's metadata: every file, and each finished run as an action of the code that made it.

    sums  the files' checksums by name
    """
    crate = ROCrate(version="1.1")
    crate.metadata.extra_terms = {name: f"{TERMS}#{name}" for name in ("environment", "sha256")}
    files = {
        name: crate.add_file(part / name, name, properties={**_of_file(part / name), "sha256": digest})
        for name, digest in sums.items()
    }
    # written last
    files[SUMS] = crate.add_file(part / SUMS, SUMS, properties={"name": SUMS, "encodingFormat": "text/plain"})

    def thing(identity: str, kind: str, **properties: Any) -> Any:
        known = {name: value for name, value in properties.items() if value}
        return crate.get(identity) or crate.add(ContextEntity(crate, identity, {"@type": kind, **known}))

    def agent(entry: dict[str, Any]) -> Any:
        kind, home = "Organization" if "name" in entry else "Person", entry.get("affiliation")
        about = {"url": entry.get("website"), "affiliation": home and agent({"name": home})}
        return thing(entry.get("orcid") or _id(_name(entry)), kind, name=_name(entry), **about)

    def code(commit: str | None, modified: bool | None) -> Any:
        version = f"{commit or 'unknown'}{', with uncommitted changes' if modified else ''}"
        return thing(f"{address or ''}{_id(version)}", "SoftwareSourceCode", version=version, **software)

    def action(run: dict[str, Any], folder: Any) -> Any:
        config = files[f"{run['folder']}/config.json"]
        dataset = {"name": run["dataset"], "identifier": run["fingerprint"]}
        settings = {name: run[name] for name in ("backend", "device", "processor", "convolutions") if run[name]}
        return thing(
            f"#run-{run['run_id']}",
            "CreateAction",
            name=folder["name"],
            description=folder["description"],
            endTime=run["finished"],
            instrument=code(run["commit"], run["modified"]),
            object=[thing(_id(run["fingerprint"]), "CreativeWork", **dataset), config],
            result=[file for file in folder["hasPart"] if file is not config],
            # who trains elsewhere is not known
            agent=authors if run["tier"] != "re-run here" else None,
            environment=[
                thing(_id(f"{name}={value}"), "PropertyValue", name=name, value=value)
                for name, value in {**settings, **run["packages"]}.items()
            ],
            actionStatus="http://schema.org/CompletedActionStatus",
        )

    paper, address = citation["references"][0], citation.get("repository-code") or citation.get("url")
    authors = _one([agent(entry) for entry in citation["authors"]])
    writers = _one([agent(entry) for entry in paper["authors"]])
    licence = thing(f"https://spdx.org/licenses/{citation['license']}", "CreativeWork", name=citation["license"])
    software = {"name": citation["title"].partition(":")[0], "softwareVersion": citation["version"]}
    software |= {"url": address, "codeRepository": address, "license": licence, "author": authors}
    actions, folders, by_folder = [], [], defaultdict(list)
    for name, file in files.items():
        by_folder[name.rpartition("/")[0]].append(file)
    for run in results["runs"]:
        of_run = by_folder[run["folder"]]
        words = f"Training of {run['name']}, seed {run['seed']}, under the profile {run['profile']}"
        about = {"name": words, "description": f"{run['iterations']:,} updates of the recipe in config.json"}
        folders.append(crate.add_dataset(dest_path=run["folder"], properties={**about, "hasPart": of_run}))
        if run["status"] == "finished":
            actions.append(action(run, folders[-1]))
        else:
            folders[-1]["creativeWorkStatus"] = "Incomplete"
    in_folders = {file.id for folder in folders for file in folder["hasPart"]}
    now = int(os.environ.get("SOURCE_DATE_EPOCH", datetime.now(timezone.utc).timestamp()))
    cited = {"name": paper["title"], "author": writers, "description": paper.get("notes")}
    for name, value in {
        "name": f"{paper['title']}, run again: the profile {results['profile']}",
        "description": f"{how_many(len(actions), 'finished run')} and {len(folders) - len(actions)} under way, with "
        f"parameters, locks, tables and report. {citation['message']}",
        "datePublished": datetime.fromtimestamp(now, timezone.utc).isoformat(),
        "license": licence,
        "author": authors,
        "keywords": ", ".join(citation["keywords"]),
        "citation": thing(_address(paper) or _id(paper["title"]), "ScholarlyArticle", **cited),
        "conformsTo": thing(PROCESS, "CreativeWork", name="Process Run Crate", version=PROCESS.rpartition("/")[2]),
        "hasPart": [*(file for file in files.values() if file.id not in in_folders), *folders],
        "mentions": _one([code(results["commit"], results["modified"]), *actions]),
    }.items():
        crate.root_dataset[name] = value
    crate.metadata.write(part)


def _of_file(path: Path) -> dict[str, str]:
    about = {"description": MADE[path.name]} if path.name in MADE else {}
    known = {"encodingFormat": MEDIA.get(path.suffix, "text/plain"), "contentSize": str(path.stat().st_size)}
    return {"name": path.name, **known, **about}


def _one(entities: list[Any]) -> Any:
    """RO-Crate 1.1 wants a list of several only."""
    return entities[0] if len(entities) == 1 else entities


def _id(words: str) -> str:
    return f"#{quote(words)}"


def _name(author: dict[str, Any]) -> str:
    return author.get("name") or f"{author['given-names']} {author['family-names']}"


def _address(work: dict[str, Any]) -> str | None:
    return f"https://doi.org/{work['doi']}" if "doi" in work else work.get("url") or work.get("repository-code")
