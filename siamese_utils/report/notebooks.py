"""Notebooks as files: read, or refused in a sentence; their parameters; what stopped one; whether it ran to its end."""

import ast
import json
import warnings
from pathlib import Path
from typing import Any

import nbformat

from ..errors import ParamsError, ResultsError
from .sanitize import readable_text


def read_notebook(path: Path) -> nbformat.NotebookNode:
    """Read a notebook of Jupyter's format 4, or an older one made so; ResultsError where the file is none.

    Text that is no UTF-8 in it, such as half of a character, is made so.
    """
    problems: dict[str, Any] = {}
    if path.exists() and not path.is_file():
        raise _unreadable(path, "it is no file")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content["nbformat"], int):
            raise TypeError("of no version")
        text = readable_text(json.dumps(content, ensure_ascii=False))
        with warnings.catch_warnings():
            # of cells without ids, which older notebooks have
            warnings.simplefilter("ignore")
            notebook: nbformat.NotebookNode = nbformat.reads(text, as_version=4, capture_validation_error=problems)
    # nbformat raises errors of many kinds for what is no notebook
    except (
        *(OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError),
        nbformat.ValidationError,
    ) as error:
        raise _unreadable(
            path, getattr(error, "strerror", None) or "it is not a notebook that Jupyter reads"
        ) from error
    if problems:
        raise _unreadable(path, str(problems["ValidationError"]).splitlines()[0])
    return notebook


def parameters_of(path: Path) -> dict[str, Any]:
    """Read the parameters that a notebook declares in its `parameters` cell, with their default values.

    Raises ParamsError where the cell holds anything but plain values.
    """
    for cell in read_notebook(path).cells:
        if "parameters" in cell.metadata.get("tags", []):
            try:
                return {
                    target.id: ast.literal_eval(node.value)
                    for node in ast.parse(cell.source).body
                    if isinstance(node, ast.Assign)
                    for target in node.targets
                    if isinstance(target, ast.Name)
                }
            except (SyntaxError, ValueError, TypeError) as error:
                raise ParamsError(
                    f"{path}: the cell tagged parameters holds more than names with plain values: mend it, as {error}."
                ) from error
    return {}


def first_error(notebook: nbformat.NotebookNode) -> str | None:
    """Find the error that stopped the notebook, "Name: message"; those a cell is meant to show do not count."""
    for cell in notebook.cells:
        if cell.cell_type != "code" or "raises-exception" in cell.metadata.get("tags", []):
            continue
        for output in cell.outputs:
            if output.output_type == "error":
                return f"{output.ename}: {output.evalue}" if output.evalue else output.ename
    return "the execution stopped" if _papermill(notebook).get("exception") else None


def ran_to_its_end(notebook: nbformat.NotebookNode) -> bool:
    """Say whether every cell that holds code was executed, and papermill, where it did that, says that it finished."""
    mark = _papermill(notebook)
    if "start_time" in mark and not mark.get("end_time"):
        return False
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    return all(cell.execution_count or "skip-execution" in cell.metadata.get("tags", []) for cell in cells)


def _papermill(notebook: nbformat.NotebookNode) -> dict[str, Any]:
    mark = notebook.metadata.get("papermill", {})
    return mark if isinstance(mark, dict) else {}


def _unreadable(path: Path, reason: str) -> ResultsError:
    return ResultsError(f"{path} cannot be read ({reason}): restore it, or move it elsewhere and run the batch again.")
