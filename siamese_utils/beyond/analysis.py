"""A closer look at a trained model: a map of its embeddings, nearest neighbours, mistakes, and more shots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd

from ..data.dataset import Split
from ..evaluation.accuracy import predict_episodes, score_of, similarities, similarity, similarity_of_rows
from ..evaluation.episodes import Episodes, draw_episodes, is_correct

if TYPE_CHECKING:
    import keras

# class and drawer of an image
Item: TypeAlias = tuple[int, int]
# images that are shown beside a query
NEAREST = 8
# pairs of classes that are compared drawing by drawing
CANDIDATES = 200


def tsne_positions(embeddings: np.ndarray, seed: int = 0) -> np.ndarray:
    """Map the classes by t-SNE: (classes, drawers, d) → (classes, 2); near is alike, far means little.

    Each class is the mean direction of its images. Source: L. van der Maaten and G. Hinton, JMLR 9, 2008; computed by
    scikit-learn, with cosine distances.
    """
    from sklearn.manifold import TSNE

    unit = embeddings / np.maximum(np.linalg.norm(embeddings, axis=-1, keepdims=True), 1e-9)
    means = unit.mean(axis=1)
    perplexity = min(15.0, (len(means) - 1) / 3)
    map_of = TSNE(perplexity=perplexity, metric="cosine", init="random", random_state=seed)
    return np.asarray(map_of.fit_transform(means))


def nearest_images(model: keras.Model, embeddings: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Find the images most similar to each query among all drawings by other people, the most similar first.

    queries (rows, 2): class and drawer → (rows, NEAREST, 2)
    """
    classes, drawers, _ = embeddings.shape
    flat = embeddings.reshape(classes * drawers, -1)
    drawer = np.tile(np.arange(drawers), classes)
    found = []
    for query in queries:
        own = np.broadcast_to(embeddings[query[0], query[1]], flat.shape)
        values = np.where(drawer == query[1], -np.inf, similarity(model, own, flat))
        best = np.argsort(-values, kind="stable")[:NEAREST]
        found.append(np.stack(np.divmod(best, drawers), axis=1))
    return np.array(found)


def mistakes(model: keras.Model, embeddings: np.ndarray, episodes: Episodes) -> list[tuple[Item, Item, Item]]:
    """List the 1-shot episodes that are answered wrongly: query, right answer, given answer, in their order.

    Where a tie is wrong, the answer given is the rival that ties.
    """

    def item(pair: np.ndarray) -> Item:
        return int(pair[0]), int(pair[1])

    query, support = episodes.query, episodes.support[:, :, 0]
    values = similarities(model, embeddings, episodes)[..., 0]
    rivals = values.copy()
    rivals[np.arange(len(episodes)), episodes.target] = -np.inf
    wrong = []
    for number in np.flatnonzero(~is_correct(values[..., None], episodes)):
        right, given = support[number, episodes.target[number]], support[number, rivals[number].argmax()]
        wrong.append((item(query[number]), item(right), item(given)))
    return wrong


def hardest_pairs(model: keras.Model, embeddings: np.ndarray, count: int) -> list[tuple[tuple[int, int], float]]:
    """Find the `count` pairs of classes that are hardest to tell apart, and the error rate between the two alone.

    A drawing of one is compared with one example of each, by all drawers but the query's own for its class: guessing is
    0.5, and a tie counts as that. Only the `CANDIDATES` pairs whose mean embeddings are most alike are tried.
    """
    classes, drawers, _ = embeddings.shape
    left, right = np.triu_indices(classes, 1)
    alike = similarity_of_rows(model, embeddings.mean(axis=1), left, right)
    first, second = np.indices((2 * drawers, 2 * drawers)).reshape(2, -1)
    found = []
    for number in np.argsort(-alike, kind="stable")[:CANDIDATES]:
        pair = int(left[number]), int(right[number])
        images = embeddings[list(pair)].reshape(2 * drawers, -1)
        values = similarity_of_rows(model, images, first, second).reshape(2, drawers, 2, drawers)
        errors = [_part_wrong(values[own, :, own], values[own, :, 1 - own]) for own in (0, 1)]
        found.append((pair, float(np.mean(errors))))
    return sorted(found, key=lambda pair: -pair[1])[:count]


def _part_wrong(same: np.ndarray, other: np.ndarray) -> float:
    """Compute how often the other class's example is nearer, from (drawers, drawers) similarities to own and other."""
    differ = ~np.eye(len(same), dtype=bool)
    # (query, own example, the other's)
    margin = same[:, :, None] - other[:, None]
    return float(np.mean((margin < 0)[differ] + 0.5 * (margin == 0)[differ]))


def accuracy_by_shots(
    model: keras.Model,
    split: Split,
    embeddings: np.ndarray,
    shots: Sequence[int],
    *,
    n_way: int,
    n_episodes: int,
    seed: int,
) -> pd.DataFrame:
    """Measure strict accuracy by number of shots, a line each: shots; accuracy, low and high in %.

    embeddings (classes, drawers, d) of the split; numbers of shots that the drawers do not suffice for are left out. A
    class's similarity to the query is the mean over its examples, the interval is Wilson's at 95 %.
    """
    lines = []
    for n_shot in (n for n in shots if n < split.drawers):
        drawn = draw_episodes(split, n_way=n_way, n_shot=n_shot, n_episodes=n_episodes, seed=seed)
        score = score_of(predict_episodes(model, embeddings, drawn))
        lines.append((n_shot, 100 * score.accuracy, 100 * score.low, 100 * score.high))
    return pd.DataFrame(lines, columns=["shots", "accuracy", "low", "high"])
