"""Verdicts on claims: computed from the runs of a profile, never typed.

reproduced          the comparison is confirmed, and so is the figure that the paper gives with it, if any
direction only      the comparison is confirmed, the figure is not, or cannot be under this profile
not reproduced      the comparison is refuted
undecided           neither: too few seeds or episodes for what they show; with how many would decide it
not testable        nothing that these runs leave could decide it, and why
not run             an experiment that the claim needs has no run

Every test has two one-sided p values, one that confirms and one that refutes. Twice the smaller is the claim's p;
Holm's method corrects the p values of all claims and of Table 1's rows together, a test that several make counted once
(S. Holm, Scandinavian Journal of Statistics 6, 1979), and 0.05 decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, TypeAlias, get_args

import numpy as np

from ..config import load_experiment
from ..text import listed, number, signed
from .claims import Against, Claim, Counts, FirstLoss, Parameters
from .comparisons import Fact, Outcome, Untested, compare, compare_level
from .estimates import Estimate, Evidence, Term
from .power import needs
from .questions import Test, paper_bears_out
from .significance import LEVEL, holm

Verdict: TypeAlias = Literal["reproduced", "direction only", "not reproduced", "undecided", "not testable", "not run"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
VERDICT_RULE = (
    "How a verdict comes about: each claim is one comparison of final accuracies (val, 1-shot 20-way, author’s "
    "protocol) on the same episodes for all networks. Its 95 % interval covers the choice of episodes and of seeds; a "
    "difference counts where the interval’s test and, for every seed, McNemar’s exact test agree, after Holm’s "
    "correction for all claims and all rows of Table 1 together: an interval, which is not corrected, can leave out "
    "zero while the verdict is undecided. “Similar” and given figures hold within what the paper’s own 250 episodes "
    "could tell apart, about ±8 points for a difference at 73 %, ±5.5 for one figure."
)


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

    @property
    def by_runs(self) -> bool:
        """Whether runs of ours decide it; otherwise the author's log, arithmetic, or counting does."""
        return not isinstance(self.claim.check, FirstLoss | Parameters | Counts)


def judge(claims: Sequence[Claim], evidence: Evidence, *, rows: Sequence[Claim] = ()) -> list[Judgement]:
    """Reach a verdict on every claim, then on every row, with Holm's correction over all of them.

    claims  where text and run differ, one is judged as described, and once more as run
    rows    judged as they are

    A test that several claims make is made, and counts, once.
    """
    asked = [pair for claim in claims for pair in _variants(claim)] + [("", row) for row in rows]
    found: dict[str, Outcome] = {}
    for _, claim in asked:
        check, figure = _keys(claim)
        if check not in found:
            found[check] = compare(claim, evidence)
        if figure not in found:
            found[figure] = compare_level(claim, evidence)
    tests = {key: outcome for key, outcome in found.items() if isinstance(outcome, Test)}
    p = dict(zip(tests, holm([test.p for test in tests.values()]), strict=True))
    judgements = []
    for variant, claim in asked:
        check, figure = _keys(claim)
        judgement = _judgement(variant, claim, evidence, found[check], p.get(check, np.nan), len(tests))
        if judgement.verdict == "reproduced" and isinstance(found[check], Test) and claim.level is not None:
            judgement = _with_level(judgement, claim.level, found[figure], p.get(figure, np.nan))
        judgements.append(judgement)
    return judgements


def _variants(claim: Claim) -> list[tuple[str, Claim]]:
    as_run = claim.as_run()
    return [("as described", claim), ("as run", as_run)] if as_run else [("", claim)]


def _keys(claim: Claim) -> tuple[str, str]:
    """Make the keys by which two claims' tests are the same: of their comparisons, and of their figures."""
    about = "" if claim.level is None else f"{claim.check.experiments[0]} {claim.level}"
    return claim.check.model_dump_json(), f"figure {about}"


# ---- from tests to a verdict ---------------------------------------------------------------------


def _judgement(
    variant: str, claim: Claim, evidence: Evidence, found: Outcome, p: float, number_of_tests: int
) -> Judgement:
    """Reach the verdict on a claim's comparison; p is after correction."""
    made = partial(Judgement, claim, variant, paper=paper_bears_out(claim))
    if isinstance(found, Untested):
        return made(found.verdict, f"{found.why[0].upper()}{found.why[1:]}.")
    if isinstance(found, Fact):
        verdict: Verdict = "undecided" if found.holds is None else "reproduced" if found.holds else "not reproduced"
        return made(verdict, found.words, run_ids=found.run_ids)
    estimate = found.estimates[0] if found.estimates else None
    run_ids = tuple(dict.fromkeys(i for e in found.estimates for i in e.run_ids))
    made = partial(made, estimate=estimate, p=p, run_ids=run_ids)
    words = estimate_words(estimate) if estimate else "Scatter of the checks, compared by an F test."
    if found.parts > 1:
        words = f"Of {found.parts} parts this one decides. {words}"
    degenerate = [name for name in claim.check.experiments if evidence.is_degenerate(name)]
    if degenerate:
        words += f" {degenerate_words(degenerate)}"
    if evidence.profile.dataset == "synthetic":
        return made("not testable", f"Drawn characters say nothing about the paper. What came out: {words}")
    if degenerate and isinstance(claim.check, Against) and claim.check.measure == "early":
        return made("not testable", f"{degenerate_words(degenerate)} Nothing can be said of its speed.", p=np.nan)
    if not p < LEVEL:
        return made("undecided", words, needs=needs(found, number_of_tests))
    return made("not reproduced" if found.p_refute < found.p_confirm else "reproduced", words)


def _with_level(judgement: Judgement, level: float, found: Outcome, p: float) -> Judgement:
    """Add to a confirmed comparison's verdict that on the figure which the paper gives along with it."""
    if not isinstance(found, Test):
        assert isinstance(found, Untested)
        words = f"{judgement.words} The figure of {level:g} % is {found.why}."
        return replace(judgement, verdict="direction only", words=words)
    estimate = found.estimates[0]
    ends = f"{number(estimate.low)} to {number(estimate.high)}"
    words = f"{judgement.words} Against the figure of {level:g} %: {number(estimate.value)} % ({ends})."
    holds = p < LEVEL and found.p_confirm < found.p_refute
    return replace(judgement, verdict="reproduced" if holds else "direction only", words=words)


def estimate_words(estimate: Estimate) -> str:
    """Write a contrast with its interval: "Dense - 512 minus Baseline: −5.1 points (−6.9 to −3.3), 3 seeds, …"."""
    is_accuracy = len(estimate.terms) == 1 and estimate.terms[0].measure.kind != "gap"
    if is_accuracy:
        value, ends = f"{estimate.value:.1f} %", f"{max(estimate.low, 0):.1f} to {estimate.high:.1f}"
    else:
        value, ends = f"{signed(estimate.value)} points", f"{signed(estimate.low)} to {signed(estimate.high)}"
    seeds = "one seed" if len(estimate.seeds) == 1 else f"{len(estimate.seeds)} seeds"
    interval = "" if np.isnan(estimate.low) else f" ({ends})"
    return f"{contrast_words(estimate.terms)}: {value}{interval}, {seeds}, {estimate.episodes:,} episodes."


def degenerate_words(names: Sequence[str]) -> str:
    """Say that networks did not train: they have the same similarity for any two images."""
    labels = listed([load_experiment(name).label for name in names])
    labels = labels[0].upper() + labels[1:]
    verb, them = ("does", "it gives") if len(names) == 1 else ("do", "they give")
    return f"{labels} {verb} not train here at all: {them} any two images the same similarity, under every seed."


def contrast_words(terms: Sequence[Term]) -> str:
    """Name what a contrast compares: "Dense - 512 minus Baseline"."""
    measure = terms[0].measure
    if measure.n_way:
        return " minus ".join(f"{term.measure.n_way} ways" for term in terms)
    names = " minus ".join(load_experiment(term.experiment).label for term in terms)
    before = {"val": "", "train": "train accuracy, ", "gap": "train over val, ", "early": "first half, "}
    words = before[measure.kind] + names
    return words[0].upper() + words[1:]
