"""A method's training under way on disk: all its variables after each part of it, the last two times."""

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import keras
from ..errors import ResultsError
from ..files import replacing
from ..training.integrity import DAMAGED

KEPT = 2


def save(partial: Path, trainer: keras.Model, step: int, lines: list[dict[str, Any]], hard: np.ndarray | None) -> None:
    """Keep the state after a step: variables, the optimizer's too, lines of the history, and pools of hard classes."""
    values = [np.asarray(keras.ops.convert_to_numpy(variable)) for variable in _variables(trainer)]
    state = {f"variable-{number}": value for number, value in enumerate(values)}
    if hard is not None:
        state["hard"] = hard
    said = {"run": partial.name, "step": step, "lines": lines}
    with replacing(partial / f"checkpoint-{step}.npz") as part:
        np.savez(part, allow_pickle=False, said=np.array(json.dumps(said)), **state)
    for old in _newest_first(partial)[KEPT:]:
        old.unlink()


def resume(partial: Path, trainer: keras.Model) -> tuple[int, list[dict[str, Any]], np.ndarray | None]:
    """Give the trainer the state that was kept last → the steps made, lines, pools; 0 and none where none was kept.

    Where the last checkpoint is damaged, the one before it is taken, with a note; where both are, or they are of
    another run, nothing is touched: ResultsError.
    """
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
    found = partial.glob("checkpoint-*.npz")
    return sorted(found, key=lambda path: int(path.stem.partition("-")[2]), reverse=True)
