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
from ..training.state import State, states_of, what_is_left
from ..training.verify import survey
from .batch import Outcome, read_outcomes
from .findings import findings, gist, numbers
from .folding import shorten, shorten_notebook
from .fragments import Section, convert, let_tables_scroll
from .links import point_links
from .live import SHOWN_WIDTH
from .network import find_run, try_it
from .private import forget_folders
from .rendering import piece, render, render_html
from .sanitize import script_hash
from .scoreboard import claims_csv, scoreboard_html
from .table1 import table1_html

# bytes; browsers and mail refuse or stutter at reports of 40 MB
SIZE_BUDGET = 15 * 2**20
KEY_FIGURE = (
    "For each row of Table 1, the difference to the baseline in points: the paper’s with its noise, and ours with its "
    "95 % interval. Table 1 below has the numbers."
)
WORKFLOW = "What makes what: runs and methods a notebook, the notebooks the report, which siamese verify checks."
# "2. The network" → "The network"
NUMBERING = re.compile(r"^[\d.]+\s+")
OFTEN = 2

# what a notebook's section says where its last execution has not ended: of an earlier result, and of none
EARLIER = {
    "interrupted": "its last execution was interrupted, and an earlier result is shown: run the batch again",
    "running": "it is being executed, and an earlier result is shown",
}
NOTHING = {
    "interrupted": "its execution was interrupted",
    "running": "it is being executed",
    "changed": "its file has changed since the batch executed it: run the batch again",
}

log = logging.getLogger(__name__)


def build_report(profile: Profile, *, size_budget: int = SIZE_BUDGET) -> Path:
    """Write reports/<profile>/index.html from the executed notebooks and the runs, and claims.csv; return its path.

    Reads reports/<profile>/notebooks/*.ipynb as papermill left them, failed ones too, and batch.json beside that folder
    if there is one. A page of more than `size_budget` bytes is written all the same, with a warning on top and in the
    log. Raises ResultsError where no notebook has been executed, or one or batch.json cannot be read.
    """
    folder = reports_dir() / profile.name
    sections = _sections(folder, profile)
    ids = {section.name: section.fragments for section in sections}
    for section in sections:
        point_links(section.soup, section.name, ids, folder)
        shorten_notebook(section.soup, failed=section.amiss)

    board, states = Board(profile), states_of(profile)
    runs = [state.run for *_, state in states if state.run]
    synthetic = profile.dataset == "synthetic" or any(run.metrics.get("dataset", {}).get("synthetic") for run in runs)
    shipped = find_run()
    network, network_data = try_it(shipped) if shipped else (None, None)
    introduction = [section for section in sections if section.title.startswith(("Start", "1"))]
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
    }

    def linked(template: str) -> Markup:
        """A part of the page's own: its links to notebooks lead into the page, and a wide table scrolls."""
        soup = BeautifulSoup(render_html(f"{template}.html.j2", **values), "html.parser")
        point_links(soup, "", ids, folder)
        let_tables_scroll(soup)
        shorten(soup)
        return Markup(str(soup))

    scripts = ["report.js", "figures.js", *(("network.js", "play.js") if network else ())]
    script = "\n".join(render(name, {}) for name in scripts)
    page = {
        **values,
        **{name: linked(name) for name in ("header", "top", "try", "introduction", "methodology", "conclusion")},
        "network_data": network_data,
        "synthetic": synthetic,
        "every": sections,
        "sections": {
            "introduction": introduction,
            "experiments": [section for section in sections if section not in introduction],
        },
        "contents": _distinctive_headings(sections),
        "gist": gist(board),
        "script": Markup(script),
        "script_hash": Markup(script_hash(script)),
    }
    text = render_html("page.html.j2", **page, size_warning="")
    if (size := len(text.encode())) > size_budget:
        largest = max(sections, key=lambda section: len(section.html))
        warning = (
            f"This page has {size / 2**20:.1f} MB, more than the {size_budget / 2**20:.1f} MB it should "
            f"keep to: save smaller figures, first of all in {largest.name}."
        )
        log.warning("%s", warning)
        text = render_html("page.html.j2", **page, size_warning=warning)
    out = folder / "index.html"
    write_text(out, text)
    write_text(folder / "claims.csv", claims_csv(board))
    return out


def key_figure(board: Board) -> Markup:
    """How far each network stands from the baseline, as an image."""
    # Matplotlib takes a second to import
    from .plots import differences, notes_of, to_png

    known = board.rows.dropna(subset="author_difference")
    logged = known[["experiment", "author_difference"]] if len(known) else None
    figure = differences(board.rows, iterations=board.profile.iterations, at_iteration=logged)
    png = b64encode(to_png(figure)).decode()
    return piece("image", png, KEY_FIGURE, SHOWN_WIDTH, notes_of(figure))


def _workflow() -> Markup | str:
    """The picture of the workflow, where the checkout is there that has it."""
    picture = project_root() / "docs" / "images" / "workflow.png"
    return piece("image", b64encode(picture.read_bytes()).decode(), WORKFLOW, 640, "") if picture.is_file() else ""


def provenance(profile: Profile, states: Iterable[tuple[Experiment, int, State]]) -> dict[str, Any]:
    """What a reader needs to judge the numbers; where the finished runs differ, every distinct value.

    states  of the matrix's runs under the profile's seeds
    """
    states = list(states)
    runs = [state.run for *_, state in states if state.run]
    finished = [run for run in runs if run.finished]
    origins, datasets = ([run.metrics.get(part, {}) for run in finished] for part in ("provenance", "dataset"))
    dates = sorted(origin["finished"] for origin in origins if origin.get("finished"))
    return {
        "wanted": len(states),
        "finished": len(finished),
        "under_way": len(runs) - len(finished),
        "missing": [f"{row.name} (seed {seed})" for row, seed, state in states if state.word != "finished"],
        "left": [forget_folders(words) for words in what_is_left(states, profile)],
        "left_out": [
            f"{finding.folder.name}: {finding.problem}"
            for finding in survey(reports_dir() / profile.name, weights=False)
            if finding.problem
        ],
        "seconds": sum(run.metrics.get("seconds", 0) for run in finished),
        "dates": [f"{datetime.fromisoformat(date):%Y-%m-%d %H:%M %Z}".strip() for date in (*dates[:1], *dates[-1:])],
        "dataset": _distinct(dataset.get("name") for dataset in datasets) or [profile.dataset],
        "fingerprint": _distinct(dataset.get("fingerprint") for dataset in datasets),
        "code": _distinct(short_commit(origin) for origin in origins if origin),
        "processor": _distinct(_processor(origin) for origin in origins),
        "packages": _versions(origins),
        **{name: _distinct(origin.get(name) for origin in origins) for name in ("backend", "device", "platform")},
    }


# ---- what the page is made of --------------------------------------------------------------------


def _distinctive_headings(sections: list[Section]) -> dict[str, list[tuple[str, str]]]:
    """The headings of each notebook, (id, text without its number), that stand in two notebooks at most."""
    headings = {s.name: [(place, NUMBERING.sub("", text)) for place, text in s.headings] for s in sections}
    often = Counter(text for own in headings.values() for text in {_singular(text) for _, text in own})
    return {n: [(place, text) for place, text in own if often[_singular(text)] <= OFTEN] for n, own in headings.items()}


def _singular(heading: str) -> str:
    """ "The figures" and "the figure" are one heading."""
    return heading.lower().removesuffix("s")


def _sections(folder: Path, profile: Profile) -> list[Section]:
    """The executed notebooks in order, with their outcomes, and those that left no file."""
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
            earlier = EARLIER.get(outcome.status, "") if section.headings else ""
            error = (forget_folders(outcome.error) or section.error or earlier).strip()
            # a failure in the notebook itself is never covered by what the batch says
            status = section.status if outcome.status == "ok" else outcome.status
            section = replace(section, status=status, seconds=outcome.seconds, error=error)
        sections.append(section)
    return sections


def _placeholder(outcome: Outcome) -> Section:
    """What stands where a notebook was left out, or left no file."""
    left_out = outcome.status == "not run"
    words = piece("not_shown", outcome.error if left_out else NOTHING.get(outcome.status, "it left no file"))
    title = outcome.notebook if outcome.status == "failed" else outcome.notebook[3:].replace("_", " ").capitalize()
    return Section(outcome.notebook, title, BeautifulSoup(words, "html.parser"))


# ---- pieces of the provenance --------------------------------------------------------------------


def _processor(origin: dict[str, Any]) -> str | None:
    name, cores = origin.get("processor"), origin.get("cores")
    return f"{name}, {cores} cores" if name and cores else name


def _versions(origins: list[dict[str, Any]]) -> str:
    """Python and packages with their versions: "keras 3.12.0, jax 0.6.1 and 0.7.0"."""
    versions: dict[str, set[str]] = {}
    for origin in origins:
        for package, version in {"python": origin.get("python"), **origin.get("packages", {})}.items():
            if version:
                versions.setdefault(package, set()).add(version)
    return ", ".join(f"{package} {' and '.join(sorted(found))}" for package, found in versions.items())


def _distinct(values: Iterable[object]) -> list[str]:
    return sorted({str(value) for value in values if value})
