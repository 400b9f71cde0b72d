"""Links of the executed notebooks, made to lead into the page; those to what is not there lose their target."""

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from bs4 import BeautifulSoup

from ..paths import project_root

# a notebook's name → its `fragments`
Ids = Mapping[str, Mapping[str, str]]


def point_links(soup: BeautifulSoup, name: str, ids: Ids, folder: Path) -> None:
    """Point the links of a notebook, or of a table of the page's own (name: ""), from a page in the folder."""
    for link in soup.find_all("a", href=True):
        target = _target(str(link["href"]), name, ids, folder)
        if target is None:
            link.name = "span"
            del link["href"]
        else:
            link["href"] = target
        del link["target"]


def _target(href: str, name: str, ids: Ids, folder: Path) -> str | None:
    """Find where a link leads from the page: an id on it, a web address, a file of the project, or nowhere."""
    if href.startswith("#"):
        if not name:
            return href
        fragment = unquote(href[1:])
        known = href[1:] in ids[name].values() or fragment in ids[name].values()
        return href if known else f"#{ids[name][fragment]}" if fragment in ids[name] else None
    try:
        url = urlsplit(href)
    except ValueError:
        return None
    if url.scheme:
        return href if url.scheme in ("http", "https", "mailto") else None
    path = Path(unquote(url.path))
    if path.suffix == ".ipynb" and path.stem in ids:
        return f"#{ids[path.stem].get(unquote(url.fragment), f'nb-{path.stem}')}"
    root = project_root()
    if url.path and (file := project_file(url.path, root)) and folder.is_relative_to(root):
        return quote(os.path.relpath(file, folder))
    return None


def project_file(address: str, within: Path) -> Path | None:
    """Find the file or folder that an address in a notebook names; None where there is none, or it lies elsewhere."""
    try:
        file = (project_root() / "notebooks" / unquote(address)).resolve()
        return file if file.exists() and file.is_relative_to(within) else None
    # no path at all: it holds a NUL, is too long, or its links go round
    except (OSError, ValueError, RuntimeError):
        return None
