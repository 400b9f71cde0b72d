"""What we learned: a few sentences, computed from the runs, the paper's figures and the author's logged losses.

A sentence that the runs at hand do not bear is left out; none is typed.
"""

from __future__ import annotations

from .claims import FirstLoss
from .evidence import resolution
from .params import load_experiment, load_profile
from .scoreboard import Scoreboard
from .table1 import NOT_IN_TABLE, table1
from .words import listed, number, signed


def learned(board: Scoreboard) -> list[str]:
    """What the runs and the logs teach, a few sentences; those that the runs at hand do not bear are left out."""
    sentences = [_counts(board), _what_was_trained(board), _resolution()]
    if board.profile.dataset == "omniglot" and board.has_runs:
        sentences += [
            _holding(board),
            _failing(board),
            _best(board),
            _seeds(board),
            _protocols(board),
        ]
    return [sentence for sentence in sentences if sentence]


def _counts(board: Scoreboard) -> str:
    counted = [f"{count} {verdict}" for verdict, count in board.counts.items()]
    where = "" if board.profile.is_paper_protocol else f" at the scale of the {board.profile.name} profile"
    return f"Of {sum(board.counts.values())} claims, taken as described{where}: {listed(counted)}."


def _what_was_trained(board: Scoreboard) -> str:
    """The author's first losses do not depend on any run of ours."""
    asked = [
        j for j in board.judgements if isinstance(j.claim.check, FirstLoss) and not j.claim.check.starts_at
    ]
    others = [j for j in asked if j.verdict == "not reproduced"]
    names = [load_experiment(name).row for j in others for name in j.claim.check.of]
    if not names:
        return ""
    return (
        f"What was trained is not always what is described: the first losses that the author logged rule out the "
        f"text’s networks for {len(names)} rows of Table 1 ({listed(names)})."
    )


def _resolution() -> str:
    rows = table1(load_profile("paper"))
    rows = rows[
        (rows["group"] != NOT_IN_TABLE) & (rows["experiment"] != "baseline") & (rows["variant"] != "as run")
    ]
    baseline = load_experiment("baseline").paper
    assert baseline
    clear = sum(abs(v - baseline.val) > resolution(v, baseline.val) for v in rows["paper_val"])
    return (
        f"250 episodes and one seed tell {clear} of the {len(rows)} variants of Table 1 from the baseline; the "
        f"95 % interval of a difference at {baseline.val:g} % is ±{resolution(baseline.val, baseline.val):.1f} points."
    )


def _holding(board: Scoreboard) -> str:
    """The rows that the paper can tell from the baseline, and that stand on the same side of it here."""
    rows = board.rows[board.rows["verdict"].isin(("reproduced", "direction only"))]
    rows = rows[(rows["paper_val"] - rows["paper_difference"]).notna() & (rows["difference"] < 0)]
    rows = rows[
        [d < -resolution(v, v - d) for v, d in zip(rows["paper_val"], rows["paper_difference"], strict=True)]
    ]
    named = [f"{line['label']} ({signed(line['difference'])})" for _, line in rows.iterrows()]
    return f"Clearly below the baseline here as in the paper, in points: {listed(named)}." if named else ""


def _failing(board: Scoreboard) -> str:
    rows = board.rows[(board.rows["verdict"] == "not reproduced") & board.rows["difference"].notna()]
    if rows.empty:
        return ""
    named = [
        f"{line['label']} ({signed(line['difference'])}; paper {signed(line['paper_difference'])})"
        for _, line in rows.iterrows()
    ]
    return f"Not as in the paper, in points to the baseline: {listed(named)}."


def _best(board: Scoreboard) -> str:
    rows = board.rows[(board.rows["group"] != NOT_IN_TABLE) & (board.rows["seeds"] > 0)]
    baseline = rows[rows["experiment"] == "baseline"]
    best = rows.sort_values("ours_val").iloc[-1]
    if baseline.empty or best["experiment"] == "baseline":
        return ""
    return (
        f"The best network of Table 1 here is {best['label']} with {number(best['ours_val'])} % on new characters; "
        f"the baseline has {number(baseline['ours_val'].iloc[0])} %."
    )


def _seeds(board: Scoreboard) -> str:
    if board.evidence.most_seeds < 2:
        return ""
    return (
        f"Another seed moves an accuracy near 50 % by {board.evidence.spread_at(50):.1f} points (one standard "
        "deviation, pooled over all networks): one run each cannot order networks that are nearer than that."
    )


def _protocols(board: Scoreboard) -> str:
    rows = board.rows[board.rows["ours_val"] > 10]
    if rows.empty:
        return ""
    gap = rows["ours_val"] - rows["strict_val"]
    return (
        "The author’s episodes, in which a query can meet itself, against strict ones: "
        f"{signed(gap.median())} points for the middle one of the networks that learned, "
        f"{signed(gap.min())} to {signed(gap.max())} for all of them."
    )
