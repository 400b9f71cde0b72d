"""The two leaks of the author's episodes, exactly: a query that meets itself, and its class twice in the support.

The author draws the N classes of an episode with replacement and every sample uniformly over the D drawers. So the
target's image is the query itself once in D episodes, and each of the N − 1 others is a uniform draw from all M images.
For one query and one target image, with L images less similar to the query than the target and E equally similar (the
target among them), the first of the largest wins: those before it must be less similar, those after it may be equal.
The target's place t is uniform over 0 … N − 1, so the expected accuracy is

    P = 1/N · Σ_t (L/M)^t · ((L + E)/M)^(N−1−t)

averaged over queries and target images. Leaving out the target that is the query, or the query's class from the other
draws, gives the same without one leak or both.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..config import Profile
from ..data.dataset import Split
from ..evaluation.accuracy import embed_split, similarity_of_rows, wilson
from ..evaluation.episodes import Episodes, draw_episodes
from ..text import signed
from ..training.runs import Run
from ..training.scores import final_seed

if TYPE_CHECKING:
    import keras


N_WAY = 20
# episodes
SIMULATED = 100_000
# what is left out of the author's episodes, and the words for what is left
LEFT_OUT = {
    "author": "as they are",
    "without_self": "the query never meets itself",
    "without_twins": "its class never stands there twice",
    "without_both": "neither",
}


def expected_accuracy(similarities: np.ndarray, queries: np.ndarray, n_way: int = N_WAY) -> dict[str, float]:
    """Compute the exact expected accuracy of the author's episodes over the given queries, a fraction.

    similarities  (queries, classes, drawers): each query's similarity to every image of the split
    queries       (queries, 2) int: class and drawer of each query

    Returns a name of `LEFT_OUT` → accuracy: without_self, the target's image is never the query; without_twins, the
    other images are never of the query's class.
    """
    found: list[list[float]] = []
    for row, (label, drawer) in zip(similarities, queries, strict=True):
        every, others = (np.sort(images, axis=None) for images in (row, np.delete(row, label, axis=0)))
        with_twins, without_twins = (_wins(row[label], pool, n_way) for pool in (every, others))
        not_self = np.arange(row.shape[1]) != drawer
        parts = (with_twins, with_twins[not_self], without_twins, without_twins[not_self])
        found.append([float(wins.mean()) for wins in parts])
    return dict(zip(LEFT_OUT, map(float, np.mean(found, axis=0)), strict=True))


def _wins(targets: np.ndarray, pool: np.ndarray, n_way: int) -> np.ndarray:
    """Compute how likely each target wins over n_way − 1 uniform draws from a sorted pool; the first of a tie wins."""
    less = np.searchsorted(pool, targets, side="left") / len(pool)
    not_more = np.searchsorted(pool, targets, side="right") / len(pool)
    places = np.arange(n_way)[:, None]
    wins: np.ndarray = (less**places * not_more ** (n_way - 1 - places)).mean(axis=0)
    return wins


def flags(episodes: Episodes) -> tuple[np.ndarray, np.ndarray]:
    """Flag the episodes that show the query as its own support image, and those that show its class more than once."""
    row = np.arange(len(episodes))
    itself = (episodes.support[row, episodes.target, 0] == episodes.query).all(axis=1)
    same = (episodes.support[:, :, 0, 0] == episodes.query[:, None, 0]).sum(axis=1)
    return itself, same > 1


def left_in(episodes: Episodes) -> dict[str, np.ndarray]:
    """Select the episodes that are left: a name of `LEFT_OUT` → (n_episodes,) bool."""
    itself, twin = flags(episodes)
    return dict(zip(LEFT_OUT, (np.ones(len(episodes), bool), ~itself, ~twin, ~itself & ~twin), strict=True))


def accuracy_by_leak(runs: Iterable[Run], profile: Profile, split: Split) -> pd.DataFrame:
    """Sort the finished runs' final episodes on a split, drawn again from their seed, by leak; seeds averaged.

    experiment; self, twin, clean: accuracy in % of the episodes with that leak, or with neither; with `_low` and
    `_high` of the Wilson 95 % interval, NaN where no episode is of the kind; author, all of them; effect: author −
    clean, in points.
    """
    drawn = draw_episodes(split, protocol="author", n_episodes=profile.episodes, seed=final_seed("val", N_WAY))
    itself, twin = flags(drawn)
    parts = {"self": itself, "twin": twin & ~itself, "clean": ~itself & ~twin}
    answers: dict[str, list[np.ndarray]] = {}
    for run in (run for run in runs if run.finished):
        answers.setdefault(run.experiment.label, []).append(run.answers()["author/val"])
    lines = []
    for label, by_seed in answers.items():
        mean = np.mean(by_seed, axis=0)
        line: dict[str, Any] = {"experiment": label, "author": 100 * float(mean.mean())}
        for name, part in parts.items():
            line[name] = line[f"{name}_low"] = line[f"{name}_high"] = np.nan
            # few episodes may have none of a kind
            if part.any():
                score = wilson(round(mean[part].sum()), int(part.sum()))
                line[name] = 100 * float(mean[part].mean())
                line |= {f"{name}_low": 100 * score.low, f"{name}_high": 100 * score.high}
        lines.append({**line, "effect": line["author"] - line["clean"]})
    columns = [f"{name}{end}" for name in parts for end in ("", "_low", "_high")]
    return pd.DataFrame(lines, columns=["experiment", "author", *columns, "effect"])


def simulate(
    similarities: np.ndarray, queries: np.ndarray, n_way: int, n_episodes: int, seed: int
) -> dict[str, tuple[int, int]]:
    """Play author's episodes with known similarities: a name of `LEFT_OUT` → (correct, episodes).

    Shapes as in `expected_accuracy`.
    """
    rng = np.random.default_rng(seed)
    count, classes, drawers = similarities.shape
    which, row = rng.integers(0, count, n_episodes), np.arange(n_episodes)
    query, target = queries[which], rng.integers(0, n_way, n_episodes)
    support = np.stack(
        [rng.integers(0, classes, (n_episodes, n_way)), rng.integers(0, drawers, (n_episodes, n_way))], axis=-1
    )
    support[row, target, 0] = query[:, 0]
    seen = similarities[which[:, None], support[..., 0], support[..., 1]]
    correct = seen.argmax(axis=1) == target
    parts = left_in(Episodes(query, support[:, :, None, :], target, "author"))
    return {name: (int(correct[part].sum()), int(part.sum())) for name, part in parts.items()}


def of_model(model: keras.Model, split: Split, queries: int, seed: int) -> pd.DataFrame:
    """Tabulate a model's accuracy in the author's episodes, with and without leaks: the formula, and a simulation."""
    drawn = np.random.default_rng(seed).choice(split.classes * split.drawers, queries, replace=False)
    chosen = np.stack(np.divmod(drawn, split.drawers), axis=-1)
    similarities = similarities_to_all(model, split, chosen)
    exact = expected_accuracy(similarities, chosen, N_WAY)
    lines = []
    for name, played in simulate(similarities, chosen, N_WAY, SIMULATED, seed).items():
        score = wilson(*played)
        lines.append(
            {
                "the author’s episodes": LEFT_OUT[name],
                "formula": f"{100 * exact[name]:.2f}",
                "simulated": f"{100 * score.accuracy:.2f} ({100 * score.low:.2f} to {100 * score.high:.2f})",
                "effect of what is left out": signed(100 * (exact["author"] - exact[name]), 2),
            }
        )
    return pd.DataFrame(lines)


def similarities_to_all(model: keras.Model, split: Split, queries: np.ndarray) -> np.ndarray:
    """Compare each query with every image of a split: queries (n, 2) → similarities (n, classes, drawers) float32."""
    embeddings = embed_split(model, split)
    flat = embeddings.reshape(-1, embeddings.shape[-1])
    every, asked = np.arange(len(flat)), queries[:, 0] * split.drawers + queries[:, 1]
    left, right = np.repeat(asked, len(every)), np.tile(every, len(asked))
    return similarity_of_rows(model, flat, left, right).reshape(-1, split.classes, split.drawers)
