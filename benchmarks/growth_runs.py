"""Thousands of finished runs, copied from the committed ones, and what is asked of them. See growth.py."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from side_by_side import COMMAND_LINE

SOURCE, PROFILE = "laptop", "growth"
EVIDENCE = """
from siamese_utils.evidence.board import Board
board = Board.of({profile!r})
board.rows, board.judgements
"""
# what is asked of the runs, each in a fresh process; {profile} is the profile's file
COMMANDS: dict[str, list[str]] = {
    "siamese status": [COMMAND_LINE, "status", "--profile", "{profile}"],
    "siamese verify": [COMMAND_LINE, "verify", "--profile", "{profile}"],
    "all verdicts and Table 1": [EVIDENCE],
    "siamese report": [COMMAND_LINE, "report", "--profile", "{profile}"],
    "siamese export": [COMMAND_LINE, "export", "--profile", "{profile}", "--out", "{crate}"],
}


def command(name: str, reports: Path) -> list[str]:
    """Return one of COMMANDS as a process takes it."""
    places = {"profile": str(profile_file(reports)), "crate": f"{reports}-crate"}
    return [sys.executable, "-c", *(part.format(**places) if "{" in part else part for part in COMMANDS[name])]


def profile_file(reports: Path) -> Path:
    return reports / f"{PROFILE}.yaml"


def copy_runs(reports: Path, count: int) -> dict[str, Any]:
    """Make reports/growth/results: `count` copies of the committed laptop runs, each under another seed.

    A copy is a run as any other: its config has its seed, its name that config's hash, its checksums are its own. The
    profile is the laptop's with those seeds. Executed notebooks come along, for the report.
    """
    import yaml

    from siamese_utils.config import key_hash, load_matrix, load_profile
    from siamese_utils.files import write_json
    from siamese_utils.paths import project_root, reports_dir
    from siamese_utils.training.integrity import EVIDENCE, record_sums
    from siamese_utils.training.runs import find_runs

    source = load_profile(SOURCE)
    runs: dict[str, list[Any]] = {}
    for run in find_runs(source, load_matrix().experiments):
        runs.setdefault(run.config["experiment"], []).append(run)
    rows = list(runs)
    for number in range(count):
        seed, row = divmod(number, len(rows))
        run = runs[rows[row]][seed % len(runs[rows[row]])]
        key = {**run.config, "seed": seed}
        folder = reports / PROFILE / "results" / f"{rows[row]}-s{seed}-{key_hash(key)}"
        folder.mkdir(parents=True)
        for name in ("history.csv", "answers.npz"):
            shutil.copyfile(run.folder / name, folder / name)
        write_json(folder / "config.json", key)
        write_json(folder / "metrics.json", {**run.metrics, "run_id": folder.name, "seed": seed})
        record_sums(folder, *EVIDENCE)
    content = yaml.safe_load((project_root() / "params" / "profiles" / f"{SOURCE}.yaml").read_text(encoding="utf-8"))
    content["seeds"] = list(range(-(-count // len(rows))))
    # which is YAML, too
    profile_file(reports).write_text(json.dumps(content), encoding="utf-8")
    for name in ("notebooks", "batch.json"):
        place = reports_dir() / SOURCE / name
        (shutil.copytree if place.is_dir() else shutil.copyfile)(place, reports / PROFILE / name)
    blocks = sum(path.stat().st_blocks for path in (reports / PROFILE / "results").rglob("*"))
    return {"runs": count, "MiB on disk": blocks * 512 / 2**20}
