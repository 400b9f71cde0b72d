"""What a run leaves on disk, and one tidy table over all runs.

reports/<profile>/results/<experiment>-s<seed>-<hash>/
    config.json    the run's key: everything that determines its numbers
    history.csv    one line a check: losses, learning rate, train and val accuracy with Wilson intervals
    metrics.json   final accuracies (protocol, split, ways), first batch loss, parameters, provenance
    answers.npz    which of the final 20-way episodes were answered correctly, for paired tests
    model.keras    the trained weights (not committed)
    shipped.keras  the same in half precision, for a few small runs (committed; see `weights`)

A folder under its final name is complete: it is written under a temporary name, <final name>.partial, and renamed.
Results may be there without weights: whoever wants those asks `training.run` or `beyond.learning.learn` for them.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from filelock import FileLock

from ..config import Experiment, Profile, key_hash, load_experiment, load_matrix, run_key
from ..errors import ResultsError
from ..paths import reports_dir
from .provenance import ORIGIN_COLUMNS

if TYPE_CHECKING:
    import keras

SCHEMA_VERSION = 1
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
        """Whether it is complete: a run under way has a history, but neither answers nor final accuracies."""
        return (self.folder / "metrics.json").is_file()

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
        """One line a check; the columns are listed in `training.HISTORY_COLUMNS`."""
        return _history(self.folder / "history.csv")

    @property
    def pace(self) -> float:
        """Seconds an iteration, checks included: the median over the last five checks; NaN with one check."""
        steps = self.history[["iteration", "seconds"]].diff().tail(5).dropna()
        return float((steps["seconds"] / steps["iteration"]).median())

    @property
    def experiment(self) -> Experiment:
        return load_experiment(self.config["experiment"])

    @property
    def seed(self) -> int:
        return self.config["seed"]

    @property
    def image_size(self) -> int:
        """Pixels a side, of what it was trained on; a learner may have its own."""
        return self.config["image_size"] if "image_size" in self.config else self.config["profile"]["image_size"]

    def answers(self) -> dict[str, np.ndarray]:
        """ "<protocol>/<split>", or a learner's "<protocol>" → (episodes,) bool: which final episodes were answered."""
        with np.load(self.folder / "answers.npz") as packed:
            return {name: np.unpackbits(packed[name])[: self.metrics["episodes"]].astype(bool) for name in packed.files}

    @property
    def weights(self) -> Path | None:
        """The file of the model: trained here, shipped with the repository, or a run's under way; None without any."""
        paths = [self.folder / name for name in (WEIGHTS, SHIPPED)] + list(self.folder.glob("checkpoint-*"))
        return next((path for path in paths if path.is_file()), None)

    @property
    def seconds(self) -> float:
        """How long its training took where its results were made."""
        return self.metrics["training_seconds" if "learner" in self.metrics else "seconds"]

    def model(self, *, compile: bool = True) -> keras.Model:
        """The trained model, with its optimizer if there is one; ResultsError where its weights are not here."""
        if self.weights is None:
            raise ResultsError(
                f"run {self.run_id} has its results here, but not its weights: asked for with weights=True, they are "
                "trained anew, and the results stay as they are."
            )
        from ..models.layers import keras  # with the layers that a file may name

        return keras.saving.load_model(self.weights, compile=compile, safe_mode=True)


def results_dir(profile: Profile) -> Path:
    return reports_dir() / profile.name / "results"


def dataset_fingerprint(profile: Profile) -> str:
    """The fingerprint of the profile's dataset, known without loading it."""
    if profile.dataset == "omniglot":
        from ..data.omniglot import FINGERPRINT

        return FINGERPRINT
    from ..data.synthetic import GENERATOR_VERSION

    return f"synthetic characters, version {GENERATOR_VERSION}"


def run_folder(experiment: Experiment, profile: Profile, seed: int) -> tuple[Path, dict[str, Any]]:
    """The folder of a run and the key it is named after, whether the run exists or not."""
    key = run_key(experiment, profile, seed, dataset_fingerprint(profile))
    return results_dir(profile) / f"{experiment.name}-s{seed}-{key_hash(key)}", key


def find_run(experiment: Experiment, profile: Profile, seed: int) -> Run | None:
    """The finished run, or None where it has not been run."""
    folder, _ = run_folder(experiment, profile, seed)
    return Run(folder) if folder.is_dir() else None


def partial_folder(folder: Path) -> Path:
    """Where a run is while it is not complete."""
    return folder.with_name(folder.name + ".partial")


def read_history(path: Path) -> list[dict[str, Any]]:
    """The lines of a run's history, a dictionary of strings each."""
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def find_so_far(experiment: Experiment, profile: Profile, seed: int) -> Run | None:
    """The finished run, or one under way as far as it has come, or None without a check.

    A run under way is in its partial folder, or, brought from another machine without its weights, in
    reports/<profile>/under_way/. What was trained here goes first.
    """
    folder, _ = run_folder(experiment, profile, seed)
    if folder.is_dir():
        return Run(folder)
    places = partial_folder(folder), under_way_dir(profile) / folder.name
    found = (Run(place) for place in places if (place / "history.csv").is_file())
    return next((run for run in found if len(run.history)), None)


def under_way_dir(profile: Profile) -> Path:
    return reports_dir() / profile.name / "under_way"


def find_runs(profile: Profile, experiments: Iterable[Experiment] | None = None) -> list[Run]:
    """All finished runs of a profile's seeds, in the matrix's order; those not run are left out."""
    chosen = load_matrix().experiments if experiments is None else experiments
    found = (find_run(experiment, profile, seed) for experiment in chosen for seed in profile.seeds)
    return [run for run in found if run]


def tidy(runs: Iterable[Run]) -> pd.DataFrame:
    """One line for every final accuracy of every run: run, experiment, seed, protocol, split, ways, accuracy, interval.

    Accuracies are fractions; low and high bound the Wilson 95 % interval over episodes.
    """
    rows = [
        {
            "run_id": run.run_id,
            "experiment": run.config["experiment"],
            "seed": run.seed,
            "protocol": score["protocol"],
            "split": score["split"],
            "ways": score["ways"],
            **{name: score[name] for name in ("accuracy", "low", "high", "correct", "episodes")},
        }
        for run in runs
        for score in run.metrics["scores"]
    ]
    columns = ["run_id", "experiment", "seed", "protocol", "split", "ways"]
    return pd.DataFrame(rows, columns=[*columns, "accuracy", "low", "high", "correct", "episodes"])


def write_json(path: Path, content: Any) -> None:
    """Write JSON so that a reader sees the old file or the new one, never half of it."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(part, path)


def load_or_train(
    folder: Path,
    train: Callable[[], Path],
    *,
    weights: bool = False,
    tell: Callable[[str], object] = warnings.warn,
) -> Run:
    """The finished run of a folder; trained now if it is not there, or if its weights are wanted and are not there.

    train    trains, evaluates, and returns the complete folder under its temporary name
    weights  whether they are wanted: trained anew for results that have none, they join them, which stay as they are
    tell     is told so, and how the scores of the new weights compare with those on record

    A second process that asks for the same run waits for the first.
    """

    def missing() -> bool:
        return not folder.is_dir() or (weights and Run(folder).weights is None)

    if missing():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f".{folder.name}.lock")):  # its file stays: removed, two could hold it
            if missing():
                found = Run(folder) if folder.is_dir() else None
                if found:
                    tell(
                        f"run {found.run_id} has its results here, but not its weights: they are trained anew, which "
                        f"took {found.seconds:.0f} s where the results were made; the results stay as they are."
                    )
                begun = time.perf_counter()
                new = Run(train())
                if found:
                    words = _compared(found.metrics["scores"], new.metrics["scores"])
                    tell(f"weights of {found.run_id} trained in {time.perf_counter() - begun:.0f} s: {words}.")
                finish(new.folder, folder)
    return Run(folder)


def _compared(recorded: list[dict[str, Any]], new: list[dict[str, Any]]) -> str:
    """How the scores of a second training of one run compare with those of the first, on the same episodes."""

    def by_kind(scores: list[dict[str, Any]]) -> dict[tuple, float]:
        return {(s["protocol"], s.get("split"), s["ways"]): s["accuracy"] for s in scores}

    before, after = by_kind(recorded), by_kind(new)
    apart = [abs(after[kind] - before[kind]) for kind in before if kind in after]
    differing = sum(map(bool, apart))
    if not differing:
        return "their scores are those on record"
    return (
        f"{differing} of {len(apart)} scores differ from those on record, by {100 * max(apart):.2f} points at most; "
        "machines round differently"
    )


def finish(partial: Path, final: Path) -> Run:
    """Give a complete folder its final name; results that have it already stay, and take the weights they lack."""
    try:
        partial.rename(final)
    except OSError:
        if not final.is_dir():
            raise
        if Run(final).weights is None:
            os.replace(partial / WEIGHTS, final / WEIGHTS)
        shutil.rmtree(partial, ignore_errors=True)
    return Run(final)


def _history(path: Path) -> pd.DataFrame:
    try:
        history = pd.read_csv(path, dtype={name: str for name in ORIGIN_COLUMNS})
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    if "loss" not in history and not {"iteration", "batch_loss", "val_accuracy"} <= set(history):
        raise _unreadable(path, "columns are missing")
    return history


def _unreadable(path: Path, reason: object) -> ResultsError:
    return ResultsError(
        f"run {path.parent.name} cannot be read ({path.name}: {reason}): restore the file, or move the folder "
        f"{path.parent} elsewhere and run again."
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
