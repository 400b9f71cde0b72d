"""Tables for the notebooks: what the dataset holds, how the protocols differ, how steady a training was, k ways.

Accuracies in these tables are in %. Nothing here trains anything or imports Keras. Table 1 is in `table1`.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from ..data.dataset import Dataset, Split
from ..evaluation.accuracy import wilson
from ..evaluation.episodes import Protocol, draw_episodes
from ..evidence.leakage import flags
from ..models.summary import layers_table as layers_table
from ..text import number, signed
from ..training.runs import Run

# that the protocols are counted over
N_EPISODES = 20_000
# checks that the end of a training is judged by
LAST = 10


def dataset_counts(dataset: Dataset) -> pd.DataFrame:
    """Count each split's alphabets, characters, drawers and images, beside the paper's counts (Section 1.1)."""
    paper = {"train": (30, 964, 19_280), "val": (20, 659, 13_180)}
    lines = []
    for name, (alphabets, characters, images) in paper.items():
        split = dataset.split(name)
        lines.append(
            {
                "split": name,
                "alphabets": len(set(split.alphabets)),
                "characters": split.classes,
                "drawers": split.drawers,
                "images": f"{split.classes * split.drawers:,}",
                "paper: alphabets": alphabets,
                "paper: characters": characters,
                "paper: images": f"{images:,}",
            }
        )
    return pd.DataFrame(lines)


def protocols(split: Split, seed: int = 0) -> pd.DataFrame:
    """Count how the two protocols' episodes differ, over freshly drawn ones; shares in %."""
    lines = []
    names: tuple[Protocol, ...] = ("author", "strict")
    for protocol in names:
        drawn = draw_episodes(split, protocol=protocol, n_episodes=N_EPISODES, seed=seed)
        itself, twin = flags(drawn)
        lines.append(
            {
                "protocol": protocol,
                "the query is its own support": f"{100 * itself.mean():.1f} %",
                "the query's class stands there twice": f"{100 * twin.mean():.1f} %",
                "a tie for the largest similarity": "the first wins" if protocol == "author" else "wrong",
            }
        )
    return pd.DataFrame(lines)


def checks(runs: Iterable[Run]) -> pd.DataFrame:
    """Show how steady the training was: accuracies in % at the checks, a line a run.

    The last checks are ten at most, that at iteration 0 left out.
    """
    lines = []
    for run in runs:
        val, train = (100 * run.history[f"{split}_accuracy"] for split in ("val", "train"))
        end = val[run.history["iteration"] > 0].tail(LAST)
        lines.append(
            {
                "experiment": run.experiment.label,
                "seed": run.seed,
                "val, final check": number(val.iloc[-1]),
                "val, best check": number(val.max()),
                "val, last checks, range": f"{end.min():.1f} to {end.max():.1f}" if len(end) else "–",
                "drops between checks": f"{int((val.diff() < 0).sum())} of {len(val) - 1}",
                "train − val, last checks, mean": signed(train[end.index].mean() - end.mean()) if len(end) else "–",
            }
        )
    return pd.DataFrame(lines)


def weights(runs: Iterable[Run]) -> pd.DataFrame:
    """Show where the runs that recorded their weights have come: network, seed, iteration, and at its check length of
    the weights, saturated (of embedding values) and val, in %."""
    lines = []
    for run in runs:
        if "kernel_norm" in run.history:
            last = run.history.iloc[-1]
            lines.append(
                {
                    "network": run.experiment.label,
                    "seed": run.seed,
                    "iteration": int(last["iteration"]),
                    "length of the weights": float(last["kernel_norm"]),
                    "saturated, %": 100 * float(last["saturated"]),
                    "val, %": 100 * float(last["val_accuracy"]),
                }
            )
    return pd.DataFrame(lines)


def prediction_table(rows: pd.DataFrame, mine: Sequence[float | None]) -> tuple[pd.DataFrame, str]:
    """Set a prediction beside the paper's differences and ours, and score it in a sentence.

    rows  of a Board;  mine  (rows,) the predicted differences to the baseline in points; None for none
    """
    guesses = pd.Series([np.nan if guess is None else guess for guess in mine], rows.index, dtype=float)
    table = pd.DataFrame(
        {
            "experiment": rows["label"],
            "my prediction": [signed(guess) if guess == guess else "–" for guess in guesses],
            "paper": [signed(gap) if gap == gap else "–" for gap in rows["paper_difference"]],
            "here": [signed(gap) if gap == gap else "not run" for gap in rows["difference"]],
        }
    )
    # the same rows for both: those that were predicted, or all without a prediction
    scored = (
        rows["difference"].notna() & rows["paper_difference"].notna() & (guesses.notna() | bool(guesses.isna().all()))
    )
    off = [float((given - rows["difference"])[scored].abs().mean()) for given in (guesses, rows["paper_difference"])]
    if not scored.any():
        score = "Nothing has run yet that could score it."
    elif guesses.isna().all():
        score = f"No prediction was made. As a prediction, Table 1 misses ours by {off[1]:.1f} points on average."
    else:
        score = f"My prediction misses by {off[0]:.1f} points on average; the paper’s Table 1 by {off[1]:.1f}."
    return table, score


def pooled(scores: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Average scores of `training.runs.tidy` over seeds: `by`, accuracy, and Wilson 95 % interval (low, high).

    All seeds answer the same episodes: these count once, however many seeds there are.
    """
    means = scores.groupby(by, sort=False)[["correct", "episodes"]].mean().reset_index()
    found = [wilson(round(c), round(n)) for c, n in zip(means["correct"], means["episodes"], strict=True)]
    return means.assign(accuracy=[s.accuracy for s in found], low=[s.low for s in found], high=[s.high for s in found])


def k_way_table(scores: pd.DataFrame) -> pd.DataFrame:
    """Tabulate accuracy on val for every k, a column a protocol, with chance; of `training.runs.tidy`, seeds pooled."""
    shown = pooled(scores[scores["split"] == "val"], ["protocol", "ways"])
    percents = 100 * shown[["accuracy", "low", "high"]]
    shown["words"] = [f"{value:.1f} ({low:.1f}–{high:.1f})" for value, low, high in percents.to_numpy()]
    table = shown.pivot_table("words", "ways", "protocol", aggfunc="first").add_suffix(" protocol")
    table["chance"] = [f"{100 / k:.1f}" for k in table.index]
    return table.rename_axis(index="k", columns=None).reset_index()
