"""Is this the author's training? Every check of our runs at the full protocol beside the same check in his log.

Two runs of one recipe differ by their random numbers alone. How far is known from replicates: the author trained his
baseline twice, and where several seeds of a row have run here, they count too. A row is judged by three differences,
each averaged over the checks that both curves have after iteration 0:

loss         log(ours / author's), the batch's loss with its penalty
train, val   ours − author's, in points; 250 episodes each, so binomial noise at least

Neighbouring checks are not independent: networks that are ahead at one check are ahead at the next. So replicates are
compared by the same averages, over windows of up to ten checks (batch means: A. Law, Simulation Modeling and Analysis,
2015, Chapter 9), and a mean over more than ten is not taken to be any surer than one over ten, as two of the
author's runs may differ for good. Accuracies are scaled by their binomial noise, so that the spread of the baseline,
a multiple of that noise, can be carried to a network near chance (quasi-binomial: P. McCullagh and J. Nelder,
Generalized Linear Models, 1989, Section 4.5). Where a row's own differences scatter more from check to check than the
replicates' do (a loss that jumps), that scatter counts, widened for its neighbours as much as the replicates'.

From twenty checks on, each ten are judged, so that differences of both signs do not cancel: the statistic is the root
mean square of the windows' means, each in units of its standard error. It is referred to Student's t, as a single mean
would be; the mean of several squares has a thinner tail than one square, so this errs on the side of agreement. A row's
p values, three at most, are corrected for their number (Bonferroni). The first loss needs no statistics: see
`comparisons.FIRST_LOSS_LEFT`.

What this assumes: the spread between two baselines, relative to the noise, is the spread of the other rows; windows of
ten checks are as good as independent; one pair of replicates gives five degrees of freedom, and what it cannot show, a
processor's or a precision's share in the difference for instance, is not corrected for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from ..config import Experiment, load_experiment, load_matrix, load_profile
from ..models.plan import expected_penalty
from ..text import JOIN, device_words, how_many, listed, seed_words, signed
from ..training.provenance import ORIGIN_COLUMNS
from ..training.runs import find_so_far
from .author_logs import author_log
from .comparisons import FIRST_LOSS_LEFT, first_loss_fits, logged_first_loss
from .estimates import PAPER_EPISODES

MEASURES = ("loss", "train", "val")
# checks, of 100 iterations each; where the author's two baselines differ on train, they forget it within six
WINDOW = 10
# checks after iteration 0; three tell so little of how they scatter that hardly anything would differ
FEWEST = 4
# half of a 95 % interval that may still say "agrees": a factor of two, or points
WIDEST = {"loss": float(np.log(2)), "train": 20.0, "val": 20.0}
FIRST_LOSS = FIRST_LOSS_LEFT[1]  # how far two first losses of one network may lie apart
LEVEL = 0.05
LATEST = 5  # checks that say where a run stands
FEWEST_LATEST = 3
NOTHING = "Nothing has been run at the full protocol yet."


@dataclass(frozen=True)
class Mean:
    """A mean difference over common checks (a log ratio, or points) and its 95 % interval.

    p  of the whole curve: that one recipe makes two curves which lie so far apart
    """

    value: float
    low: float
    high: float
    p: float

    @property
    def half(self) -> float:
        return (self.high - self.low) / 2


@dataclass(frozen=True)
class Judgement:
    """What a run's checks say of its likeness to the author's.

    iteration  of our last check;  checks: how many both have after iteration 0
    first      our first loss − the logged one, None where none was logged
    loss, train, val   None where there is nothing to compare
    verdict    "agrees", "differs", "too short to say" or "not compared";  why: in a few words, where it takes any
    """

    experiment: Experiment
    seed: int
    iteration: int
    checks: int
    first: float | None
    loss: Mean | None
    train: Mean | None
    val: Mean | None
    verdict: str
    why: str = ""


class Origin(NamedTuple):
    """Where the checks of a history were made; where there are several devices, precisions or commits, all of them."""

    device: str
    convolutions: str
    commit: str


@dataclass(frozen=True)
class UnderWay:
    """Where a run stands beside the author's log: val accuracies in %, means of up to five checks, 95 % intervals.

    iteration      of our last check, to which the author's log is read as well
    author, difference and their intervals are NaN where no log can be compared
    words          "on the author's curve", "above", "below", "too early" or "not compared"
    origin         where the checks were made
    """

    experiment: str
    seed: int
    iteration: int
    checks: int
    ours: float
    ours_low: float
    ours_high: float
    author: float
    author_low: float
    author_high: float
    difference: float
    low: float
    high: float
    words: str
    origin: Origin


class Replicates(NamedTuple):
    """Runs of one recipe: how many, and the differences of each two of them."""

    runs: int
    apart: list[pd.DataFrame]

    @classmethod
    def of(cls, curves: Sequence[pd.DataFrame]) -> Replicates:
        """Of histories or logs, one a run."""
        return cls(len(curves), [differences(one, other) for one, other in combinations(curves, 2)])


class Curves(NamedTuple):
    """A row's curves at the full protocol: ours, a history a seed, and the author's log (no line: none to compare)."""

    label: str
    ours: list[pd.DataFrame]
    log: pd.DataFrame


def judge(
    experiment: Experiment, ours: pd.DataFrame, seed: int = 0, replicates: Sequence[Replicates] | None = None
) -> Judgement:
    """Judge a history of the full protocol (columns as in `author_log`) by the author's log of the row.

    replicates  groups of curves of one recipe each; default: `known_replicates` of the row
    """
    iteration = int(ours["iteration"].max())
    found: dict[str, Mean | None] = dict.fromkeys(MEASURES)
    if why := incomparable(experiment):
        return Judgement(experiment, seed, iteration, 0, None, **found, verdict="not compared", why=why)
    log = comparable_log(experiment)
    if broken := _broken_at(ours):
        return Judgement(experiment, seed, iteration, 0, None, **found, verdict="differs", why=broken)
    apart = differences(ours, log)
    at_start = pd.concat([curve[curve["iteration"] == 0]["batch_loss"] for curve in (ours, log)])
    first = float(at_start.iloc[0] - at_start.iloc[1]) if len(at_start) == 2 else np.nan
    logged = None if np.isnan(first) else first
    if len(apart):
        groups = known_replicates(experiment) if replicates is None else replicates
        found = {measure: mean_difference(apart, measure, groups) for measure in MEASURES}
    verdict, why = _verdict(len(apart), logged, {name: mean for name, mean in found.items() if mean})
    return Judgement(experiment, seed, iteration, len(apart), logged, **found, verdict=verdict, why=why)


def _broken_at(ours: pd.DataFrame) -> str:
    """Where our own curve stops being numbers, in words; "" where it never does."""
    figures = ours[["batch_loss", "train_accuracy", "val_accuracy"]].to_numpy(float)
    if np.isnan(figures[:, 0]).all():  # a curve without losses, as some of the author's are; ours always begin with one
        figures[:, 0] = 1.0
    broken = ~np.isfinite(figures).all(axis=1) | (figures[:, 0] <= 0)
    if not broken.any():
        return ""
    return f"no loss or accuracy of ours at iteration {int(ours['iteration'].to_numpy()[broken].min()):,}"


def judge_all(found: Iterable[tuple[Experiment, int, pd.DataFrame]]) -> list[Judgement]:
    """A judgement of every run of `histories`."""
    return [judge(experiment, history, seed) for experiment, seed, history in found]


def histories(
    experiments: Iterable[str | Experiment] = (), seeds: Iterable[int] = ()
) -> list[tuple[Experiment, int, pd.DataFrame]]:
    """The runs at the full protocol that have made a check: experiment, seed, history. None named: all of them."""
    paper = load_profile("paper")
    rows = [load_experiment(row) for row in experiments] or list(load_matrix().experiments)
    wanted = [(row, seed) for row in rows for seed in (list(seeds) or paper.seeds)]
    found = [(row, seed, find_so_far(row, paper, seed)) for row, seed in wanted]
    return [(row, seed, run.history) for row, seed, run in found if run]


def curves(found: Iterable[tuple[Experiment, int, pd.DataFrame]]) -> list[Curves]:
    """The curves of `histories`, one element a row, with the author's where it can be compared."""
    rows: dict[str, Curves] = {}
    for experiment, _, history in found:
        row = rows.setdefault(experiment.label, Curves(experiment.label, [], comparable_log(experiment)))
        row.ours.append(history)
    return list(rows.values())


def comparable_log(experiment: Experiment) -> pd.DataFrame:
    """The author's log of this network, as `author_log`; no line where there is none, or it is another network's."""
    run = experiment.author.run if experiment.author and not incomparable(experiment) else ""
    return author_log(run)


def incomparable(experiment: Experiment) -> str:
    """Why the author's log is no log of this network, computed from its first loss; "" where it may be."""
    if experiment.author is None or author_log(experiment.author.run).empty:
        return "no log was published"
    logged = logged_first_loss(experiment)
    expected = float(np.log(2)) + expected_penalty(experiment, load_profile("paper"))
    if logged is None or first_loss_fits(expected, logged):
        return ""
    return f"another network was run, first loss {expected:.2f} expected, {logged:.2f} logged"


def known_replicates(experiment: Experiment) -> list[Replicates]:
    """The author's two baselines, and the row's own runs at the full protocol where it has several seeds."""
    runs = [e.author.run for e in map(load_experiment, ("baseline", "baseline-10k")) if e.author]
    own = [history for _, _, history in histories([experiment])]
    return [Replicates.of([author_log(run) for run in runs]), Replicates.of(own)]


def differences(ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    """The checks that both have after iteration 0: iteration, log ratio of the losses, train and val in points.

    `<measure>_noise` is the unit of a difference's variance: 1 for the loss, binomial for accuracies (points²).
    """
    both = ours.merge(theirs, on="iteration", suffixes=("", "_theirs"))
    both = both[both["iteration"] > 0]
    found = {"iteration": both["iteration"], "loss": np.log(both["batch_loss"] / both["batch_loss_theirs"])}
    for split in ("train", "val"):
        one, other = both[f"{split}_accuracy"], both[f"{split}_accuracy_theirs"]
        p = ((one + other) * PAPER_EPISODES + 1) / (2 * PAPER_EPISODES + 2)  # never quite 0 or 1
        found |= {split: 100 * (one - other), f"{split}_noise": 1e4 * p * (1 - p) * 2 / PAPER_EPISODES}
    return pd.DataFrame(found).assign(loss_noise=1.0).reset_index(drop=True)


def spread(replicates: Sequence[Replicates], measure: str, length: int) -> tuple[float, int]:
    """How far means of so many consecutive checks lie apart in two runs of one recipe → (variance, its freedom).

    The variance is in units of noise / length, 1 at least for accuracies. A curve has one degree of freedom for every
    ten checks, a group one curve less.
    """
    total, freedom = 0.0, 0
    for group in replicates:
        squares, checks = [], 0
        for apart in group.apart:
            values, noise = _measured(apart, measure)
            checks = max(checks, len(values))
            whole = len(values) // length * length
            means, noises = (x[:whole].reshape(-1, length).mean(axis=1) for x in (values, noise))
            squares += list(means**2 * length / noises)
        if squares:
            own = (group.runs - 1) * max(1, checks // WINDOW)
            total, freedom = total + own * float(np.mean(squares)), freedom + own
    if not freedom:
        raise ValueError(f"no replicates have {length} checks in common")
    return max(total / freedom, 0.0 if measure == "loss" else 1.0), freedom


def mean_difference(apart: pd.DataFrame, measure: str, replicates: Sequence[Replicates]) -> Mean | None:
    """The mean of a measure's differences, as the module's text says; None without any (a loss not logged)."""
    values, noise = _measured(apart, measure)
    if not len(values):
        return None
    length = min(len(values), WINDOW)
    windows = np.array_split(np.arange(len(values)), max(1, len(values) // WINDOW))
    between, freedom = spread(replicates, measure, length)
    alike = max(1.0, between / spread(replicates, measure, 1)[0])  # neighbours repeat one another
    own_freedom = len(values) - len(windows)
    squares = sum(float(((values[w] - values[w].mean()) ** 2).sum()) for w in windows)
    scatter = alike * squares / max(own_freedom, 1)

    def error(picked: np.ndarray) -> tuple[float, int]:
        """The variance of a mean of these checks, the larger of two, and its degrees of freedom."""
        replicated, own = between * float(noise[picked].mean()) / length, scatter / len(picked)
        return (replicated, freedom) if replicated >= own else (own, own_freedom)

    variance, of = error(np.arange(len(values)))
    reach = float(stats.t.ppf(0.975, of)) * variance**0.5
    parts = [(values[w].mean() ** 2 / error(w)[0], error(w)[1]) for w in windows]
    apart_by = float(np.mean([square for square, _ in parts])) ** 0.5
    p = 2 * float(stats.t.sf(apart_by, min(df for _, df in parts)))
    value = float(values.mean())
    return Mean(value, value - reach, value + reach, p)


def _measured(apart: pd.DataFrame, measure: str) -> tuple[np.ndarray, np.ndarray]:
    """A measure's differences and their noise, a number a check, those that were not logged left out."""
    both = apart[[measure, f"{measure}_noise"]].to_numpy(float)
    both = both[~np.isnan(both[:, 0])]
    return both[:, 0], both[:, 1]


def _verdict(checks: int, first: float | None, found: dict[str, Mean]) -> tuple[str, str]:
    if first is not None and abs(first) > FIRST_LOSS:
        return "differs", f"first loss {signed(first, 2)}, by chance {FIRST_LOSS:g} at most"
    if checks < FEWEST:
        return "too short to say", f"{how_many(checks, 'check')}, {FEWEST} needed"
    if far := [name for name, mean in found.items() if mean.p * len(found) < LEVEL]:
        return "differs", f"by its {listed(far)}"
    if wide := [name for name, mean in found.items() if mean.half > WIDEST[name]]:
        return "too short to say", f"{listed(wide)} known too roughly"
    return "agrees", ""


# ---- where a run stands --------------------------------------------------------------------------


def under_way(experiment: str | Experiment, seed: int = 0) -> UnderWay | None:
    """Where a run at the full protocol stands beside the author's log; None where it has made no check."""
    experiment = load_experiment(experiment)
    found = histories([experiment], [seed])
    if not found:
        return None
    return stand(experiment, found[0][2], seed, known_replicates(experiment))


def stand(experiment: Experiment, ours: pd.DataFrame, seed: int, replicates: Sequence[Replicates]) -> UnderWay:
    """`under_way` of a history: the last five checks after iteration 0, and the same ones of the author's."""
    log = comparable_log(experiment)
    last = ours[ours["iteration"] > 0].tail(LATEST)
    his = log[log["iteration"].isin(last["iteration"])]
    between = spread(replicates, "val", max(len(last), 1))

    def mean(checks: pd.DataFrame) -> tuple[float, float, float]:
        """Of one curve, in %; its interval is quasi-binomial."""
        if checks.empty:
            return np.nan, np.nan, np.nan
        p = float(checks["val_accuracy"].mean())
        count = len(checks) * PAPER_EPISODES
        smooth = (p * count + 0.5) / (count + 1)
        reach = float(stats.t.ppf(0.975, between[1])) * (between[0] * smooth * (1 - smooth) / count) ** 0.5
        return 100 * p, max(0.0, 100 * (p - reach)), min(100.0, 100 * (p + reach))

    apart = mean_difference(differences(last, his), "val", replicates)
    if log.empty:
        words = "not compared"
    elif apart is None or len(his) < FEWEST_LATEST:
        words = "too early"
    else:
        words = "above" if apart.low > 0 else "below" if apart.high < 0 else "on the author’s curve"
    return UnderWay(
        experiment.label,
        seed,
        int(ours["iteration"].max()),
        len(last),
        *mean(last),
        *mean(his),
        *((apart.value, apart.low, apart.high) if apart else (np.nan, np.nan, np.nan)),
        words,
        origin_of(ours),
    )


def origin_of(history: pd.DataFrame) -> Origin:
    """Where a history's checks were made, in words."""
    lines = history.reindex(columns=list(ORIGIN_COLUMNS)).astype("string").fillna("").to_dict("records")
    devices = [
        device_words({"backend": line["backend"], "device": line["device"]})
        + (f" ({line['processor']})" if line["device"] == "CPU" and line["processor"] else "")
        for line in lines
    ]
    convolutions, commits = ([line[name] or "unknown" for line in lines] for name in ("convolutions", "commit"))
    return Origin(*(listed(dict.fromkeys(words)) for words in (devices, convolutions, commits)))


# ---- in words ------------------------------------------------------------------------------------


def judgement_table(judgements: Iterable[Judgement]) -> pd.DataFrame:
    """Judgements as text, a line a run: how far it has come, the differences with their intervals, the verdict."""

    def written(mean: Mean | None, checks: int, form: Callable[[float], str]) -> str:
        if mean is None:
            return "–"
        known = checks >= FEWEST  # fewer do not say how they scatter
        return form(mean.value) + (f" ({form(mean.low)} to{JOIN} {form(mean.high)})" if known else "")

    return pd.DataFrame(
        [
            {
                "row": j.experiment.label,
                "seed": j.seed,
                "iteration": f"{j.iteration:,}",
                "checks": j.checks,
                "first loss": "–" if j.first is None else signed(j.first, 2),
                "loss, ours : author’s": written(j.loss, j.checks, lambda x: f"{np.exp(x):.2f}"),
                "train, points": written(j.train, j.checks, signed),
                "val, points": written(j.val, j.checks, signed),
                "verdict": j.verdict + (f": {j.why}" if j.why else ""),
            }
            for j in judgements
        ]
    )


def summary(judgements: Sequence[Judgement]) -> str:
    """How many runs agree with the author's log, in sentences."""
    if not judgements:
        return NOTHING
    labels = {
        verdict: [j.experiment.label for j in judgements if j.verdict == verdict]
        for verdict in ("agrees", "differs", "too short to say", "not compared")
    }
    agree, differ = (
        f"{len(rows)} {words}{f' ({listed(rows)})' if rows else ''}"
        for rows, words in ((labels["agrees"], "in agreement"), (labels["differs"], "different"))
    )
    said = (
        f"Runs beside the author’s log: {agree}, {differ}, {len(labels['too short to say'])} too short to say, "
        f"{len(labels['not compared'])} without a log of this network."
    )
    firsts = [abs(j.first) for j in judgements if j.first is not None]
    if firsts:
        said += (
            f" The first losses that can be compared, {len(firsts)}, lie {max(firsts):.2f} from the logged ones at "
            f"most, {float(np.median(firsts)):.2f} in the middle."
        )
    return said


def source_words(found: Sequence[tuple[Experiment, int, pd.DataFrame]]) -> str:
    """Where runs come from (see `histories`), in a sentence: "Full protocol, Omniglot, 105×105 pixels, seed 0, …"."""
    if not found:
        return NOTHING
    every = origin_of(pd.concat([history for _, _, history in found], ignore_index=True))
    return (
        f"Full protocol, Omniglot, 105×105 pixels, {seed_words(sorted({seed for _, seed, _ in found}))}, "
        f"{every.device}, convolutions in {every.convolutions}, commit {every.commit}."
    )
