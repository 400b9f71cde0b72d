"""The workflow as its users run it: by Snakemake on this machine, and on a real Slurm that the test starts."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest
import small_slurm as slurm
import yaml
from conftest import ROOT, TINY

from siamese_utils.config import load_experiment, load_profile
from siamese_utils.training.runs import partial_folder, run_folder, worker_file

pytestmark = pytest.mark.skipif(not find_spec("snakemake"), reason="Snakemake 9 needs Python 3.11 or later")

ROWS = ("baseline", "mlp")
ON_SLURM = pytest.mark.skipif(bool(slurm.why_not()), reason=f"no Slurm can be started: {slurm.why_not()}")
LOCAL = ("--profile", "workflow/profiles/local")
# a cluster of the test's own has neither accounts nor a database of jobs
SLURM = ("--profile", "workflow/profiles/slurm", "--slurm-no-account", "--slurm-status-command", "squeue")
# long enough to be met half-way
LONG = {"iterations": 200, "check_every": 10, "batch_size": 16}
PLAN = ("--dry-run", "--quiet", "rules")


class Study:
    """A folder with a study of two runs, its results, and what Snakemake keeps."""

    def __init__(self, folder, profile=TINY):
        self.folder, self.profile = folder, load_profile(profile)
        content = {"profiles": [str(profile)], "experiments": list(ROWS), "gpus": 0, "threads": 1}
        (folder / "study.yaml").write_text(yaml.safe_dump(content))

    def run(self, name):
        """The folder of a finished run."""
        final, _ = run_folder(load_experiment(name), self.profile, 0)
        return self.folder / "reports" / self.profile.name / "results" / final.name

    def start(self, *words):
        """A process of Snakemake's on the study."""
        command = [sys.executable, "-m", "snakemake", "--snakefile", "workflow/Snakefile", "--directory", self.folder]
        return self._start(*command, "--configfile", self.folder / "study.yaml", *words)

    def make(self, *words):
        """What Snakemake says of the study, once it has ended well."""
        return _ended_well(self.start(*words))

    def by_hand(self):
        """Make the runs one after the other, by the command that a person types."""
        command = [sys.executable, "-m", "siamese_utils", "run", *ROWS, "--profile", self.folder / "long.yaml"]
        _ended_well(self._start(*command))

    def _start(self, *command):
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "SIAMESE_REPORTS_DIR": str(self.folder / "reports")}
        # the checkout may be committed to while a test runs
        environment["SIAMESE_COMMIT"] = "tested"
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen([*map(str, command)], cwd=ROOT, env=environment, start_new_session=True, **pipes)


def _ended_well(process):
    said, _ = process.communicate(timeout=1800)
    assert process.returncode == 0, said
    return said


def planned(said):
    """How many jobs of each rule a dry run is about to start."""
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", said, re.MULTILINE)}


@pytest.fixture
def study(tmp_path):
    return Study(tmp_path)


def long_study_in(folder):
    """The same, with trainings so long that they can be met half-way."""
    content = yaml.safe_load(TINY.read_text(encoding="utf-8"))
    (folder / "long.yaml").write_text(yaml.safe_dump({**content, **LONG}))
    return Study(folder, folder / "long.yaml")


@pytest.fixture
def long_study(tmp_path):
    return long_study_in(tmp_path)


@pytest.fixture(scope="module")
def sequential(tmp_path_factory):
    """The long study, made by hand."""
    study = long_study_in(tmp_path_factory.mktemp("by_hand"))
    study.by_hand()
    return study


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with slurm.Slurm(tmp_path_factory.mktemp("slurm")) as running:
        yield running


def check_equal(one, other):
    """The runs of two studies are the same to the byte, but for what tells of time and place."""
    for name in ROWS:
        folders = [study.run(name) for study in (one, other)]
        for file in ("config.json", "answers.npz"):
            first, second = ((folder / file).read_bytes() for folder in folders)
            assert first == second
        first, second = (json.loads((folder / "metrics.json").read_text()) for folder in folders)
        assert first["scores"] == second["scores"]
        histories = [pd.read_csv(folder / "history.csv").drop(columns="seconds") for folder in folders]
        pd.testing.assert_frame_equal(*histories, check_exact=True)


def half_way(study, name, checks=3):
    """Wait until a run has made some checks; its history so far, and the number of the job that trains it."""
    history = partial_folder(study.run(name)) / "history.csv"
    for _ in range(3000):
        if history.is_file() and len(lines := history.read_text().splitlines()) > checks:
            return lines, json.loads(worker_file(study.run(name)).read_text())["job"]
        time.sleep(0.1)
    raise TimeoutError(f"{name} has made no {checks} checks")


def check_went_on(study, name, before):
    """A run has gone on from the checks that it had made: of these, the seconds are the same; one check may be lost."""
    after = (study.run(name) / "history.csv").read_text().splitlines()
    assert after[: len(before) - 1] == before[:-1]


def test_a_dry_run_prints_the_plan_and_makes_nothing(study):
    assert planned(study.make(*LOCAL, *PLAN)) == {
        "run": 2,
        "notebook": 12,
        "report": 1,
        "verify": 1,
        "all": 1,
        "total": 17,
    }
    assert not (study.folder / "reports").exists()


def test_a_run_that_is_there_is_not_wanted_again_and_one_that_was_removed_is(study):
    study.run("mlp").mkdir(parents=True)
    (study.run("mlp") / "metrics.json").write_text("{}")
    assert planned(study.make(*LOCAL, *PLAN))["run"] == 1
    shutil.rmtree(study.run("mlp"))
    assert planned(study.make(*LOCAL, *PLAN))["run"] == 2


@pytest.mark.parametrize(
    ("study_of", "words"),
    [
        (
            {"profiles": [str(TINY), "other/tiny.yaml"]},
            "are two profiles of one name: give one of them another `name`.",
        ),
        ({"profiles": str(TINY), "experiments": "nope"}, "no experiment 'nope': choose from"),
    ],
)
def test_what_a_study_names_wrong_is_said_before_anything_is_made(study_of, words, study):
    (study.folder / "other").mkdir()
    (study.folder / "other/tiny.yaml").write_text(TINY.read_text().replace("iterations: 4", "iterations: 6"))
    content = yaml.safe_load((study.folder / "study.yaml").read_text())
    (study.folder / "study.yaml").write_text(yaml.safe_dump({**content, **study_of}))
    process = study.start(*LOCAL, *PLAN)
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 1
    assert words in said


def test_the_picture_is_that_of_the_workflow(study):
    content = yaml.safe_load((study.folder / "study.yaml").read_text())
    (study.folder / "study.yaml").write_text(yaml.safe_dump({**content, "methods": ["beyond-3-minutes"]}))
    said = study.make("--rulegraph", "dot")
    names = dict(re.findall(r'(\d+)\[label = "(\w+)"', said))
    edges = {(names[source], names[target]) for source, target in re.findall(r"(\d+) -> (\d+)", said)}
    drawn = (ROOT / "docs" / "images" / "workflow.dot").read_text(encoding="utf-8")
    assert edges == set(re.findall(r"(\w+) -> (\w+)", drawn))


@pytest.mark.slow
def test_two_local_jobs_make_what_the_commands_make_by_hand(long_study, sequential):
    said = long_study.make(*LOCAL, "--resources", "gpu=2", "--until", "run")
    assert said.count("(Rule: run)") == 2
    check_equal(long_study, sequential)


@pytest.mark.slow
def test_the_whole_study_is_made_and_a_second_start_has_nothing_to_do(study):
    study.make(*LOCAL)
    reports = study.folder / "reports" / "tiny"
    assert (reports / "index.html").is_file()
    assert (reports / "verified.txt").read_text().startswith("2 finished runs and 0 under way agree")
    outcomes = json.loads((reports / "batch.json").read_text())
    assert [outcome["status"] for outcome in outcomes] == ["ok"] * 12
    assert "Nothing to be done" in study.make(*LOCAL)


@pytest.mark.slow
def test_a_run_that_fails_stops_no_other_and_its_reason_is_shown(study):
    study.run("mlp").parent.mkdir(parents=True)
    study.run("mlp").write_text("a file in its place")
    process = study.start(*LOCAL, "--until", "run", "--retries", "0")
    process.communicate(timeout=600)
    assert process.returncode == 1
    # removed, it is no failure
    shutil.rmtree(study.run("baseline"))
    status = study._start(sys.executable, "-m", "siamese_utils", "status", "--profile", TINY)
    assert re.findall(r"failed: \S+", _ended_well(status)) == ["failed: error:"]


@ON_SLURM
@pytest.mark.slow
def test_slurm_makes_what_the_commands_make_by_hand(cluster, long_study, sequential):
    long_study.make(*SLURM, "--until", "run")
    check_equal(long_study, sequential)


@ON_SLURM
@pytest.mark.slow
@pytest.mark.parametrize("how", [["--signal=KILL", "--full"], ["--signal=TERM", "--full"]])
def test_a_job_that_is_killed_is_tried_again_and_goes_on(how, cluster, long_study, sequential):
    process = long_study.start(*SLURM, "--until", "run")
    before, job = half_way(long_study, "baseline")
    cluster.command("scancel", *how, job)
    assert "Trying to restart job" in _ended_well(process)
    check_went_on(long_study, "baseline", before)
    check_equal(long_study, sequential)


@ON_SLURM
@pytest.mark.slow
def test_a_node_that_is_lost_costs_one_check_at_most(cluster, long_study, sequential):
    process = long_study.start(*SLURM, "--until", "run")
    before, job = half_way(long_study, "baseline")
    (node,) = (node for number, _, node in cluster.jobs() if number == job)
    cluster.lose_node(node)
    _ended_well(process)
    cluster.raise_node(node)
    check_went_on(long_study, "baseline", before)
    check_equal(long_study, sequential)


@ON_SLURM
@pytest.mark.slow
def test_when_snakemake_is_lost_its_jobs_go_on_and_it_finds_what_they_made(cluster, long_study, sequential):
    process = long_study.start(*SLURM, "--until", "run")
    half_way(long_study, "baseline")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    long_study.make(*SLURM, "--unlock")
    long_study.make(*SLURM, "--until", "run")
    check_equal(long_study, sequential)
