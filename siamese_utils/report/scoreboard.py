"""The scoreboard: every claim with its verdict, for the report and the notebooks, and as CSV."""

from __future__ import annotations

import csv
import io
from html import escape

import numpy as np

from ..evidence.board import Board
from ..evidence.verdicts import Judgement
from .table1 import notes, verdict_html

LEFT = 'style="text-align: left"'
CSV_COLUMNS = (
    *("claim", "section", "variant", "verdict", "value", "low", "high", "p_holm"),
    *("seeds", "episodes", "paper_bears_out", "run_ids"),
)
PAPER_WORDS = {
    "yes": "bear it out",
    "no": "speak against it",
    "within noise": "cannot tell, within the noise of 250 episodes",
}


def claims_html(board: Board, notebook: str = "") -> str:
    """The claims that a notebook shows with their verdicts, as an HTML list; all of them without a name.

    The verdicts are those of the whole ledger: the correction is for all claims, not only those shown.
    """
    chosen = [j for j in board.judgements if notebook in ("", j.claim.notebook_name)]
    items: dict[str, list[str]] = {}
    for judgement in chosen:
        variant = f"{judgement.variant}: " if judgement.variant else ""
        line = f"<strong>{escape(variant)}{verdict_html(judgement.verdict)}</strong>. {_why(judgement)}"
        items.setdefault(judgement.claim.id, []).append(line)
    claims = {j.claim.id: j.claim for j in chosen}
    body = "".join(
        f'<li id="claim-{name}"><q>{escape(claims[name].quote)}</q> '
        f'<span class="difference">(Section {escape(claims[name].section)})</span> '.replace("(Section Table", "(Table")
        + f"{escape(claims[name].says)}<br>{'<br>'.join(lines)}</li>"
        for name, lines in items.items()
    )
    return f'<ul class="verdicts claims">{body}</ul>{notes(board.profile)}'


def scoreboard_html(board: Board) -> str:
    """The claims as one table for the report, a line a verdict, each linked to the place in its notebook."""
    shown = [_claim_line(judgement, first=judgement.variant != "as run") for judgement in board.judgements]
    return (
        '<table class="claims"><caption>Every checkable claim of the paper, in its order, with the verdict of '
        f"the profile {escape(board.profile.name)}; a verdict leads to the claim in its notebook.</caption>"
        f"<thead><tr>{''.join(f'<th scope=col {LEFT}>{w}</th>' for w in ('Section', 'Claim', 'Verdict', 'Why'))}"
        f"</tr></thead><tbody>{''.join(shown)}</tbody></table>"
    )


def counts_html(board: Board) -> str:
    """How many claims got which verdict, as rows of figures."""
    parts = []
    for by_runs, heading in (
        (True, "Judged by the runs of this profile"),
        (False, "Settled by the author’s own log, by arithmetic, or by counting"),
    ):
        items = "".join(
            f'<div class="{verdict.replace(" ", "-")}"><dt>{verdict_html(verdict)}</dt><dd>{count}</dd></div>'
            for verdict, count in board.counts(by_runs=by_runs).items()
        )
        parts.append(f'<h4 class="counted">{heading}</h4><dl class="counts">{items}</dl>')
    return "".join(parts)


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


# ---- pieces --------------------------------------------------------------------------------------


def _why(judgement: Judgement) -> str:
    words = f"{judgement.words} {judgement.needs}".strip()
    if not np.isnan(judgement.p):
        words += f" p {p_words(judgement.p)} after correction."
    if judgement.paper:
        words += f" The paper’s own figures {PAPER_WORDS[judgement.paper]}."
    return escape(words)


def p_words(p: float) -> str:
    """ "< 0.001" or "= 0.012"."""
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"


def _claim_line(judgement: Judgement, *, first: bool) -> str:
    claim = judgement.claim
    href = f"{claim.notebook_name}.ipynb#claim-{claim.id}"
    section, said = "", ""
    if first:
        section = escape(claim.section)
        said = f"{escape(claim.says)} <q>{escape(claim.quote)}</q>"
    variant = f'<br><span class="variant">{escape(judgement.variant)}</span>' if judgement.variant else ""
    kind = ' class="again"' if not first else ""
    return (
        f"<tr{kind}><td {LEFT}>{section}</td><td {LEFT}>{said}</td>"
        f'<td class="verdict" {LEFT}>{verdict_html(judgement.verdict, href)}{variant}</td>'
        f"<td {LEFT}>{_why(judgement)}</td></tr>"
    )
