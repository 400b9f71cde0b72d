"""Commands for a class: `copies`, of the notebooks with and without solutions, and `slides`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .pages import NotebooksOption
from .shared import ProfileOption, out

FolderOption = Annotated[
    Path | None, typer.Option("--out", "-o", help="The folder to write to; default: build/teaching, which is renewed.")
]


def copies(folder: FolderOption = None) -> None:
    """Copy the notebooks for a class: students/ has an empty cell in the place of each solution, solutions/ has all."""
    from ..report.copies import write_copies

    for written in write_copies(_teaching(folder), renew=folder is None):
        out.print(f"{written.resolve()}: {len(list(written.glob('*.ipynb')))} notebooks", soft_wrap=True, markup=False)


def slides(
    profile: ProfileOption = "demo",
    notebook: NotebooksOption = None,
    folder: FolderOption = None,
    reveal: Annotated[
        Path | None, typer.Option(help="The npm package reveal.js, a .tgz; default: SIAMESE_REVEAL, or fetched once.")
    ] = None,
) -> None:
    """Make slides with speaker's notes, an HTML file a notebook that needs no network; figures from executed ones."""
    from ..config import load_profile
    from ..report.slides import write_slides

    where = _teaching(folder) if folder else _teaching() / "slides"
    archive = reveal and reveal.expanduser()
    chosen = load_profile(profile)
    for written in write_slides(chosen, where, notebooks=notebook or (), reveal=archive, renew=folder is None):
        out.print(f"{written.resolve()}", soft_wrap=True, markup=False)


def _teaching(named: Path | None = None) -> Path:
    """The folder that was named, or the project's own; of an installed package, in the current folder."""
    from ..paths import work_dir

    return named.expanduser() if named else work_dir() / "build" / "teaching"
