"""The training steps between two checks, without a result on its way back to the host between them.

Keras' own `train_step` is compiled, so that loss, penalties, moving averages and optimizer are Keras'. The
images stay where the model computes, packed as uint8; a step looks its pairs up by their numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..backend import keras

# steps of one compiled call on TensorFlow: Python hears Ctrl-C or SIGTERM between two calls
AT_ONCE = 10
TrainInterval = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def interval_of(model: keras.Model, images: np.ndarray) -> TrainInterval:
    """Make a function that trains a compiled siamese model for some steps and returns each step's loss.

    images  (classes, drawers, height, width) uint8

    The function takes left and right (steps, batch, 2) int, class and drawer of each image, and labels (steps, batch)
    float32; it returns (steps,) float32 losses, penalties included, each from before its step's update.
    """
    flat = images.reshape(-1, *images.shape[2:])[..., None]
    make = {"tensorflow": _tensorflow_interval, "jax": _jax_interval}[keras.config.backend()]
    interval = make(model, flat)

    def train(left: np.ndarray, right: np.ndarray, labels: np.ndarray) -> np.ndarray:
        first, second = (np.asarray(p[..., 0] * images.shape[1] + p[..., 1], np.int32) for p in (left, right))
        return interval(first, second, labels[..., None])

    return train


def _tensorflow_interval(model: keras.Model, images: np.ndarray) -> TrainInterval:
    import tensorflow as tf

    kept = tf.constant(images)
    rows, same = tf.TensorSpec((None, None), tf.int32), tf.TensorSpec((None, None, 1), tf.float32)

    def steps(left: Any, right: Any, labels: Any) -> Any:
        losses = tf.TensorArray(tf.float32, tf.shape(left)[0])
        for step in tf.range(tf.shape(left)[0]):
            model.reset_metrics()
            pair = tf.gather(kept, left[step]), tf.gather(kept, right[step])
            losses = losses.write(step, model.train_step((pair, labels[step]))["loss"])
        return losses.stack()

    # traced once for any length
    interval = tf.function(steps, jit_compile=model.jit_compile, input_signature=(rows, rows, same))

    def train(*batches: np.ndarray) -> np.ndarray:
        starts = range(0, len(batches[0]), AT_ONCE)
        parts = [interval(*(tf.constant(b[start : start + AT_ONCE]) for b in batches)) for start in starts]
        return np.concatenate([part.numpy() for part in parts])

    return train


def _jax_interval(model: keras.Model, images: np.ndarray) -> TrainInterval:
    """Call a compiled step without waiting for its result: XLA on a CPU is slow at convolutions within a loop."""
    import jax

    kept = jax.device_put(images)
    # nothing counted yet
    fresh = [variable.value for variable in model.metrics_variables]

    @partial(jax.jit, donate_argnums=0)
    def step(state: Any, kept: Any, left: Any, right: Any, labels: Any) -> tuple[Any, Any]:
        logs, state = model.train_step((*state, fresh), ((kept[left], kept[right]), labels))
        return state[:3], logs["loss"]

    def interval(*batches: np.ndarray) -> np.ndarray:
        groups = model.trainable_variables, model.non_trainable_variables, model.optimizer.variables
        state, losses = tuple([variable.value for variable in group] for group in groups), []
        for batch in zip(*batches, strict=True):
            state, loss = step(state, kept, *batch)
            losses.append(loss)
        for group, values in zip(groups, state, strict=True):
            for variable, value in zip(group, values, strict=True):
                variable.assign(value)
        return np.asarray(jax.numpy.stack(losses))

    return interval
