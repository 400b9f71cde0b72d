"""N-way K-shot episodes under two protocols, drawn and scored as arrays, thousands at once.

An episode shows one query image and a support set of N classes with K images each; the answer is the class whose
support images are the most similar to the query.

"author"  what the paper's author ran: N classes drawn WITH replacement, so the true class can stand in the support
          twice; every sample uniform over the drawers, so the query can meet its very self; the answer is the first
          of the largest similarities. Source: the author's public training notebook.
"strict"  N different classes; no support image is by the query's drawer; a tie for the largest similarity is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..errors import ParamsError

Protocol = Literal["author", "strict"]


@dataclass(frozen=True)
class Episodes:
    """Which images meet in which episode.

    query    (episodes, 2) int: class and drawer of the query
    support  (episodes, ways, shots, 2) int: class and drawer of each support image
    target   (episodes,) int: the way that holds the query's class
    protocol decides how ties are judged
    """

    query: np.ndarray
    support: np.ndarray
    target: np.ndarray
    protocol: Protocol

    def __len__(self) -> int:
        return len(self.target)

    @property
    def ways(self) -> int:
        return self.support.shape[1]


def draw_episodes(
    protocol: Protocol,
    *,
    classes: int,
    drawers: int,
    counts: Sequence[int] | None = None,
    ways: int,
    shots: int = 1,
    episodes: int,
    seed: int | list[int],
) -> Episodes:
    """Draw episodes from a split of (classes, drawers) images; the same seed gives every model the same episodes.

    counts  (classes,) how many images each class has, where that differs. Nobody then says who made which: under
            "strict", the support of the query's class is other images than the query.

    Raises ParamsError where the split is too small for the protocol.
    """
    rng = np.random.default_rng(seed)
    if counts is not None:
        return _uneven(rng, protocol, np.asarray(counts), ways, shots, episodes)
    target = rng.integers(0, ways, episodes)
    if protocol == "author":
        support_class = rng.integers(0, classes, (episodes, ways))
        query_drawer = rng.integers(0, drawers, episodes)
        support_drawer = rng.integers(0, drawers, (episodes, ways, shots))
    elif protocol == "strict":
        if ways > classes or shots > drawers - 1:
            raise ParamsError(
                f"{ways}-way {shots}-shot episodes by different drawers need at least {ways} classes and {shots + 1} "
                f"drawers, but there are {classes} and {drawers}: lower ways or shots."
            )
        support_class = _distinct(rng, classes, ways, episodes)
        query_drawer = rng.integers(0, drawers, episodes)
        # `shots` different drawers for every way, none of them the query's: skip over the query's number
        others = _distinct(rng, drawers - 1, shots, episodes * ways).reshape(episodes, ways, shots)
        support_drawer = others + (others >= query_drawer[:, None, None])
    else:
        raise ParamsError(f"no protocol {protocol!r}: choose author or strict.")
    query_class = support_class[np.arange(episodes), target]
    return Episodes(
        query=np.stack([query_class, query_drawer], axis=-1),
        support=np.stack([np.repeat(support_class[..., None], shots, axis=-1), support_drawer], axis=-1),
        target=target,
        protocol=protocol,
    )


def _uneven(
    rng: np.random.Generator, protocol: Protocol, counts: np.ndarray, ways: int, shots: int, episodes: int
) -> Episodes:
    """Episodes from classes of different sizes."""
    strict = protocol == "strict"
    if strict and (ways > len(counts) or shots > counts.min() - 1):
        raise ParamsError(
            f"{ways}-way {shots}-shot episodes need at least {ways} classes of {shots + 1} images, but there are "
            f"{len(counts)}, the smallest with {counts.min()}: lower ways or shots."
        )
    target = rng.integers(0, ways, episodes)
    classes = len(counts)
    support_class = _distinct(rng, classes, ways, episodes) if strict else rng.integers(0, classes, (episodes, ways))
    row = np.arange(episodes)
    query_class = support_class[row, target]
    query = rng.integers(0, counts[query_class])
    order = rng.random((episodes, ways, counts.max())) + (np.arange(counts.max()) >= counts[support_class][..., None])
    if strict:
        order[row, target, query] = np.inf
        images = np.argsort(order, axis=-1)[..., :shots]
    else:
        images = rng.integers(0, counts[support_class][..., None], (episodes, ways, shots))
    return Episodes(
        query=np.stack([query_class, query], axis=-1),
        support=np.stack([np.repeat(support_class[..., None], shots, axis=-1), images], axis=-1),
        target=target,
        protocol=protocol,
    )


def judge(similarities: np.ndarray, episodes: Episodes) -> np.ndarray:
    """Which episodes were answered correctly: similarities (episodes, ways, shots) → (episodes,) bool.

    A way's similarity is the mean over its shots. Under "author" the first largest way is the answer; under "strict"
    the target must be larger than every other way. A similarity that is not a number is never a correct answer.
    """
    by_way = similarities.mean(axis=-1)
    of_target = by_way[np.arange(len(episodes)), episodes.target]
    if episodes.protocol == "author":
        answer = np.where(np.isnan(by_way), -np.inf, by_way).argmax(axis=1)
        return (answer == episodes.target) & ~np.isnan(of_target)
    rivals = by_way.copy()
    rivals[np.arange(len(episodes)), episodes.target] = -np.inf
    return of_target > rivals.max(axis=1)  # False wherever a NaN takes part


def _distinct(rng: np.random.Generator, population: int, size: int, rows: int) -> np.ndarray:
    """(rows, size) int: each row `size` different numbers below `population`, uniform, in random order.

    A partial Fisher-Yates shuffle over all rows at once: step i swaps place i with a random place from i on.
    """
    numbers = np.tile(np.arange(population), (rows, 1))
    row = np.arange(rows)
    for place in range(size):
        other = rng.integers(place, population, rows)
        numbers[row, place], numbers[row, other] = numbers[row, other], numbers[row, place].copy()
    return numbers[:, :size]
