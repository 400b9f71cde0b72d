"""A run whose parts do not agree is named, left out of every table, and never loaded or gone on from."""

import json
import shutil
import sys

import numpy as np
import pytest
from conftest import TINY
from run_on_disk import answers, make_run

from siamese_utils.cli import app as cli
from siamese_utils.config import load_experiment
from siamese_utils.errors import ResultsError
from siamese_utils.evaluation.accuracy import wilson
from siamese_utils.evidence.board import Board
from siamese_utils.training import loop as training
from siamese_utils.training.integrity import EVIDENCE, find_problem, record_sums
from siamese_utils.training.runs import find_run, find_runs
from siamese_utils.training.verify import compare_anew, survey

baseline = load_experiment("baseline")


@pytest.fixture
def run(reports, tiny):
    """A made-up run that is to be believed."""
    made = make_run("baseline", tiny, 0, answers(700))
    assert find_problem(made.folder) == ""
    return made


def changed(name, change):
    """A change to one file of a run: `change` takes its text, or its content where it is JSON."""

    def apply(folder):
        path = folder / name
        text = path.read_text()
        if name.endswith(".json"):
            content = json.loads(text)
            change(content)
            path.write_text(json.dumps(content))
        else:
            path.write_text(change(text))

    return apply


def other_answers(folder):
    with np.load(folder / "answers.npz") as packed:
        others = {name: bits[::-1] ^ 1 for name, bits in packed.items()}
    np.savez(folder / "answers.npz", **others)


def rescored(split, n_way, right):
    def change(metrics):
        for score in metrics["scores"]:
            if (score["split"], score["ways"]) == (split, n_way):
                score |= wilson(right, 1000).as_dict()

    return change


CHANGES = {
    "accuracy": changed("metrics.json", lambda m: m["scores"][0].update(accuracy=0.9)),
    "interval": changed("metrics.json", lambda m: m["scores"][0].update(high=0.9)),
    "counts": changed("metrics.json", lambda m: m["scores"][0].update(correct=1001)),
    "scores that the answers do not bear out": changed("metrics.json", rescored("val", 20, 800)),
    "a score twice": changed("metrics.json", lambda m: m["scores"].append(m["scores"][0])),
    "a score less": changed("metrics.json", lambda m: m["scores"].pop()),
    "schema version": changed("metrics.json", lambda m: m.update(schema_version=2)),
    "run id": changed("metrics.json", lambda m: m.update(run_id="mlp-s0-0123456789")),
    "seed": changed("metrics.json", lambda m: m.update(seed=1)),
    "experiment": changed("metrics.json", lambda m: m.update(experiment="mlp")),
    "dataset": changed("metrics.json", lambda m: m["dataset"].update(synthetic=False, fingerprint="another")),
    "episodes": changed("metrics.json", lambda m: m.update(episodes=999)),
    "iterations": changed("metrics.json", lambda m: m.update(iterations=5000)),
    "first loss": changed("metrics.json", lambda m: m.update(first_batch_loss=4.54)),
    "no metrics at all": changed("metrics.json", lambda m: m.clear()),
    "a list": lambda folder: (folder / "metrics.json").write_text("[1, 2]"),
    "no JSON": lambda folder: (folder / "metrics.json").write_text('{"scores":'),
    "config of another seed": changed("config.json", lambda c: c.update(seed=1)),
    "config of another recipe": changed("config.json", lambda c: c["recipe"].update(dropout=0.0)),
    "a check less": changed("history.csv", lambda text: text.rpartition("\n4,")[0] + "\n"),
    "a check twice": changed("history.csv", lambda text: text + text.splitlines()[-1] + "\n"),
    "a check's accuracy": changed("history.csv", lambda text: text.replace(",0.1,", ",0.15,")),
    "half a line": changed("history.csv", lambda text: text[:-20]),
    "no text": lambda folder: (folder / "history.csv").write_bytes(b"\xff\xfe\x00"),
    "answers of another run": other_answers,
    "no archive": lambda folder: (folder / "answers.npz").write_bytes(b"PK\x03\x04"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("resealed", [False, True], ids=["sums as they were", "sums of the changed files"])
def test_what_does_not_agree_is_left_out_and_named(change, resealed, run, tiny):
    make_run("mlp", tiny, 0, answers(300))
    CHANGES[change](run.folder)
    if resealed:
        record_sums(run.folder, *EVIDENCE)
    with pytest.warns(UserWarning, match=f"run {run.run_id} is left out"):
        assert find_run(baseline, tiny, 0) is None
    with pytest.warns(UserWarning, match="left out"):
        assert [found.config["experiment"] for found in find_runs(tiny)] == ["mlp"]
    with pytest.warns(UserWarning, match="left out"):
        rows = Board(tiny).rows.set_index("experiment")
    assert rows["seeds"].to_dict() == {**dict.fromkeys(rows.index, 0), "mlp": 1}
    with pytest.raises(ResultsError, match=f"run {run.run_id} is not to be believed .* move it elsewhere"):
        training.load_or_train(baseline, tiny)
    found = survey(run.folder.parents[1])
    assert {finding.folder.name for finding in found if finding.problem} == {run.run_id}


def test_checksums_that_are_no_text_are_named(run):
    (run.folder / "SHA256SUMS").write_bytes(b"\xff" + (run.folder / "SHA256SUMS").read_bytes())
    (run.folder / "model.keras").write_bytes(b"")
    assert [finding.problem for finding in survey(run.folder.parents[1])] == [find_problem(run.folder)]
    assert "changed since SHA256SUMS was written" in find_problem(run.folder)


@pytest.mark.parametrize("name", [*EVIDENCE, "SHA256SUMS"])
def test_a_file_less_is_named(name, run):
    (run.folder / name).unlink()
    assert find_problem(run.folder) == f"without {name}"


def test_any_flipped_bit_is_found(run):
    rng = np.random.default_rng(0)
    for name in EVIDENCE:
        whole = (run.folder / name).read_bytes()
        for place in rng.integers(0, 8 * len(whole), 25):
            broken = bytearray(whole)
            broken[place // 8] ^= 1 << (place % 8)
            (run.folder / name).write_bytes(broken)
            assert name in find_problem(run.folder)
        (run.folder / name).write_bytes(whole)
    assert find_problem(run.folder) == ""


def test_a_folder_under_another_runs_name_is_not_that_run(run, tiny):
    other = make_run("mlp", tiny, 0, answers(300))
    shutil.rmtree(other.folder)
    shutil.copytree(run.folder, other.folder)
    assert "the folder's name is not that of its config.json" in find_problem(other.folder)
    shutil.copyfile(run.folder / "answers.npz", other.folder / "answers.npz")
    with pytest.warns(UserWarning, match="left out"):
        assert find_run(load_experiment("mlp"), tiny, 0) is None


# ---- weights, and runs under way -----------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory, request):
    """A reports folder with one finished run, and one with a run of two checks, trained once."""
    folders = [tmp_path_factory.mktemp("reports") for _ in range(2)]
    for folder, until in zip(folders, (None, 2), strict=True):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SIAMESE_REPORTS_DIR", str(folder))
            training.load_or_train("baseline", TINY, until=until)
    return folders


@pytest.fixture
def whole(trained, reports):
    shutil.copytree(trained[0], reports)
    return next(path for path in reports.glob("tiny/results/*") if path.is_dir())


@pytest.fixture
def partial(trained, reports):
    shutil.copytree(trained[1], reports)
    return next(reports.glob("tiny/results/*.partial"))


def test_weights_that_are_not_those_on_record_are_never_loaded(whole, tiny):
    found = find_run(baseline, tiny, 0)
    content = bytearray(found.weights.read_bytes())
    content[len(content) // 2] ^= 1
    found.weights.write_bytes(content)
    with pytest.raises(ResultsError, match=r"model\.keras is not the file that was recorded"):
        found.model()
    (finding,) = survey(whole.parents[1])
    assert finding.problem == "model.keras not the one on record"


def test_a_damaged_checkpoint_costs_one_check(partial, tiny, fresh_keras):
    (partial / "checkpoint-2.keras").write_bytes((partial / "checkpoint-2.keras").read_bytes()[:2000])
    told, seen = [], []
    run = training.load_or_train(baseline, tiny, notify=told.append, on_progress=lambda p: seen.append(p.step))
    assert seen == [2, 4]
    assert told == [f"run {partial.name}: its last check was not kept whole; it goes on from iteration 0."]
    assert find_problem(run.folder) == ""


DAMAGES = {
    "both checkpoints": lambda p: [path.write_bytes(b"") for path in p.glob("*.keras")],
    "a checkpoint of another seed": lambda p: [
        shutil.copyfile(p / "checkpoint-0.keras", p / "checkpoint-2.keras"),
        (p / "checkpoint-0.keras").write_bytes(b""),
    ],
    "an edited history": changed("history.csv", lambda text: text.replace("\n0,", "\n0,9", 1)),
    "a history's accuracies": changed("history.csv", lambda text: text.replace(",tensorflow,", ",jax,", 1)),
    "another run's config": changed("config.json", lambda c: c.update(seed=7)),
    "a record of nothing": lambda p: (p / "checkpoints.json").write_text("[]"),
    "half a record": lambda p: (p / "checkpoints.json").write_text("[{"),
    "no history": lambda p: (p / "history.csv").unlink(),
    "a history that is a folder": lambda p: ((p / "history.csv").unlink(), (p / "history.csv").mkdir()),
    "a record that is a folder": lambda p: ((p / "checkpoints.json").unlink(), (p / "checkpoints.json").mkdir()),
    "a record of another shape": lambda p: (p / "checkpoints.json").write_text('{"iteration": 2}'),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_nothing_goes_on_from_what_was_changed_and_nothing_is_removed(damage, partial, tiny):
    DAMAGES[damage](partial)
    before = {path.name: path.is_file() and path.read_bytes() for path in partial.iterdir()}
    with pytest.raises(ResultsError, match=r"cannot go on .* move it elsewhere"):
        training.load_or_train(baseline, tiny)
    assert {path.name: path.is_file() and path.read_bytes() for path in partial.iterdir()} == before


def test_a_complete_run_that_lacks_its_name_gets_it(whole, tiny, monkeypatch):
    partial = whole.rename(whole.with_name(whole.name + ".partial"))
    monkeypatch.setattr(training, "_train_checks", lambda *_: pytest.fail("trained twice"))
    run = training.load_or_train(baseline, tiny)
    assert run.folder == whole
    assert not partial.exists()


def test_a_run_trained_anew_agrees_with_its_record_or_is_said_not_to(whole, tiny, tmp_path, monkeypatch, fresh_keras):
    recorded = find_run(baseline, tiny, 0)
    monkeypatch.setenv("SIAMESE_REPORTS_DIR", str(tmp_path / "anew"))
    anew = training.load_or_train(baseline, tiny)
    found = compare_anew(recorded, anew)
    assert found.agrees
    assert found.words.startswith("same machine: scores 0.00 points apart at most")
    recorded.metrics["scores"][0]["accuracy"] += 0.01
    assert not compare_anew(recorded, anew).agrees
    recorded.metrics["provenance"]["processor"] = "another"
    assert compare_anew(recorded, anew).agrees
    recorded.history["batch_loss"] *= 1.01
    assert not compare_anew(recorded, anew).agrees


def test_verify_trains_a_run_anew_beside_its_record(whole, capsys, monkeypatch, fresh_keras):
    before = {path.name: path.read_bytes() for path in whole.iterdir()}
    monkeypatch.setattr(sys, "argv", ["siamese", "verify", "-p", str(TINY), "--retrain", "5"])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr().out
    assert not ended.value.code
    assert "1 finished run and 0 under way agree with their records" in said
    assert f"{whole.name} │ agrees" in said
    assert {path.name: path.read_bytes() for path in whole.iterdir()} == before


def test_verify_names_what_does_not_agree_and_trains_none_of_it(whole, capsys, monkeypatch):
    (whole / "history.csv").write_text("")
    monkeypatch.setattr(sys, "argv", ["siamese", "verify", "-p", str(TINY), "--retrain", "1"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr()
    assert ended.value.code == 1
    assert said.err.strip() == f"{whole.name}: history.csv changed since SHA256SUMS was written"
    assert said.out.startswith("0 finished runs")
