"""The report: executed notebooks, Table 1 and provenance on one HTML page that needs no network.

`build_report(profile)` reads reports/<profile>/notebooks/*.ipynb as papermill left them (a failed one too),
batch.json beside that folder if there is one, and the finished runs; it writes
reports/<profile>/index.html and claims.csv.
The page's design is in templates/: page.html.j2, report.css, report.js, and notebook/ for the cells.
"""

from __future__ import annotations

import json
import logging
import os
from dataclasses import replace
from datetime import datetime, timezone
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import jinja2
from bs4 import BeautifulSoup
from markupsafe import Markup

from ..config import Profile, load_matrix
from ..errors import ResultsError
from ..evidence.board import Board
from ..paths import project_root, reports_dir
from ..text import duration
from ..training import runs as results
from .findings import findings
from .fragments import TEMPLATES, Section, convert, let_tables_scroll
from .scoreboard import claims_csv, counts_html, scoreboard_html
from .table1 import table1_html

SIZE_BUDGET = 15 * 2**20  # bytes; browsers and mail refuse or stutter at reports of 40 MB

log = logging.getLogger(__name__)


def build_report(profile: Profile, *, size_budget: int = SIZE_BUDGET) -> Path:
    """Write reports/<profile>/index.html from the executed notebooks and the finished runs; return its path.

    A page of more than `size_budget` bytes is written all the same, with a warning on top and in the log.
    Raises ResultsError where no notebook has been executed, or one or batch.json cannot be read.
    """
    folder = reports_dir() / profile.name
    sections = _link_up(_sections(folder, profile), folder)
    runs, board = results.find_runs(profile), Board(profile)
    page = {
        "profile": profile,
        "built": datetime.now(timezone.utc),
        "dataset": "Built-in drawn characters" if _is_synthetic(profile, runs) else "Omniglot",
        "synthetic": _is_synthetic(profile, runs),
        "differences": profile.departures,
        "failed": [section for section in sections if section.failed],
        "table1": _linked(table1_html(board), sections, folder),
        "counts": Markup(counts_html(board)),
        "claims": _linked(scoreboard_html(board), sections, folder),
        "learned": findings(board),
        "provenance": provenance_rows(profile, runs),
        "sections": sections,
    }
    text = _render(**page)
    if (size := len(text.encode())) > size_budget:
        largest = max(sections, key=lambda section: len(section.html))
        warning = (
            f"This page has {size / 2**20:.1f} MB, more than the {size_budget / 2**20:.1f} MB it should "
            f"keep to: save smaller figures, first of all in {largest.name}."
        )
        log.warning("%s", warning)
        text = _render(**page, size_warning=warning)
    out = folder / "index.html"
    part = out.with_name("index.html.part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, out)
    (folder / "claims.csv").write_text(claims_csv(board), encoding="utf-8")
    return out


def provenance_rows(profile: Profile, runs: list[results.Run]) -> list[tuple[str, list[str]]]:
    """What a reader needs to judge the numbers: (label, values); where runs differ, every distinct value."""
    metrics = [run.metrics for run in runs]
    origins = [m.get("provenance", {}) for m in metrics]
    names = [f"{e.name} (seed {seed})" for e in load_matrix().experiments for seed in profile.seeds]
    found = {f"{run.config['experiment']} (seed {run.seed})" for run in runs}
    missing = [name for name in names if name not in found]
    seconds = sum(m.get("seconds", 0) for m in metrics)
    finished = sorted(o["finished"] for o in origins if o.get("finished"))
    rows = [
        (
            "Runs",
            [
                f"{len(runs)} of {len(names)} finished{_under_way(profile)}",
                *([f"missing: {', '.join(missing)}"] if runs and missing else []),
            ],
        ),
        ("Training time", [f"{duration(seconds)} in total"] if runs else []),
        ("Finished", [_date(finished[0]), _date(finished[-1])] if finished else []),
        ("Profile", [_profile_line(profile)]),
        ("Seeds", [", ".join(map(str, profile.seeds))]),
        ("Dataset", _distinct(m.get("dataset", {}).get("name") for m in metrics) or [profile.dataset]),
        ("Fingerprint", _distinct(m.get("dataset", {}).get("fingerprint") for m in metrics)),
        ("Code", _distinct(_commit(origin) for origin in origins)),
        ("Backend", _distinct(origin.get("backend") for origin in origins)),
        ("Device", _distinct(origin.get("device") for origin in origins)),
        ("Processor", _distinct(_processor(origin) for origin in origins)),
        ("Platform", _distinct(origin.get("platform") for origin in origins)),
        ("Packages", [_versions(origins)]),
    ]
    return [(label, list(dict.fromkeys(values))) for label, values in rows if any(values)]


def _under_way(profile: Profile) -> str:
    """How many runs are under way, as the end of a sentence; nothing for none."""
    found = [
        run
        for experiment in load_matrix().experiments
        for seed in profile.seeds
        if (run := results.find_so_far(experiment, profile, seed)) and not run.finished
    ]
    return f", {len(found)} under way: Table 1 says how far each has come" if found else ""


def _sections(folder: Path, profile: Profile) -> list[Section]:
    """The executed notebooks in order, with their outcomes, and those that failed without leaving a file."""
    paths = {path.stem: path for path in (folder / "notebooks").glob("*.ipynb")}
    if not paths:
        raise ResultsError(
            f"no executed notebooks in {folder / 'notebooks'}: run `siamese batch --profile {profile.name}` first."
        )
    outcomes = {entry["notebook"]: entry for entry in _read_batch(folder / "batch.json")}
    sections = []
    for name in sorted(
        {*paths, *(n for n, outcome in outcomes.items() if outcome.get("status") in ("failed", "not run"))}
    ):
        if name in paths:
            section = convert(paths[name])
        else:
            left_out = outcomes[name].get("status") == "not run"
            why = outcomes[name].get("error") if left_out else "it left no file"
            words = f"<p>Not shown: {escape(str(why))}.</p>"
            title = name[3:].replace("_", " ").capitalize() if left_out else name
            section = Section(name, title, BeautifulSoup(words, "html.parser"))
        outcome = outcomes.get(name, {})
        sections.append(
            replace(
                section,
                failed=section.failed or outcome.get("status") == "failed",
                seconds=outcome.get("seconds"),
                error=(outcome.get("error") or section.error).strip(),
            )
        )
    return sections


def _read_batch(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return [{**entry, "notebook": Path(entry["notebook"]).stem} for entry in entries]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultsError(
            f"{path} cannot be read ({error}): restore it, or move it elsewhere and run the batch again."
        ) from error


def _link_up(sections: list[Section], folder: Path) -> list[Section]:
    """Point links between notebooks into the page; links to what is not there lose their target."""
    ids = {section.name: dict(reversed(section.fragments)) for section in sections}
    for section in sections:
        _point_links(section.soup, section.name, ids, folder)
    return sections


def _point_links(soup: BeautifulSoup, name: str, ids: dict[str, dict[str, str]], folder: Path) -> None:
    for link in soup.find_all("a", href=True):
        target = _target(str(link["href"]), name, ids, folder)
        if target is None:
            link.name = "span"
            del link["href"]
        else:
            link["href"] = target
        del link["target"]


def _target(href: str, name: str, ids: dict[str, dict[str, str]], folder: Path) -> str | None:
    """Where a link leads from the page: an id on it, a web address, a file of the project, or nowhere."""
    if href.startswith("#"):
        fragment = unquote(href[1:])
        known = href[1:] in ids[name].values() or fragment in ids[name].values()
        return href if known else f"#{ids[name][fragment]}" if fragment in ids[name] else None
    url = urlsplit(href)
    if url.scheme:
        return href if url.scheme in ("http", "https", "mailto") else None
    path = Path(unquote(url.path))
    if path.suffix == ".ipynb" and path.stem in ids:
        return f"#{ids[path.stem].get(unquote(url.fragment), f'nb-{path.stem}')}"
    root = project_root()
    file = (root / "notebooks" / path).resolve()
    if url.path and file.exists() and file.is_relative_to(root) and folder.is_relative_to(root):
        return os.path.relpath(file, folder)
    return None


def _linked(content: str, sections: list[Section], folder: Path) -> Markup:
    """A table of the page's own: its links to notebooks lead into the page, and it scrolls where it is wide."""
    soup = BeautifulSoup(content, "html.parser")
    _point_links(soup, "", {section.name: dict(reversed(section.fragments)) for section in sections}, folder)
    let_tables_scroll(soup)
    return Markup(str(soup))


def _is_synthetic(profile: Profile, runs: list[results.Run]) -> bool:
    return profile.dataset == "synthetic" or any(r.metrics.get("dataset", {}).get("synthetic") for r in runs)


def _profile_line(profile: Profile) -> str:
    parts = [
        f"{profile.image_size}×{profile.image_size} pixels",
        f"{profile.padding} padding",
        f"{profile.batch_size or 128} pairs a batch",
        f"{profile.iterations:,} iterations",
        f"checked every {profile.check_every} on {profile.check_episodes:,} episodes",
        f"final accuracies on {profile.episodes:,} episodes",
        profile.precision,
    ]
    return f"{profile.name}: {', '.join(parts)}"


def _commit(origin: dict[str, Any]) -> str | None:
    if not origin:
        return None
    commit = (origin.get("commit") or "unknown commit")[:12]
    return f"{commit}, with changes that were not committed" if origin.get("modified") else commit


def _processor(origin: dict[str, Any]) -> str | None:
    cores = origin.get("cores")
    return f"{origin['processor']}, {cores} cores" if origin.get("processor") and cores else origin.get("processor")


def _versions(origins: list[dict[str, Any]]) -> str:
    """Python and packages with their versions: "keras 3.12.0, jax 0.6.1 and 0.7.0"."""
    versions: dict[str, list[str]] = {}
    for origin in origins:
        for package, version in {"python": origin.get("python"), **origin.get("packages", {})}.items():
            if version and version not in versions.setdefault(package, []):
                versions[package].append(version)
    return ", ".join(f"{package} {' and '.join(sorted(found))}" for package, found in versions.items() if found)


def _distinct(values: Any) -> list[str]:
    return sorted({str(value) for value in values if value})


def _date(moment: str) -> str:
    return datetime.fromisoformat(moment).strftime("%Y-%m-%d %H:%M %Z").strip()


def _render(**page: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    environment.filters["duration"] = duration
    return environment.get_template("page.html.j2").render({"size_warning": "", **page})
