"""From a method to Keras models: the backbone, what its loss needs on top of it, and the loss itself."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ..backend import keras, layers, ops
from ..models import layers as own
from ..models.siamese import jit_compile, layer_seeds
from .batches import random_maps
from .config import Method, NetworkConfig
from .losses import LOSSES, cosine_softmax, cross_entropy
from .muon import Muon

# what a network is trained on: dark ink on light paper, or pictures of any kind (see `FromPixels`)
Reads = Literal["drawings", "pictures"]


def build_backbone(network: NetworkConfig, shape: tuple[int, ...], seed: int, reads: Reads = "drawings") -> keras.Model:
    """Build the model from images (n, *shape), 0 to 255, to embeddings (n, d).

    shape  (size, size, 1 or 3);  reads: as in `FromPixels`

    Pooling comes before BatchNorm: as ReLU and a BatchNorm with a positive scale keep the order of values, nothing but
    the batch's statistics changes, and there is a quarter of the values to normalize.
    """
    seeds = layer_seeds(seed)
    images = keras.Input(shape, name="image")
    padding = network.padding(shape[0])
    features = own.FromPixels(reads, name="pixels")(images)
    for number, block in enumerate(network.blocks, start=1):
        features = layers.Conv2D(
            block.filters,
            block.kernel,
            strides=block.stride,
            padding=padding,
            use_bias=not network.batch_norm,
            kernel_initializer=keras.initializers.HeNormal(seed=next(seeds)),
            name=f"conv_{number}",
        )(features)
        if block.pool:
            pooled = "same" if network.padded_pooling else "valid"
            features = layers.MaxPooling2D(2, padding=pooled, name=f"pool_{number}")(features)
        if network.batch_norm:
            features = layers.BatchNormalization(momentum=0.9, name=f"norm_{number}")(features)
        features = layers.ReLU(name=f"relu_{number}")(features)
    features = layers.Flatten(name="flatten")(features)
    if network.embedding:
        features = layers.Dense(
            network.embedding,
            activation=network.activation,
            kernel_initializer=keras.initializers.GlorotUniform(seed=next(seeds)),
            name="embedding",
        )(features)
    return keras.Model(images, features, name="backbone")


class BatchLoss(keras.losses.Loss):
    """One of `losses` as Keras calls it: (class numbers, the network's output for the batch) → scalar."""

    def __init__(self, method: Method):
        super().__init__(name=method.loss)
        self.method = method

    def call(self, y_true: Any, y_pred: Any) -> Any:
        method = self.method
        options: dict[str, Any] = dict(method.loss_options)
        if method.loss == "cross_entropy":
            images = method.classes * method.images
            return cross_entropy(ops.reshape(y_pred, (images, images)), method.classes)
        if method.loss == "cosine_softmax":
            return cosine_softmax(y_pred, ops.reshape(y_true, (-1,)), **options)
        embeddings = ops.normalize(y_pred, axis=-1) if method.normalize else y_pred
        shape = (method.classes, method.images, y_pred.shape[-1])
        return LOSSES[method.loss](ops.reshape(embeddings, shape), **options)


def build_trainer(
    method: Method, shape: tuple[int, ...], classes: int, steps: int, seed: int, reads: Reads = "drawings"
) -> keras.Model:
    """Build and compile the model of a method's training: backbone, the loss's layer, AdamW or Muon, cosine schedule.

    shape    of an image: (size, size, 1 or 3)
    classes  how many the training has; only the softmax over all of them needs it
    """
    backbone = build_backbone(method.network, shape, seed, reads)
    output = backbone.output
    if method.loss == "cross_entropy":
        output = own.EveryPair(name="l1_distance")(output)
        output = layers.Dense(1, name="similarity")(output)
    elif method.loss == "cosine_softmax":
        output = own.ClassDirections(classes, seed=seed, name="directions")(output)
    model = keras.Model(backbone.input, output, name=method.name.replace("-", "_"))
    options: dict[str, Any] = {"weight_decay": method.weight_decay}
    if method.ema_decay:
        options |= {"use_ema": True, "ema_momentum": method.ema_decay, "ema_overwrite_frequency": None}
    learning_rate = warm_up_and_cosine(method.learning_rate, steps, round(method.warm_up * steps))
    if method.muon_learning_rate:
        optimizer = Muon(learning_rate, ratio=method.muon_learning_rate / method.learning_rate, **options)
    else:
        optimizer = keras.optimizers.AdamW(learning_rate, **options)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.compile(optimizer, BatchLoss(method), jit_compile=jit_compile())
    return model


def backbone_of(method: Method, trainer: keras.Model) -> keras.Model:
    """Return the part of a method's model in training that embeds images, with the same weights."""
    last = "embedding" if method.network.embedding else "flatten"
    return keras.Model(trainer.input, trainer.get_layer(last).output, name="backbone")


def build_siamese(method: Method, trainer: keras.Model) -> keras.Model:
    """Build the model to keep: two images, 0 ink to 255 paper, → similarity (n, 1), on the trained backbone.

    It has what `evaluation` expects: a layer "backbone", and after it what compares two embeddings.
    """
    backbone = backbone_of(method, trainer)
    if method.embeddings_averaged > 1:
        backbone = _with_test_time_augmentation(method, backbone)
    if method.comparison == "head":
        compare = [own.AbsoluteDifference(name="l1_distance"), trainer.get_layer("similarity")]
    else:
        compare = [own.Similarity(method.comparison, name="similarity")]
    return siamese_of(backbone, compare, trainer.name)


def siamese_of(backbone: keras.Model, compare: Sequence[Any], name: str) -> keras.Model:
    """Build the model from two images to similarity (n, 1): the backbone on each, then layers that compare."""
    left, right = (keras.Input(backbone.input_shape[1:], name=side) for side in ("left", "right"))
    found: Any = [backbone(left), backbone(right)]
    for layer in compare:
        found = layer(found)
    return keras.Model([left, right], found, name=name)


def _with_test_time_augmentation(method: Method, backbone: keras.Model) -> keras.Model:
    """Average the backbone's embeddings over the image itself and copies moved by up to half the augmentation.

    Where the method also compares upside down, the mean over the rotated copies is appended: twice the length.
    """
    size, views = backbone.input_shape[1], method.test_time_views
    # affine, as `batches.random_maps` gives them; the first is the identity
    maps = np.array([[1, 0, 0, 0, 1, 0, 0, 0]], np.float32)
    if views > 1:
        # the schema sees to it
        assert method.augmentation is not None
        half = {part: 0.5 * limit for part, limit in method.augmentation.model_dump(exclude={"mirror"}).items()}
        moves = method.augmentation.model_copy(update=half)
        maps = np.concatenate([maps, random_maps(np.random.default_rng(0), moves, views - 1, size)])
    if method.upside_down:
        # (x, y) is read where (size − 1 − x, size − 1 − y) was
        rotated = -maps
        rotated[:, [2, 5]] += size - 1
        maps = np.concatenate([maps, rotated])
    image = keras.Input(backbone.input_shape[1:], name="image")
    network = keras.Model(backbone.input, backbone.output, name="network")
    embeddings = network(own.Views(maps.tolist(), name="views")(image))
    mean = own.MeanOfViews(views, method.comparison == "cosine", len(maps) // views, name="mean")
    return keras.Model(image, mean(embeddings), name="backbone")


def warm_up_and_cosine(learning_rate: float, steps: int, warm_up: int) -> Any:
    """Make the schedule of a learning rate that rises linearly over `warm_up` steps, then falls to 0 along a cosine.

    Source: I. Loshchilov and F. Hutter, "SGDR", ICLR 2017, without restarts.
    """
    if not warm_up:
        return keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    return keras.optimizers.schedules.CosineDecay(
        learning_rate / warm_up, steps - warm_up, warmup_target=learning_rate, warmup_steps=warm_up
    )
