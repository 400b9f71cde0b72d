"""Muon: orthogonal steps for convolution kernels, AdamW for everything else."""

import numpy as np
import pytest

from siamese_utils.backend import keras, ops
from siamese_utils.beyond.config import load_method
from siamese_utils.beyond.muon import RMS, Muon, orthogonalized
from siamese_utils.beyond.networks import build_trainer


@pytest.mark.parametrize("shape", [(30, 12), (12, 30), (9, 9)])
def test_an_orthogonalized_matrix_keeps_its_singular_vectors(shape):
    rng = np.random.default_rng(0)
    left, values, right = np.linalg.svd(rng.normal(size=shape).astype(np.float32), full_matrices=False)
    assert values.max() > 2 * values.min()
    found = left.T @ ops.convert_to_numpy(orthogonalized((left * values) @ right)) @ right.T
    np.testing.assert_allclose(found, np.diag(np.diag(found)), atol=1e-4)
    kept = values > values.max() / 20
    assert np.all((np.diag(found)[kept] > 0.5) & (np.diag(found)[kept] < 1.3))


def test_two_steps_by_hand(fresh_keras):
    """A kernel of one number is a matrix of one number: its direction is the sign of what was gathered."""
    kernel, other = keras.Variable(np.full((1, 1, 1, 1), 5.0, np.float32)), keras.Variable([5.0, -5.0])
    alone = keras.Variable([5.0, -5.0])
    muon, adam = Muon(0.1, ratio=3, momentum=0.5, weight_decay=0), keras.optimizers.AdamW(0.1, weight_decay=0)
    muon.build([kernel, other])
    adam.build([alone])
    size = float(np.abs(ops.convert_to_numpy(orthogonalized(np.ones((1, 1), np.float32)))).item())
    assert 0.6 < size < 1.3
    at, gathered = 5.0, 0.0
    # gathered: 4, then 1; with another look ahead: 6, then −0.5
    for gradient in (4.0, -1.0):
        muon.apply([ops.full((1, 1, 1, 1), gradient), ops.array([gradient, 1.0])])
        adam.apply([ops.array([gradient, 1.0])])
        gathered = 0.5 * gathered + gradient
        at -= RMS * 3 * 0.1 * size * np.sign(gradient + 0.5 * gathered)
        assert ops.convert_to_numpy(kernel).item() == pytest.approx(at, abs=1e-5)
    assert at == pytest.approx(5.0)
    np.testing.assert_allclose(ops.convert_to_numpy(other), ops.convert_to_numpy(alone), rtol=1e-6)


def test_a_kernel_steps_as_a_matrix_with_a_column_for_each_filter(fresh_keras):
    gradient = np.random.default_rng(1).normal(size=(3, 3, 2, 4)).astype(np.float32)
    kernel = keras.Variable(np.zeros_like(gradient))
    optimizer = Muon(0.1, ratio=2, weight_decay=0)
    optimizer.build([kernel])
    optimizer.apply([ops.array(gradient)])
    left, _, right = np.linalg.svd(gradient.reshape(18, 4), full_matrices=False)
    nearest = (left @ right).reshape(gradient.shape)
    step = -ops.convert_to_numpy(kernel) / (0.1 * 2 * RMS * 18**0.5)
    # the iteration leaves singular values between 0.7 and 1.2, and the directions as they are
    values = np.linalg.svd(step.reshape(18, 4), compute_uv=False)
    assert 0.6 < values.min() <= values.max() < 1.3
    assert (step * nearest).sum() == pytest.approx(values.sum(), rel=1e-3)


def test_a_method_with_a_rate_for_kernels_trains_them_by_muon(fresh_keras):
    method = load_method("loss-prototype").model_copy(update={"learning_rate": 0.01, "muon_learning_rate": 0.03})
    optimizer = build_trainer(method, (20, 20, 1), classes=5, steps=10, seed=0).optimizer
    assert isinstance(optimizer, Muon)
    assert optimizer.ratio == pytest.approx(3)
    plain = method.model_copy(update={"muon_learning_rate": None})
    assert type(build_trainer(plain, (20, 20, 1), 5, 10, 0).optimizer) is keras.optimizers.AdamW
