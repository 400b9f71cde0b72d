"""How good a model is, at a check and at the end of its training, and what a run keeps of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..config import Profile
from ..data.dataset import Dataset, Split
from ..evaluation.accuracy import embed_split, predict_episodes, score_of
from ..evaluation.episodes import Protocol, draw_episodes
from ..files import replacing, write_json
from .integrity import EVIDENCE, PROTOCOLS, SCHEMA_VERSION, SPLITS, record_sums
from .provenance import provenance
from .runs import WEIGHTS

if TYPE_CHECKING:
    import keras

# episodes never share random numbers with training, nor checks with finals
CHECK_SEED, FINAL_SEED = 1_000, 2_000
# how near to 0 or 1 a sigmoid's value is where it is called saturated
SATURATED = 0.01


def check_model(model: keras.Model, dataset: Dataset, profile: Profile, iteration: int) -> dict[str, float]:
    """Make the author's check, 1-shot 20-way on each split, the same episodes for every model; and measure the weights.

    Columns of `checkpoints.HISTORY_COLUMNS`. Saturated units are those of the val queries' embeddings.
    """
    row: dict[str, float] = {}
    for number, name in enumerate(SPLITS):
        split, seed = dataset.split(name), [CHECK_SEED, number, iteration]
        drawn = draw_episodes(split, protocol="author", n_way=20, n_episodes=profile.check_episodes, seed=seed)
        embeddings = embed_split(model, split, used_by=drawn)
        score = score_of(predict_episodes(model, embeddings, drawn))
        row |= {f"{name}_accuracy": score.accuracy, f"{name}_low": score.low, f"{name}_high": score.high}
    queries = embeddings[drawn.query[:, 0], drawn.query[:, 1]]
    kernels = [variable.numpy() for variable in model.trainable_variables if len(variable.shape) > 1]
    return row | {
        "kernel_norm": float(np.sqrt(sum(np.square(kernel, dtype=np.float64).sum() for kernel in kernels))),
        "saturated": float(((queries < SATURATED) | (queries > 1 - SATURATED)).mean()),
    }


def final_scores(
    model: keras.Model, dataset: Dataset, profile: Profile
) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """Measure every final accuracy, and pack the answers of the 20-way episodes.

    Scores: both protocols on both splits at 20 ways, and on val at each of the profile's ways.
    Answers: "<protocol>/<split>" → np.packbits of (episodes,) bool.
    """
    scores, answers = [], {}
    for name in SPLITS:
        split = dataset.split(name)
        embeddings = embed_split(model, split)
        for protocol in PROTOCOLS:
            for n_way in sorted({20, *(profile.ways if name == "val" else ())}):
                seed = final_seed(name, n_way)
                score, packed = score_episodes(model, split, embeddings, protocol, n_way, profile.episodes, seed)
                scores.append({"split": name, **score})
                if n_way == 20:
                    answers[f"{protocol}/{name}"] = packed
    return scores, answers


def final_seed(split: str, n_way: int) -> list[int]:
    """Return the seed of the final episodes: who knows it can draw them again."""
    return [FINAL_SEED, SPLITS.index(split), n_way]


def score_episodes(
    model: keras.Model,
    split: Split,
    embeddings: np.ndarray,
    protocol: Protocol,
    n_way: int,
    n_episodes: int,
    seed: Sequence[int],
) -> tuple[dict[str, Any], np.ndarray]:
    """Draw 1-shot episodes and answer them → the score as results keep it, and the packed (n_episodes,) answers."""
    drawn = draw_episodes(split, protocol=protocol, n_way=n_way, n_episodes=n_episodes, seed=seed)
    correct = predict_episodes(model, embeddings, drawn)
    return {"protocol": protocol, "ways": n_way, **score_of(correct).as_dict()}, np.packbits(correct)


def keep_results(
    partial: Path,
    model: keras.Model,
    dataset: Dataset,
    scores: list[dict[str, Any]],
    answers: dict[str, np.ndarray],
    **metrics: Any,
) -> None:
    """Write answers.npz, metrics.json and the model, with its optimizer: a longer run may go on from there.

    metrics  what is the run's own; what every run says of itself is added

    The checksums come last: a folder that has them is complete.
    """
    with replacing(partial / "answers.npz") as part:
        np.savez(part, allow_pickle=False, **answers)
    common = {
        "schema_version": SCHEMA_VERSION,
        "run_id": partial.name.removesuffix(".partial"),
        "dataset": dataset.origin,
        "parameters": model.count_params(),
        "provenance": provenance(),
    }
    write_json(partial / "metrics.json", {**common, **metrics, "scores": scores})
    with replacing(partial / WEIGHTS) as part:
        model.save(part)
    record_sums(partial, *EVIDENCE, WEIGHTS)
