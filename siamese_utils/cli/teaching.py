"""Commands for a class: `copies`, of the notebooks with and without solutions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .shared import out

FolderOption = Annotated[
    Path | None, typer.Option("--out", "-o", help="The folder to write to; default: build/teaching in the checkout.")
]


def copies(folder: FolderOption = None) -> None:
    """Copy the notebooks for a class: students/ has an empty cell in the place of each solution, solutions/ has all."""
    from ..report.copies import write_copies

    for written in write_copies(folder or _teaching()):
        out.print(f"{written.resolve()}: {len(list(written.glob('*.ipynb')))} notebooks", soft_wrap=True, markup=False)


def _teaching() -> Path:
    from ..paths import project_root

    return project_root() / "build" / "teaching"
