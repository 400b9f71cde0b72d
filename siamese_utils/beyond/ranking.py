"""Which method is best: methods ranked by their accuracy on shared episodes, each with its difference to a reference.

Accuracy is strict, 20-way 1-shot, on the background alphabets that were held out of the training. Intervals and tests
are those of `evidence.estimates`: the episodes and the seeds both count.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..config import Profile
from ..evidence.estimates import Evidence, Term
from ..evidence.facts import Facts
from ..evidence.significance import holm
from ..report.table1 import difference_words
from ..text import number
from .config import Method
from .runs import find_method_run

# of `rank_methods`
COLUMNS = [
    "name", "title", "source", "accuracy", "low", "high", "difference", "difference_low", "difference_high", "p",
    "by_seed",
]  # fmt: skip


def method_evidence(methods: Sequence[Method], profile: Profile) -> Evidence:
    """Gather the finished runs of methods, on validation alphabets, under the profile's seeds, as `Evidence`."""
    found = {
        method.name: {
            seed: Facts(run.run_id, {"val": run.answers()["strict"]})
            for seed in profile.seeds
            if (run := find_method_run(method, profile, seed))
        }
        for method in methods
    }
    return Evidence(profile, found)


def rank_methods(methods: Sequence[Method], reference: str, evidence: Evidence) -> pd.DataFrame:
    """Tabulate the methods that have run, the best first: accuracy in % and difference to the reference in points.

    Columns: name, title, source; accuracy, low, high; by_seed, the seeds' accuracies; difference, difference_low,
    difference_high; p, two-sided, after Holm's correction over the methods. All but accuracy may be NaN: intervals
    and p with a single seed, the difference of the reference.
    """
    lines = []
    for method in methods:
        own = evidence.estimate([Term(1, method.name)])
        if own is None:
            continue
        line: dict[str, Any] = {"name": method.name, "title": method.title, "source": method.source}
        line |= {"accuracy": own.value, "low": own.low, "high": own.high}
        line |= dict.fromkeys(("difference", "difference_low", "difference_high", "p"), np.nan)
        line["by_seed"] = [100 * float(evidence.facts[method.name][seed].answers["val"].mean()) for seed in own.seeds]
        gap = evidence.estimate([Term(1, method.name), Term(-1, reference)]) if method.name != reference else None
        if gap:
            line |= {"difference": gap.value, "difference_low": gap.low, "difference_high": gap.high}
            if len(gap.seeds) > 1:
                line["p"] = min(1.0, 2 * min(gap.p_above(0), gap.p_below(0)))
        lines.append(line)
    frame = pd.DataFrame(lines, columns=COLUMNS)
    known = frame["p"].notna()
    if known.any():
        frame.loc[known, "p"] = holm(frame.loc[known, "p"].tolist())
    return frame.sort_values("accuracy", ascending=False, ignore_index=True)


def ranking_table(ranked: pd.DataFrame, reference: str, first: str = "loss") -> pd.DataFrame:
    """Format the lines of `rank_methods` as text for a table; `first` names its first column."""

    def accuracy(line: pd.Series) -> str:
        interval = f" ({number(max(line['low'], 0))} to {number(min(line['high'], 100))})"
        return number(line["accuracy"]) + ("" if np.isnan(line["low"]) else interval)

    lines = [line for _, line in ranked.iterrows()]
    table = {
        first: ranked["title"],
        "accuracy": [accuracy(line) for line in lines],
        "seeds": [", ".join(number(value) for value in values) for values in ranked["by_seed"]],
        "to the reference": ["reference" if line["name"] == reference else difference_words(line) for line in lines],
        "p (Holm)": ["" if np.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}" for p in ranked["p"]],
    }
    if len(set(ranked["source"])) > 1:
        table["source"] = ranked["source"]
    return pd.DataFrame(table)
