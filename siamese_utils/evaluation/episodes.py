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

from ..data.dataset import Split
from ..errors import ParamsError

Protocol = Literal["author", "strict"]


@dataclass(frozen=True)
class Episodes:
    """Which images meet in which episode.

    query    (n_episodes, 2) int: class and drawer of the query
    support  (n_episodes, n_way, n_shot, 2) int: class and drawer of each support image
    target   (n_episodes,) int: the way that holds the query's class
    protocol decides how ties count
    starts   (classes,) int, the row of each class's first image, where classes differ in size; None where they do not
    """

    query: np.ndarray
    support: np.ndarray
    target: np.ndarray
    protocol: Protocol
    starts: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.target)

    @property
    def n_way(self) -> int:
        return int(self.support.shape[1])


def draw_episodes(
    split: Split,
    *,
    protocol: Protocol = "strict",
    n_way: int = 20,
    n_shot: int = 1,
    n_episodes: int = 1000,
    seed: int | Sequence[int] = 0,
) -> Episodes:
    """Draw episodes from a split; the same seed gives every model the same episodes.

    split       whose classes and images they show
    protocol    "strict", or "author": as the paper's author ran it, by his public training notebook (see the module)
    n_way       classes in a support set;  n_shot: support images of each;  n_episodes: how many are drawn
    seed        of the draw: a whole number, or several

    The result holds query (n_episodes, 2), support (n_episodes, n_way, n_shot, 2) and target (n_episodes,), all int.
    Where classes differ in how many images they have, nobody says who made which: under "strict", the support of the
    query's class is then other images than the query.

    Raises ParamsError where there is no such protocol, a number is below 1, or the split is too small for it.

    >>> draw_episodes(load_dataset("demo").val, n_way=5, n_episodes=3).support.shape
    (3, 5, 1, 2)
    """
    if protocol not in ("author", "strict"):
        raise ParamsError(f"no protocol {protocol!r}: choose author or strict.")
    if min(n_way, n_shot, n_episodes) < 1:
        raise ParamsError(f"{n_episodes} episodes, {n_way}-way {n_shot}-shot: give 1 or more of each.")
    strict, fewest = protocol == "strict", min(split.sizes)
    if strict and (n_way > split.classes or n_shot > fewest - 1):
        raise ParamsError(
            f"{n_way}-way {n_shot}-shot episodes need at least {n_way} classes of {n_shot + 1} images by different "
            f"drawers, but there are {split.classes}, the smallest with {fewest}: lower n_way or n_shot."
        )
    rng = np.random.default_rng(seed)
    target, row = rng.integers(0, n_way, n_episodes), np.arange(n_episodes)
    if strict:
        support_class = _distinct(rng, split.classes, n_way, n_episodes)
    else:
        support_class = rng.integers(0, split.classes, (n_episodes, n_way))
    query_class = support_class[row, target]
    draw_images = _images_by_drawer if split.counts is None else _images_by_class
    query, support = draw_images(rng, split, strict, support_class, target, n_shot)
    return Episodes(
        query=np.stack([query_class, query], axis=-1),
        support=np.stack([np.repeat(support_class[..., None], n_shot, axis=-1), support], axis=-1),
        target=target,
        protocol=protocol,
        starts=None if split.counts is None else split.starts,
    )


def is_correct(similarities: np.ndarray, episodes: Episodes) -> np.ndarray:
    """Say which episodes were answered correctly: similarities (n_episodes, n_way, n_shot) → (n_episodes,) bool.

    A way's similarity is the mean over its shots. Under "author" the first largest way is the answer; under "strict"
    the target must be larger than every other way. A similarity that is not a number is never a correct answer.
    """
    by_way: np.ndarray = similarities.mean(axis=-1)
    row = np.arange(len(episodes))
    of_target = by_way[row, episodes.target]
    if episodes.protocol == "author":
        answer = np.where(np.isnan(by_way), -np.inf, by_way).argmax(axis=1)
        correct: np.ndarray = (answer == episodes.target) & ~np.isnan(of_target)
        return correct
    rivals = by_way.copy()
    rivals[row, episodes.target] = -np.inf
    # False wherever a NaN takes part
    larger: np.ndarray = of_target > rivals.max(axis=1)
    return larger


def _images_by_drawer(
    rng: np.random.Generator, split: Split, strict: bool, support_class: np.ndarray, target: np.ndarray, n_shot: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw who drew the queries (n_episodes,) and the support (…, n_way, n_shot), the same drawers in every class."""
    shape = (*support_class.shape, n_shot)
    query = rng.integers(0, split.drawers, len(target))
    if not strict:
        return query, rng.integers(0, split.drawers, shape)
    # different drawers for the shots of a way, none of them the query's: skip over the query's number
    others = _distinct(rng, split.drawers - 1, n_shot, support_class.size).reshape(shape)
    return query, others + (others >= query[:, None, None])


def _images_by_class(
    rng: np.random.Generator, split: Split, strict: bool, support_class: np.ndarray, target: np.ndarray, n_shot: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the same for classes of different sizes, whose images have no drawers."""
    counts, row = np.array(split.sizes), np.arange(len(target))
    query, left = rng.integers(counts[support_class[row, target]]), counts[support_class]
    if not strict:
        return query, rng.integers(0, left[..., None], (*support_class.shape, n_shot))
    # different images for the shots of a way, none of them the query: skip over the numbers that are taken
    taken = np.full((*support_class.shape, n_shot + 1), counts.max())
    taken[row, target, 0] = query
    left[row, target] -= 1
    for shot in range(n_shot):
        drawn = rng.integers(left - shot)
        for earlier in np.moveaxis(np.sort(taken), -1, 0):
            drawn += drawn >= earlier
        taken[..., shot + 1] = drawn
    return query, taken[..., 1:]


def _distinct(rng: np.random.Generator, population: int, size: int, rows: int) -> np.ndarray:
    """Draw (rows, size) int: each row `size` different numbers below `population`, uniform, in random order.

    A partial Fisher-Yates shuffle over all rows at once: step i swaps place i with a random place from i on. Of a large
    population only the places that are drawn are kept: place i as column i, the others behind those.
    """
    drawn = np.stack([rng.integers(place, population, rows) for place in range(size)], axis=1)
    row = np.arange(rows)
    if size**2 >= population:
        numbers = np.tile(np.arange(population), (rows, 1))
    else:
        numbers = np.concatenate([np.tile(np.arange(size), (rows, 1)), drawn], axis=1)
        # one place has one column: its first draw's
        first = (drawn[:, :, None] == drawn[:, None, :]).argmax(axis=2)
        drawn = np.where(drawn < size, drawn, size + first)
    for place, other in enumerate(drawn.T):
        numbers[row, place], numbers[row, other] = numbers[row, other], numbers[row, place].copy()
    return numbers[:, :size]
