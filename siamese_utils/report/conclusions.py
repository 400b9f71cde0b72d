"""How a notebook concludes: what the runs of its section say, computed from a board. The words stand in templates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from markupsafe import Markup

from ..config import Experiment, load_experiment
from ..evidence.board import Board
from .rendering import render_html


def conclusion(board: Board, experiments: Iterable[Experiment]) -> Markup:
    """How the networks stand to the baseline, here and in the paper, by verdict."""
    return render_html("section_conclusion.html.j2", **_values(board, experiments))


def full_length(board: Board, experiments: Iterable[Experiment]) -> Markup:
    """Why the differences may be others at the paper's full length: the author's log where our runs stop."""
    return render_html("full_length.html.j2", **_values(board, experiments))


def _values(board: Board, experiments: Iterable[Experiment]) -> dict[str, Any]:
    (reference,) = board.rows_of([load_experiment("baseline")]).to_dict("records")
    rows = board.rows_of(e for e in experiments if e.name != "baseline").to_dict("records")
    return {"profile": board.profile, "reference": reference, "rows": rows}
