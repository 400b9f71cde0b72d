"""Slides: one HTML file a notebook that needs no network, by nbconvert and reveal.js.

A cell is on a slide where its metadata say so, as JupyterLab writes them: slideshow.slide_type is "slide", "subslide",
"fragment", "notes" (for the speaker alone), or "-", which goes on with the slide before. All other cells are left out.
What a cell shows is that of the executed notebook, where one is there as its execution left it. Cells are made as for
the report (`fragments.py`): sanitized, formulas as MathML, pictures embedded.
"""

from __future__ import annotations

import os
import re
import tarfile
from collections.abc import Iterable
from pathlib import Path

import nbformat
from bs4 import BeautifulSoup
from markupsafe import Markup
from nbconvert import SlidesExporter

from ..config import Profile
from ..data.download import fetch
from ..errors import DataError, OutputError
from ..files import refuse_runs, writable, write_text
from ..paths import data_dir, reports_dir
from ..text import named
from ..training.integrity import sha256
from .batch import choose_notebooks, notebooks_dir, read_outcomes
from .copies import slide_type
from .fragments import cells_html, keep_self_contained, let_tables_scroll
from .notebooks import read_notebook
from .private import forget_folders
from .rendering import piece, render, render_html
from .sanitize import sanitize, script_hash

VERSION = "5.2.1"
ADDRESS = f"https://registry.npmjs.org/reveal.js/-/reveal.js-{VERSION}.tgz"
MD5 = "a49de449bad95f27d8f763bc17d052f2"
SHA256 = "359b575dd51bbda32f89b2fd4c7dc46ad7389a805572158916c29252f7a27333"
CSS, SCRIPT, NOTES = "dist/reveal.css", "dist/reveal.js", "plugin/notes/notes.js"
# the speaker's window, which NOTES holds as a string
SPEAKER = "plugin/notes/speaker-view.html"
# by this a deck is known as ours
GENERATOR = "siamese slides"
# what would end or change a script within HTML
UNSAFE = re.compile(r"<(?=/script|script|!--)", re.IGNORECASE)


def write_slides(
    profile: Profile,
    folder: Path,
    *,
    notebooks: str | Iterable[str] = (),
    reveal: Path | None = None,
    renew: bool = False,
) -> list[Path]:
    """Write the slides of notebooks, all by default, as NAME.html into a folder; return their paths.

    reveal  see `reveal_files`
    renew   replace whatever is there

    Raises OutputError, before anything is written, where a file cannot be, or one is there that is no deck.
    """
    names = choose_notebooks(notebooks)
    paths = [writable(folder / f"{name}.html") for name in names]
    if others := [str(path) for path in paths if path.exists() and not renew and not _is_deck(path)]:
        raise OutputError(f"{named(others, 3)} would be overwritten: remove them, or choose another place.")
    for path in paths:
        refuse_runs(path)
    files = reveal_files(reveal)
    ready = executed(profile, names)
    for name, path in zip(names, paths, strict=True):
        notebook = read_notebook(notebooks_dir() / f"{name}.ipynb")
        if name in ready:
            notebook = with_outputs(notebook, read_notebook(ready[name]))
        write_text(path, deck(notebook, files))
    return paths


def executed(profile: Profile, names: Iterable[str]) -> dict[str, Path]:
    """Find those of the notebooks that were executed under a profile and are as their execution left them."""
    report = reports_dir() / profile.name
    outcomes = read_outcomes(report)
    unchanged = [name for name in names if not (name in outcomes and outcomes[name].status == "changed")]
    places = {name: report / "notebooks" / f"{name}.ipynb" for name in unchanged}
    return {name: path for name, path in places.items() if path.is_file()}


def _is_deck(path: Path) -> bool:
    """Say whether `write_slides` wrote this file."""
    with path.open("rb") as file:
        return piece("made_by", GENERATOR).encode() in file.read(2**12)


def deck(notebook: nbformat.NotebookNode, files: dict[str, str]) -> str:
    """Make one HTML page of a notebook's chosen cells; files as `reveal_files` gives them."""
    chosen = nbformat.from_dict(forget_folders(notebook))
    chosen.cells = [cell for cell in chosen.cells if slide_type(cell) not in (None, "skip")]
    body = cells_html(chosen, SlidesExporter, "deck")
    soup = BeautifulSoup(sanitize(body), "html.parser")
    keep_self_contained(soup)
    let_tables_scroll(soup)
    for slide in soup.select("div.slide"):
        slide.name = "section"
    # other notebooks are not part of the file
    for link in soup.select("a:not([href^=http])"):
        link.unwrap()
    script = "\n".join(UNSAFE.sub(r"\\x3c", part) for part in (files[SCRIPT], files[NOTES], render("slides.js", {})))
    own = re.findall(r"<script>(.*?)</script>", files[SPEAKER], re.DOTALL)
    return render_html(
        "slides.html.j2",
        generator=GENERATOR,
        title=soup.h1.get_text() if soup.h1 else "Slides",
        slides=Markup(str(soup)),
        reveal_css=Markup(files[CSS]),
        script=Markup(script),
        script_hashes=Markup(" ".join(map(script_hash, (script, *own)))),
    )


def with_outputs(source: nbformat.NotebookNode, executed: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Give the code cells of a notebook what they put out when it was executed, if they are still the same."""
    # cells of older notebooks have no id
    outputs = {(cell.get("id"), cell.source): cell.outputs for cell in executed.cells if cell.cell_type == "code"}
    for cell in source.cells:
        if cell.cell_type == "code":
            cell.outputs = outputs.get((cell.get("id"), cell.source), [])
    return source


def reveal_files(archive: Path | None = None) -> dict[str, str]:
    """Read what a deck needs of reveal.js, by its name in the package.

    archive  its npm package, a .tgz; None: the one that SIAMESE_REVEAL names, or that of an earlier call, or fetched

    Raises DataError where it cannot be had, or is not the published one.
    """
    instead = f"set SIAMESE_REVEAL to the npm package reveal.js-{VERSION}.tgz"
    given = archive or (os.environ.get("SIAMESE_REVEAL") and Path(os.environ["SIAMESE_REVEAL"]).expanduser())
    path = given or fetch(ADDRESS, data_dir(), md5=MD5, instead=instead)
    try:
        digest = sha256(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): {instead}.") from error
    if digest != SHA256:
        raise DataError(f"{path} is not reveal.js {VERSION} as published: remove it and run again, or {instead}.")
    with tarfile.open(path) as package:
        found = {name: package.extractfile(f"package/{name}") for name in (CSS, SCRIPT, NOTES, SPEAKER)}
        return {name: file.read().decode() for name, file in found.items() if file}
