"""From a claim to a comparison: a statistical test on the runs, or a fact that needs none.

A claim of similarity is tested by two one-sided tests against a margin (D. Schuirmann, Journal of Pharmacokinetics and
Biopharmaceutics 15, 1987); the margin is what the paper's own 250 episodes could tell apart. A claim of several parts
holds where all of them hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from scipy import stats

from ..config import Experiment, Recipe, load_experiment, load_matrix, load_profile
from ..models.plan import count_parameters, expected_penalty
from .claims import Absolute, Against, Claim, Counts, FirstLoss, Ordered, Parameters, Training, Untestable
from .estimates import Estimate, Evidence, Term, resolution

CHANCE = 5.0  # % of 20-way episodes
# What may be left of a first loss after log 2 and the penalty. Before it has learned anything, a network's answers p do
# not depend on the label: on balanced pairs its cross-entropy is −½ E[log p(1 − p)], which is log 2 at least; only the
# luck of 128 pairs takes it a little lower. How far above it lies depends on the network: by up to 0.07 in the logs.
FIRST_LOSS_LEFT = (-0.03, 0.15)
FEWEST_CHECKS = 20  # in half a training, to speak of how much they scatter


@dataclass(frozen=True)
class Test:
    """One comparison: how strongly the runs confirm it and refute it, as one-sided p values."""

    p_confirm: float
    p_refute: float
    estimates: tuple[Estimate, ...] = ()
    distance: float = np.nan  # in points, from the estimate to what would change the answer; for the power
    parts: int = 1  # of how many comparisons this is the outcome, all of which would have to hold

    @property
    def p(self) -> float:
        """Two-sided: twice the smaller."""
        return min(1.0, 2 * min(self.p_confirm, self.p_refute))


@dataclass(frozen=True)
class Fact:
    """A comparison that needs no statistics: counted, or computed from what was logged."""

    holds: bool | None
    words: str
    run_ids: tuple[str, ...] = ()


def compare(claim: Claim, evidence: Evidence) -> Test | Fact | str | None:
    """The claim's comparison as a test or a fact; a string says why there can be none, None that a run is missing."""
    check = claim.check
    if isinstance(check, Untestable):
        return check.because
    if isinstance(check, FirstLoss):
        return _first_loss(check)
    if isinstance(check, Parameters):
        return _parameters(check)
    if isinstance(check, Counts):
        return _dataset(check, evidence)
    if not evidence.seeds_of(check.experiments):
        return None
    if isinstance(check, Training):
        return _rising(check, evidence) if check.kind == "rising" else _unsteady(check, evidence)
    if isinstance(check, Ordered):
        return _ordered(check, evidence)
    if isinstance(check, Absolute):
        return _absolute(check, evidence)
    assert isinstance(check, Against)
    return _against(check, evidence)


def _against(check: Against, evidence: Evidence) -> Test | str | None:
    if check.measure == "early" and (why := _too_few_checks(check.experiments, evidence, 1)):
        return why
    tests = []
    for one in check.of:
        for other in check.than:
            terms = (Term(1, one, check.measure), Term(-1, other, check.measure))
            if check.kind == "similar":
                tests.append(_within(evidence, terms, 0, margin(one, other)))
            else:
                tests.append(_beyond(evidence, terms, 0, above=check.kind == "above"))
    return _all_of(tests)


def _absolute(check: Absolute, evidence: Evidence) -> Test | str | None:
    if check.kind in ("level", "at_most") and not evidence.profile.is_paper_protocol:
        return "a figure of the full protocol, which this profile scales down"
    (name,) = check.of
    terms = (Term(1, name, "gap" if check.kind == "no_gap" else check.measure),)
    if check.kind == "at_most":
        return _beyond(evidence, terms, check.at or 0, above=False)
    if check.kind == "above_chance":
        return _beyond(evidence, terms, CHANCE + resolution(CHANCE), above=True)
    if check.kind == "chance":
        return _within(evidence, terms, CHANCE, resolution(CHANCE))
    if check.kind == "no_gap":
        return _within(evidence, terms, 0, margin(name, name))
    return _within(evidence, terms, check.at or 0, resolution(check.at or 0))


def _ordered(check: Ordered, evidence: Evidence) -> Test | str | None:
    if lacking := [k for k in check.ways if k not in evidence.profile.ways]:
        return f"the profile does not evaluate {', '.join(map(str, lacking))} ways"
    by_ways = [Term(1, check.of[0], f"val@{k}") for k in check.ways]
    steps = by_ways or [Term(1, name) for name in check.of]
    tests = [_beyond(evidence, (one, replace(other, weight=-1)), 0, above=True) for one, other in pairwise(steps)]
    return _all_of(tests)


def _beyond(evidence: Evidence, terms: Sequence[Term], threshold: float, *, above: bool) -> Test | None:
    """The contrast is above (below) the threshold."""
    estimate = evidence.estimate(terms)
    if estimate is None:
        return None
    p = estimate.p_above(threshold), estimate.p_below(threshold)
    distance = abs(estimate.value - threshold)
    return Test(*(p if above else p[::-1]), (estimate,), distance)


def _within(evidence: Evidence, terms: Sequence[Term], centre: float, reach: float) -> Test | None:
    """The contrast is nearer to the centre than the margin: two one-sided tests."""
    estimate = evidence.estimate(terms)
    if estimate is None:
        return None
    estimate = replace(estimate, mcnemar=None)  # asks for zero, not for the margins
    low, high = centre - reach, centre + reach
    confirm = max(estimate.p_above(low), estimate.p_below(high))
    refute = min(estimate.p_below(low), estimate.p_above(high))  # no truth lies beyond both
    return Test(confirm, refute, (estimate,), abs(abs(estimate.value - centre) - reach))


def _all_of(tests: Sequence[Test | None]) -> Test | None:
    """All the comparisons hold: the weakest confirms, and the strongest refutes, corrected for their number."""
    known = [test for test in tests if test]
    if len(known) < len(tests):
        return None
    weakest = max(known, key=lambda test: test.p_confirm)
    refuting = min(known, key=lambda test: test.p_refute)
    refute = min(1.0, len(known) * refuting.p_refute)
    decisive = refuting if refute < weakest.p_confirm else weakest
    estimates = (decisive.estimates[0], *(t.estimates[0] for t in known if t is not decisive))
    return Test(weakest.p_confirm, refute, estimates, decisive.distance, len(known))


def margin(one: str, other: str) -> float:
    """What the paper could tell apart between two networks: the half-width at its own figures for them."""
    figures = [e.paper.val for e in map(load_experiment, (one, other)) if e.paper]
    baseline = load_experiment("baseline").paper
    return resolution(*(figures if len(figures) == 2 else [baseline.val, baseline.val]))  # type: ignore[union-attr]


def compare_level(claim: Claim, evidence: Evidence) -> Test | str | None:
    """The test of the figure that comes with the claim; a string says why there is none."""
    if claim.level is None:
        return "no figure"
    if not evidence.profile.is_paper_protocol:
        return "a figure of the full protocol, which this profile scales down"
    return _within(evidence, (Term(1, claim.check.of[0]),), claim.level, resolution(claim.level))


# ---- facts ---------------------------------------------------------------------------------------


def _first_loss(check: FirstLoss) -> Fact:
    """Whether the author's first logged losses are those of the networks that the text describes."""
    start = np.log(2) if check.starts_at is None else check.starts_at
    parts, holds = [], True
    for name in check.of:
        described = load_experiment(name)
        logged = logged_first_loss(described)
        if logged is None:
            return Fact(None, f"the author’s log of {described.label} has no first loss")
        recipe = Recipe.model_validate({**described.recipe.model_dump(), **check.changes})
        expected = start + expected_penalty(described.model_copy(update={"recipe": recipe}), load_profile("paper"))
        holds = holds and first_loss_fits(expected, logged)
        parts.append(f"{described.row or described.label}: {expected:.2f} expected, {logged:.2f} logged")
    return Fact(holds, f"First loss of the author’s run. {'; '.join(parts)}.")


def first_loss_fits(expected: float, logged: float) -> bool:
    """Whether a network with this expected first loss (log 2 and its penalty) can have logged the other."""
    low, high = FIRST_LOSS_LEFT
    return low <= logged - expected <= high


def logged_first_loss(experiment: Experiment) -> float | None:
    """The first loss that the author logged for a row, whichever variant of it carries the figure."""
    if experiment.author is None:
        return None
    same = [e.author for e in load_matrix().experiments if e.author and e.author.run == experiment.author.run]
    return next((author.first_loss for author in same if author.first_loss is not None), None)


def _parameters(check: Parameters) -> Fact:
    paper = load_profile("paper")

    def count(name: str) -> int:
        return count_parameters(load_experiment(name).recipe, paper)

    ours, theirs = [count(name) for name in check.of], [count(name) for name in check.than]
    words = f"{min(ours):,} parameters against {max(theirs):,}, at 105×105 pixels."
    return Fact(min(ours) > max(theirs), words)


def _dataset(check: Counts, evidence: Evidence) -> Fact | str:
    """Runs name the fingerprint of their pixels; Omniglot's stands for a dataset of these counts and no other."""
    from ..data.omniglot import ARCHIVES, DRAWERS, FINGERPRINT

    if evidence.profile.dataset != "omniglot":
        return "the profile does not use Omniglot"
    runs = [facts for by_seed in evidence.facts.values() for facts in by_seed.values()]
    if not runs:
        return "no run has used the dataset yet"
    counts = {
        split: (archive.alphabets, archive.characters, archive.characters * DRAWERS)
        for split, archive in ARCHIVES.items()
    }
    holds = counts == {"train": check.train, "val": check.val}
    holds = holds and {facts.fingerprint for facts in runs} == {FINGERPRINT}
    words = "; ".join(f"{split} {a} alphabets, {c:,} characters, {i:,} images" for split, (a, c, i) in counts.items())
    return Fact(holds, f"Counted: {words}; all runs used exactly these pixels.", (runs[0].run_id,))


def _rising(check: Training, evidence: Evidence) -> Fact | str:
    (name,) = check.of
    seeds = evidence.seeds_of([name])
    runs = [evidence.facts[name][seed] for seed in seeds]
    steps = len(runs[0].history) - 1
    falls = [int((facts.history["val_accuracy"].diff() < 0).sum()) for facts in runs]
    holds = True if not any(falls) else False if all(falls) else None
    counted = ", ".join(f"{n} of {steps} (seed {s})" for n, s in zip(falls, seeds, strict=True))
    ids = tuple(facts.run_id for facts in runs)
    if evidence.profile.dataset == "synthetic":
        return "drawn characters say nothing about the paper"
    return Fact(holds, f"Checks on val below the one before: {counted}.", ids)


def _unsteady(check: Training, evidence: Evidence) -> Test | str | None:
    """An F test on how checks scatter around a straight line through the second half of the training."""
    if why := _too_few_checks(check.experiments, evidence, FEWEST_CHECKS):
        return why
    (one,), (other,) = check.of, check.than
    seeds = evidence.seeds_of((one, other))
    if len(seeds) < 2:
        return Test(1.0, 1.0)

    def scatter(name: str) -> tuple[float, int]:
        squares, freedom = 0.0, 0
        for seed in seeds:
            history = evidence.facts[name][seed].history
            half = history[history["iteration"] > history["iteration"].max() / 2]
            line = np.polyfit(half["iteration"], half["val_accuracy"], 1)
            residuals = half["val_accuracy"] - np.polyval(line, half["iteration"])
            squares, freedom = squares + float((residuals**2).sum()), freedom + len(half) - 2
        return squares / freedom, freedom

    (mine, n), (theirs, m) = scatter(one), scatter(other)
    ratio = mine / max(theirs, 1e-12)
    return Test(float(stats.f.sf(ratio, n, m)), float(stats.f.cdf(ratio, n, m)))


def _too_few_checks(experiments: Sequence[str], evidence: Evidence, fewest: int) -> str:
    """Why the checks of half a training are too few, or nothing."""
    for name in experiments:
        for facts in evidence.facts.get(name, {}).values():
            iteration = facts.history["iteration"]
            half = int(((iteration > 0) & (iteration <= iteration.max() / 2)).sum())
            if half < fewest:
                return f"half a training has {half} checks under this profile, {fewest} would be needed"
    return ""
