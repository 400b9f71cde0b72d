"""What we learned: sentences with the runs' own numbers, and none that the runs at hand do not bear."""

import re

import numpy as np
import pytest
from run_on_disk import answers, make_run

from siamese_utils.config import load_experiment
from siamese_utils.evidence.board import Board
from siamese_utils.report.findings import findings, numbers
from siamese_utils.report.rendering import piece, render


@pytest.fixture(scope="module")
def laptop():
    return Board.of("laptop")


def test_without_runs_only_the_paper_and_the_logs_speak(reports):
    sentences = findings(Board.of("laptop"))
    assert len(sentences) == 4
    assert "9 of the 14 variants" in sentences[2]
    assert "seed" not in " ".join(sentences)


def test_drawn_characters_teach_nothing_about_the_paper(reports, tiny):
    for seed, right in ((0, 700), (1, 600)):
        make_run("baseline", tiny, seed, answers(right))
    assert len(findings(Board(tiny))) == 4


def test_the_counts_are_the_boards(laptop):
    counts = [laptop.counts(by_runs=by_runs) for by_runs in (False, True)]
    first = findings(laptop)[0]
    assert first.startswith(f"Of {sum(sum(c.values()) for c in counts)} claims")
    assert [int(n) for n in re.findall(r"(\d+) (?:reproduced|direction|not |undecided)", first)] == [
        count for part in counts for count in part.values()
    ]


def test_the_best_network_and_the_sides_are_those_of_the_rows(laptop):
    rows, found = laptop.rows.set_index("label"), numbers(laptop)
    in_table = rows[rows["group"] != "Not in Table 1"]
    assert found["best"]["label"] == in_table["ours_val"].idxmax()
    for name, sign in (("below", 1), ("farther", 1), ("other_side", -1)):
        assert found[name], "the committed runs have rows of each kind"
        for words in found[name]:
            row = rows.loc[words[: words.rindex(" (")]]
            assert np.sign(row["difference"] * row["paper_difference"]) == sign
    assert {words.partition(" (paper")[0] for words in found["untrained"]} == {
        load_experiment(name).label for name in ("zero-initialization", "without-batch-norm")
    }


def test_html_is_escaped_and_a_sentence_is_not(laptop):
    assert piece("text", "a < b & c") == "<p>a &lt; b &amp; c</p>"
    text = render("findings.md.j2", {**numbers(laptop), "below": ["a < b", "c & d"]})
    assert "a < b and c & d." in text
