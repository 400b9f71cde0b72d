"""A network's layers, its expected L2 penalty and its first loss, computed from the recipe alone, without Keras."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from .params import Experiment, Profile, load_profile
from .results import find_so_far
from .words import mean, number


def architecture(experiment: Experiment, profile: Profile) -> pd.DataFrame:
    """The layers of an experiment's network at a profile's image size, computed from the recipe alone.

    Columns: layer, output (shape without the batch), parameters (moving averages included, as Keras counts),
    and squares: the expected sum of squared kernel weights under Glorot uniform, 2n / (fan_in + fan_out) for
    n weights (X. Glorot and Y. Bengio, AISTATS 2010), 0 where the kernels start at zero.
    """
    recipe, side, channels = experiment.recipe, profile.image_size, 1
    rows: list[tuple[str, str, int, float]] = [("image", f"{side}×{side}×1", 0, 0.0)]

    def kernel(words: str, shape: str, fan_in: int, fan_out: int, weights: int, biases: int) -> None:
        squares = 0.0 if recipe.initializer == "zeros" else 2 * weights / (fan_in + fan_out)
        rows.append((words, shape, weights + biases, squares))

    def block_end(shape: str, units: int) -> None:
        norm = [("BatchNorm", shape, 4 * units, 0.0)] if recipe.batch_norm else []
        relu = [("ReLU", shape, 0, 0.0)]
        rows.extend(relu + norm if recipe.norm_after_relu else norm + relu)

    if recipe.backbone == "conv":
        area = recipe.kernel_size**2
        for number, filters in enumerate(recipe.filters):
            side = side if profile.padding == "same" else side - recipe.kernel_size + 1
            words = f"Conv {recipe.kernel_size}×{recipe.kernel_size}, {filters}"
            words += ", ReLU" if number == 0 and recipe.relu_before_norm else ""
            shape = f"{side}×{side}×{filters}"
            kernel(words, shape, area * channels, area * filters, area * channels * filters, filters)
            block_end(shape, filters)
            side, channels = side // 2, filters
            rows.append(("MaxPool 2×2", f"{side}×{side}×{channels}", 0, 0.0))
            if recipe.dropout:
                rows.append((f"Dropout {recipe.dropout:g}", f"{side}×{side}×{channels}", 0, 0.0))
    features = side * side * channels
    rows.append(("Flatten", f"{features:,}", 0, 0.0))
    for units in recipe.hidden if recipe.backbone == "mlp" else ():
        kernel(f"Dense {units}", f"{units:,}", features, units, features * units, units)
        block_end(f"{units:,}", units)
        if recipe.dropout:
            rows.append((f"Dropout {recipe.dropout:g}", f"{units:,}", 0, 0.0))
        features = units
    size = recipe.embedding
    kernel(f"Dense {size}, sigmoid", f"{size:,}", features, size, features * size, size)
    rows.append(("l1 distance", f"{size:,}", 0, 0.0))
    kernel("Dense 1, sigmoid", "1", size, 1, size, 1)
    rows[-1] = ("similarity", *rows[-1][1:])
    return pd.DataFrame(rows, columns=["layer", "output", "parameters", "squares"])


def layers_table(experiment: Experiment, profile: Profile) -> pd.DataFrame:
    """`architecture` for readers: layer, output shape, parameters, with the sum in the last line."""
    layers = architecture(experiment, profile)
    shown = pd.DataFrame(
        {
            "layer": layers["layer"],
            "output shape": layers["output"],
            "parameters": [f"{n:,}" if n else "" for n in layers["parameters"]],
        }
    )
    shown.loc[len(shown)] = ["all layers", "", f"{layers['parameters'].sum():,}"]
    return shown


def penalty(experiment: Experiment, profile: Profile) -> float:
    """The expected L2 penalty before the first update: l2 · expected sum of squared kernel weights."""
    return experiment.recipe.l2 * float(architecture(experiment, profile)["squares"].sum())


def first_loss(profile: Profile, experiments: Iterable[Experiment]) -> pd.DataFrame:
    """What the first loss should be, at the paper's size and at this profile's, beside what was logged.

    The first loss is the penalty and a cross-entropy of about 0.7: log 2 = 0.693 is that of a network which
    answers 0.5 to every pair.
    """
    paper, size = load_profile("paper"), profile.image_size
    lines = []
    for experiment in experiments:
        runs = [run for seed in profile.seeds if (run := find_so_far(experiment, profile, seed))]
        logged = experiment.author.first_loss if experiment.author else None
        lines.append(
            {
                "experiment": experiment.label,
                "penalty at 105×105": f"{penalty(experiment, paper):.3f}",
                "author's first loss": number(logged, 3),
                f"penalty at {size}×{size}": f"{penalty(experiment, profile):.3f}",
                "first loss here": number(mean(run.metrics["first_batch_loss"] for run in runs), 3),
            }
        )
    return pd.DataFrame(lines)
