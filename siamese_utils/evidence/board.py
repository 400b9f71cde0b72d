"""All that the runs of one profile say of the paper, worked out once: claims, their verdicts, and Table 1.

Whatever shows verdicts (a report, a notebook, the README) asks one board, and hands it on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from ..config import Experiment, Profile, load_experiment, load_matrix, load_profile
from ..evaluation.accuracy import wilson
from ..text import device_words
from ..training.runs import Run, find_run, find_so_far, tidy
from .claims import load_claims, row_claims
from .estimates import Estimate, Evidence, Term
from .fidelity import origin_of, under_way
from .verdicts import VERDICTS, Judgement, judge

NOT_IN_TABLE = "Not in Table 1"
SO_FAR = ("so_far", "so_far_val", "so_far_origin")


@dataclass(frozen=True)
class Board:
    """What one profile's runs on disk say."""

    profile: Profile

    @classmethod
    def of(cls, profile: str | Path | Profile) -> Board:
        """The board of a profile, by name or file."""
        return cls(load_profile(profile))

    @cached_property
    def evidence(self) -> Evidence:
        return Evidence.on_disk(self.profile)

    @cached_property
    def judgements(self) -> list[Judgement]:
        """The verdict on every claim, in the paper's order."""
        return judge(load_claims(), self.evidence, along_with=list(row_claims().values()))

    @cached_property
    def row_judgements(self) -> dict[str, Judgement]:
        """The verdict on every row of Table 1, by the experiment's name; corrected along with the ledger's claims."""
        claims = row_claims()
        verdicts = judge(list(claims.values()), self.evidence, variants=False, along_with=load_claims())
        return dict(zip(claims, verdicts, strict=True))

    @cached_property
    def rows(self) -> pd.DataFrame:
        """Table 1 in the paper's order, then the runs it leaves out; a line a row, in %: paper, author's log, and here.

        experiment, label, group, row, variant
        paper_train, paper_val, author_train, author_val   NaN where there is none
        ours_train, ours_val, strict_val                   means over the seeds; NaN where there is no run
        low, high                                          Wilson 95 % interval of ours_val: the episodes' part
        seed_low, seed_high                                lowest and highest seed of ours_val
        seeds, run_ids                                     how many seeds have run, and the runs' ids
        paper_difference                                   to the baseline, val, in points
        difference, difference_low, difference_high        ours, and its 95 % interval; see `estimates`
        verdict, why                                       see `verdicts`; "under way" for a row without a finished run
        so_far, so_far_val, so_far_origin                  how far such a row has come, with which accuracy, where
        apart                                              whether the paper's figure can be told from its baseline's
        silent                                             whether it did not train at all: every similarity ties
        """
        experiments = sorted(load_matrix().experiments, key=lambda e: e.paper is None)  # stable
        return pd.DataFrame([_line(self, experiment) for experiment in experiments])

    def rows_of(self, experiments: Iterable[Experiment]) -> pd.DataFrame:
        """The rows of some experiments, in their order."""
        return self.rows.set_index("experiment", drop=False).loc[[e.name for e in experiments]].reset_index(drop=True)

    @property
    def has_runs(self) -> bool:
        return self.evidence.most_seeds > 0

    def counts(self, *, by_runs: bool) -> dict[str, int]:
        """How many claims, as described, got which verdict; those that none got are left out.

        by_runs  those that runs of ours decide; otherwise those that the author's log, arithmetic or counting does
        """
        found = Counter(j.verdict for j in self.judgements if j.variant != "as run" and j.by_runs == by_runs)
        return {verdict: found[verdict] for verdict in VERDICTS if found[verdict]}


def _line(board: Board, experiment: Experiment) -> dict[str, object]:
    evidence, judged = board.evidence, board.row_judgements.get(experiment.name)
    runs = [run for seed in evidence.profile.seeds if (run := find_run(experiment, evidence.profile, seed))]
    scores = tidy(runs)
    scores = scores[scores["ways"] == 20]

    def ours(protocol: str, split: str) -> pd.DataFrame:
        return scores[(scores["protocol"] == protocol) & (scores["split"] == split)]

    val = ours("author", "val")
    interval = wilson(round(val["correct"].mean()), int(val["episodes"].iloc[0])) if len(val) else None
    paper, author = experiment.paper, experiment.author
    baseline = load_matrix().experiments[0]
    gap = None
    if experiment.name != baseline.name:
        gap = evidence.estimate((Term(1, experiment.name), Term(-1, baseline.name)))
    so_far = None if runs else _farthest(evidence.profile, experiment)
    said = (
        ("under way" if so_far else "not run")
        if not runs
        else NOT_IN_TABLE.lower()
        if judged is None
        else judged.verdict
    )
    if experiment.name == baseline.name and said == "not testable":
        said = "reference"
    return {
        "experiment": experiment.name,
        "label": experiment.label,
        "group": experiment.group if paper else NOT_IN_TABLE,
        "row": experiment.row or experiment.group,
        "variant": experiment.variant,
        "notebook": load_matrix().sections[experiment.section].notebook,
        "paper_train": paper.train if paper else np.nan,
        "paper_val": paper.val if paper else np.nan,
        "author_train": author.train if author and author.train is not None else np.nan,
        "author_val": author.val if author and author.val is not None else np.nan,
        "ours_train": 100 * ours("author", "train")["accuracy"].mean(),
        "ours_val": 100 * val["accuracy"].mean(),
        "low": 100 * interval.low if interval else np.nan,
        "high": 100 * interval.high if interval else np.nan,
        "seed_low": 100 * val["accuracy"].min(),
        "seed_high": 100 * val["accuracy"].max(),
        "strict_val": 100 * ours("strict", "val")["accuracy"].mean(),
        "seeds": len(runs),
        "run_ids": tuple(run.run_id for run in runs),
        "trained_on": trained_on(runs),
        "paper_difference": round(paper.val - baseline.paper.val, 1) if paper and baseline.paper else np.nan,
        "difference": gap.value if gap else np.nan,
        "difference_low": gap.low if gap else np.nan,
        "difference_high": gap.high if gap else np.nan,
        "verdict": said,
        "apart": judged is not None and judged.claim.check.kind != "similar",
        "silent": evidence.is_silent(experiment.name),
        "why": f"{judged.words} {judged.needs}".strip() if judged else "",
        **(_so_far(so_far, evidence.profile) if so_far else dict.fromkeys(SO_FAR, "")),
    }


def _farthest(profile: Profile, experiment: Experiment) -> Run | None:
    """Of the runs under way of an experiment, the one that has come farthest."""
    found = [run for seed in profile.seeds if (run := find_so_far(experiment, profile, seed))]
    return max(found, key=lambda run: run.metrics["iterations"], default=None)


def _so_far(run: Run, profile: Profile) -> dict[str, str]:
    """How far a run under way has come, and how its last checks stand to the author's at the same iterations."""
    end = profile.scaled(run.experiment.recipe.iterations)
    iteration = f"iteration {run.metrics['iterations']:,}"
    found = {"so_far": f"{iteration} of {end:,}", "so_far_val": "", "so_far_origin": _so_far_origin(run)}
    stands = under_way(run.experiment, run.seed) if profile.is_paper_protocol else None
    if stands is None or not stands.checks:
        return found
    found["so_far_val"] = f"{stands.ours:.1f} ({stands.ours_low:.1f}–{stands.ours_high:.1f}) at {iteration}"
    log = "" if np.isnan(stands.author) else f" the author’s log there {stands.author:.1f},"
    return {**found, "so_far": f"{found['so_far']};{log} {stands.words}"}


def _so_far_origin(run: Run) -> str:
    """A run under way by its id, with where its checks were made: device, precision of the convolutions, commit."""
    origin = origin_of(run.history)
    return f"{run.run_id}, {origin.device}, convolutions in {origin.convolutions}, commit {origin.commit}"


def trained_on(runs: Iterable[Run]) -> str:
    """What the runs were trained on, in words: "TensorFlow on a CPU"; nothing for no runs."""
    words = (
        device_words(origin)
        for run in runs
        for origin in run.metrics.get("origins") or [run.metrics.get("provenance", {})]
    )
    return " and ".join(dict.fromkeys(words))


def compare_runs(
    experiment: str, reference: str = "baseline", profile: str | Path | Profile = "laptop", *, measure: str = "val"
) -> Estimate | None:
    """How far an experiment's accuracy is from another's, in points, with a 95 % interval; None without common seeds.

    measure  "val", "train" or "gap" (train − val): 1-shot 20-way, author's protocol

    The interval covers the choice of episodes and of seeds; see `estimates`. Raises ParamsError for unknown names.

    >>> round(compare_runs("dense-64", "baseline", "laptop").value)
    3
    """
    terms = [Term(weight, load_experiment(name).name, measure) for weight, name in ((1, experiment), (-1, reference))]
    return Evidence.on_disk(load_profile(profile)).estimate(terms)
