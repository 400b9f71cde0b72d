"""How a notebook concludes: what the runs of its section say, computed from a board. The words stand in templates."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from ..config import Experiment, Profile, load_experiment, load_matrix
from ..evidence.board import Board
from ..evidence.claims import FirstLoss, load_claims
from ..evidence.estimates import LEARNED, resolution
from ..evidence.fidelity import Likeness, summary
from ..evidence.first_loss import granularity
from .findings import author_there, pattern, run_as_the_author
from .rendering import render_html
from .tables import pooled

SHUFFLES = 2000


def conclusion(board: Board, experiments: Iterable[Experiment]) -> Markup:
    """Say how the networks stand to the baseline, here and in the paper, by verdict."""
    return render_html("conclusions/section.html.j2", **_values(board, experiments))


def full_length(board: Board, experiments: Iterable[Experiment]) -> Markup:
    """Say why the differences may be others at the paper's full length: the author's log where our runs stop."""
    there = author_there(board.profile)
    return render_html("conclusions/full_length.html.j2", author_there=there, **_values(board, experiments))


def _values(board: Board, experiments: Iterable[Experiment]) -> dict[str, Any]:
    (reference,) = board.rows_of([load_experiment("baseline")]).to_dict("records")
    rows = board.rows_of(e for e in experiments if e.name != "baseline").to_dict("records")
    return {"profile": board.profile, "reference": reference, "rows": rows}


def audit(board: Board, *, candidates: pd.DataFrame, judged: Sequence[Likeness], leaks: pd.DataFrame) -> Markup:
    """Say what the audit found: text against run, what that changes here, our curves, noise, leaks.

    candidates  from `first_loss.first_loss_candidates`, of all rows
    judged      from `fidelity.likenesses`
    leaks       from `leakage.accuracy_by_leak`; a network below 10 % has not learned, and none of them helps it
    """
    weighed = candidates[candidates["described"] & candidates["logged"].notna()]
    counted = granularity()
    real = board.profile.dataset == "omniglot"
    misfits = weighed.loc[~weighed["fits"], "experiment"]
    # where the text permits two readings, the ledger's check is of one of them, with changes of its own
    checks = [claim.check for claim in load_claims() if isinstance(claim.check, FirstLoss) and claim.check.changes]
    open_to_reading = misfits.isin([load_experiment(name).short_label for check in checks for name in check.of])
    changes = [
        (described.short_label, found)
        for described in load_matrix().experiments
        if real and described.variant == "as described"
        if (found := board.difference(f"{described.name}-as-run", described.name))
    ]
    return render_html(
        "conclusions/audit.html.j2",
        rows=len(weighed),
        misfits=list(misfits[~open_to_reading]),
        ambiguous=list(misfits[open_to_reading]),
        changes=changes,
        curves=summary(judged),
        variants=len(counted) - 1,
        clear=int(counted["clear"].sum()),
        effects=list(leaks.loc[leaks["clean"] > LEARNED, "effect"]) if real else [],
    )


def k_way(profile: Profile, *, scores: pd.DataFrame, share: np.ndarray, network: str) -> Markup:
    """Say how the baseline's accuracy falls with k, and what independent comparisons would make of it.

    scores   the baseline's, of `training.runs.tidy`
    share    for queries with their right answers, the share of wrong drawings that lose: fractions
    network  the one that `share` is of, in words
    """
    on_val = scores[scores["split"] == "val"]
    val = on_val[on_val["protocol"] == "author"]
    strict = on_val[(on_val["protocol"] == "strict") & (on_val["ways"] == 20)].sort_values("seed", kind="stable")
    measured = pooled(val, ["ways"]).set_index("ways")
    return render_html(
        "conclusions/k_way.html.j2",
        profile=profile,
        seeds=val["seed"].nunique(),
        measured=[{"k": k, **measured.loc[k].to_dict()} for k in (2, 5, 10, 20) if k in measured.index],
        network=network,
        independent=float(100 * share.mean() ** 19),
        by_query=float(100 * np.mean(share**19)),
        strict=strict.head(1).to_dict("records"),
        noise=resolution(73.2, 76.4),
    )


def table_1(board: Board) -> Markup:
    """Say which rows of Table 1 agree, whether the baseline is the best network, and what noise leaves open."""
    rows = board.rows[board.rows["paper_val"].notna()]
    variants = rows[rows["experiment"] != "baseline"]
    run = variants[variants["seeds"] > 0]
    # the paper's number is that of the network as run
    as_run = variants[variants["variant"] != "as described"]
    order = pattern(rows)
    return render_html(
        "conclusions/table_1.html.j2",
        profile=board.profile,
        baseline=rows[rows["experiment"] == "baseline"].to_dict("records")[0],
        finished=len(run),
        verdicts=run["verdict"].value_counts(sort=False).sort_index().to_dict(),
        missing=list(variants.loc[variants["seeds"] == 0, "label"]),
        above_in_paper=[load_experiment(name) for name in as_run.loc[as_run["paper_difference"] > 0, "experiment"]],
        above=run[run["difference_low"] > 0].sort_values("difference", ascending=False).to_dict("records"),
        order=order,
        by_luck=_by_luck(run_as_the_author(rows), order["correlation"]),
        shuffles=SHUFFLES,
        variants=len(as_run),
        apart=int(as_run["apart"].sum()),
    )


def _by_luck(rows: pd.DataFrame, correlation: float) -> int:
    """Count the shuffled tables, of `SHUFFLES`, whose ranks correlate with ours as much as the paper's."""
    if np.isnan(correlation):
        return 0
    paper, ours = rows[["paper_val", "ours_val"]].rank().to_numpy().T
    rng = np.random.default_rng(0)
    shuffled = np.array([np.corrcoef(rng.permutation(paper), ours)[0, 1] for _ in range(SHUFFLES)])
    return int(np.sum(shuffled >= correlation - 1e-12))
