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

import numpy as np

from .backend import keras, layers, ops
from .errors import ParamsError
from .params import Experiment, LearningRate, Profile, Recipe


@keras.saving.register_keras_serializable(package="siamese_utils")
class AbsoluteDifference(layers.Layer):
    """|a − b|, element by element: [(batch, d), (batch, d)] → (batch, d). The paper's l1 distance before its sum."""

    def call(self, inputs):
        left, right = inputs
        return ops.abs(left - right)

    def compute_output_shape(self, input_shape):
        return input_shape[0]


def build_model(experiment: Experiment, profile: Profile, seed: int = 0) -> keras.Model:
    """The compiled siamese model of one experiment at one profile's image size and length.

    The seed fixes every initial weight and every dropout mask of a backend. Inputs are a pair of uint8 image batches
    (batch, size, size, 1); the output is the similarity (batch, 1), 1 for "same class".
    Raises ParamsError where the images are too small for the recipe's blocks.
    """
    recipe = experiment.recipe
    seeds = seeds_of(seed)
    backbone = build_backbone(recipe, profile, seeds)
    left = keras.Input(backbone.input_shape[1:], dtype="uint8", name="left")
    right = keras.Input(backbone.input_shape[1:], dtype="uint8", name="right")
    distance = AbsoluteDifference(name="l1_distance", dtype=profile.precision)([backbone(left), backbone(right)])
    similarity = layers.Dense(
        1,
        activation="sigmoid",
        name="similarity",
        dtype="float32",  # the head stays in full precision under mixed precision
        **_kernel(recipe, seeds),
    )(distance)
    model = keras.Model([left, right], similarity, name=experiment.name.replace(".", "_").replace("-", "_"))
    compile_model(model, recipe, profile)
    return model


def build_backbone(recipe: Recipe, profile: Profile, seeds: Iterator[int]) -> keras.Model:
    """The network both images go through: (batch, size, size, 1) uint8 → (batch, embedding), values in 0 to 1."""
    size = profile.image_size
    stack: list[layers.Layer] = [layers.Rescaling(1.0, name="raw_pixels", dtype=profile.precision)]
    if recipe.backbone == "conv":
        for number, filters in enumerate(recipe.filters, start=1):
            size = _size_after_block(size, recipe, profile, number)
            stack += _conv_block(number, filters, recipe, profile, seeds)
        stack.append(layers.Flatten(name="flatten"))
    else:
        stack.append(layers.Flatten(name="flatten"))
        for number, units in enumerate(recipe.hidden, start=1):
            stack += _dense_block(number, units, recipe, profile, seeds)
    stack.append(
        layers.Dense(
            recipe.embedding,
            activation="sigmoid",
            name="embedding",
            dtype=profile.precision,
            **_kernel(recipe, seeds),
        )
    )
    pixels = keras.Input((profile.image_size, profile.image_size, 1), dtype="uint8", name="image")
    features = pixels
    for layer in stack:
        features = layer(features)
    return keras.Model(pixels, features, name="backbone")


def compile_model(model: keras.Model, recipe: Recipe, profile: Profile) -> None:
    """Binary cross-entropy and Adam (0.9, 0.999, 1e-7), the learning-rate decay shortened to the profile's length."""
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate_schedule(recipe.learning_rate, profile), epsilon=1e-7),
        loss=keras.losses.BinaryCrossentropy(),
        jit_compile=jit_compile(),
    )
    model.optimizer.build(model.trainable_variables)  # so that a model saved before its first step loads again


def learning_rate_schedule(rate: LearningRate, profile: Profile):
    """A fixed rate, or initial · decay_rate ** (step / decay_steps), continuous, steps scaled to the profile."""
    if rate.decay_steps is None or rate.decay_rate is None:
        return rate.initial
    return keras.optimizers.schedules.ExponentialDecay(
        rate.initial, decay_steps=profile.scaled(rate.decay_steps), decay_rate=rate.decay_rate
    )


def jit_compile() -> bool | str:
    """XLA everywhere but on TensorFlow without a GPU, where it makes a training step slower (see benchmarks/)."""
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        if not tf.config.list_physical_devices("GPU"):
            return False
    return "auto"


def _conv_block(number, filters, recipe: Recipe, profile: Profile, seeds) -> list[layers.Layer]:
    """Conv, [BatchNorm], ReLU, MaxPool 2×2, [Dropout]: (h, w, c) → (h', w', filters)."""
    relu_inside = recipe.norm_after_relu or (number == 1 and recipe.relu_before_norm)
    return [
        layers.Conv2D(
            filters,
            recipe.kernel_size,
            padding=profile.padding,
            activation="relu" if relu_inside else None,
            name=f"conv_{number}",
            dtype=profile.precision,
            **_kernel(recipe, seeds),
        ),
        *_norm(number, recipe, profile),
        *_relu(number, recipe, profile),
        layers.MaxPooling2D(2, name=f"pool_{number}", dtype=profile.precision),
        *_dropout(number, recipe, profile, seeds),
    ]


def _dense_block(number, units, recipe: Recipe, profile: Profile, seeds) -> list[layers.Layer]:
    """Dense, [BatchNorm], ReLU, [Dropout], or Dense with its ReLU, [BatchNorm], [Dropout]: (features,) → (units,)."""
    return [
        layers.Dense(
            units,
            activation="relu" if recipe.norm_after_relu else None,
            name=f"dense_{number}",
            dtype=profile.precision,
            **_kernel(recipe, seeds),
        ),
        *_norm(number, recipe, profile),
        *_relu(number, recipe, profile),
        *_dropout(number, recipe, profile, seeds),
    ]


def _kernel(recipe: Recipe, seeds) -> dict:
    """Initializer and L2 penalty of a Conv or Dense kernel; biases start at zero and are not penalized."""
    initializer = (
        keras.initializers.Zeros()
        if recipe.initializer == "zeros"
        else keras.initializers.GlorotUniform(seed=next(seeds))
    )
    return {
        "kernel_initializer": initializer,
        "kernel_regularizer": keras.regularizers.L2(recipe.l2) if recipe.l2 else None,
    }


def _norm(number, recipe: Recipe, profile: Profile) -> list[layers.Layer]:
    if not recipe.batch_norm:
        return []
    return [layers.BatchNormalization(momentum=0.99, epsilon=1e-3, name=f"norm_{number}", dtype=profile.precision)]


def _relu(number, recipe: Recipe, profile: Profile) -> list[layers.Layer]:
    """The ReLU behind the BatchNorm; none where it stands before it."""
    return [] if recipe.norm_after_relu else [layers.ReLU(name=f"relu_{number}", dtype=profile.precision)]


def _dropout(number, recipe: Recipe, profile: Profile, seeds) -> list[layers.Layer]:
    if not recipe.dropout:
        return []
    return [layers.Dropout(recipe.dropout, seed=next(seeds), name=f"dropout_{number}", dtype=profile.precision)]


def _size_after_block(size: int, recipe: Recipe, profile: Profile, number: int) -> int:
    """Side length after one convolution and 2×2 pooling."""
    after = (size if profile.padding == "same" else size - recipe.kernel_size + 1) // 2
    if after < 1:
        raise ParamsError(
            f"images of {profile.image_size} pixels are too small for conv block {number} of {len(recipe.filters)}: "
            "use a larger image_size or padding: same."
        )
    return after


def seeds_of(seed: int) -> Iterator[int]:
    """A stream of independent seeds for initializers and dropout masks."""
    state = np.random.SeedSequence(seed)
    while True:
        (child,) = state.spawn(1)
        yield int(child.generate_state(1)[0] >> 1)
