"""Runs under way are evidence: they are shown as far as they have come, and nothing is trained for it."""

import os
import re
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
import yaml
from conftest import ROOT, TINY
from run_on_disk import cut_committed_run
from typer.testing import CliRunner

from siamese_utils.cli import app as cli
from siamese_utils.config import load_experiment
from siamese_utils.evidence.board import Board
from siamese_utils.report import batch, origin, study, table1
from siamese_utils.training import loop as training
from siamese_utils.training.integrity import find_problem_under_way
from siamese_utils.training.runs import find_so_far


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A reports folder where the baseline is at iteration 2 of 4, and nothing else has run."""
    folder = tmp_path_factory.mktemp("reports")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIAMESE_REPORTS_DIR", str(folder))
        training.load_or_train("baseline", str(TINY), 0, until=2)
    return folder


@pytest.fixture
def half_way(trained, tiny, monkeypatch):
    monkeypatch.setenv("SIAMESE_REPORTS_DIR", str(trained))
    return tiny


@pytest.fixture
def no_training(monkeypatch):
    """What `--no-training` sets; whoever trains all the same fails the test."""
    monkeypatch.setenv("SIAMESE_NO_TRAINING", "1")
    for name in ("_train_checks", "_evaluate_and_keep"):
        monkeypatch.setattr(training, name, lambda *_, **__: pytest.fail("trained"))


def test_a_section_shows_what_is_there(half_way, no_training, capsys):
    opened = study.open_study("embedding", half_way)
    (run,) = opened.run_missing()
    said = capsys.readouterr().out
    assert (run.finished, run.metrics["iterations"]) == (False, 2)
    assert origin.origin(opened.profile, [run]).count("1 run under way") == 1
    # what is shown outside Jupyter
    assert "HTML" in said


def test_the_words_count_what_is_finished_and_what_is_under_way(half_way):
    run = find_so_far(load_experiment("baseline"), half_way, 0)
    assert origin.so_far_words([run], 7) == (
        "Nothing is trained for this page. Of 7 runs, 0 finished, 1 under way: Baseline (seed 0) at iteration 2."
    )
    assert origin.so_far_words([], 7).endswith("0 finished.")


def test_a_run_under_way_gives_its_model_as_far_as_it_is_trained(half_way, no_training):
    opened = study.open_study("baseline", half_way)
    model, words = opened.trained_model()
    assert words == "Baseline, trained for 2 iterations"
    assert int(model.optimizer.iterations) == 3
    _, words = opened.trained_model("dense-512")
    assert words.startswith("Dense - 512, untrained: no weights are here")


def test_table_1_says_how_far_a_row_has_come(half_way):
    line = Board(half_way).rows.set_index("experiment").loc["baseline"]
    assert (line["seeds"], line["verdict"], line["under_way"].in_words) == (0, "under way", "iteration 2 of 4")
    assert line["under_way"].run_id.startswith("baseline-s0-")
    assert line["under_way"].origin.convolutions == "float32"
    html = table1.table1_html(Board(half_way))
    assert "iteration 2 of 4" in html
    assert ", convolutions in float32, commit " in html
    assert html.count('class="not-run"') == len(Board(half_way).rows) - 1


def test_at_the_full_protocol_a_row_stands_beside_the_authors_log_at_its_iteration(reports):
    cut_committed_run("baseline-s0-d01608a577", reports, checks=21)
    cut_committed_run("dense-128-s0-f4b1617ac7", reports, checks=21)
    rows = Board.of("paper").rows.set_index("experiment")
    assert set(rows["seeds"]) == {0}
    baseline = rows.loc["baseline"]
    assert baseline["under_way"].in_words.startswith("iteration 2,000 of 5,000; the author’s log there ")
    ours = baseline["under_way"].standing.ours
    assert table1.accuracy_words(baseline) == f"{ours.in_words} at iteration 2,000"
    assert "log there" not in rows.loc["dense-128", "under_way"].in_words, "another network than was logged"


def test_status_tells_iteration_accuracy_pace_and_time_left(half_way):
    said = CliRunner().invoke(cli.app, ["status", "-p", str(TINY)], env={"COLUMNS": "200"}).output
    (line,) = (line for line in said.splitlines() if line.startswith(" baseline "))
    cells = re.split(r"  +", line.strip())
    assert cells[:4] == ["baseline", "0", "under way", "2/4"]
    assert cells[4].endswith("%")
    assert float(cells[5]) > 0
    assert cells[6].endswith("s")


def test_status_tells_of_seeds_that_are_not_the_profiles(half_way):
    training.load_or_train("mlp", half_way, 23, until=1)
    said = CliRunner().invoke(cli.app, ["status", "-p", str(TINY)], env={"COLUMNS": "200"}).output
    rows = [re.split(r"  +", line.strip())[:3] for line in said.splitlines()]
    assert [row for row in rows if row[0] == "mlp"] == [
        *(["mlp", str(seed), "not run"] for seed in half_way.seeds),
        ["mlp", "23", "under way"],
    ]


def test_a_batch_without_training_says_so_to_its_kernels_alone(reports, tmp_path, monkeypatch):
    seen = []

    def execute(path, output, parameters, *, timeout=None):
        seen.append((path.stem, os.environ.get("SIAMESE_NO_TRAINING")))
        return batch.Outcome(path.stem, "ok", 0.0)

    monkeypatch.setattr(batch, "execute_notebook", execute)
    monkeypatch.delenv("SIAMESE_NO_TRAINING", raising=False)
    outcomes = batch.execute_batch(str(TINY), notebooks=["02", "12"], training=False)
    assert [(o.notebook, o.status) for o in outcomes] == [
        ("02_baseline", "ok"),
        ("12_beyond_the_paper", "not run"),
    ]
    batch.execute_batch(str(TINY), notebooks=["02", "12"])
    assert seen == [("02_baseline", "1"), ("02_baseline", None), ("12_beyond_the_paper", None)]
    assert "SIAMESE_NO_TRAINING" not in os.environ


@pytest.mark.parametrize("sent", [[signal.SIGINT], [signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGINT]])
def test_an_interrupted_run_keeps_its_last_check_and_says_so(sent, tmp_path, request):
    profile = yaml.safe_load(TINY.read_text(encoding="utf-8")) | {"iterations": 4000}
    (tmp_path / "long.yaml").write_text(yaml.safe_dump(profile), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "siamese_utils",
        "run",
        "baseline",
        "-p",
        str(tmp_path / "long.yaml"),
    ]
    env = {**os.environ, "SIAMESE_REPORTS_DIR": str(tmp_path)}
    started = subprocess.Popen(
        command,
        cwd=ROOT,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        # a job in the background may ignore it
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    request.addfinalizer(started.kill)
    deadline = time.monotonic() + 300
    while not (found := list(tmp_path.glob("long/results/*.partial/history.csv"))):
        assert time.monotonic() < deadline
        assert started.poll() is None
        time.sleep(0.2)
    for number in sent:
        started.send_signal(number)
        time.sleep(0.02)
    _, said = started.communicate(timeout=120)
    # a later one may come when Python has put its own handlers back, after all is said
    assert started.returncode in {130, *(-number for number in sent[1:])}
    assert b"the same command goes on from there" in b" ".join(said.split())
    assert b"Traceback" not in said
    last = pd.read_csv(found[0])["iteration"].iloc[-1]
    assert (found[0].parent / f"checkpoint-{last}.keras").is_file()
    assert not find_problem_under_way(found[0].parent)
