"""A model's file computed by NumPy answers as Keras does; what NumPy does not compute is left to Keras."""

import keras
import numpy as np
import pytest
from conftest import ROOT

from siamese_utils.beyond.config import load_method
from siamese_utils.beyond.networks import build_siamese, build_trainer
from siamese_utils.config import load_matrix
from siamese_utils.errors import ParamsError
from siamese_utils.evaluation.accuracy import embed, similarity
from siamese_utils.inference.one_shot import OneShot
from siamese_utils.models import layers as _  # noqa: F401 - files name them
from siamese_utils.models.by_numpy import Network, Unsupported, load_network
from siamese_utils.models.siamese import build_model
from siamese_utils.training.runs import SHIPPED

SHIPPED_FILES = sorted((ROOT / "reports").rglob(SHIPPED))
ROWS = {"mlp", "baseline", "without-batch-norm", "conv-256-dense-512"}


def images_for(model, count=50):
    """Half of them strokes on white, as drawings are, and half noise."""
    rng, shape = np.random.default_rng(0), model.get_layer("backbone").input_shape[1:]
    noise = rng.integers(0, 256, (count // 2, *shape), np.uint8)
    return np.concatenate([noise, np.where(rng.random((count - count // 2, *shape)) < 0.1, 0, 255).astype(np.uint8)])


def shaken(model, scale=1.0):
    """The model with biases and moving averages that no initializer gives, and its first kernel scaled."""
    rng = np.random.default_rng(1)
    first, *others = model.get_weights()
    model.set_weights([first * np.float32(scale), *(w + rng.normal(0, 0.03, w.shape).astype(w.dtype) for w in others)])
    return model


def assert_alike(path, count=50):
    network, model = load_network(path), keras.saving.load_model(path)
    images = images_for(network, count)
    ours, theirs = embed(network, images), embed(model, images)
    assert np.ptp(theirs, axis=0).max() > 1e-2, "the images are told apart"
    np.testing.assert_allclose(ours, theirs, atol=1e-4, rtol=1e-4)
    pairs = theirs[: count // 2], theirs[-(count // 2) :]
    np.testing.assert_allclose(similarity(network, *pairs), similarity(model, *pairs), atol=1e-4, rtol=1e-4)
    for own, keras_own in zip(network.get_weights(), model.get_weights(), strict=False):
        assert own.dtype == np.float32
        assert np.isfinite(own).all() == np.isfinite(keras_own).all()


@pytest.mark.parametrize("path", SHIPPED_FILES, ids=lambda path: path.parent.name.split("-s0")[0])
def test_a_shipped_model_answers_as_in_keras(path, fresh_keras):
    assert_alike(path)


@pytest.mark.parametrize("name", sorted(ROWS))
def test_a_network_of_the_paper_answers_as_in_keras(name, tiny, tmp_path, fresh_keras):
    assert {row.name for row in load_matrix().experiments} >= ROWS
    shaken(build_model(name, tiny), 1 / 255).save(tmp_path / "model.keras")
    assert_alike(tmp_path / "model.keras", 10)


@pytest.mark.parametrize(
    ("name", "reads", "colours"),
    [
        ("beyond", "drawings", 1),
        ("loss-prototype", "pictures", 3),
        ("loss-cross-entropy", "drawings", 1),
        ("koch", "drawings", 1),
    ],
)
def test_a_method_beyond_the_paper_answers_as_in_keras(name, reads, colours, tmp_path, fresh_keras):
    """The views of odd sizes, colours, the head, a distance."""
    trainer = build_trainer(load_method(name), (21, 21, colours), classes=8, steps=10, seed=0, reads=reads)
    shaken(build_siamese(load_method(name), trainer)).save(tmp_path / "model.keras")
    assert_alike(tmp_path / "model.keras", 10)


def other_model(path, activation="relu", **options):
    """A siamese model with a layer of somebody else's choice."""
    image = keras.Input((8, 8, 1), name="image")
    features = keras.layers.Flatten()(keras.layers.Conv2D(4, 3, activation=activation, **options)(image))
    backbone = keras.Model(image, features, name="backbone")
    left, right = keras.Input((8, 8, 1)), keras.Input((8, 8, 1))
    likeness = keras.layers.Dot(axes=1, normalize=True)([backbone(left), backbone(right)])
    keras.Model([left, right], likeness).save(path)


def test_what_numpy_does_not_compute_is_left_to_keras(tmp_path, monkeypatch, fresh_keras):
    other_model(tmp_path / "other.keras")
    with pytest.raises(Unsupported, match="Dot"):
        load_network(tmp_path / "other.keras")
    loaded = OneShot.load(tmp_path / "other.keras")
    assert isinstance(loaded.model, keras.Model)
    assert isinstance(OneShot.load().model, Network)
    square = np.full((60, 60), 255, np.uint8)
    square[20:40, 20:24] = 0
    assert loaded.compare(square, square).similarity == pytest.approx(1, abs=1e-5)
    monkeypatch.setattr("siamese_utils.backend.find_spec", lambda name: None)
    monkeypatch.delitem(__import__("siamese_utils.backend").backend.__dict__, "keras")
    with pytest.raises(ParamsError, match=r"this needs `pip install siamese-utils\[(train|jax)\]`"):
        OneShot.load(tmp_path / "other.keras")


@pytest.mark.parametrize("options", [{"activation": "gelu"}, {"dilation_rate": 2}, {"dtype": "mixed_bfloat16"}])
def test_an_option_that_numpy_does_not_compute_is_refused(options, tmp_path, fresh_keras):
    other_model(tmp_path / "other.keras", **options)
    with pytest.raises(Unsupported, match="Conv2D"):
        load_network(tmp_path / "other.keras")
