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

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .dataset import Dataset, Split, fingerprint
from .handwriting import bell, between, draw_character, invent_hands, lay_ink, pick, points_of

# raise it whenever the drawn pixels change
GENERATOR_VERSION = 1

# distance of a stroke's points, as a share of the character's box
SPACING = 0.008
# correlation of blurred characters above which the later one is thrown away
TOO_ALIKE = 0.55
T = np.linspace(0.0, 1.0, 49)


def _hook(bulge: float) -> np.ndarray:
    turn, radius = 1.3 * np.pi * T, 0.1 + 0.25 * bulge
    return np.concatenate([[[0.0, 0.0]], points_of(1 + radius * np.sin(turn), radius * (1 - np.cos(turn)))])


def _loop(bulge: float) -> np.ndarray:
    turn, radius = 2 * np.pi * np.clip((T - 0.25) / 0.5, 0, 1), 0.1 + 0.35 * bulge
    return points_of(T + radius * np.sin(turn), radius * (1 - np.cos(turn)))


# Primitives: (points, 2) from (0, 0) towards (1, 0), given how far they bulge (0.25 to 0.6) to the side.
PRIMITIVES: dict[str, Callable[[float], np.ndarray]] = {
    "line": lambda bulge: points_of([0, 1], [0, 0]),
    "arc": lambda bulge: points_of(T, 4 * bulge * T * (1 - T)),
    "bowl": lambda bulge: points_of(0.5 - 0.5 * np.cos(np.pi * T), (0.3 + bulge) * np.sin(np.pi * T)),
    "wave": lambda bulge: points_of(T, 0.7 * bulge * np.sin(2 * np.pi * T)),
    "corner": lambda bulge: points_of([0, 0.5, 1], [0, 1.3 * bulge, 0]),
    "bracket": lambda bulge: points_of([0, 0, 1, 1], [0, bulge, bulge, 0]),
    "step": lambda bulge: points_of([0, 0.5, 0.5, 1], [0, 0, bulge, bulge]),
    "zigzag": lambda bulge: points_of([0, 0.2, 0.5, 0.8, 1], [0, 0.7 * bulge, -0.7 * bulge, 0.7 * bulge, 0]),
    "hook": _hook,
    "loop": _loop,
    "ring": lambda bulge: points_of(0.5 - 0.5 * np.cos(2 * np.pi * T), bulge * np.sin(2 * np.pi * T)),
    "spiral": lambda bulge: points_of(
        0.5 - 0.5 * (1 - 0.85 * T) * np.cos(3.5 * np.pi * T), 0.5 * (1 - 0.85 * T) * np.sin(3.5 * np.pi * T)
    ),
}
# the pen is lifted after these
ENDINGS = {"hook", "ring", "spiral"}


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


def _invent_alphabet(rng: np.random.Generator) -> Alphabet:
    # anchors on a ring around the middle, or else on a grid
    if rng.random() < 0.3:
        turn = 2 * np.pi * (np.arange(7) / 7 + rng.random())
        anchors = np.concatenate([[[0.5, 0.5]], points_of(0.5 + 0.42 * np.cos(turn), 0.5 + 0.42 * np.sin(turn))])
    else:
        columns, rows = [(2, 3), (3, 3), (3, 2), (2, 4), (3, 4)][pick(rng, np.ones(5))]
        x, y = np.meshgrid(np.linspace(0.1, 0.9, columns), np.linspace(0.1, 0.9, rows))
        anchors = points_of(x.ravel(), y.ravel()) * [between(rng, 0.6, 1.0), between(rng, 0.75, 1.0)]
    angles = np.pi * (np.array([0.5, 0.0, 0.25]) + 0.08 * bell(rng, 3) + 0.5 * (rng.random(3) < 0.2))
    names = list(PRIMITIVES)
    order = np.argsort(rng.random(len(names)), kind="stable")
    return Alphabet(
        anchors=anchors + 0.03 * bell(rng, *anchors.shape),
        directions=points_of(np.cos(angles), np.sin(angles)),
        favourites=tuple(names[i] for i in order[: 3 + pick(rng, np.ones(3))]),
        strokes=np.array([0.2, 0.4, 0.3, 0.1]) * (0.5 + rng.random(4)),
        chain=between(rng, 0.3, 0.65),
        attach=between(rng, 0.4, 0.9),
        dots=between(rng, -0.15, 0.25),
    )


def _resample(points: np.ndarray) -> np.ndarray:
    """Return the same polyline, (n, 2), with points SPACING apart."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    at = np.linspace(0.0, along[-1], max(2, int(np.ceil(along[-1] / SPACING - 1e-6)) + 1))
    return points_of(np.interp(at, along, points[:, 0]), np.interp(at, along, points[:, 1]))


def _invent_stroke(rng: np.random.Generator, alphabet: Alphabet, start: np.ndarray) -> np.ndarray:
    """Invent one to three primitives in a row without lifting the pen, (n, 2)."""
    pieces = [start[None]]
    for _ in range(3):
        here = pieces[-1][-1]
        leaps = alphabet.anchors - here
        lengths = np.maximum(np.hypot(*leaps.T), 1e-9)
        liking = 0.04 + ((leaps @ alphabet.directions.T / lengths[:, None]) ** 8).max(axis=1)
        leap = leaps[pick(rng, liking * (lengths > 0.25))]
        names = ("line", *alphabet.favourites)
        name = names[pick(rng, 1 / (np.arange(len(names)) + 1.5))]
        shape = PRIMITIVES[name](between(rng, 0.25, 0.6)) * [1, 1 if rng.random() < 0.5 else -1]
        pieces.append(here + shape[:, :1] * leap + shape[:, 1:] * (leap[::-1] * [-1, 1]))
        if name in ENDINGS or rng.random() > alphabet.chain:
            break
    return _resample(np.concatenate(pieces))


def _invent_character(rng: np.random.Generator, alphabet: Alphabet) -> list[np.ndarray]:
    """Invent one to four strokes, each (n, 2), the whole centred on (0, 0), at most one unit wide and high."""
    strokes: list[np.ndarray] = []
    for _ in range(1 + pick(rng, alphabet.strokes)):
        start = alphabet.anchors[pick(rng, np.ones(len(alphabet.anchors)))]
        if strokes and rng.random() < alphabet.attach:
            earlier = strokes[pick(rng, np.ones(len(strokes)))]
            start = earlier[(len(earlier) - 1) * pick(rng, np.ones(3)) // 2]
        strokes.append(_invent_stroke(rng, alphabet, start))
    if len(strokes) < 4 and rng.random() < alphabet.dots:
        gaps = np.hypot(*(alphabet.anchors[:, None] - np.concatenate(strokes)).transpose(2, 0, 1)).min(axis=1)
        strokes.append(alphabet.anchors[gaps.argmax()] + 0.02 * points_of(np.cos(6 * T), np.sin(6 * T)))
    ink = np.concatenate(strokes)
    low, high = ink.min(axis=0), ink.max(axis=0)
    extent = (high - low).max()
    # at most doubled: small letters stay small
    scale = np.clip(extent, 0.6, 1.0) / max(extent, 0.3)
    return [_resample((stroke - (low + high) / 2) * scale) for stroke in strokes]


def _legible(strokes: list[np.ndarray]) -> bool:
    """Say whether it is neither speck nor scribble: of moderate length, hardly over its own lines again."""
    length = SPACING * sum(map(len, strokes))
    middles = np.concatenate(strokes)[None] * 64 + 48
    # the length, if nothing overlaps
    inked = (lay_ink(middles, np.array([2.5]), 96) == 0).sum() / (5 * 64)
    return bool(0.7 <= length <= 4.0 and inked > 0.8 * length)


def _blurred(strokes: list[np.ndarray]) -> np.ndarray:
    """Blur a character, whatever its size, to a 9 × 9 grid: a vector (81,) of mean 0 and length 1."""
    ink = np.concatenate(strokes)
    ink = ink * 36 / np.maximum(np.ptp(ink, axis=0).max(), 1e-6) + 22.5
    image = 1.0 - lay_ink(ink[None], np.array([3.5]), 45)[0] / 255
    vector: np.ndarray = image.reshape(9, 5, 9, 5).mean(axis=(1, 3)).ravel()
    vector -= vector.mean()
    unit: np.ndarray = vector / np.sqrt((vector**2).sum())
    return unit


def _invent_characters(rng: np.random.Generator, alphabet: Alphabet, count: int) -> list[list[np.ndarray]]:
    """Invent that many legible characters of which no two are alike."""
    characters: list[list[np.ndarray]] = []
    looks: list[np.ndarray] = []
    for attempt in range(100 * count):
        strokes = _invent_character(rng, alphabet)
        if not _legible(strokes):
            continue
        look = _blurred(strokes)
        # a poor alphabet is given more room, slowly
        limit = TOO_ALIKE + 0.3 * attempt / (100 * count)
        if all(look @ other < limit for other in looks):
            characters.append(strokes)
            looks.append(look)
        if len(characters) == count:
            break
    return characters


def _draw_split(numbers: range, drawers: int, seed: int, size: int) -> Split:
    """Draw the alphabets of these numbers, all by the same drawers."""
    hands = invent_hands(np.random.default_rng([seed, 0, numbers.start]), drawers)
    images, names = [], []
    for number in numbers:
        rng = np.random.default_rng([seed, 1, number])
        alphabet = _invent_alphabet(rng)
        characters = _invent_characters(rng, alphabet, 12 + pick(rng, np.ones(8)))
        rng = np.random.default_rng([seed, 2, number])
        for index, strokes in enumerate(characters, start=1):
            images.append(draw_character(rng, strokes, hands, size))
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
        source=f"characters drawn by siamese_utils.data.synthetic, version {GENERATOR_VERSION}, seed {seed}",
    )
