"""The network in the report's page: its numbers, and built-in characters to try it on.

The page's script (templates/network.js) computes what `embed` does, from the same numbers. No Keras is needed: they are
read from the file of the model.
"""

from __future__ import annotations

import io
import json
import zipfile
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..config import params_dir, read_yaml
from ..data.dataset import Split
from ..data.synthetic import draw_dataset
from ..evaluation.accuracy import score_of
from ..evaluation.episodes import Episodes, draw_episodes, is_correct
from ..paths import reports_dir
from ..training.integrity import is_recorded
from ..training.runs import SHIPPED, Run, run_if_sound

METHOD = "beyond-3-minutes"
# of the page's characters and episodes; nothing was chosen by what came of them
SEED = 1
DRAWERS = 4
EPISODES = 100
# images that are embedded at once
BATCH = 32


@dataclass(frozen=True)
class Network:
    """A trained backbone that averages the embeddings of several views of an image, and the cosine behind it.

    plan     size (pixels a side), views (maps, 8), layers in order, each with its kind and what it needs; same and
             different, the quantiles of the model's `Calibration`
    weights  (count,) float16: the layers' arrays one after the other, as Keras keeps them
    """

    plan: dict[str, Any]
    weights: np.ndarray


def find_run() -> Run | None:
    """The run whose weights come with the repository; None where they are not here, or not as recorded."""
    for path in sorted((reports_dir() / "laptop" / "beyond").glob(f"{METHOD}-*/{SHIPPED}")):
        run = run_if_sound(path.parent)
        if run and is_recorded(path):
            return run
    return None


def read_network(path: Path) -> Network:
    """The network of a .keras file as this page can run it; ValueError where it has other layers."""
    with zipfile.ZipFile(path) as archive:
        whole = _layers(json.loads(archive.read("config.json")))
        arrays = _arrays(archive.read("model.weights.h5"))
    backbone = _layers(_one(whole, "Functional"))
    network = _layers(_one(backbone, "Functional"))
    mean, pixels = (_one(*where)["config"] for where in ((backbone, "MeanOfViews"), (network, "FromPixels")))
    kind = _one(whole, "Similarity")["config"]["kind"]
    if (mean["normalize"], mean["sides"], pixels["reads"], kind) != (True, 1, "drawings", "cosine"):
        raise ValueError(f"{path}: the page compares drawings by the cosine of a mean of directions alone.")
    side = size = int(_one(network, "InputLayer")["config"]["batch_shape"][1])
    layers: list[dict[str, Any]] = []
    weights: list[np.ndarray] = []
    for layer, following in zip(network, [*network[1:], {"class_name": ""}], strict=True):
        config, own = layer["config"], arrays.get(layer["config"]["name"], [])
        weights += own
        match layer["class_name"]:
            case "Conv2D" if (config["padding"], config["strides"], len(own)) == ("same", [1, 1], 1):
                # what the pooling leaves out need not be computed
                used = side // 2 * 2 if following["class_name"] == "MaxPooling2D" else side
                layers.append({"kind": "conv", "shape": list(own[0].shape), "used": used})
            case "MaxPooling2D" if (config["padding"], config["pool_size"]) == ("valid", [2, 2]):
                side //= 2
                layers.append({"kind": "pool"})
            case "BatchNormalization" if len(own) == 4:
                layers.append({"kind": "norm", "size": len(own[0]), "epsilon": config["epsilon"]})
            case "ReLU":
                layers.append({"kind": "relu"})
            case "InputLayer" | "FromPixels" | "Flatten":
                pass
            case other:
                raise ValueError(f"{path}: the page cannot run a layer {other} as {config['name']}.")
    plan = {"size": size, "views": _one(backbone, "Views")["config"]["maps"], "layers": layers}
    known = _one(whole, "Calibration")["config"]
    plan |= {name: known[name] for name in ("same", "different")}
    return Network(plan, np.concatenate([array.ravel() for array in weights]).astype("<f2"))


def embed(network: Network, images: np.ndarray) -> np.ndarray:
    """Embeddings of images (n, size, size) uint8, 0 ink to 255 paper → (n, d) float32, as the model's own backbone."""
    starts = range(0, len(images), BATCH)
    return np.concatenate([_embed(network, images[start : start + BATCH]) for start in starts])


@lru_cache
def characters() -> Split:
    """The page's characters: six alphabets of the built-in dataset by a few drawers, at 105 × 105 pixels."""
    return draw_dataset(alphabets=(1, 6), drawers=DRAWERS, seed=SEED).val


def episodes() -> Episodes:
    """The page's 20-way episodes, under the strict protocol."""
    return draw_episodes(characters(), n_episodes=EPISODES, seed=SEED)


@lru_cache
def try_it(run: Run) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the page says of the network, and what its script needs (as JSON), with the network's score computed."""
    network, split, asked = read_network(run.folder / SHIPPED), characters(), episodes()
    found = embed(network, split.resized(network.plan["size"]).flat)
    units = found / np.linalg.norm(found, axis=1, keepdims=True)
    query, support = (rows[..., 0] * DRAWERS + rows[..., 1] for rows in (asked.query, asked.support[:, :, 0]))
    similarities = np.einsum("qd,qwd->qw", units[query], units[support])
    middle, axes, part = _principal_axes(units)
    people = next(
        line
        for line in read_yaml(params_dir() / "published.yaml")["results"]
        if (line["protocol"], line["name"]) == ("within_alphabet", "People")
    )
    facts = {
        "seconds": run.seconds,
        "cores": run.metrics["provenance"]["cores"],
        "parameters": len(network.weights),
        "omniglot": run.score("strict").as_dict(),
        "own": score_of(is_correct(similarities[..., None], asked)).as_dict(),
        "classes": split.classes,
        "alphabets": len(set(split.groups)),
        "drawers": DRAWERS,
        "dimensions": found.shape[1],
        "part": part,
        "people": people,
    }
    alphabet = {name: number for number, name in enumerate(dict.fromkeys(split.groups))}
    data = {
        "plan": network.plan,
        "weights": b64encode(network.weights.tobytes()).decode(),
        "images": {"side": int(split.images.shape[-1]), "runs": b64encode(_runs(split.images == 0)).decode()},
        "drawers": DRAWERS,
        "people": people["value"],
        "alphabets": [alphabet[group] for group in split.groups],
        "episodes": [
            {"query": int(q), "support": s.tolist(), "target": int(t)}
            for q, s, t in zip(query, support, asked.target, strict=True)
        ],
        "map": {
            "middle": middle.round(5).tolist(),
            "axes": axes.round(5).tolist(),
            "places": ((units - middle) @ axes.T).reshape(split.classes, DRAWERS, 2).mean(axis=1).round(4).tolist(),
        },
    }
    return facts, data


# ---- the file of the model -----------------------------------------------------------------------


def _layers(model: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = model["config"]["layers"]
    return found


def _one(layers: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """The first layer of a class; ValueError where there is none."""
    for layer in layers:
        if layer["class_name"] == kind:
            return layer
    raise ValueError(f"the page cannot run a network without a layer {kind}.")


def _arrays(content: bytes) -> dict[str, list[np.ndarray]]:
    """Layer's name → its arrays in order, from the HDF5 file of a model."""
    import h5py

    found: dict[str, list[np.ndarray]] = {}

    def look(_: str, item: Any) -> None:
        if "name" in item.attrs and len(item):
            found[str(item.attrs["name"])] = [item[str(number)][()] for number in range(len(item))]

    with h5py.File(io.BytesIO(content)) as file:
        file.visititems(look)
    return found


# ---- the layers ----------------------------------------------------------------------------------


def _embed(network: Network, images: np.ndarray) -> np.ndarray:
    values = 1 - _views(images.astype(np.float32), np.array(network.plan["views"], np.float32)) / 255
    values, rest = values[..., None], iter(np.split(network.weights.astype(np.float32), _ends(network.plan["layers"])))
    for layer in network.plan["layers"]:
        values = _apply(layer, values, rest)
    values = values.reshape(len(images), len(network.plan["views"]), -1)
    mean: np.ndarray = (values / np.maximum(np.linalg.norm(values, axis=-1, keepdims=True), 1e-12)).mean(axis=1)
    return mean


def _ends(layers: list[dict[str, Any]]) -> np.ndarray:
    """Where each array ends in the flat one."""
    sizes = {"conv": lambda layer: [np.prod(layer["shape"])], "norm": lambda layer: [layer["size"]] * 4}
    return np.cumsum([size for layer in layers if layer["kind"] in sizes for size in sizes[layer["kind"]](layer)])


def _apply(layer: dict[str, Any], values: np.ndarray, weights: Iterator[np.ndarray]) -> np.ndarray:
    """One layer on values (n, side, side, depth)."""
    if layer["kind"] == "conv":
        (height, width, _, filters), used = layer["shape"], layer["used"]
        padded = np.pad(values, ((0, 0), (height // 2,) * 2, (width // 2,) * 2, (0, 0)))
        # (n, used, used, depth, height, width)
        windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(1, 2))[:, :used, :used]
        columns = windows.transpose(0, 1, 2, 4, 5, 3).reshape(len(values) * used * used, -1)
        values = (columns @ next(weights).reshape(-1, filters)).reshape(len(values), used, used, filters)
    elif layer["kind"] == "pool":
        count, side, _, depth = values.shape
        values = values.reshape(count, side // 2, 2, side // 2, 2, depth).max(axis=(2, 4))
    elif layer["kind"] == "norm":
        gamma, beta, mean, variance = (next(weights) for _ in range(4))
        scale = gamma / np.sqrt(variance + np.float32(layer["epsilon"]))
        values = values * scale + (beta - mean * scale)
    else:
        values = np.maximum(values, 0)
    return values


def _views(images: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """Images (n, size, size) moved by affine maps (m, 8), white where nothing was → (n · m, size, size), bilinear."""
    size = images.shape[1]
    white = np.pad(images, ((0, 0), (1, 1), (1, 1)), constant_values=255)
    y, x = np.mgrid[:size, :size].astype(np.float32)
    found = []
    for a, b, c, d, e, f, *_ in maps:
        across, down = a * x + b * y + c, d * x + e * y + f
        left, top = np.floor(across), np.floor(down)

        def at(row: np.ndarray, column: np.ndarray) -> np.ndarray:
            inside = [np.clip(place + 1, 0, size + 1).astype(int) for place in (row, column)]
            taken: np.ndarray = white[:, inside[0], inside[1]]
            return taken

        right, bottom = across - left, down - top
        upper = (1 - right) * at(top, left) + right * at(top, left + 1)
        lower = (1 - right) * at(top + 1, left) + right * at(top + 1, left + 1)
        found.append((1 - bottom) * upper + bottom * lower)
    return np.stack(found, axis=1).reshape(-1, size, size)


# ---- what the page shows -------------------------------------------------------------------------


def _principal_axes(units: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Mean (d,), the two axes of largest variance (2, d), and the part of the variance that lies along them."""
    middle = units.mean(axis=0)
    _, lengths, axes = np.linalg.svd(units - middle, full_matrices=False)
    return middle, axes[:2], float((lengths[:2] ** 2).sum() / (lengths**2).sum())


def _runs(ink: np.ndarray) -> bytes:
    """Pictures as the lengths of their runs, a byte each: paper, ink, paper, …; a longer run has none of the other."""
    flat = np.concatenate([[False], ink.ravel()])
    ends = np.append(np.flatnonzero(np.diff(flat)), ink.size)
    lengths = np.diff(ends, prepend=0)
    return b"".join(b"\xff\x00" * (length // 255) + bytes([length % 255]) for length in lengths.tolist())
