"""A run's results and its weights: either may be here without the other's leave, and neither is taken for the other."""

import json
import re
import shutil
import sys

import numpy as np
import pytest
from conftest import TINY
from ship_weights import ship

from siamese_utils.beyond import study as beyond_study
from siamese_utils.beyond import training as learning
from siamese_utils.beyond.config import load_method
from siamese_utils.cli import app as cli
from siamese_utils.config import load_profile
from siamese_utils.errors import OutputError, ResultsError
from siamese_utils.evaluation.accuracy import wilson
from siamese_utils.inference.one_shot import OneShot
from siamese_utils.report import study
from siamese_utils.training import loop as training
from siamese_utils.training.integrity import EVIDENCE, SUMS, record_sums
from siamese_utils.training.runs import SHIPPED, WEIGHTS, Run
from siamese_utils.training.store import find_or_make, finish

LEARNER = load_method("loss-prototype").model_copy(
    update={"classes": 5, "images": 3, "steps": 4, "steps_on_synthetic": 4}
)
KINDS = {
    "experiment": (training, lambda **options: training.load_or_train("baseline", TINY, 0, **options)),
    "learner": (learning, lambda **options: learning.load_or_train(LEARNER, TINY, 0, **options)),
}


@pytest.fixture(scope="module", params=KINDS)
def trained(request, tmp_path_factory):
    """The module that trains, a call that loads or trains a small run, and the reports where it is trained."""
    folder = tmp_path_factory.mktemp("trained")
    module, call = KINDS[request.param]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIAMESE_REPORTS_DIR", str(folder))
        call()
    return module, call, folder


@pytest.fixture
def kind(trained, reports, fresh_keras):
    """The same module and call, and the run in reports of the test's own."""
    module, call, folder = trained
    shutil.copytree(folder, reports)
    return module, call, call()


@pytest.fixture
def never(monkeypatch):
    """Whoever trains or tells something fails: options for a call."""
    for module, name in ((training, "_train_checks"), (learning, "_train_and_evaluate")):
        monkeypatch.setattr(module, name, lambda *_: pytest.fail("trained again"))
    return {"notify": lambda words: pytest.fail(words)}


def evidence(run):
    return {name: (run.folder / name).read_bytes() for name in EVIDENCE}


def test_results_without_weights_are_results(kind, never):
    _, call, run = kind
    (run.folder / WEIGHTS).unlink()
    found = call(**never)
    assert (found.folder, found.weights) == (run.folder, None)
    with pytest.raises(ResultsError, match=r"its results here, but not its weights.*results stay"):
        found.model()


def test_weights_that_are_wanted_are_trained_anew_and_the_results_stay(kind):
    _, call, run = kind
    before, weights = evidence(run), run.model().get_weights()
    (run.folder / WEIGHTS).unlink()
    told = []
    found = call(weights=True, notify=told.append)
    assert evidence(found) == before
    for a, b in zip(found.model().get_weights(), weights, strict=True):
        np.testing.assert_array_equal(a, b)
    why, how = told
    assert re.search(rf"not its weights: they are trained anew, which took {run.seconds:.0f} s", why)
    assert re.search(r"trained in \d+ s: their scores are those on record\.$", how)
    left = {path.name for path in run.folder.parent.iterdir()}
    assert left == {run.run_id, f".{run.run_id}.lock"}, "nothing is left over; a lock is never removed"


def test_weights_that_score_otherwise_than_the_record_are_said_to(kind):
    """As on another machine: the record says something else, and goes on saying it."""
    _, _, run = kind
    partial = run.folder.with_name(run.run_id + ".partial")
    shutil.copytree(run.folder, partial)
    (run.folder / WEIGHTS).unlink()
    recorded = json.loads((run.folder / "metrics.json").read_text())
    (author, strict), answers = recorded["scores"][:2], dict(np.load(run.folder / "answers.npz"))
    for score, right in ((author, 250), (strict, 125)):
        name = f"{score['protocol']}/{score['split']}" if "split" in score else score["protocol"]
        score |= wilson(right, 1000).as_dict()
        answers[name] = np.packbits(np.arange(1000) < right)
    (run.folder / "metrics.json").write_text(json.dumps(recorded))
    np.savez(run.folder / "answers.npz", **answers)
    record_sums(run.folder, *EVIDENCE)
    there = json.loads((partial / "metrics.json").read_text())["scores"]
    most = max(abs(a["accuracy"] - b["accuracy"]) for a, b in zip(recorded["scores"], there, strict=True))
    before, weights = evidence(run), (partial / WEIGHTS).read_bytes()
    # without `tell`
    with pytest.warns(UserWarning, match="trained") as warned:
        found = find_or_make(run.folder, lambda: partial, weights=True)
    assert evidence(found) == before
    assert found.weights.read_bytes() == weights
    assert not partial.exists()
    count = len(recorded["scores"])
    words = f"2 of {count} scores differ from those on record, by {100 * most:.2f} points at most; machines round"
    assert words in str(warned[1].message)


def test_what_a_kill_left_beside_a_run_with_its_weights_is_removed_when_they_are_wanted(kind, never):
    _, call, run = kind
    partial = run.folder.with_name(run.run_id + ".partial")
    partial.mkdir()
    (partial / "history.csv").write_text("half")
    call(**never)
    # it may be another's, who trains the weights anew
    assert partial.exists()
    assert call(weights=True, **never).weights == run.weights
    assert not partial.exists()


@pytest.mark.parametrize("ending", ["", ".partial"])
def test_a_file_in_the_place_of_a_runs_folder_is_said_before_any_training(ending, kind, never):
    _, call, run = kind
    shutil.rmtree(run.folder)
    place = run.folder.with_name(run.run_id + ending)
    place.write_text("mine")
    with pytest.raises(OutputError, match="is a file in the place of a run's folder: move it elsewhere"):
        call(**never)
    assert place.read_text() == "mine"


def test_of_two_writers_the_first_wins(kind):
    _, _, run = kind
    partial = run.folder.with_name(run.run_id + ".partial")
    shutil.copytree(run.folder, partial)
    (partial / WEIGHTS).write_bytes(b"another's")
    before, weights = evidence(run), run.weights.read_bytes()
    assert evidence(finish(partial, run.folder)) == before
    assert run.weights.read_bytes() == weights
    assert not partial.exists()


def test_shipped_weights_are_weights(kind, never):
    _, call, run = kind
    whole = run.model()
    path = ship(run)
    assert path.stat().st_size < (run.folder / WEIGHTS).stat().st_size
    assert sorted(item.name for item in run.folder.iterdir()) == sorted([*EVIDENCE, SUMS, WEIGHTS, SHIPPED])
    (run.folder / WEIGHTS).unlink()
    found = call(weights=True, **never)
    assert found.weights == path
    half = found.model()
    assert getattr(half, "optimizer", None) is None
    for a, b in zip(whole.get_weights(), half.get_weights(), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a.astype(np.float16).astype(a.dtype) if a.dtype == np.float32 else a, b)
    size = whole.input_shape[0][1]
    images = np.random.default_rng(0).integers(0, 256, (6, size, size, 1)).astype(np.uint8)
    one, other = (model.predict([images, images[::-1]], verbose=0) for model in (whole, half))
    np.testing.assert_allclose(one, other, rtol=0.01, atol=0.01)


def test_weights_without_any_training_cannot_be_shipped(kind):
    _, _, run = kind
    (run.folder / WEIGHTS).unlink()
    with pytest.raises(ResultsError, match="not its weights"):
        ship(run)
    assert sorted(item.name for item in run.folder.iterdir()) == sorted([*EVIDENCE, SUMS])


@pytest.mark.parametrize("trained", ["experiment"], indirect=True)
def test_a_notebook_has_a_trained_network_where_the_disk_has_results_alone(kind, monkeypatch):
    _, _, run = kind
    lines = []
    monkeypatch.setattr(study, "display", lambda content, **_: lines.append(getattr(content, "data", "")))
    opened = study.open_study("baseline", TINY, [], ["baseline"])
    before, weights = evidence(run), run.model().get_weights()
    (run.folder / WEIGHTS).unlink()
    model, words = opened.trained_model()
    assert words == "Baseline, trained for 4 iterations"
    assert any("but not its weights" in line for line in lines)
    assert evidence(run) == before
    monkeypatch.setattr(training, "_train_checks", lambda *_: pytest.fail("trained again"))
    loaded, _ = opened.trained_model()
    for a, b, c in zip(weights, model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)


def test_the_notebook_beyond_the_paper_too(reports, monkeypatch, fresh_keras):
    lines = []
    monkeypatch.setattr(study, "display", lambda content, **_: lines.append(getattr(content, "data", "")))
    monkeypatch.setattr(beyond_study, "load_method", lambda _: LEARNER)
    opened = study.open_study("baseline", TINY)
    _, run = beyond_study.trained(opened, LEARNER.name)
    assert run.config["held_out"] == "evaluation"
    before = evidence(run)
    (run.folder / WEIGHTS).unlink()
    beyond_study.trained(opened, LEARNER.name)
    assert any("but not its weights" in line for line in lines)
    assert evidence(run) == before
    assert run.weights
    monkeypatch.setenv("SIAMESE_NO_TRAINING", "1")
    model, none = beyond_study.trained(opened, LEARNER.name, held_out="validation")
    assert none is None
    assert model.output_shape == (None, 1)
    assert "untrained" in lines[-1]


# --- the command line ---------------------------------------------------------------------------------


def call(capsys, monkeypatch, *arguments):
    """`siamese …` in this process → its exit code and what it said."""
    monkeypatch.setattr(sys, "argv", ["siamese", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr()
    return ended.value.code, " ".join((said.out + said.err).split())


@pytest.mark.parametrize("trained", ["learner"], indirect=True)
def test_learn_says_where_the_model_is_or_makes_it(kind, capsys, monkeypatch, tmp_path):
    _, _, run = kind
    monkeypatch.setattr(learning, "load_method", lambda _: LEARNER)
    learn = ("learn", "loss-prototype", "-p", TINY)
    code, said = call(capsys, monkeypatch, *learn)
    assert (code, said.rpartition("model: ")[2]) == (0, str(run.folder / WEIGHTS))
    before = evidence(run)
    (run.folder / WEIGHTS).unlink()
    code, said = call(capsys, monkeypatch, *learn)
    assert code == 0
    assert said.rpartition("model: ")[2].startswith("not kept with these results; -o FILE trains it again")
    assert run.weights is None
    code, said = call(capsys, monkeypatch, *learn, "-o", run.folder / "copy.keras")
    assert (code, "lies in a run's folder" in said, "trained anew" in said) == (2, True, False)
    code, said = call(capsys, monkeypatch, *learn, "-o", tmp_path / "model.keras")
    assert code == 0
    assert "its results here, but not its weights: they are trained anew" in said
    assert "their scores are those on record" in said
    assert "delete" not in said
    assert OneShot.load(tmp_path / "model.keras").size == load_profile(TINY).image_size
    assert evidence(run) == before


@pytest.mark.parametrize("trained", ["experiment"], indirect=True)
def test_a_damaged_record_is_not_to_be_deleted(kind):
    _, _, run = kind
    (run.folder / "metrics.json").write_text("{")
    with pytest.raises(ResultsError, match=r"metrics\.json.*: restore the file, or move the folder") as raised:
        _ = Run(run.folder).metrics
    assert "delete" not in str(raised.value)
