"""The workflow as its users run it: by Snakemake on this machine, and on a real Slurm that the test starts."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT, TINY

from siamese_utils.config import load_experiment, load_profile
from siamese_utils.training.runs import run_folder

pytest.importorskip("snakemake", reason="Snakemake 9 needs Python 3.11 or later")

ROWS = ("baseline", "mlp")
LOCAL = ("--profile", "workflow/profiles/local")
# a cluster of the test's own has neither accounts nor a database of jobs
SLURM = ("--profile", "workflow/profiles/slurm", "--slurm-no-account", "--slurm-status-command", "squeue")


def snakemake(folder, *words, wait=True):
    """Start the study of a folder; its output, once it has ended well, or the process."""
    command = ["snakemake", "-s", "workflow/Snakefile", "-d", str(folder), "--configfile", str(folder / "study.yaml")]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "SIAMESE_REPORTS_DIR": str(folder / "reports")}
    # of two options of one kind the last counts
    process = subprocess.Popen(
        [*command, *words], cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if not wait:
        return process
    said, _ = process.communicate(timeout=1800)
    assert process.returncode == 0, said
    return said


@pytest.fixture
def study(tmp_path):
    """A folder with a study of two small runs."""
    (tmp_path / "study.yaml").write_text(
        yaml.safe_dump({"profiles": [str(TINY)], "experiments": list(ROWS), "gpus": 0, "threads": 1})
    )
    return tmp_path


def lengthen(study):
    """Make its runs so long that they can be met half-way; the profile."""
    profile = study / "long.yaml"
    content = yaml.safe_load(TINY.read_text(encoding="utf-8"))
    profile.write_text(yaml.safe_dump({**content, "iterations": 2000, "check_every": 20}), encoding="utf-8")
    text = (study / "study.yaml").read_text()
    (study / "study.yaml").write_text(text.replace(str(TINY), str(profile)))
    return load_profile(profile)


def folder_of(name, profile, study):
    return study / "reports" / profile.name / "results" / run_folder(load_experiment(name), profile, 0)[0].name


def by_hand(profile, tmp_path):
    """The same runs, one after the other, by the command that a person types."""
    command = [sys.executable, "-m", "siamese_utils", "run", *ROWS, "--profile", str(profile)]
    environment = {**os.environ, "SIAMESE_REPORTS_DIR": str(tmp_path / "reports")}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    return tmp_path


def check_equal(profile, one, other):
    """Results are the same to the byte, but for what tells of time and place."""
    for name in ROWS:
        folders = [folder_of(name, profile, study) for study in (one, other)]
        assert all(folder.is_dir() for folder in folders)
        configs, answers = ([(folder / file).read_bytes() for folder in folders] for file in ("config.json", "answers.npz"))
        assert configs[0] == configs[1]
        assert answers[0] == answers[1]
        metrics = [json.loads((folder / "metrics.json").read_text()) for folder in folders]
        assert metrics[0]["scores"] == metrics[1]["scores"]
        histories = [pd.read_csv(folder / "history.csv").drop(columns="seconds") for folder in folders]
        pd.testing.assert_frame_equal(*histories, check_exact=True)
        weights = [np.frombuffer((folder / "model.keras").read_bytes(), np.uint8).size for folder in folders]
        assert weights[0] == weights[1]


def test_a_dry_run_prints_the_plan_and_makes_nothing(study):
    said = snakemake(study, *LOCAL, "--dry-run", "--quiet", "rules")
    counted = dict(line.split() for line in said.splitlines() if len(line.split()) == 2)
    assert (counted["run"], counted["notebook"], counted["report"], counted["verify"]) == ("2", "12", "1", "1")
    assert not (study / "reports").exists()


def test_what_is_there_is_not_wanted_again_and_what_was_removed_is(study):
    folder = study / "reports" / "tiny" / "results" / folder_of("mlp", load_profile(TINY), study).name
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text("{}")
    said = snakemake(study, *LOCAL, "--dry-run", "--quiet", "rules", "--until", "run")
    assert "run          1" in said or "run      1" in said
    shutil.rmtree(folder)
    assert "2" in snakemake(study, *LOCAL, "--dry-run", "--quiet", "rules", "--until", "run")
