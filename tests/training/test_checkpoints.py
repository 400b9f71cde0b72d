"""A run under way, check by check, with a stand-in for the model: what is kept, and from where it goes on."""

import csv
import hashlib
import json
import os
from types import SimpleNamespace

import pytest
from run_on_disk import answers, make_run

from siamese_utils.config import load_experiment
from siamese_utils.errors import ResultsError
from siamese_utils.evaluation.accuracy import wilson
from siamese_utils.training import checkpoints
from siamese_utils.training.checkpoints import HISTORY_COLUMNS, RECORD, prepare_resume, save_checkpoint
from siamese_utils.training.integrity import SPLITS, record_sums
from siamese_utils.training.provenance import ORIGIN_COLUMNS
from siamese_utils.training.runs import WEIGHTS, partial_folder, run_folder

baseline, longer = load_experiment("baseline"), load_experiment("baseline-10k")
HALF = wilson(10, 20)
ACCURACIES = {
    f"{split}_{what}": value
    for split in SPLITS
    for what, value in (("accuracy", HALF.accuracy), ("low", HALF.low), ("high", HALF.high))
}
ORIGIN = {**dict.fromkeys(ORIGIN_COLUMNS, "x"), "device": "Größe"}


class StandIn:
    """A model whose file says how many updates it has."""

    def __init__(self, updates):
        self.optimizer = SimpleNamespace(iterations=updates)

    def get_config(self):
        return {"name": self.optimizer.iterations, "layers": []}

    def save(self, path):
        path.write_text(str(self.optimizer.iterations))


def line(iteration):
    measured = {"kernel_norm": 1.5, "saturated": 0.25, "seconds": 0.5 * iteration}
    losses = {"batch_loss": 7.0 - iteration, "mean_loss": 6.0, "learning_rate": 0.05}
    return {"iteration": iteration, **losses, **ACCURACIES, **measured, **ORIGIN}


def made(partial, *iterations):
    """Checks are made and kept, one after the other."""
    history = []
    for iteration in iterations:
        history.append(line(iteration))
        save_checkpoint(partial, StandIn(iteration + 1), history)


def started(experiment, profile, seed=0):
    """The partial folder of a run that has not made a check."""
    folder, key = run_folder(experiment, profile, seed)
    partial = partial_folder(folder)
    partial.mkdir(parents=True)
    (partial / "config.json").write_text(json.dumps(key))
    return partial


@pytest.fixture
def partial(reports, tiny):
    return started(baseline, tiny)


@pytest.fixture
def loaded(monkeypatch):
    """A model is loaded as a stand-in that has made the updates which its file says: a list of the files read."""
    paths = []

    def load(path):
        paths.append(path)
        return StandIn(int(path.read_text()))

    monkeypatch.setattr(checkpoints, "_load", load)
    monkeypatch.setattr(checkpoints.siamese, "build_model", lambda *_: StandIn(0))
    return paths


def kept(partial):
    return sorted(path.name for path in partial.iterdir() if path.name not in ("config.json", "SHA256SUMS"))


def recorded(partial):
    return [entry["iteration"] for entry in json.loads((partial / RECORD).read_text())]


def never(words):
    pytest.fail(words)


def resumed(partial, profile, *, experiment=baseline, seed=0, notify=never):
    """How many updates the model has, and the iterations of the lines."""
    model, lines = prepare_resume(experiment, profile, seed, partial, notify=notify)
    return model and model.optimizer.iterations, [found["iteration"] for found in lines]


# ---- what is kept


def test_the_last_two_checks_are_kept_and_on_record(partial):
    made(partial, 0)
    assert kept(partial) == ["checkpoint-0.keras", RECORD, "history.csv"]
    made(partial, 0, 2, 4)
    assert kept(partial) == ["checkpoint-2.keras", "checkpoint-4.keras", RECORD, "history.csv"]
    lines = (partial / "history.csv").read_bytes().splitlines(keepends=True)
    assert len(lines) == 4
    assert json.loads((partial / RECORD).read_text()) == [
        {
            "iteration": iteration,
            "history": hashlib.sha256(b"".join(lines[:count])).hexdigest(),
            "checkpoint": hashlib.sha256(str(iteration + 1).encode()).hexdigest(),
        }
        for iteration, count in ((2, 3), (4, 4))
    ]


def test_the_history_is_a_table_of_all_that_was_found(partial):
    made(partial, 0, 2)
    with open(partial / "history.csv", newline="", encoding="utf-8") as file:
        header, *lines = csv.reader(file)
    assert tuple(header) == HISTORY_COLUMNS
    assert lines == [[str(line(iteration)[name]) for name in HISTORY_COLUMNS] for iteration in (0, 2)]


def test_a_damaged_checkpoint_is_not_the_one_that_stays(partial):
    made(partial, 0, 2)
    (partial / "checkpoint-2.keras").write_text("damaged")
    save_checkpoint(partial, StandIn(5), [line(0), line(2), line(4)])
    assert recorded(partial) == [0, 4]
    assert kept(partial) == ["checkpoint-0.keras", "checkpoint-4.keras", RECORD, "history.csv"]


def test_a_check_that_is_made_again_takes_its_own_place(partial):
    made(partial, 0, 2)
    save_checkpoint(partial, StandIn(3), [line(0), line(2)])
    assert recorded(partial) == [0, 2]


def test_without_a_history_the_checks_before_are_another_runs(partial):
    made(partial, 0, 2)
    (partial / "history.csv").unlink()
    save_checkpoint(partial, StandIn(5), [line(0), line(2), line(4)])
    assert recorded(partial) == [4]
    assert kept(partial) == ["checkpoint-4.keras", RECORD, "history.csv"]


def test_a_run_of_before_there_was_a_record_keeps_its_last_check(partial):
    made(partial, 0, 2)
    (partial / RECORD).unlink()
    save_checkpoint(partial, StandIn(5), [line(0), line(2), line(4)])
    assert recorded(partial) == [2, 4]


# ---- from where a training goes on


def test_a_training_begins_anew_where_there_is_nothing(reports, tiny):
    folder, key = run_folder(baseline, tiny, 3)
    partial = partial_folder(folder)
    partial.mkdir(parents=True)
    (partial / "checkpoint-0.keras").write_text("killed before the first check was kept")
    assert resumed(partial, tiny, seed=3) == (None, [])
    assert [path.name for path in partial.iterdir()] == ["config.json"]
    assert json.loads((partial / "config.json").read_text()) == json.loads(json.dumps(key))


def test_a_training_goes_on_from_its_last_check(partial, tiny, loaded):
    made(partial, 0)
    assert resumed(partial, tiny) == (1, [0])
    made(partial, 0, 2, 4)
    assert resumed(partial, tiny) == (5, [0, 2, 4])
    assert loaded == [partial / "checkpoint-0.keras", partial / "checkpoint-4.keras"]


@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_a_damaged_checkpoint_costs_one_check_and_that_is_said(damage, partial, tiny, loaded):
    made(partial, 0, 2)
    last = partial / "checkpoint-2.keras"
    last.write_text("9") if damage == "changed" else last.unlink()
    told = []
    assert resumed(partial, tiny, notify=told.append) == (1, [0])
    words = f"run {partial.name}: its last check was not kept whole; it goes on from iteration 0."
    assert told == [words]
    with pytest.warns(UserWarning, match="its last check was not kept whole"):
        prepare_resume(baseline, tiny, 0, partial)


def test_a_run_of_before_there_was_a_record_goes_on(partial, tiny, loaded):
    made(partial, 0, 2, 4)
    (partial / RECORD).unlink()
    assert resumed(partial, tiny) == (5, [0, 2, 4])
    (partial / "checkpoint-4.keras").unlink()
    with pytest.raises(ResultsError, match="no checkpoint is the one on record"):
        resumed(partial, tiny)


DAMAGES = {
    "the checkpoints": lambda p: [path.write_text("9") for path in p.glob("*.keras")],
    "a record of nothing": lambda p: (p / RECORD).write_text("[]"),
    "half a record": lambda p: (p / RECORD).write_text("[{"),
    "a record that is a folder": lambda p: ((p / RECORD).unlink(), (p / RECORD).mkdir()),
    "a record that leads nowhere": lambda p: ((p / RECORD).unlink(), (p / RECORD).symlink_to(p / "nowhere")),
    "a record of another shape": lambda p: (p / RECORD).write_text('{"iteration": 2}'),
    "a record that says less": lambda p: (p / RECORD).write_text('[{"iteration": 2}, {"iteration": 0}]'),
    "the history's first line": lambda p: edit(p, "7.0", "9.0"),
}


def edit(partial, before, after):
    path = partial / "history.csv"
    path.write_bytes(path.read_bytes().replace(before.encode(), after.encode(), 1))


@pytest.mark.parametrize("damage", DAMAGES)
def test_nothing_goes_on_from_what_is_not_on_record_and_nothing_is_removed(damage, partial, tiny, loaded):
    made(partial, 0, 2)
    DAMAGES[damage](partial)
    before = kept(partial)
    with pytest.raises(ResultsError, match=r"cannot go on \(no checkpoint is the one on record\)"):
        resumed(partial, tiny)
    assert kept(partial) == before
    assert loaded == []


def test_an_edited_last_line_costs_its_check(partial, tiny, loaded):
    made(partial, 0, 2)
    edit(partial, "5.0", "4.0")
    told = []
    assert resumed(partial, tiny, notify=told.append) == (1, [0])
    assert len(told) == 1


def test_what_another_run_has_left_is_said(partial, tiny, loaded):
    made(partial, 0, 2)
    (partial / "config.json").write_text("{}")
    with pytest.raises(ResultsError, match=r"cannot go on \(damaged"):
        resumed(partial, tiny)


@pytest.mark.parametrize("name", ["history.csv", RECORD, "metrics.json", WEIGHTS])
def test_whatever_is_left_of_a_run_with_a_check_is_not_thrown_away(name, partial, tiny):
    os.symlink(partial / "nowhere", partial / name)
    with pytest.raises(ResultsError, match="cannot go on"):
        resumed(partial, tiny)
    assert kept(partial) == [name]


def test_a_model_is_loaded_safely_and_a_damaged_one_is_a_clear_error(tmp_path, monkeypatch):
    path = tmp_path / "mlp-s0" / "checkpoint-2.keras"
    path.parent.mkdir()
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(ResultsError, match=r"checkpoint-2\.keras of run mlp-s0 cannot be read: move the folder"):
        checkpoints._load(path)
    asked = []
    monkeypatch.setattr(checkpoints.keras.saving, "load_model", lambda *a, **options: asked.append((a, options)))
    checkpoints._load(path)
    assert asked == [((path,), {"safe_mode": True})]


# ---- from a shorter run


def finished(profile, updates=5, seed=0, name="baseline"):
    """A finished run with a model of so many updates."""
    run = make_run(name, profile, seed, answers(700))
    (run.folder / WEIGHTS).write_text(str(updates))
    record_sums(run.folder, WEIGHTS)
    return run.folder


def went_on(profile, experiment=longer, seed=0):
    folder, _ = run_folder(experiment, profile, seed)
    return resumed(partial_folder(folder), profile, experiment=experiment, seed=seed)


def test_a_longer_run_goes_on_from_a_finished_shorter_one(reports, tiny, loaded):
    folder = finished(tiny)
    assert went_on(tiny) == (5, [0, 2, 4])
    assert loaded == [folder / WEIGHTS]


def test_a_longer_run_goes_on_from_any_row_of_the_matrix(reports, tiny, loaded):
    finished(tiny, name="mlp")
    mlp = load_experiment("mlp")
    twice = mlp.model_copy(update={"recipe": mlp.recipe.model_copy(update={"iterations": 10_000})})
    assert went_on(tiny, twice) == (5, [0, 2, 4])


def test_a_longer_run_goes_on_from_a_shorter_one_under_way(reports, tiny, loaded):
    shorter = started(baseline, tiny)
    made(shorter, 0, 2)
    assert went_on(tiny) == (3, [0, 2])
    assert loaded == [shorter / "checkpoint-2.keras"]


def test_a_longer_run_goes_on_from_a_checkpoint_where_the_weights_cannot_be_read(reports, tiny, monkeypatch):
    folder = finished(tiny)
    made(started(baseline, tiny), 0, 2)

    def load(path):
        if path.name == WEIGHTS:
            raise ResultsError("damaged")
        return StandIn(int(path.read_text()))

    monkeypatch.setattr(checkpoints, "_load", load)
    assert went_on(tiny) == (3, [0, 2])
    (folder / WEIGHTS).unlink()
    assert went_on(tiny, seed=0) == (3, [0, 2])


def test_a_longer_run_does_not_go_on_from_a_shorter_one_whose_updates_are_not_its_lines(reports, tiny, loaded):
    finished(tiny, updates=4)
    assert went_on(tiny) == (None, [])
    assert len(loaded) == 1
    shorter = started(baseline, tiny, seed=1)
    made(shorter, 0)
    save_checkpoint(shorter, StandIn(4), [line(0), line(2)])
    assert went_on(tiny, seed=1) == (None, [])
    assert len(loaded) == 2, "its last checkpoint alone"


@pytest.mark.parametrize("model", [SimpleNamespace(), SimpleNamespace(optimizer=None)])
def test_a_longer_run_does_not_go_on_from_a_model_without_its_optimizer(model, reports, tiny, monkeypatch):
    finished(tiny)
    made(started(baseline, tiny, seed=1), 0)
    monkeypatch.setattr(checkpoints, "_load", lambda _: model)
    assert went_on(tiny) == (None, [])
    assert went_on(tiny, seed=1) == (None, [])


def test_a_longer_run_goes_on_only_from_one_that_is_the_same_but_for_its_length(reports, tiny, loaded):
    finished(tiny)
    other = longer.model_copy(update={"recipe": longer.recipe.model_copy(update={"dropout": 0.0})})
    assert went_on(tiny, other) == (None, [])
    assert went_on(tiny, seed=1) == (None, [])
    assert went_on(tiny, baseline) == (None, []), "a run is not shorter than itself"
    assert loaded == []


def test_a_longer_run_goes_on_only_from_a_check_of_its_own(reports, tiny, loaded):
    """Every third update and the last: 0, 3, 4 and 0, 3, 6, 8."""
    finished(tiny.model_copy(update={"check_every": 3}))
    assert went_on(tiny.model_copy(update={"check_every": 3})) == (None, [])
    assert loaded == []


def test_a_longer_run_does_not_go_on_from_weights_that_are_not_on_record(reports, tiny, loaded):
    (finished(tiny) / WEIGHTS).write_text("6")
    assert went_on(tiny) == (None, [])
    assert loaded == []


def test_a_longer_run_does_not_go_on_from_a_run_that_is_not_to_be_believed(reports, tiny, loaded):
    folder = finished(tiny)
    (folder / "history.csv").write_text("")
    with pytest.warns(UserWarning, match="is left out"):
        assert went_on(tiny) == (None, [])
    assert loaded == []


@pytest.mark.parametrize("left", ["no history", "another config"])
def test_a_longer_run_does_not_go_on_from_what_is_left_of_a_shorter_one(left, reports, tiny, loaded):
    shorter = started(baseline, tiny)
    made(shorter, 0, 2)
    if left == "no history":
        (shorter / "history.csv").unlink()
    else:
        (shorter / "config.json").write_text("{}")
    assert went_on(tiny) == (None, [])
    assert loaded == []
