"""The scoreboard: every claim with its verdict, for the report and the notebooks, and as CSV."""

import numpy as np
import pandas as pd
from markupsafe import Markup

from ..evidence.board import Board
from ..evidence.claims import Claim
from ..evidence.verdicts import Judgement
from .rendering import render_html


def claims_html(board: Board, notebook: str = "") -> Markup:
    """List the claims that a notebook shows with their verdicts, as HTML; all of them without a name.

    The verdicts are those of the whole ledger: the correction is for all claims, not only those shown.
    """
    claims: dict[str, tuple[Claim, list[Judgement]]] = {}
    for judgement in board.judgements:
        if notebook in ("", judgement.claim.notebook_name):
            claims.setdefault(judgement.claim.id, (judgement.claim, []))[1].append(judgement)
    return render_html("claims.html.j2", profile=board.profile, claims=claims.values())


def scoreboard_html(board: Board) -> Markup:
    """Show the claims as one table for the report, a line a verdict, each linked to the place in its notebook."""
    return render_html("scoreboard.html.j2", profile=board.profile, judgements=board.judgements)


def claims_csv(board: Board) -> str:
    """Write every verdict as a line of CSV, for those who want to compute with them; figures in points and %."""
    lines = []
    for j in board.judgements:
        e = j.estimate
        line = {"claim": j.claim.id, "section": j.claim.section, "variant": j.variant, "verdict": j.verdict}
        for name in ("value", "low", "high"):
            line[name] = "" if not e or np.isnan(getattr(e, name)) else f"{getattr(e, name):.2f}"
        line["p_holm"] = "" if np.isnan(j.p) else f"{j.p:.3g}"
        line |= {"seeds": " ".join(map(str, e.seeds)) if e else "", "episodes": str(e.episodes) if e else ""}
        lines.append({**line, "paper_bears_out": j.paper, "run_ids": " ".join(j.run_ids)})
    return str(pd.DataFrame(lines).to_csv(index=False, lineterminator="\n"))
