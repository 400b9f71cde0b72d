"""The scoreboard: every claim with its verdict, for the report and the notebooks, and as CSV."""

import csv
import io

import numpy as np
from markupsafe import Markup

from ..evidence.board import Board
from ..evidence.claims import Claim
from ..evidence.verdicts import Judgement
from .rendering import render_html

CSV_COLUMNS = (
    *("claim", "section", "variant", "verdict", "value", "low", "high", "p_holm"),
    *("seeds", "episodes", "paper_bears_out", "run_ids"),
)


def claims_html(board: Board, notebook: str = "") -> Markup:
    """The claims that a notebook shows with their verdicts, as an HTML list; all of them without a name.

    The verdicts are those of the whole ledger: the correction is for all claims, not only those shown.
    """
    claims: dict[str, tuple[Claim, list[Judgement]]] = {}
    for judgement in board.judgements:
        if notebook in ("", judgement.claim.notebook_name):
            claims.setdefault(judgement.claim.id, (judgement.claim, []))[1].append(judgement)
    return render_html("claims.html.j2", profile=board.profile, claims=claims.values())


def scoreboard_html(board: Board) -> Markup:
    """The claims as one table for the report, a line a verdict, each linked to the place in its notebook."""
    return render_html("scoreboard.html.j2", profile=board.profile, judgements=board.judgements)


def claims_csv(board: Board) -> str:
    """Every verdict as a line of CSV, for those who want to compute with them; figures in points and %."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for j in board.judgements:
        e = j.estimate
        figures = ["" if np.isnan(x) else f"{x:.2f}" for x in (e.value, e.low, e.high)] if e else ["", "", ""]
        counted = [" ".join(map(str, e.seeds)), e.episodes] if e else ["", ""]
        p = "" if np.isnan(j.p) else f"{j.p:.3g}"
        line = [j.claim.id, j.claim.section, j.variant, j.verdict, *figures, p, *counted]
        writer.writerow([*line, j.paper, " ".join(j.run_ids)])
    return out.getvalue()
