"""The two leaks of the author's episodes, exactly: a query that meets itself, and its class twice in the support.

The author draws the N classes of an episode with replacement and every sample uniformly over the D drawers. So the
target's image is the query itself once in D episodes, and each of the N − 1 others is a uniform draw from all M images.
For one query and one target image, with L images less similar to the query than the target and E equally similar (the
target among them), the first of the largest wins: those before it must be less similar, those after it may be equal.
The target's place t is uniform over 0 … N − 1, so the expected accuracy is

    P = 1/N · Σ_t (L/M)^t · ((L + E)/M)^(N−1−t)

averaged over queries and target images. Leaving out the target that is the query, or the query's class from the other
draws, gives the same without one leak or both. Nothing is simulated, and nothing approximated.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..config import Profile
from ..evaluation.accuracy import embed_split, similarity, wilson
from ..evaluation.episodes import Episodes, draw_episodes
from ..text import number, signed
from ..training.runs import Run, final_seed

if TYPE_CHECKING:
    import keras

    from ..data.dataset import Split


@dataclass(frozen=True)
class Leaks:
    """Expected accuracies of the author's episodes, and of the same without a leak; fractions."""

    author: float
    without_self: float  # the target's image is never the query
    without_twins: float  # the other N − 1 images are never of the query's class
    without_both: float


def expected_accuracy(similarities: np.ndarray, queries: np.ndarray, ways: int = 20) -> Leaks:
    """The exact expected accuracy of the author's episodes over the given queries.

    similarities  (queries, classes, drawers): each query's similarity to every image of the split
    queries       (queries, 2) int: class and drawer of each query
    """
    found: dict[str, list[float]] = {field.name: [] for field in fields(Leaks)}
    for row, (label, drawer) in zip(similarities, queries, strict=True):
        of_class = row[label]
        every = np.sort(row, axis=None)
        others = np.sort(np.delete(row, label, axis=0), axis=None)
        with_twins = _wins(of_class, every, ways)
        without_twins = _wins(of_class, others, ways)
        not_self = np.arange(len(of_class)) != drawer
        found["author"].append(with_twins.mean())
        found["without_self"].append(with_twins[not_self].mean())
        found["without_twins"].append(without_twins.mean())
        found["without_both"].append(without_twins[not_self].mean())
    return Leaks(**{name: float(np.mean(values)) for name, values in found.items()})


def _wins(targets: np.ndarray, pool: np.ndarray, ways: int) -> np.ndarray:
    """How likely each target wins against ways − 1 uniform draws from a sorted pool, the first of a tie winning."""
    less = np.searchsorted(pool, targets, side="left") / len(pool)
    not_more = np.searchsorted(pool, targets, side="right") / len(pool)
    places = np.arange(ways)[:, None]
    return (less**places * not_more ** (ways - 1 - places)).mean(axis=0)


def flags(episodes: Episodes) -> tuple[np.ndarray, np.ndarray]:
    """Which episodes show the query as its own support image, and which show its class more than once."""
    row = np.arange(len(episodes))
    itself = (episodes.support[row, episodes.target, 0] == episodes.query).all(axis=1)
    same = (episodes.support[:, :, 0, 0] == episodes.query[:, None, 0]).sum(axis=1)
    return itself, same > 1


def measured(runs: Iterable[Run], profile: Profile, split: Split) -> pd.DataFrame:
    """What the leaks did to the finished runs' final episodes on a split, drawn again from their seed; seeds averaged.

    experiment; self, twin, clean: accuracy in % of the episodes with that leak, or with neither; with `_low` and
    `_high` of the Wilson 95 % interval; author, all of them; effect: author − clean, in points.
    """
    drawn = draw_episodes(split, protocol="author", n_episodes=profile.episodes, seed=final_seed("val", 20))
    itself, twin = flags(drawn)
    parts = {"self": itself, "twin": twin & ~itself, "clean": ~itself & ~twin}
    answers: dict[str, list[np.ndarray]] = {}
    for run in (run for run in runs if run.finished):
        answers.setdefault(run.experiment.label, []).append(run.answers()["author/val"])
    lines = []
    for label, by_seed in answers.items():
        mean = np.mean(by_seed, axis=0)
        line: dict[str, object] = {"experiment": label, "author": 100 * mean.mean()}
        for name, part in parts.items():
            score = wilson(round(mean[part].sum()), int(part.sum()))
            line |= {
                name: 100 * float(mean[part].mean()),
                f"{name}_low": 100 * score.low,
                f"{name}_high": 100 * score.high,
            }
        lines.append({**line, "effect": 100 * float(mean.mean() - mean[parts["clean"]].mean())})
    columns = [f"{name}{end}" for name in parts for end in ("", "_low", "_high")]
    return pd.DataFrame(lines, columns=["experiment", "author", *columns, "effect"])


def readable(found: pd.DataFrame) -> pd.DataFrame:
    """`measured` as text."""
    shown: dict[str, object] = {
        "experiment": found["experiment"],
        "all episodes": found["author"].map(number),
    }
    words = {
        "self": "the query is its own support",
        "twin": "its class stands there twice",
        "clean": "neither",
    }
    for name, said in words.items():
        shown[said] = [
            f"{a:.1f} ({low:.1f}–{high:.1f})"
            for a, low, high in zip(found[name], found[f"{name}_low"], found[f"{name}_high"], strict=True)
        ]
    return pd.DataFrame({**shown, "effect of the leaks": found["effect"].map(signed)})


def simulate(
    similarities: np.ndarray, queries: np.ndarray, ways: int, episodes: int, seed: int
) -> dict[str, tuple[int, int]]:
    """Play author's episodes with known similarities: (correct, episodes) of all, and of those without a leak.

    The same names as in `Leaks`. Shapes as in `expected_accuracy`.
    """
    rng = np.random.default_rng(seed)
    count, classes, drawers = similarities.shape
    which, row = rng.integers(0, count, episodes), np.arange(episodes)
    query, target = queries[which], rng.integers(0, ways, episodes)
    support = np.stack(
        [rng.integers(0, classes, (episodes, ways)), rng.integers(0, drawers, (episodes, ways))], axis=-1
    )
    support[row, target, 0] = query[:, 0]
    drawn = Episodes(query, support[:, :, None, :], target, "author")
    seen = similarities[which[:, None], support[..., 0], support[..., 1]]
    correct = seen.argmax(axis=1) == target
    itself, twin = flags(drawn)
    kept = {
        "author": np.ones(episodes, bool),
        "without_self": ~itself,
        "without_twins": ~twin,
        "without_both": ~itself & ~twin,
    }
    return {name: (int(correct[part].sum()), int(part.sum())) for name, part in kept.items()}


def of_model(
    model: keras.Model, split: Split, queries: int, seed: int, ways: int = 20, episodes: int = 100_000
) -> pd.DataFrame:
    """A model's accuracy in the author's episodes, with and without leaks: the formula, and a simulation."""
    drawn = np.random.default_rng(seed).choice(split.classes * split.drawers, queries, replace=False)
    chosen = np.stack(np.divmod(drawn, split.drawers), axis=-1)
    similarities = similarities_to_all(model, split, chosen)
    exact = expected_accuracy(similarities, chosen, ways)
    played = simulate(similarities, chosen, ways, episodes, seed)
    words = {
        "author": "as they are",
        "without_self": "the query never meets itself",
        "without_twins": "its class never stands there twice",
        "without_both": "neither",
    }
    lines = []
    for name, said in words.items():
        score = wilson(*played[name])
        lines.append(
            {
                "the author’s episodes": said,
                "formula": f"{100 * getattr(exact, name):.2f}",
                "simulated": f"{100 * score.accuracy:.2f} ({100 * score.low:.2f} to {100 * score.high:.2f})",
                "effect of what is left out": signed(100 * (exact.author - getattr(exact, name)), 2),
            }
        )
    return pd.DataFrame(lines)


def similarities_to_all(model: keras.Model, split: Split, queries: np.ndarray) -> np.ndarray:
    """Each query's similarity to every image of a split: queries (n, 2) → (n, classes, drawers) float32."""
    embeddings = embed_split(model, split)
    flat = embeddings.reshape(-1, embeddings.shape[-1])
    rows = []
    for label, drawer in queries:
        query = np.broadcast_to(embeddings[label, drawer], flat.shape)
        rows.append(similarity(model, query, flat).reshape(split.classes, split.drawers))
    return np.stack(rows)
