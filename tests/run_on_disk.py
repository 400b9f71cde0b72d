"""A made-up run on disk, as a training would leave it, for the tests of tables, figures and pages."""

import json

import numpy as np

from siamese_utils.config import load_experiment
from siamese_utils.evaluation.accuracy import wilson
from siamese_utils.training.runs import Run, run_folder


def make_run(name, profile, seed, correct):
    """A made-up run on disk: `correct` (episodes,) bool answers the 20-way episodes of both splits and protocols."""
    folder, key = run_folder(load_experiment(name), profile, seed)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(key))
    lines = [
        f"{i},{7 - i / 2},{7 - i / 2},{0.05 / (i + 1)},0.4,0.3,0.5,{0.1 + 0.1 * i},0.05,{0.2 + 0.1 * i},{i}"
        for i in (0, 2, 4)
    ]
    columns = "iteration,batch_loss,mean_loss,learning_rate,train_accuracy,train_low,train_high"
    header = f"{columns},val_accuracy,val_low,val_high,seconds"
    (folder / "history.csv").write_text("\n".join([header, *lines]) + "\n")
    np.savez(
        folder / "answers.npz",
        **{f"{p}/{s}": np.packbits(correct) for p in ("author", "strict") for s in ("train", "val")},
    )
    score = wilson(int(correct.sum()), len(correct)).as_dict()
    metrics = {
        "run_id": folder.name,
        "seed": seed,
        "episodes": len(correct),
        "iterations": 4,
        "first_batch_loss": 7.0,
        "dataset": {"name": "synthetic", "synthetic": True},
        "provenance": {"commit": "0123456789abcdef", "modified": False},
        "scores": [
            {"protocol": protocol, "split": split, "ways": ways, **score}
            for protocol in ("author", "strict")
            for split, some in (("train", (20,)), ("val", profile.ways))
            for ways in some
        ],
    }
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return Run(folder)


def answers(right, episodes=1000):
    """The first `right` of the episodes answered correctly."""
    return np.arange(episodes) < right
