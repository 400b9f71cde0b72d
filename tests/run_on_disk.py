"""A made-up run on disk, as a training would leave it, for the tests of tables, figures and pages."""

import json
import shutil

import numpy as np
from conftest import ROOT

from siamese_utils.config import load_experiment
from siamese_utils.evaluation.accuracy import wilson
from siamese_utils.training.integrity import EVIDENCE, SCHEMA_VERSION, record_sums
from siamese_utils.training.runs import Run, check_iterations, run_folder


def make_run(name, profile, seed, correct, **others):
    """A made-up run on disk: `correct` (episodes,) bool answers the episodes of both splits and protocols.

    others  of its metrics, in place of those that every made-up run has
    """
    folder, key = run_folder(load_experiment(name), profile, seed)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(key))
    checks = check_iterations(load_experiment(name), profile)
    lines = []
    for i, iteration in enumerate(checks):
        level = 0.1 + 0.4 * i / (len(checks) - 1)
        train, val = (wilson(round(p * profile.check_episodes), profile.check_episodes) for p in (0.4, level))
        bounds = (bound for s in (train, val) for bound in (s.accuracy, s.low, s.high))
        lines.append(",".join(map(str, (iteration, 7 - i, 7 - i, 0.05 / (i + 1), *bounds, iteration))))
    columns = "iteration,batch_loss,mean_loss,learning_rate,train_accuracy,train_low,train_high"
    header = f"{columns},val_accuracy,val_low,val_high,seconds"
    (folder / "history.csv").write_text("\n".join([header, *lines]) + "\n")
    np.savez(
        folder / "answers.npz",
        **{f"{p}/{s}": np.packbits(correct) for p in ("author", "strict") for s in ("train", "val")},
    )
    score = wilson(int(correct.sum()), len(correct)).as_dict()
    metrics = {
        "schema_version": SCHEMA_VERSION,
        "run_id": folder.name,
        "experiment": name,
        "seed": seed,
        "episodes": len(correct),
        "iterations": checks[-1],
        "first_batch_loss": 7.0,
        "dataset": {"name": "synthetic", "synthetic": True, "fingerprint": key["dataset"]},
        "provenance": {"commit": "0123456789abcdef", "modified": False},
        "scores": [
            {"protocol": protocol, "split": split, "ways": ways, **score}
            for protocol in ("author", "strict")
            for split, some in (("train", (20,)), ("val", sorted({20, *profile.ways})))
            for ways in some
        ],
    }
    (folder / "metrics.json").write_text(json.dumps(metrics | others))
    record_sums(folder, *EVIDENCE)
    return Run(folder)


def cut_committed_run(run_id, reports, checks):
    """A committed run at the author's protocol, brought into a folder of reports as it was after its first checks."""
    folder = reports / "paper" / "under_way" / run_id
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "reports/paper/results" / run_id / "config.json", folder)
    lines = (ROOT / "reports/paper/results" / run_id / "history.csv").read_text().splitlines(keepends=True)
    (folder / "history.csv").write_text("".join(lines[: 1 + checks]))
    record_sums(folder, "config.json", "history.csv")


def answers(right, episodes=1000):
    """The first `right` of the episodes answered correctly."""
    return np.arange(episodes) < right
