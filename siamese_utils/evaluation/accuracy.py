"""How good a model is at N-way K-shot: embed each image once, score all episodes as array work, give an interval."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from ..data.dataset import Split, with_channels
from ..errors import DataError
from .episodes import Episodes, Protocol, draw_episodes, is_correct

if TYPE_CHECKING:
    import keras

# bounds the memory of one block of embedding differences
PAIRS_AT_ONCE = 20_000


@dataclass(frozen=True)
class Score:
    """Accuracy over episodes, with the Wilson 95 % interval; fractions from 0 to 1."""

    accuracy: float
    low: float
    high: float
    correct: int
    episodes: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def score_of(correct: np.ndarray) -> Score:
    """Score (n_episodes,) bool answers."""
    return wilson(int(correct.sum()), len(correct))


def wilson(correct: int, n_episodes: int) -> Score:
    """Compute an accuracy and its 95 % interval by Wilson's score method: E. B. Wilson, JASA 22, 1927.

    correct     how many episodes were answered correctly, 0 to n_episodes
    n_episodes  of how many; ZeroDivisionError for none, ValueError for more correct than there are

    The score's accuracy p = correct / n_episodes and its bounds low and high are fractions from 0 to 1; with
    n = n_episodes and z = 1.96, the bounds are (p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n). SciPy has
    it too, in a module that takes a second to import.

    >>> score = wilson(correct=180, n_episodes=250)
    >>> round(score.low, 3), round(score.high, 3)
    (0.661, 0.772)
    """
    if not 0 <= correct <= n_episodes:
        raise ValueError(f"{correct} of {n_episodes} episodes cannot be correct: give 0 to {n_episodes}")
    p, z = correct / n_episodes, float(ndtri(0.975))
    centre, scale = p + z**2 / (2 * n_episodes), 1 + z**2 / n_episodes
    half_width = z * (p * (1 - p) / n_episodes + z**2 / (4 * n_episodes**2)) ** 0.5
    low = 0.0 if correct == 0 else (centre - half_width) / scale
    high = 1.0 if correct == n_episodes else (centre + half_width) / scale
    return Score(p, low, high, correct, n_episodes)


def embed(model: keras.Model, images: np.ndarray, batch_size: int = 512) -> np.ndarray:
    """Embed images (n, height, width[, colours]) uint8 → (n, d) float32, by the model's backbone.

    Raises DataError for images of another size or type than the model's.
    """
    backbone, images = model.get_layer("backbone"), with_channels(images)
    wanted, given = tuple(backbone.input_shape[1:]), images.shape[1:]
    if given != wanted or images.dtype != np.uint8:
        raise DataError(f"the model takes images of shape {wanted}, uint8, not {given}, {images.dtype}: convert them.")
    parts = []
    for start in range(0, len(images), batch_size):
        part = images[start : start + batch_size]
        # not `predict`: as `fit` does, it runs on one core of two every now and then
        found = backbone.predict_on_batch(_filled_up(part, batch_size))
        parts.append(np.asarray(found, np.float32)[: len(part)])
    return np.concatenate(parts)


def _filled_up(images: np.ndarray, most: int) -> np.ndarray:
    """On JAX, fill up to a power of two, or to `most`: it compiles a network anew for every number of images."""
    # not asked of Keras: a network may be used where there is none
    if os.environ.get("KERAS_BACKEND") != "jax":
        return images
    missing = min(most, 1 << (len(images) - 1).bit_length()) - len(images)
    return np.pad(images, [(0, missing), *[(0, 0)] * (images.ndim - 1)])


def embed_split(model: keras.Model, split: Split, used_by: Episodes | None = None) -> np.ndarray:
    """Embed a split's images → (classes, drawers, d) float32, or (images, d) where classes differ in size.

    used_by  embed only what these episodes use; the others stay zero

    >>> embed_split(build_model("baseline", "demo"), load_dataset("demo").val).shape
    (86, 20, 256)
    """
    flat = split.flat
    if used_by is None:
        embeddings = embed(model, flat)
    else:
        picks = np.concatenate([used_by.query, used_by.support.reshape(-1, 2)])
        used = np.unique(split.starts[picks[:, 0]] + picks[:, 1])
        some = embed(model, flat[used])
        embeddings = np.zeros((len(flat), some.shape[1]), np.float32)
        embeddings[used] = some
    return embeddings if split.counts else embeddings.reshape(split.classes, split.drawers, -1)


def similarity(model: keras.Model, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Compare pairs of embeddings (n, d) each → (n,) float32, larger for more alike.

    By the layers behind the model's backbone: the l1 distance and the head for the paper's models, 1 for "same class".
    """
    behind = [layer for layer in model.layers if layer.name != "backbone" and type(layer).__name__ != "InputLayer"]
    blocks = []
    for start in range(0, len(left), PAIRS_AT_ONCE):
        values = [left[start : start + PAIRS_AT_ONCE], right[start : start + PAIRS_AT_ONCE]]
        for layer in behind:
            values = layer(values)
        blocks.append(np.asarray(values, np.float32)[:, 0])
    return np.concatenate(blocks)


def similarity_of_rows(model: keras.Model, embeddings: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Compute `similarity` of rows of embeddings (n, d): left[i] and right[i], (pairs,) int → (pairs,) float32.

    The rows are taken a block of pairs at a time: those of all at once would be large.
    """
    found = np.empty(len(left), np.float32)
    for start in range(0, len(left), PAIRS_AT_ONCE):
        block = slice(start, start + PAIRS_AT_ONCE)
        found[block] = similarity(model, embeddings[left[block]], embeddings[right[block]])
    return found


def similarities(model: keras.Model, embeddings: np.ndarray, episodes: Episodes) -> np.ndarray:
    """Compare every query with every support image of its episode, by the model's own head.

    Embeddings as `embed_split` gives them → (n_episodes, n_way, n_shot) float32.

    >>> model, val = build_model("baseline", "demo"), load_dataset("demo").val
    >>> similarities(model, embed_split(model, val), draw_episodes(val, n_way=5, n_episodes=3)).shape
    (3, 5, 1)
    """
    starts = episodes.starts
    if starts is None:
        starts = np.arange(embeddings.shape[0]) * embeddings.shape[1]
    query, support = (starts[picks[..., 0]] + picks[..., 1] for picks in (episodes.query, episodes.support))
    beside = np.broadcast_to(query[:, None, None], support.shape)
    found = similarity_of_rows(model, embeddings.reshape(-1, embeddings.shape[-1]), beside.ravel(), support.ravel())
    return found.reshape(support.shape)


def predict_episodes(model: keras.Model, embeddings: np.ndarray, episodes: Episodes) -> np.ndarray:
    """Say which episodes the model answers correctly: embeddings as `embed_split` gives them → (n_episodes,) bool."""
    return is_correct(similarities(model, embeddings, episodes), episodes)


def evaluate(
    model: keras.Model,
    split: Split,
    *,
    protocol: Protocol = "strict",
    n_way: int = 20,
    n_shot: int = 1,
    n_episodes: int = 1000,
    seed: int | Sequence[int] = 0,
) -> Score:
    """Measure a model's N-way K-shot accuracy on a split, a fraction with its Wilson 95 % interval, on fresh episodes.

    model     a siamese model, as `build_model` makes it or a run loads it
    split     whose images (classes, drawers, height, width) uint8 the episodes show, at the model's image size
    protocol, n_way, n_shot, n_episodes, seed  as in `draw_episodes`, which gives their source

    Raises ParamsError as `draw_episodes`, and DataError for images that the model does not take.

    >>> model = build_model("baseline", "demo")
    >>> evaluate(model, load_dataset("demo").val, n_way=5, n_episodes=100).episodes
    100
    """
    drawn = draw_episodes(split, protocol=protocol, n_way=n_way, n_shot=n_shot, n_episodes=n_episodes, seed=seed)
    return score_of(predict_episodes(model, embed_split(model, split, used_by=drawn), drawn))
