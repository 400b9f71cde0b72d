"""The README's scoreboard: Markdown between two marks. `siamese scoreboard` writes it, a test keeps it current."""

from __future__ import annotations

import pandas as pd

from .errors import ResultsError
from .learned import learned
from .scoreboard import Scoreboard
from .table1 import ours_words
from .words import listed, number

BEGIN, END = "<!-- scoreboard: made by `siamese scoreboard`, do not edit -->", "<!-- scoreboard: end -->"


def scoreboard_markdown(full: Scoreboard, small: Scoreboard) -> str:
    """The full protocol and a scaled-down profile side by side, what was learned, and the claims."""
    board = full if full.has_runs else small
    scale = "full protocol" if board is full else f"at the scale of the {small.profile.name} profile"
    return "\n".join(
        [
            *_table1_lines(full, small),
            "",
            *(f"- {sentence}" for sentence in learned(board)),
            "",
            *_beyond_lines(small),
            "",
            f"<details><summary>The claims, one by one, with their verdicts ({scale})</summary>",
            "",
            *_claim_lines(board),
            "",
            "</details>",
        ]
    )


def _table1_lines(full: Scoreboard, small: Scoreboard) -> list[str]:
    profile = small.profile
    scaled = f"{profile.image_size}×{profile.image_size}, {profile.iterations:,} iterations"
    lines = [
        "Accuracy on new characters in %, 1-shot 20-way, author’s protocol: mean over the seeds, Wilson 95 % interval "
        f"over {profile.episodes:,} episodes, lowest and highest seed. A seed links to its results file, a verdict to "
        "the notebook that shows it.",
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
            " ".join([*_seed_links(full, first), *_seed_links(small, second)]),
            f"{verdict} (full protocol)" if first["seeds"] else verdict,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _beyond_lines(board: Scoreboard) -> list[str]:
    """The learners beyond the paper on the evaluation set: a column a protocol, never an average over two of them."""
    from .beyond.learner import load_learners
    from .beyond.learning import find_learned

    profile = board.profile
    lines = [
        f"Beyond the paper, trained on {profile.dataset.title()} without a GPU and judged on alphabets that no choice "
        f"was made on: lowest to highest of the seeds, {profile.episodes:,} episodes each; the official runs ask 400 "
        "questions within alphabets.",
        "",
        "| learner | trained in | author’s protocol, % | strict, % | official runs, error in % | seeds |",
        "|---|--:|--:|--:|--:|---|",
    ]
    for learner in load_learners():
        if not learner.name.startswith("beyond"):
            continue
        found = [find_learned(learner, profile, seed, "evaluation") for seed in profile.seeds]
        runs = [run for run in found if run]
        if not runs:
            lines.append(f"| {learner.title} | not run | | | | |")
            continue
        scores = [{s["protocol"]: 100 * s["accuracy"] for s in run.metrics["scores"]} for run in runs]
        wrong = [100 - score["within_alphabet"] for score in scores if "within_alphabet" in score]
        links = [
            f"[{run.metrics['seed']}](reports/{profile.name}/beyond/{run.run_id}/metrics.json)"
            for run in runs
        ]
        cells = [
            f"{learner.title}, {learner.sized(profile).image_size}×{learner.sized(profile).image_size}",
            f"{_span([run.metrics['training_seconds'] for run in runs], 0)} s",
            _span([score["author"] for score in scores]),
            _span([score["strict"] for score in scores]),
            _span(wrong) if wrong else "not run",
            " ".join(links),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _span(values: list[float], digits: int = 1) -> str:
    low, high = (f"{value:.{digits}f}" for value in (min(values), max(values)))
    return low if low == high else f"{low}–{high}"


def _claim_lines(board: Scoreboard) -> list[str]:
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
        raise ResultsError(
            f"README.md has no {BEGIN} … {END}: put the two lines where the scoreboard belongs."
        )
    return f"{before}{BEGIN}\n\n{block}\n\n{END}{after}"


def _machine(board: Scoreboard) -> str:
    machines = list(dict.fromkeys(words for words in board.rows["trained_on"] if words))
    return f" ({listed(machines)})" if machines else ""


def _seed_links(board: Scoreboard, line: pd.Series) -> list[str]:
    name = board.profile.name
    return [
        f"[{run_id.split('-s')[-1].partition('-')[0]}](reports/{name}/results/{run_id}/metrics.json)"
        for run_id in line["run_ids"]
    ]
