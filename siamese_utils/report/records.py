"""results.json: every number of a profile's runs, of Table 1 and of the verdicts, and where each comes from.

Its schema is results.schema.json, beside this file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..evidence.board import Board
from ..paths import reports_dir
from ..training.integrity import SPLITS, is_method, sha256
from ..training.provenance import ORIGIN_COLUMNS, code_version
from ..training.runs import Run
from ..training.verify import Retraining, read_retrained

SCHEMA = Path(__file__).with_name("results.schema.json")
# what is on record of the runs behind a number
OF_RUNS = ("dataset", "fingerprint", "finished", "commit", "backend", "device", "convolutions", "tier")
# columns of the board that `source` and the runs say better
LEFT_OUT = ("run_ids", "seeds", "trained_on", "difference_seeds", "under_way", "notebook")


def results_of(board: Board, runs: Mapping[Path, Run], shipped: set[str], left_out: Sequence[str]) -> dict[str, Any]:
    """Make the content of results.json, as its schema describes it.

    runs      by their folder in the archive
    shipped   the ids of those that are committed in the repository
    left_out  what is not to be believed, and why
    """
    profile = board.profile.name
    retrained = read_retrained(reports_dir() / profile)
    records = [_record(board, run, inside, shipped, retrained.get(run.run_id)) for inside, run in runs.items()]
    known = {record["run_id"]: record for record in records}

    def source(run_ids: Iterable[str]) -> dict[str, Any]:
        found = [known[run_id] for run_id in run_ids if run_id in known]
        ids = {"seeds": distinct(run["seed"] for run in found), "run_ids": [run["run_id"] for run in found]}
        return {"profile": profile, **ids, **{name: distinct(run[name] for run in found) for name in OF_RUNS}}

    rows = [
        {
            **{name: value for name, value in row.items() if name not in LEFT_OUT},
            "so_far": now.in_words if now else "",
            "episodes": board.profile.episodes,
            "source": source(row["run_ids"] or ([now.run_id] if now else [])),
        }
        for row in board.rows.to_dict("records")
        for now in [row["under_way"]]
    ]
    claims = [
        {
            **{"claim": j.claim.id, "section": j.claim.section, "says": j.claim.says, "variant": j.variant},
            **{"verdict": j.verdict, "words": j.words, "p": j.p, "source": source(j.run_ids)},
            **{name: getattr(j.estimate, name, None) for name in ("value", "low", "high", "episodes")},
        }
        for j in board.judgements
    ]
    tables = {"runs": records, "table_1": rows, "claims": claims, "left_out": left_out}
    content = json.dumps({"schema_version": 1, "profile": profile, **code_version(), **tables})
    # NaN is no number of JSON's
    plain: dict[str, Any] = json.loads(content, parse_constant=lambda _: None)
    return plain


def _record(board: Board, run: Run, inside: Path, shipped: set[str], retraining: Retraining | None) -> dict[str, Any]:
    metrics, config = run.metrics, run.config
    last = metrics.get("provenance", {})
    moved = metrics.get("origins", []) if run.finished else run.history.to_dict("records")
    origins = moved if len(moved) > 1 else [last]
    is_verified = retraining and retraining.agrees and retraining.metrics == sha256(run.folder / "metrics.json")
    scores = metrics["scores"] if run.finished else _last_check(run)
    return {
        "run_id": run.run_id,
        "name": config["learner"]["name"] if is_method(config) else config["experiment"],
        "kind": "method" if is_method(config) else "experiment",
        "held_out": config.get("held_out"),
        "status": "finished" if run.finished else "under way",
        "tier": "verified" if is_verified else "shipped" if run.run_id in shipped else "re-run here",
        "profile": board.profile.name,
        "dataset": metrics["dataset"].get("name", board.profile.dataset),
        "fingerprint": metrics["dataset"]["fingerprint"],
        "seed": run.seed,
        "iterations": metrics["steps" if is_method(config) else "iterations"],
        "finished": last.get("finished"),
        "modified": last.get("modified"),
        **{name: "; ".join(distinct(origin.get(name) for origin in origins)) or None for name in ORIGIN_COLUMNS},
        "packages": {"python": last["python"], **last["packages"]} if "packages" in last else {},
        "retrained": retraining and retraining.model_dump(),
        "folder": inside.as_posix(),
        "scores": [{"split": config.get("held_out"), "iteration": None, **score} for score in scores],
    }


def _last_check(run: Run) -> list[dict[str, Any]]:
    """List the accuracies of the last check of a run under way: 20-way, author's protocol."""
    check, episodes = run.history.iloc[-1], run.config["profile"]["check_episodes"]
    return [
        {
            **{"protocol": "author", "split": split, "ways": 20, "iteration": int(check["iteration"])},
            **{name: float(check[f"{split}_{name}"]) for name in ("accuracy", "low", "high")},
            **{"correct": round(check[f"{split}_accuracy"] * episodes), "episodes": episodes},
        }
        for split in SPLITS
    ]


def distinct(values: Iterable[Any]) -> list[Any]:
    """List each value once, in order; those that are not known are left out."""
    return list(dict.fromkeys(value for value in values if isinstance(value, str | int)))
