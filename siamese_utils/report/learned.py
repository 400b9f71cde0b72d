"""What we learned: a few sentences, computed from the runs, the paper's figures and the author's logged losses.

A sentence that the runs at hand do not bear is left out; none is typed.
"""

from __future__ import annotations

import numpy as np

from ..config import load_experiment
from ..evidence.board import NOT_IN_TABLE, Board
from ..evidence.claims import FirstLoss
from ..evidence.estimates import Z, resolution
from ..text import listed, number, signed


def learned(board: Board) -> list[str]:
    """What the runs and the logs teach, a few sentences; those that the runs at hand do not bear are left out."""
    sentences = [_counts(board), _what_was_trained(board), _resolution(board), _same_gap()]
    if board.profile.dataset == "omniglot" and board.has_runs:
        sentences += [
            _holding(board),
            *_failing(board),
            _silent(board),
            _best(board),
            _seeds(board),
            _protocols(board),
        ]
    return [sentence for sentence in sentences if sentence]


def _counts(board: Board) -> str:
    def counted(by_runs: bool) -> tuple[int, str]:
        counts = board.counts(by_runs=by_runs)
        return sum(counts.values()), listed([f"{count} {verdict}" for verdict, count in counts.items()])

    (runs, of_runs), (logs, of_logs) = counted(True), counted(False)
    where = "" if board.profile.is_paper_protocol else f" at the scale of the {board.profile.name} profile"
    return (
        f"Of {runs + logs} claims, taken as described, the author’s own log, arithmetic or counting settle {logs}: "
        f"{of_logs}. The runs here judge {runs}{where}: {of_runs}."
    )


def _what_was_trained(board: Board) -> str:
    """The author's first losses do not depend on any run of ours."""
    asked = [j for j in board.judgements if isinstance(j.claim.check, FirstLoss) and not j.claim.check.starts_at]
    others = [j for j in asked if j.verdict == "not reproduced"]
    names = [load_experiment(name).row for j in others for name in j.claim.check.of]
    if not names:
        return ""
    return (
        f"What was trained is not always what is described: the first losses that the author logged rule out the "
        f"text’s networks for {len(names)} rows of Table 1 ({listed(names)})."
    )


def _resolution(board: Board) -> str:
    """How many rows the paper's episodes can tell from the baseline, and how many are left where seeds differ too."""
    rows = board.rows
    rows = rows[(rows["group"] != NOT_IN_TABLE) & (rows["experiment"] != "baseline") & (rows["variant"] != "as run")]
    baseline = load_experiment("baseline").paper
    assert baseline
    gaps = [(v, abs(v - baseline.val)) for v in rows["paper_val"]]
    clear = sum(gap > resolution(v, baseline.val) for v, gap in gaps)
    words = (
        f"By the noise of its 250 episodes alone, the paper can tell {clear} of the {len(rows)} variants of Table 1 "
        f"from the baseline: the 95 % interval of a difference at {baseline.val:g} % is "
        f"±{resolution(baseline.val, baseline.val):.1f} points."
    )
    if board.profile.dataset != "omniglot" or board.evidence.most_seeds < 2:
        return words
    spread = board.evidence.spread_at
    left = sum(
        gap > np.hypot(resolution(v, baseline.val), Z * np.hypot(spread(v), spread(baseline.val))) for v, gap in gaps
    )
    return f"{words} With the spread between seeds that the runs here show, its one seed leaves {left}."


def _same_gap() -> str:
    """The paper's own words for the gap between training and new characters, on its own figures."""
    first, second = load_experiment("baseline").paper, load_experiment("without-dropout").paper
    assert first
    assert second
    return (
        f"The paper finds no overfitting where training accuracy is {first.train - first.val:.1f} points above "
        f"validation (baseline), and a slight one at {second.train - second.val:.1f} (without dropout)."
    )


def _holding(board: Board) -> str:
    """The rows that the paper can tell from the baseline, and that stand on the same side of it here."""
    rows = board.rows[board.rows["verdict"].isin(("reproduced", "direction only"))]
    rows = rows[rows["paper_difference"].notna() & (rows["difference"] < 0) & ~rows["degenerate"].astype(bool)]
    rows = rows[[d < -resolution(v, v - d) for v, d in zip(rows["paper_val"], rows["paper_difference"], strict=True)]]
    named = [f"{line['label']} ({signed(line['difference'])})" for _, line in rows.iterrows()]
    return f"Clearly below the baseline here as in the paper, in points: {listed(named)}." if named else ""


def _failing(board: Board) -> list[str]:
    """The rows that stand otherwise than in the paper: on the other side of the baseline, or much farther from it."""
    rows = board.rows[(board.rows["verdict"] == "not reproduced") & board.rows["difference"].notna()]
    same_side = rows["difference"] * rows["paper_difference"] > 0
    sentences = []
    for chosen, words in (
        (rows[~same_side], "On the other side of the baseline than in the paper, in points"),
        (rows[same_side], "Farther from the baseline than the paper’s noise would explain, in points"),
    ):
        named = [
            f"{line['label']} ({signed(line['difference'])}; paper {signed(line['paper_difference'])})"
            for _, line in chosen.iterrows()
        ]
        if named:
            sentences.append(f"{words}: {listed(named)}.")
    return sentences


def _silent(board: Board) -> str:
    rows = board.rows[board.rows["degenerate"].astype(bool) & (board.rows["seeds"] > 0)]
    named = [f"{line['label']} (paper {number(line['paper_val'])} %)" for _, line in rows.iterrows()]
    return f"Did not train here at all, all similarities tie: {listed(named)}." if named else ""


def _best(board: Board) -> str:
    rows = board.rows[(board.rows["group"] != NOT_IN_TABLE) & (board.rows["seeds"] > 0)]
    baseline = rows[rows["experiment"] == "baseline"]
    best = rows.sort_values("ours_val").iloc[-1]
    if baseline.empty or best["experiment"] == "baseline":
        return ""
    return (
        f"The best network of Table 1 here is {best['label']} with {number(best['ours_val'])} % on new characters; "
        f"the baseline has {number(baseline['ours_val'].iloc[0])} %."
    )


def _seeds(board: Board) -> str:
    if board.evidence.most_seeds < 2:
        return ""
    spread = board.evidence.spread_at(50)
    return (
        f"Another seed moves an accuracy near 50 % by {spread:.1f} points (one standard deviation, pooled over all "
        f"networks): two networks with one run each are not told apart below about {Z * 2**0.5 * spread:.0f} points."
    )


def _protocols(board: Board) -> str:
    rows = board.rows[board.rows["ours_val"] > 10]
    if rows.empty:
        return ""
    gap = rows["ours_val"] - rows["strict_val"]
    return (
        "The author’s episodes, in which a query can meet itself, against strict ones: "
        f"{signed(gap.median())} points for the middle one of the networks that learned, "
        f"{signed(gap.min())} to {signed(gap.max())} for all of them."
    )
