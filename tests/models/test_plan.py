"""The plan of a network: what is computed from it is what Keras builds from it."""

import pytest

from siamese_utils.config import load_experiment, load_matrix, load_profile
from siamese_utils.errors import ParamsError
from siamese_utils.models.plan import backbone_plan, count_parameters, expected_penalty, kernel_shapes
from siamese_utils.models.siamese import build_model
from siamese_utils.models.summary import layers_table, network_summary

NAMES = [experiment.name for experiment in load_matrix().experiments]


@pytest.mark.parametrize(
    ("name", "penalty"),
    # the penalties that explain the author's first losses
    [
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


def conv_block(number, filters, activation):
    return [
        ("Conv2D", f"conv_{number}", {
            "filters": filters, "kernel_size": 5, "padding": "valid", "activation": activation,
        }),
        ("BatchNormalization", f"norm_{number}", {"momentum": 0.99, "epsilon": 0.001}),
        ("ReLU", f"relu_{number}", {}),
        ("MaxPooling2D", f"pool_{number}", {"pool_size": 2}),
        ("Dropout", f"dropout_{number}", {"rate": 0.3}),
    ]  # fmt: skip


def dense_block(number, units):
    return [
        ("Dense", f"dense_{number}", {"units": units, "activation": "relu"}),
        ("BatchNormalization", f"norm_{number}", {"momentum": 0.99, "epsilon": 0.001}),
        ("Dropout", f"dropout_{number}", {"rate": 0.3}),
    ]


FIRST, FLATTEN = ("Rescaling", "raw_pixels", {"scale": 1.0}), ("Flatten", "flatten", {})
LAST = ("Dense", "embedding", {"units": 256, "activation": "sigmoid"})
CONVS = [*conv_block(1, 32, "relu"), *conv_block(2, 64, None), *conv_block(3, 128, None)]
MLP = [*dense_block(1, 2048), *dense_block(2, 1024), *dense_block(3, 512)]


def without(kind, plan):
    return [line for line in plan if line[0] != kind]


@pytest.mark.parametrize(
    ("name", "changes", "plan"),
    [
        ("baseline", {}, [FIRST, *CONVS, FLATTEN, LAST]),
        ("baseline", {"batch_norm": False}, [FIRST, *without("BatchNormalization", CONVS), FLATTEN, LAST]),
        ("baseline", {"dropout": 0.0}, [FIRST, *without("Dropout", CONVS), FLATTEN, LAST]),
        ("baseline", {"relu_before_norm": False}, [FIRST, *conv_block(1, 32, None), *CONVS[5:], FLATTEN, LAST]),
        (
            "baseline",
            {"norm_after_relu": True, "filters": (32, 64)},
            [FIRST, *without("ReLU", conv_block(1, 32, "relu") + conv_block(2, 64, "relu")), FLATTEN, LAST],
        ),
        ("mlp", {}, [FIRST, FLATTEN, *MLP, LAST]),
        (
            "mlp",
            {"norm_after_relu": False, "hidden": (7,)},
            [FIRST, FLATTEN, ("Dense", "dense_1", {"units": 7, "activation": None}),
             MLP[1], ("ReLU", "relu_1", {}), MLP[2], LAST],
        ),
    ],
)  # fmt: skip
def test_the_layers_in_their_order_by_hand(name, changes, plan):
    """Saved models and the summary name layers as the plan does."""
    recipe = load_experiment(name).recipe.model_copy(update=changes)
    assert list(backbone_plan(recipe, "valid")) == plan


@pytest.mark.parametrize(
    ("padding", "flattened"),
    [("valid", 3 * 3 * 64), ("same", 6 * 6 * 64)],
    # 27 → 23 → 11 → 7 → 3, or 27 → 13 → 6
)
def test_kernels_and_their_numbers_by_hand(padding, flattened, tiny):
    recipe = load_experiment("baseline").recipe.model_copy(update={"filters": (32, 64), "embedding": 8})
    profile = tiny.model_copy(update={"image_size": 27, "padding": padding})
    shapes = {"conv_1": (5, 5, 1, 32), "conv_2": (5, 5, 32, 64), "embedding": (flattened, 8), "similarity": (8, 1)}
    assert kernel_shapes(recipe, profile) == shapes
    weights = 25 * 32 + 25 * 32 * 64 + flattened * 8 + 8
    biases, norms = 32 + 64 + 8 + 1, 4 * (32 + 64)
    assert count_parameters(recipe, profile) == weights + biases + norms
    bare = recipe.model_copy(update={"batch_norm": False})
    assert count_parameters(bare, profile) == weights + biases


def test_an_image_may_become_one_pixel_but_none_no_less(tiny):
    recipe = load_experiment("baseline").recipe.model_copy(update={"filters": (32,)})
    one, none = (tiny.model_copy(update={"image_size": size, "padding": "valid"}) for size in (6, 5))
    assert kernel_shapes(recipe, one)["embedding"] == (32, 256)
    with pytest.raises(ParamsError, match=r"5 pixels are too small for conv block 1 of 1: use a larger image_size"):
        kernel_shapes(recipe, none)


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


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("dense-64-as-run", [
            ("image", "28×28×1", 0), ("Conv 5×5, 32, ReLU", "28×28×32", 832), ("BatchNorm", "28×28×32", 128),
            ("ReLU", "28×28×32", 0), ("MaxPool 2×2", "14×14×32", 0), ("Dropout 0.3", "14×14×32", 0),
            ("Conv 5×5, 64", "14×14×64", 51_264), ("BatchNorm", "14×14×64", 256), ("ReLU", "14×14×64", 0),
            ("MaxPool 2×2", "7×7×64", 0), ("Dropout 0.3", "7×7×64", 0), ("Flatten", "3,136", 0),
            ("Dense 64, sigmoid", "64", 200_768), ("l1 distance", "64", 0), ("similarity", "1", 65),
        ]),
        ("mlp", [
            ("image", "28×28×1", 0), ("Flatten", "784", 0), ("Dense 2048, ReLU", "2,048", 1_607_680),
            ("BatchNorm", "2,048", 8_192), ("Dropout 0.3", "2,048", 0), ("Dense 1024, ReLU", "1,024", 2_098_176),
            ("BatchNorm", "1,024", 4_096), ("Dropout 0.3", "1,024", 0), ("Dense 512, ReLU", "512", 524_800),
            ("BatchNorm", "512", 2_048), ("Dropout 0.3", "512", 0), ("Dense 256, sigmoid", "256", 131_328),
            ("l1 distance", "256", 0), ("similarity", "1", 257),
        ]),
    ],
)  # fmt: skip
def test_the_tables_of_a_network_line_by_line(name, lines, tiny, fresh_keras):
    model = build_model(load_experiment(name), tiny.model_copy(update={"image_size": 28}))
    summary, shown = network_summary(model), layers_table(model)
    assert list(summary) == ["layer", "output", "parameters"]
    assert [tuple(line) for line in summary.to_numpy()] == lines
    assert list(shown) == ["layer", "output shape", "parameters"]
    total = sum(count for *_, count in lines)
    in_words = [[layer, shape, f"{count:,}" if count else ""] for layer, shape, count in lines]
    assert shown.to_numpy().tolist() == [*in_words, ["all layers", "", f"{total:,}"]]


def test_images_too_small_for_the_blocks_are_refused(tiny):
    small = tiny.model_copy(update={"image_size": 20, "padding": "valid"})
    with pytest.raises(ParamsError, match=r"20 pixels are too small for conv block 3 of 3"):
        kernel_shapes(load_experiment("baseline").recipe, small)
