"""The author's logs, params/author_logs.csv: the loss and two accuracies of each run, every 100 iterations.

Source: the logs in the public repository, github.com/bharathikannann/
Impact-of-Architectures-and-Hyperparameters-on-Neural-Networks, a run each; here they are one table, figures unchanged.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from ..config import Experiment, load_experiment, load_matrix, params_dir
from ..errors import ParamsError
from .facts import LATEST
from .first_loss import expected_first_loss, first_loss_fits, logged_first_loss

FILE = "author_logs.csv"
FIGURES = ("batch_loss", "train_accuracy_pct", "val_accuracy_pct")
COLUMNS = {"model": "str", "iteration": "int64", **dict.fromkeys(FIGURES, "float64")}


def author_log(run: str) -> pd.DataFrame:
    """Read one run of the author's, named as in params/experiments.yaml: a line a check; none without a log.

    iteration, batch_loss (NaN where none was logged), train_accuracy and val_accuracy (fractions of 250 1-shot 20-way
    episodes each): columns as in the history of a run of ours.
    """
    logs = _author_logs(params_dir() / FILE)
    return logs.get(run, next(iter(logs.values())).iloc[:0]).copy()


def comparable_log(experiment: Experiment) -> pd.DataFrame:
    """Read the author's log of this network, as `author_log`; no line where there is none, or of another."""
    run = experiment.author.run if experiment.author and not incomparable(experiment) else ""
    return author_log(run)


def author_difference(experiment: Experiment, iteration: int) -> float:
    """Compute how far the author's val accuracy of a network was from the baseline's at an iteration, in points.

    Means of the last five checks up to there; NaN where one of the logs is not there, or ends before.
    """
    return author_accuracy(experiment, iteration) - author_accuracy(load_experiment("baseline"), iteration)


def author_accuracy(experiment: Experiment, iteration: int, split: str = "val") -> float:
    """Compute the author's accuracy of a network at an iteration, in %, as `author_difference`."""
    log = comparable_log(experiment)
    checks = log[(log["iteration"] > 0) & (log["iteration"] <= iteration)].tail(LATEST)
    reached = len(checks) and log["iteration"].max() >= iteration
    return float(100 * checks[f"{split}_accuracy"].mean()) if reached else np.nan


def incomparable(experiment: Experiment) -> str:
    """Say why the author's log is none of this network, by its first loss; "" where it may be one."""
    if experiment.author is None or author_log(experiment.author.run).empty:
        return "no log was published"
    logged = logged_first_loss(experiment)
    expected = expected_first_loss(experiment)
    if logged is None or first_loss_fits(expected, logged):
        return ""
    return f"another network was run, first loss {expected:.2f} expected, {logged:.2f} logged"


@lru_cache
def _author_logs(path: Path) -> dict[str, pd.DataFrame]:
    """Read every run; ParamsError where the file is missing, damaged, or lacks a run whose figures are known."""
    try:
        logs = pd.read_csv(path, dtype=COLUMNS)
        # whose last check params/experiments.yaml has from their logs
        known = {e.author.run for e in load_matrix().experiments if e.author and e.author.val is not None}
        whole = list(logs) == list(COLUMNS) and set(logs["model"]) >= known
    except (OSError, ValueError):
        whole = False
    if not whole:
        raise ParamsError(f"{path} is missing or damaged: restore it with `git checkout params/{FILE}`.")
    accuracies = {f"{split}_accuracy": logs[f"{split}_accuracy_pct"] / 100 for split in ("train", "val")}
    logs = logs[["model", "iteration", "batch_loss"]].assign(**accuracies)
    return {str(run): log.drop(columns="model").reset_index(drop=True) for run, log in logs.groupby("model")}
