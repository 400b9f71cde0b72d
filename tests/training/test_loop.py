"""`run` trains once, resumes where it was killed, repeats itself to the byte, and agrees between backends."""

import itertools
import os
import shutil
import subprocess
import sys
import warnings
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, TINY
from made_up import blank_split
from run_on_disk import answers, make_run
from ten_steps import ten_steps

from siamese_utils.config import key_hash, load_experiment, load_profile, run_key
from siamese_utils.data.load import dataset_fingerprint, load_dataset
from siamese_utils.data.pairs import draw_pairs, gather
from siamese_utils.errors import ParamsError, ResultsError
from siamese_utils.evidence.board import trained_on
from siamese_utils.models import siamese as models
from siamese_utils.training import intervals
from siamese_utils.training import loop as training
from siamese_utils.training.checkpoints import HISTORY_COLUMNS, RECORD
from siamese_utils.training.integrity import record_sums
from siamese_utils.training.provenance import ORIGIN_COLUMNS
from siamese_utils.training.runs import find_run, find_runs, find_so_far, partial_folder, run_folder, tidy
from siamese_utils.training.scores import check_model
from siamese_utils.training.store import Progress

baseline = load_experiment("baseline")


class Killed(Exception):
    """Stands for a kill at the worst moment."""


def test_a_run_leaves_everything_a_reader_needs(reports, tiny, fresh_keras):
    run = training.load_or_train(baseline, tiny)
    assert sorted(path.name for path in run.folder.iterdir()) == [
        "SHA256SUMS", "answers.npz", "config.json", "history.csv", "metrics.json", "model.keras",
    ]  # fmt: skip
    assert list(run.history.columns) == list(HISTORY_COLUMNS)
    assert run.history["iteration"].tolist() == [0, 2, 4]
    assert run.metrics["dataset"]["synthetic"] is True
    assert run.metrics["provenance"]["backend"] == "tensorflow"
    table = tidy([run])
    assert set(zip(table["protocol"], table["split"], strict=True)) == {
        (protocol, split) for protocol in ("author", "strict") for split in ("train", "val")
    }
    assert table["accuracy"].between(table["low"], table["high"]).all()
    twenty = table[(table["ways"] == 20)].set_index(["protocol", "split"])
    for name, correct in run.answers().items():
        assert correct.sum() == twenty.loc[tuple(name.split("/")), "correct"]


def test_a_check_says_how_large_the_weights_are_and_how_many_units_are_saturated(reports, tiny, fresh_keras):
    run = training.load_or_train(baseline, tiny)
    last, model = run.history.iloc[-1], run.model()
    penalty = sum(float(loss) for loss in model.losses)
    assert baseline.recipe.l2 * last["kernel_norm"] ** 2 == pytest.approx(penalty, rel=1e-5)
    assert 0 <= last["saturated"] <= 1
    embedding = model.get_layer("backbone").layers[-1]
    embedding.set_weights([weights * 1000 for weights in embedding.get_weights()])
    assert check_model(model, load_dataset(tiny), tiny, 0)["saturated"] > 0.9


def test_a_finished_run_is_loaded_and_never_trained_again(reports, tiny, monkeypatch, fresh_keras):
    first = training.load_or_train(baseline, tiny)
    monkeypatch.setattr(training, "_train_checks", lambda *_: pytest.fail("trained twice"))
    assert training.load_or_train(baseline, tiny).folder == first.folder
    assert find_run(baseline, tiny, 0).run_id == first.run_id
    assert [run.run_id for run in find_runs(tiny)] == [first.run_id]


def test_two_runs_of_one_seed_agree_to_the_byte(tmp_path, monkeypatch, tiny, fresh_keras):
    folders = []
    for name in ("one", "two"):
        monkeypatch.setenv("SIAMESE_REPORTS_DIR", str(tmp_path / name))
        folders.append(training.load_or_train(baseline, tiny, seed=5))
    one, two = folders
    for a, b in zip(one.model().get_weights(), two.model().get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()
    assert (one.folder / "answers.npz").read_bytes() == (two.folder / "answers.npz").read_bytes()
    timeless = [column for column in HISTORY_COLUMNS if column != "seconds"]
    assert one.history[timeless].equals(two.history[timeless])


@pytest.mark.parametrize("check", [pytest.param(0, marks=pytest.mark.slow), 2, pytest.param(4, marks=pytest.mark.slow)])
def test_a_killed_run_resumes_from_its_last_check_as_if_nothing_had_happened(
    check, tmp_path, monkeypatch, tiny, fresh_keras
):
    monkeypatch.setenv("SIAMESE_REPORTS_DIR", str(tmp_path / "whole"))
    whole = training.load_or_train(baseline, tiny, seed=1)

    def kill(progress):
        if progress.step == check:
            raise Killed

    monkeypatch.setenv("SIAMESE_REPORTS_DIR", str(tmp_path / "killed"))
    with pytest.raises(Killed):
        training.load_or_train(baseline, tiny, seed=1, on_progress=kill)
    assert find_run(baseline, tiny, 1) is None, "an unfinished run is not found"
    seen = []
    resumed = training.load_or_train(baseline, tiny, seed=1, on_progress=lambda progress: seen.append(progress.step))
    assert seen == [iteration for iteration in (0, 2, 4) if iteration > check], "what was done is not done again"
    for a, b in zip(whole.model().get_weights(), resumed.model().get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()
    timeless = [column for column in HISTORY_COLUMNS if column != "seconds"]
    assert whole.history[timeless].equals(resumed.history[timeless])
    assert whole.metrics["scores"] == resumed.metrics["scores"]


def test_a_history_whose_checkpoint_is_gone_is_not_thrown_away(reports, tiny, fresh_keras):
    training.load_or_train(baseline, tiny, until=0)
    (checkpoint,) = reports.glob("tiny/results/*.partial/checkpoint-*.keras")
    checkpoint.unlink()
    with pytest.raises(ResultsError, match=r"cannot go on \(no checkpoint is the one on record\).*move it elsewhere"):
        training.load_or_train(baseline, tiny)
    assert len(find_so_far(baseline, tiny, 0).history) == 1


def test_the_key_holds_what_determines_numbers_and_nothing_else(tiny):
    def digest(experiment=baseline, profile=tiny, seed=0):
        return key_hash(run_key(experiment, profile, seed, dataset_fingerprint(profile)))

    def recipe(**changes):
        return baseline.model_copy(update={"recipe": baseline.recipe.model_copy(update=changes)})

    same = [
        digest(experiment=baseline.model_copy(update={"note": "reworded"})),
        digest(profile=tiny.model_copy(update={"title": "Other", "seeds": (0, 1)})),
    ]
    others = [
        digest(seed=1),
        digest(experiment=recipe(l2=0.02)),
        digest(experiment=recipe(dropout=0.0)),
        digest(profile=tiny.model_copy(update={"image_size": 35})),
        digest(profile=tiny.model_copy(update={"iterations": 5})),
        digest(profile=tiny.model_copy(update={"dataset": "omniglot"})),
    ]
    assert set(same) == {digest()}
    assert len({digest(), *others}) == len(others) + 1


def test_names_that_do_not_exist_are_clear_errors(reports):
    with pytest.raises(ParamsError, match="no experiment 'dense-1'"):
        training.load_or_train("dense-1", "demo")
    with pytest.raises(ParamsError, match="no profile 'big'"):
        training.load_or_train("baseline", "big")


def test_a_run_left_at_an_iteration_goes_on_as_if_it_had_never_stopped(tmp_path, monkeypatch, tiny, fresh_keras):
    monkeypatch.setenv("SIAMESE_REPORTS_DIR", str(tmp_path / "whole"))
    whole = training.load_or_train(baseline, tiny, seed=1)
    monkeypatch.setenv("SIAMESE_REPORTS_DIR", str(tmp_path / "parts"))
    seen = []
    for until in (0, 3, 3, 2, 1_000):
        found = training.load_or_train(baseline, tiny, 1, until=until, on_progress=lambda p: seen.append(p.step))
        assert found.finished == (until == 1_000)
        assert find_so_far(baseline, tiny, 1).folder == found.folder
        assert found.history["iteration"].max() == (0 if until == 0 else 4 if found.finished else 2)
    assert seen == [0, 2, 4]
    for a, b in zip(whole.model().get_weights(), found.model().get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()
    assert whole.metrics["scores"] == found.metrics["scores"]


@pytest.mark.parametrize("shorter_until", [2, None], ids=["under way", "finished"])
def test_a_longer_run_goes_on_from_a_shorter_one(shorter_until, tmp_path, monkeypatch, tiny, fresh_keras):
    """The first updates are the same: they are not made twice, and what comes out is the same to the byte."""
    longer = load_experiment("baseline-10k")
    monkeypatch.setenv("SIAMESE_REPORTS_DIR", str(tmp_path / "alone"))
    alone = training.load_or_train(longer, tiny)
    monkeypatch.setenv("SIAMESE_REPORTS_DIR", str(tmp_path / "after"))
    training.load_or_train(baseline, tiny, 0, until=shorter_until)
    seen = []
    after = training.load_or_train(longer, tiny, on_progress=lambda p: seen.append(p.step))
    assert seen == [i for i in (0, 2, 4, 6, 8) if i > (shorter_until or 4)]
    timeless = [column for column in HISTORY_COLUMNS if column != "seconds"]
    assert alone.history[timeless].equals(after.history[timeless])
    for a, b in zip(alone.model().get_weights(), after.model().get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("finished", [True, False])
def test_a_shorter_runs_damaged_weights_are_not_gone_on_from(finished, reports, tiny, fresh_keras):
    training.load_or_train(baseline, tiny, 0, until=None if finished else 0)
    (weights,) = reports.glob("tiny/results/*/*.keras")
    weights.write_bytes(weights.read_bytes()[:2000])
    seen = []
    training.load_or_train("baseline-10k", tiny, 0, until=2, on_progress=lambda p: seen.append(p.step))
    assert seen == [0, 2]


def without_record(reports):
    """The history of the one run under way, as runs were kept before their checks were on record."""
    (folder,) = reports.glob("tiny/results/*.partial")
    for name in (RECORD, "SHA256SUMS"):
        (folder / name).unlink()
    return folder / "history.csv"


def test_a_run_that_changed_machines_names_them_all(reports, tiny, fresh_keras):
    training.load_or_train(baseline, tiny, 0, until=2)
    path = without_record(reports)
    path.write_text(path.read_text().replace("tensorflow", "jax").replace(",CPU,", ",NVIDIA H100,"))
    found = training.load_or_train(baseline, tiny)
    assert [(o["backend"], o["device"]) for o in found.metrics["origins"]] == [
        ("jax", "NVIDIA H100"),
        ("tensorflow", "CPU"),
    ]
    assert trained_on([found]) == "JAX on NVIDIA H100 and TensorFlow on CPU"


def test_a_shorter_run_without_its_optimizer_is_not_gone_on_from(reports, tiny, fresh_keras):
    short = training.load_or_train(baseline, tiny)
    model = short.model()
    keras.Model(model.inputs, model.outputs).save(short.folder / "model.keras")
    record_sums(short.folder, "model.keras")
    seen = []
    training.load_or_train(load_experiment("baseline-10k"), tiny, on_progress=lambda p: seen.append(p.step))
    assert seen == [0, 2, 4, 6, 8]


def test_a_history_of_before_checks_had_an_origin_is_gone_on_with(reports, tiny, fresh_keras):
    training.load_or_train(baseline, tiny, 0, until=2)
    path = without_record(reports)
    pd.read_csv(path).drop(columns=list(ORIGIN_COLUMNS)).to_csv(path, index=False)
    assert find_so_far(baseline, tiny, 0).metrics["provenance"] == {}
    history = training.load_or_train(baseline, tiny).history
    assert history["iteration"].tolist() == [0, 2, 4]
    assert history["convolutions"].isna().tolist() == [True, True, False]
    assert history["backend"].tolist()[-1] == "tensorflow"


def test_a_run_under_way_brought_from_elsewhere_is_seen_as_far_as_it_came(reports, tiny, fresh_keras):
    training.load_or_train(baseline, tiny, 0, until=2)
    (partial,) = reports.glob("tiny/results/*.partial")
    elsewhere = reports / "tiny" / "under_way" / partial.name.removesuffix(".partial")
    shutil.copytree(partial, elsewhere, ignore=shutil.ignore_patterns("*.keras"))
    training.load_or_train(baseline, tiny, 0, until=2)
    more = pd.read_csv(elsewhere / "history.csv")
    pd.concat([more, more.tail(1).assign(iteration=4)]).to_csv(elsewhere / "history.csv", index=False)
    assert find_so_far(baseline, tiny, 0).folder == partial, "what was trained here goes first"
    shutil.copyfile(partial / "history.csv", elsewhere / "history.csv")
    shutil.rmtree(partial)
    found = find_so_far(baseline, tiny, 0)
    assert (found.run_id, found.finished) == (elsewhere.name, False)
    assert found.metrics["iterations"] == 2
    assert found.metrics["scores"] == []
    assert np.isfinite(found.pace)
    assert find_run(baseline, tiny, 0) is None


def test_keys_of_committed_runs_are_what_they_were():
    """A new field with its default renames nothing."""
    laptop, paper = load_profile("laptop"), load_profile("paper")
    names = {
        run_folder(load_experiment(name), profile, 0)[0].name
        for name, profile in (("baseline", laptop), ("lr-0.001", laptop), ("baseline", paper))
    }
    assert names == {"baseline-s0-2d3844afd7", "lr-0.001-s0-31771afd4c", "baseline-s0-d01608a577"}


def test_the_steps_of_an_interval_are_keras_own(tiny, fresh_keras):
    split = load_dataset(tiny).train
    images = split.images
    left, right, labels = training.pairs_of_steps(split, 0, 32, 0, 4)
    ours, kerass = (models.build_model(baseline, tiny, 3) for _ in range(2))
    interval = intervals.interval_of(ours, images)
    losses = [*interval(left[:1], right[:1], labels[:1]), *interval(left[1:], right[1:], labels[1:])]
    expected = []
    for one, other, same in zip(left, right, labels, strict=True):
        kerass.reset_metrics()
        expected.append(kerass.train_on_batch((gather(images, one), gather(images, other)), same[:, None]))
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    assert int(ours.optimizer.iterations) == 4


def dropout_counters(model):
    """Of each dropout layer: its seed, and how often it was called."""
    states = [v.value for v in model.non_trainable_variables if v.path.endswith("seed_generator_state")]
    return [tuple(map(int, keras.ops.convert_to_numpy(state))) for state in states]


def test_dropout_is_placed_where_that_many_updates_leave_it(tiny, fresh_keras):
    """Each update moves the counters twice, once for each branch."""
    left, right, labels = training.pairs_of_steps(load_dataset(tiny).train, 0, 32, 0, 3)
    trained, placed = (models.build_model(baseline, tiny, 3) for _ in range(2))
    intervals.interval_of(trained, load_dataset(tiny).train.images)(left, right, labels)
    training._place_dropout(placed, 3)
    assert dropout_counters(placed) == dropout_counters(trained)
    assert [calls for _, calls in dropout_counters(placed)] == [6, 6, 6]


def test_how_often_it_is_checked_changes_no_training(tiny, fresh_keras):
    """An interval begins with the masks with which the one before it would have gone on."""
    split, ends = load_dataset(tiny).train, []
    for checks in ([3], [0, 1, 3]):
        model = models.build_model(baseline, tiny, 3)
        training.train(model, split, baseline, tiny, seed=1, checks=checks)
        ends.append(model.get_weights())
    for a, b in zip(*ends, strict=True):
        np.testing.assert_array_equal(a, b)


def test_both_backends_take_the_same_ten_steps(tmp_path):
    tensorflow, jax = ten_steps("tensorflow", tmp_path), ten_steps("jax", tmp_path)
    assert jax["imported"] == ["jax"], "no TensorFlow and no Jupyter (IPython Keras itself imports)"
    assert tensorflow["losses"][0] > tensorflow["losses"][-1]
    np.testing.assert_allclose(jax["losses"], tensorflow["losses"], rtol=2e-3)
    # the first layer's moving means after one step: both backends moved them twice, once for each branch
    np.testing.assert_allclose(jax["norm"], tensorflow["norm"], rtol=2e-3, atol=2e-3)


WITHOUT_TENSORFLOW = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "tensorflow":
            raise ModuleNotFoundError("not on this machine", name=name)

sys.meta_path.insert(0, Absent())
from siamese_utils.training import loop as training
run = training.load_or_train("baseline", sys.argv[1])
assert run.metrics["provenance"]["backend"] == "jax"
assert run.model().count_params() == run.metrics["parameters"]
"""


def test_a_whole_run_works_where_there_is_only_jax(tmp_path):
    """Train, checkpoint, evaluate and keep, on a machine that has no TensorFlow (Keras looks for it when it saves)."""
    env = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "SIAMESE_REPORTS_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", WITHOUT_TENSORFLOW, str(TINY)], check=True, cwd=ROOT, env=env)
    assert len([path for path in tmp_path.glob("tiny/results/*") if path.is_dir()]) == 1


def test_the_paper_profile_is_the_authors_protocol():
    paper = load_profile("paper")
    assert paper.is_paper_protocol
    assert (paper.check_every, paper.check_episodes, paper.precision) == (100, 250, "float32")
    assert not load_profile("laptop").is_paper_protocol


# ---- with a stand-in for the model: nothing is trained


SPLIT = blank_split(130, 4)


def counter(path, seed, calls):
    """A variable of a model, which keeps what it is given."""
    return SimpleNamespace(path=path, value=np.array([seed, 0]), assign=calls.append)


@pytest.fixture
def intervals_seen(monkeypatch):
    """The pairs of each interval that `train` asks for; the losses are 2²⁴, 1, 1, …: too far apart for float32."""
    seen = []

    def interval_of(model, images):
        def interval(*pairs):
            seen.append(((model, images), *pairs))
            return np.array([2**24, *[1] * (len(pairs[0]) - 1)], np.float32)

        return interval

    monkeypatch.setattr(training, "interval_of", interval_of)
    return seen


def test_the_pairs_of_steps_are_those_of_each_step(tiny):
    split = SPLIT
    left, right, labels = training.pairs_of_steps(split, 7, 4, 3, 5)
    assert (left.shape, right.shape, labels.shape) == ((2, 4, 2), (2, 4, 2), (2, 4))
    for number, step in enumerate((3, 4)):
        pairs = draw_pairs(split, 4, [7, step])
        np.testing.assert_array_equal(left[number], pairs.left)
        np.testing.assert_array_equal(right[number], pairs.right)
        np.testing.assert_array_equal(labels[number], pairs.labels)


def test_a_training_is_cut_at_its_checks(tiny, intervals_seen):
    split, places, told = SPLIT, [], []
    others = [counter("dropout/seed_generator_state", 9, places), counter("norm/moving_mean", 8, places)]
    model = SimpleNamespace(non_trainable_variables=others)
    found = training.train(
        model,
        split,
        baseline,
        tiny,
        seed=7,
        checks=[3, 4],
        after_check=lambda *check: told.append(check),
        first_update=1,
    )
    assert places == [[9, 2], [9, 8]], "twice the updates before"
    rate = models.learning_rate_schedule(baseline.recipe.learning_rate, tiny)
    assert found == [
        {"batch_loss": 1.0, "mean_loss": (2**24 + 2) / 3, "learning_rate": pytest.approx(float(rate(3)))},
        {"batch_loss": 2.0**24, "mean_loss": 2.0**24, "learning_rate": pytest.approx(float(rate(4)))},
    ]
    assert {type(number) for losses in found for number in losses.values()} == {float}
    assert told == [(3, found[0]), (4, found[1])]
    for ((of, images), *pairs), (first, last) in zip(intervals_seen, ((1, 4), (4, 5)), strict=True):
        assert of is model
        assert images is split.images
        for one, other in zip(pairs, training.pairs_of_steps(split, 7, tiny.batch_size, first, last), strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_training_of_a_fixed_rate_and_a_batch_of_the_profiles_own(tiny, intervals_seen):
    split, model = SPLIT, SimpleNamespace(non_trainable_variables=[])
    smaller = tiny.model_copy(update={"batch_size": 6})
    (found,) = training.train(model, split, load_experiment("lr-0.001"), smaller, checks=[1])
    assert found["learning_rate"] == pytest.approx(0.001)
    ((_, *pairs),) = intervals_seen
    for one, other in zip(pairs, training.pairs_of_steps(split, 0, 6, 0, 2), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("backend", "cpu", "done"),
    [
        ("tensorflow", True, ["seed 5", "determinism", "auto"]),
        ("tensorflow", False, ["seed 5", "auto"]),
        ("jax", True, ["auto"]),
    ],
)
def test_what_may_draw_has_the_runs_seed_and_a_cpu_computes_repeatably(backend, cpu, done, monkeypatch):
    import tensorflow as tf

    calls = []
    monkeypatch.setattr(keras.config, "backend", lambda: backend)
    monkeypatch.setattr(keras.utils, "set_random_seed", lambda seed: calls.append(f"seed {seed}"))
    monkeypatch.setattr(tf.config.experimental, "enable_op_determinism", lambda: calls.append("determinism"))
    monkeypatch.setattr(training, "on_cpu", lambda: cpu)
    monkeypatch.setattr(training, "choose_convolutions", calls.append)
    training.prepare_backend(5, "auto")
    assert calls == done
    training.prepare_backend(5)
    assert calls[-1] == "float32"


@pytest.fixture
def steps_of_a_run(monkeypatch):
    """A stand-in for each that `_train_checks` calls: a list of the calls. Each look at the time is 10 s later."""
    calls, clock = [], itertools.count(1_000, 10)

    def stand_in(name, result=None):
        def called(*given, **options):
            calls.append((name, *given, *options.items()))
            return result

        return called

    def train(model, split, experiment, profile, *, checks, after_check, **options):
        calls.append(("train", model, split, experiment, profile, checks, *options.items()))
        for check in checks:
            after_check(check, {"batch_loss": 5.0, "mean_loss": 6.0, "learning_rate": 0.1})

    monkeypatch.setattr(training, "train", train)
    monkeypatch.setattr(training.time, "perf_counter", lambda: next(clock) + 0.04)
    for name, result in (
        ("refuse_another", None),
        ("remember_code_version", None),
        ("prepare_backend", None),
        ("origin_of_checks", {"commit": "abc"}),
        ("check_model", {"val_accuracy": 0.25}),
        ("save_checkpoint", None),
    ):
        monkeypatch.setattr(training, name, stand_in(name, result))
    monkeypatch.setattr(models, "build_model", stand_in("build_model", "a new model"))
    return calls


def line(iteration, seconds):
    losses = {"batch_loss": 5.0, "mean_loss": 6.0, "learning_rate": 0.1}
    return {"iteration": iteration, **losses, "val_accuracy": 0.25, "seconds": seconds, "commit": "abc"}


def test_a_run_is_trained_check_by_check(steps_of_a_run, tmp_path, monkeypatch, tiny):
    calls, told, data = steps_of_a_run, [], SimpleNamespace(train="images")
    profile, folder = tiny.model_copy(update={"convolutions": "auto"}), tmp_path / "run"
    partial = tmp_path / "run.partial"

    def prepare(*given, notify):
        calls.append(("prepare_resume", *given, notify))
        return None, []

    monkeypatch.setattr(training, "prepare_resume", prepare)
    model, history = training._train_checks(folder, baseline, profile, 3, data, told.append, 2, "notify")
    assert model == "a new model"
    assert history == [line(0, 10.0), line(2, 20.0)]
    assert calls == [
        ("refuse_another", data, profile),
        ("remember_code_version",),
        ("prepare_backend", 3, "auto"),
        ("origin_of_checks",),
        ("prepare_resume", baseline, profile, 3, partial, "notify"),
        ("build_model", baseline, profile, 3),
        ("train", model, "images", baseline, profile, [0, 2], ("seed", 3), ("first_update", 0)),
        ("check_model", model, data, profile, 0),
        ("save_checkpoint", partial, model, history),
        ("check_model", model, data, profile, 2),
        ("save_checkpoint", partial, model, history),
    ]
    assert told == [Progress("Baseline", 3, iteration, 4, 5.0, 0.25) for iteration in (0, 2)]


def test_a_run_goes_on_with_the_time_and_the_updates_it_has(steps_of_a_run, tmp_path, monkeypatch, tiny):
    # as the history has it
    earlier = {**line(2, 0), "iteration": "2", "seconds": "7.56"}
    monkeypatch.setattr(training, "prepare_resume", lambda *_, **__: ("its model", [earlier]))
    data = SimpleNamespace(train="images")
    model, history = training._train_checks(tmp_path, baseline, tiny, 0, data, None, 4, "notify")
    # 7.56 + 10, to a tenth
    assert (model, history) == ("its model", [earlier, line(4, 17.6)])
    names = [name for name, *_ in steps_of_a_run]
    assert names == [
        "refuse_another", "remember_code_version", "prepare_backend", "origin_of_checks",
        "train", "check_model", "save_checkpoint",
    ]  # fmt: skip
    assert steps_of_a_run[4][5:] == ([4], ("seed", 0), ("first_update", 3))


def test_a_trained_run_is_evaluated_and_kept(steps_of_a_run, tmp_path, monkeypatch, tiny):
    kept = []
    monkeypatch.setattr(training, "final_scores", lambda *given: (["scores of", *given], "answers"))
    monkeypatch.setattr(training, "keep_results", lambda *given, **metrics: kept.append((given, metrics)))
    history = [line(0, "1.0") | {"batch_loss": "7.25"}, line(2, "2.0"), line(4, "7.56") | {"iteration": "4"}]
    found = training._evaluate_and_keep(tmp_path / "run", baseline, tiny, 3, "data", "model", history)
    partial = tmp_path / "run.partial"
    assert found == partial
    ((given, metrics),) = kept
    assert given == (partial, "model", "data", ["scores of", "model", "data", tiny], "answers")
    origin = dict.fromkeys(ORIGIN_COLUMNS, "") | {"commit": "abc"}
    assert metrics == {
        "experiment": "baseline",
        "profile": "tiny",
        "seed": 3,
        "iterations": 4,
        "first_batch_loss": 7.25,
        "episodes": 1_000,
        # 7.56 + 10, to a tenth
        "seconds": 17.6,
        "origins": [origin],
    }


def test_the_places_where_checks_were_made_are_named_once_each():
    one, other = ({name: place for name in ORIGIN_COLUMNS} for place in ("here", "there"))
    unknown, none = {}, dict.fromkeys(ORIGIN_COLUMNS)
    partly = {"device": "CPU"}
    history = [unknown, none, one | {"iteration": 1}, other, one | {"iteration": 3}, partly]
    assert training._origins(history) == [one, other, dict.fromkeys(ORIGIN_COLUMNS, "") | partly]


@pytest.fixture
def made_up_training(reports, monkeypatch, tiny):
    """Trains and evaluates nothing: a list of how far was asked for, and on what."""
    calls = []

    def train_checks(folder, experiment, profile, seed, data, on_progress, stop, notify):
        calls.append((folder.name, experiment.name, profile.name, seed, data.name, on_progress, stop, notify))
        return "model", "history"

    def evaluate(folder, experiment, profile, seed, data, *trained):
        calls.append((folder.name, experiment.name, profile.name, seed, data.name, *trained))
        run = make_run(experiment.name, profile, seed, answers(300), seconds=2.0)
        return run.folder.rename(run.folder.with_name(folder.name + ".partial"))

    monkeypatch.setattr(training, "load_dataset", lambda profile: SimpleNamespace(name=f"that of {profile.name}"))
    monkeypatch.setattr(training, "_train_checks", train_checks)
    monkeypatch.setattr(training, "_evaluate_and_keep", evaluate)
    return calls


@pytest.mark.parametrize("until", [None, 4, 1_000])
def test_a_run_to_its_end_is_trained_evaluated_and_found(until, made_up_training, tiny):
    own = SimpleNamespace(name="another")
    run = training.load_or_train("baseline", TINY, 2, until=until, dataset=own, on_progress=print, notify=len)
    name = run_folder(baseline, tiny, 2)[0].name
    assert (run.folder.name, run.finished) == (name, True)
    assert made_up_training == [
        (name, "baseline", "tiny", 2, "another", print, 4, len),
        (name, "baseline", "tiny", 2, "another", "model", "history"),
    ]
    for further in (None, 2):
        assert training.load_or_train("baseline", TINY, 2, until=further, dataset=own).folder == run.folder
    assert len(made_up_training) == 2, "neither trained nor evaluated again"


def test_a_run_up_to_an_iteration_is_not_evaluated(made_up_training, tiny):
    for own, name in ((None, "that of tiny"), (SimpleNamespace(name="another"), "another")):
        run = training.load_or_train(baseline, tiny, until=3, dataset=own)
        folder, _ = run_folder(baseline, tiny, 0)
        assert (run.folder, run.finished) == (partial_folder(folder), False)
        assert made_up_training.pop() == (folder.name, "baseline", "tiny", 0, name, None, 3, warnings.warn)
    assert made_up_training == []


def test_weights_are_trained_anew_only_where_they_are_wanted(made_up_training, tiny):
    training.load_or_train(baseline, tiny)
    assert [call[4] for call in made_up_training] == 2 * ["that of tiny"]
    told = []
    # made up a second time
    with pytest.raises(FileExistsError):
        training.load_or_train(baseline, tiny, weights=True, notify=told.append)
    assert len(made_up_training) == 4
    assert "they are trained anew" in told[0]


def test_a_dataset_that_is_not_the_profiles_is_refused_before_anything_is_trained(reports, tiny):
    """The run's name says that it is of the profile's: trained to its end, it would not be believed."""
    drawn = load_dataset(tiny)
    for profile in (tiny.model_copy(update={"dataset": "omniglot"}), tiny.model_copy(update={"image_size": 28})):
        with pytest.raises(ParamsError, match="synthetic at 20 pixels is not the dataset of the profile tiny"):
            training.load_or_train(baseline, profile, dataset=drawn)
    assert not list(reports.glob("tiny/results/*.partial"))
