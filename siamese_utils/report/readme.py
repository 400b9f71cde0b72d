"""The README's scoreboard: Markdown between two marks. `siamese scoreboard` writes it, a test keeps it current."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import ResultsError
from ..evidence.board import NOT_IN_TABLE, Board
from .findings import findings
from .rendering import render
from .table1 import accuracy_words

BEGIN, END = "<!-- scoreboard: made by `siamese scoreboard`, do not edit -->", "<!-- scoreboard: end -->"


def scoreboard_markdown(full: Board, small: Board, beyond: Iterable[str]) -> str:
    """The full protocol and a scaled-down profile side by side, what was learned, and the claims.

    beyond  lines on the results beyond the paper, to stand among them
    """
    rows = zip(full.rows.to_dict("records"), small.rows.to_dict("records"), strict=True)
    # a row of one's own is shown once it has run
    shown = [pair for pair in rows if pair[0]["group"] != NOT_IN_TABLE or any(r["seeds"] or r["so_far"] for r in pair)]
    values = {
        "full": full,
        "small": small,
        "decides": full if full.has_runs else small,
        "rows": shown,
        "findings": findings(full if full.has_runs else small),
        "beyond": list(beyond),
        "accuracy_words": accuracy_words,
        "seed_links": seed_links,
    }
    return render("readme.md.j2", values)


def with_scoreboard(readme: str, block: str) -> str:
    """The README's text with this scoreboard between its two marks; ResultsError where the marks are missing."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ResultsError(f"README.md has no {BEGIN} … {END}: put the two lines where the scoreboard belongs.")
    return f"{before}{BEGIN}\n\n{block}\n\n{END}{after}"


def seed_links(profile: str, kind: str, run_ids: Iterable[str]) -> list[str]:
    """The seed of each run as a link to its figures; kind: "results" or "beyond"."""
    return [
        f"[{run_id.split('-s')[-1].partition('-')[0]}](reports/{profile}/{kind}/{run_id}/metrics.json)"
        for run_id in run_ids
    ]
