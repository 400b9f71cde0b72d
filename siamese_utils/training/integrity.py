"""Whether a run's folder is to be believed: it is what its name says, its parts agree, and none has changed.

A finished run has a file SHA256SUMS, as `sha256sum -c SHA256SUMS` reads it, of all that it left.
"""

from __future__ import annotations

import csv
import hashlib
import json
import zipfile
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from math import isclose, isfinite
from pathlib import Path
from typing import Any

import numpy as np

from ..config import Profile, key_hash
from ..data.load import DRAWN
from ..evaluation.accuracy import wilson
from ..evaluation.episodes import Protocol
from ..files import write_text

SCHEMA_VERSION = 1
SPLITS = ("train", "val")
PROTOCOLS: tuple[Protocol, ...] = ("author", "strict")
SUMS = "SHA256SUMS"
EVIDENCE = ("config.json", "history.csv", "metrics.json", "answers.npz")
# what reading a damaged file or one of another shape raises
DAMAGED = (OSError, ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, EOFError,
           ZeroDivisionError, RecursionError, zipfile.BadZipFile)  # fmt: skip


class Disagreement(ValueError):
    """Two parts of a run do not agree."""


# ---- checksums -----------------------------------------------------------------------------------


def sha256(path: Path) -> str:
    """Compute the SHA-256 of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        digest = hashlib.sha256()
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def record_sums(folder: Path, *names: str, source: Path | None = None) -> None:
    """Record the checksums of files in a run's folder, or of those that will come from `source`, beside the others."""
    sums = {**read_sums(folder), **{name: sha256((source or folder) / name) for name in names}}
    write_text(folder / SUMS, "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items())))


def read_sums(folder: Path) -> dict[str, str]:
    """Read the recorded checksums by the file's name; empty where there are none."""
    path = folder / SUMS
    # what is no text is no checksum
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def is_recorded(file: Path) -> bool:
    """Say whether a file is the one whose checksum its folder has on record."""
    return file.is_file() and read_sums(file.parent).get(file.name) == sha256(file)


# ---- finished runs, and runs under way -----------------------------------------------------------


def find_problem(folder: Path) -> str:
    """Say why a finished run is not to be believed; "" where all of it agrees."""
    try:
        if lacking := [name for name in (*EVIDENCE, SUMS) if not (folder / name).is_file()]:
            return f"without {', '.join(lacking)}"
        if changed := [name for name in EVIDENCE if not is_recorded(folder / name)]:
            return f"{', '.join(changed)} changed since {SUMS} was written"
        config, metrics = (read_json(folder / name) for name in ("config.json", "metrics.json"))
        history = read_history(folder)
        _check_name(folder, config)
        _check_metrics(folder, config, metrics)
        _check_history(config, history, finished=True)
        _check_ends(metrics, history)
        _check_scores(config, metrics["scores"], metrics["episodes"])
        _check_answers(folder, metrics["scores"], not is_method(config))
    except DAMAGED as error:
        return _in_words(error)
    return ""


def find_problem_under_way(folder: Path) -> str:
    """Say why a run under way, its config and history, is not to be believed; "" where all of it agrees.

    Runs from before there were checksums of these have none.
    """
    try:
        changed = [name for name in read_sums(folder) if name in EVIDENCE[:2] and not is_recorded(folder / name)]
        # a kill may come between a check's history and its checksum: there the record of checks decides
        if changed and not (folder / "checkpoints.json").is_file():
            return f"{', '.join(changed)} changed since {SUMS} was written"
        config = read_json(folder / "config.json")
        _check_name(folder, config)
        _check_history(config, read_history(folder), finished=False)
    except DAMAGED as error:
        return _in_words(error)
    return ""


def _in_words(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{Path(error.filename).name}: {error.strerror}"
    return str(error) if isinstance(error, Disagreement) else f"damaged ({type(error).__name__}: {error})"


def is_method(config: dict[str, Any]) -> bool:
    """Say whether a run's config is that of a method beyond the paper, not of an experiment."""
    return "recipe" not in config


def iterations_of_checks(last: int, every: int) -> list[int]:
    """List the updates after which a check is made: 0, every so many, and the last."""
    return sorted({*range(0, last + 1, every), last})


def read_json(path: Path) -> dict[str, Any]:
    """Read the keys and values of a run's file; Disagreement, a ValueError, where it holds something else."""
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise Disagreement(f"{path.name} holds no keys and values")
    return content


def read_history(folder: Path) -> list[dict[str, str]]:
    """Read the lines of a run's history, a dictionary of strings each."""
    with open(folder / "history.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _agree(what: str, one: object, other: object) -> None:
    if one != other:
        raise Disagreement(f"{what}: {one!r} and {other!r}")


def _near(found: Iterable[float], right: Iterable[float], margin: float) -> bool:
    """Say whether numbers are those that they should be, up to rounding; of so few, NumPy takes longer."""
    return all(isclose(one, other, rel_tol=1e-5, abs_tol=margin) for one, other in zip(found, right, strict=True))


def _check_name(folder: Path, config: dict[str, Any]) -> None:
    """Check that the folder's name is made of its config."""
    start = f"{config['learner']['name']}-{config['held_out']}" if is_method(config) else config["experiment"]
    name = f"{start}-s{config['seed']}-{key_hash(config)}"
    _agree("the folder's name is not that of its config.json", folder.name.removesuffix(".partial"), name)


def _check_metrics(folder: Path, config: dict[str, Any], metrics: dict[str, Any]) -> None:
    """Check that the metrics say of the run what its config says."""
    of_paper = not is_method(config)
    _agree("schema version", metrics["schema_version"], SCHEMA_VERSION)
    _agree("run id", metrics["run_id"], folder.name.removesuffix(".partial"))
    _agree("seed", metrics["seed"], config["seed"])
    # drawn characters are known by their generator's version until they are drawn
    if not metrics["dataset"]["synthetic"]:
        _agree("dataset", metrics["dataset"]["fingerprint"], config["dataset"])
    _agree("episodes", metrics["episodes"], (config["profile"] if of_paper else config)["episodes"])
    if of_paper:
        _agree("experiment", metrics["experiment"], config["experiment"])
    else:
        _agree("method", metrics["learner"], config["learner"]["name"])
        _agree("held out", metrics["held_out"], config["held_out"])
        _agree("steps", metrics["steps"], config["steps"])
    _agree("whether its data are drawn", metrics["dataset"]["synthetic"], config["dataset"].startswith(DRAWN))
    seconds, origin = metrics.get("seconds", 0), metrics.get("provenance", {})
    if isinstance(seconds, bool) or not (isinstance(seconds, int | float) and 0 <= seconds < float("inf")):
        raise Disagreement(f"seconds: {seconds!r}")
    if not isinstance(origin, dict) or not isinstance(origin.get("packages", {}), dict):
        raise Disagreement("provenance holds no keys and values")
    for name in ("commit", "backend", "device", "processor", "platform", "finished"):
        if not isinstance(origin.get(name), str | None):
            raise Disagreement(f"provenance: {name} is no text")
    if origin.get("finished"):
        datetime.fromisoformat(origin["finished"])


def _check_history(config: dict[str, Any], history: list[dict[str, str]], *, finished: bool) -> None:
    """Check that the history has each check of the config once, in order, and the intervals of their counts."""
    if is_method(config):
        steps = [int(line["step"]) for line in history]
        if steps != sorted(set(steps)) or steps[-1:] != [config["steps"]]:
            raise Disagreement("history.csv is not that of its config.json's steps")
        return
    profile = config["profile"]
    last = Profile.model_construct(**profile).scaled(config["recipe"]["iterations"])
    wanted = iterations_of_checks(last, profile["check_every"])
    found = [int(line["iteration"]) for line in history]
    if found != (wanted if finished else wanted[: len(found)]) or not found:
        raise Disagreement("history.csv does not have each check of its config.json once, in order")
    for line in history:
        # histories from before it was kept have no learning rate
        for name in ("batch_loss", "mean_loss", "seconds", *{"learning_rate"}.intersection(line)):
            if float(line[name]) < 0:
                raise Disagreement(f"history.csv: {name} at iteration {line['iteration']} is {line[name]}")
        if not isfinite(float(line["seconds"])):
            raise Disagreement(f"history.csv: seconds at iteration {line['iteration']} is {line['seconds']}")
        for split in SPLITS:
            low, accuracy, high = (float(line[f"{split}_{what}"]) for what in ("low", "accuracy", "high"))
            score = wilson(round(accuracy * profile["check_episodes"]), profile["check_episodes"])
            if not _near((low, accuracy, high), (score.low, score.accuracy, score.high), 1e-6):
                raise Disagreement(f"history.csv: {split} accuracy and interval at iteration {line['iteration']}")


def _check_ends(metrics: dict[str, Any], history: list[dict[str, str]]) -> None:
    """Check that the metrics repeat what the history begins and ends with."""
    if "iterations" in metrics:
        _agree("iterations", metrics["iterations"], int(history[-1]["iteration"]))
        first, logged = metrics["first_batch_loss"], float(history[0]["batch_loss"])
        if not np.isclose(first, logged, rtol=1e-9, atol=0, equal_nan=True):
            raise Disagreement(f"first batch loss: {first!r} and {logged!r}")


def _check_scores(config: dict[str, Any], scores: list[dict[str, Any]], n_episodes: int) -> None:
    """Check that each accuracy that the config asks for is there once, with the value and interval of its counts."""
    kinds = Counter((s["protocol"], s.get("split", "val"), s["ways"]) for s in scores)
    if is_method(config):
        wanted = {kind for kind in kinds if kind[0] in (*PROTOCOLS, "within_alphabet")}
    else:
        ways = {20, *config["profile"]["ways"]}
        asked = {("train", 20), *(("val", n_way) for n_way in ways)}
        wanted = {(protocol, *kind) for protocol in PROTOCOLS for kind in asked}
    if kinds != Counter(wanted):
        raise Disagreement("the scores are not those that its config.json asks for, each once")
    for score in scores:
        if score["protocol"] != "within_alphabet":
            _agree("episodes of a score", score["episodes"], n_episodes)
        possible = 0 <= score["correct"] <= score["episodes"]
        right = vars(wilson(score["correct"], score["episodes"])) if possible else {}
        if not possible or not _near([score[name] for name in right], right.values(), 1e-9):
            raise Disagreement(
                f"{score['ways']}-way accuracy, {score['protocol']} protocol: {score['accuracy']} of "
                f"{score['correct']} / {score['episodes']}"
            )


def answers_name(score: dict[str, Any], scores: list[dict[str, Any]]) -> str:
    """Name the answers of a score in a run beyond the paper: "strict", of fewer ways "strict/5"."""
    most = max(other["ways"] for other in scores if other["protocol"] == score["protocol"])
    protocol: str = score["protocol"]
    return protocol if score["ways"] == most else f"{protocol}/{score['ways']}"


def _check_answers(folder: Path, scores: list[dict[str, Any]], of_paper: bool) -> None:
    """Check that the packed answers of each kind of episodes sum to the score's count."""
    with open(folder / "answers.npz", "rb") as file, np.load(file, allow_pickle=False) as packed:
        answers = {name: packed[name] for name in packed.files}
    counted = {
        f"{s['protocol']}/{s['split']}" if of_paper else answers_name(s, scores): (s["correct"], s["episodes"])
        for s in scores
        if s["ways"] == 20 or not of_paper
    }
    _agree("answers of episodes", sorted(answers), sorted(counted))
    for name, (correct, n_episodes) in counted.items():
        bits = np.unpackbits(answers[name])
        if len(answers[name]) != -(-n_episodes // 8) or int(bits[:n_episodes].sum()) != correct:
            raise Disagreement(f"answers {name}: not {correct} of {n_episodes}")
