"""The layers of our own, on numbers worked out by hand, and again as a saved model has them."""

import keras
import numpy as np
import pytest

from siamese_utils.models.layers import (
    AbsoluteDifference,
    Calibration,
    ClassDirections,
    EveryPair,
    FromPixels,
    MeanOfViews,
    Similarity,
    Views,
)

ROWS = np.array([[3.0, 4.0], [0.0, 2.0], [-3.0, -4.0]], np.float32)
OTHERS = np.array([[3.0, 0.0], [0.0, 5.0], [3.0, 4.0]], np.float32)


def numbers(layer, inputs):
    """What a layer gives, and the same layer made again of its config."""
    found, again = (
        keras.ops.convert_to_numpy(made(inputs)) for made in (layer, type(layer).from_config(layer.get_config()))
    )
    np.testing.assert_array_equal(found, again)
    return found


def test_the_distance_is_of_each_element():
    np.testing.assert_array_equal(numbers(AbsoluteDifference(), [ROWS, OTHERS]), [[0, 4], [0, 3], [6, 8]])


def test_every_pair_is_compared():
    found = numbers(EveryPair(), ROWS)
    assert found.shape == (3, 3, 2)
    np.testing.assert_array_equal(found[0], [[0, 0], [3, 2], [6, 8]])
    np.testing.assert_array_equal(found, found.transpose(1, 0, 2))


def test_similarities_by_hand():
    np.testing.assert_allclose(numbers(Similarity("euclidean"), [ROWS, OTHERS]), [[-16], [-9], [-100]])
    np.testing.assert_allclose(numbers(Similarity("cosine"), [ROWS, OTHERS]), [[0.6], [1], [-1]], rtol=1e-5)


def test_pixels_are_ink_or_lie_between_minus_1_and_1():
    pixels = np.array([[0, 51, 255]], np.uint8)
    drawings, pictures = (numbers(FromPixels(reads), pixels) for reads in ("drawings", "pictures"))
    assert drawings.dtype == pictures.dtype == np.float32
    np.testing.assert_allclose(drawings, [[1, 0.8, 0]], rtol=1e-5)
    np.testing.assert_allclose(pictures, [[-1, -0.6, 1]], rtol=1e-5)


def test_class_directions_give_the_cosine_with_each():
    layer = ClassDirections(2, seed=5)
    found = keras.ops.convert_to_numpy(layer(ROWS))
    (directions,) = layer.get_weights()
    assert directions.shape == (2, 2)
    lengths = np.linalg.norm(ROWS, axis=1)[:, None] * np.linalg.norm(directions, axis=0)
    np.testing.assert_allclose(found, ROWS @ directions / lengths, rtol=1e-5)
    again, other = ClassDirections.from_config(layer.get_config()), ClassDirections(2)
    again(ROWS), other(ROWS)
    np.testing.assert_array_equal(again.get_weights()[0], directions)
    assert (other.get_weights()[0] != directions).all()
    assert (other.classes, other.seed, again.seed) == (2, 0, 5)
    assert layer.weights[0].path.endswith("/directions")


def test_class_directions_begin_near_one_another():
    """As those of committed runs did: each number near 1."""
    layer = ClassDirections(200)
    layer(np.ones((1, 50), np.float32))
    (directions,) = layer.get_weights()
    assert directions.shape == (50, 200)
    assert directions.mean() == pytest.approx(1, abs=0.01)
    assert directions.std() == pytest.approx(0.05, rel=0.1)


def test_views_are_moved_copies_of_each_image_on_white_paper():
    images = np.arange(2 * 3 * 3 * 1, dtype=np.float32).reshape(2, 3, 3, 1)
    as_it_is, to_the_left = [1, 0, 0, 0, 1, 0, 0, 0], [1, 0, 1, 0, 1, 0, 0, 0]
    layer = Views([as_it_is, to_the_left])
    found = numbers(layer, images)
    assert found.shape == (4, 3, 3, 1)
    np.testing.assert_allclose(found[::2], images)
    np.testing.assert_allclose(found[1::2, :, :2], images[:, :, 1:])
    np.testing.assert_allclose(found[1::2, :, 2], 255)
    np.testing.assert_allclose(numbers(Views([[1, 0, 0.5, 0, 1, 0, 0, 0]]), images)[0, 0, :2, 0], [0.5, 1.5])
    assert layer.compute_output_shape((2, 3, 3, 1)) == (None, 3, 3, 1)
    assert layer.maps == [[*map(float, as_it_is)], [*map(float, to_the_left)]]


def test_raw_pictures_are_left_as_they_are():
    pixels = np.array([[0, 51, 255]], np.uint8)
    np.testing.assert_allclose(numbers(FromPixels("raw pictures"), pixels), [[0, 51, 255]])
    np.testing.assert_allclose(numbers(FromPixels("pictures"), pixels), [[-1, -0.6, 1]], atol=1e-6)


def test_the_mean_of_an_images_views():
    # two views of each of two images, or of the two sides of one
    rows = np.concatenate([ROWS, OTHERS[:1]])
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(numbers(MeanOfViews(2, False), rows), [[1.5, 3], [0, -2]], rtol=1e-5)
    means = unit.reshape(2, 2, 2).mean(axis=1)
    np.testing.assert_allclose(numbers(MeanOfViews(2, True), rows), means, rtol=1e-5)
    np.testing.assert_allclose(numbers(MeanOfViews(2, False, sides=2), rows), [[1.5, 3, 0, -2]], rtol=1e-5)
    sides = (means / np.linalg.norm(means, axis=1, keepdims=True)).reshape(1, 4)
    layer = MeanOfViews(2, True, sides=2)
    np.testing.assert_allclose(numbers(layer, rows), sides, rtol=1e-5)
    assert layer.compute_output_shape((None, 2)) == (None, 4)
    assert MeanOfViews(2, True).compute_output_shape((None, 2)) == (None, 2)


def test_a_calibration_passes_on_and_keeps():
    layer = Calibration(same=[1, 2], different=np.array([0.5, 1]))
    np.testing.assert_array_equal(numbers(layer, ROWS), ROWS)
    again = Calibration.from_config(layer.get_config())
    assert (again.same, again.different) == ([1.0, 2.0], [0.5, 1.0])
    assert {type(number) for number in (*again.same, *layer.different)} == {float}


@pytest.mark.parametrize(
    ("made", "shape"),
    [
        (lambda: FromPixels("pictures"), (2,)),
        (lambda: EveryPair(), (2,)),
        (lambda: ClassDirections(3, seed=1), (2,)),
        (lambda: Views([[1, 0, 1, 0, 1, 0, 0, 0]]), (3, 3, 1)),
        (lambda: MeanOfViews(1, True, sides=1), (2,)),
        (lambda: Calibration([1], [2]), (2,)),
    ],
)
def test_a_saved_layer_is_the_same_layer_with_its_name(made, shape, tmp_path):
    inputs = keras.Input(shape)
    layer = made()
    model = keras.Model(inputs, layer(inputs))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True).layers[-1]
    assert type(again) is type(layer)
    assert again.get_config() == layer.get_config()
    assert again.name == layer.name
