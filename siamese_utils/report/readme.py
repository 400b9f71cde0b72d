"""RESULTS.md, and what stands between two marks on other pages. `siamese scoreboard` writes all of it."""

from collections.abc import Iterable, Sequence

from ..errors import ResultsError
from ..evidence.board import NOT_IN_TABLE, Board
from .rendering import render
from .table1 import accuracy_words

BEGIN, END = "<!-- results: made by `siamese scoreboard`, do not edit -->", "<!-- results: end -->"
COSTS_BEGIN, COSTS_END = "<!-- costs: made by `siamese scoreboard`, do not edit -->", "<!-- costs: end -->"
SENTENCES = 2  # findings on the front page


def results_markdown(full: Board, small: Board, found: Sequence[str], beyond: Iterable[str]) -> str:
    """RESULTS.md: the full protocol and a scaled-down profile side by side, what was found, and the claims.

    found   the `findings` of the board that decides
    beyond  lines on the results beyond the paper
    """
    rows = zip(full.rows.to_dict("records"), small.rows.to_dict("records"), strict=True)
    # a row of one's own is shown once it has run
    shown = [(a, b) for a, b in rows if a["group"] != NOT_IN_TABLE or any(r["seeds"] or r["under_way"] for r in (a, b))]
    values = {
        "full": full,
        "small": small,
        "decides": deciding(full, small),
        "rows": shown,
        "findings": found,
        "beyond": list(beyond),
        "accuracy_words": accuracy_words,
        "seed_links": seed_links,
    }
    return render("results.md.j2", values) + "\n"


def front_page(board: Board, found: Sequence[str]) -> str:
    """The README's block: the first findings, and what was run of Table 1 as differences to the baseline."""
    reference, *rows = board.rows[board.rows["group"] != NOT_IN_TABLE].to_dict("records")
    shown = [row for row in rows if row["variant"] != "as described"]
    values = {
        "profile": board.profile,
        "reference": reference,
        "rows": shown,
        "findings": found[:SENTENCES],
    }
    return render("front_page.md.j2", values)


def with_results(readme: str, block: str) -> str:
    """The README's text with this block between its two marks; ResultsError where the marks are missing."""
    return _between(readme, block, BEGIN, END, "README.md")


def with_costs(page: str, block: str) -> str:
    """The text of docs/running.md with the table of costs between its two marks; ResultsError as for `with_results`."""
    return _between(page, block, COSTS_BEGIN, COSTS_END, "docs/running.md")


def _between(page: str, block: str, begin: str, end: str, name: str) -> str:
    before, found, rest = page.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found or not found_end:
        raise ResultsError(f"{name} has no {begin} … {end}: put the two lines where the results belong.")
    return f"{before}{begin}\n\n{block}\n\n{end}{after}"


def seed_links(profile: str, kind: str, run_ids: Iterable[str]) -> list[str]:
    """The seed of each run as a link to its figures; kind: "results" or "beyond"."""
    return [
        f"[{run_id.split('-s')[-1].partition('-')[0]}](reports/{profile}/{kind}/{run_id}/metrics.json)"
        for run_id in run_ids
    ]


def deciding(full: Board, small: Board) -> Board:
    """The full protocol once every row of Table 1 has a finished run there; one run alone would empty the page."""
    return full if (full.rows.loc[full.rows["group"] != NOT_IN_TABLE, "seeds"] > 0).all() else small
