"""The network in the report's page: its numbers, and built-in characters to try it on.

The page's script (templates/network.js) computes what `embed` does, from the same numbers. No Keras is needed: they are
read from the file of the model.
"""

from __future__ import annotations

from base64 import b64encode
from functools import lru_cache
from typing import Any

import numpy as np

from ..config import params_dir
from ..data.dataset import Split
from ..data.synthetic import draw_dataset
from ..evaluation.accuracy import embed_split, predict_episodes, score_of
from ..evaluation.episodes import Episodes, draw_episodes
from ..models.by_numpy import Network, load_network
from ..paths import reports_dir
from ..schema import read_yaml
from ..training.integrity import is_recorded
from ..training.runs import SHIPPED, Run, run_if_sound

METHOD = "beyond-3-minutes"
# of the page's characters and episodes; nothing was chosen by what came of them
SEED = 1
DRAWERS = 4
EPISODES = 100


def shipped_run() -> Run | None:
    """Find the run whose weights come with the repository; None where they are not here, or not as recorded."""
    for path in sorted((reports_dir() / "laptop" / "beyond").glob(f"{METHOD}-*/{SHIPPED}")):
        run = run_if_sound(path.parent)
        if run and is_recorded(path):
            return run
    return None


def plan_of(model: Network) -> tuple[dict[str, Any], np.ndarray]:
    """Take a model apart as the page's script runs it: its plan, and its weights (count,) float16, layer after layer.

    plan  size (pixels a side), views (maps, 8), layers in order, each with its kind and what it needs; same and
          different, the quantiles of the model's `Calibration`

    ValueError where it has other layers, or compares otherwise.
    """
    backbone = _one(model, "Network")
    network = _one(backbone, "Network")
    mean, pixels, kind = (_one(*where).config for where in (
        (backbone, "MeanOfViews"), (network, "FromPixels"), (model, "Similarity")))  # fmt: skip
    if (mean["normalize"], mean["sides"], pixels["reads"], kind["kind"]) != (True, 1, "drawings", "cosine"):
        raise ValueError("the page compares drawings by the cosine of a mean of directions alone.")
    side = size = int(network.input_shape[1])
    layers: list[dict[str, Any]] = []
    for layer, following in zip(network.layers, [*network.layers[1:], None], strict=True):
        config, own = layer.config, layer.get_weights()
        match layer.kind:
            case "Conv2D" if (config["padding"], config["strides"], len(own)) == ("same", [1, 1], 1):
                # what the pooling leaves out need not be computed
                used = side // 2 * 2 if following and following.kind == "MaxPooling2D" else side
                layers.append({"kind": "conv", "shape": list(own[0].shape), "used": used})
            case "MaxPooling2D" if (config["padding"], config["pool_size"]) == ("valid", [2, 2]):
                side //= 2
                layers.append({"kind": "pool"})
            case "BatchNormalization" if len(own) == 4:
                layers.append({"kind": "norm", "size": len(own[0]), "epsilon": config["epsilon"]})
            case "ReLU":
                layers.append({"kind": "relu"})
            case "FromPixels" | "Flatten":
                pass
            case other:
                raise ValueError(f"the page cannot run a layer {other} as {layer.name}.")
    plan = {"size": size, "views": _one(backbone, "Views").config["maps"], "layers": layers}
    known = _one(model, "Calibration").config
    plan |= {name: known[name] for name in ("same", "different")}
    return plan, np.concatenate([array.ravel() for array in network.get_weights()]).astype("<f2")


@lru_cache
def characters() -> Split:
    """Draw the page's characters: six alphabets of the built-in dataset by a few drawers, at 105 × 105 pixels."""
    return draw_dataset(alphabets=(1, 6), drawers=DRAWERS, seed=SEED).val


def episodes() -> Episodes:
    """Draw the page's 20-way episodes, under the strict protocol."""
    return draw_episodes(characters(), n_episodes=EPISODES, seed=SEED)


@lru_cache
def try_it(run: Run) -> tuple[dict[str, Any], dict[str, Any]]:
    """Compute what the page says of the network, its score included, and what the page's script needs (as JSON)."""
    model, split, asked = load_network(run.folder / SHIPPED), characters(), episodes()
    plan, weights = plan_of(model)
    found = embed_split(model, split.resized(plan["size"]))
    units = (found / np.linalg.norm(found, axis=-1, keepdims=True)).reshape(-1, found.shape[-1])
    query, support = (rows[..., 0] * DRAWERS + rows[..., 1] for rows in (asked.query, asked.support[:, :, 0]))
    middle, axes, part = _principal_axes(units)
    people = next(
        line
        for line in read_yaml(params_dir() / "published.yaml")["results"]
        if (line["protocol"], line["name"]) == ("within_alphabet", "People")
    )
    facts = {
        "seconds": run.seconds,
        "cores": run.metrics["provenance"]["cores"],
        "parameters": len(weights),
        "omniglot": run.score("strict").as_dict(),
        "own": score_of(predict_episodes(model, found, asked)).as_dict(),
        "classes": split.classes,
        "alphabets": len(set(split.groups)),
        "drawers": DRAWERS,
        "dimensions": units.shape[1],
        "part": part,
        "people": people,
    }
    alphabet = {name: number for number, name in enumerate(dict.fromkeys(split.groups))}
    data = {
        "plan": plan,
        "weights": b64encode(weights.tobytes()).decode(),
        "images": {"side": int(split.images.shape[-1]), "runs": b64encode(_run_lengths(split.images == 0)).decode()},
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


def _one(model: Network, kind: str) -> Any:
    """Return the first layer of a class; ValueError where there is none."""
    for layer in model.layers:
        if getattr(layer, "kind", type(layer).__name__) == kind:
            return layer
    raise ValueError(f"the page cannot run a network without a layer {kind}.")


# ---- what the page shows -------------------------------------------------------------------------


def _principal_axes(units: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Compute the mean (d,), the two axes of largest variance (2, d), and the part of the variance along them."""
    middle = units.mean(axis=0)
    # of the scatter matrix (d, d), in ascending order
    variances, axes = np.linalg.eigh((units - middle).T @ (units - middle))
    return middle, axes[:, :-3:-1].T, float(variances[-2:].sum() / variances.sum())


def _run_lengths(ink: np.ndarray) -> bytes:
    """Write pictures as the lengths of their runs, a byte each: paper, ink, paper, …; a longer run is split by a 0."""
    flat = np.concatenate([[False], ink.ravel()])
    ends = np.append(np.flatnonzero(np.diff(flat)), ink.size)
    lengths = np.diff(ends, prepend=0)
    return b"".join(b"\xff\x00" * (length // 255) + bytes([length % 255]) for length in lengths.tolist())
