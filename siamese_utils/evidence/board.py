"""All that the runs of one profile say of the paper, worked out once: claims, their verdicts, and Table 1.

Whatever shows verdicts (a report, a notebook, the README) asks one board, and hands it on.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

from ..config import Experiment, Profile, load_experiment, load_matrix, load_profile
from ..evaluation.accuracy import wilson
from ..training.runs import Run, find_so_far
from .author_logs import author_difference
from .claims import can_be_told, load_claims, row_claims
from .estimates import Estimate, Evidence, Term
from .facts import Facts, Kind, Measure, machines
from .fidelity import origin_of
from .standing import UnderWay, standing
from .verdicts import VERDICTS, Judgement, judge

NOT_IN_TABLE = "Not in Table 1"


@dataclass(frozen=True)
class Board:
    """What one profile's runs say: those on disk, or those of `given` evidence."""

    profile: Profile
    given: Evidence | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, profile: str | Path | Profile) -> "Board":
        """Make the board of a profile, by name or file; ParamsError where there is none."""
        return cls(load_profile(profile))

    @cached_property
    def evidence(self) -> Evidence:
        return self.given or Evidence.on_disk(self.profile)

    @cached_property
    def _verdicts(self) -> list[Judgement]:
        return judge(load_claims(), self.evidence, rows=list(row_claims().values()))

    @cached_property
    def judgements(self) -> list[Judgement]:
        """The verdict on every claim, in the paper's order."""
        return self._verdicts[: len(self._verdicts) - len(row_claims())]

    @cached_property
    def row_judgements(self) -> dict[str, Judgement]:
        """The verdict on every row of Table 1, by the experiment's name; corrected along with the ledger's claims."""
        rows = row_claims()
        return dict(zip(rows, self._verdicts[len(self.judgements) :], strict=True))

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
        difference_seeds                                   how many seeds both have run under
        author_difference                                  in the author's log where our training stops, in points; NaN
                                                           where the two cannot be compared, see `author_logs`
        verdict, why                                       see `verdicts`; "under way" for a row without a finished run
        under_way                                          `standing.UnderWay` of such a row; None of another
        apart                                              whether the paper's figure can be told from its baseline's
        degenerate                                         whether it did not train at all: every similarity ties
        """
        experiments = sorted(load_matrix().experiments, key=lambda e: e.paper is None)
        return pd.DataFrame([_line(self, experiment) for experiment in experiments])

    def rows_of(self, experiments: Iterable[Experiment]) -> pd.DataFrame:
        """Pick the rows of some experiments, in their order."""
        return self.rows.set_index("experiment", drop=False).loc[[e.name for e in experiments]].reset_index(drop=True)

    def difference(self, experiment: str, reference: str = "baseline", *, measure: Kind = "val") -> Estimate | None:
        """Estimate how far an experiment is from another, as `compare_runs`, from the runs that the board has read."""
        names = load_experiment(experiment).name, load_experiment(reference).name
        return self.evidence.estimate(
            [Term(weight, name, Measure(measure)) for weight, name in zip((1, -1), names, strict=True)]
        )

    @property
    def counts(self) -> dict[str, int]:
        """How many claims, as described, got which verdict; verdicts that none got are left out."""
        found = Counter(j.verdict for j in self.judgements if j.variant != "as run")
        return {verdict: found[verdict] for verdict in VERDICTS if found[verdict]}


def _line(board: Board, experiment: Experiment) -> dict[str, object]:
    """Fill a row of the board."""
    evidence, judged = board.evidence, board.row_judgements.get(experiment.name)
    runs = list(evidence.facts.get(experiment.name, {}).values())
    baseline, profile = load_experiment("baseline"), evidence.profile
    paper, author = experiment.paper, experiment.author
    under_way = None if runs else _under_way(experiment, profile)
    gap = None if experiment.name == baseline.name else board.difference(experiment.name)
    end = profile.scaled(experiment.recipe.iterations)
    beside_log = profile.follows_the_log and experiment.name != baseline.name
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
        **_accuracies(runs),
        "seeds": len(runs),
        "run_ids": tuple(facts.run_id for facts in runs),
        "trained_on": trained_on(runs),
        "paper_difference": round(paper.val - baseline.paper.val, 1) if paper and baseline.paper else np.nan,
        "difference": gap.value if gap else np.nan,
        "difference_low": gap.low if gap else np.nan,
        "difference_high": gap.high if gap else np.nan,
        "difference_seeds": len(gap.seeds) if gap else 0,
        "author_difference": author_difference(experiment, end) if beside_log else np.nan,
        "verdict": _row_verdict(experiment, judged, bool(runs), bool(under_way)),
        "apart": can_be_told(experiment),
        "degenerate": evidence.is_degenerate(experiment.name),
        "why": f"{judged.words} {judged.needs}".strip() if judged else "",
        "under_way": under_way,
    }


def _accuracies(runs: list[Facts]) -> dict[str, float]:
    """Fill the columns of the final 20-way accuracies, in %; all NaN without runs."""
    names = ("ours_train", "ours_val", "low", "high", "seed_low", "seed_high", "strict_val")
    if not runs:
        return dict.fromkeys(names, np.nan)
    train, val, strict = (
        [facts.accuracy(protocol, split) for facts in runs]
        for protocol, split in (("author", "train"), ("author", "val"), ("strict", "val"))
    )
    counts = [facts.scores["author", "val", 20] for facts in runs]
    interval = wilson(round(float(np.mean([correct for correct, _ in counts]))), counts[0][1])
    means = [float(np.mean(fractions)) for fractions in (train, val, strict)]
    found = (means[0], means[1], interval.low, interval.high, min(val), max(val), means[2])
    return {name: 100 * fraction for name, fraction in zip(names, found, strict=True)}


def _row_verdict(experiment: Experiment, judged: Judgement | None, has_run: bool, is_under_way: bool) -> str:
    """Name a row's verdict, or what takes its place."""
    if not has_run:
        return "under way" if is_under_way else "not run"
    if judged is None:
        return NOT_IN_TABLE.lower()
    return "reference" if (experiment.name, judged.verdict) == ("baseline", "not testable") else judged.verdict


def _under_way(experiment: Experiment, profile: Profile) -> UnderWay | None:
    """Describe the run under way of an experiment that has come the farthest."""
    found = [run for seed in profile.seeds if (run := find_so_far(experiment, profile, seed))]
    if not found:
        return None
    run = max(found, key=lambda run: run.metrics["iterations"])
    end, beside = profile.scaled(experiment.recipe.iterations), None
    if profile.is_paper_protocol:
        beside = standing(experiment, run.history)
    return UnderWay(run.run_id, run.metrics["iterations"], end, origin_of(run.history), beside)


def trained_on(runs: Iterable[Run | Facts]) -> str:
    """Name what the runs were trained on: "TensorFlow on CPU"; "" for no runs."""
    each = (run.machines if isinstance(run, Facts) else machines(run) for run in runs)
    return " and ".join(dict.fromkeys(chain.from_iterable(each)))


def compare_runs(
    experiment: str, reference: str = "baseline", profile: str | Path | Profile = "laptop", *, measure: Kind = "val"
) -> Estimate | None:
    """Estimate how far an experiment is from another, in points, with a 95 % interval; None without common seeds.

    measure  "val", "train" or "gap" (train − val): 1-shot 20-way, author's protocol

    The interval covers the choice of episodes and of seeds; see `estimates`. Raises ParamsError for unknown names.

    >>> round(compare_runs("dense-64", "baseline", "laptop").value)
    -8
    """
    return Board.of(profile).difference(experiment, reference, measure=measure)
