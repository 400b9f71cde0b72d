"""The report: executed notebooks, Table 1 and provenance on one HTML page that needs no network.

`build_report(profile)` reads reports/<profile>/notebooks/*.ipynb as papermill left them (a failed one too),
batch.json beside that folder if there is one, and the finished runs; it writes reports/<profile>/index.html.
The page's design is in templates/: page.html.j2, report.css, report.js, and notebook/ for the cells.
"""

from __future__ import annotations

import base64
import html
import json
import logging
import mimetypes
import os
import re
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import jinja2
import nbformat
from bs4 import BeautifulSoup
from markupsafe import Markup
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from . import results
from .errors import ResultsError
from .params import PAPER_ITERATIONS, Profile, load_matrix
from .paths import project_root, reports_dir

SIZE_BUDGET = 15 * 2**20  # bytes; browsers and mail refuse or stutter at reports of 40 MB
TEMPLATES = Path(__file__).parent / "templates"
DISPLAY_PRIORITY = [  # no JavaScript, no widgets: they would need the network
    "text/html",
    "text/markdown",
    "image/svg+xml",
    "image/png",
    "image/jpeg",
    "text/latex",
    "text/plain",
]
LOADING_TAGS = ["script", "link", "iframe", "object", "embed", "base", "meta"]  # they load or run something

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Section:
    """One notebook in the report; `fragments` maps ids that its links may name to ids on the page."""

    name: str
    title: str
    soup: BeautifulSoup
    headings: tuple[tuple[str, str], ...] = ()  # (id, text) of its ## headings
    fragments: tuple[tuple[str, str], ...] = ()
    failed: bool = False
    seconds: float | None = None
    error: str = ""

    @property
    def anchor(self) -> str:
        return f"nb-{self.name}"

    @property
    def html(self) -> Markup:
        return Markup(str(self.soup))


def build_report(profile: Profile, *, size_budget: int = SIZE_BUDGET) -> Path:
    """Write reports/<profile>/index.html from the executed notebooks and the finished runs; return its path.

    A page of more than `size_budget` bytes is written all the same, with a warning on top and in the log.
    Raises ResultsError where no notebook has been executed, or one or batch.json cannot be read.
    """
    folder = reports_dir() / profile.name
    sections = _link_up(_sections(folder, profile), folder)
    runs = results.find_runs(profile)
    page = {
        "profile": profile,
        "built": datetime.now(timezone.utc),
        "dataset": "Built-in drawn characters" if _is_synthetic(profile, runs) else "Omniglot",
        "synthetic": _is_synthetic(profile, runs),
        "differences": _differences_from_paper(profile),
        "failed": [section for section in sections if section.failed],
        "table1": _table1(profile),
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
                f"{len(runs)} of {len(names)} finished",
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


def duration(seconds: float) -> str:
    """Seconds in words: "48 s", "3 min 20 s", "2 h 05 min"."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
    return f"{minutes // 60:,} h {minutes % 60:02d} min"


def markdown_to_html(source: str, attachments: dict[str, Any]) -> str:
    """Markdown as Jupyter reads it, with formulas drawn here instead of by MathJax."""
    renderer = IPythonRenderer(escape=False, attachments=attachments, exclude_anchor_links=True)
    vars(renderer).update(  # where mistune looks for its rules first
        inline_math=formula_svg,
        block_math=lambda tex: f'<span class="display">{formula_svg(tex)}</span>',
        latex_environment=lambda name, body: f'<span class="display">{formula_svg(body)}</span>',
    )
    return MarkdownWithMath(renderer=renderer).render(source)


def formula_svg(tex: str) -> str:
    """A TeX formula as inline SVG in the text's colour by mathtext; what it cannot read stays TeX."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    tex = " ".join(tex.split())
    try:
        font = FontProperties(family="serif", math_fontfamily="stix")
        path = TextPath((0, 0), f"${tex}$", size=100, prop=font)  # 100 units an em, y upwards
    except ValueError:
        return f'<code class="formula">{html.escape(tex)}</code>'
    letters = {1: "M", 2: "L", 3: "Q", 4: "C", 79: "Z"}
    drawn = "".join(
        letters[int(code)] + ("" if code == 79 else " ".join(f"{value:.0f}" for value in points))
        for points, code in path.iter_segments(simplify=False, curves=True)
    )
    box = path.get_extents()
    left, bottom, width, height = box.x0 - 2, box.y0 - 2, box.width + 4, box.height + 4
    view = f"{left:.0f} {-bottom - height:.0f} {width:.0f} {height:.0f}"
    return (
        f'<svg class="formula" role="img" viewBox="{view}" '
        f'style="width:{width / 100:.2f}em;height:{height / 100:.2f}em;vertical-align:{bottom / 100:.2f}em">'
        f'<title>{html.escape(tex)}</title><path transform="scale(1 -1)" d="{drawn}"/></svg>'
    )


def _sections(folder: Path, profile: Profile) -> list[Section]:
    """The executed notebooks in order, with their outcomes, and those that failed without leaving a file."""
    paths = {path.stem: path for path in (folder / "notebooks").glob("*.ipynb")}
    if not paths:
        raise ResultsError(
            f"no executed notebooks in {folder / 'notebooks'}: "
            f"run `siamese batch --profile {profile.name}` first."
        )
    outcomes = {entry["notebook"]: entry for entry in _read_batch(folder / "batch.json")}
    sections = []
    for name in sorted(
        {*paths, *(n for n, outcome in outcomes.items() if outcome.get("status") == "failed")}
    ):
        if name in paths:
            section = _convert(paths[name])
        else:
            section = Section(name, name, BeautifulSoup("<p>This notebook left no file.</p>", "html.parser"))
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
        raise ResultsError(f"{path} cannot be read ({error}): delete it and run the batch again.") from error


def _convert(path: Path) -> Section:
    """One executed notebook as a section whose headings, ids and pictures fit into the page."""
    try:
        notebook = nbformat.read(path, as_version=4)
    except (OSError, ValueError, nbformat.ValidationError) as error:
        raise ResultsError(f"{path} cannot be read ({error}): delete it and run the batch again.") from error
    body, _ = _exporter().from_notebook_node(notebook)
    soup = BeautifulSoup(body, "html.parser")
    _keep_self_contained(soup, project_root() / "notebooks")
    title, headings, fragments = _fit_headings(soup, path.stem)
    for picture in soup.find_all("img"):
        if not picture.get("alt"):
            picture["alt"] = f"A figure of the section “{title}”, without a description"
    _let_tables_scroll(soup)
    problem = _first_error(notebook)
    return Section(
        path.stem, title, soup, tuple(headings), tuple(fragments), problem is not None, error=problem or ""
    )


def _exporter() -> HTMLExporter:
    @jinja2.pass_context
    def markdown2html(context: jinja2.runtime.Context, source: str) -> str:
        return markdown_to_html(source, context.get("cell", {}).get("attachments", {}))

    return HTMLExporter(
        template_name="notebook",
        extra_template_basedirs=[str(TEMPLATES)],
        filters={"markdown2html": markdown2html},
        config={"NbConvertBase": {"display_data_priority": DISPLAY_PRIORITY}},
    )


def _first_error(notebook: nbformat.NotebookNode) -> str | None:
    """The error that stopped the notebook, "Name: message"; those a cell is meant to show do not count."""
    for cell in notebook.cells:
        if cell.cell_type != "code" or "raises-exception" in cell.metadata.get("tags", []):
            continue
        for output in cell.outputs:
            if output.output_type == "error":
                return f"{output.ename}: {output.evalue}" if output.evalue else output.ename
    stopped = notebook.metadata.get("papermill", {}).get("exception")
    return "the execution stopped" if stopped else None


def _keep_self_contained(soup: BeautifulSoup, notebooks: Path) -> None:
    """Embed pictures beside the notebooks; take out what would load or run something, or fight our style."""
    for tag in soup.find_all(LOADING_TAGS):
        tag.decompose()
    for style in soup.find_all("style", attrs={"scoped": True}):  # pandas' own, for tables in JupyterLab
        style.decompose()
    for tag in soup.find_all(src=True):
        source = str(tag["src"])
        if source.startswith("data:"):
            continue
        file = (notebooks / unquote(source)).resolve()
        if tag.name == "img" and file.is_relative_to(notebooks) and file.is_file():
            kind = mimetypes.guess_type(file.name)[0]
            tag["src"] = f"data:{kind};base64,{base64.b64encode(file.read_bytes()).decode()}"
        else:
            note = soup.new_tag("span", attrs={"class": "left-out"})
            note.string = f"[left out, not part of this file: {tag.get('alt') or tag['src']}]"
            tag.replace_with(note)
    for tag in soup.select(".celltag_papermill-error-cell-tag [style]"):
        del tag["style"]
    for table in soup.find_all("table", attrs={"border": True}):
        del table["border"]


def _let_tables_scroll(soup: BeautifulSoup) -> None:
    """Let a wide table scroll in a box of its own, by keyboard too, so that the page never does."""
    for table in soup.find_all("table"):
        table.wrap(soup.new_tag("div", attrs={"class": "scroll", "tabindex": "0"}))


def _fit_headings(soup: BeautifulSoup, name: str) -> tuple[str, list[tuple[str, str]], list[tuple[str, str]]]:
    """Make every id the notebook's own, and headings a level lower; the first h1 becomes the section's title.

    Returns the title, (id, text) of second-level headings, and pairs (id as links name it, id on the page).
    """
    fragments: list[tuple[str, str]] = []
    used: set[str] = set()

    def own(slug: str) -> str:
        new, number = f"{name}--{slug}", 1
        while new in used:
            number += 1
            new = f"{name}--{slug}-{number}"
        used.add(new)
        return new

    styled = " ".join(
        style.get_text() for style in soup.find_all("style")
    )  # a pandas Styler's ids are random
    for tag in soup.find_all(id=True):
        if (old := str(tag["id"])) and f"#{old}" not in styled:
            tag["id"] = own(old)
            fragments.append((old, str(tag["id"])))
    title, headings = "", []
    for tag in soup.find_all(re.compile("^h[1-6]$")):
        text = " ".join(tag.get_text(" ").split())
        level = int(tag.name[1])
        if level == 1 and not title:
            title = text
            fragments += [(text.replace(" ", "-"), f"nb-{name}"), (_slug(text), f"nb-{name}")]
            tag.decompose()
            continue
        tag.name = f"h{min(max(level + 1, 3), 6)}"
        if not tag.get("id"):
            tag["id"] = own(_slug(text))
        fragments += [(text.replace(" ", "-"), str(tag["id"])), (_slug(text), str(tag["id"]))]
        if level == 2:
            headings.append((str(tag["id"]), text))
        link = soup.new_tag(
            "a", attrs={"class": "anchor", "href": f"#{tag['id']}", "aria-label": f"Link to “{text}”"}
        )
        link.string = "#"
        tag.append(link)
    return title or name, headings, fragments


def _link_up(sections: list[Section], folder: Path) -> list[Section]:
    """Point links between notebooks into the page; links to what is not there lose their target."""
    ids = {section.name: dict(reversed(section.fragments)) for section in sections}
    for section in sections:
        for link in section.soup.find_all("a", href=True):
            target = _target(str(link["href"]), section.name, ids, folder)
            if target is None:
                link.name = "span"
                del link["href"]
            else:
                link["href"] = target
            del link["target"]
    return sections


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


def _table1(profile: Profile) -> Markup:
    from .tables import table1_html

    soup = BeautifulSoup(table1_html(profile), "html.parser")
    _let_tables_scroll(soup)
    return Markup(str(soup))


def _is_synthetic(profile: Profile, runs: list[results.Run]) -> bool:
    return profile.dataset == "synthetic" or any(r.metrics.get("dataset", {}).get("synthetic") for r in runs)


def _differences_from_paper(profile: Profile) -> list[str]:
    """How the profile departs from the paper's protocol, in words; empty where it does not."""
    if profile.is_paper_protocol:
        return []
    size = profile.image_size
    differences = {
        # that the characters are drawn by the program is said by a banner of its own
        f"{size}×{size} pixels instead of 105×105": size != 105,
        "padded convolutions instead of unpadded ones": profile.padding != "valid",
        f"{profile.iterations:,} iterations instead of {PAPER_ITERATIONS:,}": profile.iterations
        != PAPER_ITERATIONS,
    }
    return [words for words, differs in differences.items() if differs]


def _profile_line(profile: Profile) -> str:
    return (
        f"{profile.name}: {profile.image_size}×{profile.image_size} pixels, {profile.padding} padding, "
        f"{profile.iterations:,} iterations, checked every {profile.check_every} on "
        f"{profile.check_episodes:,} episodes, final accuracies on {profile.episodes:,} episodes, "
        f"{profile.precision}"
    )


def _commit(origin: dict[str, Any]) -> str | None:
    if not origin:
        return None
    commit = (origin.get("commit") or "unknown commit")[:12]
    return f"{commit}, with changes that were not committed" if origin.get("modified") else commit


def _processor(origin: dict[str, Any]) -> str | None:
    cores = origin.get("cores")
    return (
        f"{origin['processor']}, {cores} cores"
        if origin.get("processor") and cores
        else origin.get("processor")
    )


def _versions(origins: list[dict[str, Any]]) -> str:
    """Python and packages with their versions: "keras 3.12.0, jax 0.6.1 and 0.7.0"."""
    versions: dict[str, list[str]] = {}
    for origin in origins:
        for package, version in {"python": origin.get("python"), **origin.get("packages", {})}.items():
            if version and version not in versions.setdefault(package, []):
                versions[package].append(version)
    return ", ".join(
        f"{package} {' and '.join(sorted(found))}" for package, found in versions.items() if found
    )


def _distinct(values: Any) -> list[str]:
    return sorted({str(value) for value in values if value})


def _date(moment: str) -> str:
    return datetime.fromisoformat(moment).strftime("%Y-%m-%d %H:%M %Z").strip()


def _slug(text: str) -> str:
    return re.sub(r"\W+", "-", text.lower()).strip("-") or "part"


def _render(**page: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    environment.filters["duration"] = duration
    return environment.get_template("page.html.j2").render({"size_warning": "", **page})
