"""How good a method's model is: one-shot accuracy, the official benchmark, and how its similarities are spread."""

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
# of either kind, for the calibration
PAIRS = 20_000

Scores = list[dict[str, Any]]
Answers = dict[str, np.ndarray]


def one_shot_scores(
    model: keras.Model, split: Split, n_episodes: int, fewer_ways: Sequence[int] = ()
) -> tuple[Scores, Answers]:
    """Score 1-shot 20-way episodes under both protocols → scores, and protocol → packed answers (n_episodes,) bool.

    fewer_ways  numbers of ways of further strict scores, whose answers are "strict/<ways>"
    """
    embeddings = embed_split(model, split)
    scores: Scores = []
    answers: Answers = {}
    most = min(WAYS, split.classes)
    asked: list[tuple[str, Protocol, int, list[int]]]
    asked = [("strict", "strict", most, [EPISODE_SEED, 0]), ("author", "author", most, [EPISODE_SEED, 1])]
    asked += [(f"strict/{n_way}", "strict", n_way, seed_of_ways(n_way)) for n_way in fewer_ways if n_way < most]
    for name, protocol, n_way, seed in asked:
        score, answers[name] = score_episodes(model, split, embeddings, protocol, n_way, n_episodes, seed)
        scores.append(score)
    return scores, answers


def seed_of_ways(n_way: int) -> list[int]:
    """Return the seed of the strict episodes of fewer ways than the most, by which they can be drawn again."""
    return [EPISODE_SEED, 0, n_way]


def benchmark_scores(model: keras.Model, dataset: Dataset) -> tuple[Scores, Answers]:
    """Score a model on Omniglot's official one-shot runs → scores, and the packed answers (400 bits).

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


def calibrate(model: keras.Model, split: Split) -> keras.Model:
    """Add a `Calibration` to a model: how its similarities are spread on a split that it was not trained on.

    101 quantiles each, of `PAIRS` pairs of one class by two drawers, and of as many pairs of two classes.
    """
    embeddings = embed_split(model, split)
    embeddings = embeddings.reshape(-1, embeddings.shape[-1])
    rng = np.random.default_rng([EPISODE_SEED, 9])
    counts = np.array(split.sizes)
    left = rng.integers(0, split.classes, PAIRS)
    others = (left + rng.integers(1, split.classes, PAIRS)) % split.classes
    shown = rng.integers(0, counts[left])
    another = (shown + rng.integers(1, counts[left])) % counts[left]
    elsewhere = rng.integers(0, counts[others])

    def quantiles(right: np.ndarray, drawers: np.ndarray) -> list[float]:
        rows = split.starts[left] + shown, split.starts[right] + drawers
        values = similarity_of_rows(model, embeddings, *rows)
        return [float(value) for value in np.quantile(values, np.linspace(0, 1, 101)).round(6)]

    layer = Calibration(quantiles(left, another), quantiles(others, elsewhere), name="calibration")
    return keras.Model(model.inputs, layer(model.outputs[0]), name=model.name)
