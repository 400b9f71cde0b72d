"""Commands that write what is shared with others: `copies` and `slides` for a class, `export` for an archive."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .pages import NotebooksOption
from .shared import ProfileOption, errors, say

TeachingOption = Annotated[
    Path | None, typer.Option("--out", "-o", help="The folder to write to; default: build/teaching, which is renewed.")
]
CrateOption = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="The folder to write to; default: build/export/ with the profile's name."),
]


def copies(folder: TeachingOption = None) -> None:
    """Copy the notebooks for a class: students/ has an empty cell in the place of each solution, solutions/ has all."""
    from ..report.copies import write_copies

    for written in write_copies(_teaching(folder), renew=folder is None):
        say(f"{written.resolve()}: {len(list(written.glob('*.ipynb')))} notebooks")


def slides(
    profile: ProfileOption = "demo",
    notebook: NotebooksOption = None,
    folder: TeachingOption = None,
    reveal: Annotated[
        Path | None, typer.Option(help="The npm package reveal.js, a .tgz; default: SIAMESE_REVEAL, or fetched once.")
    ] = None,
) -> None:
    """Make slides with speaker's notes: an HTML file for each notebook, with the figures of the executed one."""
    from ..config import load_profile
    from ..report.slides import executed, write_slides
    from ..text import named

    where = _teaching(folder) if folder else _teaching() / "slides"
    archive = reveal and reveal.expanduser()
    chosen = load_profile(profile)
    written = write_slides(chosen, where, notebooks=notebook or (), reveal=archive, renew=folder is None)
    for path in written:
        say(f"{path.resolve()}")
    ready = executed(chosen, [path.stem for path in written])
    if bare := [path.stem for path in written if path.stem not in ready]:
        say(
            f"note: without figures, as not executed under the profile {chosen.name}: {named(bare)}. Execute them with "
            f"`siamese batch --profile {profile}` (--no-training: only from what is trained), then repeat this.",
            errors,
        )


def export(
    profile: ProfileOption = "laptop",
    folder: CrateOption = None,
    weights: Annotated[bool, typer.Option("--weights", help="Add the weights that are on disk.")] = False,
) -> None:
    """Write runs, report, parameters and locks as one RO-Crate, with checksums, for an archive; trains nothing."""
    from ..config import load_profile
    from ..paths import work_dir
    from ..report.archive import export as write

    place = folder.expanduser() if folder else work_dir() / "build" / "export" / load_profile(profile).name
    for words in write(profile, place, weights=weights):
        say(words)


def _teaching(named: Path | None = None) -> Path:
    """Return the folder that was named, or the project's own; of an installed package, in the current folder."""
    from ..paths import work_dir

    return named.expanduser() if named else work_dir() / "build" / "teaching"
