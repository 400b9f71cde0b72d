"""The built-in dataset: handwriting of invented alphabets, drawn by a seeded program; nothing is downloaded.

It has Omniglot's form (binary images, twenty drawers a character, splits that share no alphabet) but is not
Omniglot: figures and pages made from it say so. An alphabet is a set of anchor points, preferred directions
and favourite primitives; a character is one to four pen strokes, each a chain of primitives from anchor to
anchor; a drawer is a hand with its own slant, scale, aspect, tremor, rounding, pen and offset, plus what
differs from drawing to drawing.

The pixels are meant to be the same everywhere: randomness is `Generator.random` alone, points are rounded to
1/16 pixel before anything is inked, and the pen is a disc tested in whole numbers, so that a last-digit
difference between two mathematics libraries does not reach the image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .dataset import Dataset, Split, fingerprint

GENERATOR_VERSION = 1  # raise it whenever the drawn pixels change

SPACING = 0.008  # distance of a stroke's points, as a share of the character's box
TREMOR_WAVES = 14  # cosines of a stroke's deviation: the first three are drift, the others tremor
SUBPIXELS = 16
TOO_ALIKE = 0.55  # correlation of blurred characters above which the later one is thrown away
T = np.linspace(0.0, 1.0, 49)


def _frame(x: np.ndarray | list[float], y: np.ndarray | list[float]) -> np.ndarray:
    return np.stack([np.asarray(x, float), np.asarray(y, float)], axis=-1)


def _hook(bulge: float) -> np.ndarray:
    turn, radius = 1.3 * np.pi * T, 0.1 + 0.25 * bulge
    return np.concatenate([[[0.0, 0.0]], _frame(1 + radius * np.sin(turn), radius * (1 - np.cos(turn)))])


def _loop(bulge: float) -> np.ndarray:
    turn, radius = 2 * np.pi * np.clip((T - 0.25) / 0.5, 0, 1), 0.1 + 0.35 * bulge
    return _frame(T + radius * np.sin(turn), radius * (1 - np.cos(turn)))


# Primitives: (points, 2) from (0, 0) towards (1, 0), given how far they bulge (0.25 to 0.6) to the side.
PRIMITIVES: dict[str, Callable[[float], np.ndarray]] = {
    "line": lambda bulge: _frame([0, 1], [0, 0]),
    "arc": lambda bulge: _frame(T, 4 * bulge * T * (1 - T)),
    "bowl": lambda bulge: _frame(0.5 - 0.5 * np.cos(np.pi * T), (0.3 + bulge) * np.sin(np.pi * T)),
    "wave": lambda bulge: _frame(T, 0.7 * bulge * np.sin(2 * np.pi * T)),
    "corner": lambda bulge: _frame([0, 0.5, 1], [0, 1.3 * bulge, 0]),
    "bracket": lambda bulge: _frame([0, 0, 1, 1], [0, bulge, bulge, 0]),
    "step": lambda bulge: _frame([0, 0.5, 0.5, 1], [0, 0, bulge, bulge]),
    "zigzag": lambda bulge: _frame([0, 0.2, 0.5, 0.8, 1], [0, 0.7 * bulge, -0.7 * bulge, 0.7 * bulge, 0]),
    "hook": _hook,
    "loop": _loop,
    "ring": lambda bulge: _frame(0.5 - 0.5 * np.cos(2 * np.pi * T), bulge * np.sin(2 * np.pi * T)),
    "spiral": lambda bulge: _frame(
        0.5 - 0.5 * (1 - 0.85 * T) * np.cos(3.5 * np.pi * T), 0.5 * (1 - 0.85 * T) * np.sin(3.5 * np.pi * T)
    ),
}
ENDINGS = {"hook", "ring", "spiral"}  # the pen is lifted after these


@dataclass(frozen=True)
class Alphabet:
    """What an alphabet's characters share.

    anchors     (anchors, 2) where strokes start and end, in a box of 1 × 1, y downwards
    directions  (directions, 2) unit vectors that strokes prefer
    favourites  names of primitives, the likeliest first
    strokes     (4,) weights of one to four strokes
    chain, attach, dots  chances of not lifting the pen, of starting on an earlier stroke, of adding a dot
    """

    anchors: np.ndarray
    directions: np.ndarray
    favourites: tuple[str, ...]
    strokes: np.ndarray
    chain: float
    attach: float
    dots: float


@dataclass(frozen=True)
class Hands:
    """The constant habits of some drawers; one row a drawer, lengths as a share of the image's side.

    transform  (drawers, 2, 2) scale, aspect, slant and rotation
    offset     (drawers, 2) from the middle of the paper
    waves      (drawers, TREMOR_WAVES) size of drift and tremor, by frequency
    rounding   (drawers,) 0 angular to 1 round
    pen        (drawers,) radius
    bend       (drawers, 2) curvature of what should be straight
    """

    transform: np.ndarray
    offset: np.ndarray
    waves: np.ndarray
    rounding: np.ndarray
    pen: np.ndarray
    bend: np.ndarray


def _bell(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Bell-shaped numbers, mean 0 and variance 1, at most 3.5, from uniforms only."""
    bell: np.ndarray = (rng.random((4, *shape)).sum(axis=0) - 2) * np.sqrt(3.0)
    return bell


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    return low + (high - low) * rng.random()


def _pick(rng: np.random.Generator, weights: np.ndarray) -> int:
    """An index, drawn in proportion to its weight."""
    edges = np.cumsum(weights)
    return min(int(np.searchsorted(edges, rng.random() * edges[-1], side="right")), len(edges) - 1)


def _invent_alphabet(rng: np.random.Generator) -> Alphabet:
    if rng.random() < 0.3:  # anchors on a ring around the middle, or else on a grid
        turn = 2 * np.pi * (np.arange(7) / 7 + rng.random())
        anchors = np.concatenate([[[0.5, 0.5]], _frame(0.5 + 0.42 * np.cos(turn), 0.5 + 0.42 * np.sin(turn))])
    else:
        columns, rows = [(2, 3), (3, 3), (3, 2), (2, 4), (3, 4)][_pick(rng, np.ones(5))]
        x, y = np.meshgrid(np.linspace(0.1, 0.9, columns), np.linspace(0.1, 0.9, rows))
        anchors = _frame(x.ravel(), y.ravel()) * [_between(rng, 0.6, 1.0), _between(rng, 0.75, 1.0)]
    angles = np.pi * (np.array([0.5, 0.0, 0.25]) + 0.08 * _bell(rng, 3) + 0.5 * (rng.random(3) < 0.2))
    names = list(PRIMITIVES)
    order = np.argsort(rng.random(len(names)), kind="stable")
    return Alphabet(
        anchors=anchors + 0.03 * _bell(rng, *anchors.shape),
        directions=_frame(np.cos(angles), np.sin(angles)),
        favourites=tuple(names[i] for i in order[: 3 + _pick(rng, np.ones(3))]),
        strokes=np.array([0.2, 0.4, 0.3, 0.1]) * (0.5 + rng.random(4)),
        chain=_between(rng, 0.3, 0.65),
        attach=_between(rng, 0.4, 0.9),
        dots=_between(rng, -0.15, 0.25),
    )


def _resample(points: np.ndarray) -> np.ndarray:
    """The same polyline, (n, 2), with points SPACING apart."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    at = np.linspace(0.0, along[-1], max(2, int(np.ceil(along[-1] / SPACING - 1e-6)) + 1))
    return _frame(np.interp(at, along, points[:, 0]), np.interp(at, along, points[:, 1]))


def _invent_stroke(rng: np.random.Generator, alphabet: Alphabet, start: np.ndarray) -> np.ndarray:
    """One to three primitives in a row without lifting the pen, (n, 2)."""
    pieces = [start[None]]
    for _ in range(3):
        here = pieces[-1][-1]
        leaps = alphabet.anchors - here
        lengths = np.maximum(np.hypot(*leaps.T), 1e-9)
        liking = 0.04 + ((leaps @ alphabet.directions.T / lengths[:, None]) ** 8).max(axis=1)
        leap = leaps[_pick(rng, liking * (lengths > 0.25))]
        names = ("line", *alphabet.favourites)
        name = names[_pick(rng, 1 / (np.arange(len(names)) + 1.5))]
        shape = PRIMITIVES[name](_between(rng, 0.25, 0.6)) * [1, 1 if rng.random() < 0.5 else -1]
        pieces.append(here + shape[:, :1] * leap + shape[:, 1:] * (leap[::-1] * [-1, 1]))
        if name in ENDINGS or rng.random() > alphabet.chain:
            break
    return _resample(np.concatenate(pieces))


def _invent_character(rng: np.random.Generator, alphabet: Alphabet) -> list[np.ndarray]:
    """One to four strokes, each (n, 2), the whole centred on (0, 0) and at most one unit wide and high."""
    strokes: list[np.ndarray] = []
    for _ in range(1 + _pick(rng, alphabet.strokes)):
        start = alphabet.anchors[_pick(rng, np.ones(len(alphabet.anchors)))]
        if strokes and rng.random() < alphabet.attach:
            earlier = strokes[_pick(rng, np.ones(len(strokes)))]
            start = earlier[(len(earlier) - 1) * _pick(rng, np.ones(3)) // 2]
        strokes.append(_invent_stroke(rng, alphabet, start))
    if len(strokes) < 4 and rng.random() < alphabet.dots:
        gaps = np.hypot(*(alphabet.anchors[:, None] - np.concatenate(strokes)).transpose(2, 0, 1)).min(axis=1)
        strokes.append(alphabet.anchors[gaps.argmax()] + 0.02 * _frame(np.cos(6 * T), np.sin(6 * T)))
    ink = np.concatenate(strokes)
    low, high = ink.min(axis=0), ink.max(axis=0)
    extent = (high - low).max()
    scale = np.clip(extent, 0.6, 1.0) / max(extent, 0.3)  # at most doubled: small letters stay small
    return [_resample((stroke - (low + high) / 2) * scale) for stroke in strokes]


def _legible(strokes: list[np.ndarray]) -> bool:
    """Neither a speck nor a scribble: of moderate length, and hardly going over its own lines again."""
    length = SPACING * sum(map(len, strokes))
    middles = np.concatenate(strokes)[None] * 64 + 48
    inked = (_ink(middles, np.array([2.5]), 96) == 0).sum() / (5 * 64)  # the length, if nothing overlaps
    return bool(0.7 <= length <= 4.0 and inked > 0.8 * length)


def _blurred(strokes: list[np.ndarray]) -> np.ndarray:
    """A character's image in a 9 × 9 grid, whatever its size, as a vector of mean 0 and length 1."""
    ink = np.concatenate(strokes)
    ink = ink * 36 / np.maximum(np.ptp(ink, axis=0).max(), 1e-6) + 22.5
    image = 1.0 - _ink(ink[None], np.array([3.5]), 45)[0] / 255
    vector: np.ndarray = image.reshape(9, 5, 9, 5).mean(axis=(1, 3)).ravel()
    vector -= vector.mean()
    unit: np.ndarray = vector / np.sqrt((vector**2).sum())
    return unit


def _invent_characters(rng: np.random.Generator, alphabet: Alphabet, count: int) -> list[list[np.ndarray]]:
    """That many legible characters of which no two are alike."""
    characters: list[list[np.ndarray]] = []
    looks: list[np.ndarray] = []
    for attempt in range(100 * count):
        strokes = _invent_character(rng, alphabet)
        if not _legible(strokes):
            continue
        look = _blurred(strokes)
        limit = TOO_ALIKE + 0.3 * attempt / (100 * count)  # a poor alphabet is given more room, slowly
        if all(look @ other < limit for other in looks):
            characters.append(strokes)
            looks.append(look)
        if len(characters) == count:
            break
    return characters


def _invent_hands(rng: np.random.Generator, drawers: int) -> Hands:
    scale, aspect = 0.62 * np.exp(0.13 * _bell(rng, drawers)), np.exp(0.1 * _bell(rng, drawers))
    slant, turn = 0.14 * _bell(rng, drawers), 0.07 * _bell(rng, drawers)
    upright = np.stack([scale * aspect, -slant * scale, np.zeros(drawers), scale / aspect], axis=-1)
    rotation = np.stack([np.cos(turn), -np.sin(turn), np.sin(turn), np.cos(turn)], axis=-1)
    drift, tremor = 0.015 + 0.025 * rng.random((drawers, 1)), 0.001 + 0.004 * rng.random((drawers, 1)) ** 2
    wave = np.arange(TREMOR_WAVES)
    return Hands(
        transform=rotation.reshape(-1, 2, 2) @ upright.reshape(-1, 2, 2),
        offset=0.035 * _bell(rng, drawers, 2),
        waves=np.where(wave < 3, drift / (1 + 0.5 * wave), tremor),
        rounding=rng.random(drawers),
        pen=0.014 + 0.006 * rng.random(drawers),
        bend=0.12 * _bell(rng, drawers, 2),
    )


def _draw(rng: np.random.Generator, strokes: list[np.ndarray], hands: Hands, size: int) -> np.ndarray:
    """One character by every drawer: (drawers, size, size) uint8, 0 ink and 255 paper."""
    drawers, drawn = len(hands.pen), []
    window = np.ones(19) / 19
    for stroke in strokes:
        padded = np.pad(stroke, ((9, 9), (0, 0)), mode="reflect", reflect_type="odd")
        smooth = np.stack([np.convolve(axis, window, mode="valid") for axis in padded.T], axis=-1)
        waves = np.cos(np.pi * np.outer(np.arange(TREMOR_WAVES), np.linspace(0, 1, len(stroke))))
        deviation = np.swapaxes(_bell(rng, drawers, TREMOR_WAVES, 2) * hands.waves[..., None], 1, 2) @ waves
        rounded = stroke + hands.rounding[:, None, None] * (smooth - stroke)
        drawn.append(rounded + np.swapaxes(deviation, 1, 2))
    points = np.concatenate(drawn, axis=1)  # (drawers, points, 2)
    points = points + hands.bend[:, None] * (points[..., ::-1] ** 2)
    mood = np.eye(2) + 0.05 * _bell(rng, drawers, 2, 2)
    points = points @ np.swapaxes(hands.transform @ mood, 1, 2)
    points += (hands.offset + 0.02 * _bell(rng, drawers, 2))[:, None]
    low, high = points.min(axis=1, keepdims=True), points.max(axis=1, keepdims=True)
    points = (points - (low + high) / 2) / np.maximum(1.0, (high - low).max(axis=2, keepdims=True) / 0.92)
    reach = np.abs(points).max(axis=1, keepdims=True)
    points = 0.5 + points + np.clip((low + high) / 2, reach - 0.46, 0.46 - reach)  # moved inside the paper
    return _ink(points * size, np.maximum(hands.pen * size, 0.75), size)


def _ink(points: np.ndarray, radius: np.ndarray, size: int) -> np.ndarray:
    """Discs of radius (images,) pixels at points (images, n, 2), x then y, as (images, size, size) uint8.

    A pixel is ink when its middle is within the radius: decided in whole numbers of 1/16 pixel.
    """
    exact = np.rint(points * SUBPIXELS).astype(np.int32)
    reach = np.rint(radius * SUBPIXELS).astype(np.int32)[:, None]
    pixel, rest = exact // SUBPIXELS, exact % SUBPIXELS - SUBPIXELS // 2
    span = int(reach.max()) // SUBPIXELS + 1
    side = size + 2 * span
    paper = np.full((len(points), side, side), 255, np.uint8)
    x, y = np.moveaxis(np.clip(pixel, 0, size - 1) + span, 2, 0)
    middle = (np.arange(len(points))[:, None] * side + y) * side + x  # indices into the flat array
    flat = paper.reshape(-1)
    for dy in range(-span, span + 1):
        across = reach**2 - (dy * SUBPIXELS - rest[..., 1]) ** 2
        for dx in range(-span, span + 1):
            inside = (dx * SUBPIXELS - rest[..., 0]) ** 2 <= across
            flat[middle[inside] + (dy * side + dx)] = 0
    return paper[:, span:-span, span:-span]


def _draw_split(numbers: range, drawers: int, seed: int, size: int) -> Split:
    """The alphabets of these numbers, all by the same drawers."""
    hands = _invent_hands(np.random.default_rng([seed, 0, numbers.start]), drawers)
    images, names = [], []
    for number in numbers:
        rng = np.random.default_rng([seed, 1, number])
        alphabet = _invent_alphabet(rng)
        characters = _invent_characters(rng, alphabet, 12 + _pick(rng, np.ones(8)))
        rng = np.random.default_rng([seed, 2, number])
        for index, strokes in enumerate(characters, start=1):
            images.append(_draw(rng, strokes, hands, size))
            names.append(f"Alphabet_{number:02d}/character{index:02d}")
    return Split(np.stack(images), tuple(names))


def draw_dataset(size: int = 105, alphabets: tuple[int, int] = (10, 6), drawers: int = 20, seed: int = 1) -> Dataset:
    """Draw the built-in dataset; the same arguments give the same pixels.

    size       side of the images in pixels; everything scales with it, the characters stay the same
    alphabets  how many for training and for evaluation, each of 12 to 19 characters
    drawers    how many people draw each character; the two splits have different people
    seed       another one gives other alphabets and other drawers

    Images are (classes, drawers, size, size) uint8, 0 ink and 255 paper, nothing between.
    """
    first, second = alphabets
    train = _draw_split(range(1, first + 1), drawers, seed, size)
    val = _draw_split(range(first + 1, first + second + 1), drawers, seed, size)
    return Dataset(
        name="synthetic",
        train=train,
        val=val,
        fingerprint=fingerprint(train, val),
        synthetic=True,
        source=f"characters drawn by siamese_utils.synthetic, version {GENERATOR_VERSION}, seed {seed}",
    )
