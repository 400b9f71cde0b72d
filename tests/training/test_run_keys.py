"""The names of committed runs: a run's key, and with it the hash in its folder's name, never changes unnoticed."""

import json

import pytest
from conftest import ROOT

from siamese_utils.beyond.config import load_method
from siamese_utils.beyond.runs import method_folder
from siamese_utils.cli.verify import _row_of
from siamese_utils.config import key_hash, load_experiment, load_profile
from siamese_utils.training.runs import Run, run_folder

PLACES = ("laptop/results", "paper/results", "paper/under_way")
PAPER_RUNS = [run for place in PLACES for run in (ROOT / "reports" / place).iterdir() if not run.name.startswith(".")]
OTHER_RUNS = list((ROOT / "reports/laptop/beyond").iterdir())
# of MLP runs before the author's order of its layers was known; kept beside the others in the audit
NO_LONGER_A_ROW = {"mlp-s0-e7233f3a4c"}


def test_known_hashes_stay():
    """Typed by hand: a change of the keys that renamed every run alike would still be seen."""
    laptop, paper = load_profile("laptop"), load_profile("paper")
    named = [
        run_folder(load_experiment("baseline"), laptop, 0)[0].name,
        run_folder(load_experiment("lr-0.001-as-run"), laptop, 2)[0].name,
        run_folder(load_experiment("mlp"), paper, 0)[0].name,
        method_folder(load_method("beyond-3-minutes"), laptop, 0, "evaluation")[0].name,
        method_folder(load_method("beyond"), laptop, 0, "validation")[0].name,
    ]
    assert named == [
        "baseline-s0-2d3844afd7",
        "lr-0.001-as-run-s2-83c5c4011e",
        "mlp-s0-a851dd9fb1",
        "beyond-3-minutes-evaluation-s0-cd3bda85f1",
        "beyond-validation-s0-d3c0a74556",
    ]


@pytest.mark.parametrize("folder", PAPER_RUNS, ids=lambda path: path.name)
def test_a_run_of_the_matrix_is_named_after_its_key(folder):
    key = json.loads((folder / "config.json").read_text())
    if folder.name in NO_LONGER_A_ROW:
        assert folder.name.endswith(key_hash(key))
        return
    experiment, profile = _row_of(Run(folder), load_profile(folder.parents[1].name))
    found, expected = run_folder(experiment, profile, key["seed"])
    assert found.name == folder.name
    assert expected == key


@pytest.mark.parametrize("folder", OTHER_RUNS, ids=lambda path: path.name)
def test_a_run_beyond_the_paper_is_named_after_its_key(folder):
    key = json.loads((folder / "config.json").read_text())
    method, profile = load_method(key["learner"]["name"]), load_profile(folder.parents[1].name)
    # pictures are known by what their archive holds, Omniglot by its own fingerprint
    fingerprint = key["dataset"] if method.group == "pictures" else None
    found, expected = method_folder(method, method.sized(profile), key["seed"], key["held_out"], fingerprint)
    assert found.name == folder.name
    assert expected == key
