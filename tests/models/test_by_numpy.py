"""A model's file computed by NumPy answers as Keras does; what NumPy does not compute is left to Keras."""

import io
import zipfile

import h5py
import keras
import numpy as np
import pytest
from conftest import ROOT

from siamese_utils.beyond.config import load_method
from siamese_utils.beyond.networks import build_siamese, build_trainer
from siamese_utils.beyond.paper_rows import _reads_pictures
from siamese_utils.config import load_matrix
from siamese_utils.errors import DataError, ParamsError
from siamese_utils.evaluation.accuracy import embed, similarity
from siamese_utils.inference.one_shot import OneShot
from siamese_utils.models.by_numpy import Network, Unsupported, load_network
from siamese_utils.models.layers import FromPixels, Similarity
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


def comparing(backbone, outputs=lambda likeness: likeness, before=lambda image: image):
    left, right = keras.Input((8, 8, 1)), keras.Input((8, 8, 1))
    likeness = Similarity("cosine")([backbone(before(left)), backbone(before(right))])
    return shaken(keras.Model([left, right], outputs(likeness)))


def a_backbone(*layers):
    image = features = keras.Input((8, 8, 1))
    for layer in layers:
        features = layer(features)
    return keras.Model(image, features, name="backbone")


@pytest.mark.parametrize("reads", ["drawings", "pictures", "raw pictures"])
def test_pixels_are_taken_as_their_layer_says(reads, tmp_path, fresh_keras):
    pixels = [FromPixels(reads), keras.layers.Conv2D(3, 3), keras.layers.Flatten()]
    comparing(a_backbone(*pixels)).save(tmp_path / "model.keras")
    assert_alike(tmp_path / "model.keras", 10)


def test_a_network_of_the_paper_that_learned_pictures_answers_as_in_keras(tiny, tmp_path, fresh_keras):
    model = _reads_pictures(shaken(build_model("baseline", tiny), 1 / 255))
    model.save(tmp_path / "model.keras")
    assert_alike(tmp_path / "model.keras", 10)


def test_other_shapes_of_a_model_are_left_to_keras(tmp_path, fresh_keras):
    """Several outputs, names for them, a layer in two networks, an order of colours before places."""

    def conv(order="channels_last"):
        return a_backbone(keras.layers.Conv2D(3, 3, padding="same"), keras.layers.Flatten(order))

    shared = keras.layers.Conv2D(1, 3, padding="same")
    models = {
        "with several outputs": comparing(conv(), lambda likeness: [likeness, likeness]),
        "with names": comparing(conv(), lambda likeness: {"likeness": likeness}),
        "without its weights": comparing(a_backbone(shared, keras.layers.Flatten()), before=shared),
        "Flatten": comparing(conv("channels_first")),
    }
    for words, model in models.items():
        model.save(tmp_path / "model.keras")
        with pytest.raises(Unsupported, match=words):
            load_network(tmp_path / "model.keras")
        # Keras itself loads no layer in two networks
        if words != "without its weights":
            assert isinstance(OneShot.load(tmp_path / "model.keras").model, keras.Model)


def remade(path, config=lambda text: text, weights=lambda file: None):
    """A model's file with another configuration, or other weights."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    content = io.BytesIO(members["model.weights.h5"])
    with h5py.File(content, "r+") as file:
        weights(file)
    members |= {"config.json": config(members["config.json"]), "model.weights.h5": content.getvalue()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)


def instead(key, **options):
    """Put another array in the place of a weight of the convolution: by h5py's options."""

    def put(file):
        place = f"layers/functional/layers/conv2d/vars/{key}"
        del file[place]
        file.create_dataset(place, dtype=np.float32, **options)

    return put


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ({"weights": instead(1, data=[1.0])}, "weights of conv do not fit it"),
        ({"config": lambda text: text.replace(b'"filters": 3', b'"filters": 4')}, "weights of conv do not fit it"),
        ({"weights": instead(0, shape=(3, 3, 1, 10**9), chunks=(3, 3, 1, 1000))}, "names weights that are not in it"),
        ({"weights": instead(0, shape=(3, 3, 1, 3), external=[("/etc/passwd", 0, 108)])}, "weights that are not in it"),
        ({"config": lambda text: text.replace(b'"padding": "valid"', b'"padding": "causal"')}, ""),
        ({"config": lambda text: text.replace(b'"strides": [1, 1]', b'"strides": [-1, 1]')}, ""),
    ],
    ids=["bias", "filters", "huge", "another-file", "padding", "strides"],
)
def test_a_damaged_file_gives_no_answer(damage, words, tmp_path, fresh_keras):
    """NumPy would take a short bias for one that all filters share, and other words for their default."""
    comparing(a_backbone(keras.layers.Conv2D(3, 3, name="conv"), keras.layers.Flatten())).save(tmp_path / "model.keras")
    remade(tmp_path / "model.keras", **damage)
    with pytest.raises(DataError, match=rf"not a siamese model \(.*{words}"):
        OneShot.load(tmp_path / "model.keras")


def test_a_file_that_unpacks_to_more_than_any_model_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("siamese_utils.models.by_numpy.LARGEST", 1000)
    with zipfile.ZipFile(tmp_path / "model.keras", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("config.json", b" " * 2000)
        archive.writestr("model.weights.h5", b"")
    with pytest.raises(DataError, match="larger than any network"):
        OneShot.load(tmp_path / "model.keras")
    monkeypatch.undo()
    content = bytearray((tmp_path / "model.keras").read_bytes())
    content[50:60] = b"\xff" * 10
    (tmp_path / "model.keras").write_bytes(content)
    with pytest.raises(DataError, match="not a siamese model"):
        OneShot.load(tmp_path / "model.keras")
