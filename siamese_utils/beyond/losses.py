"""Losses of metric learning, on the embeddings of a batch of classes.

A loss takes embeddings (classes, images, dimensions), float: P classes with K images each, the classes all different,
and returns a scalar; `cross_entropy` and `cosine_softmax` take what a layer of their own made of the embeddings.
D(x, y) is the Euclidean distance. "Same" pairs are two different images of one class, "different" pairs are images of
two classes; sums run over every such pair or triplet of the batch.

A pair loss weighs the mean over the same pairs and the mean over the different pairs by one half each, as in the
paper's batches, half of whose pairs are of one class.
"""

from typing import Any, TypeAlias

import numpy as np

from ..backend import keras, ops

# a tensor of whichever backend computes
Tensor: TypeAlias = Any
# keeps the gradient of a square root finite where two embeddings are equal
TINY = 1e-12


def contrastive(embeddings: Tensor, margin: float = 1.0) -> Tensor:
    """Compute ½ · mean over same pairs of ½ D² + ½ · mean over different pairs of ½ max(0, margin − D)².

    Source: S. Chopra, R. Hadsell and Y. LeCun, CVPR 2005, pull same pairs together and push different ones apart; this
    is the form with a margin, which the same authors gave in CVPR 2006 ("Dimensionality reduction by learning an
    invariant mapping", equation 4).
    """
    classes, images, _ = embeddings.shape
    squares = squared_distances(embeddings)
    too_near = ops.relu(margin - ops.sqrt(squares + TINY))
    return _balanced(classes, images, 0.5 * squares, 0.5 * ops.square(too_near))


def cosine(embeddings: Tensor, different: float = -1.0) -> Tensor:
    """Compute ½ · mean over same pairs of (cos − 1)² + ½ · mean over different pairs of (cos − `different`)².

    Source: J. Bromley et al., NIPS 1993: the cosine of the angle between two embeddings is trained towards 1 for
    genuine pairs and towards a negative target for forgeries.
    """
    classes, images, _ = embeddings.shape
    unit = ops.normalize(_flat(embeddings), axis=-1)
    cosines = ops.matmul(unit, ops.transpose(unit))
    return _balanced(classes, images, ops.square(cosines - 1.0), ops.square(cosines - different))


def cross_entropy(logits: Tensor, classes: int) -> Tensor:
    """Compute ½ · mean over same pairs of softplus(−z) + ½ · mean over different pairs of softplus(z), z the logit.

    logits (n, n), n = classes · images: the head's, of the probability that two images show the same class. It is the
    binary cross-entropy of G. Koch, R. Zemel and R. Salakhutdinov (2015), and of the paper, on every pair of the batch.
    """
    return _balanced(classes, int(logits.shape[0]) // classes, ops.softplus(-logits), ops.softplus(logits))


def triplet(embeddings: Tensor, margin: float = 0.2) -> Tensor:
    """Average over triplets max(0, D²(anchor, positive) − D²(anchor, negative) + margin).

    Source: F. Schroff, D. Kalenichenko and J. Philbin, "FaceNet", CVPR 2015, equation 3; every triplet of the batch
    takes part (A. Hermans, L. Beyer and B. Leibe, 2017, call this "batch all").
    """
    classes, images, _ = embeddings.shape
    squares = ops.reshape(squared_distances(embeddings), (classes, images, classes * images))
    positive = _of_own_class(squares, classes, images)
    # (P, K, K, P·K): anchor's class, anchor, positive, negative
    hinge = ops.relu(positive[..., None] - squares[:, :, None, :] + margin)
    _, different = _pairs(classes, images)
    two_images = 1.0 - np.eye(images, dtype="float32")
    mask = two_images[None, :, :, None] * different.reshape(classes, images, 1, -1)
    return ops.sum(hinge * mask) / float(mask.sum())


def hard_triplet(embeddings: Tensor, margin: float | None = None) -> Tensor:
    """Average over anchors softplus(max D(anchor, positive) − min D(anchor, negative)).

    With a margin it is max(0, margin + the same difference). Source: A. Hermans, L. Beyer and B. Leibe, "In defense of
    the triplet loss for person re-identification", 2017, equation 5 ("batch hard") and its soft margin.
    """
    classes, images, _ = embeddings.shape
    distances = ops.sqrt(squared_distances(embeddings) + TINY)
    same, different = _pairs(classes, images)
    farthest = ops.max(distances * same, axis=1)
    nearest = ops.min(distances + 1e9 * (1 - different), axis=1)
    gap = farthest - nearest
    return ops.mean(ops.softplus(gap) if margin is None else ops.relu(margin + gap))


def quadruplet(embeddings: Tensor, margin: float = 0.2, second_margin: float = 0.1) -> Tensor:
    """Add to `triplet` the mean over quadruplets of max(0, D²(anchor, positive) − D²(other, another) + second_margin).

    `other` and `another` are of two classes that differ from each other and from the anchor's. For the i-th image of
    a class as the anchor and its j-th as the positive, they are the i-th and j-th images of every two other classes.
    Source: W. Chen et al., "Beyond triplet loss", CVPR 2017, equation 3. Zero where there are fewer than three classes.
    """
    classes, images, _ = embeddings.shape
    first = triplet(embeddings, margin)
    if classes < 3:
        return first
    squares = ops.reshape(squared_distances(embeddings), (classes, images, classes, images))
    positive = _of_own_class(ops.reshape(squares, (classes, images, -1)), classes, images)
    # (P, K, K, P, P): anchor's class, i, j, other, another
    hinge = ops.relu(positive[..., None, None] - ops.transpose(squares, (1, 3, 0, 2))[None] + second_margin)
    apart = 1.0 - np.eye(classes, dtype="float32")
    three = apart[:, :, None] * apart[:, None, :] * apart[None]
    mask = three[:, None, None] * (1.0 - np.eye(images, dtype="float32"))[None, :, :, None, None]
    return first + ops.sum(hinge * mask) / float(mask.sum())


def prototype(embeddings: Tensor, n_shot: int = 1) -> Tensor:
    """Average over queries the cross-entropy of the softmax over classes of −D²(query, prototype).

    A class's prototype is the mean of its first `n_shot` images; its other images are the queries.
    Source: J. Snell, K. Swersky and R. Zemel, "Prototypical networks for few-shot learning", NIPS 2017, equation 2.
    """
    classes, images, size = embeddings.shape
    prototypes = ops.mean(embeddings[:, :n_shot], axis=1)
    queries = ops.reshape(embeddings[:, n_shot:], (-1, size))
    target = np.repeat(np.arange(classes), images - n_shot)
    logits = -_between(queries, prototypes)
    return ops.mean(keras.losses.sparse_categorical_crossentropy(target, logits, from_logits=True))


def supervised_contrastive(embeddings: Tensor, scale: float = 10.0) -> Tensor:
    """Average over anchors the mean over their same pairs of −log softmax(scale · cos) over all other images.

    The softmax of an anchor runs over every image of the batch but itself; scale is the inverse of the temperature.
    Source: P. Khosla et al., "Supervised contrastive learning", NeurIPS 2020, equation 2. With one positive it is the
    NT-Xent loss of Chen et al. (2020); summed inside the logarithm, the neighbourhood components analysis of
    Goldberger et al. (2004).
    """
    classes, images, _ = embeddings.shape
    unit = ops.normalize(_flat(embeddings), axis=-1)
    logits = scale * ops.matmul(unit, ops.transpose(unit)) - 1e9 * np.eye(classes * images, dtype="float32")
    logs = logits - ops.logsumexp(logits, axis=1, keepdims=True)
    same, _ = _pairs(classes, images)
    return -ops.sum(logs * same) / float(same.sum())


def cosine_softmax(cosines: Tensor, classes: Tensor, scale: float = 16.0, margin: float = 0.0) -> Tensor:
    """Average the cross-entropy of the softmax over all training classes of scale · (cos − margin on the own class).

    cosines (n, C) between embeddings and a learned direction for each class; classes (n,) int, each image's own.
    Source: F. Wang et al., "NormFace", 2017; with a margin, H. Wang et al., "CosFace", CVPR 2018, equation 4.
    """
    own = ops.one_hot(ops.cast(classes, "int32"), cosines.shape[-1], dtype=cosines.dtype)
    logits = scale * (cosines - margin * own)
    return ops.mean(ops.logsumexp(logits, axis=-1) - ops.sum(logits * own, axis=-1))


ON_EMBEDDINGS = (contrastive, cosine, triplet, hard_triplet, quadruplet, prototype, supervised_contrastive)
LOSSES = {loss.__name__: loss for loss in (*ON_EMBEDDINGS, cross_entropy, cosine_softmax)}


def squared_distances(embeddings: Tensor) -> Tensor:
    """Compute D² of every two images of a batch: (classes, images, d) → (n, n), n = classes · images."""
    flat = _flat(embeddings)
    return _between(flat, flat)


def _between(left: Tensor, right: Tensor) -> Tensor:
    """Compute D² of every two rows: (m, d), (n, d) → (m, n), never below zero."""
    squares = ops.sum(ops.square(left), axis=1)[:, None] + ops.sum(ops.square(right), axis=1)[None]
    return ops.relu(squares - 2 * ops.matmul(left, ops.transpose(right)))


def _flat(embeddings: Tensor) -> Tensor:
    """Reshape (classes, images, d) → (classes · images, d)."""
    classes, images, size = embeddings.shape
    return ops.reshape(embeddings, (classes * images, size))


def _of_own_class(values: Tensor, classes: int, images: int) -> Tensor:
    """Select from values (P, K, P·K), of each image against all, those against its own class → (P, K, K)."""
    blocks = ops.reshape(values, (classes, images, classes, images))
    eye = np.eye(classes, dtype="float32")[:, None, :, None]
    return ops.sum(blocks * eye, axis=2)


def _pairs(classes: int, images: int) -> tuple[np.ndarray, np.ndarray]:
    """Return masks (n, n) float32 of the same and of the different pairs; an image and itself are neither."""
    number = np.repeat(np.arange(classes), images)
    same = (number[:, None] == number[None]).astype("float32")
    return same - np.eye(len(number), dtype="float32"), 1.0 - same


def _balanced(classes: int, images: int, on_same: Tensor, on_different: Tensor) -> Tensor:
    """Add half the mean of `on_same` over same pairs to half that of `on_different` over different pairs, (n, n)."""
    same, different = _pairs(classes, images)
    return 0.5 * (
        ops.sum(on_same * same) / float(same.sum()) + ops.sum(on_different * different) / float(different.sum())
    )
