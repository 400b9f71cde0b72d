"""Which size and length shows the paper's pattern on two cores? Trials for params/profiles/laptop.yaml.

Each trial trains rows of the matrix whose order the author's logs settle at iteration 1,000, on 25 of Omniglot's 30
background alphabets, and asks for accuracy on the other five: the evaluation alphabets are not looked at.

    python benchmarks/laptop_trials.py --size 35 --until 1000 [--rows baseline mlp …] [--seed 0]

Adds a line for each row and check to benchmarks/results/laptop_trials.csv. docs/laptop.md tells what came of it.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

import siamese_utils as su
from siamese_utils.config import Profile, load_experiment, load_profile
from siamese_utils.data.dataset import Dataset, hold_out
from siamese_utils.evidence.author_logs import author_accuracy
from siamese_utils.models.siamese import build_model
from siamese_utils.training.loop import prepare_backend, train
from siamese_utils.training.provenance import origin_of_checks

RESULTS = Path(__file__).parent / "results" / "laptop_trials.csv"
ROWS = ("baseline", "without-dropout", "without-l2", "without-both", "lr-0.0001-as-run", "lr-0.001-as-run")
ROWS += ("lr-0.01-as-run", "without-batch-norm", "mlp")
N_EPISODES = 2000


def held_out(dataset: Dataset) -> Dataset:
    """Keep the training alphabets only: 25 to train on, five to ask about."""
    background = dataset.train
    asked = hold_out(background.groups, 1 / 6, seed=0)
    kept = np.array([group not in asked for group in background.groups])
    return replace(dataset, train=background.only(kept), val=background.only(~kept))


def trial(row: str, profile: Profile, dataset: Dataset, until: int, every: int, seed: int, decay: str) -> None:
    experiment, begun = load_experiment(row), time.perf_counter()
    prepare_backend(seed, profile.convolutions)
    model = build_model(experiment, profile, seed)

    def after_check(iteration: int, losses: dict[str, float]) -> None:
        seconds = time.perf_counter() - begun
        scores = {
            name: su.evaluate(model, dataset.split(name), protocol="author", n_episodes=N_EPISODES, seed=[7, iteration])
            for name in ("train", "val")
        }
        keep(
            row=row,
            image_size=profile.image_size,
            padding=profile.padding,
            batch_size=profile.batch_size or experiment.recipe.batch_size,
            decay=decay,
            seed=seed,
            iteration=iteration,
            batch_loss=round(losses["batch_loss"], 4),
            mean_loss=round(losses["mean_loss"], 4),
            train=round(scores["train"].accuracy, 4),
            held_out=round(scores["val"].accuracy, 4),
            n_episodes=N_EPISODES,
            seconds=round(seconds),
            **origin_of_checks(),
        )

    checks = sorted({0, *range(every, until, every), until})
    train(model, dataset.train, experiment, profile, seed=seed, checks=checks, after_check=after_check)


def keep(**line: object) -> None:
    new = not RESULTS.exists()
    with open(RESULTS, "a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, line)
        if new:
            writer.writeheader()
        writer.writerow(line)


def table() -> str:
    """Tabulate the trials in Markdown: the last check of each row and size, beside the author's log there."""
    found = pd.read_csv(RESULTS).sort_values("iteration", kind="stable")
    last = found.groupby(["image_size", "batch_size", "row", "seed"], sort=True).tail(1)
    lines = [
        "| pixels | pairs | row | iteration | train | held out | author: train | val |",
        f"|{'--:|' * 2}---{'|--:' * 5}|",
    ]
    for line in last.sort_values(["image_size", "row"]).itertuples():
        row = load_experiment(line.row)
        theirs = [f"{author_accuracy(row, line.iteration, split):.1f}" for split in ("train", "val")]
        cells = [f"{100 * line.train:.1f}", f"{100 * line.held_out:.1f}", *theirs]
        lines.append(f"| {line.image_size} | {line.batch_size} | {line.row} | {line.iteration} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", action="store_true", help="print what the trials came to, and train nothing")
    parser.add_argument("--size", type=int, default=48, help="pixels a side")
    parser.add_argument("--padding", choices=["same", "valid"], default="same")
    parser.add_argument("--batch", type=int, help="pairs a batch, where not 128")
    parser.add_argument("--until", type=int, default=1000, help="the last update")
    parser.add_argument("--every", type=int, default=250, help="updates between checks")
    parser.add_argument("--scaled", action="store_true", help="shorten the decay in proportion, instead of cutting it")
    parser.add_argument("--rows", nargs="+", default=ROWS)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if given.table:
        sys.stdout.write(f"{table()}\n")
        return
    changes = {
        "image_size": given.size,
        "padding": given.padding,
        "batch_size": given.batch,
        "iterations": given.until if given.scaled else 5000,
    }
    profile = load_profile("paper").model_copy(update={"convolutions": "float32", **changes})
    dataset = held_out(su.load_dataset(profile))
    for row in given.rows:
        trial(row, profile, dataset, given.until, given.every, given.seed, "scaled" if given.scaled else "cut")


if __name__ == "__main__":
    main()
