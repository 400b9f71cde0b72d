"""From an experiment's recipe to a Keras model: one backbone, called once for each image, and a head on |a − b|.

    left, right (batch, size, size, 1) uint8, 0 ink … 255 paper
      └─ backbone: blocks of Conv or Dense, then Dense sigmoid → embeddings (batch, embedding)
           └─ l1_distance: |left − right| (batch, embedding) → similarity: Dense 1, sigmoid (batch, 1)

Source: the paper, Sections 3.1 and 4, and the author's saved model (layer order, activations, regularizers, BatchNorm
constants). The backbone is called separately on the left and the right images, as its author did: BatchNorm sees two
batches, and its moving averages move twice a step.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import keras, layers, on_cpu
from ..config import Experiment, LearningRate, Profile, Recipe, load_experiment, load_profile
from ..schema import checked_seed
from .layers import AbsoluteDifference
from .plan import HEAD, backbone_plan, kernel_shapes


def build_model(experiment: str | Experiment, profile: str | Path | Profile, seed: int = 0) -> keras.Model:
    """Build the compiled, untrained siamese model of an experiment, as the paper's Sections 3.1 and 4 describe it.

    experiment  a row of params/experiments.yaml by its name, or an Experiment
    profile     "demo", "laptop", "paper", the path of a profile's file, or a Profile: gives image size and length
    seed        fixes every initial weight and every dropout mask of a backend

    Inputs are a pair of image batches, left and right (batch, size, size, 1) uint8; the output is the similarity
    (batch, 1), 0 to 1, 1 for "same class".
    Raises ParamsError for what does not exist or is no seed, and for images too small for the recipe's blocks.

    >>> build_model("baseline", "demo").count_params()
    389505
    """
    experiment, profile = load_experiment(experiment), load_profile(profile)
    recipe, seeds = experiment.recipe, layer_seeds(seed)
    backbone = build_backbone(recipe, profile, seeds)
    left, right = (keras.Input(backbone.input_shape[1:], dtype="uint8", name=side) for side in ("left", "right"))
    distance = AbsoluteDifference(name="l1_distance", dtype=profile.precision)([backbone(left), backbone(right)])
    # the head stays in full precision under mixed precision
    head = layers.Dense(1, activation="sigmoid", name=HEAD, dtype="float32", **_kernel_options(recipe, seeds))
    name = experiment.name.replace(".", "_").replace("-", "_")
    model = keras.Model([left, right], head(distance), name=name)
    compile_model(model, recipe, profile)
    return model


def build_backbone(recipe: Recipe, profile: Profile, seeds: Iterator[int]) -> keras.Model:
    """Build the network that both images go through: (batch, size, size, 1) uint8 → (batch, embedding), from 0 to 1."""
    # raises where the images are too small
    kernel_shapes(recipe, profile)
    images = keras.Input((profile.image_size, profile.image_size, 1), dtype="uint8", name="image")
    features = images
    for kind, name, options in backbone_plan(recipe, profile.padding):
        if kind in ("Conv2D", "Dense"):
            options |= _kernel_options(recipe, seeds)
        elif kind == "Dropout":
            options |= {"seed": next(seeds)}
        features = getattr(layers, kind)(name=name, dtype=profile.precision, **options)(features)
    return keras.Model(images, features, name="backbone")


def compile_model(model: keras.Model, recipe: Recipe, profile: Profile) -> None:
    """Compile with binary cross-entropy, Adam (0.9, 0.999, 1e-7), and the learning rate of the profile."""
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate_schedule(recipe.learning_rate, profile), epsilon=1e-7),
        loss=keras.losses.BinaryCrossentropy(),
        jit_compile=jit_compile(),
    )
    # so that a model saved before its first step loads again
    model.optimizer.build(model.trainable_variables)


def learning_rate_schedule(learning_rate: LearningRate, profile: Profile) -> Any:
    """Make a fixed rate, or initial · decay_rate ** (step / decay_steps), continuous, with the profile's steps."""
    initial, decay_rate, decay_steps = learning_rate.initial, learning_rate.decay_rate, learning_rate.decay_steps
    if decay_steps is None or decay_rate is None:
        return initial
    steps = profile.decay_steps(decay_steps)
    return keras.optimizers.schedules.ExponentialDecay(initial, decay_steps=steps, decay_rate=decay_rate)


def jit_compile() -> bool | str:
    """Choose XLA everywhere but on TensorFlow without a GPU, where it makes a step slower (see benchmarks/)."""
    return False if keras.config.backend() == "tensorflow" and on_cpu() else "auto"


def layer_seeds(seed: int) -> Iterator[int]:
    """Yield independent seeds for initializers and dropout masks, without end; ParamsError for what is no seed."""
    state = np.random.SeedSequence(checked_seed(seed))
    while True:
        (child,) = state.spawn(1)
        yield int(child.generate_state(1)[0] >> 1)


def _kernel_options(recipe: Recipe, seeds: Iterator[int]) -> dict[str, Any]:
    """Choose initializer and L2 penalty of a Conv or Dense kernel; biases start at zero, without a penalty."""
    zeros = recipe.initializer == "zeros"
    return {
        "kernel_initializer": "zeros" if zeros else keras.initializers.GlorotUniform(seed=next(seeds)),
        "kernel_regularizer": keras.regularizers.L2(recipe.l2) if recipe.l2 else None,
    }
