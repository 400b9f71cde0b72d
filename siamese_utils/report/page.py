"""The report: what was found, Table 1, and the executed notebooks on one HTML page that needs no network.

The page's design is in templates/: page.html.j2 and what it includes, the .css and .js files, notebook/ for the cells.
"""

import logging
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup
from markupsafe import Markup

from ..config import Experiment, Profile
from ..errors import ResultsError
from ..evidence.board import Board
from ..files import write_text
from ..paths import project_root, reports_dir
from ..training.provenance import short_commit
from ..training.runs import check_iterations
from ..training.state import State, states_of, what_is_left
from ..training.verify import survey
from .batch import Outcome, read_outcomes
from .findings import differences_by_notebook, findings, numbers
from .folding import shorten, shorten_notebook
from .fragments import NotebookSection, convert, let_tables_scroll
from .links import Ids, point_links
from .live import SHOWN_WIDTH
from .network import shipped_run, try_it
from .private import forget_folders
from .records import distinct
from .rendering import piece, render, render_html
from .sanitize import script_hash
from .scoreboard import claims_csv, scoreboard_html
from .table1 import table1_html

# bytes; browsers and mail refuse or stutter at reports of 40 MB
SIZE_BUDGET = 15 * 2**20
# "2. The network" → "The network"
NUMBERING = re.compile(r"^[\d.]+\s+")
OFTEN = 2

# the page's own parts, and its scripts: templates
PARTS = ("header", "top", "try", "introduction", "methodology", "conclusion")
SCRIPTS, NETWORK_SCRIPTS = ("report.js", "figures.js"), ("network.js", "play.js")
# of the notebooks that belong to the introduction
INTRODUCTION = ("00", "01")

log = logging.getLogger(__name__)


def build_report(profile: Profile) -> Path:
    """Write reports/<profile>/index.html from the executed notebooks and the runs, and claims.csv; return its path.

    Reads reports/<profile>/notebooks/*.ipynb as papermill left them, failed ones too, and batch.json beside that folder
    if there is one. A page of more than `SIZE_BUDGET` bytes is written all the same, with a warning on top and in the
    log. Raises ResultsError where no notebook has been executed, or one or batch.json cannot be read.
    """
    folder = reports_dir() / profile.name
    sections = _sections(folder, profile)
    ids = {section.name: section.fragments for section in sections}
    for section in sections:
        point_links(section.soup, section.name, ids, folder)
        shorten_notebook(section.soup, failed=section.has_problem)
    introduction = [section for section in sections if section.name.startswith(INTRODUCTION)]

    board = Board(profile)
    values, network_data = _values(board)
    script = "\n".join(render(name, {}) for name in (*SCRIPTS, *(NETWORK_SCRIPTS if network_data else ())))
    page = {
        **values,
        **{part: _part(part, values, ids, folder) for part in PARTS},
        "network_data": network_data,
        "every": sections,
        "sections": {
            "introduction": introduction,
            "experiments": [section for section in sections if section not in introduction],
        },
        "contents": _distinctive_headings(sections),
        "differences": differences_by_notebook(board),
        "script": Markup(script),
        "script_hash": Markup(script_hash(script)),
    }
    text = render_html("page.html.j2", **page, size_warning="")
    if (size := len(text.encode())) > SIZE_BUDGET:
        largest = max(sections, key=lambda section: len(section.html))
        warning = piece("large_page", size / 2**20, SIZE_BUDGET / 2**20, largest.name)
        log.warning("%s", warning)
        text = render_html("page.html.j2", **page, size_warning=warning)
    write_text(folder / "index.html", text)
    write_text(folder / "claims.csv", claims_csv(board))
    return folder / "index.html"


def _values(board: Board) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Compute what the templates of the page's own parts show, and what the script of the network in the page needs."""
    profile = board.profile
    states = states_of(profile)
    runs = [state.run for *_, state in states if state.run]
    shipped = shipped_run()
    network, network_data = try_it(shipped) if shipped else (None, None)
    known = numbers(board)
    values = {
        **known,
        "built": datetime.now(timezone.utc),
        "findings": findings(known),
        "figure": key_figure(board),
        "table1": table1_html(board),
        "claims": scoreboard_html(board),
        "provenance": provenance(profile, states),
        "workflow": _workflow(),
        "network": network,
        "synthetic": profile.dataset == "synthetic"
        or any(run.metrics.get("dataset", {}).get("synthetic") for run in runs),
    }
    return values, network_data


def _part(name: str, values: dict[str, Any], ids: Ids, folder: Path) -> Markup:
    """Render a part of the page's own: its links to notebooks lead into the page, and a wide table scrolls."""
    soup = BeautifulSoup(render_html(f"{name}.html.j2", **values), "html.parser")
    point_links(soup, "", ids, folder)
    let_tables_scroll(soup)
    shorten(soup)
    return Markup(str(soup))


def key_figure(board: Board) -> Markup:
    """Draw how far each network stands from the baseline, as an image."""
    # Matplotlib takes a second to import
    from .plots import differences, notes_of, to_png

    known = board.rows.dropna(subset="author_difference")
    logged = known[["experiment", "author_difference"]] if len(known) else None
    figure = differences(board.rows, iterations=board.profile.iterations, at_iteration=logged)
    png = b64encode(to_png(figure)).decode()
    return piece("key_figure", png, SHOWN_WIDTH, notes_of(figure))


def _workflow() -> str:
    """Read the picture of the workflow, as base64; "" without the checkout that has it."""
    picture = project_root() / "docs" / "images" / "workflow.png"
    return b64encode(picture.read_bytes()).decode() if picture.is_file() else ""


def provenance(profile: Profile, states: Iterable[tuple[Experiment, int, State]]) -> dict[str, Any]:
    """Collect what a reader needs to judge the numbers; where the finished runs differ, every distinct value.

    states  of the matrix's runs under the profile's seeds
    """
    states = list(states)
    runs = [state.run for *_, state in states if state.run]
    finished = [run for run in runs if run.finished]
    origins, datasets = ([run.metrics.get(part, {}) for run in finished] for part in ("provenance", "dataset"))
    dates = sorted(origin["finished"] for origin in origins if origin.get("finished"))
    known: dict[str, list[Any]] = {
        "dataset": [dataset.get("name") for dataset in datasets],
        "fingerprint": [dataset.get("fingerprint") for dataset in datasets],
        "code": [short_commit(origin) for origin in origins if origin],
        "processor": [_processor(origin) for origin in origins],
        **{
            name: [origin.get(name) for origin in origins] for name in ("backend", "device", "convolutions", "platform")
        },
    }
    return {
        "wanted": len(states),
        "finished": len(finished),
        "under_way": [
            f"{row.name} (seed {seed}) at iteration {state.iteration:,} of {check_iterations(row, profile)[-1]:,}"
            for row, seed, state in states
            if state.run and not state.run.finished
        ],
        "missing": [f"{row.name} (seed {seed})" for row, seed, state in states if not state.run],
        "left": [forget_folders(words) for words in what_is_left(states, profile)],
        "left_out": [
            f"{checked.folder.name}: {checked.problem}"
            for checked in survey(reports_dir() / profile.name, weights=False)
            if checked.problem
        ],
        "seconds": sum(run.metrics.get("seconds", 0) for run in finished),
        "dates": [f"{datetime.fromisoformat(date):%Y-%m-%d %H:%M %Z}".strip() for date in (*dates[:1], *dates[-1:])],
        "packages": _versions(origins),
        **{name: sorted(map(str, distinct(values))) for name, values in known.items()},
    }


# ---- what the page is made of --------------------------------------------------------------------


def _distinctive_headings(sections: list[NotebookSection]) -> dict[str, list[tuple[str, str]]]:
    """List the headings of each notebook, (id, text without its number), that stand in two notebooks at most."""
    headings = {s.name: [(place, NUMBERING.sub("", text)) for place, text in s.headings] for s in sections}
    often = Counter(text for own in headings.values() for text in {_singular(text) for _, text in own})
    return {n: [(place, text) for place, text in own if often[_singular(text)] <= OFTEN] for n, own in headings.items()}


def _singular(heading: str) -> str:
    """Reduce "The figures" and "the figure" to one heading."""
    return heading.lower().removesuffix("s")


def _sections(folder: Path, profile: Profile) -> list[NotebookSection]:
    """Convert the executed notebooks in order, with their outcomes, and those that left no file."""
    paths = {path.stem: path for path in (folder / "notebooks").glob("*.ipynb") if not path.name.startswith(".")}
    if not paths:
        raise ResultsError(
            f"no executed notebooks in {folder / 'notebooks'}: run `siamese batch --profile {profile.name}` first."
        )
    outcomes, sections = read_outcomes(folder), []
    for name in sorted({*paths, *outcomes}):
        outcome = outcomes.get(name)
        if outcome and (outcome.status == "changed" or name not in paths):
            section = _placeholder(outcome)
        else:
            section = convert(paths[name])
        if outcome:
            # where its last execution did not end, it shows an earlier one
            earlier = piece("earlier", outcome.status) if section.headings else ""
            error = (forget_folders(outcome.error) or section.error or earlier).strip()
            # a failure in the notebook itself is never covered by what the batch says
            status = section.status if outcome.status == "ok" else outcome.status
            section = replace(section, status=status, seconds=outcome.seconds, error=error)
        sections.append(section)
    return sections


def _placeholder(outcome: Outcome) -> NotebookSection:
    """Make what stands where a notebook was left out, or left no file."""
    words = piece("not_shown", outcome)
    title = outcome.notebook if outcome.status == "failed" else outcome.notebook[3:].replace("_", " ").capitalize()
    return NotebookSection(outcome.notebook, title, BeautifulSoup(words, "html.parser"))


# ---- pieces of the provenance --------------------------------------------------------------------


def _processor(origin: dict[str, Any]) -> str | None:
    name, cores = origin.get("processor"), origin.get("cores")
    return f"{name}, {cores} cores" if name and cores else name


def _versions(origins: list[dict[str, Any]]) -> str:
    """List Python and packages with their versions: "keras 3.12.0, jax 0.6.1 and 0.7.0"."""
    versions: dict[str, set[str]] = {}
    for origin in origins:
        for package, version in {"python": origin.get("python"), **origin.get("packages", {})}.items():
            if version:
                versions.setdefault(package, set()).add(version)
    return ", ".join(f"{package} {' and '.join(sorted(found))}" for package, found in versions.items())
