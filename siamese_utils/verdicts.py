"""First verdicts: does a row differ from the baseline here as it does in the paper? Computed from runs, never typed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .params import Experiment, Profile, load_experiment
from .results import Run, find_run

PAPER_EPISODES = 250  # behind every figure of Table 1 (the author's settings)
VERDICT_RULE = (
    "A verdict compares a row's difference to the baseline (val, 1-shot 20-way, author's protocol) in the "
    "paper with ours. The paper's is clear when it leaves the 95 % interval of a difference between two "
    f"accuracies over {PAPER_EPISODES} episodes each, about ±8 points at 73 %. Ours is clear when the 95 % "
    "interval of the paired difference, over the same episodes for both networks, leaves out zero and, with "
    "several seeds, every seed's difference has the same sign. Nothing is said about the accuracies themselves."
)


def paper_half_width(first: float, second: float) -> float:
    """Half the normal 95 % interval of the difference of two of the paper's accuracies (%), in points."""
    variances = [(p / 100) * (1 - p / 100) / PAPER_EPISODES for p in (first, second)]
    return 100 * 1.96 * sum(variances) ** 0.5


def difference(runs: Sequence[Run], baselines: Sequence[Run]) -> tuple[float, float, float, bool]:
    """Accuracy of some runs minus the baseline's, paired by seed and episode: points, low, high, clear?

    An episode's difference is 1, 0 or −1, or its mean over several seeds; the interval is the mean's
    normal 95 % interval over the episodes, McNemar's comparison in another form. It is clear when the
    interval leaves out 0 and every seed's difference has the same sign.
    """
    by_seed = np.stack(
        [
            run.answers()["author/val"].astype(float) - baseline.answers()["author/val"]
            for run, baseline in zip(runs, baselines, strict=True)
        ]
    )  # (seeds, episodes)
    by_episode = by_seed.mean(axis=0)
    mean = float(by_episode.mean())
    half = 1.96 * float(by_episode.std(ddof=1)) / np.sqrt(len(by_episode))
    one_sign = len(set(np.sign(by_seed.mean(axis=1)))) == 1
    return 100 * mean, 100 * (mean - half), 100 * (mean + half), bool(abs(mean) > half and one_sign)


def verdict(experiment: Experiment, profile: Profile) -> dict[str, object]:
    """How a row's difference to the baseline compares with the paper's: difference, its interval, and words.

    "reference"                     the baseline itself
    "not run"                       the row, or the baseline under the same seeds, has no run
    "not in Table 1"                the paper has no figure for it
    "same direction"                the difference is clear in both, with the same sign
    "opposite direction"            clear in both, with opposite signs
    "no clear difference here"      clear in the paper only
    "no clear difference in the paper", "no clear difference in either"     likewise

    What "clear" means is said in VERDICT_RULE, which stands under every table of verdicts.
    """
    nothing = {name: np.nan for name in ("difference", "difference_low", "difference_high")} | {
        "paired_seeds": 0
    }
    baseline = load_experiment("baseline")
    pairs = [(find_run(experiment, profile, s), find_run(baseline, profile, s)) for s in profile.seeds]
    both = [(run, reference) for run, reference in pairs if run and reference]
    if not any(run for run, _ in pairs):
        return {**nothing, "verdict": "not run"}
    if experiment.name == "baseline":
        return {**nothing, "verdict": "reference"}
    if not both:
        return {**nothing, "verdict": "baseline not run"}
    points, low, high, clear = difference([run for run, _ in both], [reference for _, reference in both])
    found = {"difference": points, "difference_low": low, "difference_high": high, "paired_seeds": len(both)}
    if experiment.paper is None or baseline.paper is None:
        return {**found, "verdict": "not in Table 1"}
    return {**found, "verdict": _in_words(experiment.paper.val, baseline.paper.val, points, clear)}


def _in_words(paper: float, paper_baseline: float, ours: float, ours_clear: bool) -> str:
    gap = paper - paper_baseline
    paper_clear = abs(gap) > paper_half_width(paper, paper_baseline)
    if paper_clear and ours_clear:
        return "same direction" if gap * ours > 0 else "opposite direction"
    where = {(True, False): "here", (False, True): "in the paper", (False, False): "in either"}
    return f"no clear difference {where[paper_clear, ours_clear]}"
