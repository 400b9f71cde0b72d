"""The README's scoreboard: Markdown between two marks. `siamese scoreboard` writes it, a test keeps it current."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import ResultsError
from ..evidence.board import Board
from ..text import listed, number
from .learned import learned
from .table1 import ours_words

BEGIN, END = "<!-- scoreboard: made by `siamese scoreboard`, do not edit -->", "<!-- scoreboard: end -->"


def scoreboard_markdown(full: Board, small: Board, beyond: Iterable[str]) -> str:
    """The full protocol and a scaled-down profile side by side, what was learned, and the claims.

    beyond  lines on the results beyond the paper, to stand among them
    """
    board = full if full.has_runs else small
    scale = "full protocol" if board is full else f"at the scale of the {small.profile.name} profile"
    return "\n".join(
        [
            *_table1_lines(full, small),
            "",
            *(f"- {sentence}" for sentence in learned(board)),
            "",
            *beyond,
            "",
            f"<details><summary>The claims, one by one, with their verdicts ({scale})</summary>",
            "",
            *_claim_lines(board),
            "",
            "</details>",
        ]
    )


def _table1_lines(full: Board, small: Board) -> list[str]:
    profile = small.profile
    scaled = f"{profile.image_size}×{profile.image_size}, {profile.iterations:,} iterations"
    lines = [
        "Accuracy on new characters in %, 1-shot 20-way, author’s protocol: mean over the seeds, Wilson 95 % interval "
        f"over {profile.episodes:,} episodes, lowest and highest seed. A seed links to its results file, a verdict to "
        "the notebook that shows it."
        + (
            " A run at the full protocol that is under way stands at its iteration, with the mean of its last five "
            "checks of 250 episodes ([reports/paper](reports/paper/index.html) has the author’s beside it)."
            if any(full.rows["so_far"])
            else ""
        ),
        "",
        f"| Table 1 | paper | author’s log | full protocol{_machine(full)} "
        f"| {profile.name}: {scaled}{_machine(small)} | seeds | verdict at that scale |",
        "|---|--:|--:|---|---|---|---|",
    ]
    for (_, first), (_, second) in zip(full.rows.iterrows(), small.rows.iterrows(), strict=True):
        judged = first if first["seeds"] else second
        verdict = f"[{judged['verdict']}](notebooks/{judged['notebook']}.ipynb)"
        cells = [
            second["label"],
            number(second["paper_val"]),
            number(second["author_val"]),
            ours_words(first),
            ours_words(second),
            " ".join(
                link
                for board, row in ((full, first), (small, second))
                for link in seed_links(board.profile.name, "results", row["run_ids"])
            ),
            f"{verdict} (full protocol)" if first["seeds"] else verdict,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _claim_lines(board: Board) -> list[str]:
    lines = ["| section | claim | verdict | what it rests on |", "|---|---|---|---|"]
    for judgement in board.judgements:
        claim, variant = judgement.claim, f" ({judgement.variant})" if judgement.variant else ""
        says = "…" if judgement.variant == "as run" else claim.says
        verdict = f"[{judgement.verdict}](notebooks/{claim.notebook_name}.ipynb)"
        why = f"{judgement.words} {judgement.needs}".strip()
        lines.append(f"| {claim.section} | {says}{variant} | {verdict} | {why} |")
    return lines


def with_scoreboard(readme: str, block: str) -> str:
    """The README's text with this scoreboard between its two marks; ResultsError where the marks are missing."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ResultsError(f"README.md has no {BEGIN} … {END}: put the two lines where the scoreboard belongs.")
    return f"{before}{BEGIN}\n\n{block}\n\n{END}{after}"


def _machine(board: Board) -> str:
    machines = list(dict.fromkeys(words for words in board.rows["trained_on"] if words))
    return f" ({listed(machines)})" if machines else ""


def seed_links(profile: str, kind: str, run_ids: Iterable[str]) -> list[str]:
    """The seed of each run as a link to its figures; kind: "results" or "beyond"."""
    return [
        f"[{run_id.split('-s')[-1].partition('-')[0]}](reports/{profile}/{kind}/{run_id}/metrics.json)"
        for run_id in run_ids
    ]
