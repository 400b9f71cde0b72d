"""What was really trained? Tables for the audit: first losses, what 250 episodes say, zero kernels.

Before a network has learned anything, its answers p do not depend on the label: on balanced pairs its cross-entropy is
−½ E[log p(1 − p)], which is log 2 at least; only the luck of 128 pairs takes it a little lower. How far above it lies
depends on the network: by up to 0.12 in the author's logs. The rest of a first loss is the L2 penalty.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..config import Experiment, Profile, load_experiment, load_matrix, load_profile
from ..data.dataset import Split
from ..evaluation.accuracy import wilson
from ..models.plan import HEAD, expected_penalty
from ..text import number, signed
from ..training.runs import find_runs
from .estimates import PAPER_EPISODES, resolution

ARITHMETIC = "Arithmetic on Table 1 and on the author's logs and settings; no run."
# cross-entropy of a network that answers ½ to every pair
START = float(np.log(2))
# what may be left of a first loss after log 2 and the penalty
FIRST_LOSS_LEFT = (-0.03, 0.15)
# enough to see what moves: what has no gradient never does
UPDATES = 5
KINDS = {"gamma": "BatchNorm scales", "beta": "BatchNorm shifts", "kernel": "kernels", "bias": "biases"}
# the text on the MLP permits an embedding behind them, too
ALONE = "the three hidden layers alone"
CONVS = {
    "all its conv layers": (32, 64, 128),
    "without the last": (32, 64),
    "without the first": (64, 128),
    "without the middle one": (32, 128),
}


def published() -> list[Experiment]:
    """List the rows of Table 1 as described, in its order."""
    return [e for e in load_matrix().experiments if e.paper and e.variant != "as run"]


# ---- the first loss ------------------------------------------------------------------------------


def expected_first_loss(experiment: Experiment, start: float = START) -> float:
    """Compute the first loss a network should have: an undecided one's, log 2 unless given, and its penalty."""
    return start + expected_penalty(experiment, load_profile("paper"))


def first_loss_fits(expected: float, logged: float) -> bool:
    """Check whether a network with this expected first loss can have logged the other."""
    low, high = FIRST_LOSS_LEFT
    return low <= logged - expected <= high


def logged_first_loss(experiment: Experiment) -> float | None:
    """Look up the first loss that the author logged for a row, in whichever variant of it; None without one."""
    if experiment.author is None:
        return None
    same = [e.author for e in load_matrix().experiments if e.author and e.author.run == experiment.author.run]
    return next((author.first_loss for author in same if author.first_loss is not None), None)


def first_loss_candidates(names: Sequence[str]) -> pd.DataFrame:
    """List for each row the networks that the text could mean, the first loss that each would have, and the logged one.

    experiment, candidate, described (bool), expected, logged, fits (bool)
    """
    lines = []
    for name in names:
        experiment = load_experiment(name)
        recipe, logged = experiment.recipe, logged_first_loss(experiment)
        changes: dict[str, dict[str, Any]] = {"all its conv layers": {}}
        described = "all its conv layers"
        if recipe.backbone == "mlp":
            described = ALONE
            alone = {"hidden": recipe.hidden[:-1], "embedding": recipe.hidden[-1]}
            changes = {described: alone, "with Dense 256 behind them": {}}
        elif len(recipe.filters) <= len(CONVS["all its conv layers"]):
            changes = {words: {"filters": filters} for words, filters in CONVS.items()}
            described = next(words for words, filters in CONVS.items() if filters == recipe.filters)
        changes["no L2 penalty"] = {"l2": 0.0}
        for words, change in changes.items():
            candidate = experiment.model_copy(update={"recipe": recipe.model_copy(update=change)})
            expected = expected_first_loss(candidate)
            lines.append(
                {
                    "experiment": experiment.short_label,
                    "candidate": words,
                    "described": words == (described if recipe.l2 else "no L2 penalty"),
                    "expected": expected,
                    "logged": np.nan if logged is None else logged,
                    "fits": logged is not None and first_loss_fits(expected, logged),
                }
            )
    return pd.DataFrame(lines)


def first_loss_table(candidates: pd.DataFrame) -> pd.DataFrame:
    """Write the candidates as text: which network is described, which one fits what was logged."""
    open_to_reading = np.where(candidates["candidate"] == ALONE, " (one reading of the text)", " (as described)")
    described = np.where(candidates["described"], open_to_reading, "")
    return pd.DataFrame(
        {
            "network": candidates["experiment"] + ": " + candidates["candidate"] + described,
            "expected": candidates["expected"].map(lambda x: f"{x:.2f}"),
            "logged": candidates["logged"].map(lambda x: number(x, 3)),
            "residual": (candidates["logged"] - candidates["expected"]).map(lambda x: signed(x, 2)),
            "fits": np.where(candidates["fits"], "✓ fits", "excluded"),
        }
    )


def both_ways(profile: Profile) -> pd.DataFrame:
    """Tabulate the rows that were run otherwise than described: val accuracy of every run of both variants, in %.

    row, variant, val (tuple over seeds), paper; the baseline is the first line, with the variant "same".
    """
    lines = []
    split = {(e.group, e.row) for e in load_matrix().experiments if e.paper and e.variant == "as run"}
    for experiment in load_matrix().experiments:
        if experiment.name != "baseline" and (experiment.group, experiment.row) not in split:
            continue
        assert experiment.paper
        lines.append(
            {
                "row": experiment.short_label,
                "variant": experiment.variant,
                "val": tuple(100 * run.score().accuracy for run in find_runs(profile, [experiment])),
                "paper": experiment.paper.val,
            }
        )
    return pd.DataFrame(lines)


# ---- the table -----------------------------------------------------------------------------------


def table_against_logs() -> pd.DataFrame:
    """Say where Table 1 and the last logged check differ, row by row; in %."""
    lines = []
    for experiment in published():
        paper, author = experiment.paper, experiment.author
        assert paper and author  # noqa: PT018
        figures = [("train", paper.train, author.train), ("val", paper.val, author.val)]
        differ = [f"{s}: {p:g} printed, {a:g} logged" for s, p, a in figures if a is not None and a != p]
        words = "; ".join(differ) or ("the same" if author.val is not None else "no log was published")
        lines.append({"row": experiment.row or experiment.group, "run": author.run, "table and log": words})
    return pd.DataFrame(lines)


def granularity() -> pd.DataFrame:
    """Tabulate each val figure of Table 1 with the Wilson interval of 250 episodes and its gap to the baseline.

    row, val, correct (of 250, NaN where the figure is no multiple of 0.4), low, high, difference, half_width (the 95 %
    one of the difference), clear (bool)
    """
    figures = {e.short_label: e.paper.val for e in published() if e.paper}
    baseline = figures["Baseline"]
    found = pd.DataFrame({"row": list(figures), "val": list(figures.values())})
    counts = found["val"] / 100 * PAPER_EPISODES
    scores = [wilson(round(count), PAPER_EPISODES) for count in counts]
    found = found.assign(
        correct=counts.round().where((counts - counts.round()).abs() < 1e-6),
        low=[100 * score.low for score in scores],
        high=[100 * score.high for score in scores],
        difference=found["val"] - baseline,
        half_width=[resolution(val, baseline) for val in found["val"]],
    )
    return found.assign(clear=found["difference"].abs() > found["half_width"])


# ---- zero kernels --------------------------------------------------------------------------------


def moved_weights(profile: Profile, split: Split, seed: int = 0) -> pd.DataFrame:
    """Train the zero-initialized network for a few updates, and say which of its weights moved, and how far."""
    from ..models.siamese import build_model
    from ..training.intervals import interval_of
    from ..training.loop import pairs_of_steps

    model = build_model("zero-initialization", profile, seed)
    before = {v.path: np.array(v.value) for v in model.trainable_variables}
    interval_of(model, split.images)(*pairs_of_steps(split, seed, 32, 0, UPDATES))
    moved: dict[str, list[np.ndarray]] = {}
    for variable in model.trainable_variables:
        *_, layer, kind = variable.path.split("/")
        where = "head" if layer == HEAD else "backbone"
        change = np.abs(np.array(variable.value) - before[variable.path])
        moved.setdefault(f"{where}: {KINDS.get(kind, kind)}", []).append(change.ravel())
    changes = [np.concatenate(parts) for parts in moved.values()]
    return pd.DataFrame(
        {
            "weights": list(moved),
            "how many": [f"{len(change):,}" for change in changes],
            f"largest change in {UPDATES} updates": [f"{change.max():.2g}" for change in changes],
        }
    )
