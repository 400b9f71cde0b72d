"""What a run on disk says of itself, and which runs are found; nothing is trained."""

import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest
from run_on_disk import answers, make_run

from siamese_utils.config import load_experiment
from siamese_utils.errors import ResultsError
from siamese_utils.evaluation.accuracy import wilson
from siamese_utils.training.integrity import read_history, record_sums
from siamese_utils.training.provenance import ORIGIN_COLUMNS
from siamese_utils.training.runs import (
    SHIPPED,
    WEIGHTS,
    Run,
    check_iterations,
    find_run,
    find_runs,
    find_so_far,
    open_run,
    partial_folder,
    places_of,
    run_folder,
    run_if_sound,
    tidy,
    under_way_dir,
)

baseline = load_experiment("baseline")


@pytest.fixture
def run(reports, tiny):
    return make_run("baseline", tiny, 0, answers(700), seconds=90.5)


def left_under_way(run):
    """The same run before it was evaluated."""
    partial = run.folder.rename(partial_folder(run.folder))
    for name in ("metrics.json", "answers.npz", "SHA256SUMS"):
        (partial / name).unlink()
    return partial


# ---- what a run says


def test_a_finished_run_says_what_its_files_hold(run):
    assert run.finished
    assert (run.experiment, run.seed, run.image_size, run.seconds) == (baseline, 0, 20, 90.5)
    assert run.run_id == run.folder.name
    assert run.config["profile"]["image_size"] == 20
    assert run.metrics["iterations"] == 4
    assert run.history["iteration"].tolist() == [0, 2, 4]
    assert {name: right.sum() for name, right in run.answers().items()} == {
        f"{protocol}/{split}": 700 for protocol in ("author", "strict") for split in ("train", "val")
    }
    assert all((right.dtype, right.shape) == (bool, (1_000,)) for right in run.answers().values())


def test_a_run_beyond_the_paper_has_a_size_and_a_training_time_of_its_own(tmp_path):
    (tmp_path / "config.json").write_text('{"image_size": 35, "seed": "3", "profile": {"image_size": 28}}')
    (tmp_path / "metrics.json").write_text('{"seconds": 9, "training_seconds": 7}')
    record_sums(tmp_path, "metrics.json")
    run = Run(tmp_path)
    assert (run.image_size, run.seed, run.seconds) == (35, 3, 7.0)


def test_a_run_under_way_says_as_much_as_its_checks_tell(run):
    path = run.folder / "history.csv"
    pd.read_csv(path).assign(commit="0123456", backend="jax", device=["", "CPU", ""]).to_csv(path, index=False)
    partial = left_under_way(run)
    found = Run(partial)
    assert not found.finished
    assert found.run_id == run.run_id
    assert found.metrics == {
        "run_id": run.run_id,
        "iterations": 4,
        "first_batch_loss": 7.0,
        "scores": [],
        "seconds": 4.0,
        "dataset": {"fingerprint": found.config["dataset"]},
        "provenance": {"commit": "0123456", "backend": "jax"},
    }
    assert set(found.metrics["provenance"]) <= set(ORIGIN_COLUMNS)


@pytest.mark.parametrize(
    ("times", "pace"),
    [
        ([0], float("nan")),
        ([0, 10], 0.1),
        # of the last five the median; the first no longer counts
        ([0, 1_000, 1_010, 1_020, 1_030, 1_050, 1_070], 0.1),
        ([0, 1_000, 2_000, 3_000, 3_010, 3_020], 10.0),
    ],
)
def test_the_pace_is_the_median_of_the_last_five_checks(times, pace, tmp_path):
    checks = pd.DataFrame({"iteration": np.arange(len(times)) * 100, "seconds": times})
    checks.assign(batch_loss=1.0, val_accuracy=0.5).to_csv(tmp_path / "history.csv", index=False)
    assert Run(tmp_path).pace == pytest.approx(pace, nan_ok=True)


def test_the_places_of_checks_are_read_as_words(tmp_path):
    lines = "iteration,batch_loss,val_accuracy,commit\n0,7,0.1,0123456789\n2,6,0.1,\n"
    (tmp_path / "history.csv").write_text(lines)
    assert Run(tmp_path).history["commit"].tolist()[0] == "0123456789"


@pytest.mark.parametrize("left_out", ["iteration", "batch_loss", "val_accuracy"])
def test_a_history_without_what_every_history_has_cannot_be_read(left_out, tmp_path):
    columns = [name for name in ("iteration", "batch_loss", "val_accuracy") if name != left_out]
    (tmp_path / "history.csv").write_text(",".join(columns) + "\n1,2\n")
    with pytest.raises(ResultsError, match=r"\(history\.csv: columns are missing\)"):
        _ = Run(tmp_path).history


def test_a_history_of_steps_has_their_loss(tmp_path):
    (tmp_path / "history.csv").write_text("step,loss\n100,0.5\n")
    assert Run(tmp_path).history["loss"].tolist() == [0.5]


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00"])
def test_a_history_that_cannot_be_read_is_a_clear_error(content, tmp_path):
    if content is not None:
        (tmp_path / "history.csv").write_bytes(content)
    with pytest.raises(ResultsError, match=rf"run {tmp_path.name} cannot be read \(history\.csv: .*restore the file"):
        _ = Run(tmp_path).history


@pytest.mark.parametrize(("name", "read"), [("config.json", "config"), ("metrics.json", "metrics")])
def test_files_of_json_that_cannot_be_read_are_a_clear_error(name, read, tmp_path):
    (tmp_path / name).write_text("{")
    record_sums(tmp_path, name)
    with pytest.raises(ResultsError, match=rf"run {tmp_path.name} cannot be read \({name}: "):
        getattr(Run(tmp_path), read)
    (tmp_path / name).write_text('{"seed": 3, "place": "Größe"}', encoding="utf-8")
    assert getattr(Run(tmp_path), read) == {"seed": 3, "place": "Größe"}


def test_answers_are_as_many_as_there_are_episodes(reports, tiny):
    run = make_run("baseline", tiny.model_copy(update={"episodes": 997}), 0, answers(700, 997))
    assert {right.shape for right in run.answers().values()} == {(997,)}


def test_answers_that_cannot_be_read_are_a_clear_error(run):
    (run.folder / "answers.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(ResultsError, match=r"answers\.npz: "):
        run.answers()
    np.savez(run.folder / "answers.npz", **{"author/val": np.array([None])})
    with pytest.raises(ResultsError, match="allow_pickle"):
        run.answers()


def test_a_score_is_of_its_protocol_split_and_ways(run):
    kinds = [
        ("author", "train", 20),
        ("author", "val", 5),
        ("strict", "val", 20),
        ("author", "val", 20),
        ("kind", "", 20),
    ]
    scores = [
        {"protocol": protocol, "ways": ways, **({"split": split} if split else {}), **wilson(right, 1_000).as_dict()}
        for right, (protocol, split, ways) in enumerate(kinds)
    ]
    (run.folder / "metrics.json").write_text(json.dumps({"scores": scores}))
    fresh = Run(run.folder)
    assert fresh.score() == wilson(3, 1_000)
    assert fresh.score("strict") == fresh.score(protocol="strict", split="val", n_way=20) == wilson(2, 1_000)
    assert fresh.score(split="train") == wilson(0, 1_000)
    assert fresh.score(n_way=5) == wilson(1, 1_000)
    assert fresh.score("kind") == wilson(4, 1_000), "without a split it is of val"
    with pytest.raises(ResultsError, match="has no 5-way accuracy on train, strict protocol"):
        fresh.score("strict", "train", 5)


# ---- its weights


def test_weights_are_those_trained_here_before_those_shipped(run):
    assert run.weights is None
    for name in (SHIPPED, WEIGHTS):
        (run.folder / name).write_bytes(b"weights")
        assert run.weights == run.folder / name
        with pytest.raises(ResultsError, match=rf"{name} is not the file that was recorded for run {run.run_id}"):
            run.checked_weights()
        record_sums(run.folder, name)
        assert run.checked_weights() == run.folder / name


def test_the_weights_of_a_run_under_way_are_its_newest_checkpoint(run):
    partial = left_under_way(run)
    (partial / WEIGHTS).write_bytes(b"not yet")
    found = Run(partial)
    with pytest.raises(ResultsError, match="its results here, but not its weights"):
        found.checked_weights()
    for number, iteration in enumerate((2, 10, 4)):
        path = partial / f"checkpoint-{iteration}.keras"
        path.write_bytes(b"weights")
        os.utime(path, (1_000 + number, 1_000 + number))
        assert found.checked_weights() == path


def test_a_model_is_loaded_safely_compiled_or_not(run, monkeypatch):
    from siamese_utils.backend import keras

    (run.folder / WEIGHTS).write_bytes(b"PK\x03\x04")
    record_sums(run.folder, WEIGHTS)
    with pytest.raises(ResultsError, match=r"cannot be read \(model\.keras: "):
        run.model()
    monkeypatch.setattr(keras.saving, "load_model", lambda path, **options: (path, options))
    assert run.model() == (run.folder / WEIGHTS, {"compile": True, "safe_mode": True})
    assert run.model(compile=False) == (run.folder / WEIGHTS, {"compile": False, "safe_mode": True})


# ---- which runs are found


def test_a_runs_folder_is_named_after_its_experiment_seed_and_key(reports, tiny):
    folder, key = run_folder(baseline, tiny, 3)
    assert folder.parent == reports / "tiny" / "results"
    assert folder.name.startswith("baseline-s3-")
    assert (key["seed"], key["dataset"]) == (3, "synthetic characters, version 1")
    assert partial_folder(folder) == reports / "tiny" / "results" / f"{folder.name}.partial"
    assert under_way_dir(tiny) == reports / "tiny" / "under_way"
    assert check_iterations(baseline, tiny.model_copy(update={"check_every": 3})) == [0, 3, 4]


def test_a_finished_run_is_found_and_another_is_not(run, tiny):
    assert find_run(baseline, tiny, 0) == run_if_sound(run.folder) == open_run(run.folder) == run
    assert find_run(baseline, tiny, 1) is None
    assert find_run(load_experiment("mlp"), tiny, 0) is None
    assert places_of(baseline, tiny, 0) == [run.folder]
    assert find_so_far(baseline, tiny, 0) == run
    assert find_so_far(baseline, tiny, 1) is None


def test_a_run_that_is_not_to_be_believed_is_left_out_where_it_is_looked_for(run, tiny):
    (run.folder / "history.csv").write_text("")
    words = rf"run {run.run_id} is left out \(history\.csv changed since SHA256SUMS was written\): `siamese verify`"
    for look in (find_run, find_so_far):
        with pytest.warns(UserWarning, match=words) as told:
            assert look(baseline, tiny, 0) is None
        assert len(told) == 1
    with pytest.raises(ResultsError, match=rf"run {run.run_id} is not to be believed \(history\.csv changed"):
        open_run(run.folder)


def test_runs_are_found_in_the_matrixs_order_or_in_the_one_asked_for(reports, tiny):
    two = tiny.model_copy(update={"seeds": (1, 0)})
    for name, seed in (("mlp", 0), ("mlp", 1), ("baseline", 0)):
        make_run(name, two, seed, answers(300))
    found = [(run.config["experiment"], run.seed) for run in find_runs(two)]
    assert found == [("baseline", 0), ("mlp", 1), ("mlp", 0)]
    mlp = load_experiment("mlp")
    assert [(run.config["experiment"], run.seed) for run in find_runs(two, [mlp, baseline])] == [
        ("mlp", 1), ("mlp", 0), ("baseline", 0),
    ]  # fmt: skip
    assert find_runs(two, []) == []


def test_a_run_under_way_is_found_here_before_one_from_elsewhere(run, tiny):
    elsewhere = under_way_dir(tiny) / run.run_id
    partial = left_under_way(run)
    shutil.copytree(partial, elsewhere)
    assert places_of(baseline, tiny, 0) == [partial, elsewhere]
    assert find_so_far(baseline, tiny, 0) == Run(partial)
    (partial / "config.json").write_text("{}")
    with pytest.warns(UserWarning, match=rf"run {run.run_id}\.partial is left out \(damaged"):
        assert find_so_far(baseline, tiny, 0) == Run(elsewhere)
    (partial / "history.csv").unlink()
    assert find_so_far(baseline, tiny, 0) == Run(elsewhere)


def test_every_final_accuracy_is_a_line(reports, tiny):
    table = tidy([make_run("baseline", tiny, 0, answers(700)), make_run("mlp", tiny, 3, answers(300))])
    assert list(table) == [
        "run_id", "experiment", "seed", "protocol", "split", "ways", "accuracy", "low", "high", "correct", "episodes",
    ]  # fmt: skip
    assert len(table) == 2 * 8
    last = table.iloc[-1].to_dict()
    assert last == {
        "run_id": run_folder(load_experiment("mlp"), tiny, 3)[0].name,
        "experiment": "mlp",
        "seed": 3,
        "protocol": "strict",
        "split": "val",
        "ways": 20,
        **wilson(300, 1_000).as_dict(),
    }
    assert list(tidy([])) == list(table)


def test_the_lines_of_a_history_are_words(tmp_path):
    (tmp_path / "history.csv").write_bytes('iteration,device\r\n0,"Größe, 2"\r\n'.encode())
    assert read_history(tmp_path) == [{"iteration": "0", "device": "Größe, 2"}]
