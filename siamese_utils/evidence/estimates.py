"""What the runs say: a contrast of accuracies with its interval and its tests. All figures are in % and points.

A contrast is a weighted sum over experiments, such as val(Dense 128) − val(baseline). Two things make it uncertain:

episodes   every network answers the same episodes, so an episode's contrast, averaged over the seeds, is one
           observation; its variance over the episodes, divided by their number, is the first part.
seeds      another seed gives another network. The spread of a contrast over a few seeds is itself hardly known, so it
           is pooled: variance between seeds = dispersion · p(1 − p), one dispersion for all experiments of the profile
           (quasi-binomial; P. McCullagh and J. Nelder, Generalized Linear Models, 1989, Section 4.5). Where a
           contrast's own spread is larger, that one counts. A contrast of one seed has the pooled spread alone, and
           no interval where that says too little of a network: it did not train at all, and another seed might, or
           another seed that is under way lies further away than the pooled spread and the noise of its checks explain.

The interval is Student's t on the sum of both, with the pooled estimate's degrees of freedom. Between two networks
there is McNemar's exact test for every seed besides; the weaker evidence counts.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from ..config import PaperFigures, Profile, load_experiment, load_matrix
from ..text import signed
from ..training.runs import find_run, find_so_far
from .facts import LATEST, TRAIN, VAL, Facts, Measure
from .significance import half_width, mcnemar_one_sided

# behind every figure of Table 1 (the author's settings)
PAPER_EPISODES = 250
# % of 20-way episodes that guessing answers correctly
CHANCE = 5.0
# % of them: a network below it has not learned
LEARNED = 10.0
Z = float(special.ndtri(0.975))


def resolution(*percent: float) -> float:
    """Compute how far chance moves one accuracy of the paper, or the difference of two: 95 % half-width, in points."""
    variance: float = sum((p / 100) * (1 - p / 100) / PAPER_EPISODES for p in percent)
    return float(Z * 100 * variance**0.5)


def paper_of(name: str) -> PaperFigures:
    """Look up the paper's figures for a row of Table 1, which the baseline always is."""
    paper = load_experiment(name).paper
    assert paper, "a row of Table 1"
    return paper


@dataclass(frozen=True)
class Term:
    """A weight times a measure of an experiment."""

    weight: float
    experiment: str
    measure: Measure = VAL


@dataclass(frozen=True)
class Estimate:
    """A contrast's value in points, with its uncertainty and where it comes from.

    low, high    95 % t interval; NaN where nothing tells how far another seed would move the value
    se_episodes  standard error from the episodes;  se_seeds: from the seeds, both in points
    dof          degrees of freedom of the pooled spread between seeds
    terms        the contrast itself
    mcnemar      p that the first network is not above the second, and not below: the largest over the seeds of
                 McNemar's exact one-sided p; None unless two networks are compared
    """

    value: float
    low: float
    high: float
    se_episodes: float
    se_seeds: float
    dof: int
    seeds: tuple[int, ...]
    episodes: int
    run_ids: tuple[str, ...]
    terms: tuple[Term, ...]
    mcnemar: tuple[float, float] | None = None

    @property
    def in_words(self) -> str:
        """ "+7.9 points (95 % interval +3.9 to +12.0)", and that there is only one seed, if so."""
        interval = [f"95 % interval {signed(self.low)} to {signed(self.high)}"] if self.has_interval else []
        return f"{signed(self.value)} points ({', '.join(interval + ['one seed'] * (len(self.seeds) == 1))})"

    @property
    def has_interval(self) -> bool:
        """Whether the spread between seeds is known, its own or that of other experiments."""
        return not np.isnan(self.low)

    @property
    def error(self) -> float:
        """The standard error, in points; never quite zero, so that no division fails."""
        return max(float(np.hypot(self.se_episodes, self.se_seeds)), 1e-9)

    def p_above(self, threshold: float) -> float:
        """Compute the one-sided p against "the contrast is not above the threshold"; 1 without an interval."""
        return self._p(self.value - threshold, 0, threshold)

    def p_below(self, threshold: float) -> float:
        """Compute the one-sided p against "the contrast is not below the threshold"; 1 without an interval."""
        return self._p(threshold - self.value, 1, threshold)

    def _p(self, distance: float, side: int, threshold: float) -> float:
        if not self.has_interval:
            return 1.0
        p = float(special.stdtr(self.dof, -distance / self.error))
        return max(p, self.mcnemar[side]) if self.mcnemar and threshold == 0 else p


class Evidence:
    """The runs of one profile, and the contrasts that can be made of them; each is worked out once."""

    def __init__(
        self,
        profile: Profile,
        facts: Mapping[str, Mapping[int, Facts]],
        under_way: Mapping[str, Sequence[pd.DataFrame]] | None = None,
    ):
        """Take facts: experiment → seed → what its run left; under_way: experiment → histories of its other seeds."""
        self.profile, self.facts, self.under_way = profile, facts, under_way or {}
        self._estimates: dict[tuple[Term, ...], Estimate | None] = {}
        self._dispersions: dict[Measure, tuple[float, int]] = {}
        self._percents: dict[tuple[str, Measure], dict[int, float]] = {}

    @classmethod
    def on_disk(cls, profile: Profile) -> "Evidence":
        """Read the finished runs of the profile's seeds; ResultsError where a file of one cannot be read."""
        rows = load_matrix().experiments
        found = {e.name: {s: Facts.of(run) for s in profile.seeds if (run := find_run(e, profile, s))} for e in rows}
        under_way = {
            e.name: [run.history for s in profile.seeds if s not in runs and (run := find_so_far(e, profile, s))]
            for e in rows
            if (runs := found[e.name])
        }
        return cls(profile, found, under_way)

    def seeds_of(self, experiments: Iterable[str]) -> tuple[int, ...]:
        """List the seeds under which every one of the experiments has run."""
        found = [set(self.facts.get(name, {})) for name in experiments]
        return tuple(sorted(set.intersection(*found))) if found else ()

    @property
    def most_seeds(self) -> int:
        """The largest number of seeds that any experiment has run under."""
        return max((len(runs) for runs in self.facts.values()), default=0)

    def is_degenerate(self, experiment: str) -> bool:
        """Check whether an experiment has runs, and none of them tells any two images from any other two.

        A run under way that stands clearly above guessing is one that does.
        """
        runs = self.facts.get(experiment, {})
        latest = [100 * history["val_accuracy"].tail(LATEST).mean() for history in self.under_way.get(experiment, ())]
        return bool(runs) and all(facts.degenerate for facts in runs.values()) and max(latest, default=0) < LEARNED

    def spread_at(self, percent: float) -> float:
        """Compute the standard deviation between seeds that the pooled dispersion gives a val accuracy, in points."""
        return float(100 * (self._dispersion(VAL)[0] * (percent / 100) * (1 - percent / 100)) ** 0.5)

    def estimate(self, terms: Sequence[Term]) -> Estimate | None:
        """Estimate a contrast over the seeds that all its experiments share; None where there are none."""
        key = tuple(terms)
        if key not in self._estimates:
            self._estimates[key] = self._estimate(key)
        return self._estimates[key]

    def _estimate(self, terms: tuple[Term, ...]) -> Estimate | None:
        names = list(dict.fromkeys(term.experiment for term in terms))
        seeds = self.seeds_of(names)
        if not seeds:
            return None
        by_seed = np.sum([t.weight * self._percent(t.experiment, t.measure, seeds) for t in terms], axis=0)
        se_episodes, episodes = self._episode_error(terms, seeds)
        se_seeds, dof = self._seed_error(terms, seeds, by_seed)
        value, error = float(by_seed.mean()), float(np.hypot(se_episodes, se_seeds))
        known = len(seeds) > 1 or (dof > 0 and not any(self._is_unsteady(name, seeds[0]) for name in names))
        half = half_width(error, max(dof, 1)) if known else np.nan
        return Estimate(
            value=value,
            low=value - half,
            high=value + half,
            se_episodes=se_episodes,
            se_seeds=se_seeds,
            dof=max(dof, 1),
            seeds=seeds,
            episodes=episodes,
            run_ids=tuple(self.facts[name][seed].run_id for name in names for seed in seeds),
            terms=terms,
            mcnemar=self._mcnemar(terms, seeds),
        )

    def _episode_error(self, terms: Sequence[Term], seeds: tuple[int, ...]) -> tuple[float, int]:
        """Estimate the standard error from the choice of episodes, in points → (error, fewest episodes of a part)."""
        variance, counts = 0.0, []
        # answers to shared episodes are compared episode by episode
        for split in ("train", "val"):
            parts = [(t.weight * t.measure.splits[split], t.experiment) for t in terms if split in t.measure.splits]
            if parts:
                # of the seeds, the share that answers an episode correctly
                shares = [w * np.mean([self.facts[e][s].answers[split] for s in seeds], axis=0) for w, e in parts]
                by_episode = np.sum(shares, axis=0)
                variance += float(by_episode.var(ddof=1)) / len(by_episode)
                counts.append(len(by_episode))
        # checks, and other n-way episodes: independent draws as far as anyone kept
        for term in terms:
            if not term.measure.splits:
                facts = self.facts[term.experiment][seeds[0]]
                if n_way := term.measure.n_way:
                    n = facts.scores["author", "val", n_way][1]
                else:
                    n = len(facts.early) * self.profile.check_episodes
                p = float(np.mean(self._percent(term.experiment, term.measure, seeds))) / 100
                variance += term.weight**2 * p * (1 - p) / n
                counts.append(n)
        return 100 * variance**0.5, min(counts)

    def _seed_error(self, terms: Sequence[Term], seeds: tuple[int, ...], by_seed: np.ndarray) -> tuple[float, int]:
        """Estimate the standard error from the choice of seeds, in points: pooled, or the contrast's own where larger.

        Measures of one network rise and fall together: what it has in common cancels in their difference.
        """
        spread, dof = dict.fromkeys((term.experiment for term in terms), 0.0), 0
        for term in terms:
            # every number of classes has the dispersion of 20
            dispersion, dof = self._dispersion(Measure(term.measure.kind))
            scale = dispersion * self._binomial(term.experiment, term.measure, seeds)
            spread[term.experiment] += term.weight * scale**0.5
        pooled = sum(deviation**2 for deviation in spread.values())
        own = float(by_seed.var(ddof=1)) if len(seeds) > 1 else 0.0
        return float((max(pooled, own) / len(seeds)) ** 0.5), dof

    def _is_unsteady(self, experiment: str, seed: int) -> bool:
        """Say whether another seed might do otherwise than the pooled spread says, by what is known of a network."""
        ours, (dispersion, dof) = self.facts[experiment][seed].history, self._dispersion(VAL)
        for other in self.under_way.get(experiment, ()):
            both = ours.merge(other, on="iteration", suffixes=("", "_other"))
            checks = both[both["iteration"] > 0].tail(LATEST)
            one, another = checks["val_accuracy"].mean(), checks["val_accuracy_other"].mean()
            p = (one + another) / 2
            episodes = len(checks) * self.profile.check_episodes
            variance = 2 * p * (1 - p) * (dispersion + 1 / max(episodes, 1))
            if abs(one - another) > float(special.stdtrit(dof, 0.975)) * variance**0.5:
                return True
        return self.facts[experiment][seed].degenerate

    def _dispersion(self, measure: Measure) -> tuple[float, int]:
        """Estimate how much wider than p(1 − p) the spread of seeds is, pooled over experiments → (factor, dof)."""
        if measure not in self._dispersions:
            squares, dof = 0.0, 0
            for name, runs in self.facts.items():
                scale = self._binomial(name, measure, tuple(runs)) if len(runs) > 1 else 0.0
                if scale > 0:
                    values = self._percent(name, measure, tuple(runs))
                    squares += float(np.var(values, ddof=1)) * (len(values) - 1) / scale
                    dof += len(values) - 1
            self._dispersions[measure] = (squares / max(dof, 1), dof)
        return self._dispersions[measure]

    def _mcnemar(self, terms: Sequence[Term], seeds: tuple[int, ...]) -> tuple[float, float] | None:
        """Test two networks by McNemar's test under each seed, and take the largest p; None for other contrasts."""
        if sorted(t.weight for t in terms) != [-1, 1] or {t.measure for t in terms} not in ({VAL}, {TRAIN}):
            return None
        (first, second), split = sorted(terms, key=lambda t: -t.weight), terms[0].measure.kind
        ours, theirs = (self.facts[term.experiment] for term in (first, second))
        pairs = [(ours[seed].answers[split], theirs[seed].answers[split]) for seed in seeds]
        only_first = np.array([np.count_nonzero(a > b) for a, b in pairs])
        only_second = np.array([np.count_nonzero(a < b) for a, b in pairs])
        above, below = mcnemar_one_sided(only_first, only_second)
        return float(above.max()), float(below.max())

    def _percent(self, experiment: str, measure: Measure, seeds: tuple[int, ...]) -> np.ndarray:
        """Take a measure under each of the seeds, in % (a gap in points) → (seeds,)."""
        key = experiment, measure
        if key not in self._percents:
            self._percents[key] = {seed: facts.percent(measure) for seed, facts in self.facts[experiment].items()}
        return np.array([self._percents[key][seed] for seed in seeds])

    def _binomial(self, experiment: str, measure: Measure, seeds: tuple[int, ...]) -> float:
        """Compute 10⁴ · p(1 − p) of a measure's mean over the seeds, the scale of its spread; a gap adds both parts."""
        means = [float(np.mean(self._percent(experiment, part, seeds))) / 100 for part in measure.parts]
        return 1e4 * sum(p * (1 - p) for p in means)
