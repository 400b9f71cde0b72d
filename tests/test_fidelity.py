"""Our first iterations beside the author's: reading his log, joining, drawing; and, slowly, the run itself."""

import json
from types import SimpleNamespace

import pandas as pd
import pytest
from conftest import ROOT

from siamese_utils import fidelity, training
from siamese_utils.errors import DataError
from siamese_utils.params import load_experiment
from siamese_utils.results import find_so_far

AUTHOR = ROOT.parent / "shared" / "paper" / "author_logs.csv"


@pytest.fixture
def log(tmp_path):
    """A made-up log in the form of the author's."""
    path = tmp_path / "log.csv"
    path.write_text(
        "model,iteration,batch_loss,train_accuracy_pct,val_accuracy_pct\n"
        "model_v3,0,7.0,5.6,4.0\nmodel_v3,100,5.0,34.8,32.0\nmodel_v4,0,3.7,6.4,9.6\n"
    )
    return path


@pytest.fixture
def made_up_run(monkeypatch):
    """Three checks without training."""
    monkeypatch.setattr(fidelity, "run_until", lambda *_, **__: None)
    found = SimpleNamespace(history=pd.DataFrame(made_up_history()))
    monkeypatch.setattr(fidelity, "find_so_far", lambda *_: found)


def made_up_history():
    accuracy = {f"{split}_{what}": 0.2 for split in ("train", "val") for what in ("accuracy", "low", "high")}
    return [
        {"iteration": iteration, "batch_loss": 7.1 - iteration / 100, "mean_loss": 7, "learning_rate": 0.05}
        | accuracy
        | {"seconds": 1}
        for iteration in (0, 100, 200)
    ]


def test_the_comparison_leaves_numbers_and_a_figure_with_their_origin(log, reports, made_up_run):
    table, described, figure = fidelity.compare(200, log)
    assert list(pd.read_csv(table)["iteration"]) == [0, 100, 200]
    content = json.loads(described.read_text())
    assert [check["batch_loss_author"] for check in content["checks"]] == [7.0, 5.0, None]
    assert content["seed"] == 0
    assert {"commit", "backend", "device"} <= set(content["provenance"])
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_without_the_authors_log_ours_stands_alone(reports, made_up_run):
    _, described, _ = fidelity.compare(200, None)
    content = json.loads(described.read_text())
    assert content["author_log"] is None
    assert "batch_loss_author" not in content["checks"][0]


def test_a_file_that_is_not_the_log_is_a_clear_error(tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="has no column model"):
        fidelity.read_author_log(path, "model_v3")
    with pytest.raises(DataError, match="cannot be read"):
        fidelity.read_author_log(tmp_path / "none.csv", "model_v3")


def test_the_first_iterations_are_left_to_go_on_from(reports, tiny, fresh_keras):
    """Two checks now, the rest later: the whole run has what the first iterations had."""
    assert training.run_until("baseline", tiny, 0, 2) is None
    first = find_so_far(load_experiment("baseline"), tiny, 0).history
    assert first["iteration"].tolist() == [0, 2]
    run = training.run("baseline", tiny)
    assert run.history["batch_loss"].tolist()[:2] == first["batch_loss"].tolist()
    assert training.run_until("baseline", tiny, 0, 2).run_id == run.run_id


@pytest.mark.slow
@pytest.mark.real_data
def test_the_full_protocol_starts_like_the_authors_run(reports):
    """100 iterations on real Omniglot, some five minutes on two cores."""
    if not AUTHOR.is_file():
        pytest.skip(f"the author's logs are not at {AUTHOR}")
    _, described, _ = fidelity.compare(100, AUTHOR)
    first, second = json.loads(described.read_text())["checks"]
    assert first["batch_loss"] == pytest.approx(first["batch_loss_author"], abs=0.15)
    assert second["batch_loss"] == pytest.approx(second["batch_loss_author"], rel=0.2)
    assert second["val_accuracy_pct"] > 20


def test_agreement_is_counted_from_what_was_kept():
    def check(iteration, ours, his, val, his_val):
        keys = ("iteration", "batch_loss", "batch_loss_author", "val_accuracy_pct", "val_accuracy_pct_author")
        return dict(zip(keys, (iteration, ours, his, val, his_val), strict=True))

    kept = {
        "baseline": {"checks": [check(0, 7.0, 7.06, 5, 4), check(100, 5.5, 5.0, 36, 32)]},
        "mlp": {"checks": [check(0, 59.1, 59.2, 5, 4), check(100, 6.0, 12.0, 60, 20)]},
        "without-batch-norm": {"checks": [check(0, 7.1, None, 5, 4), check(100, 205.0, None, 4, 6.8)]},
        "dense-128": {"checks": [check(0, 4.5, 3.7, 5, 4)]},  # as described: another network than was run
    }
    words = fidelity.agreement(kept)
    assert "2 networks differ from the logs by 0.10 at most, by 0.08 in the middle" in words
    assert "2 later checks, our batch loss is 30 % off the author’s in the middle, and −50 % at most" in words
    assert "(Dense (2048, 1024 and 512))" in words
    assert "2 of 3 later val accuracies" in words
    assert "No check" in fidelity.agreement({"dense-128": kept["dense-128"]})
