"""A network as data, from which it is built and computed with: its layers in order, and the shapes of its kernels.

Nothing here needs Keras, so that a report can say what a network's first loss should be without building it.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

from ..config import Experiment, Profile, Recipe
from ..errors import ParamsError

HEAD = "similarity"


def backbone_plan(recipe: Recipe, padding: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the backbone's layers in order: Keras class, name, options.

    A block is Conv, [BatchNorm], ReLU, MaxPool 2×2, [Dropout], or the same with Dense and without pooling. Where the
    recipe has ReLU before BatchNorm, it is the Conv's or Dense's own activation; the author's first block has both.
    """
    is_conv = recipe.backbone == "conv"
    yield "Rescaling", "raw_pixels", {"scale": 1.0}
    if not is_conv:
        yield "Flatten", "flatten", {}
    for number, units in enumerate(recipe.filters if is_conv else recipe.hidden, start=1):
        relu_first = recipe.norm_after_relu or (is_conv and number == 1 and recipe.relu_before_norm)
        activation = {"activation": "relu" if relu_first else None}
        if is_conv:
            shape = {"filters": units, "kernel_size": recipe.kernel_size, "padding": padding}
            yield "Conv2D", f"conv_{number}", {**shape, **activation}
        else:
            yield "Dense", f"dense_{number}", {"units": units, **activation}
        if recipe.batch_norm:
            yield "BatchNormalization", f"norm_{number}", {"momentum": 0.99, "epsilon": 1e-3}
        if not recipe.norm_after_relu:
            yield "ReLU", f"relu_{number}", {}
        if is_conv:
            yield "MaxPooling2D", f"pool_{number}", {"pool_size": 2}
        if recipe.dropout:
            yield "Dropout", f"dropout_{number}", {"rate": recipe.dropout}
    if is_conv:
        yield "Flatten", "flatten", {}
    yield "Dense", "embedding", {"units": recipe.embedding, "activation": "sigmoid"}


def layer_shapes(recipe: Recipe, profile: Profile) -> Iterator[tuple[str, str, tuple[int, ...], tuple[int, ...]]]:
    """Yield the backbone's layers in order: Keras class, name, shape of the kernel, shape of the output without batch.

    A kernel is (height, width, in, out) or (in, out); a layer without one has ().
    Raises ParamsError where the images are too small for the recipe's blocks.
    """
    shape: tuple[int, ...] = (profile.image_size, profile.image_size, 1)
    for kind, name, options in backbone_plan(recipe, profile.padding):
        kernel: tuple[int, ...] = ()
        if kind == "Conv2D":
            size = options["kernel_size"]
            kernel = (size, size, shape[-1], options["filters"])
            side = shape[0] if options["padding"] == "same" else shape[0] - size + 1
            shape = (side, side, options["filters"])
        elif kind == "MaxPooling2D":
            shape = (shape[0] // 2, shape[1] // 2, shape[2])
            if shape[0] < 1:
                raise ParamsError(
                    f"images of {profile.image_size} pixels are too small for conv block {name.removeprefix('pool_')} "
                    f"of {len(recipe.filters)}: use a larger image_size or padding: same."
                )
        elif kind == "Flatten":
            shape = (prod(shape),)
        elif kind == "Dense":
            kernel = (shape[0], options["units"])
            shape = (options["units"],)
        yield kind, name, kernel, shape


def kernel_shapes(recipe: Recipe, profile: Profile) -> dict[str, tuple[int, ...]]:
    """Return the shape of every kernel by its layer's name, the head's last; ParamsError as for `layer_shapes`."""
    kernels = {name: kernel for _, name, kernel, _ in layer_shapes(recipe, profile) if kernel}
    return {**kernels, HEAD: (recipe.embedding, 1)}


def count_parameters(recipe: Recipe, profile: Profile) -> int:
    """Count the network's parameters as Keras does, BatchNorm's moving averages included."""
    shapes = kernel_shapes(recipe, profile)
    normed = [shape[-1] for name, shape in shapes.items() if recipe.batch_norm and name not in ("embedding", HEAD)]
    return sum(prod(shape) + shape[-1] for shape in shapes.values()) + 4 * sum(normed)


def expected_penalty(experiment: Experiment, profile: Profile) -> float:
    """Compute the expected L2 penalty before the first update: l2 · expected sum of squared kernel weights.

    Under Glorot uniform it is 2n / (fan_in + fan_out) for the n weights of a kernel. Source: X. Glorot and Y. Bengio,
    AISTATS 2010.
    """
    recipe = experiment.recipe
    if recipe.initializer == "zeros":
        return 0.0
    kernels = kernel_shapes(recipe, profile).values()
    return recipe.l2 * sum(2 * prod(shape) / (prod(shape[:-2]) * sum(shape[-2:])) for shape in kernels)
