"""Every run of a reports folder, and what speaks against it; a run trained anew beside its record."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import TypeAdapter, ValidationError

from ..errors import ResultsError
from ..files import locked, write_json
from ..process import variables_set
from ..schema import Strict
from .integrity import find_problem, find_problem_under_way, is_recorded, sha256
from .provenance import short_commit
from .runs import SHIPPED, WEIGHTS, Run

PLACES = ("results", "beyond", "own", "under_way")
# relative, for two machines which round differently: in the loss before the first update, and in the first mean
TOLERANCE, TOLERANCE_OF_MEAN = 1e-3, 0.05
# points by which their scores may differ: more than seeds do
APART = 0.1
# in a profile's folder: what came of trainings anew, by the run's id
RETRAINED = "retrained.json"
MACHINE = ("backend", "device", "processor", "convolutions", "packages")


@dataclass(frozen=True)
class CheckedRun:
    """A run's folder, whether the run is finished, and why it is not to be believed; "" where it is."""

    folder: Path
    finished: bool
    problem: str


def survey(reports: Path, *, weights: bool = True) -> list[CheckedRun]:
    """Look at every run in reports/<profile>/; weights: at those, too, which takes longer."""
    folders = [path for place in PLACES for path in sorted((reports / place).glob("*")) if path.is_dir()]
    return [_look_at(folder, (WEIGHTS, SHIPPED) if weights else ()) for folder in folders]


def _look_at(folder: Path, weights: Iterable[str]) -> CheckedRun:
    if folder.name.endswith(".partial") or folder.parent.name == "under_way":
        problem = find_problem_under_way(folder) if (folder / "history.csv").is_file() else ""
        return CheckedRun(folder, False, problem)
    return CheckedRun(folder, True, find_problem(folder) or _problem_of(weights, folder))


def _problem_of(weights: Iterable[str], folder: Path) -> str:
    try:
        others = [name for name in weights if (folder / name).is_file() and not is_recorded(folder / name)]
    except OSError as error:
        return f"weights that cannot be read ({error.strerror})"
    return f"{' and '.join(others)} not the one on record" if others else ""


def compare_anew(recorded: Run, anew: Run) -> tuple[bool, str]:
    """Say whether a second training of a run agrees with its record, and how far apart the two are, in words.

    On the same processor, with the same packages, scores and losses must be the same. Elsewhere arithmetic rounds
    differently, on one GPU each time, and a training amplifies that: a network of the paper must have the same loss
    before its first update, to a part in a thousand; of a method, whose history has means only, the first must agree to
    a twentieth. No score may be more than ten points away.
    """
    apart = max(
        abs(one["accuracy"] - other["accuracy"])
        for one, other in zip(recorded.metrics["scores"], anew.metrics["scores"], strict=True)
    )
    first, again, step = _early_losses(recorded.history, anew.history)
    at = f"of {step} steps" if step else "first"
    words = f"scores {100 * apart:.2f} points apart at most, losses ({at}) {first:.6g} and {again:.6g}"
    same, on_gpu = _machine(recorded) == _machine(anew), _machine(anew)["device"] not in (None, "CPU")
    if same and not on_gpu:
        return apart == 0 and first == again, f"same machine: {words}"
    near = math.isclose(first, again, rel_tol=TOLERANCE_OF_MEAN if step else TOLERANCE)
    return near and apart <= APART, f"{'same kind of GPU' if same else 'another machine'}: {words}"


class Retraining(Strict):
    """The record of a run trained anew: when that ended, how it compared, of which code, with which results."""

    date: str
    agrees: bool
    words: str
    commit: str
    # the SHA-256 of the metrics.json that it was compared with
    metrics: str


_RECORD = TypeAdapter(dict[str, Retraining])


def read_retrained(reports: Path) -> dict[str, Retraining]:
    """Read what came of training runs anew, by run id; ResultsError where the record cannot be read."""
    path = reports / RETRAINED
    try:
        return _RECORD.validate_json(path.read_bytes()) if path.is_file() else {}
    except (OSError, ValidationError) as error:
        raise ResultsError(f"{path} cannot be read: restore it, or move it elsewhere.") from error


def record_retrained(reports: Path, recorded: Run, anew: Run, agrees: bool, words: str) -> None:
    """Keep what came of training a run anew, in the place of what came of it before."""
    origin = anew.metrics["provenance"]
    entry = Retraining(
        date=origin["finished"],
        agrees=agrees,
        words=words,
        commit=short_commit(origin),
        metrics=sha256(recorded.folder / "metrics.json"),
    )
    with locked(reports / f".{RETRAINED}.lock", RETRAINED):
        kept = {**read_retrained(reports), recorded.run_id: entry}
        write_json(reports / RETRAINED, _RECORD.dump_python(dict(sorted(kept.items()))))


def _early_losses(*histories: pd.DataFrame) -> tuple[float, float, int]:
    """Return the first loss that both histories have, and of how many steps it is the mean; 0: it is of one batch.

    A line of a method's history has the mean since the line before; how many lines there are may differ.
    """
    one, other = histories
    if "batch_loss" in one:
        return float(one["batch_loss"].iloc[0]), float(other["batch_loss"].iloc[0]), 0
    step = min(set(one["step"]) & set(other["step"]))
    first, again = (
        float(np.average(lines["loss"], weights=np.diff(lines["step"], prepend=0)))
        for lines in (history[history["step"] <= step] for history in histories)
    )
    return first, again, int(step)


def _machine(run: Run) -> dict[str, Any]:
    origin = run.metrics.get("provenance", {})
    return {name: origin.get(name) for name in MACHINE}


@contextmanager
def reports_of_its_own() -> Iterator[Path]:
    """Use a reports folder of its own for the while, so that nothing on record is found."""
    with tempfile.TemporaryDirectory() as folder, variables_set(SIAMESE_REPORTS_DIR=folder):
        yield Path(folder)
