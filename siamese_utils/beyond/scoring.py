"""How good a method's model is: one-shot accuracy, the official benchmark, and the spread of its similarities."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..backend import keras
from ..data import omniglot
from ..data.dataset import Dataset, Split
from ..errors import DataError
from ..evaluation.accuracy import embed_split, similarity_of_rows
from ..evaluation.episodes import Protocol
from ..models.layers import Calibration
from ..training.scores import score_episodes
from . import benchmark

EPISODE_SEED = 3_000
# fewer where a dataset has fewer classes
WAYS = 20

Scores = list[dict[str, Any]]
Answers = dict[str, np.ndarray]


def one_shot_scores(
    model: keras.Model, split: Split, episodes: int, fewer_ways: Sequence[int] = ()
) -> tuple[Scores, Answers]:
    """1-shot 20-way accuracy under both protocols → scores, and protocol → packed answers (episodes,) bool.

    fewer_ways  of further strict scores, whose answers are "strict/<ways>"
    """
    embeddings = embed_split(model, split)
    scores: Scores = []
    answers: Answers = {}
    most = min(WAYS, split.classes)
    asked: list[tuple[str, Protocol, int, list[int]]]
    asked = [("strict", "strict", most, [EPISODE_SEED, 0]), ("author", "author", most, [EPISODE_SEED, 1])]
    asked += [(f"strict/{ways}", "strict", ways, seed_of_ways(ways)) for ways in fewer_ways if ways < most]
    for name, protocol, n_way, seed in asked:
        score, answers[name] = score_episodes(model, split, embeddings, protocol, n_way, episodes, seed)
        scores.append(score)
    return scores, answers


def seed_of_ways(n_way: int) -> list[int]:
    """The seed of the strict episodes of fewer ways than the most: who knows it can draw them again."""
    return [EPISODE_SEED, 0, n_way]


def benchmark_scores(model: keras.Model, dataset: Dataset) -> tuple[Scores, Answers]:
    """The score on Omniglot's official one-shot runs, and the packed answers (400 bits).

    Both are empty for other datasets, and, with a warning, where the runs cannot be had.
    """
    if dataset.fingerprint != omniglot.FINGERPRINT:
        return [], {}
    try:
        runs = benchmark.load()
    except DataError as error:
        warnings.warn(f"the official one-shot runs are left out: {error}", stacklevel=2)
        return [], {}
    score, correct = benchmark.within_alphabet(model, runs)
    entry = {"protocol": "within_alphabet", "ways": benchmark.WAYS, **score.as_dict()}
    return [entry], {"within_alphabet": np.packbits(correct)}


def calibrate(model: keras.Model, split: Split, pairs: int = 20_000) -> keras.Model:
    """The model with a `Calibration`: the spread of its similarities on a split that it was not trained on.

    101 quantiles each, of pairs of one class by two drawers and of pairs of two classes, so many pairs of either.
    """
    embeddings = embed_split(model, split)
    embeddings = embeddings.reshape(-1, embeddings.shape[-1])
    rng = np.random.default_rng([EPISODE_SEED, 9])
    counts = np.array(split.sizes)
    left = rng.integers(0, split.classes, pairs)
    others = (left + rng.integers(1, split.classes, pairs)) % split.classes
    shown = rng.integers(0, counts[left])
    another = (shown + rng.integers(1, counts[left])) % counts[left]
    elsewhere = rng.integers(0, counts[others])

    def quantiles(right: np.ndarray, drawers: np.ndarray) -> list[float]:
        rows = split.starts[left] + shown, split.starts[right] + drawers
        values = similarity_of_rows(model, embeddings, *rows)
        return [float(value) for value in np.quantile(values, np.linspace(0, 1, 101)).round(6)]

    layer = Calibration(quantiles(left, another), quantiles(others, elsewhere), name="calibration")
    return keras.Model(model.inputs, layer(model.outputs[0]), name=model.name)
