"""The plan of a network: what is computed from it is what Keras builds from it."""

import pytest

from siamese_utils.config import load_experiment, load_matrix, load_profile
from siamese_utils.errors import ParamsError
from siamese_utils.models.plan import count_parameters, expected_penalty, kernel_shapes
from siamese_utils.models.siamese import build_model
from siamese_utils.models.summary import layers_table, network_summary

NAMES = [experiment.name for experiment in load_matrix().experiments]


@pytest.mark.parametrize(
    ("name", "penalty"),
    [  # the penalties that explain the author's first losses
        ("baseline", 6.316),
        ("dense-128", 3.848),
        ("dense-128-as-run", 3.016),
        ("dense-64-as-run", 1.743),
        ("dense-512", 11.077),
        ("conv-256-dense-512", 9.853),
        ("conv-256-dense-1024", 13.266),
        ("mlp", 58.457),
        ("without-l2", 0),
        ("zero-initialization", 0),
    ],
)
def test_the_penalty_of_a_fresh_network(name, penalty):
    assert expected_penalty(load_experiment(name), load_profile("paper")) == pytest.approx(penalty, abs=6e-4)


@pytest.mark.parametrize("name", NAMES)
def test_kernels_and_parameters_are_those_of_the_keras_model(name, tiny, fresh_keras):
    experiment = load_experiment(name)
    model = build_model(experiment, tiny)
    kernels = {v.path.split("/")[-2]: tuple(v.shape) for v in model.trainable_variables if v.path.endswith("kernel")}
    assert kernel_shapes(experiment.recipe, tiny) == kernels
    assert count_parameters(experiment.recipe, tiny) == model.count_params()
    assert network_summary(model)["parameters"].sum() == model.count_params()


def test_the_summary_reads_like_the_papers_figure_1(tiny, fresh_keras):
    model = build_model(load_experiment("baseline"), tiny)
    summary = network_summary(model)
    assert summary["layer"].iloc[:6].tolist() == [
        "image", "Conv 5×5, 32, ReLU", "BatchNorm", "ReLU", "MaxPool 2×2", "Dropout 0.3",
    ]  # fmt: skip
    assert summary["layer"].iloc[-3:].tolist() == ["Dense 256, sigmoid", "l1 distance", "similarity"]
    assert summary["output"].iloc[0] == f"{tiny.image_size}×{tiny.image_size}×1"
    assert layers_table(model).iloc[-1]["parameters"] == f"{model.count_params():,}"


def test_images_too_small_for_the_blocks_are_refused(tiny):
    small = tiny.model_copy(update={"image_size": 20, "padding": "valid"})
    with pytest.raises(ParamsError, match=r"20 pixels are too small for conv block 3 of 3"):
        kernel_shapes(load_experiment("baseline").recipe, small)
