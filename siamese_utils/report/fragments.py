"""One executed notebook as a piece of the report: cells by nbconvert, made to fit into a page that needs no network.

What a cell puts out is sanitized, remote pictures are left out, pictures beside the notebooks are embedded, and
headings get ids of their own.
"""

import base64
import io
import mimetypes
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from xml.etree import ElementTree

import jinja2
import nbformat
from bs4 import BeautifulSoup
from latex2mathml.converter import convert as to_mathml
from markupsafe import Markup
from nbconvert import HTMLExporter
from nbconvert.filters import Highlight2HTML
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from PIL import Image

from ..errors import ResultsError
from ..paths import project_root
from .batch import Status
from .copies import slide_type
from .links import project_file
from .notebooks import first_error, ran_to_its_end, read_notebook
from .private import forget_folders
from .rendering import TEMPLATES, piece
from .sanitize import sanitize

# no JavaScript, no widgets: they would need the network
DISPLAY_PRIORITY = [
    "text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg",
    "text/latex", "text/plain",
]  # fmt: skip
SVG = re.compile(r"<svg\b.*?(</svg\s*>|\Z)", re.IGNORECASE | re.DOTALL)
INCOMPLETE = "its execution was interrupted, and what it shows is not complete: run the batch again"


@dataclass(frozen=True)
class NotebookSection:
    """One notebook in the report.

    headings   (id, text) of its ## headings
    fragments  id as a link may name it → id on the page
    error      what stopped it, or what else must be said of it
    """

    name: str
    title: str
    soup: BeautifulSoup
    headings: tuple[tuple[str, str], ...] = ()
    fragments: Mapping[str, str] = field(default_factory=dict)
    status: Status = "ok"
    seconds: float | None = None
    error: str = ""

    @property
    def has_problem(self) -> bool:
        """Whether it failed, has not come to its end, or is no longer what the batch left."""
        return self.status not in ("ok", "not run")

    @property
    def anchor(self) -> str:
        return f"nb-{self.name}"

    @property
    def html(self) -> Markup:
        return Markup(str(self.soup))


def convert(path: Path) -> NotebookSection:
    """Convert one executed notebook to a section whose headings, ids and pictures fit into the page."""
    notebook = nbformat.from_dict(forget_folders(read_notebook(path)))
    # no widget is shown
    notebook.metadata.pop("widgets", None)
    # nor are the speaker's notes, which belong to the slides
    notebook.cells = [cell for cell in notebook.cells if slide_type(cell) != "notes"]
    try:
        with warnings.catch_warnings():
            # of outputs in no format that a page shows, and of languages without colours
            warnings.simplefilter("ignore")
            body = cells_html(notebook)
    # of a cell's metadata, of which Jupyter's format says nothing: nbconvert raises errors of many kinds
    except Exception as error:
        raise ResultsError(
            f"{path} cannot be shown ({type(error).__name__}): move it elsewhere and run the batch again."
        ) from error
    soup = BeautifulSoup(sanitize(body), "html.parser")
    keep_self_contained(soup)
    title, headings, fragments = _fit_headings(soup, path.stem)
    for picture in soup.find_all("img"):
        if not picture.get("alt"):
            picture["alt"] = f"A figure of the section “{title}”, without a description"
    let_tables_scroll(soup)
    problem = first_error(notebook)
    status: Status = "failed" if problem else "ok" if ran_to_its_end(notebook) else "interrupted"
    words = problem or (INCOMPLETE if status == "interrupted" else "")
    return NotebookSection(path.stem, title, soup, tuple(headings), fragments, status, error=words)


class _Renderer(IPythonRenderer):
    """Markdown as Jupyter reads it; a formula becomes MathML, as the page has no MathJax."""

    def inline_math(self, body: str) -> str:
        return _formula(body, "inline")

    def block_math(self, body: str) -> str:
        return _formula(body, "block")

    def latex_environment(self, name: str, body: str) -> str:
        return _formula(f"\\begin{{{name}}}{body}\\end{{{name}}}", "block")


def _formula(tex: str, display: str) -> str:
    """Convert TeX to MathML, or show it as it is written where that fails, by errors of many kinds."""
    # as TeX sets it; else MathML joins it to what stands beside it: "log2"
    spaced = re.sub(r"(?<=[\w}]) *(?=\\log\b)", r"\\,", re.sub(r"\\log *(?=\w)", r"\\log\\,", tex))
    try:
        return str(piece("mathml", to_mathml(spaced, display=display)))
    except Exception:
        return str(piece("formula", tex))


def cells_html(
    notebook: nbformat.NotebookNode, kind: type[HTMLExporter] = HTMLExporter, template: str = "notebook"
) -> str:
    """Convert a notebook's cells to HTML, by nbconvert's exporter of a kind and one of our templates."""
    exporter, language = _exporter(kind, template), notebook.metadata.get("language_info", {})
    lexer = language.get("pygments_lexer", language.get("name"))
    exporter.register_filter("highlight_code", Highlight2HTML(pygments_lexer=lexer, parent=exporter))
    # not HTMLExporter's own method: it would parse and write the whole page once more, for what our template does
    body, _ = super(HTMLExporter, exporter).from_notebook_node(notebook)
    return str(body)


@lru_cache
def _exporter(kind: type[HTMLExporter], template: str) -> HTMLExporter:

    @jinja2.pass_context
    def markdown2html(context: jinja2.runtime.Context, source: str) -> str:
        attachments = context.get("cell", {}).get("attachments", {})
        renderer = _Renderer(escape=False, attachments=attachments, exclude_anchor_links=True)
        return _sanitize(MarkdownWithMath(renderer=renderer).render(source))

    return kind(
        template_name=template,
        extra_template_basedirs=[str(TEMPLATES)],
        extra_template_paths=[str(TEMPLATES)],
        filters={"markdown2html": markdown2html, "sanitize": _sanitize},
        config={"NbConvertBase": {"display_data_priority": DISPLAY_PRIORITY}},
    )


def _sanitize(html: str) -> str:
    """Make safe what a cell wrote or put out; say that a drawing in it that is no picture of its own is left out."""
    return sanitize(SVG.sub(str(piece("left_out", "a drawing within HTML")), html))


def keep_self_contained(soup: BeautifulSoup) -> None:
    """Embed pictures beside the notebooks; leave out those from elsewhere or broken, and what would fight our style."""
    for picture in soup.find_all("img"):
        picture.attrs.setdefault("alt", "No description has been provided for this image")
        source = str(picture.get("src", ""))
        embedded = source if source.startswith("data:") else _embedded(source)
        if embedded and _is_picture(embedded):
            picture["src"] = embedded
        else:
            note = piece("left_out", picture.get("alt") or source[:80])
            picture.replace_with(BeautifulSoup(note, "html.parser"))
    for tag in soup.select(".celltag_papermill-error-cell-tag [style]"):
        del tag["style"]
    for table in soup.find_all("table", attrs={"border": True}):
        del table["border"]


def _embedded(address: str) -> str | None:
    """Turn the address of a picture beside the notebooks into a data: address; None where there is none."""
    file = project_file(address, project_root() / "notebooks")
    kind = file and mimetypes.guess_type(file.name)[0]
    try:
        return f"data:{kind};base64,{base64.b64encode(file.read_bytes()).decode()}" if file and kind else None
    except OSError:
        return None


def _is_picture(address: str) -> bool:
    """Say whether a data: address holds a picture that can be shown: an SVG, or what Pillow reads to its end."""
    kind, _, content = address.partition(";base64,")
    try:
        if kind == "data:image/svg+xml":
            return ElementTree.fromstring(base64.b64decode(content)).tag.endswith("svg")
        with warnings.catch_warnings(), Image.open(io.BytesIO(base64.b64decode(content))) as picture:
            # of size: it is shown, not computed with
            warnings.simplefilter("ignore")
            picture.verify()
    # both raise errors of many kinds for what is broken
    except Exception:
        return False
    return True


def let_tables_scroll(soup: BeautifulSoup) -> None:
    """Let a wide table scroll in a box of its own, so that the page never does; a head that says nothing is no head."""
    for head in soup.find_all("th"):
        if not head.get_text(strip=True):
            head.name = "td"
            del head["scope"]
    for table in soup.find_all("table"):
        table.wrap(soup.new_tag("div", attrs={"class": "scroll"}))


def _fit_headings(soup: BeautifulSoup, name: str) -> tuple[str, list[tuple[str, str]], dict[str, str]]:
    """Make every id the notebook's own, and headings a level lower; the first h1 becomes the section's title.

    Returns the title, (id, text) of second-level headings, and id as links name it → id on the page; of several
    headings with one text, the first counts.
    """
    fragments: dict[str, str] = {}
    used: set[str] = set()

    def own(slug: str) -> str:
        new, number = f"{name}--{slug}", 1
        while new in used:
            number += 1
            new = f"{name}--{slug}-{number}"
        used.add(new)
        return new

    def name_place(heading: str, place: str) -> None:
        for named in (heading.replace(" ", "-"), _slug(heading)):
            fragments.setdefault(named, place)

    for tag in soup.find_all(id=True):
        if old := str(tag["id"]):
            tag["id"] = own(old)
            fragments.setdefault(old, str(tag["id"]))
    title, headings, above = "", [], 2
    for tag in soup.find_all(re.compile("^h[1-6]$")):
        text = " ".join(tag.get_text(" ").split())
        level = int(tag.name[1])
        if level == 1 and not title:
            title = text
            name_place(text, f"nb-{name}")
            tag.decompose()
            continue
        # no level is left out
        above = min(max(level + 1, 3), above + 1, 6)
        tag.name = f"h{above}"
        if not tag.get("id"):
            tag["id"] = own(_slug(text))
        name_place(text, str(tag["id"]))
        if level == 2:
            headings.append((str(tag["id"]), text))
        link = soup.new_tag("a", attrs={"class": "anchor", "href": f"#{tag['id']}", "aria-label": f"Link to “{text}”"})
        link.string = "#"
        tag.append(link)
    return title or name, headings, fragments


def _slug(text: str) -> str:
    return re.sub(r"\W+", "-", text.lower()).strip("-") or "part"
