"""A reproducible companion to "Architectures for Siamese Neural Networks".

    import siamese_utils as su

Everything that a notebook needs is here by name; each name is imported when it is first used, so that importing the
package takes no time and no backend. Keras computes with TensorFlow, or JAX where only that is installed, unless
KERAS_BACKEND says otherwise.
"""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if not os.environ.get("KERAS_BACKEND"):
    os.environ["KERAS_BACKEND"] = "jax" if find_spec("jax") and not find_spec("tensorflow") else "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

FUNCTIONS = {
    "load_profile": "config",
    "load_experiment": "config",
    "load_matrix": "config",
    "load_dataset": "data.load",
    "draw_pairs": "data.pairs",
    "gather": "data.pairs",
    "build_model": "models.siamese",
    "draw_episodes": "evaluation.episodes",
    "evaluate": "evaluation.accuracy",
    "embed_split": "evaluation.accuracy",
    "similarities": "evaluation.accuracy",
    "wilson": "evaluation.accuracy",
    "train": "training.loop",
    "load_or_train": "training.loop",
    "tidy": "training.runs",
    "compare_runs": "evidence.board",
    "open_study": "report.study",
    "OneShot": "inference.one_shot",
    "drawing_pad": "inference.drawing_pad",
}
MODULES = {
    "plots": "report.plots",
    "tables": "report.tables",
    "conclusions": "report.conclusions",
    "first_loss": "evidence.first_loss",
    "fidelity": "evidence.fidelity",
    "leakage": "evidence.leakage",
    "factorial": "evidence.factorial",
    "beyond": "beyond",
}

# the same names, for editors and for whoever checks types
# ruff: noqa: F401
if TYPE_CHECKING:
    from . import beyond
    from .config import load_experiment, load_matrix, load_profile
    from .data.load import load_dataset
    from .data.pairs import draw_pairs, gather
    from .evaluation.accuracy import embed_split, evaluate, similarities, wilson
    from .evaluation.episodes import draw_episodes
    from .evidence import factorial, fidelity, first_loss, leakage
    from .evidence.board import compare_runs
    from .inference.drawing_pad import drawing_pad
    from .inference.one_shot import OneShot
    from .models.siamese import build_model
    from .report import conclusions, plots, tables
    from .report.study import open_study
    from .training.loop import load_or_train, train
    from .training.runs import tidy

__all__ = sorted([*FUNCTIONS, *MODULES])


def __getattr__(name: str) -> Any:
    if name in FUNCTIONS:
        found = getattr(import_module(f".{FUNCTIONS[name]}", __name__), name)
    elif name in MODULES:
        found = import_module(f".{MODULES[name]}", __name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
