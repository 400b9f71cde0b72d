"""What a step takes: operations and memory, by hand and by the layers that Keras builds."""

from math import prod

import pytest

from siamese_utils.config import load_experiment, load_matrix, load_profile
from siamese_utils.errors import ParamsError
from siamese_utils.models.cost import FLOAT, cost_of
from siamese_utils.models.siamese import build_model

NAMES = [experiment.name for experiment in load_matrix().experiments]


def test_a_steps_operations_by_hand(tiny):
    """28×28 pixels, padded: a multiplication and an addition for each weight, place and pass, of both images."""
    first = 28 * 28 * 25 * 1 * 32
    others = 14 * 14 * 25 * 32 * 64 + 7 * 7 * 25 * 64 * 128 + 3 * 3 * 128 * 256
    profile = tiny.model_copy(update={"image_size": 28, "batch_size": 6})
    assert cost_of(load_experiment("baseline"), profile).flop == 2 * 6 * 2 * (2 * first + 3 * others)


def test_the_memory_of_a_perceptron_by_hand(tiny):
    """Dense, BatchNorm, Dropout three times, and the embedding: each has as many outputs as units."""
    profile = tiny.model_copy(update={"image_size": 28, "batch_size": 2})
    cost = cost_of(load_experiment("mlp"), profile)
    units = 2048 + 1024 + 512
    moving = 2 * units
    assert cost.activations == 4 * (28 * 28 + 3 * units + 256) * 2 * 2
    assert cost.state == 4 * (4 * (cost.parameters - moving) + moving)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_counted_is_what_keras_builds(name, fresh_keras):
    experiment, profile = load_experiment(name), load_profile("laptop")
    model, cost = build_model(experiment, profile), cost_of(experiment, profile)
    backbone, images = model.get_layer("backbone"), 2 * (profile.batch_size or experiment.recipe.batch_size)
    layers = [layer for layer in backbone.layers if type(layer).__name__ not in ("InputLayer", "Flatten")]
    assert cost.parameters == model.count_params()
    assert cost.activations == FLOAT * images * sum(prod(layer.output.shape[1:]) for layer in layers)
    counts = [prod(layer.output.shape[1:-1]) * prod(layer.kernel.shape) for layer in layers if hasattr(layer, "kernel")]
    assert cost.flop == 2 * images * (3 * sum(counts) - counts[0])
    trained, kept = (sum(prod(w.shape) for w in ws) for ws in (model.trainable_weights, model.non_trainable_weights))
    assert cost.state == FLOAT * (4 * trained + kept)


def test_a_batch_twice_as_large_takes_twice_as_much_but_for_its_weights(tiny):
    one, two = (
        cost_of(load_experiment("baseline"), tiny.model_copy(update={"batch_size": pairs})) for pairs in (8, 16)
    )
    assert (two.flop, two.activations, two.state) == (2 * one.flop, 2 * one.activations, one.state)


def test_images_that_are_too_small_are_refused(tiny):
    with pytest.raises(ParamsError, match="too small"):
        cost_of(load_experiment("baseline"), tiny.model_copy(update={"image_size": 8, "padding": "valid"}))
