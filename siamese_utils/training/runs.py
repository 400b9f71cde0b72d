"""Runs on disk: what each leaves, and how one is found.

reports/<profile>/results/<experiment>-s<seed>-<hash>/
    config.json    the run's key: everything that determines its numbers
    history.csv    one line a check: losses, learning rate, train and val accuracy with Wilson intervals
    metrics.json   final accuracies (protocol, split, ways), first batch loss, parameters, provenance
    answers.npz    which of the final 20-way episodes were answered correctly, for paired tests
    SHA256SUMS     the checksums of all the others (see `integrity`)
    model.keras    the trained weights (not committed)
    shipped.keras  the same in half precision, for a few small runs (committed; see benchmarks/ship_weights.py)

A folder under its final name is complete: it is written under a temporary name, <final name>.partial, and renamed.
Results may be there without weights: whoever wants those asks for them with weights=True. A run whose parts do not
agree is in no table, and is not loaded.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..config import Experiment, Profile, key_hash, load_experiment, load_matrix, run_key
from ..data.load import dataset_fingerprint
from ..errors import ResultsError
from ..evaluation.accuracy import Score
from ..paths import reports_dir
from .integrity import (
    DAMAGED,
    find_problem,
    find_problem_under_way,
    is_recorded,
    iterations_of_checks,
    read_json,
    read_sums,
)
from .provenance import ORIGIN_COLUMNS

if TYPE_CHECKING:
    import keras

WEIGHTS, SHIPPED = "model.keras", "shipped.keras"


@dataclass(frozen=True)
class Run:
    """A run, finished or under way, read from its folder."""

    folder: Path

    @property
    def run_id(self) -> str:
        return self.folder.name.removesuffix(".partial")

    @property
    def finished(self) -> bool:
        """Whether it is complete: the checksum of its final accuracies is on record, which is written last."""
        return (self.folder / "metrics.json").is_file() and "metrics.json" in read_sums(self.folder)

    @cached_property
    def config(self) -> dict[str, Any]:
        return _read_json(self.folder / "config.json")

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """Final accuracies and provenance; of a run under way, what its checks tell, and no final accuracies."""
        if self.finished:
            return _read_json(self.folder / "metrics.json")
        first, last = self.history.iloc[0], self.history.iloc[-1]
        return {
            "run_id": self.run_id,
            "iterations": int(last["iteration"]),
            "first_batch_loss": float(first["batch_loss"]),
            "scores": [],
            "seconds": float(last["seconds"]),
            "dataset": {"fingerprint": self.config["dataset"]},
            "provenance": {name: last[name] for name in ORIGIN_COLUMNS if isinstance(last.get(name), str)},
        }

    @cached_property
    def history(self) -> pd.DataFrame:
        """One line a check; the columns are listed in `checkpoints.HISTORY_COLUMNS`."""
        path = self.folder / "history.csv"
        try:
            history = pd.read_csv(path, dtype=dict.fromkeys(ORIGIN_COLUMNS, str))
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from error
        if "loss" not in history and not {"iteration", "batch_loss", "val_accuracy"} <= set(history):
            raise _unreadable(path, "columns are missing")
        return history

    @cached_property
    def pace(self) -> float:
        """Seconds an iteration, checks included: the median over the last five checks; NaN with one check."""
        steps = self.history[["iteration", "seconds"]].diff().tail(5).dropna()
        return float((steps["seconds"] / steps["iteration"]).median())

    @property
    def experiment(self) -> Experiment:
        return load_experiment(self.config["experiment"])

    @property
    def seed(self) -> int:
        return int(self.config["seed"])

    @property
    def image_size(self) -> int:
        """Pixels a side, of what it was trained on; a method beyond the paper may have its own."""
        config = self.config
        return int(config["image_size"] if "image_size" in config else config["profile"]["image_size"])

    @property
    def seconds(self) -> float:
        """How long its training took where its results were made."""
        found = self.metrics
        return float(found["training_seconds"] if "training_seconds" in found else found["seconds"])

    def score(self, protocol: str = "author", split: str = "val", n_way: int = 20) -> Score:
        """Return a final accuracy; ResultsError where the run has none of this kind."""
        for score in self.metrics["scores"]:
            if (score["protocol"], score.get("split", "val"), score["ways"]) == (protocol, split, n_way):
                return Score(**{name: score[name] for name in ("accuracy", "low", "high", "correct", "episodes")})
        raise ResultsError(f"run {self.run_id} has no {n_way}-way accuracy on {split}, {protocol} protocol.")

    def answers(self) -> dict[str, np.ndarray]:
        """Read which episodes were answered correctly: "<protocol>/<split>", of methods "<protocol>" → (n,) bool."""
        try:
            # opened here: of a damaged archive NumPy leaves a file open that it opened itself
            with open(self.folder / "answers.npz", "rb") as file, np.load(file, allow_pickle=False) as packed:
                n_episodes = self.metrics["episodes"]
                return {name: np.unpackbits(packed[name])[:n_episodes].astype(bool) for name in packed.files}
        except DAMAGED as error:
            raise _unreadable(self.folder / "answers.npz", error) from error

    @property
    def weights(self) -> Path | None:
        """The file of the model: trained here, shipped with the repository, or a run's under way; None without any."""
        if self.finished:
            return next((path for name in (WEIGHTS, SHIPPED) if (path := self.folder / name).is_file()), None)
        return max(self.folder.glob("checkpoint-*.keras"), key=lambda path: path.stat().st_mtime, default=None)

    def checked_weights(self) -> Path:
        """Find the model's file; ResultsError where it is not here, or a finished run's is not the one on record."""
        path = self.weights
        if path is None:
            raise ResultsError(
                f"run {self.run_id} has its results here, but not its weights: asked for with weights=True, they are "
                "trained anew, and the results stay as they are."
            )
        if self.finished and not is_recorded(path):
            raise ResultsError(
                f"{path} is not the file that was recorded for run {self.run_id}: restore it, or remove it, and it is "
                "trained anew when it is wanted."
            )
        return path

    def model(self, *, compile: bool = True) -> keras.Model:
        """Load the trained model, with its optimizer if there is one; ResultsError as `checked_weights`."""
        path = self.checked_weights()
        from ..backend import keras
        from ..models import layers  # noqa: F401 - a file may name them

        try:
            return keras.saving.load_model(path, compile=compile, safe_mode=True)
        except DAMAGED as error:
            raise _unreadable(path, error) from error


# ---- finding runs --------------------------------------------------------------------------------


def results_dir(profile: Profile) -> Path:
    return reports_dir() / profile.name / "results"


def under_way_dir(profile: Profile) -> Path:
    return reports_dir() / profile.name / "under_way"


def run_folder(experiment: Experiment, profile: Profile, seed: int) -> tuple[Path, dict[str, Any]]:
    """Return the folder of a run and the key it is named after, whether the run exists or not."""
    key = run_key(experiment, profile, seed, dataset_fingerprint(profile))
    return results_dir(profile) / f"{experiment.name}-s{seed}-{key_hash(key)}", key


def partial_folder(folder: Path) -> Path:
    """Name the folder of a run while it is not complete."""
    return folder.with_name(folder.name + ".partial")


def worker_file(folder: Path) -> Path:
    """Name the file that says which process is training the run, while one is."""
    return folder.with_name(f".{folder.name}.worker.json")


def check_iterations(experiment: Experiment, profile: Profile) -> list[int]:
    """List the updates after which a check is made: 0, every `check_every`-th, and the last."""
    return iterations_of_checks(profile.scaled(experiment.recipe.iterations), profile.check_every)


def open_run(folder: Path) -> Run:
    """Open the finished run in a folder; ResultsError where its parts do not agree."""
    if problem := find_problem(folder):
        raise ResultsError(
            f"run {folder.name} is not to be believed ({problem}): restore the folder {folder}, or move it elsewhere "
            "and run again."
        )
    return Run(folder)


def find_run(experiment: Experiment, profile: Profile, seed: int) -> Run | None:
    """Find the finished run; None where there is none, and, with a warning, where it is not to be believed."""
    return run_if_sound(run_folder(experiment, profile, seed)[0])


def run_if_sound(folder: Path, problem_of: Callable[[Path], str] = find_problem) -> Run | None:
    """Open the finished run in a folder; None without one, and, with a warning, where its parts do not agree.

    problem_of  says why a folder is not to be believed: of a run under way, `find_problem_under_way`
    """
    if not folder.is_dir():
        return None
    if problem := problem_of(folder):
        warnings.warn(f"run {folder.name} is left out ({problem}): `siamese verify` says more.", stacklevel=2)
        return None
    return Run(folder)


def find_so_far(experiment: Experiment, profile: Profile, seed: int) -> Run | None:
    """Find the finished run, or one under way as far as it has come; None without a check; see `find_run`.

    A run under way is in its partial folder, or, brought from another machine without its weights, in
    reports/<profile>/under_way/. What was trained here goes first.
    """
    folder, _ = run_folder(experiment, profile, seed)
    for place in places_of(experiment, profile, seed):
        if run := run_if_sound(place, find_problem if place == folder else find_problem_under_way):
            return run
    return None


def places_of(experiment: Experiment, profile: Profile, seed: int) -> list[Path]:
    """List the folders that hold the run as far as it has come: the finished one alone, or those of one under way."""
    folder, _ = run_folder(experiment, profile, seed)
    if folder.is_dir():
        return [folder]
    under_way = partial_folder(folder), under_way_dir(profile) / folder.name
    return [place for place in under_way if (place / "history.csv").is_file()]


def find_runs(profile: Profile, experiments: Iterable[Experiment] | None = None) -> list[Run]:
    """Find all finished runs of a profile's seeds, in the matrix's order; those not run are left out."""
    chosen = load_matrix().experiments if experiments is None else experiments
    found = (find_run(experiment, profile, seed) for experiment in chosen for seed in profile.seeds)
    return [run for run in found if run]


def tidy(runs: Iterable[Run]) -> pd.DataFrame:
    """Tabulate every final accuracy of every run: run, experiment, seed, protocol, split, ways, accuracy, interval.

    runs  of the paper's experiments, as `load_or_train` returns them

    Accuracies are fractions; low and high bound the Wilson 95 % interval over episodes. Raises ResultsError where a
    run's files cannot be read.

    >>> tidy([load_or_train("baseline", "laptop")]).query("split == 'val' and ways == 5")["protocol"].tolist()
    ['author', 'strict']
    """
    rows = [
        {"run_id": run.run_id, "experiment": run.config["experiment"], "seed": run.seed, **score}
        for run in runs
        for score in run.metrics["scores"]
    ]
    columns = ["run_id", "experiment", "seed", "protocol", "split", "ways"]
    return pd.DataFrame(rows, columns=[*columns, "accuracy", "low", "high", "correct", "episodes"])


# ---- files ---------------------------------------------------------------------------------------


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return read_json(path)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, reason: object) -> ResultsError:
    return ResultsError(
        f"run {path.parent.name} cannot be read ({path.name}: {reason}): restore the file, or move the folder "
        f"{path.parent} elsewhere and run again."
    )
