"""Batches of P classes with K images each, a function of seed and step, and what is done to their images.

Hard-class mining finds which classes look most alike to a network in training, so that batches can hold them together.
Source: Y. Suh et al., "Stochastic class-based hard example mining for deep metric learning", CVPR 2019, choose whole
classes by how near they lie; they keep a running signature of each class, where this embeds one image of each anew.
"""

import numpy as np

from ..backend import keras, ops
from ..data.dataset import Split, with_channels
from ..errors import ParamsError
from .config import Augmentation, HardClasses, Method

# a character and its rotations by 90°; forms 4 to 7 are those of its mirror image
ROTATIONS = 4
# rows at a time of the matrix of distances between classes
ROWS = 512


def draw_classes(
    rng: np.random.Generator,
    *,
    sizes: np.ndarray,
    batch_classes: int,
    batch_images: int,
    hard: np.ndarray | None = None,
    n_hard: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw different classes (P,) and, for each, different images (P, K), without replacement.

    sizes  (classes,) int, how many images each class has
    hard   (classes, pool) int: each class drawn at random brings along `n_hard` of the pool most like it; no class
           comes twice, and what the batch has no room for is cut off

    Raises ParamsError where there are fewer classes or images than the batch takes.
    """
    if batch_classes > len(sizes) or batch_images > sizes.min():
        raise ParamsError(
            f"a batch of {batch_classes} classes with {batch_images} images each needs as many, but there are "
            f"{len(sizes)} with {sizes.min()}: lower `classes` or `images` of the method."
        )
    chosen = rng.permutation(len(sizes))[:batch_classes]
    if hard is not None:
        groups = np.column_stack([chosen, rng.permuted(hard[chosen], axis=1)[:, :n_hard]])
        chosen = np.array(list(dict.fromkeys(groups.ravel().tolist())))[:batch_classes]
    # an image that a class does not have comes last
    order = rng.random((batch_classes, sizes.max())) + (np.arange(sizes.max()) >= sizes[chosen, None])
    return chosen, np.argsort(order, axis=1)[:, :batch_images]


def look_up_forms(split: Split, classes: np.ndarray, drawers: np.ndarray) -> np.ndarray:
    """Look up images (P, K, size, size) of classes (P,), numbered form · C + character, by drawers (P, K).

    Form 1 is rotated by 90° counterclockwise, form 4 mirrored left to right, form 5 that rotated by 90°
    counterclockwise. Colours are a last axis.
    """
    form, character = np.divmod(classes, split.classes)
    found = split.look_up(character[:, None], drawers)
    mirrored, rotation = np.divmod(form, ROTATIONS)
    found[mirrored == 1] = np.flip(found[mirrored == 1], axis=3)
    for quarter in range(1, ROTATIONS):
        found[rotation == quarter] = np.rot90(found[rotation == quarter], quarter, axes=(2, 3))
    return found


def random_maps(rng: np.random.Generator, augmentation: Augmentation, images: int, size: int) -> np.ndarray:
    """Draw affine maps about the centre, (images, 8) float32 as `keras.ops.image.affine_transform` reads them."""

    def within(limit: float, *shape: int) -> np.ndarray:
        return rng.uniform(-limit, limit, (*shape, images))

    angle, shear = np.deg2rad(within(augmentation.rotate)), np.deg2rad(within(augmentation.shear))
    across, down = np.exp(within(augmentation.scale, 2))
    matrix = np.array(
        [
            [np.cos(angle) * across, -np.sin(angle + shear) * down],
            [np.sin(angle) * across, np.cos(angle + shear) * down],
        ]
    )
    if augmentation.mirror:
        # the column that x is multiplied by
        matrix[:, 0] *= rng.choice([-1.0, 1.0], images)
    centre, none = (size - 1) / 2, np.zeros(images)
    (a, b), (c, d) = matrix
    x, y = centre - centre * matrix.sum(axis=1) + within(augmentation.shift * size, 2)
    return np.stack([a, b, x, c, d, y, none, none], axis=-1).astype(np.float32)


def batch_of_step(
    method: Method, split: Split, seed: int, step: int, hard: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Make the batch of one training step, a function of seed, step and pools of hard classes (`find_hard_classes`).

    Images (P·K, size, size, 1 or 3) float32, 0 ink to 255 paper, class by class, and their classes (P·K,) int.
    """
    rng = np.random.default_rng([seed, step])
    classes, drawers = draw_classes(
        rng,
        sizes=np.tile(split.sizes, method.forms),
        batch_classes=method.classes,
        batch_images=method.images,
        hard=hard,
        n_hard=method.hard_classes.n_hard if method.hard_classes else 0,
    )
    images = look_up_forms(split, classes, drawers)
    batch = with_channels(images.reshape(-1, *images.shape[2:])).astype(np.float32)
    if method.augmentation:
        maps = random_maps(rng, method.augmentation, len(batch), batch.shape[1])
        moved = ops.image.affine_transform(batch, maps, interpolation="bilinear", fill_mode="constant", fill_value=255)
        batch = ops.convert_to_numpy(moved)
    return batch, np.repeat(classes, method.images)


def is_due(mining: HardClasses | None, step: int, steps: int) -> bool:
    """Say whether the pools of hard classes are computed again at this step of a training of so many."""
    if mining is None:
        return False
    since = step - int(mining.start * steps)
    return since >= 0 and since % mining.refresh == 0


def find_hard_classes(method: Method, backbone: keras.Model, split: Split, seed: int, step: int) -> np.ndarray | None:
    """Find for every class, form by form, its pool: the `pool_size` most like it, of other characters, unsorted.

    Returns (classes · forms, pool_size) int, from one image of each class, drawn at random; a symmetrical character may
    be in a pool with all its forms. None where there are no other characters, or the method does not mine.
    """
    classes = split.classes * method.forms
    pool_size = min(method.hard_classes.pool_size if method.hard_classes else 0, classes - method.forms)
    if pool_size < 1:
        return None
    rng = np.random.default_rng([seed, step, 1])
    drawers = rng.integers(0, np.tile(split.sizes, method.forms))
    images = look_up_forms(split, np.arange(classes), drawers[:, None])[:, 0]
    embeddings = backbone.predict(with_channels(images), batch_size=256, verbose=0).astype(np.float32)
    if method.comparison == "cosine":
        embeddings /= np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
    squares = (embeddings**2).sum(axis=1)
    character = np.arange(classes) % split.classes
    nearest = []
    for start in range(0, classes, ROWS):
        rows = slice(start, start + ROWS)
        # D², but for what is the same all along a row
        distances = squares - 2 * embeddings[rows] @ embeddings.T
        distances[character[rows, None] == character] = np.inf
        nearest.append(np.argpartition(distances, pool_size - 1, axis=1)[:, :pool_size])
    return np.concatenate(nearest)
