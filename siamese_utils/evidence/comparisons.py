"""From a claim to a comparison: a statistical test on the runs, a fact that needs none, or why there is neither."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy import special

from ..config import Recipe, load_experiment, load_profile
from ..models.plan import count_parameters
from .claims import Absolute, Against, Check, Claim, Counts, FirstLoss, Ordered, Parameters, Training, Untestable
from .estimates import Evidence, Term, resolution
from .first_loss import START, expected_first_loss, first_loss_fits, logged_first_loss
from .questions import Question, Test, ask, ask_all

Verdict: TypeAlias = Literal["reproduced", "direction only", "not reproduced", "undecided", "not testable", "not run"]
BY_FACT: dict[bool | None, Verdict] = {True: "reproduced", False: "not reproduced", None: "undecided"}
# in half a training, to speak of how much they scatter
FEWEST_CHECKS = 20
SCALED_DOWN = "a figure of the full protocol, which this profile scales down"


@dataclass(frozen=True)
class Untested:
    """A verdict without a test: counted, or computed from what was logged; or that there is no comparison, and why."""

    why: str
    verdict: Verdict = "not testable"
    run_ids: tuple[str, ...] = ()


# the tests of a claim, all of which must confirm it; or what takes their place
Comparison: TypeAlias = tuple[Test, ...] | Untested


def compare(claim: Claim, evidence: Evidence) -> Comparison:
    """Make the claim's comparison from what the runs left."""
    check = claim.check
    if isinstance(check, Untestable):
        return Untested(check.because)
    if isinstance(check, FirstLoss):
        return _first_loss(check)
    if isinstance(check, Parameters):
        return _parameters(check)
    if isinstance(check, Counts):
        return _dataset(check, evidence)
    if not evidence.seeds_of(check.experiments):
        return _not_run(check, evidence)
    if why := _impossible(check, evidence):
        return Untested(why)
    if isinstance(check, Training):
        return _rising(check, evidence) if check.kind == "rising" else (_unsteady(check, evidence),)
    return ask_all(check, evidence) or _not_run(check, evidence)


def compare_level(claim: Claim, evidence: Evidence) -> Test | Untested:
    """Test the figure that comes with the claim."""
    if claim.level is None:
        return Untested("no figure")
    if not evidence.profile.is_paper_protocol:
        return Untested(SCALED_DOWN)
    question = Question((Term(1, claim.check.of[0]),), "similar", claim.level, resolution(claim.level))
    return ask(question, evidence) or _not_run(claim.check, evidence)


def _not_run(check: Check, evidence: Evidence) -> Untested:
    """Say which experiments have no run, or that no seed is common to all."""
    missing = [load_experiment(name).label for name in check.experiments if not evidence.facts.get(name)]
    why = f"No run of {', '.join(missing)}" if missing else "No seed that all have run under"
    return Untested(why, "not run")


def _impossible(check: Check, evidence: Evidence) -> str:
    """Say why this profile cannot make the comparison; "" where it can."""
    profile = evidence.profile
    if isinstance(check, Absolute) and check.at is not None and not profile.is_paper_protocol:
        return SCALED_DOWN
    if isinstance(check, Ordered) and (lacking := [str(k) for k in check.n_way if k not in profile.ways]):
        return f"the profile does not evaluate {', '.join(lacking)} ways"
    if isinstance(check, Training) and check.kind == "rising" and profile.dataset == "synthetic":
        return "drawn characters say nothing about the paper"
    is_early = isinstance(check, Against) and check.measure == "early"
    is_unsteady = isinstance(check, Training) and check.kind == "unsteady"
    fewest = FEWEST_CHECKS if is_unsteady else 1 if is_early else 0
    for name in check.experiments if fewest else ():
        for facts in evidence.facts[name].values():
            if len(facts.early) < fewest:
                return f"half a training has {len(facts.early)} checks under this profile, {fewest} would be needed"
    return ""


# ---- trainings, and facts ------------------------------------------------------------------------


def _rising(check: Training, evidence: Evidence) -> Untested:
    """Count the checks below the one before, under every seed."""
    (name,) = check.of
    seeds = evidence.seeds_of([name])
    runs = [evidence.facts[name][seed] for seed in seeds]
    steps = len(runs[0].history) - 1
    falls = [int((np.diff(facts.history["val_accuracy"]) < 0).sum()) for facts in runs]
    holds = True if not any(falls) else False if all(falls) else None
    counted = ", ".join(f"{n} of {steps} (seed {s})" for n, s in zip(falls, seeds, strict=True))
    why = f"Checks on val below the one before: {counted}"
    return Untested(why, BY_FACT[holds], tuple(facts.run_id for facts in runs))


def _unsteady(check: Training, evidence: Evidence) -> Test:
    """Compare by an F test how checks scatter around a straight line through the second half of the training."""
    (one,), (other,) = check.of, check.than
    seeds, key = evidence.seeds_of((one, other)), f"scatter of {one} and {other}"
    if len(seeds) < 2:
        return Test(key, 1.0, 1.0)

    def scatter(name: str) -> tuple[float, int]:
        squares, dof = 0.0, 0
        for history in (evidence.facts[name][seed].history for seed in seeds):
            half = history[history["iteration"] > history["iteration"].max() / 2]
            line = np.polyfit(half["iteration"], half["val_accuracy"], 1)
            squares += float(((half["val_accuracy"] - np.polyval(line, half["iteration"])) ** 2).sum())
            dof += len(half) - 2
        return squares / dof, dof

    (ours, n), (theirs, m) = scatter(one), scatter(other)
    ratio = ours / max(theirs, 1e-12)
    return Test(key, float(special.fdtrc(n, m, ratio)), float(special.fdtr(n, m, ratio)))


def _first_loss(check: FirstLoss) -> Untested:
    """Check whether the author's first logged losses are those of the networks that the text describes."""
    start = START if check.starts_at is None else check.starts_at
    parts, holds = [], True
    for name in check.of:
        described = load_experiment(name)
        logged = logged_first_loss(described)
        if logged is None:
            return Untested(f"the author’s log of {described.label} has no first loss", "undecided")
        recipe = Recipe.model_validate({**described.recipe.model_dump(), **check.changes})
        expected = expected_first_loss(described.model_copy(update={"recipe": recipe}), start=start)
        holds = holds and first_loss_fits(expected, logged)
        parts.append(f"{described.row or described.label}: {expected:.2f} expected, {logged:.2f} logged")
    return Untested(f"First loss of the author’s run. {'; '.join(parts)}", BY_FACT[holds])


def _parameters(check: Parameters) -> Untested:
    paper = load_profile("paper")
    ours, theirs = (
        [count_parameters(load_experiment(name).recipe, paper) for name in names] for names in (check.of, check.than)
    )
    why = f"{min(ours):,} parameters against {max(theirs):,}, at 105×105 pixels"
    return Untested(why, BY_FACT[min(ours) > max(theirs)])


def _dataset(check: Counts, evidence: Evidence) -> Untested:
    """Count by the fingerprint that runs name: Omniglot's stands for a dataset of these counts and no other."""
    from ..data.omniglot import ARCHIVES, DRAWERS, FINGERPRINT

    if evidence.profile.dataset != "omniglot":
        return Untested("the profile does not use Omniglot")
    runs = [facts for by_seed in evidence.facts.values() for facts in by_seed.values()]
    if not runs:
        return Untested("no run has used the dataset yet")
    counts = {split: (len(a.alphabets), a.characters, a.characters * DRAWERS) for split, a in ARCHIVES.items()}
    holds = counts == {"train": check.train, "val": check.val}
    holds = holds and {facts.fingerprint for facts in runs} == {FINGERPRINT}
    words = "; ".join(f"{split} {a} alphabets, {c:,} characters, {i:,} images" for split, (a, c, i) in counts.items())
    why = f"Counted: {words}; all runs used exactly these pixels"
    return Untested(why, BY_FACT[holds], (runs[0].run_id,))
