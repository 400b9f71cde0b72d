"""What we learned: sentences with the runs' own numbers, and none that the runs at hand do not bear."""

import re
from dataclasses import replace

import numpy as np
import pytest
from run_on_disk import answers, make_run

from siamese_utils.config import load_experiment
from siamese_utils.evidence.author_logs import author_log
from siamese_utils.evidence.board import Board
from siamese_utils.evidence.fidelity import histories, likenesses
from siamese_utils.report import findings as module
from siamese_utils.report.findings import SHORT, findings, gist, numbers
from siamese_utils.report.rendering import piece, render


@pytest.fixture(scope="module")
def laptop():
    return Board.of("laptop")


def test_without_runs_only_the_paper_and_the_logs_speak(reports):
    sentences = findings(numbers(Board.of("laptop")))
    assert len(sentences) == 3
    assert "9 of its 14 variants" in sentences[1]
    assert "seed" not in " ".join(sentences)
    assert gist(Board.of("laptop")) == {}


def test_drawn_characters_teach_nothing_about_the_paper(reports, tiny):
    for seed, right in ((0, 700), (1, 600)):
        make_run("baseline", tiny, seed, answers(right))
    assert len(findings(numbers(Board(tiny)))) == 3


def test_the_findings_are_few_short_and_no_counts_of_verdicts(laptop):
    sentences = findings(numbers(laptop))
    assert 3 <= len(sentences) <= 6
    for sentence in sentences:
        assert len(re.findall(r"[A-Za-z]{2,}", sentence)) <= 35, sentence
        assert not re.search("reproduced|undecided|not testable", sentence)


def test_at_the_authors_protocol_the_first_finding_stands_beside_the_log(monkeypatch):
    """By a row's longest run: one that differs decides among equals; a row that is not at its end says where it is."""
    one = next(judged for judged in likenesses(histories()) if judged.experiment.name == "baseline")
    mlp, dense = load_experiment("mlp"), load_experiment("dense-512")

    def first_finding(*judged):
        monkeypatch.setattr(module, "likenesses", lambda _: list(judged))
        return findings(numbers(Board.of("paper")))[0]

    agreeing = [
        replace(one, iteration=5000, verdict="agrees"),
        replace(one, experiment=dense, iteration=1000, verdict="differs"),
        replace(one, experiment=dense, iteration=5000, verdict="agrees"),
        replace(one, experiment=mlp, iteration=50, verdict="agrees"),
        replace(one, experiment=mlp, iteration=100, verdict="too short to say"),
    ]
    sentence = first_finding(*agreeing)
    assert "all 2 networks that came far enough to judge follow" in sentence
    assert "Unlike the log" not in sentence

    differing = [
        replace(one, experiment=dense, iteration=5000, verdict="differs"),
        replace(one, experiment=mlp, iteration=1200, verdict="differs"),
    ]
    sentence = first_finding(*agreeing, *differing)
    assert "1 of the 3 networks" in sentence
    assert sentence.endswith(" Unlike the log: Dense - 512 and the MLP up to 1,200.")


def test_the_counts_are_the_boards(laptop):
    found = numbers(laptop)["counts"]
    described = [judgement.verdict for judgement in laptop.judgements if judgement.variant != "as run"]
    assert found == {verdict: described.count(verdict) for verdict in found}
    assert sum(found.values()) == len(described)


def test_the_best_network_and_the_sides_are_those_of_the_rows(laptop):
    rows, found = laptop.rows.set_index("label"), numbers(laptop)
    in_table = rows[rows["group"] != "Not in Table 1"]
    assert found["best"]["label"] == in_table["ours_val"].idxmax()
    labels = {short: load_experiment(name).label for name, short in SHORT.items()}
    for name, sign in (("below", 1), ("otherwise", -1)):
        assert found[name], "the committed runs have rows of each kind"
        for words in found[name]:
            label = words[: words.rindex(" (")]
            row = rows.loc[labels.get(label, label)]
            assert np.sign(row["difference"] * row["paper_difference"]) == sign
            assert row["difference_low"] * row["difference_high"] > 0
    untrained = laptop.rows[laptop.rows["degenerate"].astype(bool)]
    assert [words.partition(" (paper")[0] for words in found["untrained"]] == list(untrained["label"])


def test_the_author_stood_elsewhere_where_the_profile_stops(laptop):
    log = author_log("model_v3").set_index("iteration")["val_accuracy"]
    there = numbers(laptop)["author_there"]
    assert there == {"there": 100 * log[laptop.profile.iterations], "end": pytest.approx(73.2)}
    assert numbers(Board.of("paper"))["author_there"] is None


def test_html_is_escaped_and_a_sentence_is_not(laptop):
    assert piece("text", "a < b & c") == "<p>a &lt; b &amp; c</p>"
    text = render("findings.md.j2", {**numbers(laptop), "below": ["a < b", "c & d"]})
    assert "a < b and c & d." in text
