"""A network's layers as a table, read from the Keras model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from .plan import HEAD

if TYPE_CHECKING:
    import keras


def network_summary(model: keras.Model) -> pd.DataFrame:
    """Tabulate the layers of a siamese model, the backbone's first, with output shape and number of parameters.

    Columns: layer, in words; output, without the batch; parameters, BatchNorm's moving averages included.
    """
    backbone, *head = (layer for layer in model.layers if layer.name not in ("left", "right"))
    lines = [
        {
            "layer": _words(layer),
            "output": "×".join(f"{size:,}" for size in layer.output.shape[1:]),
            "parameters": layer.count_params(),
        }
        for layer in (*backbone.layers, *head)
        if layer.name != "raw_pixels"
    ]
    return pd.DataFrame(lines)


def layers_table(model: keras.Model) -> pd.DataFrame:
    """Write `network_summary` for readers: layer, output shape, parameters, with the sum in the last line."""
    summary = network_summary(model)
    counts = [f"{count:,}" if count else "" for count in summary["parameters"]]
    shown = pd.DataFrame({"layer": summary["layer"], "output shape": summary["output"], "parameters": counts})
    shown.loc[len(shown)] = ["all layers", "", f"{summary['parameters'].sum():,}"]
    return shown


def _words(layer: Any) -> str:
    """Describe a layer: "Conv 10×10, 64, ReLU", "Dense 256, sigmoid", "BatchNorm"."""
    config = layer.get_config()
    activation = {"relu": ", ReLU", "sigmoid": ", sigmoid"}.get(str(config.get("activation")), "")
    match type(layer).__name__:
        case "InputLayer":
            return "image"
        case "Conv2D":
            return f"Conv {'×'.join(map(str, config['kernel_size']))}, {config['filters']}{activation}"
        case "Dense" if layer.name == HEAD:
            return HEAD
        case "Dense":
            return f"Dense {config['units']}{activation}"
        case "BatchNormalization":
            return "BatchNorm"
        case "MaxPooling2D":
            return f"MaxPool {'×'.join(map(str, config['pool_size']))}"
        case "Dropout":
            return f"Dropout {config['rate']:g}"
        case "AbsoluteDifference":
            return "l1 distance"
        case kind:
            return str(kind)
