"""The layers of our own that saved models name; importing this module lets Keras load them.

Keras knows a layer by its registered name, "siamese_utils>Name": a class may move, its name may not change. Keras
infers the shape of an output from `call`, but for two layers whose number of rows changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from ..backend import keras, layers, ops

registered = keras.saving.register_keras_serializable(package="siamese_utils")


@registered
class AbsoluteDifference(layers.Layer):
    """|a − b|, element by element: [(batch, d), (batch, d)] → (batch, d). The paper's l1 distance before its sum."""

    def call(self, inputs: Any) -> Any:
        left, right = inputs
        return ops.abs(left - right)


@registered
class FromPixels(layers.Layer):
    """Pixels 0 to 255 as the network takes them, and a note in its file of what it was trained on.

    reads  "drawings": dark ink on light paper → 0 paper to 1 ink;  "pictures": anything else → −1 to 1;
           "raw pictures": anything else, left as it is, as the paper's networks take their images
    """

    def __init__(self, reads: Literal["drawings", "pictures", "raw pictures"], **options: Any):
        super().__init__(**options)
        self.reads = reads

    def call(self, inputs: Any) -> Any:
        pixels = ops.cast(inputs, "float32")
        if self.reads == "raw pictures":
            return pixels
        return 1.0 - pixels / 255 if self.reads == "drawings" else pixels / 127.5 - 1.0

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "reads": self.reads}


@registered
class Similarity(layers.Layer):
    """How alike two embeddings are: [(n, d), (n, d)] → (n, 1); −D² for "euclidean", the cosine for "cosine"."""

    def __init__(self, kind: str, **options: Any):
        super().__init__(**options)
        self.kind = kind

    def call(self, inputs: Any) -> Any:
        left, right = inputs
        if self.kind == "cosine":
            product = ops.normalize(left, axis=-1) * ops.normalize(right, axis=-1)
            return ops.sum(product, axis=-1, keepdims=True)
        return -ops.sum(ops.square(left - right), axis=-1, keepdims=True)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "kind": self.kind}


@registered
class EveryPair(layers.Layer):
    """|a − b| of every two rows: (n, d) → (n, n, d), for the head."""

    def call(self, inputs: Any) -> Any:
        return ops.abs(inputs[:, None] - inputs[None])


@registered
class ClassDirections(layers.Layer):
    """The cosine of each embedding with a learned direction for each training class: (n, d) → (n, classes)."""

    def __init__(self, classes: int, seed: int = 0, **options: Any):
        super().__init__(**options)
        self.classes, self.seed = classes, seed

    def build(self, input_shape: tuple[int, ...]) -> None:
        # all directions near one another
        start = keras.initializers.RandomNormal(mean=1.0, stddev=0.05, seed=self.seed)
        self.directions = self.add_weight(shape=(input_shape[-1], self.classes), initializer=start, name="directions")

    def call(self, inputs: Any) -> Any:
        return ops.matmul(ops.normalize(inputs, axis=-1), ops.normalize(self.directions, axis=0))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "classes": self.classes, "seed": self.seed}


@registered
class Views(layers.Layer):
    """Every image moved by each of a few fixed affine maps: (n, size, size, c) → (n · maps, size, size, c)."""

    def __init__(self, maps: Sequence[Sequence[float]], **options: Any):
        super().__init__(**options)
        self.maps = [[float(number) for number in row] for row in maps]

    def call(self, inputs: Any) -> Any:
        repeated = ops.repeat(inputs, len(self.maps), axis=0)
        maps = ops.tile(ops.convert_to_tensor(self.maps, dtype="float32"), (ops.shape(inputs)[0], 1))
        return ops.image.affine_transform(
            repeated, maps, interpolation="bilinear", fill_mode="constant", fill_value=255
        )

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int | None, ...]:
        return (None, *input_shape[1:])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "maps": self.maps}


@registered
class MeanOfViews(layers.Layer):
    """The mean over each image's views: (n · views, d) → (n, d); of their directions where `normalize`.

    sides  1, or how many sets of views an image has: (n · sides · views, d) → (n, sides · d), a mean each, of length 1
           where `normalize`, so that two images' cosine is the mean of those of their sides
    """

    def __init__(self, views: int, normalize: bool, sides: int = 1, **options: Any):
        super().__init__(**options)
        self.views, self.normalize, self.sides = views, normalize, sides

    def call(self, inputs: Any) -> Any:
        each = ops.normalize(inputs, axis=-1) if self.normalize else inputs
        means = ops.mean(ops.reshape(each, (-1, self.sides, self.views, inputs.shape[-1])), axis=2)
        if self.normalize and self.sides > 1:
            means = ops.normalize(means, axis=-1)
        return ops.reshape(means, (-1, self.sides * inputs.shape[-1]))

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int | None, ...]:
        return (None, self.sides * input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        config = {"views": self.views, "normalize": self.normalize, "sides": self.sides}
        return {**super().get_config(), **config}


@registered
class Calibration(layers.Layer):
    """Passes similarities on, and keeps how they are spread between images that the network was not trained on.

    same, different  quantiles, in ascending order, of the similarities of two images of one class, and of two classes
    """

    def __init__(self, same: Sequence[float], different: Sequence[float], **options: Any):
        super().__init__(**options)
        self.same, self.different = [float(x) for x in same], [float(x) for x in different]

    def call(self, inputs: Any) -> Any:
        return inputs

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "same": self.same, "different": self.different}
