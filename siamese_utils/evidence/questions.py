"""A claim's check as questions about contrasts, each put to the runs as a test, and to the paper's own figures.

A claim of similarity is tested by two one-sided tests against a margin (D. Schuirmann, Journal of Pharmacokinetics and
Biopharmaceutics 15, 1987); the margin is what the paper's own 250 episodes could tell apart. A claim of several parts
holds where all of them hold, and does not where one does not.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from ..config import load_experiment
from .claims import Absolute, Against, Check, Claim, Ordered, Side
from .estimates import CHANCE, Estimate, Evidence, Term, Z, paper_of, resolution
from .facts import GAP, VAL, Measure


@dataclass(frozen=True)
class Test:
    """One comparison: how strongly the runs confirm it and refute it, as one-sided p values.

    key        the same for comparisons that are one test, whichever way round they are asked
    estimate   the contrast behind it; None for a comparison of another kind
    distance   in points, from that estimate to what would change the answer; for the power
    """

    key: str
    p_confirm: float
    p_refute: float
    estimate: Estimate | None = None
    distance: float = np.nan

    @property
    def p(self) -> float:
        """Two-sided: twice the smaller."""
        return min(1.0, 2 * min(self.p_confirm, self.p_refute))


@dataclass(frozen=True)
class Question:
    """Whether a contrast is above or below `at`, or similar to it: within the margin; in % and points."""

    terms: tuple[Term, ...]
    kind: Side
    at: float = 0.0
    margin: float = 0.0

    @property
    def key(self) -> str:
        """Name the test that answers it: the same for A above B, A below B, and B below A."""
        terms = sorted(self.terms, key=lambda term: (term.experiment, str(term.measure)))
        sign = 1 if terms[0].weight > 0 else -1
        weights = [f"{sign * term.weight:+g} {term.experiment} {term.measure}" for term in terms]
        asked = f"within {self.margin:g} of" if self.kind == "similar" else "from"
        return f"{' '.join(weights)} {asked} {sign * self.at + 0.0:g}"


def questions(check: Check) -> list[Question]:
    """Take a check apart into what must all hold for it to hold; none for a check of another kind."""
    if isinstance(check, Against):
        measure = Measure(check.measure)
        return [
            Question((Term(1, one, measure), Term(-1, other, measure)), check.kind, 0, margin(one, other))
            for one in check.of
            for other in check.than
        ]
    if isinstance(check, Ordered):
        steps = [(check.of[0], Measure(n_way=k)) for k in check.n_way] or [(name, VAL) for name in check.of]
        return [Question((Term(1, *one), Term(-1, *other)), "above") for one, other in pairwise(steps)]
    return [_about_one(check)] if isinstance(check, Absolute) else []


def _about_one(check: Absolute) -> Question:
    (name,) = check.of
    terms = (Term(1, name, Measure(check.measure)),)
    if check.kind == "no_gap":
        return Question((Term(1, name, GAP),), "similar", 0, margin(name, name))
    if check.kind == "chance":
        return Question(terms, "similar", CHANCE, resolution(CHANCE))
    if check.kind == "above_chance":
        return Question(terms, "above", CHANCE + resolution(CHANCE))
    at = check.at or 0
    return Question(terms, "below", at) if check.kind == "at_most" else Question(terms, "similar", at, resolution(at))


def margin(one: str, other: str) -> float:
    """Compute what the paper could tell apart between two networks, in points: the half-width at its own figures."""
    figures = [e.paper.val for e in map(load_experiment, (one, other)) if e.paper]
    return resolution(*(figures if len(figures) == 2 else [paper_of("baseline").val] * 2))


def ask(question: Question, evidence: Evidence) -> Test | None:
    """Test a question on the runs; None where there are none under a common seed."""
    estimate = evidence.estimate(question.terms)
    if estimate is None:
        return None
    at, near = question.at, question.margin
    if question.kind == "similar":
        # McNemar's test asks for zero, not for the margins
        estimate = replace(estimate, mcnemar=None)
        low, high = at - near, at + near
        confirm = max(estimate.p_above(low), estimate.p_below(high))
        # no truth lies beyond both
        refute = min(estimate.p_below(low), estimate.p_above(high))
        return Test(question.key, confirm, refute, estimate, abs(abs(estimate.value - at) - near))
    p = estimate.p_above(at), estimate.p_below(at)
    return Test(question.key, *(p if question.kind == "above" else p[::-1]), estimate, abs(estimate.value - at))


def ask_all(check: Check, evidence: Evidence) -> tuple[Test, ...]:
    """Test each of a check's questions, all of which must hold for it to hold; () where one cannot be asked."""
    tests = [ask(question, evidence) for question in questions(check)]
    known = tuple(test for test in tests if test)
    return known if len(known) == len(tests) else ()


def paper_bears_out(claim: Claim) -> str:
    """Say whether Table 1 itself bears a claim out: "yes", "no", "within noise", or "" where it has no such figures.

    The same questions, asked of the paper's figures: their binomial variance over 250 episodes, and no correction.
    Seeds are left out: the paper has one.
    """
    asked = questions(claim.check)
    terms = [term for question in asked for term in question.terms]
    if not asked or not all(t.measure.splits and load_experiment(t.experiment).paper for t in terms):
        return ""
    answers = [_paper_answer(question) for question in asked]
    return "no" if "no" in answers else "within noise" if "within noise" in answers else "yes"


def _paper_answer(question: Question) -> str:
    value = variance = 0.0
    for term in question.terms:
        for split, sign in term.measure.splits.items():
            percent = getattr(paper_of(term.experiment), split)
            value += term.weight * sign * percent
            variance += (resolution(percent) / Z) ** 2
    noise = Z * variance**0.5
    if question.kind == "similar":
        apart = abs(value - question.at)
        return "yes" if apart <= question.margin else "no" if apart > question.margin + noise else "within noise"
    side = value - question.at if question.kind == "above" else question.at - value
    return "yes" if side > noise else "no" if side < -noise else "within noise"
