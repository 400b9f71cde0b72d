"""Commands that put a trained model to work: `embed`, `compare`, `classify`."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..errors import OutputError
from ..text import how_many, printable
from .shared import ModelOption, errors, out, say

if TYPE_CHECKING:
    from ..inference.one_shot import OneShot


def embed(
    images: Annotated[list[Path], typer.Argument(help="Image files.")],
    model: ModelOption = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="A CSV file, a line for each image; default: the terminal.")
    ] = Path("-"),
) -> None:
    """Write the embeddings of images as CSV: the file's name, then its coordinates."""
    from ..files import refuse_runs, writable, write_text

    to_file = str(output) != "-"
    if to_file:
        output = writable(output)
        _refuse_inputs(output, [*images, *([model] if model else [])])
        _refuse_pictures(output)
        refuse_runs(output)
    from ..inference.one_shot import OneShot

    used = OneShot.load(model)
    vectors = used.embed(images)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["image", *(f"d{number}" for number in range(vectors.shape[1]))])
    table.writerows([printable(str(image)), *vector] for image, vector in zip(images, vectors, strict=True))
    _name(used, errors)
    if to_file:
        write_text(output, text.getvalue())
        say(f"{how_many(len(images), 'embedding')} in {printable(str(output))}")
    else:
        typer.echo(text.getvalue(), nl=False)


def _name(used: OneShot, console: Console) -> None:
    """Say which model the answer is from; beside a table in CSV, on stderr."""
    say(f"model: {printable(used.name)}", console)


def _refuse_inputs(output: Path, inputs: list[Path]) -> None:
    """Refuse an output that is one of the files that are read, under whatever name: it would take its place."""
    for path in (path.expanduser() for path in inputs):
        if output.exists() and path.exists() and output.samefile(path):
            raise OutputError(f"{output} is the same file as {path}, which is read: name another file for the CSV.")


def _refuse_pictures(output: Path) -> None:
    """Refuse an output that is a picture or a model already: a table should not take its place."""
    from ..data.pictures import endings, looks_like_picture

    if output.is_file() and (output.suffix.lower() in {*endings(), ".keras"} or looks_like_picture(output)):
        raise OutputError(f"{output} is there, and is no table: name another file for the CSV.")


def compare(
    left: Annotated[Path, typer.Argument(help="An image file.")],
    right: Annotated[Path, typer.Argument(help="Another image file.")],
    model: ModelOption = None,
) -> None:
    """Say how alike two images are, and whether the model takes them for the same class."""
    from ..inference.one_shot import OneShot

    used = OneShot.load(model)
    found = used.compare(left, right)
    if found.words:
        out.print(f"{'same' if found.same else 'different'}: similarity {found.similarity:.3f}")
        out.print(found.words, soft_wrap=True)
    else:
        out.print(f"similarity {found.similarity:.3f}")
    _name(used, out)


def classify(
    query: Annotated[Path, typer.Argument(help="The image to classify.")],
    support: Annotated[
        Path,
        typer.Option("--support", help="A folder that holds a folder for each class; one image in each is enough."),
    ],
    model: ModelOption = None,
    top: Annotated[int, typer.Option(help="How many classes to show.", min=1)] = 5,
) -> None:
    """Say which class of a support set an image shows: the classes by their similarity to it."""
    from ..inference.one_shot import OneShot

    used = OneShot.load(model)
    ranked = used.classify(query, support)
    table = Table("class", "similarity")
    for name, value in ranked[:top]:
        table.add_row(escape(name), f"{value:.3f}")
    out.print(table)
    _name(used, out)
