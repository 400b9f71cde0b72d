"""Does training in bfloat16 change what a network learns? The same runs, of one seed, in both precisions.

    python benchmarks/precision.py FOLDER [FOLDER …]    keep what the finished runs in these results folders say
    python benchmarks/precision.py                      print the table of docs/laptop.md

A pair of runs has the same recipe, initial weights, batches and dropout masks; only the precision of convolutions and
matrix products differs (`siamese run … --convolutions float32` or `bfloat16`). benchmarks/results/precision.csv has a
line for each run. Where a run's weights are there, it is asked once more with the moving averages of its BatchNorm
layers replaced by the mean and variance of training images, computed in float32.
"""

import sys
from functools import lru_cache
from pathlib import Path

import keras
import numpy as np
import pandas as pd

import siamese_utils as su
from siamese_utils.config import Profile, load_experiment, load_profile
from siamese_utils.data.dataset import Dataset, with_channels
from siamese_utils.training.loop import prepare_backend
from siamese_utils.training.runs import Run

RESULTS = Path(__file__).parent / "results" / "precision.csv"
PROFILE = "laptop"
N_IMAGES, N_EPISODES = 1536, 10_000


@lru_cache
def dataset() -> Dataset:
    return su.load_dataset(PROFILE)


def recomputed(run: Run) -> float:
    """Return the val accuracy of the run's network with the moving averages replaced."""
    profile: Profile = load_profile(PROFILE)
    prepare_backend(run.seed, "float32")
    model, train = run.model(), dataset().train
    picks = np.random.default_rng(0).choice(len(train.flat), N_IMAGES, replace=False)
    backbone = model.get_layer("backbone")
    norms = [layer for layer in backbone.layers if isinstance(layer, keras.layers.BatchNormalization)]
    inputs = keras.Model(backbone.input, [layer.input for layer in norms])
    for layer, values in zip(norms, inputs(with_channels(train.flat[picks]), training=True), strict=True):
        axes = tuple(range(values.ndim - 1))
        layer.moving_mean.assign(np.mean(values, axes))
        layer.moving_variance.assign(np.var(values, axes))
    return su.evaluate(model, dataset().val, protocol="author", n_episodes=N_EPISODES, seed=profile.seeds[0]).accuracy


def line_of(run: Run) -> dict[str, object]:
    """Say how a finished run ended: mean batch loss of its last five checks, and final accuracies."""
    checks = run.history
    machine = checks[["processor", "convolutions", "commit"]].iloc[-1].to_dict()
    scores = {
        f"{protocol}_{split}": round(run.score(protocol, split).accuracy, 4)
        for protocol, split in (("author", "train"), ("author", "val"), ("strict", "val"))
    }
    return {
        "row": run.experiment.name,
        "seed": run.seed,
        "iteration": int(checks["iteration"].iloc[-1]),
        "batch_loss": round(float(checks["batch_loss"].tail(5).mean()), 3),
        **scores,
        "recomputed_val": round(recomputed(run), 4) if (run.folder / "model.keras").exists() else None,
        **machine,
    }


def keep(folders: list[Path]) -> None:
    """Add the runs' lines; one that is there already is replaced."""
    lines = [line_of(Run(path.parent)) for folder in folders for path in sorted(folder.glob("*/metrics.json"))]
    known = pd.read_csv(RESULTS) if RESULTS.exists() else pd.DataFrame()
    both = pd.concat([known, pd.DataFrame(lines)]).drop_duplicates(["row", "seed", "convolutions"], keep="last")
    both.sort_values(["row", "seed", "convolutions"]).to_csv(RESULTS, index=False)


def table() -> str:
    """Word the pairs as Markdown: loss at the end, train and val in %, and val with averages computed anew."""
    found = pd.read_csv(RESULTS)
    measures = ["batch_loss", "author_train", "author_val", "recomputed_val"]
    pairs = found.pivot_table(index=["row", "seed"], columns="convolutions", values=measures)
    pairs = pairs.dropna(subset=[("author_val", "float32"), ("author_val", "bfloat16")])
    lines = [
        "| row, seed | loss: float32 | bfloat16 | train | bfloat16 | val | bfloat16 | averages anew: val | bfloat16 |",
        f"|---{'|--:' * 8}|",
    ]
    for (row, seed), pair in pairs.iterrows():
        cells = [
            f"{scale * pair[measure, precision]:.{digits}f}".replace("nan", "–")
            for measure, scale, digits in zip(measures, (1, 100, 100, 100), (2, 1, 1, 1), strict=True)
            for precision in ("float32", "bfloat16")
        ]
        lines.append(f"| {load_experiment(row).label}, {seed} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    if folders := [Path(name) for name in sys.argv[1:]]:
        keep(folders)
    sys.stdout.write(f"{table()}\n")
