"""How runs stand, as others than those who train them see it."""

import json
import os
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from math import isnan

import pytest
from conftest import TINY
from typer.testing import CliRunner

import siamese_utils.training.loop as training
from siamese_utils.cli import app as cli
from siamese_utils.config import load_experiment
from siamese_utils.process import Process
from siamese_utils.training import state
from siamese_utils.training.runs import partial_folder, run_folder, worker_file
from siamese_utils.training.state import log_file, seconds_left, seeds_wanted_or_here, state_of
from siamese_utils.training.store import lock_of


@pytest.fixture
def half_way(reports, tiny, fresh_keras):
    """The tiny profile, with the MLP trained up to iteration 2 of 4."""
    training.load_or_train("mlp", tiny, 0, until=2)
    return tiny


def test_a_run_killed_while_it_was_kept_is_under_way(half_way):
    """Its final accuracies are there, but not yet its weights, and none of them has a checksum."""
    mlp = load_experiment("mlp")
    (partial_folder(run_folder(mlp, half_way, 0)[0]) / "metrics.json").write_text('{"scores": []}')
    found = state_of(mlp, half_way, 0)
    assert (found.word, found.run.metrics["iterations"]) == ("under way", 2)


def put_worker(folder, **changes):
    """Say that this process, or one that differs from it, is training a run."""
    this = Process.this()
    process = {"host": this.host, "pid": this.pid, "begun": this.begun, "job": None, **changes}
    worker_file(folder).parent.mkdir(parents=True, exist_ok=True)
    worker_file(folder).write_text(json.dumps(process))


def put_log(folder, text):
    log_file(folder).parent.mkdir(parents=True, exist_ok=True)
    log_file(folder).write_text(text)


def test_a_training_says_who_is_at_work_and_then_no_longer(reports, tiny, fresh_keras, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    seen = []
    mlp = load_experiment("mlp")
    training.load_or_train(mlp, tiny, 0, on_progress=lambda _: seen.append(str(state_of(mlp, tiny, 0))))
    assert set(seen) == {f"running on {platform.node()}, job 4711"}
    assert str(state_of(mlp, tiny, 0)) == "finished"
    assert not worker_file(run_folder(mlp, tiny, 0)[0]).exists()


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({}, "running"),
        # another process with its number
        ({"begun": 1.0}, "under way"),
        ({"host": "node7", "pid": 1}, "running"),
        ({"pid": -1}, "under way"),
    ],
)
def test_a_process_is_believed_while_it_lives(changes, word, half_way):
    mlp = load_experiment("mlp")
    put_worker(run_folder(mlp, half_way, 0)[0], **changes)
    assert state_of(mlp, half_way, 0).word == word


def test_a_process_of_another_machine_is_believed_while_it_makes_checks(half_way):
    mlp = load_experiment("mlp")
    folder, _ = run_folder(mlp, half_way, 0)
    put_worker(folder, host="node7")
    long_ago = time.time() - 2 * state.SILENCE
    os.utime(worker_file(folder), (long_ago, long_ago))
    assert state_of(mlp, half_way, 0).word == "running", "its last check is new"
    history = folder.with_name(folder.name + ".partial") / "history.csv"
    os.utime(history, (long_ago, long_ago))
    assert state_of(mlp, half_way, 0).word == "under way"


@pytest.mark.parametrize(
    ("log", "word", "reason"),
    [
        ("training\nerror: no room\n\n", "failed", "error: no room"),
        ("killed by signal 9\n", "failed", "killed by signal 9"),
        ("interrupted: what was trained is kept\n", "not run", ""),
        ("", "not run", ""),
        ("a table\ndone\n", "not run", ""),
        ("x" * 10_000 + "\nerror: ü\n", "failed", "error: ü"),
        (
            "\x1b]0;a title\x07\x1b[2Jerror:\tno\x9b31m \u202eroom\x00\n\x1b\n",
            "failed",
            "]0;a title [2Jerror: no 31m room",
        ),
    ],
)
def test_the_last_line_of_a_log_says_why_a_run_failed(log, word, reason, reports, tiny):
    mlp = load_experiment("mlp")
    put_log(run_folder(mlp, tiny, 0)[0], log)
    found = state_of(mlp, tiny, 0)
    assert (found.word, found.reason) == (word, reason)


@pytest.mark.parametrize("name", [log_file, worker_file])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(name, reports, tiny):
    mlp = load_experiment("mlp")
    place = name(run_folder(mlp, tiny, 0)[0])
    place.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(place)
    found = ThreadPoolExecutor(1).submit(state_of, mlp, tiny, 0)
    try:
        assert found.result(timeout=20).word == "not run"
    finally:
        # whoever waits for it goes on
        os.close(os.open(place, os.O_RDWR))


def test_what_a_process_calls_its_machine_gives_a_terminal_no_orders(half_way):
    put_worker(run_folder(load_experiment("mlp"), half_way, 0)[0], host="\x1b[2Jno\nde7", job="\x9b1m")
    assert str(state_of(load_experiment("mlp"), half_way, 0)) == "running on [2Jno de7, job 1m"


def test_who_took_a_run_over_is_left_on_record(reports, tiny):
    folder, _ = run_folder(load_experiment("mlp"), tiny, 0)
    with lock_of(folder):
        put_worker(folder, host="node7")
    assert json.loads(worker_file(folder).read_text())["host"] == "node7"


def test_a_folder_named_after_a_seed_that_no_run_can_have_is_passed_over(half_way):
    folder = run_folder(load_experiment("mlp"), half_way, 0)[0]
    folder.with_name("mlp-s4294967296-0123456789.partial").mkdir()
    assert seeds_wanted_or_here(load_experiment("mlp"), half_way) == [0]


def test_a_run_of_another_seed_is_seen_from_its_log_on(reports, tiny):
    mlp = load_experiment("mlp")
    assert seeds_wanted_or_here(mlp, tiny) == [0]
    put_log(run_folder(mlp, tiny, 7)[0], "error: no room\n")
    assert seeds_wanted_or_here(mlp, tiny) == [0, 7]


def test_a_log_says_nothing_of_a_run_that_is_at_work_or_finished(half_way):
    mlp = load_experiment("mlp")
    folder, _ = run_folder(mlp, half_way, 0)
    put_log(folder, "error: of an earlier attempt\n")
    assert state_of(mlp, half_way, 0).word == "failed"
    put_worker(folder)
    assert state_of(mlp, half_way, 0).word == "running"
    training.load_or_train(mlp, half_way, 0)
    assert state_of(mlp, half_way, 0).word == "finished"


def test_status_shows_where_a_run_is_trained_and_why_one_failed(half_way, wide):
    put_worker(run_folder(load_experiment("mlp"), half_way, 0)[0], host="node7", job="4711")
    put_log(run_folder(load_experiment("baseline"), half_way, 0)[0], "error: [no] room\n")
    said = CliRunner().invoke(cli.app, ["status", "-p", str(TINY)])
    lines = {line.split()[0]: " ".join(line.split()[2:]) for line in said.output.splitlines() if line.split()}
    assert lines["mlp"].startswith("running on node7, job 4711 2/4")
    assert lines["baseline"] == "failed"
    assert "failed: error: [no] room" in " ".join(said.output.split())


def test_time_left_goes_by_the_runs_own_pace_its_rows_or_all_in_proportion_to_their_work(half_way):
    names = ("mlp", "dense-512")
    states = [
        (load_experiment(name), seed, state_of(load_experiment(name), half_way, seed))
        for name in names
        for seed in (0, 1)
    ]
    left = list(seconds_left(states, half_way).values())
    pace = states[0][2].run.pace
    assert left[0] == pytest.approx(2 * pace), "iterations 3 and 4"
    assert left[1] == pytest.approx(5 * pace), "updates 0 to 4"
    assert left[2] == left[3] != left[1]
    assert all(isnan(seconds) for seconds in seconds_left(states[2:], half_way).values())
