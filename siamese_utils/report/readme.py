"""The README's scoreboard: Markdown between two marks. `siamese scoreboard` writes it, a test keeps it current."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import ResultsError
from ..evidence.board import Board
from ..text import listed
from .findings import findings
from .rendering import render
from .table1 import accuracy_words

BEGIN, END = "<!-- scoreboard: made by `siamese scoreboard`, do not edit -->", "<!-- scoreboard: end -->"


def scoreboard_markdown(full: Board, small: Board, beyond: Iterable[str]) -> str:
    """The full protocol and a scaled-down profile side by side, what was learned, and the claims.

    beyond  lines on the results beyond the paper, to stand among them
    """
    board = full if full.has_runs else small
    values = {
        "profile": small.profile,
        "machines": (_machines(full), _machines(small)),
        "under_way": any(full.rows["so_far"]),
        "rows": _rows(full, small),
        "findings": findings(board),
        "beyond": list(beyond),
        "claims_from_full": board is full,
        "judgements": board.judgements,
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


def _rows(full: Board, small: Board) -> list[dict[str, object]]:
    """The rows of Table 1: both boards' accuracies and runs, and the verdict of the larger one that has a run."""
    rows = []
    for first, second in zip(full.rows.to_dict("records"), small.rows.to_dict("records"), strict=True):
        links = [
            *seed_links(full.profile.name, "results", first["run_ids"]),
            *seed_links(small.profile.name, "results", second["run_ids"]),
        ]
        decides = first if first["seeds"] else second
        rows.append(
            {
                **{name: second[name] for name in ("label", "paper_val", "author_val")},
                **{name: decides[name] for name in ("verdict", "notebook")},
                "full": accuracy_words(first),
                "small": accuracy_words(second),
                "seed_links": " ".join(links),
                "by_full_protocol": decides is first,
            }
        )
    return rows


def _machines(board: Board) -> str:
    """ " (TensorFlow on CPU)", behind the name of a column; nothing where there is no run."""
    machines = list(dict.fromkeys(words for words in board.rows["trained_on"] if words))
    return f" ({listed(machines)})" if machines else ""
