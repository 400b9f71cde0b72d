"""The drawers of the built-in dataset: their hands, and how a hand draws strokes with a pen.

Randomness is `Generator.random` alone, and the pen is a disc tested in whole numbers of 1/16 pixel: see `synthetic`.
"""

from dataclasses import dataclass

import numpy as np

# cosines of a stroke's deviation: the first three are drift, the others tremor
TREMOR_WAVES = 14
SUBPIXELS = 16


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


def points_of(x: np.ndarray | list[float], y: np.ndarray | list[float]) -> np.ndarray:
    return np.stack([np.asarray(x, float), np.asarray(y, float)], axis=-1)


def bell(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Draw bell-shaped numbers, mean 0 and variance 1, at most 3.5, from uniforms only."""
    bell: np.ndarray = (rng.random((4, *shape)).sum(axis=0) - 2) * np.sqrt(3.0)
    return bell


def between(rng: np.random.Generator, low: float, high: float) -> float:
    return low + (high - low) * rng.random()


def pick(rng: np.random.Generator, weights: np.ndarray) -> int:
    """Draw an index in proportion to its weight."""
    edges = np.cumsum(weights)
    return min(int(np.searchsorted(edges, rng.random() * edges[-1], side="right")), len(edges) - 1)


def invent_hands(rng: np.random.Generator, drawers: int) -> Hands:
    scale, aspect = 0.62 * np.exp(0.13 * bell(rng, drawers)), np.exp(0.1 * bell(rng, drawers))
    slant, turn = 0.14 * bell(rng, drawers), 0.07 * bell(rng, drawers)
    upright = np.stack([scale * aspect, -slant * scale, np.zeros(drawers), scale / aspect], axis=-1)
    rotation = np.stack([np.cos(turn), -np.sin(turn), np.sin(turn), np.cos(turn)], axis=-1)
    drift, tremor = 0.015 + 0.025 * rng.random((drawers, 1)), 0.001 + 0.004 * rng.random((drawers, 1)) ** 2
    wave = np.arange(TREMOR_WAVES)
    return Hands(
        transform=rotation.reshape(-1, 2, 2) @ upright.reshape(-1, 2, 2),
        offset=0.035 * bell(rng, drawers, 2),
        waves=np.where(wave < 3, drift / (1 + 0.5 * wave), tremor),
        rounding=rng.random(drawers),
        pen=0.014 + 0.006 * rng.random(drawers),
        bend=0.12 * bell(rng, drawers, 2),
    )


def draw_character(rng: np.random.Generator, strokes: list[np.ndarray], hands: Hands, size: int) -> np.ndarray:
    """Draw one character by every drawer: (drawers, size, size) uint8, 0 ink and 255 paper."""
    drawers, drawn = len(hands.pen), []
    window = np.ones(19) / 19
    for stroke in strokes:
        padded = np.pad(stroke, ((9, 9), (0, 0)), mode="reflect", reflect_type="odd")
        smooth = np.stack([np.convolve(axis, window, mode="valid") for axis in padded.T], axis=-1)
        waves = np.cos(np.pi * np.outer(np.arange(TREMOR_WAVES), np.linspace(0, 1, len(stroke))))
        deviation = np.swapaxes(bell(rng, drawers, TREMOR_WAVES, 2) * hands.waves[..., None], 1, 2) @ waves
        rounded = stroke + hands.rounding[:, None, None] * (smooth - stroke)
        drawn.append(rounded + np.swapaxes(deviation, 1, 2))
    # (drawers, points, 2)
    points = np.concatenate(drawn, axis=1)
    points = points + hands.bend[:, None] * (points[..., ::-1] ** 2)
    mood = np.eye(2) + 0.05 * bell(rng, drawers, 2, 2)
    points = points @ np.swapaxes(hands.transform @ mood, 1, 2)
    points += (hands.offset + 0.02 * bell(rng, drawers, 2))[:, None]
    low, high = points.min(axis=1, keepdims=True), points.max(axis=1, keepdims=True)
    points = (points - (low + high) / 2) / np.maximum(1.0, (high - low).max(axis=2, keepdims=True) / 0.92)
    reach = np.abs(points).max(axis=1, keepdims=True)
    # moved inside the paper
    points = 0.5 + points + np.clip((low + high) / 2, reach - 0.46, 0.46 - reach)
    return lay_ink(points * size, np.maximum(hands.pen * size, 0.75), size)


def lay_ink(points: np.ndarray, radius: np.ndarray, size: int) -> np.ndarray:
    """Ink discs of radius (images,) pixels at points (images, n, 2), x then y → (images, size, size) uint8.

    A pixel is ink when its middle is within the radius: decided in whole numbers of 1/16 pixel.
    """
    exact = np.rint(points * SUBPIXELS).astype(np.int32)
    reach = np.rint(radius * SUBPIXELS).astype(np.int32)[:, None]
    pixel, rest = exact // SUBPIXELS, exact % SUBPIXELS - SUBPIXELS // 2
    span = int(reach.max()) // SUBPIXELS + 1
    side = size + 2 * span
    paper = np.full((len(points), side, side), 255, np.uint8)
    x, y = np.moveaxis(np.clip(pixel, 0, size - 1) + span, 2, 0)
    # indices into the flat array
    middle = (np.arange(len(points))[:, None] * side + y) * side + x
    flat = paper.reshape(-1)
    for dy in range(-span, span + 1):
        across = reach**2 - (dy * SUBPIXELS - rest[..., 1]) ** 2
        for dx in range(-span, span + 1):
            inside = (dx * SUBPIXELS - rest[..., 0]) ** 2 <= across
            flat[middle[inside] + (dy * side + dx)] = 0
    return paper[:, span:-span, span:-span]
