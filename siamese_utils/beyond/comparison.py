"""Which loss helps: methods that differ in nothing else, compared on the episodes that they share.

Accuracy is strict, 20-way 1-shot, on the background alphabets that were held out of the training. Intervals and tests
are those of `evidence`: the episodes and the seeds both count.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from statsmodels.stats.multitest import multipletests

from ..config import Profile
from ..evidence.estimates import Estimate, Evidence, Facts, Term
from ..text import number, signed
from .config import Method
from .training import HeldOut, find_method_run

PROTOCOL = "strict"


def method_evidence(methods: Sequence[Method], profile: Profile, held_out: HeldOut = "validation") -> Evidence:
    """The finished runs of methods under the profile's seeds, as `evidence` takes them."""
    found = {
        method.name: {
            seed: Facts(run.run_id, {"val": run.answers()[PROTOCOL]})
            for seed in profile.seeds
            if (run := find_method_run(method, profile, seed, held_out))
        }
        for method in methods
    }
    return Evidence(profile, found)


def compare(methods: Sequence[Method], reference: str, evidence: Evidence) -> pd.DataFrame:
    """One line a method that has run, the best first: accuracy and difference to the reference in %, with intervals.

    Columns: name, title, source, accuracy, low, high, by_seed (the seeds' accuracies), difference, difference_low,
    difference_high, p (two-sided, Holm's correction over the methods; NaN for the reference and with a single seed).
    """
    lines = []
    for method in methods:
        own = evidence.estimate([Term(1, method.name)])
        if own is None:
            continue
        line = {
            "name": method.name,
            "title": method.title,
            "source": method.source,
            "accuracy": own.value,
            "low": own.low,
            "high": own.high,
            "by_seed": [100 * float(evidence.facts[method.name][seed].answers["val"].mean()) for seed in own.seeds],
        }
        against = None
        if method.name != reference:
            against = evidence.estimate([Term(1, method.name), Term(-1, reference)])
        lines.append({**line, **_difference(against)})
    frame = pd.DataFrame(lines)
    if frame.empty:
        return frame
    known = frame["p"].notna()
    if known.any():
        frame.loc[known, "p"] = multipletests(frame.loc[known, "p"], method="holm")[1]
    return frame.sort_values("accuracy", ascending=False, ignore_index=True)


def _difference(against: Estimate | None) -> dict[str, float]:
    if against is None:
        return {
            "difference": float("nan"),
            "difference_low": float("nan"),
            "difference_high": float("nan"),
            "p": float("nan"),
        }
    several = len(against.seeds) > 1
    return {
        "difference": against.value,
        "difference_low": against.low,
        "difference_high": against.high,
        "p": min(1.0, 2 * min(against.p_above(0), against.p_below(0))) if several else float("nan"),
    }


def readable(frame: pd.DataFrame, first: str = "loss") -> pd.DataFrame:
    """The comparison as text for a table; `first` names its first column."""
    return pd.DataFrame(
        {
            first: frame["title"],
            "accuracy": [
                _with_interval(*line) for line in zip(frame["accuracy"], frame["low"], frame["high"], strict=True)
            ],
            "seeds": [", ".join(number(value) for value in values) for values in frame["by_seed"]],
            "to the reference": [
                "reference" if pd.isna(value) else _signed_with_interval(value, low, high)
                for value, low, high in zip(
                    frame["difference"], frame["difference_low"], frame["difference_high"], strict=True
                )
            ],
            "p (Holm)": ["" if pd.isna(p) else "< 0.001" if p < 0.001 else f"{p:.3f}" for p in frame["p"]],
            **({"source": frame["source"]} if len(set(frame["source"])) > 1 else {}),
        }
    )


def _with_interval(value: float, low: float, high: float) -> str:
    return number(value) if pd.isna(low) else f"{number(value)} ({number(max(low, 0))} to {number(min(high, 100))})"


def _signed_with_interval(value: float, low: float, high: float) -> str:
    return signed(value) if pd.isna(low) else f"{signed(value)} ({signed(low)} to {signed(high)})"
