"""Copies of the notebooks for a class, from one source: the students' without solutions, the lecturer's with them.

A cell tagged `solution` belongs to the solution of the exercise above it. In JupyterLab it is collapsed, and the
report folds it (`folding.py`).
"""

from copy import deepcopy
from itertools import groupby
from pathlib import Path

import nbformat

from ..errors import OutputError
from ..files import write_text
from ..text import named
from .batch import notebook_names, notebooks_dir
from .notebooks import read_notebook

SOLUTION = "solution"
ANSWER = "# your answer"


def write_copies(folder: Path, *, renew: bool = False) -> list[Path]:
    """Write every notebook to students/ and solutions/ in a folder; return the two folders.

    renew  whether copies take the place of others; if not, OutputError before anything is written: somebody may have
           worked on these
    """
    kinds = {"students": student_copy, "solutions": solution_copy}
    sources = {name: read_notebook(notebooks_dir() / f"{name}.ipynb") for name in notebook_names()}
    made = {
        folder / kind / f"{name}.ipynb": nbformat.writes(copy(source))
        for name, source in sources.items()
        for kind, copy in kinds.items()
    }
    others = [
        path
        for path, text in made.items()
        if path.exists() and not (path.is_file() and path.read_text(encoding="utf-8", errors="replace") == text)
    ]
    if others and not renew:
        raise OutputError(f"{named(map(str, others), 3)} would be overwritten: remove them, or choose another place.")
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
    return [folder / kind for kind in kinds]


def student_copy(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Make the notebook with an empty cell in the place of each solution, and without the speaker's notes."""
    copy = deepcopy(notebook)
    copy.cells = []
    for solves, cells in groupby(notebook.cells, is_solution):
        if solves:
            # named for the solution, so that a copy is the same whenever it is made
            answer = nbformat.v4.new_code_cell(ANSWER)
            # which cells of older notebooks do not have
            del answer["id"]
            if name := next(cells).get("id"):
                answer["id"] = name.replace(SOLUTION, "answer")
            copy.cells.append(answer)
        else:
            copy.cells.extend(deepcopy(cell) for cell in cells if slide_type(cell) != "notes")
    return copy


def solution_copy(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Make the notebook with its solutions in sight: not collapsed in JupyterLab."""
    copy = deepcopy(notebook)
    for cell in filter(is_solution, copy.cells):
        cell.metadata.pop("jupyter", None)
    return copy


def is_solution(cell: nbformat.NotebookNode) -> bool:
    return SOLUTION in cell.metadata.get("tags", [])


def slide_type(cell: nbformat.NotebookNode) -> str | None:
    """What a cell is on the slides: "slide", "subslide", "fragment", "-", "notes", "skip", or None where not said."""
    slideshow = cell.metadata.get("slideshow", {})
    return slideshow.get("slide_type") if isinstance(slideshow, dict) else None
