"""One board: every test once, both lists of verdicts from one correction, rows without a second look at the disk."""

import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from made_up import evidence, paper_world
from run_on_disk import answers, make_run

from siamese_utils.config import load_matrix, load_profile
from siamese_utils.evaluation.accuracy import wilson
from siamese_utils.evidence import estimates, facts, verdicts
from siamese_utils.evidence.board import Board, compare_runs
from siamese_utils.evidence.claims import Training, load_claims, row_claims
from siamese_utils.evidence.estimates import Term, resolution
from siamese_utils.evidence.questions import Question, questions
from siamese_utils.training.runs import Run


def test_every_test_is_made_once_for_claims_and_rows(monkeypatch):
    corrected, holm = [], verdicts.holm
    monkeypatch.setattr(verdicts, "holm", lambda p: corrected.append(len(p)) or holm(p))
    board = Board(load_profile("paper"), evidence())
    judged, rows = board.judgements, board.row_judgements
    variants = sum(2 if claim.as_run() else 1 for claim in load_claims())
    assert len(judged) == variants
    assert list(rows) == list(row_claims())
    assert len(corrected) == 1
    # a row of a reader's own has no made-up runs
    asked = [j.claim for j in [*judged, *rows.values()] if j.verdict != "not run"]
    keys = {question.key for claim in asked for question in questions(claim.check)}
    levels = [(claim.check.experiments[0], claim.level) for claim in asked if claim.level is not None]
    keys |= {Question((Term(1, name),), "similar", level, resolution(level)).key for name, level in levels}
    scatters = sum(isinstance(j.claim.check, Training) and j.claim.check.kind == "unsteady" for j in judged)
    assert corrected[0] == len(keys) + scatters


def test_the_same_comparison_has_one_p_on_both_lists():
    board = Board(load_profile("paper"), evidence())
    by_id = {j.claim.id: j for j in board.judgements if j.variant != "as run"}
    shared = {"mlp": "mlp-low", "dense-128": "dense-128-drops", "without-l2": "without-l2-below"}
    for name, claim in shared.items():
        assert board.row_judgements[name].p == by_id[claim].p
        assert not np.isnan(by_id[claim].p)


def test_rows_have_the_accuracies_of_the_runs():
    made = evidence({"mlp": 30.0})
    rows = Board(made.profile, made).rows.set_index("experiment")
    line = rows.loc["mlp"]
    val = [runs.answers["val"].mean() for runs in made.facts["mlp"].values()]
    assert line["ours_val"] == pytest.approx(100 * np.mean(val))
    assert (line["seed_low"], line["seed_high"]) == pytest.approx((100 * min(val), 100 * max(val)))
    assert line["low"] == pytest.approx(100 * wilson(3000, 10_000).low)
    assert line["strict_val"] == pytest.approx(0.01)
    assert line["run_ids"] == ("mlp-s0", "mlp-s1", "mlp-s2")
    assert line["difference"] == pytest.approx(-45.0, abs=0.2)
    assert not line["degenerate"]


def test_a_board_reads_every_file_of_a_run_once(reports, tiny, monkeypatch):
    profile = tiny.model_copy(update={"seeds": (0, 1)})
    for name, share in (("baseline", 700), ("mlp", 300)):
        for seed in profile.seeds:
            make_run(name, profile, seed, answers(share + 10 * seed))
    reads = Counter()
    unpack = Run.answers
    monkeypatch.setattr(Run, "answers", lambda run: reads.update([run.run_id]) or unpack(run))
    finds = Counter()
    find_run = estimates.find_run
    monkeypatch.setattr(estimates, "find_run", lambda e, p, s: finds.update([(e.name, s)]) or find_run(e, p, s))
    board = Board(profile)
    rows = board.rows.set_index("experiment")
    assert board.judgements
    assert rows.loc["mlp", "ours_val"] == pytest.approx(30.5)
    assert rows.loc["mlp", "seeds"] == 2
    assert rows.loc["mlp", "trained_on"] == "an unknown backend on an unknown device"
    assert len(reads) == 4
    assert set(reads.values()) == set(finds.values()) == {1}


def test_work_grows_no_faster_than_the_runs(monkeypatch):
    """Eight times as many seeds: eight times as many readings of a measure, not one more."""
    counts = {}
    percent = facts.Facts.percent
    for seeds in (4, 32):
        calls = Counter()
        monkeypatch.setattr(facts.Facts, "percent", lambda f, m, calls=calls: calls.update([f.run_id]) or percent(f, m))
        made = evidence(seeds=range(seeds), episodes=200)
        board = Board(made.profile, made)
        assert len(board.judgements) + len(board.rows) > 40
        assert len(calls) == seeds * len(paper_world())
        counts[seeds] = sum(calls.values())
    assert counts[32] == 8 * counts[4]
    assert counts[4] <= 4 * len(load_matrix().experiments) * 8


def test_two_runs_are_compared_by_name():
    found = compare_runs("dense-64", "baseline", "laptop")
    assert found.terms[0].experiment == "dense-64"
    assert found.low < found.value < found.high
    gap = compare_runs("without-dropout", measure="gap")
    parts = [compare_runs("without-dropout", measure=split).value for split in ("train", "val")]
    assert gap.value == pytest.approx(parts[0] - parts[1])


def test_no_backend_and_no_statsmodels_is_imported():
    code = "import sys, siamese_utils.evidence.board as b; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "siamese_utils.evidence.board" in loaded
    assert not {"keras", "tensorflow", "jax", "statsmodels", "sklearn", "matplotlib"} & set(loaded)
