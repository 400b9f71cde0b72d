"""Many training steps as one compiled call: what lies between two checks, without a way back to Python.

Keras' own `train_step` is the loop's body, so that loss, penalties, moving averages and optimizer are Keras'. The
images stay where the model computes, packed as uint8; a step looks its pairs up by their numbers.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .backend import keras

TrainInterval = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def interval_of(model: keras.Model, images: np.ndarray) -> TrainInterval:
    """A function that trains a compiled siamese model for some steps and returns each step's loss.

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

    @tf.function(jit_compile=model.jit_compile, reduce_retracing=True)
    def interval(left, right, labels):
        losses = tf.TensorArray(tf.float32, tf.shape(left)[0])
        for step in tf.range(tf.shape(left)[0]):
            model.reset_metrics()
            pair = tf.gather(kept, left[step]), tf.gather(kept, right[step])
            losses = losses.write(step, model.train_step((pair, labels[step]))["loss"])
        return losses.stack()

    return lambda *batches: interval(*map(tf.constant, batches)).numpy()


def _jax_interval(model: keras.Model, images: np.ndarray) -> TrainInterval:
    import jax

    kept = jax.device_put(images)

    def interval(kept, state, left, right, labels):
        start = model.metrics_variables

        def step(state, batch):
            left, right, labels = batch
            logs, state = model.train_step((*state, fresh), ((kept[left], kept[right]), labels))
            return state[:3], logs["loss"]

        fresh = [jax.numpy.zeros(variable.shape, variable.dtype) for variable in start]
        return jax.lax.scan(step, state, (left, right, labels))

    compiled = jax.jit(interval, donate_argnums=1)

    def train(*batches: np.ndarray) -> np.ndarray:
        groups = model.trainable_variables, model.non_trainable_variables, model.optimizer.variables
        state, losses = compiled(kept, tuple([v.value for v in group] for group in groups), *batches)
        for group, values in zip(groups, state, strict=True):
            for variable, value in zip(group, values, strict=True):
                variable.assign(value)
        return np.asarray(losses)

    return train
