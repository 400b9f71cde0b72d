"""What the runs say: a contrast of accuracies with its interval and its tests. All figures are in % and points.

A contrast is a weighted sum over experiments, such as val(Dense 128) − val(baseline). Two things make it uncertain:

episodes   every network answers the same episodes, so an episode's contrast, averaged over the seeds, is one
           observation; its variance over the episodes, divided by their number, is the first part.
seeds      another seed gives another network. The spread of a contrast over a few seeds is itself hardly known, so it
           is pooled: variance between seeds = dispersion · p(1 − p), one dispersion for all experiments of the profile
           (quasi-binomial; P. McCullagh and J. Nelder, Generalized Linear Models, 1989, Section 4.5). Where a
           contrast's own spread is larger, that one counts.

The interval is Student's t on the sum of both, with the pooled estimate's degrees of freedom. Between two networks
there is McNemar's exact test for every seed besides (Q. McNemar, Psychometrika 12, 1947); the weaker evidence counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

from ..config import Profile, load_experiment, load_matrix
from ..training.runs import Run, find_run

PAPER_EPISODES = 250  # behind every figure of Table 1 (the author's settings)
Z = float(stats.norm.ppf(0.975))


def resolution(*percent: float) -> float:
    """How far chance alone moves one accuracy of the paper, or the difference of two: 95 % half-width, in points."""
    return Z * 100 * sum((p / 100) * (1 - p / 100) / PAPER_EPISODES for p in percent) ** 0.5


@dataclass(frozen=True)
class Facts:
    """What a run left that verdicts are made from.

    answers   "train", "val" → (episodes,) bool: the final 20-way episodes under the author's protocol
    ways      k → (correct, episodes) on val
    history   the training's checks, columns as in training.HISTORY_COLUMNS
    """

    run_id: str
    answers: Mapping[str, np.ndarray]
    ways: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    history: pd.DataFrame = field(default_factory=pd.DataFrame)
    fingerprint: str = ""
    silent: bool = False  # not one right answer under the strict protocol: every similarity ties

    @classmethod
    def of(cls, run: Run) -> Facts:
        """The facts of a finished run, read from its folder."""
        packed = run.answers()
        on_val = [s for s in run.metrics["scores"] if s["split"] == "val"]
        scores = [s for s in on_val if s["protocol"] == "author"]
        strict = [s["correct"] for s in on_val if s["protocol"] == "strict" and s["ways"] > 1]
        return cls(
            run_id=run.run_id,
            answers={split: packed[f"author/{split}"] for split in ("train", "val")},
            ways={s["ways"]: (s["correct"], s["episodes"]) for s in scores},
            history=run.history,
            fingerprint=run.metrics["dataset"].get("fingerprint", ""),
            silent=not any(strict),
        )


@dataclass(frozen=True)
class Term:
    """A weight times a measure of an experiment: "val", "train", "gap", "early", or "val@5" for 5 ways."""

    weight: float
    experiment: str
    measure: str = "val"


@dataclass(frozen=True)
class Estimate:
    """A contrast's value in points, with its uncertainty and where it comes from.

    low, high     95 % t interval; NaN with one seed, whose network nobody can tell from another's
    by_episodes   standard error from the episodes;  by_seeds: from the seeds, both in points
    freedom       degrees of freedom of the pooled spread between seeds
    terms         the contrast itself
    mcnemar       p that the first network is not above the second, and not below: the largest over the seeds of
                  McNemar's exact one-sided p; None unless two networks are compared
    """

    value: float
    low: float
    high: float
    by_episodes: float
    by_seeds: float
    freedom: int
    seeds: tuple[int, ...]
    episodes: int
    run_ids: tuple[str, ...]
    terms: tuple[Term, ...]
    mcnemar: tuple[float, float] | None = None

    @property
    def error(self) -> float:
        """The standard error, in points; never quite zero, so that no division fails."""
        return max(float(np.hypot(self.by_episodes, self.by_seeds)), 1e-9)

    def p_above(self, threshold: float) -> float:
        """One-sided p against "the contrast is not above the threshold"; 1 where there is a single seed."""
        if len(self.seeds) < 2:
            return 1.0
        p = float(stats.t.sf((self.value - threshold) / self.error, self.freedom))
        return max(p, self.mcnemar[0]) if self.mcnemar and threshold == 0 else p

    def p_below(self, threshold: float) -> float:
        """One-sided p against "the contrast is not below the threshold"; 1 where there is a single seed."""
        if len(self.seeds) < 2:
            return 1.0
        p = float(stats.t.cdf((self.value - threshold) / self.error, self.freedom))
        return max(p, self.mcnemar[1]) if self.mcnemar and threshold == 0 else p


class Evidence:
    """The runs of one profile, and the contrasts that can be made of them."""

    def __init__(self, profile: Profile, facts: Mapping[str, Mapping[int, Facts]]):
        """facts: experiment → seed → what its run left."""
        self.profile, self.facts = profile, facts
        self._dispersions: dict[str, tuple[float, int]] = {}

    @classmethod
    def on_disk(cls, profile: Profile) -> Evidence:
        """The finished runs of the profile's seeds."""
        found = {
            e.name: {s: Facts.of(run) for s in profile.seeds if (run := find_run(e, profile, s))}
            for e in load_matrix().experiments
        }
        return cls(profile, found)

    def seeds_of(self, experiments: Iterable[str]) -> tuple[int, ...]:
        """The seeds under which every one of the experiments has run."""
        found = [set(self.facts.get(name, {})) for name in experiments]
        return tuple(sorted(set.intersection(*found))) if found else ()

    def missing(self, experiments: Iterable[str]) -> list[str]:
        """The experiments that have no run at all, by their labels."""
        return [load_experiment(name).label for name in experiments if not self.facts.get(name)]

    def estimate(self, terms: Sequence[Term]) -> Estimate | None:
        """A contrast's estimate over the seeds that all its experiments share; None where there are none."""
        names = list(dict.fromkeys(term.experiment for term in terms))
        seeds = self.seeds_of(names)
        if not seeds:
            return None
        by_seed = np.array([sum(t.weight * self._percent(t.experiment, s, t.measure) for t in terms) for s in seeds])
        by_episodes, episodes = self._episode_error(terms, seeds)
        by_seeds, freedom = self._seed_error(terms, seeds, by_seed)
        value, error = float(by_seed.mean()), float(np.hypot(by_episodes, by_seeds))
        reach = float(stats.t.ppf(0.975, freedom)) * error if len(seeds) > 1 else np.nan
        return Estimate(
            value,
            value - reach,
            value + reach,
            by_episodes,
            by_seeds,
            freedom,
            seeds,
            episodes,
            tuple(self.facts[name][seed].run_id for name in names for seed in seeds),
            tuple(terms),
            self._mcnemar(terms, seeds),
        )

    def is_silent(self, experiment: str) -> bool:
        """Whether an experiment has runs, and none of them tells any two images from any other two."""
        runs = self.facts.get(experiment, {})
        return bool(runs) and all(facts.silent for facts in runs.values())

    def spread_at(self, percent: float) -> float:
        """The standard deviation between seeds that the pooled dispersion gives a val accuracy, in points."""
        return 100 * (self._dispersion("val")[0] * (percent / 100) * (1 - percent / 100)) ** 0.5

    # ---- measures of one run ---------------------------------------------------------------------

    def _percent(self, experiment: str, seed: int, measure: str) -> float:
        """A measure of one run, in % (a gap in points)."""
        facts = self.facts[experiment][seed]
        if measure == "gap":
            return self._percent(experiment, seed, "train") - self._percent(experiment, seed, "val")
        if measure == "early":
            return 100 * float(_first_half(facts.history)["val_accuracy"].mean())
        if measure.startswith("val@"):
            correct, episodes = facts.ways[int(measure[4:])]
            return 100 * correct / episodes
        return 100 * float(facts.answers[measure].mean())

    def _episode_error(self, terms: Sequence[Term], seeds: Sequence[int]) -> tuple[float, int]:
        """The standard error from the choice of episodes, in points, and how many episodes the smallest part has."""
        variance, counts = 0.0, []
        for split in ("train", "val"):  # answers to shared episodes are compared episode by episode
            weights = {
                t.experiment: t.weight * (-1 if t.measure == "gap" and split == "val" else 1)
                for t in terms
                if t.measure in (split, "gap")
            }
            if not weights:
                continue
            answers = [
                weight * np.mean([self.facts[name][s].answers[split] for s in seeds], axis=0)
                for name, weight in weights.items()
            ]
            by_episode = np.sum(answers, axis=0)
            variance += float(by_episode.var(ddof=1)) / len(by_episode)
            counts.append(len(by_episode))
        for term in terms:  # checks, and other ways: independent draws as far as anyone kept
            if term.measure == "early":
                history = self.facts[term.experiment][seeds[0]].history
                episodes = len(_first_half(history)) * self.profile.check_episodes
            elif term.measure.startswith("val@"):
                episodes = self.facts[term.experiment][seeds[0]].ways[int(term.measure[4:])][1]
            else:
                continue
            p = float(np.mean([self._percent(term.experiment, s, term.measure) for s in seeds])) / 100
            variance += term.weight**2 * p * (1 - p) / episodes
            counts.append(episodes)
        return 100 * variance**0.5, min(counts)

    def _seed_error(self, terms: Sequence[Term], seeds: Sequence[int], by_seed: np.ndarray) -> tuple[float, int]:
        """The standard error from the choice of seeds, in points: pooled, or the contrast's own where larger."""
        pooled, freedom = 0.0, 1
        for term in terms:
            dispersion, freedom = self._dispersion(term.measure)
            pooled += term.weight**2 * dispersion * self._binomial(term.experiment, seeds, term.measure)
        own = float(by_seed.var(ddof=1)) if len(seeds) > 1 else 0.0
        return (max(pooled, own) / len(seeds)) ** 0.5, freedom

    def _binomial(self, experiment: str, seeds: Iterable[int], measure: str) -> float:
        """10⁴ · p(1 − p) of a measure's mean over the seeds: the scale of its spread; for a gap, of both its parts."""
        parts = ("train", "val") if measure == "gap" else (measure,)
        means = [np.mean([self._percent(experiment, s, part) for s in seeds]) / 100 for part in parts]
        return 1e4 * float(sum(p * (1 - p) for p in means))

    def _dispersion(self, measure: str) -> tuple[float, int]:
        """How much wider than p(1 − p) the spread between seeds is, pooled over experiments; degrees of freedom.

        Every number of ways has the dispersion of 20.
        """
        measure = "val" if measure.startswith("val@") else measure
        if measure not in self._dispersions:
            squares, freedom = 0.0, 0
            for name, runs in self.facts.items():
                values = [self._percent(name, seed, measure) for seed in runs] if len(runs) > 1 else []
                scale = self._binomial(name, runs, measure) if values else 0.0
                if scale > 0:
                    squares += float(np.var(values, ddof=1)) * (len(values) - 1) / scale
                    freedom += len(values) - 1
            self._dispersions[measure] = (squares / max(freedom, 1), max(freedom, 1))
        return self._dispersions[measure]

    def _mcnemar(self, terms: Sequence[Term], seeds: Sequence[int]) -> tuple[float, float] | None:
        if sorted(t.weight for t in terms) != [-1, 1] or {t.measure for t in terms} not in (
            {"val"},
            {"train"},
        ):
            return None
        first, second = sorted(terms, key=lambda t: -t.weight)
        both = [
            mcnemar_one_sided(
                self.facts[first.experiment][seed].answers[first.measure],
                self.facts[second.experiment][seed].answers[second.measure],
            )
            for seed in seeds
        ]
        return max(above for above, _ in both), max(below for _, below in both)

    @property
    def most_seeds(self) -> int:
        """The largest number of seeds that any experiment has run under."""
        return max((len(runs) for runs in self.facts.values()), default=0)


def mcnemar_one_sided(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """McNemar's exact test on (episodes,) bool answers of two networks to the same episodes.

    Returns the p against "the first is not better" and against "the first is not worse".
    """
    from statsmodels.stats.contingency_tables import mcnemar

    only_first, only_second = int((first & ~second).sum()), int((~first & second).sum())
    table = [[int((first & second).sum()), only_first], [only_second, int((~first & ~second).sum())]]
    half = float(mcnemar(table, exact=True).pvalue) / 2
    if only_first == only_second:
        return 0.5, 0.5
    return (half, 1 - half) if only_first > only_second else (1 - half, half)


def _first_half(history: pd.DataFrame) -> pd.DataFrame:
    """The checks after the start and up to the middle of the training."""
    iteration = history["iteration"]
    return history[(iteration > 0) & (iteration <= iteration.max() / 2)]
