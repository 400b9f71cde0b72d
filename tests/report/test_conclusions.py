"""What the audit and the notebook on k conclude: computed, and silent about what has not run."""

import numpy as np
import pandas as pd
import pytest

from siamese_utils.config import load_profile
from siamese_utils.evidence import first_loss
from siamese_utils.evidence.board import Board
from siamese_utils.report import conclusions

LEAKS = pd.DataFrame({"clean": [50.0, 40.0, 5.0], "effect": [1.0, -2.5, 9.0]})


@pytest.fixture(scope="module")
def candidates():
    return first_loss.first_loss_candidates([row.name for row in first_loss.published()])


def words(html):
    return " ".join(html.split())


def test_the_audit_counts_rows_and_leaves_out_networks_that_learned_nothing(candidates):
    said = words(conclusions.audit(Board.of("laptop"), candidates=candidates, judged=[], leaks=LEAKS))
    assert "Of 13 rows of Table 1 with a logged first loss, 7 have the first loss of the described network" in said
    assert "tell 9 of its 14 variants" in said
    assert "Over the 2 networks here that learned, both together move the accuracy by −2.5 to +1.0 points" in said


def test_drawn_characters_say_nothing_of_leaks(candidates, reports):
    said = conclusions.audit(Board.of("demo"), candidates=candidates, judged=[], leaks=LEAKS)
    assert "Leaks" not in said
    assert "What it changes" not in said


def test_the_curve_over_k_with_and_without_runs():
    line = {"split": "val", "protocol": "author", "episodes": 1000, "seed": 0}
    scores = pd.DataFrame([{**line, "ways": k, "correct": 1000 // k} for k in (2, 5, 10, 20)])
    share = np.array([0.5, 1.0])
    said = words(conclusions.k_way(load_profile("laptop"), scores=scores, share=share, network="a network"))
    assert "50.0 % (46.9 to 53.1) at k = 2" in said
    assert "(1 seed;" in said
    assert "independent, 0.4 % would be left at k = 20" in said
    assert "it is 50.0 %" in said
    nothing = conclusions.k_way(load_profile("laptop"), scores=scores.head(0), share=share, network="a network")
    assert "no measured curve yet" in nothing


def test_table_1_names_what_lies_above_the_baseline_and_is_silent_without_runs(reports):
    said = words(conclusions.table_1(Board.of("laptop")))
    assert "no finding yet" in said


def test_table_1_on_the_committed_runs():
    board = Board.of("laptop")
    said = words(conclusions.table_1(board))
    assert "512 (75.6 %)" in said
    assert "At most 9 of the paper’s 14 variants" in said
    clear = board.rows[(board.rows["difference_low"] > 0) & board.rows["paper_val"].notna()]
    assert all(label in said for label in clear["label"])
