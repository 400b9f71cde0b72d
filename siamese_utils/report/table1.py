"""Table 1: the paper's figures, the author's log and our runs side by side, each row with its verdict.

Accuracies are in %, 1-shot 20-way, under the author's protocol unless a column says "strict". A row's verdict is on
what the table says about it: how it stands to the baseline, and its figure (`claims.row_claim`).
"""

from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from ..evidence.board import NOT_IN_TABLE, Board
from ..evidence.significance import Interval
from ..text import number, signed
from .rendering import render_html


def readable(rows: pd.DataFrame) -> pd.DataFrame:
    """Write rows of a `Board` as text for a notebook: the paper's figures, ours with interval, strict, seeds."""
    lines = rows.to_dict("records")
    return pd.DataFrame(
        {
            "experiment": rows["label"],
            "paper train": [number(x) for x in rows["paper_train"]],
            "paper val": [number(x) for x in rows["paper_val"]],
            "train here": [number(x) for x in rows["ours_train"]],
            "val here": [accuracy_words(row) for row in lines],
            "strict val here": [number(x) for x in rows["strict_val"]],
            "to the baseline here": [difference_words(row) for row in lines],
            "seeds": rows["seeds"],
        }
    )


def accuracy_words(row: Any) -> str:
    """Write "73.1 (71.1–75.0)", of several seeds the lowest and highest too; of a row under way, how far it is."""
    if not row["seeds"]:
        if not (now := row["under_way"]):
            return "not run"
        return f"{now.standing.ours.in_words} at iteration {now.iteration:,}" if now.standing else now.in_words
    words = Interval(row["ours_val"], row["low"], row["high"]).in_words
    ends = dict.fromkeys(f"{row[end]:.1f}" for end in ("seed_low", "seed_high"))
    if row["seeds"] > 1:
        words += f", {'seeds' if len(ends) > 1 else 'every seed'} {'–'.join(ends)}"
    return words


def difference_words(row: Any) -> str:
    """Write "−5.1 (−6.9 to −3.3)"; without an interval where a single seed has none."""
    if np.isnan(row["difference"]):
        return "–"
    if np.isnan(row["difference_low"]):
        return signed(row["difference"])
    return f"{signed(row['difference'])} ({signed(row['difference_low'])} to {signed(row['difference_high'])})"


def table1_html(board: Board) -> Markup:
    """Show Table 1 as HTML, the paper beside ours, grouped as there, with the verdicts' rule and the runs' ids.

    Beside a scaled-down profile's runs of Omniglot stands how far the full protocol has come. A verdict links to the
    notebook that shows its row.
    """
    rows = _with_accuracy(board.rows)
    groups = [(name, members.to_dict("records")) for name, members in rows.groupby("group", sort=False)]
    full: dict[str, Any] = {}
    if board.profile.dataset == "omniglot" and not board.profile.is_paper_protocol:
        rows = _with_accuracy(Board.of("paper").rows)
        known = rows[rows["seeds"].gt(0) | rows["under_way"].notna()]
        full = {row["experiment"]: row for row in known.to_dict("records")}
    return render_html("table1.html.j2", profile=board.profile, groups=groups, full=full)


def _with_accuracy(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(accuracy=[accuracy_words(row) for row in rows.to_dict("records")])


def verdict_counts_html(board: Board) -> Markup:
    """Count how many rows of Table 1 got which verdict, each variant by itself, as HTML."""
    rows = board.rows
    rows = rows[(rows["group"] != NOT_IN_TABLE) & (rows["verdict"] != "reference")]
    counts = {verdict: list(members["label"]) for verdict, members in rows.groupby("verdict", sort=True)}
    return render_html("row_counts.html.j2", counts=counts)
