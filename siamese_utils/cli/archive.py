"""The command `export`: a study as one folder for an archive."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .shared import ProfileOption, out

FolderOption = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="The folder to write to; default: build/export/ with the profile's name."),
]


def export(
    profile: ProfileOption = "laptop",
    folder: FolderOption = None,
    weights: Annotated[bool, typer.Option("--weights", help="With the runs' weights that are here.")] = False,
) -> None:
    """Write runs, report, parameters and locks as one RO-Crate, with checksums, for an archive; trains nothing."""
    from ..config import load_profile
    from ..paths import work_dir
    from ..report.archive import export as write

    place = folder.expanduser() if folder else work_dir() / "build" / "export" / load_profile(profile).name
    for words in write(profile, place, weights=weights):
        out.print(words, soft_wrap=True, markup=False)
