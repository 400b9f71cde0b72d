"""Losses: worked by hand, spelled out pair by pair, and their gradients against finite differences."""

from itertools import permutations
from math import exp, log, sqrt
from typing import get_args

import numpy as np
import pytest

from siamese_utils.backend import keras, ops
from siamese_utils.beyond import losses
from siamese_utils.beyond.config import LossName
from siamese_utils.beyond.losses import LOSSES, cross_entropy

ON_EMBEDDINGS = [loss.__name__ for loss in losses.ON_EMBEDDINGS]
# two classes of two images on a line: same pairs are 1 and 2 apart, different ones 3, 4, 5, 6
LINE = np.array([[[0.0], [1.0]], [[4.0], [6.0]]], np.float32)


def value(name, embeddings, **options):
    return float(LOSSES[name](ops.convert_to_tensor(embeddings), **options))


def test_a_row_may_name_every_loss_and_no_other():
    assert set(get_args(LossName)) == set(LOSSES)


def test_contrastive_by_hand():
    # same: ½·1, ½·4 → mean 1.25; different: distances 4, 6, 3, 5, margin 5 → ½·1, 0, ½·4, 0 → mean 0.625
    assert value("contrastive", LINE, margin=5.0) == pytest.approx(0.5 * 1.25 + 0.5 * 0.625, abs=1e-5)


def test_cosine_by_hand():
    # a right angle in the first class (cos 0), none in the second; between them 0, 0, 1, 1
    batch = np.array([[[2.0, 0.0], [0.0, 3.0]], [[0.0, 1.0], [0.0, 5.0]]], np.float32)
    assert value("cosine", batch) == pytest.approx(0.5 * (1 + 0) / 2 + 0.5 * (1 + 1 + 4 + 4) / 4, abs=1e-5)
    assert value("cosine", batch, different=0.0) == pytest.approx(0.5 * 0.5 + 0.5 * 0.5, abs=1e-5)


def test_cross_entropy_by_hand():
    # a probability of ¾ for every pair
    logits = np.full((4, 4), log(3), np.float32)
    loss = float(cross_entropy(ops.convert_to_tensor(logits), classes=2))
    assert loss == pytest.approx(-0.5 * log(3 / 4) - 0.5 * log(1 / 4), abs=1e-5)


def test_triplet_by_hand():
    # anchor 0: D² to its positive 1, to the others 16 and 36; 1: 1 against 9, 25; 4: 4 against 16, 9; 6: 4, 36, 25
    assert value("triplet", LINE, margin=10.0) == pytest.approx((2 + 5) / 8, abs=1e-5)


def test_hard_triplet_by_hand():
    # farthest positive minus nearest negative: 1 − 4, 1 − 3, 2 − 3, 2 − 5
    gaps = [-3, -2, -1, -3]
    assert value("hard_triplet", LINE) == pytest.approx(np.mean([log(1 + exp(g)) for g in gaps]), abs=1e-5)
    assert value("hard_triplet", LINE, margin=1.5) == pytest.approx(0.5 / 4, abs=1e-5)


def test_quadruplet_by_hand():
    # three classes of two images; anchor and positive i, j are pushed under i and j of every two other classes
    batch = np.array([[[0.0], [1.0]], [[10.0], [12.0]], [[13.0], [30.0]]], np.float32)
    second = []
    for p, q, r in permutations(range(3)):
        for i, j in [(0, 1), (1, 0)]:
            same = (batch[p, i, 0] - batch[p, j, 0]) ** 2
            second.append(max(0, same - (batch[q, i, 0] - batch[r, j, 0]) ** 2 + 0.5))
    expected = value("triplet", batch, margin=1.0) + np.mean(second)
    assert np.mean(second) > 0
    assert value("quadruplet", batch, margin=1.0, second_margin=0.5) == pytest.approx(expected, rel=1e-5)
    # two classes have no other two
    assert value("quadruplet", LINE) == value("triplet", LINE)


def test_prototype_by_hand():
    # prototypes 0 and 4; query 1: −1 against −9; query 6: −4 against −36
    expected = np.mean([log(1 + exp(-8)), log(1 + exp(-32))])
    assert value("prototype", LINE) == pytest.approx(expected, rel=1e-4)


def test_supervised_contrastive_by_hand():
    # directions 0, 0 and 90, 90 degrees: each anchor has its positive at cos 1, two negatives at cos 0
    batch = np.array([[[2.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, 5.0]]], np.float32)
    expected = log(exp(3) + 2) - 3
    assert value("supervised_contrastive", batch, scale=3.0) == pytest.approx(expected, rel=1e-4)


def test_anchor_by_anchor(batch):
    unit = batch.astype(float) / np.linalg.norm(batch, axis=-1, keepdims=True)
    points = [(c, tuple(image)) for c, images in enumerate(unit) for image in images]
    losses = []
    for number, (c, x) in enumerate(points):
        others = [point for index, point in enumerate(points) if index != number]
        total = sum(exp(5 * np.dot(x, z)) for _, z in others)
        losses.append(np.mean([-log(exp(5 * np.dot(x, z)) / total) for e, z in others if e == c]))
    assert value("supervised_contrastive", batch, scale=5.0) == pytest.approx(np.mean(losses), rel=1e-4)


def test_cosine_softmax_by_hand():
    cosines, classes = np.array([[0.5, 0.0, 0.5], [1.0, -1.0, 0.0]], np.float32), np.array([0, 2])
    plain = [log(2 * exp(1) + 1) - 1, log(exp(2) + exp(-2) + 1)]
    assert value("cosine_softmax", cosines, classes=classes, scale=2.0) == pytest.approx(np.mean(plain), abs=1e-5)
    harder = [log(exp(0.5) + 1 + exp(1)) - 0.5, log(exp(2) + exp(-2) + exp(-0.5)) + 0.5]
    loss = value("cosine_softmax", cosines, classes=classes, scale=2.0, margin=0.25)
    assert loss == pytest.approx(np.mean(harder), abs=1e-5)


@pytest.fixture(scope="module")
def batch():
    return np.random.default_rng(5).normal(size=(4, 3, 5)).astype(np.float32)


def pairs_of(batch):
    """(same, different): the Euclidean distances of every pair, an image with itself left out."""
    points = [(c, image) for c, images in enumerate(batch.astype(float)) for image in images]
    same, different = [], []
    for (c, x), (e, y) in permutations(points, 2):
        (same if c == e else different).append(sqrt(((x - y) ** 2).sum()))
    return same, different


def test_pair_by_pair(batch):
    same, different = pairs_of(batch)
    pulled = np.mean([0.5 * d**2 for d in same])
    pushed = np.mean([0.5 * max(0, 4 - d) ** 2 for d in different])
    assert value("contrastive", batch, margin=4.0) == pytest.approx(0.5 * pulled + 0.5 * pushed, rel=1e-4)


def test_triplet_by_triplet(batch):
    data, hinges = batch.astype(float), []
    for p in range(4):
        for a, b in permutations(range(3), 2):
            for q in set(range(4)) - {p}:
                for n in range(3):
                    near, far = ((data[p, a] - data[p, b]) ** 2).sum(), ((data[p, a] - data[q, n]) ** 2).sum()
                    hinges.append(max(0, near - far + 2.0))
    assert value("triplet", batch, margin=2.0) == pytest.approx(np.mean(hinges), rel=1e-4)


def test_prototypes_of_two_shots(batch):
    data, losses = batch.astype(float), []
    centres = data[:, :2].mean(axis=1)
    for p in range(4):
        logits = -((data[p, 2] - centres) ** 2).sum(axis=1)
        losses.append(-logits[p] + log(np.exp(logits).sum()))
    assert value("prototype", batch, n_shot=2) == pytest.approx(np.mean(losses), rel=1e-4)


@pytest.mark.parametrize("name", ON_EMBEDDINGS)
def test_gradients_agree_with_finite_differences(name, batch):
    options = {"contrastive": {"margin": 3.0}, "hard_triplet": {"margin": 1.0}, "triplet": {"margin": 2.0}}
    slope = gradient(lambda x: LOSSES[name](x, **options.get(name, {})), batch)
    assert np.abs(slope).max() > 1e-3
    # few hinges change sides within it
    step = 2e-3
    for index in [(0, 0, 0), (1, 2, 3), (3, 1, 4), (2, 0, 2)]:
        moved = np.zeros_like(batch)
        moved[index] = step
        up, down = (value(name, batch + sign * moved, **options.get(name, {})) for sign in (1, -1))
        assert slope[index] == pytest.approx((up - down) / (2 * step), rel=0.03, abs=1e-3)


@pytest.mark.parametrize("name", ON_EMBEDDINGS)
def test_equal_images_leave_the_gradient_finite(name):
    assert np.isfinite(gradient(LOSSES[name], np.ones((3, 2, 4), np.float32))).all()


def test_cross_entropy_learns_from_every_pair_but_an_image_with_itself():
    slope = gradient(lambda z: cross_entropy(z, classes=2), np.zeros((4, 4), np.float32))
    same = np.kron(np.eye(2), np.ones((2, 2))) - np.eye(4)
    different = 1 - np.kron(np.eye(2), np.ones((2, 2)))
    np.testing.assert_allclose(slope, -0.25 * same / same.sum() + 0.25 * different / different.sum(), atol=1e-6)


def test_cosine_softmax_learns_what_is_missing_to_certainty():
    classes = np.array([1, 0])
    slope = gradient(lambda z: LOSSES["cosine_softmax"](z, classes, scale=1.0), np.zeros((2, 4), np.float32))
    np.testing.assert_allclose(slope, 0.5 * (0.25 - np.eye(4)[classes]), atol=1e-6)


def gradient(function, point):
    """d function / d point, by the backend's own differentiation."""
    if keras.config.backend() == "jax":
        import jax

        return np.asarray(jax.grad(lambda x: function(x))(point))
    import tensorflow as tf

    variable = tf.Variable(point)
    with tf.GradientTape() as tape:
        loss = function(tf.convert_to_tensor(variable))
    return tape.gradient(loss, variable).numpy()
