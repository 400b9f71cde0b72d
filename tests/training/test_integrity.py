"""A run whose parts do not agree is named, left out of every table, and never loaded or gone on from."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, TINY
from run_on_disk import answers, make_run

from siamese_utils.cli import app as cli
from siamese_utils.config import load_experiment
from siamese_utils.errors import ResultsError
from siamese_utils.evaluation.accuracy import wilson
from siamese_utils.evidence.board import Board
from siamese_utils.training import loop as training
from siamese_utils.training.integrity import (
    EVIDENCE,
    SUMS,
    find_problem,
    find_problem_under_way,
    is_recorded,
    iterations_of_checks,
    read_sums,
    record_sums,
)
from siamese_utils.training.runs import find_run, find_runs, partial_folder, run_folder
from siamese_utils.training.verify import compare_anew, read_retrained, record_retrained, survey

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


def repacked(change):
    """A change to a run's packed answers."""

    def apply(folder):
        with np.load(folder / "answers.npz") as packed:
            answers = dict(packed)
        change(answers)
        np.savez(folder / "answers.npz", **answers)

    return apply


def rescored(split, n_way, right):
    def change(metrics):
        for score in metrics["scores"]:
            if (score["split"], score["ways"]) == (split, n_way):
                score |= wilson(right, 1000).as_dict()

    return change


# val at the first check
FIRST = wilson(2, 20)

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
    "first loss by little": changed("metrics.json", lambda m: m.update(first_batch_loss=7.00001)),
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
    "answers of another run": repacked(lambda answers: answers.update({n: a ^ 1 for n, a in answers.items()})),
    "no archive": lambda folder: (folder / "answers.npz").write_bytes(b"PK\x03\x04"),
    "a count below nothing": changed("metrics.json", lambda m: m["scores"][0].update(correct=-1)),
    "a score of fewer episodes": changed("metrics.json", lambda m: m["scores"][0].update(wilson(70, 100).as_dict())),
    "a score's lower bound": changed("metrics.json", lambda m: m["scores"][-1].update(low=0.1)),
    "a score of another kind": changed("metrics.json", lambda m: m["scores"][0].update(protocol="kind")),
    "no history": changed("history.csv", lambda text: text.splitlines()[0] + "\n"),
    "a check's lower bound": changed("history.csv", lambda text: text.replace(f",{FIRST.low},", ",0.09,", 1)),
    "a check's upper bound": changed("history.csv", lambda text: text.replace(f",{FIRST.high},", ",0.9,", 1)),
    "a loss that is no number": changed("history.csv", lambda text: text.replace("\n2,6,6,", "\n2,six,6,")),
    "a mean loss that is no number": changed("history.csv", lambda text: text.replace("\n2,6,6,", "\n2,6,six,")),
    "a time that is no number": changed("history.csv", lambda text: text[:-2] + "four\n"),
    "answers less": repacked(lambda answers: answers.pop("strict/val")),
    "answers that are objects": repacked(lambda answers: answers.update({"strict/val": np.array([None])})),
    "answers of other episodes": repacked(lambda answers: answers.update(more=answers["strict/val"])),
    "an answer more than there are episodes": repacked(
        lambda answers: answers.update({"strict/val": np.append(answers["strict/val"], np.uint8(0))})
    ),
}

SAYS = {
    "accuracy": "20-way accuracy, author protocol: 0.9 of 700 / 1000",
    "interval": "20-way accuracy, author protocol: 0.7 of 700 / 1000",
    "counts": "20-way accuracy, author protocol: 0.7 of 1001 / 1000",
    "scores that the answers do not bear out": "answers author/val: not 800 of 1000",
    "a score twice": "the scores are not those that its config.json asks for, each once",
    "a score less": "the scores are not those that its config.json asks for, each once",
    "schema version": "schema version: 2 and 1",
    "run id": "run id: 'mlp-s0-0123456789' and 'baseline-s0-",
    "seed": "seed: 1 and 0",
    "experiment": "experiment: 'mlp' and 'baseline'",
    "dataset": "dataset: 'another' and 'synthetic characters, version 1'",
    "episodes": "episodes: 999 and 1000",
    "iterations": "iterations: 5000 and 4",
    "first loss": "first batch loss: 4.54 and 7.0",
    "first loss by little": "first batch loss: 7.00001 and 7.0",
    "no metrics at all": "damaged (KeyError: 'schema_version')",
    "a list": "metrics.json holds no keys and values",
    "no JSON": "damaged (JSONDecodeError: ",
    "config of another seed": "the folder's name is not that of its config.json: 'baseline-s0-",
    "config of another recipe": "the folder's name is not that of its config.json: 'baseline-s0-",
    "a check less": "history.csv does not have each check of its config.json once, in order",
    "a check twice": "history.csv does not have each check of its config.json once, in order",
    "a check's accuracy": "history.csv: val accuracy and interval at iteration 0",
    "half a line": "damaged (TypeError: ",
    "no text": "damaged (UnicodeDecodeError: ",
    "answers of another run": "answers author/train: not 700 of 1000",
    "no archive": "damaged (BadZipFile: ",
    "a count below nothing": "20-way accuracy, author protocol: 0.7 of -1 / 1000",
    "a score of fewer episodes": "episodes of a score: 100 and 1000",
    "a score's lower bound": "20-way accuracy, strict protocol: 0.7 of 700 / 1000",
    "a score of another kind": "the scores are not those that its config.json asks for, each once",
    "no history": "history.csv does not have each check of its config.json once, in order",
    "a check's lower bound": "history.csv: val accuracy and interval at iteration 0",
    "a check's upper bound": "history.csv: val accuracy and interval at iteration 0",
    "a loss that is no number": "damaged (ValueError: ",
    "a mean loss that is no number": "damaged (ValueError: ",
    "a time that is no number": "damaged (ValueError: ",
    "answers less": "answers of episodes: ['author/train', 'author/val', 'strict/train'] and ['author/train', ",
    "answers that are objects": "damaged (ValueError: Object arrays cannot be loaded",
    "answers of other episodes": "answers of episodes: ['author/train', 'author/val', 'more', ",
    "an answer more than there are episodes": "answers strict/val: not 700 of 1000",
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_does_not_agree_is_said(change, run):
    CHANGES[change](run.folder)
    assert find_problem(run.folder).endswith(" changed since SHA256SUMS was written")
    record_sums(run.folder, *EVIDENCE)
    assert find_problem(run.folder).startswith(SAYS[change])


@pytest.mark.parametrize("change", CHANGES)
def test_what_does_not_agree_is_left_out_and_named(change, run, tiny):
    make_run("mlp", tiny, 0, answers(300))
    CHANGES[change](run.folder)
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


def test_a_complete_run_that_lacks_its_name_is_to_be_believed(run):
    assert find_problem(run.folder.rename(run.folder.with_name(run.run_id + ".partial"))) == ""


def test_a_run_of_one_update_has_two_checks(reports, tiny):
    shortest = tiny.model_copy(update={"iterations": 1, "check_every": 1})
    assert find_problem(make_run("baseline", shortest, 0, answers(700)).folder) == ""


@pytest.mark.parametrize(
    ("low", "problem"), [("5e-07", ""), ("5e-05", "history.csv: val accuracy and interval at iteration 0")]
)
def test_a_checks_interval_may_be_rounded(low, problem, run):
    before, after = f",{FIRST.accuracy},{FIRST.low},{FIRST.high},", f",0.0,{low},{wilson(0, 20).high},"
    changed("history.csv", lambda text: text.replace(before, after, 1))(run.folder)
    record_sums(run.folder, *EVIDENCE)
    assert find_problem(run.folder) == problem


def test_a_run_with_no_correct_answer_is_to_be_believed(reports, tiny):
    none = make_run("baseline", tiny, 0, answers(0))
    assert find_problem(none.folder) == ""
    changed("metrics.json", lambda m: m["scores"][0].update(low=5e-9))(none.folder)
    record_sums(none.folder, *EVIDENCE)
    assert find_problem(none.folder) == "20-way accuracy, author protocol: 0.0 of 0 / 1000"


def test_a_score_without_a_split_is_of_val(run):
    changed("metrics.json", lambda m: next(s for s in m["scores"] if s["ways"] == 5).pop("split"))(run.folder)
    record_sums(run.folder, *EVIDENCE)
    assert find_problem(run.folder) == ""


def test_checksums_that_are_no_text_are_named(run):
    (run.folder / "SHA256SUMS").write_bytes(b"\xff" + (run.folder / "SHA256SUMS").read_bytes())
    (run.folder / "model.keras").write_bytes(b"")
    assert [finding.problem for finding in survey(run.folder.parents[1])] == [find_problem(run.folder)]
    assert "changed since SHA256SUMS was written" in find_problem(run.folder)


@pytest.mark.parametrize("name", [*EVIDENCE, "SHA256SUMS"])
def test_a_file_less_is_named(name, run):
    (run.folder / name).unlink()
    assert find_problem(run.folder) == f"without {name}"


def test_all_that_is_missing_or_changed_is_named(run):
    for name in ("config.json", "history.csv"):
        (run.folder / name).write_text("changed")
    assert find_problem(run.folder) == "config.json, history.csv changed since SHA256SUMS was written"
    (run.folder / "answers.npz").unlink()
    (run.folder / "metrics.json").unlink()
    assert find_problem(run.folder) == "without metrics.json, answers.npz"


@pytest.mark.parametrize("episodes", [1001, 1007, 1008])
def test_answers_may_be_any_number(episodes, reports, tiny):
    profile = tiny.model_copy(update={"episodes": episodes})
    made = make_run("baseline", profile, 0, answers(episodes, episodes))
    assert find_problem(made.folder) == ""
    repacked(lambda packed: packed.update({name: bits[:-1] for name, bits in packed.items()}))(made.folder)
    record_sums(made.folder, *EVIDENCE)
    assert find_problem(made.folder) == f"answers author/train: not {episodes} of {episodes}"


def test_a_loss_that_is_no_number_is_one_if_both_files_say_so(run):
    nan = float("nan")
    changed("history.csv", lambda text: text.replace("\n0,7,", "\n0,nan,"))(run.folder)
    record_sums(run.folder, *EVIDENCE)
    assert find_problem(run.folder) == "first batch loss: 7.0 and nan"
    changed("metrics.json", lambda m: m.update(first_batch_loss=nan))(run.folder)
    record_sums(run.folder, *EVIDENCE)
    assert find_problem(run.folder) == ""


def test_a_first_loss_near_0_is_told_from_another(run):
    changed("history.csv", lambda text: text.replace("\n0,7,", "\n0,2e-09,"))(run.folder)
    changed("metrics.json", lambda m: m.update(first_batch_loss=1e-9))(run.folder)
    record_sums(run.folder, *EVIDENCE)
    assert find_problem(run.folder) == "first batch loss: 1e-09 and 2e-09"


def test_drawn_characters_need_no_fingerprint(run):
    changed("metrics.json", lambda m: m["dataset"].update(fingerprint="pixels"))(run.folder)
    record_sums(run.folder, *EVIDENCE)
    assert find_problem(run.folder) == ""


def test_sums_are_as_sha256sum_reads_them(tmp_path):
    (tmp_path / "b").write_bytes(b"")
    (tmp_path / "a").write_bytes(b"abc" * 2**20)
    assert read_sums(tmp_path) == {}
    record_sums(tmp_path, "b")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "c").write_bytes(b"")
    record_sums(tmp_path, "a")
    record_sums(tmp_path, "c", source=tmp_path / "elsewhere")
    nothing = hashlib.sha256(b"").hexdigest()
    much = hashlib.sha256(b"abc" * 2**20).hexdigest()
    assert (tmp_path / SUMS).read_text() == f"{much}  a\n{nothing}  b\n{nothing}  c\n"
    assert read_sums(tmp_path) == {"a": much, "b": nothing, "c": nothing}
    assert [is_recorded(tmp_path / name) for name in ("a", "b", "c", SUMS)] == [True, True, False, False]
    (tmp_path / "b").write_bytes(b"b")
    assert not is_recorded(tmp_path / "b")


def test_a_files_name_may_hold_two_spaces(tmp_path):
    (tmp_path / "of  spaces").write_bytes(b"")
    record_sums(tmp_path, "of  spaces")
    assert is_recorded(tmp_path / "of  spaces")


@pytest.mark.parametrize(
    ("last", "every", "checks"),
    [(4, 2, [0, 2, 4]), (4, 3, [0, 3, 4]), (5, 3, [0, 3, 5]), (4, 5, [0, 4]), (1, 1, [0, 1])],
)
def test_checks_are_so_many_updates_apart_and_the_last_is_one(last, every, checks):
    assert iterations_of_checks(last, every) == checks


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    assert find_problem_under_way(tmp_path) == "config.json: No such file or directory"


def test_a_run_under_way_that_does_not_agree_is_said(run):
    partial = run.folder.rename(run.folder.with_name(run.run_id + ".partial"))
    changed("history.csv", lambda text: text.rpartition("\n4,")[0] + "\n")(partial)
    for name in ("metrics.json", "answers.npz", SUMS):
        (partial / name).unlink()
    assert find_problem_under_way(partial) == ""
    whole = {name: (partial / name).read_bytes() for name in ("config.json", "history.csv")}
    for name, change, words in (
        ("config.json", lambda c: c.update(seed=7), "the folder's name is not that of its config.json"),
        ("config.json", lambda c: c.clear(), "damaged (KeyError: "),
        ("history.csv", lambda text: text.replace("\n2,", "\n3,"), "history.csv does not have each check"),
        ("history.csv", lambda text: re.sub(r"\d+(?=\n$)", "inf", text), "history.csv: seconds at iteration 2 is inf"),
        ("history.csv", lambda text: text.splitlines()[0], "history.csv does not have each check"),
        ("history.csv", lambda text: text + text.splitlines()[-1] + "\n", "history.csv does not have each check"),
    ):
        changed(name, change)(partial)
        assert find_problem_under_way(partial).startswith(words)
        (partial / name).write_bytes(whole[name])
    (partial / "config.json").write_text("[]")
    assert find_problem_under_way(partial) == "config.json holds no keys and values"


# ---- a run beyond the paper


BEYOND = {
    "steps": (changed("metrics.json", lambda m: m.update(steps=1)), "steps: 1 and 2000"),
    "method": (changed("metrics.json", lambda m: m.update(learner="other")), "method: 'other' and 'koch'"),
    "held out": (changed("metrics.json", lambda m: m.update(held_out="b")), "held out: 'b' and 'evaluation'"),
    "episodes": (changed("metrics.json", lambda m: m.update(episodes=9)), "episodes: 9 and 10000"),
    "name": (changed("config.json", lambda c: c.update(held_out="b")), "the folder's name is not that of its config"),
    "a last step less": (changed("history.csv", lambda text: text.rpartition("\n2000,")[0] + "\n"), "history.csv is"),
    "a step twice": (changed("history.csv", lambda text: text + text.splitlines()[-1] + "\n"), "history.csv is not"),
    "another order": (changed("history.csv", lambda text: text.replace("\n100,", "\n300,")), "history.csv is not"),
    "a score": (changed("metrics.json", lambda m: m["scores"][0].update(accuracy=0.9)), "20-way accuracy, strict"),
    "a score twice": (changed("metrics.json", lambda m: m["scores"].append(m["scores"][0])), "the scores are not"),
    "another kind": (changed("metrics.json", lambda m: m["scores"][2].update(protocol="kind")), "the scores are not"),
    "fewer episodes": (
        changed("metrics.json", lambda m: m["scores"][1].update(wilson(7, 10).as_dict())),
        "episodes of a score: 10 and 10000",
    ),
    "answers": (repacked(lambda packed: packed.update(strict=packed["author"])), "answers strict: not "),
    "answers less": (
        repacked(lambda packed: packed.pop("within_alphabet")),
        "answers of episodes: ['author', 'strict'",
    ),
}


@pytest.mark.parametrize("change", BEYOND)
def test_a_method_that_does_not_agree_is_said(change, tmp_path):
    (committed,) = (ROOT / "reports" / "laptop" / "beyond").glob("koch-evaluation-s0-*")
    folder = shutil.copytree(committed, tmp_path / committed.name)
    assert find_problem(folder) == ""
    apply, words = BEYOND[change]
    apply(folder)
    record_sums(folder, *EVIDENCE)
    assert find_problem(folder).startswith(words)


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


def of_another(name, seed, *files):
    """Files of another run's folder in this one's place, and no record of what was there; nothing else is changed."""

    def apply(partial, tiny):
        other = partial_folder(run_folder(load_experiment(name), tiny, seed)[0])
        training.load_or_train(load_experiment(name), tiny, seed, until=2)
        for path in other.iterdir():
            if path.name.startswith(files) and path.name != "config.json":
                shutil.copyfile(path, partial / path.name)
        (partial / "SHA256SUMS").unlink()
        if "check" not in files:
            (partial / "checkpoints.json").unlink()

    return apply


@pytest.mark.parametrize(
    "harm",
    [of_another("mlp", 0, "check", "history"), of_another("baseline", 1, "checkpoint-"),
     of_another("baseline", 1, "checkpoint-", "history"), of_another("without-l2", 0, "check", "history")],
    ids=["another network", "another seed", "another seed and its history", "another penalty"],
)  # fmt: skip
def test_no_run_goes_on_from_another_runs_checkpoint(harm, partial, tiny, fresh_keras):
    harm(partial, tiny)
    with pytest.raises(ResultsError, match=r"cannot go on \(checkpoint-2\.keras is another run's"):
        training.load_or_train(baseline, tiny)
    assert partial.is_dir()


@pytest.mark.parametrize(
    ("where", "value"),
    [("seconds", -5), ("seconds", float("nan")), ("seconds", "long"), ("seconds", True), ("provenance", [1]),
     ("provenance", {"packages": ["keras"]}), ("provenance", {"finished": 5}), ("provenance", {"finished": "long ago"}),
     ("provenance", {"commit": 5}), ("dataset", {"synthetic": False, "fingerprint": "x"})],
)  # fmt: skip
def test_what_the_report_reads_is_of_its_kind(where, value, run):
    changed("metrics.json", lambda m: m.update({where: value}))(run.folder)
    record_sums(run.folder, "metrics.json")
    assert find_problem(run.folder)


def test_metrics_nested_without_end_are_damaged(run):
    (run.folder / "metrics.json").write_text("[" * 200_000)
    record_sums(run.folder, "metrics.json")
    assert find_problem(run.folder).startswith("damaged (RecursionError")


@pytest.mark.parametrize(("name", "value"), [("learning_rate", "abc"), ("learning_rate", "-1"), ("mean_loss", "-6")])
def test_numbers_of_a_check_are_of_their_kind(name, value, run):
    history = pd.read_csv(run.folder / "history.csv", dtype=str)
    history.loc[1, name] = value
    history.to_csv(run.folder / "history.csv", index=False)
    record_sums(run.folder, "history.csv")
    assert find_problem(run.folder)


def test_a_run_under_way_elsewhere_has_checksums(partial, tmp_path):
    committed = tmp_path / "under_way" / partial.name.removesuffix(".partial")
    committed.mkdir(parents=True)
    for name in ("config.json", "history.csv", "SHA256SUMS"):
        shutil.copy(partial / name, committed)
    assert find_problem_under_way(committed) == ""
    changed("history.csv", lambda text: text.replace("\n0,", "\n0,9", 1))(committed)
    assert find_problem_under_way(committed) == "history.csv changed since SHA256SUMS was written"


def test_another_machines_training_may_differ_by_so_much_only(run):
    anew = SimpleNamespace(metrics=json.loads(json.dumps(run.metrics)), history=run.history)
    anew.metrics["provenance"] = {"processor": "another"}
    assert compare_anew(run, anew)[0]
    anew.metrics["scores"][0]["accuracy"] += 0.11
    assert not compare_anew(run, anew)[0]


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
    agrees, words = compare_anew(recorded, anew)
    assert agrees
    assert words.startswith("same machine: scores 0.00 points apart at most")
    recorded.metrics["scores"][0]["accuracy"] += 0.01
    assert not compare_anew(recorded, anew)[0]
    for metrics in (recorded.metrics, anew.metrics):
        metrics["provenance"] = {**metrics["provenance"], "device": "NVIDIA H100"}
    agrees, words = compare_anew(recorded, anew)
    assert agrees
    assert words.startswith("same kind of GPU: scores 1.00 points apart at most")
    recorded.metrics["provenance"]["processor"] = "another"
    assert compare_anew(recorded, anew)[0]
    recorded.history["batch_loss"] *= 1.01
    assert not compare_anew(recorded, anew)[0]


def test_a_methods_losses_are_compared_over_the_same_steps():
    """Ten lines or twenty: the mean of the same steps, within a twentieth of each other on another machine."""

    def run(steps, losses, processor):
        metrics = {"scores": [{"accuracy": 0.5}], "provenance": {"processor": processor}}
        history = pd.DataFrame({"step": steps, "loss": losses})
        return SimpleNamespace(run_id="a-method", metrics=metrics, history=history)

    recorded = run([125, 250], [2.0, 1.0], "one")
    agrees, words = compare_anew(recorded, run([62, 125, 187, 250], [2.4, 1.6, 1.2, 0.8], "other"))
    assert words.endswith(f"losses (of 125 steps) 2 and {(62 * 2.4 + 63 * 1.6) / 125:.6g}")
    assert agrees
    assert not compare_anew(recorded, run([62, 125], [2.4, 1.9], "other"))[0]
    assert compare_anew(recorded, run([125, 250], [2.0, 9.0], "one"))[0]
    assert not compare_anew(recorded, run([125, 250], [2.001, 1.0], "one"))[0]


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
    (record,) = read_retrained(whole.parents[1]).items()
    assert record[0] == whole.name
    assert record[1].agrees
    assert record[1].words.startswith("same machine: scores 0.00 points apart")
    assert record[1].metrics == hashlib.sha256((whole / "metrics.json").read_bytes()).hexdigest()


def test_the_record_of_trainings_anew_keeps_the_last_one_of_each_run(run):
    reports, metrics = run.folder.parents[1], {"provenance": {"finished": "2025-01-01", "commit": "0123456789abc"}}
    for run_id, agrees in (("b", True), ("a", True), ("b", False)):
        recorded = SimpleNamespace(run_id=run_id, folder=run.folder)
        record_retrained(reports, recorded, SimpleNamespace(metrics=metrics), agrees, "so")
    found = read_retrained(reports)
    assert [(name, entry.agrees, entry.date, entry.commit) for name, entry in found.items()] == [
        ("a", True, "2025-01-01", "0123456789"),
        ("b", False, "2025-01-01", "0123456789"),
    ]
    (reports / "retrained.json").write_text('{"a": {"agrees": "perhaps"}}')
    with pytest.raises(ResultsError, match=r"retrained\.json cannot be read: restore it"):
        read_retrained(reports)


def test_verify_names_what_does_not_agree_and_trains_none_of_it(whole, capsys, monkeypatch):
    (whole / "history.csv").write_text("")
    monkeypatch.setattr(sys, "argv", ["siamese", "verify", "-p", str(TINY), "--retrain", "1"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr()
    assert ended.value.code == 1
    assert said.err.strip() == f"{whole.name}: history.csv changed since SHA256SUMS was written"
    assert said.out.startswith("0 finished runs")


def test_verify_needs_no_notebooks_packages_for_the_runs(reports):
    (reports / "demo").mkdir(parents=True)
    program = "import sys; sys.modules['nbformat'] = None\nfrom siamese_utils import cli\ncli.main()"
    done = subprocess.run([sys.executable, "-c", program, "verify", "-p", "demo"], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout.startswith("0 finished runs and 0 under way agree")
    said = " ".join(done.stderr.split())
    assert said.startswith("executed notebooks are not looked at: this needs `pip install siamese-utils[notebooks]`")
