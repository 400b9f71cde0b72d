"""The commands that train a learner and use a trained model: `siamese learn`, `embed`, `compare`, `classify`."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ..paths import writable

out = Console(highlight=False)

ModelOption = Annotated[
    Path, typer.Option("--model", "-m", help="A trained model's file, as `siamese learn` keeps it.")
]


def learn(
    learner: Annotated[str, typer.Argument(help="A row of params/beyond.yaml.")],
    profile: Annotated[
        str, typer.Option("--profile", "-p", help="Its dataset, image size and episodes are used.")
    ] = "laptop",
    seed: Annotated[int, typer.Option("--seed", "-s")] = 0,
    evaluation: Annotated[
        bool,
        typer.Option("--evaluation", help="Train on all background alphabets, and look at the evaluation set."),
    ] = False,
    data: Annotated[
        str | None,
        typer.Option(
            help="Train on a folder of class folders instead, or of groups of class folders; or on att-faces or "
            "mini-imagenet."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Copy the trained model to this file; where its weights are not kept, they are trained anew.",
        ),
    ] = None,
) -> None:
    """Train one of the learners beyond the paper, or load it where it is trained, and say how good it is."""
    output = writable(output, ".keras") if output else None
    from ..beyond.training import learn as train

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=out, transient=True) as bar:
        task = bar.add_task(f"{learner}, seed {seed}", total=None)
        run = train(
            learner,
            profile,
            seed,
            held_out="evaluation" if evaluation else "validation",
            folder=data,
            progress=lambda now: bar.update(task, completed=now.step, total=now.steps),
            weights=output is not None,
            tell=lambda words: bar.console.print(escape(words), soft_wrap=True),
        )
    found = run.metrics
    for score in found["scores"]:
        out.print(
            f"{score['protocol']} {score['ways']}-way 1-shot: {score['accuracy']:.1%} "
            f"({score['low']:.1%} to {score['high']:.1%}, {score['episodes']:,} episodes)"
        )
    where = "classes that it was not trained on"
    if found["dataset"]["synthetic"]:
        where += "; drawn by a program, not Omniglot"
    groups = len(found["scored_on"])
    out.print(f"on {groups} group{'s' * (groups > 1)} of {where}; {found['images_seen']:,} images seen in training")
    if run.weights is None:
        where = f"not kept with these results; -o FILE trains it anew, which took {run.seconds:.0f} s for them"
    else:
        where = str(shutil.copyfile(run.weights, output) if output else run.weights)
    out.print(f"model: {escape(where)}", soft_wrap=True)


def factorial(
    profile: Annotated[str, typer.Option("--profile", "-p", help="A profile's name or file.")] = "laptop",
) -> None:
    """Train the paper's details in all combinations (params/factorial.yaml); what is finished is not trained again."""
    from ..config import load_profile
    from ..data.load import load_dataset
    from ..evidence.factorial import cells, load_factorial
    from ..training.loop import run

    chosen = load_profile(profile)
    wanted = [(cell, seed) for seed in load_factorial().seeds for cell in cells().values()]
    dataset = load_dataset(chosen)
    for number, (cell, seed) in enumerate(wanted, start=1):
        found = run(cell, chosen, seed, dataset=dataset)
        out.print(f"{number} of {len(wanted)}: {cell.row}, seed {seed}: {found.run_id}", soft_wrap=True)


def embed(
    images: Annotated[list[Path], typer.Argument(help="Image files.")],
    model: ModelOption,
    output: Annotated[Path, typer.Option("--output", "-o", help="A CSV file: a line an image.")] = Path("-"),
) -> None:
    """Write the embeddings of images as CSV: the file's name, then its coordinates."""
    to_file = str(output) != "-"
    if to_file:
        output = writable(output)
    import pandas as pd

    from ..inference.one_shot import OneShot

    vectors = OneShot.load(model).embed(images)
    table = pd.DataFrame(vectors, columns=[f"d{number}" for number in range(vectors.shape[1])])
    table.insert(0, "image", [str(image) for image in images])
    text = table.to_csv(index=False)
    if to_file:
        output.write_text(text, encoding="utf-8")
    else:
        typer.echo(text, nl=False)


def compare(
    left: Annotated[Path, typer.Argument(help="An image file.")],
    right: Annotated[Path, typer.Argument(help="Another.")],
    model: ModelOption,
) -> None:
    """Say how alike two images are, and whether the model takes them for the same class."""
    import numpy as np

    from ..inference.one_shot import OneShot

    found = OneShot.load(model).compare(left, right)
    if np.isnan(found.above_different):
        out.print(f"similarity {found.similarity:.3f}")
        return
    out.print(f"{'same' if found.same else 'different'}: similarity {found.similarity:.3f}")
    out.print(
        f"more alike than {found.above_different:.1%} of the pairs of two classes, less than {found.below_same:.1%} of "
        "the pairs of one",
        soft_wrap=True,
    )


def classify(
    query: Annotated[Path, typer.Argument(help="The image to classify.")],
    support: Annotated[
        Path,
        typer.Option("--support", help="A folder with a folder of images for each class; one each will do."),
    ],
    model: ModelOption,
    top: Annotated[int, typer.Option(help="Show so many classes.", min=1)] = 5,
) -> None:
    """Which class of a support set an image shows: the classes by their similarity to it."""
    from ..inference.one_shot import OneShot

    ranked = OneShot.load(model).classify(query, support)
    table = Table("class", "similarity")
    for name, value in ranked[:top]:
        table.add_row(escape(name), f"{value:.3f}")
    out.print(table)


EXAMPLES: dict[Callable[..., None], str] = {
    factorial: "`siamese factorial --profile laptop`",
    learn: "`siamese learn loss-prototype --profile laptop -o model.keras`",
    embed: "`siamese embed a.png b.png -m model.keras -o embeddings.csv`",
    compare: "`siamese compare a.png b.png -m model.keras`",
    classify: "`siamese classify query.png --support letters/ -m model.keras`",
}


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command, example in EXAMPLES.items():
        app.command(epilog=f"Example: {example}")(command)
