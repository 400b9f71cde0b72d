"""`run` trains once, resumes where it was killed, repeats itself to the byte, and agrees between backends."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, TINY

from siamese_utils import training
from siamese_utils.errors import ParamsError
from siamese_utils.params import key_hash, load_experiment, load_profile, run_key
from siamese_utils.results import dataset_fingerprint, find_run, find_runs, tidy

baseline = load_experiment("baseline")


class Killed(Exception):
    """Stands for a kill at the worst moment."""


def test_a_run_leaves_everything_a_reader_needs(reports, tiny, fresh_keras):
    run = training.run(baseline, tiny)
    assert sorted(path.name for path in run.folder.iterdir()) == [
        "answers.npz", "config.json", "history.csv", "metrics.json", "model.keras",
    ]  # fmt: skip
    assert list(run.history.columns) == list(training.HISTORY_COLUMNS)
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


def test_a_finished_run_is_loaded_and_never_trained_again(reports, tiny, monkeypatch, fresh_keras):
    first = training.run(baseline, tiny)
    monkeypatch.setattr(training, "_train_and_evaluate", lambda *_: pytest.fail("trained twice"))
    assert training.run(baseline, tiny).folder == first.folder
    assert find_run(baseline, tiny, 0).run_id == first.run_id
    assert [run.run_id for run in find_runs(tiny)] == [first.run_id]


def test_two_runs_of_one_seed_agree_to_the_byte(tmp_path, monkeypatch, tiny, fresh_keras):
    folders = []
    for name in ("one", "two"):
        monkeypatch.setenv("SIAMESE_REPORTS_DIR", str(tmp_path / name))
        folders.append(training.run(baseline, tiny, seed=5))
    one, two = folders
    for a, b in zip(one.model().get_weights(), two.model().get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()
    assert (one.folder / "answers.npz").read_bytes() == (two.folder / "answers.npz").read_bytes()
    timeless = [column for column in training.HISTORY_COLUMNS if column != "seconds"]
    assert one.history[timeless].equals(two.history[timeless])


@pytest.mark.parametrize("check", [0, 2, 4])
def test_a_killed_run_resumes_from_its_last_check_as_if_nothing_had_happened(
    check, tmp_path, monkeypatch, tiny, fresh_keras
):
    monkeypatch.setenv("SIAMESE_REPORTS_DIR", str(tmp_path / "whole"))
    whole = training.run(baseline, tiny, seed=1)

    def kill(progress):
        if progress.iteration == check:
            raise Killed

    monkeypatch.setenv("SIAMESE_REPORTS_DIR", str(tmp_path / "killed"))
    with pytest.raises(Killed):
        training.run(baseline, tiny, seed=1, progress=kill)
    assert find_run(baseline, tiny, 1) is None, "an unfinished run is not found"
    seen = []
    resumed = training.run(baseline, tiny, seed=1, progress=lambda progress: seen.append(progress.iteration))
    assert seen == [iteration for iteration in (0, 2, 4) if iteration > check], (
        "what was done is not done again"
    )
    for a, b in zip(whole.model().get_weights(), resumed.model().get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()
    timeless = [column for column in training.HISTORY_COLUMNS if column != "seconds"]
    assert whole.history[timeless].equals(resumed.history[timeless])
    assert whole.metrics["scores"] == resumed.metrics["scores"]


def test_a_history_whose_checkpoint_is_gone_starts_anew(reports, tiny, fresh_keras):
    def kill(_):
        raise Killed

    with pytest.raises(Killed):
        training.run(baseline, tiny, progress=kill)
    (checkpoint,) = reports.glob("tiny/results/*.partial/checkpoint-*.keras")
    checkpoint.unlink()
    assert training.run(baseline, tiny).history["iteration"].tolist() == [0, 2, 4]


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
        training.run("dense-1", "demo")
    with pytest.raises(ParamsError, match="no profile 'big'"):
        training.run("baseline", "big")


TEN_STEPS = """
import json, sys
import numpy as np
import siamese_utils
import keras
from siamese_utils import models, training
from siamese_utils.params import LearningRate, load_experiment, load_profile
from siamese_utils.datasets import load_dataset

folder = sys.argv[1]
profile = load_profile(sys.argv[2])
experiment = load_experiment("without-dropout")
slow = experiment.recipe.model_copy(update={"learning_rate": LearningRate(initial=0.001)})
model = models.build_model(experiment.model_copy(update={"recipe": slow}), profile)
weights = np.random.default_rng(0)
model.set_weights([w if w.ndim < 2 else weights.normal(0, 0.05, w.shape) for w in model.get_weights()])
batches = training.PairBatches(load_dataset(profile).train.images, 0, 128, 0, 10)
losses = [float(model.train_on_batch(*batches[0]))]
norm = model.get_layer("backbone").get_layer("norm_1").get_weights()[2]
losses += [float(model.train_on_batch(*batches[i])) for i in range(1, 10)]
foreign = sorted({"tensorflow", "jax", "ipykernel", "papermill"} & set(sys.modules))
json.dump({"losses": losses, "norm": norm.tolist(), "imported": foreign}, open(folder, "w"))
"""


def ten_steps(backend, tmp_path):
    """Ten steps from the same weights on the same batches, in a process of their own."""
    out = tmp_path / f"{backend}.json"
    subprocess.run(
        [sys.executable, "-c", TEN_STEPS, str(out), str(TINY)],
        check=True,
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"},
    )
    return json.loads(out.read_text())


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
from siamese_utils import training
run = training.run("baseline", sys.argv[1])
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
