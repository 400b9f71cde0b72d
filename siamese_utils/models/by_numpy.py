"""A siamese model's file computed by NumPy: neither Keras nor a backend is needed, and it is there at once.

A .keras file holds the network's graph (config.json) and its weights (model.weights.h5). `Network` reads both, and has
of a Keras model what `evaluation.accuracy` asks for. The layers are those of KINDS: all that the networks of this
package are made of, in float32.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy import ndimage
from scipy.special import expit

# images computed at a time: bounds the memory that a convolution's windows take
AT_ONCE = 8
# bytes that a file may take in memory, far more than any network of this package
LARGEST = 2**31
# options of Keras's layers, as they must be
FIXED: dict[str, dict[str, Any]] = {
    "Conv2D": {"data_format": "channels_last", "dilation_rate": [1, 1], "groups": 1},
    "MaxPooling2D": {"data_format": "channels_last"},
    "Flatten": {"data_format": "channels_last"},
    "BatchNormalization": {"axis": -1, "center": True, "scale": True, "renorm": False},
    "ReLU": {"max_value": None, "negative_slope": 0.0, "threshold": 0.0},
}
# how many arrays of weights a layer has, beside its bias
ARRAYS = {"Conv2D": 1, "Dense": 1, "BatchNormalization": 4}
ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": expit,
    "tanh": np.tanh,
}


class Unsupported(Exception):
    """A layer, or an option of one, that is Keras's to compute."""


@dataclass(frozen=True)
class Layer:
    """One layer: its name, Keras class, options and weights."""

    name: str
    kind: str
    config: dict[str, Any]
    weights: list[np.ndarray]

    def __call__(self, inputs: Any) -> np.ndarray:
        """Compute the output; ValueError where weights have other shapes than the options, which NumPy may not mind."""
        value = np.asarray(KINDS[self.kind](self, inputs), np.float32)
        wide = self.config.get("filters", self.config.get("units", value.shape[-1]))
        if any(weight.shape[-1:] != (wide,) for weight in self.weights):
            raise ValueError(f"the weights of {self.name} do not fit it")
        return value

    def get_config(self) -> dict[str, Any]:
        return self.config

    def get_weights(self) -> list[np.ndarray]:
        return self.weights


class Network:
    """A functional Keras model, or one within another.

    layers       without the inputs, in the file's order
    input_shape  of one image, the batch first: (None, size, size, 1 or 3); a list where there are several inputs
    """

    def __init__(self, config: dict[str, Any], weights: h5py.Group):
        """Take config and weights as Keras keeps them; Unsupported for a layer that is not of KINDS, or other places.

        The other places that Keras knows are several outputs, and names for inputs or outputs.
        """
        self.name = config["name"]
        self.layers: list[Layer | Network] = []
        self._nodes = {entry["name"]: [node["args"][0] for node in entry["inbound_nodes"] if node["args"]]
                       for entry in config["layers"]}  # fmt: skip
        self._inputs = [name for name, _, _ in _places(config["input_layers"])]
        ((last, node, _), *more) = _places(config["output_layers"])
        if more:
            raise Unsupported(f"{self.name} with several outputs")
        shapes, seen = {}, Counter[str]()
        for entry in config["layers"]:
            kind = entry["class_name"]
            # Keras names a layer's weights by its class: conv2d, conv2d_1, …
            place = _snake_case(kind) + (f"_{seen[kind]}" if seen[kind] else "")
            seen[kind] += 1
            if kind == "InputLayer":
                shapes[entry["name"]] = tuple(entry["config"]["batch_shape"])
            elif kind == "Functional":
                self.layers.append(Network(entry["config"], weights[f"{place}/layers"]))
            else:
                _refuse_unsupported(entry)
                kept = weights.get(f"{place}/vars", {})
                values = [_array(kept[key]) for key in sorted(kept, key=int)]
                if len(values) != ARRAYS.get(kind, 0) + bool(entry["config"].get("use_bias")):
                    # of a layer in two networks, Keras keeps the weights in one place
                    raise Unsupported(f"{kind} {entry['name']} without its weights")
                self.layers.append(Layer(entry["name"], kind, entry["config"], values))
        self._by_name = {layer.name: layer for layer in self.layers}
        # here, and only here, Keras also counts the call with which a model within this one was made
        self._output = last, node - isinstance(self._by_name.get(last), Network)
        first, *others = (shapes[name] for name in self._inputs)
        self.input_shape: Any = [first, *others] if others else first

    def __call__(self, inputs: Any) -> np.ndarray:
        """Compute the output for one array, or a list of them."""
        given = inputs if isinstance(inputs, list) else [inputs]
        known: dict[tuple[str, int], np.ndarray] = {
            (name, 0): np.asarray(value, np.float32) for name, value in zip(self._inputs, given, strict=True)
        }

        def value(argument: Any) -> Any:
            if isinstance(argument, list):
                return [value(each) for each in argument]
            name, node, _ = argument["config"]["keras_history"]
            return at(name, node)

        def at(name: str, node: int) -> np.ndarray:
            if (name, node) not in known:
                known[name, node] = self._by_name[name](value(self._nodes[name][node]))
            return known[name, node]

        return at(*self._output)

    def predict_on_batch(self, images: np.ndarray) -> np.ndarray:
        """Compute the output for (n, height, width, colours)."""
        parts = [self(images[start : start + AT_ONCE]) for start in range(0, len(images), AT_ONCE)]
        return np.concatenate(parts)

    def get_layer(self, name: str) -> Any:
        """Return a layer by its name; ValueError where there is none."""
        if name not in self._by_name:
            raise ValueError(f"no layer {name!r}")
        return self._by_name[name]

    def get_weights(self) -> list[np.ndarray]:
        return [weight for layer in self.layers for weight in layer.get_weights()]


def load_network(path: Path) -> Network:
    """Load a siamese model from its .keras file, and try it on one blank image.

    Raises Unsupported where the file holds what NumPy does not compute here; on a file that is damaged, or no siamese
    model, whatever its readers raise.
    """
    with zipfile.ZipFile(path) as archive:
        if sum(archive.getinfo(name).file_size for name in ("config.json", "model.weights.h5")) > LARGEST:
            raise ValueError("it is larger than any network of this package")
        content = json.loads(archive.read("config.json"))
        if content["class_name"] != "Functional":
            raise Unsupported(content["class_name"])
        with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as weights:
            network = Network(content["config"], weights["layers"])
    network.get_layer("backbone")
    # weights may be no numbers
    with np.errstate(all="ignore"):
        network([np.zeros((1, *shape[1:]), np.float32) for shape in network.input_shape])
    return network


def _refuse_unsupported(entry: dict[str, Any]) -> None:
    kind, config = entry["class_name"], entry["config"]
    # an unregistered class of somebody else's may have the name of one of Keras's
    name = entry["registered_name"] or kind
    known = kind in KINDS and (
        name == f"siamese_utils>{kind}" or (name == kind and entry["module"].startswith("keras."))
    )
    dtype = config.get("dtype", "float32")
    precision = dtype["config"]["name"] if isinstance(dtype, dict) else dtype
    fixed = FIXED.get(kind, {}).items()
    activation = config.get("activation", "linear")
    if (
        not known
        or precision != "float32"
        or any(config.get(name, value) != value for name, value in fixed)
        or not (isinstance(activation, str) and activation in ACTIVATIONS)
        or config.get("padding", "same") not in ("same", "valid")
        or min(config.get("strides", [1])) < 1
    ):
        raise Unsupported(f"{kind} {entry['name']}")


def _array(kept: h5py.Dataset) -> np.ndarray:
    """Read an array of the file itself, within LARGEST: HDF5 may name one in another file, or one without room."""
    if not isinstance(kept, h5py.Dataset) or kept.external or kept.is_virtual or kept.nbytes > LARGEST:
        raise ValueError("it names weights that are not in it")
    return np.asarray(kept, np.float32)


def _places(found: Any) -> list[list[Any]]:
    """Return a list of [layer, node, tensor], of which Keras keeps one alone bare; Unsupported for named places."""
    if not isinstance(found, list):
        raise Unsupported("inputs or outputs with names")
    return found if isinstance(found[0], list) else [found]


def _snake_case(name: str) -> str:
    """Write a class's name as Keras does: "MaxPooling2D" → "max_pooling2d"."""
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


# ---- the layers ----------------------------------------------------------------------------------


def _activated(layer: Layer, x: np.ndarray) -> np.ndarray:
    if layer.config["use_bias"]:
        x = x + layer.weights[1]
    return ACTIVATIONS[layer.config["activation"]](x)


def _windows(layer: Layer, x: np.ndarray, size: list[int], fill: float) -> np.ndarray:
    """View every place of a kernel or pool: (n, height, width, c) → (n, places down, places across, c, *size)."""
    strides = layer.config["strides"]
    if layer.config["padding"] == "same":
        short = [max(0, (-(-n // s) - 1) * s + k - n) for n, s, k in zip(x.shape[1:3], strides, size, strict=True)]
        around = [(total // 2, total - total // 2) for total in short]
        x = np.pad(x, [(0, 0), *around, (0, 0)], constant_values=fill)
    found = np.lib.stride_tricks.sliding_window_view(x, tuple(size), axis=(1, 2))
    return found[:, :: strides[0], :: strides[1]]


def _conv(layer: Layer, x: np.ndarray) -> np.ndarray:
    windows = _windows(layer, x, layer.config["kernel_size"], 0)
    return _activated(layer, np.tensordot(windows, layer.weights[0], axes=((4, 5, 3), (0, 1, 2))))


def _batch_norm(layer: Layer, x: np.ndarray) -> np.ndarray:
    gamma, beta, mean, variance = layer.weights
    scale = gamma / np.sqrt(variance + layer.config["epsilon"])
    return np.asarray(x * scale + (beta - mean * scale))


def _from_pixels(layer: Layer, x: np.ndarray) -> np.ndarray:
    if layer.config["reads"] == "raw pictures":
        return x
    return 1 - x / 255 if layer.config["reads"] == "drawings" else x / 127.5 - 1


def _normalized(x: np.ndarray) -> np.ndarray:
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12))


def _similarity(layer: Layer, inputs: list[np.ndarray]) -> np.ndarray:
    left, right = inputs
    if layer.config["kind"] == "cosine":
        return np.asarray((_normalized(left) * _normalized(right)).sum(axis=-1, keepdims=True))
    return -np.asarray(np.square(left - right).sum(axis=-1, keepdims=True))


def _views(layer: Layer, x: np.ndarray) -> np.ndarray:
    """Move every image by each map: a, b, c, d, e, f reads the place (x, y) from (ax + by + c, dx + ey + f)."""

    def moved(image: np.ndarray, a: float, b: float, c: float, d: float, e: float, f: float) -> Any:
        matrix, offset = [[e, d, 0], [b, a, 0], [0, 0, 1]], [f, c, 0]
        return ndimage.affine_transform(image, matrix, offset, order=1, mode="grid-constant", cval=255)

    return np.stack([moved(image, *each[:6]) for image in x for each in layer.config["maps"]])


def _mean_of_views(layer: Layer, x: np.ndarray) -> np.ndarray:
    sides, normalize = layer.config["sides"], layer.config["normalize"]
    each = _normalized(x) if normalize else x
    means = each.reshape(-1, sides, layer.config["views"], x.shape[-1]).mean(axis=2)
    if normalize and sides > 1:
        means = _normalized(means)
    return np.asarray(means.reshape(-1, sides * x.shape[-1]))


KINDS: dict[str, Callable[[Layer, Any], Any]] = {
    "Rescaling": lambda layer, x: x * layer.config["scale"] + layer.config["offset"],
    "Flatten": lambda layer, x: x.reshape(len(x), -1),
    "Dropout": lambda layer, x: x,
    "ReLU": lambda layer, x: np.maximum(x, 0),
    "Conv2D": _conv,
    "Dense": lambda layer, x: _activated(layer, x @ layer.weights[0]),
    "MaxPooling2D": lambda layer, x: _windows(layer, x, layer.config["pool_size"], -np.inf).max(axis=(4, 5)),
    "BatchNormalization": _batch_norm,
    # our own, see `models.layers`
    "AbsoluteDifference": lambda layer, pair: np.abs(pair[0] - pair[1]),
    "FromPixels": _from_pixels,
    "Similarity": _similarity,
    "Views": _views,
    "MeanOfViews": _mean_of_views,
    "Calibration": lambda layer, x: x,
}
