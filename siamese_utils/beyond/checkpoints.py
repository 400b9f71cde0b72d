"""A method's training in parts: a line of its history for each, and all its variables on disk, the last two times."""

import json
import shutil
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import keras
from ..errors import ResultsError
from ..files import replacing
from ..training.integrity import DAMAGED
from ..training.store import OnProgress, Progress
from .config import Method

KEPT = 2
# parts of a training at most, each a line of the run's history
PARTS = 20


@dataclass
class Parts:
    """A method's training, cut into equal parts.

    keep    a folder where the state is kept after each part, and from whose last one the training goes on
    length  of a part, in steps
    done    steps that were made before
    lines   of the history, a part each: step, loss, seconds
    hard    the pools of hard classes that were found last

    Where the last checkpoint is damaged, the one before it is taken, with a note; where both are, or they are of
    another run, nothing is touched: ResultsError.
    """

    method: Method
    trainer: keras.Model
    seed: int
    steps: int
    keep: Path | None
    on_progress: OnProgress | None

    def __post_init__(self) -> None:
        count = next(n for n in range(min(PARTS, self.steps), 0, -1) if self.steps % n == 0)
        self.length = self.steps // count
        self.done, self.lines, self.hard = _resume(self.keep, self.trainer) if self.keep else (0, [], None)
        self._begun = time.perf_counter() - (self.lines[-1]["seconds"] if self.lines else 0.0)

    def end(self, step: int, loss: float) -> None:
        """Record that a part ends after so many steps, with its mean loss: keep the state and report progress."""
        self.lines.append({"step": step, "loss": loss, "seconds": round(time.perf_counter() - self._begun, 1)})
        if self.keep:
            self._save(self.keep, step)
        if self.on_progress:
            self.on_progress(Progress(self.method.title, self.seed, step, self.steps, loss))

    def _save(self, partial: Path, step: int) -> None:
        """Write variables, the optimizer's too, lines of the history, and pools of hard classes."""
        values = [np.asarray(keras.ops.convert_to_numpy(variable)) for variable in _variables(self.trainer)]
        state = {f"variable-{number}": value for number, value in enumerate(values)}
        if self.hard is not None:
            state["hard"] = self.hard
        said = {"run": partial.name, "step": step, "lines": self.lines}
        with replacing(partial / f"checkpoint-{step}.npz") as part:
            np.savez(part, allow_pickle=False, said=np.array(json.dumps(said)), **state)
        for old in _newest_first(partial)[KEPT:]:
            old.unlink()


def _resume(partial: Path, trainer: keras.Model) -> tuple[int, list[dict[str, Any]], np.ndarray | None]:
    """Restore the state that was kept last → steps made, lines, pools; 0 and none where none was kept."""
    trainer.optimizer.build(trainer.trainable_variables)
    found = _newest_first(partial)
    for path in found:
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as kept:
                said = json.loads(str(kept["said"]))
                values = [kept[f"variable-{number}"] for number in range(len(_variables(trainer)))]
                hard = kept.get("hard")
            if said["run"] != partial.name or len(said["lines"]) < 1:
                continue
            for variable, value in zip(_variables(trainer), values, strict=True):
                variable.assign(value)
        except DAMAGED:
            continue
        if path != found[0]:
            warnings.warn(
                f"run {partial.name}: its last checkpoint is damaged; it goes on from step {said['step']:,}.",
                stacklevel=2,
            )
        return said["step"], said["lines"], hard
    if found:
        raise ResultsError(
            f"run {partial.name} cannot go on (its checkpoints are damaged, or another run's): restore the folder "
            f"{partial}, or move it elsewhere and run again."
        )
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    return 0, [], None


def _variables(trainer: keras.Model) -> list[Any]:
    return [*trainer.variables, *trainer.optimizer.variables]


def _newest_first(partial: Path) -> list[Path]:
    steps = {path: path.stem.partition("-")[2] for path in partial.glob("checkpoint-*.npz")}
    # a copy, "checkpoint-40 (1).npz", is none of ours
    ours = [path for path, step in steps.items() if step.isdecimal()]
    return sorted(ours, key=lambda path: int(steps[path]), reverse=True)
