"""Weights that come with the repository: common model files, half as large, that answer as the record says."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

from siamese_utils import paths
from siamese_utils.beyond import training as learning
from siamese_utils.beyond.config import load_method
from siamese_utils.beyond.runs import find_method_run
from siamese_utils.beyond.scoring import EPISODE_SEED
from siamese_utils.config import load_experiment, load_profile
from siamese_utils.data.load import load_dataset
from siamese_utils.evaluation.accuracy import embed_split, predict_episodes
from siamese_utils.evaluation.episodes import draw_episodes
from siamese_utils.inference.one_shot import OneShot
from siamese_utils.training.runs import SHIPPED, WEIGHTS, Run, find_run
from siamese_utils.training.scores import final_seed

LAPTOP = load_profile("laptop")
SHIPPED_RUNS = ("baseline", "beyond-3-minutes", "beyond")
MEGABYTES = 8


def committed(name):
    """The folder of a run, seed 0, in this checkout; a user's own runs may lie beside it."""
    if name == "baseline":
        return find_run(load_experiment(name), LAPTOP, 0).folder
    return find_method_run(load_method(name), LAPTOP, 0).folder


@pytest.fixture(params=SHIPPED_RUNS)
def shipped(request, tmp_path):
    """A committed run with its shipped weights alone, whatever else this checkout has trained."""
    folder = committed(request.param)
    shutil.copytree(folder, tmp_path / folder.name, ignore=shutil.ignore_patterns(WEIGHTS))
    return Run(tmp_path / folder.name)


def test_shipped_weights_load_as_what_they_were_rounded_to(shipped, fresh_keras):
    model = shipped.model()
    assert model.count_params() == shipped.metrics["parameters"]
    values = [w for w in model.get_weights() if w.dtype == np.float32]
    for w in values:
        np.testing.assert_array_equal(w, w.astype(np.float16).astype(np.float32))
        assert np.isfinite(w).all()


def test_shipped_weights_are_few_and_small():
    files = list((ROOT / "reports").rglob(SHIPPED))
    assert {path.parent for path in files} == set(map(committed, SHIPPED_RUNS))
    assert sum(path.stat().st_size for path in files) < MEGABYTES * 1e6


def test_a_fresh_process_loads_a_method():
    """Nothing else is imported that would tell Keras of its layers."""
    code = (
        "import sys; from pathlib import Path; from siamese_utils.training.runs import Run;"
        " Run(Path(sys.argv[1])).model().get_layer('calibration')"
    )
    subprocess.run([sys.executable, "-c", code, str(committed("beyond-3-minutes"))], check=True, cwd=ROOT)


# of 10,000 episodes: half precision changed 1 where it was made, and another machine's rounding changes about as many
DIFFERING = 10


@pytest.mark.real_data
def test_shipped_weights_answer_as_the_record_says(shipped, fresh_keras):
    """The final episodes on new characters: an answer differs only where two classes were a rounding apart."""
    model, recorded = shipped.model(), shipped.answers()
    if "learner" in shipped.metrics:
        method = load_method(shipped.metrics["learner"])
        _, split = learning.splits(load_dataset(method.sized(LAPTOP)), "validation")
        kinds = [
            ("strict", "strict", [EPISODE_SEED, 0]),
            ("author", "author", [EPISODE_SEED, 1]),
        ]
    else:
        split = load_dataset(LAPTOP).val
        kinds = [(f"{p}/val", p, final_seed("val", 20)) for p in ("author", "strict")]
    embeddings = embed_split(model, split)
    for name, protocol, seed in kinds:
        drawn = draw_episodes(split, protocol=protocol, n_episodes=shipped.metrics["episodes"], seed=seed)
        differing = np.sum(predict_episodes(model, embeddings, drawn) != recorded[name])
        assert differing <= DIFFERING, (name, differing)


def test_the_model_that_is_used_where_none_is_named_is_the_ten_minute_one(fresh_keras):
    assert paths.shipped_model() == committed("beyond") / SHIPPED
    model = OneShot.load()
    assert model.name == f"{committed('beyond').name}, which comes with siamese-utils"
    scored = set(Run(committed("beyond")).metrics["scored_on"])
    page = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    assert committed("beyond").name in page
    assert all(alphabet.partition("_(")[0].replace("_", " ") in page for alphabet in scored)
    best = max(SHIPPED_RUNS[1:], key=lambda name: Run(committed(name)).score("strict").accuracy)
    assert best == "beyond"


def test_what_siamese_home_names_does_not_change_it(monkeypatch, tmp_path):
    monkeypatch.setenv("SIAMESE_HOME", str(tmp_path))
    monkeypatch.setenv("SIAMESE_REPORTS_DIR", str(tmp_path))
    assert paths.shipped_model().is_file()
