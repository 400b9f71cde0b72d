"""What a run leaves that verdicts are made from, and the measures that are taken of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd

from ..text import device_words
from ..training.runs import Run

# checks that say where a training stands
LATEST = 5
Kind: TypeAlias = Literal["val", "train", "gap", "early"]


@dataclass(frozen=True)
class Measure:
    """What is compared: final val or train accuracy, their gap (train − val), or early, mean val of the first half.

    n_way  val alone: by its score in final episodes of so many classes; None: by the answers to the 20-way episodes,
           which every network shares
    """

    kind: Kind = "val"
    n_way: int | None = None

    @property
    def splits(self) -> dict[str, int]:
        """Split → sign of the final 20-way episodes that it is made of; empty where it is made of others."""
        if self.n_way or self.kind == "early":
            return {}
        return {"train": 1, "val": -1} if self.kind == "gap" else {self.kind: 1}

    @property
    def parts(self) -> "tuple[Measure, ...]":
        """The accuracies that it is made of."""
        return (TRAIN, VAL) if self.kind == "gap" else (self,)


VAL, TRAIN, GAP = Measure("val"), Measure("train"), Measure("gap")


@dataclass(frozen=True, eq=False)
class Facts:
    """What a run left.

    answers      "train", "val" → (episodes,) bool: the final 20-way episodes under the author's protocol
    scores       (protocol, split, n_way) → (correct, episodes) of the final episodes
    history      the training's checks, columns as in checkpoints.HISTORY_COLUMNS
    fingerprint  of the dataset
    machines     what it was trained on, in words
    """

    run_id: str
    answers: Mapping[str, np.ndarray]
    scores: Mapping[tuple[str, str, int], tuple[int, int]] = field(default_factory=dict)
    history: pd.DataFrame = field(default_factory=pd.DataFrame)
    fingerprint: str = ""
    machines: tuple[str, ...] = ()

    @classmethod
    def of(cls, run: Run) -> "Facts":
        """Read the facts of a finished run from its folder; ResultsError where a file of it cannot be read."""
        answers, metrics = run.answers(), run.metrics
        return cls(
            run_id=run.run_id,
            answers={split: answers[f"author/{split}"] for split in ("train", "val")},
            scores={(s["protocol"], s["split"], s["ways"]): (s["correct"], s["episodes"]) for s in metrics["scores"]},
            history=run.history,
            fingerprint=metrics["dataset"].get("fingerprint", ""),
            machines=machines(run),
        )

    def accuracy(self, protocol: str, split: str, n_way: int = 20) -> float:
        """Look up a final accuracy, a fraction; KeyError where there is none of this kind."""
        correct, episodes = self.scores[protocol, split, n_way]
        return correct / episodes

    def percent(self, measure: Measure) -> float:
        """Take a measure of the run, in % (a gap in points)."""
        if measure.kind == "early":
            return 100 * float(self.early.mean())
        if measure.n_way:
            return 100 * self.accuracy("author", "val", measure.n_way)
        return sum(sign * (100 * float(self.answers[split].mean())) for split, sign in measure.splits.items())

    @cached_property
    def early(self) -> np.ndarray:
        """Val accuracies, fractions, of the checks after the start and up to the middle of the training."""
        iteration = self.history["iteration"].to_numpy()
        chosen = (iteration > 0) & (iteration <= iteration.max() / 2)
        early: np.ndarray = self.history["val_accuracy"].to_numpy()[chosen]
        return early

    @cached_property
    def degenerate(self) -> bool:
        """Whether it answers no episode of the strict protocol correctly: every similarity ties."""
        strict = [
            correct
            for (protocol, split, n_way), (correct, _) in self.scores.items()
            if (protocol, split) == ("strict", "val") and n_way > 1
        ]
        return bool(strict) and not any(strict)


def machines(run: Run) -> tuple[str, ...]:
    """Name what a run was trained on: "TensorFlow on CPU"; several where it moved."""
    origins = run.metrics.get("origins") or [run.metrics.get("provenance", {})]
    return tuple(dict.fromkeys(map(device_words, origins)))
