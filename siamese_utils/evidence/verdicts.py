"""Verdicts on claims: computed from the runs of a profile, never typed.

reproduced          the comparison is confirmed, and so is the figure that the paper gives with it, if any
direction only      the comparison is confirmed, the figure is not, or cannot be under this profile
not reproduced      the comparison is refuted, or undecided with the paper's figure refuted
undecided           neither: too few seeds or episodes for what they show; with how many would decide it
not testable        nothing that these runs leave could decide it, and why
not run             an experiment that the claim needs has no run

Every test has two one-sided p values, one that confirms and one that refutes. Twice the smaller is the test's p;
Holm's method corrects the p values of all tests that the claims and Table 1's rows make, a test that several make
counted once (S. Holm, Scandinavian Journal of Statistics 6, 1979), and 0.05 decides. A claim of several tests holds
where all of them confirm it, and does not where one refutes it, so that one fact has one verdict everywhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import get_args

import numpy as np

from ..config import load_experiment
from ..text import listed, number, signed
from .claims import Against, Claim, Training
from .comparisons import Comparison, Untested, Verdict, compare, compare_level
from .estimates import Estimate, Evidence
from .power import needs
from .questions import Test, paper_bears_out
from .significance import LEVEL, holm

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


@dataclass(frozen=True)
class Judgement:
    """A claim with its verdict and what it rests on.

    variant    "" or, where text and run differ, "as described" or "as run"
    words      why, in a sentence
    estimate   the contrast that decides: of several, the one that confirms least
    p          after Holm's correction; NaN where nothing was tested
    needs      what would decide an undecided claim, in words
    paper      whether the paper's own figures bear the claim out: "yes", "no", "within noise", or "" without figures
    """

    claim: Claim
    variant: str
    verdict: Verdict
    words: str
    estimate: Estimate | None = None
    p: float = np.nan
    needs: str = ""
    paper: str = ""
    run_ids: tuple[str, ...] = ()


def judge(claims: Sequence[Claim], evidence: Evidence, *, rows: Sequence[Claim] = ()) -> list[Judgement]:
    """Reach a verdict on every claim, then on every row, with Holm's correction over all of them.

    claims  where text and run differ, one is judged as described, and once more as run
    rows    judged as they are

    A test that several claims make is made, and counts, once.
    """
    asked: list[tuple[str, Claim]] = []
    for claim in claims:
        as_run = claim.as_run()
        asked += [("as described", claim), ("as run", as_run)] if as_run else [("", claim)]
    asked += [("", row) for row in rows]
    found = [(compare(claim, evidence), compare_level(claim, evidence)) for _, claim in asked]
    parts = [part for outcome, figure in found for part in (*(outcome if isinstance(outcome, tuple) else ()), figure)]
    made = [part for part in parts if isinstance(part, Test)]
    tests = {test.key: test.p for test in made}
    p = dict(zip(tests, holm(list(tests.values())), strict=True))
    judgements = []
    for (variant, claim), (outcome, figure) in zip(asked, found, strict=True):
        judgement = _judgement(variant, claim, evidence, outcome, p)
        if isinstance(outcome, tuple) and claim.level is not None:
            judgement = _with_level(judgement, claim.level, figure, p)
        judgements.append(judgement)
    return judgements


# ---- from tests to a verdict ---------------------------------------------------------------------


def _judgement(variant: str, claim: Claim, evidence: Evidence, found: Comparison, p: Mapping[str, float]) -> Judgement:
    """Reach the verdict on a claim's comparison; p: a test's key → its p after correction."""
    made = partial(Judgement, claim, variant, paper=paper_bears_out(claim))
    if isinstance(found, Untested):
        return made(found.verdict, f"{found.why[0].upper()}{found.why[1:]}.", run_ids=found.run_ids)
    verdict, decisive = _decide(found, p)
    in_order = [decisive.estimate, *(test.estimate for test in found if test is not decisive)]
    run_ids = tuple(dict.fromkeys(i for estimate in in_order if estimate for i in estimate.run_ids))
    made = partial(made, estimate=decisive.estimate, p=p[decisive.key], run_ids=run_ids)
    words = estimate_words(decisive.estimate) if decisive.estimate else "Scatter of the checks, compared by an F test."
    if len(found) > 1:
        which = "this one does not" if verdict == "not reproduced" else "the weakest is this one"
        many = "Both" if len(found) == 2 else f"All {len(found)}"
        words = f"{many} comparisons must hold; {which}: {words}"
    degenerate = [name for name in claim.check.experiments if evidence.is_degenerate(name)]
    if degenerate:
        words += f" {degenerate_words(degenerate)}"
    if evidence.profile.dataset == "synthetic":
        return made("not testable", f"Drawn characters say nothing about the paper. What came out: {words}")
    is_early = isinstance(claim.check, Against) and claim.check.measure == "early"
    if degenerate and (is_early or isinstance(claim.check, Training)):
        words = f"{degenerate_words(degenerate)} Nothing can be said of its {'speed' if is_early else 'steadiness'}."
        return made("not testable", words, p=np.nan)
    return made(verdict, words, needs=needs(decisive, len(p)) if verdict == "undecided" else "")


def _decide(tests: Sequence[Test], p: Mapping[str, float]) -> tuple[Verdict, Test]:
    """Decide a claim whose tests must all confirm it, and say which of them decides.

    A test refuted by itself refutes whatever it is a part of, at no further cost: one fact has one verdict.
    """
    refuting = [test for test in tests if test.p_refute < test.p_confirm]
    if refuting and p[(strongest := min(refuting, key=lambda test: test.p_refute)).key] < LEVEL:
        return "not reproduced", strongest
    weakest = max(tests, key=lambda test: (test.p_confirm, -test.p_refute))
    return "reproduced" if not refuting and p[weakest.key] < LEVEL else "undecided", weakest


def _with_level(judgement: Judgement, level: float, found: Test | Untested, p: Mapping[str, float]) -> Judgement:
    """Add to a comparison's verdict that on the figure which the paper gives along with it."""
    if isinstance(found, Untested):
        if judgement.verdict != "reproduced":
            return judgement
        words = f"{judgement.words} The paper’s {level:g} % cannot be compared: it is {found.why}."
        return replace(judgement, verdict="direction only", words=words)
    estimate = found.estimate
    assert estimate, "a test of an accuracy"
    ends = f"{number(estimate.low)} to {number(estimate.high)}"
    words = f"{judgement.words} Against the paper’s {level:g} %: {number(estimate.value)} % (95 % interval {ends})."
    decided, holds = p[found.key] < LEVEL, found.p_confirm < found.p_refute
    if judgement.verdict == "reproduced":
        return replace(judgement, verdict="reproduced" if decided and holds else "direction only", words=words)
    if judgement.verdict == "undecided" and decided and not holds:
        return replace(judgement, verdict="not reproduced", words=words, estimate=estimate, p=p[found.key], needs="")
    return judgement


def estimate_words(estimate: Estimate) -> str:
    """Write a contrast with its interval: "MLP is 5.1 points below the baseline (95 % interval −6.9 to −3.3)."."""
    terms, value = estimate.terms, estimate.value
    labels = ["the baseline" if t.experiment == "baseline" else load_experiment(t.experiment).label for t in terms]
    measure = terms[0].measure
    is_accuracy = len(terms) == 1 and measure.kind != "gap"
    low = max(estimate.low, 0) if is_accuracy else estimate.low
    written = number if is_accuracy else signed
    seeds = "; one seed" if len(estimate.seeds) == 1 else ""
    interval = f" (95 % interval {written(low)} to {written(estimate.high)}{seeds})" if estimate.has_interval else ""
    points, side = f"{abs(value):.1f} points", "above" if value > 0 else "below"
    if measure.n_way:
        many, few = sorted((term.measure.n_way or 0 for term in terms), reverse=True)
        said = f"Accuracy at {few} ways minus {many} ways: {signed(value)} points"
    elif measure.kind == "gap":
        other = f", {points} {'more' if value > 0 else 'less'} than in {labels[1]}" if len(terms) > 1 else ""
        said = f"Train minus val accuracy of {labels[0]}{other or f': {signed(value)} points'}"
    elif is_accuracy:
        said = f"{labels[0]}{', train' if measure.kind == 'train' else ''}: {number(value)} %"
    else:
        before = {"early": "In the first half of the training, ", "train": "On training characters, "}
        said = f"{before.get(measure.kind, '')}{labels[0]} is {points} {side} {labels[1]}"
    return f"{said[0].upper()}{said[1:]}{interval}."


def degenerate_words(names: Sequence[str]) -> str:
    """Say that networks end at chance: they have the same similarity for any two images."""
    labels = listed([load_experiment(name).label for name in names])
    labels = labels[0].upper() + labels[1:]
    return f"{labels} {'ends' if len(names) == 1 else 'end'} here with the same similarity for any two images."
