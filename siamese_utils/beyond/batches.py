"""Batches of P classes with K images each, a function of seed and step, and what is done to their images."""

from __future__ import annotations

import numpy as np

from ..backend import ops
from ..data.dataset import Split, with_channels
from ..errors import ParamsError
from .config import Augmentation, Method

TURNS = 4  # a character and its three turns by 90°; forms 4 to 7 are those of its mirror image


def draw_classes(
    rng: np.random.Generator,
    *,
    classes: int,
    drawers: int | np.ndarray,
    batch_classes: int,
    batch_images: int,
    hard: np.ndarray | None = None,
    n_hard: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Different classes (P,) and, for each, different drawers (P, K).

    drawers  how many images a class has; one number, or (classes,) int where they differ
    hard    (classes, k) int: a class drawn by chance brings along `n_hard` of the k most like it, then comes the next
             one; none comes twice, and what the batch has no room for is cut off
    Raises ParamsError where there are fewer than the batch takes.
    """
    fewest = int(np.min(drawers))
    if batch_classes > classes or batch_images > fewest:
        raise ParamsError(
            f"a batch of {batch_classes} classes with {batch_images} images each needs as many, but there are "
            f"{classes} with {fewest}: lower `classes` or `images` of the method."
        )
    chosen = rng.permutation(classes)[:batch_classes]
    if hard is not None:
        groups = np.column_stack([chosen, rng.permuted(hard[chosen], axis=1)[:, :n_hard]])
        chosen = np.array(list(dict.fromkeys(groups.ravel().tolist())))[:batch_classes]
    order = rng.random((batch_classes, int(np.max(drawers))))
    if not isinstance(drawers, int):
        order += np.arange(order.shape[1]) >= drawers[chosen, None]  # what a class does not have comes last
    return chosen, np.argsort(order, axis=1)[:, :batch_images]


def take_forms(images: np.ndarray, classes: np.ndarray, drawers: np.ndarray) -> np.ndarray:
    """Images (P, K, size, size) of classes (P,), numbered form · C + character, by drawers (P, K).

    images (C, drawers, size, size), or with a last axis of colours; form 1 is turned by 90° counterclockwise, form 4
    mirrored left to right, form 5 that turned by 90° counterclockwise.
    """
    form, character = np.divmod(classes, len(images))
    taken = images[character[:, None], drawers]
    mirrored, turn = np.divmod(form, TURNS)
    taken[mirrored == 1] = np.flip(taken[mirrored == 1], axis=3)
    for quarter in range(1, TURNS):
        taken[turn == quarter] = np.rot90(taken[turn == quarter], quarter, axes=(2, 3))
    return taken


def transforms(rng: np.random.Generator, augmentation: Augmentation, images: int, size: int) -> np.ndarray:
    """Random affine maps about the centre, (images, 8) float32 as `keras.ops.image.affine_transform` reads them."""

    def within(reach: float, *shape: int) -> np.ndarray:
        return rng.uniform(-reach, reach, (*shape, images))

    angle, shear = np.deg2rad(within(augmentation.rotate)), np.deg2rad(within(augmentation.shear))
    across, down = np.exp(within(augmentation.scale, 2))
    matrix = np.array(
        [
            [np.cos(angle) * across, -np.sin(angle + shear) * down],
            [np.sin(angle) * across, np.cos(angle + shear) * down],
        ]
    )  # (2, 2, images)
    centre = (size - 1) / 2
    move = centre - centre * matrix.sum(axis=1) + within(augmentation.shift * size, 2)
    none = np.zeros(images)
    rows = [matrix[0, 0], matrix[0, 1], move[0], matrix[1, 0], matrix[1, 1], move[1], none, none]
    return np.stack(rows, axis=-1).astype(np.float32)


def batch_of_step(method: Method, split: Split, seed: int, step: int, hard: np.ndarray | None = None):
    """The batch of one training step, a function of seed, step and which classes look alike (see `hard_classes`).

    Images (P·K, size, size, 1 or 3) float32, 0 ink to 255 paper, class by class, and their classes (P·K,) int.
    """
    rng = np.random.default_rng([seed, step])
    chosen, by = draw_classes(
        rng,
        classes=split.classes * method.forms,
        drawers=split.drawers if split.counts is None else np.tile(split.counts, method.forms),
        batch_classes=method.classes,
        batch_images=method.images,
        hard=hard,
        n_hard=method.hard_classes.n_hard if method.hard_classes else 0,
    )
    taken = take_forms(split.images, chosen, by)
    batch = with_channels(taken.reshape(-1, *taken.shape[2:])).astype(np.float32)
    if method.augmentation:
        maps = transforms(rng, method.augmentation, len(batch), batch.shape[1])
        moved = ops.image.affine_transform(batch, maps, interpolation="bilinear", fill_mode="constant", fill_value=255)
        batch = ops.convert_to_numpy(moved)
    return batch, np.repeat(chosen, method.images)
