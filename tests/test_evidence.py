"""What is committed under reports/ is what the matrix and the profiles of today define, and says what is claimed."""

import json

import pandas as pd
import pytest
from conftest import ROOT

from siamese_utils.params import load_experiment, load_matrix, load_profile
from siamese_utils.results import find_runs, tidy

MEGABYTES = 25
laptop = load_profile("laptop")


@pytest.fixture(scope="module")
def runs():
    return {run.config["experiment"]: run for run in find_runs(laptop)}


def test_every_experiment_of_the_laptop_profile_is_committed_and_current(runs):
    """A run is found by the hash of what determines it: a changed recipe or profile would not find the old one."""
    assert set(runs) == {experiment.name for experiment in load_matrix().experiments}


def test_committed_runs_name_real_omniglot_and_their_commit(runs):
    for run in runs.values():
        assert run.metrics["dataset"]["name"] == "omniglot"
        assert not run.metrics["dataset"]["synthetic"]
        assert len(run.metrics["provenance"]["commit"]) == 40


def test_the_first_losses_on_omniglot_tell_the_experiments_apart(runs):
    """At 28×28 pixels kernels are fewer than the author's, but a penalty is there or it is not."""
    for name, run in runs.items():
        experiment = load_experiment(name)
        penalized = experiment.recipe.l2 > 0 and experiment.recipe.initializer != "zeros"
        assert (run.metrics["first_batch_loss"] > 1.2) == penalized, name


@pytest.mark.parametrize("protocol", ["author", "strict"])
def test_table_1_ranks_learning_networks_above_the_broken_ones(runs, protocol):
    table = tidy(runs.values())
    val = table[(table["protocol"] == protocol) & (table["split"] == "val") & (table["ways"] == 20)]
    val = val.set_index("experiment")
    for good in ("baseline", "dense-512"):
        for poor in ("without-l2", "zero-initialization"):
            assert val.loc[good, "low"] > val.loc[poor, "high"], (good, poor)
    zero = val.loc["zero-initialization"]
    assert (zero["low"] <= 0.05 <= zero["high"]) if protocol == "author" else zero["accuracy"] == 0


def test_the_committed_laptop_report_is_whole_and_small():
    folder = ROOT / "reports" / "laptop"
    outcomes = json.loads((folder / "batch.json").read_text())
    assert {entry["status"] for entry in outcomes} == {"ok"}
    committed = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".keras"]
    assert sum(path.stat().st_size for path in committed) < MEGABYTES * 1e6
    assert (folder / "index.html").is_file()


def test_the_committed_fidelity_run_follows_the_authors_log():
    """Same loss at the start within 0.15, and the same fall: a wrong penalty or learning rate would be far off."""
    folder = ROOT / "reports" / "paper" / "fidelity"
    checks = pd.DataFrame(json.loads((folder / "baseline-s0.json").read_text())["checks"]).set_index(
        "iteration"
    )
    assert list(checks.index) == [0, 100, 200, 300, 400]
    assert abs(checks.loc[0, "batch_loss"] - checks.loc[0, "batch_loss_author"]) < 0.15
    ratio = checks["batch_loss"] / checks["batch_loss_author"]
    assert ratio.between(0.75, 1.25).all()
    history = pd.read_csv(folder / "baseline-s0.csv").set_index("iteration")
    assert history["batch_loss"].round(4).equals(checks["batch_loss"])
