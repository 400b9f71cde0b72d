"""What we learned: the numbers of a few sentences, from the runs, the paper's figures and the author's logged losses.

The sentences stand in templates/findings.md.j2; one that the runs at hand do not bear has None or nothing here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..config import load_experiment
from ..evidence.board import NOT_IN_TABLE, Board
from ..evidence.claims import FirstLoss
from ..evidence.estimates import Z, resolution
from ..text import number, signed
from .rendering import render


def findings(board: Board) -> list[str]:
    """The sentences on what the runs and the logs teach."""
    paragraphs = render("findings.md.j2", numbers(board)).split("\n\n")
    return [sentence for paragraph in paragraphs if (sentence := " ".join(paragraph.split()))]


def numbers(board: Board) -> dict[str, Any]:
    """Every number and name that the sentences need, by the finding."""
    settled, judged = board.counts(by_runs=False), board.counts(by_runs=True)
    found: dict[str, Any] = {
        "profile": board.profile,
        "claims": sum(settled.values()) + sum(judged.values()),
        "settled": [f"{count} {verdict}" for verdict, count in settled.items()],
        "judged": [f"{count} {verdict}" for verdict, count in judged.items()],
        "settled_count": sum(settled.values()),
        "judged_count": sum(judged.values()),
        "ruled_out": _ruled_out(board),
        "resolution": _resolution(board),
        "gaps": {name: _paper_gap(name) for name in ("baseline", "without-dropout")},
    }
    rows = board.rows if _on_omniglot(board) else board.rows[:0]
    return {**found, **_sides(rows), "best": _best(rows), "seed_spread": _seed_spread(board), "leak": _leak(rows)}


def _on_omniglot(board: Board) -> bool:
    return board.profile.dataset == "omniglot" and board.has_runs


def _ruled_out(board: Board) -> list[str]:
    """The rows of Table 1 whose described network the author's first loss rules out; no run of ours is needed."""
    refuted = [
        judgement.claim.check
        for judgement in board.judgements
        if isinstance(judgement.claim.check, FirstLoss) and judgement.verdict == "not reproduced"
    ]
    return [load_experiment(name).row for check in refuted if not check.starts_at for name in check.of]


def _resolution(board: Board) -> dict[str, Any]:
    """How many rows the paper's episodes can tell from the baseline, and how many are left where seeds differ too."""
    rows = _in_table(board.rows)
    baseline = rows.loc[rows["experiment"] == "baseline", "paper_val"].item()
    variants = rows.loc[(rows["experiment"] != "baseline") & (rows["variant"] != "as run"), "paper_val"]
    gaps = abs(variants - baseline)
    episodes = np.array([resolution(val, baseline) for val in variants])
    found = {
        "variants": len(variants),
        "baseline": baseline,
        "half_width": resolution(baseline, baseline),
        "apart": sum(gaps > episodes),
        "left": None,
    }
    if _seed_spread(board) is not None:
        spread = board.evidence.spread_at
        seeds = np.array([Z * np.hypot(spread(val), spread(baseline)) for val in variants])
        found["left"] = sum(gaps > np.hypot(episodes, seeds))
    return found


def _paper_gap(name: str) -> float:
    """How far training accuracy lies above validation in the paper's figures, in points."""
    paper = load_experiment(name).paper
    assert paper, "a row of Table 1"
    return paper.train - paper.val


def _sides(rows: pd.DataFrame) -> dict[str, list[str]]:
    """The rows that stand below the baseline as in the paper, otherwise than in the paper, or did not train."""
    untrained = rows["degenerate"].astype(bool)
    ours, paper = rows["difference"], rows["paper_difference"]
    reach = np.array([resolution(val, val - gap) for val, gap in zip(rows["paper_val"], paper, strict=True)])
    holding = rows["verdict"].isin(("reproduced", "direction only")) & ~untrained & (ours < 0) & (paper < -reach)
    failing = (rows["verdict"] == "not reproduced") & ours.notna()
    same_side = ours * paper > 0

    def beside_paper(chosen: pd.Series) -> list[str]:
        shown = zip(rows["label"][chosen], ours[chosen], paper[chosen], strict=True)
        return [f"{label} ({signed(here)}; paper {signed(there)})" for label, here, there in shown]

    return {
        "below": [f"{label} ({signed(gap)})" for label, gap in zip(rows["label"][holding], ours[holding], strict=True)],
        "other_side": beside_paper(failing & ~same_side),
        "farther": beside_paper(failing & same_side),
        "untrained": [
            f"{label} (paper {number(val)} %)"
            for label, val in rows.loc[untrained & (rows["seeds"] > 0), ["label", "paper_val"]].to_numpy()
        ],
    }


def _best(rows: pd.DataFrame) -> dict[str, Any] | None:
    """The best network of Table 1, and the baseline's accuracy; None where that is the best, or has not run."""
    rows = _in_table(rows)
    rows = rows[rows["seeds"] > 0].sort_values("ours_val")
    baseline = rows.loc[rows["experiment"] == "baseline", "ours_val"]
    if baseline.empty or rows["experiment"].iloc[-1] == "baseline":
        return None
    return {"label": rows["label"].iloc[-1], "val": rows["ours_val"].iloc[-1], "baseline": baseline.item()}


def _seed_spread(board: Board) -> dict[str, float] | None:
    """The standard deviation between seeds near 50 %, and how far apart two networks of one run each must be."""
    if not _on_omniglot(board) or board.evidence.most_seeds < 2:
        return None
    spread = board.evidence.spread_at(50)
    return {"points": spread, "apart": Z * 2**0.5 * spread}


def _leak(rows: pd.DataFrame) -> dict[str, float] | None:
    """By how much the author's episodes flatter the networks that learned, against strict ones."""
    learned = rows[rows["ours_val"] > 10]
    gap = learned["ours_val"] - learned["strict_val"]
    return {"median": gap.median(), "low": gap.min(), "high": gap.max()} if len(gap) else None


def _in_table(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["group"] != NOT_IN_TABLE]
