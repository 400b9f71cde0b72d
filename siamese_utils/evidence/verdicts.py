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
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np

from ..config import load_experiment
from ..text import listed, number, signed
from .claims import Absolute, Against, Claim, Counts, FirstLoss, Ordered, Parameters
from .comparisons import CHANCE, Fact, Test, compare, compare_level, margin
from .estimates import Estimate, Evidence, Term, Z, resolution
from .power import LEVEL, needs

Verdict: TypeAlias = Literal["reproduced", "direction only", "not reproduced", "undecided", "not testable", "not run"]
VERDICTS: tuple[Verdict, ...] = (
    "reproduced",
    "direction only",
    "not reproduced",
    "undecided",
    "not testable",
    "not run",
)
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


def judge(
    claims: Sequence[Claim], evidence: Evidence, *, variants: bool = True, along_with: Sequence[Claim] = ()
) -> list[Judgement]:
    """The verdict on every claim, with Holm's correction over all of them.

    variants     where text and run differ, judge a claim as described, and once more as run
    along_with   other claims whose tests take part in the correction

    A test that several claims make counts once.
    """
    asked = [pair for claim in claims for pair in (_variants(claim) if variants else [("", claim)])]
    others = [claim for other in along_with for _, claim in _variants(other)]
    found: dict[tuple[str, ...], Test | Fact | str | None] = {}
    levels: dict[tuple[str, ...], Test | str | None] = {}
    for claim in (*(claim for _, claim in asked), *others):
        found[_test_key(claim)] = found.get(_test_key(claim)) or compare(claim, evidence)
        levels[_level_key(claim)] = levels.get(_level_key(claim)) or compare_level(claim, evidence)
    tests = {key: test for key, test in (*found.items(), *levels.items()) if isinstance(test, Test)}
    p = dict(zip(tests, holm([test.p for test in tests.values()]), strict=True))
    judgements = []
    for variant, claim in asked:
        test, level = _test_key(claim), _level_key(claim)
        of_test, of_level = (found[test], p.get(test, np.nan)), (levels[level], p.get(level, np.nan))
        judgements.append(_judgement(variant, claim, evidence, *of_test, *of_level, len(tests)))
    return judgements


def _test_key(claim: Claim) -> tuple[str, ...]:
    """What makes two claims' tests the same test."""
    return ("comparison", claim.check.model_dump_json())


def _level_key(claim: Claim) -> tuple[str, ...]:
    named = claim.check.experiments[:1] if claim.level is not None else ()
    return ("figure", *named, str(claim.level))


def holm(p: Sequence[float]) -> list[float]:
    """p values corrected for their number by Holm's step-down method."""
    if not p:
        return []
    from statsmodels.stats.multitest import multipletests

    return [float(q) for q in multipletests(p, method="holm")[1]]


def _variants(claim: Claim) -> list[tuple[str, Claim]]:
    as_run = claim.as_run()
    return [("as described", claim), ("as run", as_run)] if as_run else [("", claim)]


# ---- from tests to a verdict ---------------------------------------------------------------------


def _judgement(
    variant: str,
    claim: Claim,
    evidence: Evidence,
    found: Test | Fact | str | None,
    p: float,
    level: Test | str | None,
    p_level: float,
    tests: int,
) -> Judgement:
    made = partial(Judgement, claim, variant, paper=paper_bears_out(claim))
    if found is None:
        missing = evidence.missing(claim.check.experiments)
        return made("not run", f"No run of {', '.join(missing)}." if missing else "No seed that all have run under.")
    if isinstance(found, str):
        return made("not testable", f"{found[0].upper()}{found[1:]}.")
    if isinstance(found, Fact):
        verdict: Verdict = "undecided" if found.holds is None else "reproduced" if found.holds else "not reproduced"
        return made(verdict, found.words, run_ids=found.run_ids)
    estimate = found.estimates[0] if found.estimates else None
    run_ids = tuple(dict.fromkeys(i for e in found.estimates for i in e.run_ids))
    made = partial(made, estimate=estimate, p=p, run_ids=run_ids)
    words = estimate_words(estimate) if estimate else "Scatter of the checks, compared by an F test."
    if found.parts > 1:
        words = f"Of {found.parts} parts this one decides. {words}"
    silent = [name for name in claim.check.experiments if evidence.is_silent(name)]
    if silent:
        words += f" {silent_words(silent)}"
    if evidence.profile.dataset == "synthetic":
        return made("not testable", f"Drawn characters say nothing about the paper. What came out: {words}")
    if silent and isinstance(claim.check, Against) and claim.check.measure == "early":
        return made("not testable", f"{silent_words(silent)} Nothing can be said of its speed.", p=np.nan)
    if not p < LEVEL:
        return made("undecided", words, needs=needs(found, tests))
    if found.p_refute < found.p_confirm:
        return made("not reproduced", words)
    if claim.level is None:
        return made("reproduced", words)
    if isinstance(level, Test) and p_level < LEVEL and level.p_confirm < level.p_refute:
        return made("reproduced", f"{words} {_level_words(claim, level)}")
    why = _level_words(claim, level) if isinstance(level, Test) else f"The figure of {claim.level:g} % is {level}."
    return made("direction only", f"{words} {why}")


def estimate_words(estimate: Estimate) -> str:
    """A contrast with its interval in words: "Dense - 512 minus Baseline: −5.1 points (−6.9 to −3.3), 3 seeds, …"."""
    is_accuracy = len(estimate.terms) == 1 and estimate.terms[0].measure != "gap"
    if is_accuracy:
        value, ends = f"{estimate.value:.1f} %", f"{max(estimate.low, 0):.1f} to {estimate.high:.1f}"
    else:
        value, ends = f"{signed(estimate.value)} points", f"{signed(estimate.low)} to {signed(estimate.high)}"
    seeds = "one seed" if len(estimate.seeds) == 1 else f"{len(estimate.seeds)} seeds"
    interval = "" if np.isnan(estimate.low) else f" ({ends})"
    return f"{contrast_words(estimate.terms)}: {value}{interval}, {seeds}, {estimate.episodes:,} episodes."


def silent_words(names: Sequence[str]) -> str:
    """That networks did not train: they have the same similarity for any two images."""
    labels = listed([load_experiment(name).label for name in names])
    labels = labels[0].upper() + labels[1:]
    verb, them = ("does", "it gives") if len(names) == 1 else ("do", "they give")
    return f"{labels} {verb} not train here at all: {them} any two images the same similarity, under every seed."


def contrast_words(terms: Sequence[Term]) -> str:
    """What a contrast compares, in words: "Dense - 512 minus Baseline"."""
    measure = terms[0].measure
    if measure.startswith("val@"):
        return " minus ".join(f"{term.measure[4:]} ways" for term in terms)
    names = " minus ".join(load_experiment(term.experiment).label for term in terms)
    before = {"val": "", "train": "train accuracy, ", "gap": "train over val, ", "early": "first half, "}[measure]
    words = before + names
    return words[0].upper() + words[1:]


def _level_words(claim: Claim, level: Test) -> str:
    estimate = level.estimates[0]
    return (
        f"Against the figure of {claim.level:g} %: {number(estimate.value)} % "
        f"({number(estimate.low)} to {number(estimate.high)})."
    )


# ---- the paper's own figures ---------------------------------------------------------------------


def paper_bears_out(claim: Claim) -> str:
    """Whether Table 1 itself bears a claim out: "yes", "no", "within noise" of its 250 episodes and one seed, or "".

    The same comparison with the paper's figures, their binomial variance, and no correction. Seeds are left out: the
    paper has one.
    """
    check = claim.check
    contrasts: list[tuple[Sequence[Term], str, float, float]] = []
    if isinstance(check, Against) and check.measure != "early":
        for one in check.of:
            for other in check.than:
                terms = (Term(1, one, check.measure), Term(-1, other, check.measure))
                contrasts.append((terms, check.kind, 0, margin(one, other)))
    elif isinstance(check, Ordered) and not check.ways:
        for one, other in pairwise(check.of):
            contrasts.append(((Term(1, one), Term(-1, other)), "above", 0, 0))
    elif isinstance(check, Absolute):
        kinds = {"at_most": "below", "above_chance": "above"}
        at = check.at if check.at is not None else 0 if check.kind == "no_gap" else CHANCE
        at += resolution(CHANCE) if check.kind == "above_chance" else 0
        measure = "gap" if check.kind == "no_gap" else check.measure
        reach = margin("baseline", "baseline") if check.kind == "no_gap" else resolution(at)
        contrasts.append(((Term(1, check.of[0], measure),), kinds.get(check.kind, "similar"), at, reach))
    named = {term.experiment for terms, *_ in contrasts for term in terms}
    if not contrasts or not all(load_experiment(name).paper for name in named):
        return ""
    answers = [_paper_answer(*contrast) for contrast in contrasts]
    return "no" if "no" in answers else "within noise" if "within noise" in answers else "yes"


def _paper_answer(terms: Sequence[Term], kind: str, at: float, near: float) -> str:
    value = variance = 0.0
    for term in terms:
        figures = load_experiment(term.experiment).paper
        assert figures, "a claim is about rows of Table 1"
        parts = {"train": 1, "val": -1} if term.measure == "gap" else {term.measure: 1}
        for split, sign in parts.items():
            percent = getattr(figures, split)
            value += term.weight * sign * percent
            variance += (resolution(percent) / Z) ** 2
    reach = Z * variance**0.5
    if kind == "similar":
        apart = abs(value - at)
        return "yes" if apart <= near else "no" if apart > near + reach else "within noise"
    side = value - at if kind == "above" else at - value
    return "yes" if side > reach else "no" if side < -reach else "within noise"
