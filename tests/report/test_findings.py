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
    sentences = findings(Board.of("laptop"))
    assert len(sentences) == 3
    assert "9 of its 14 variants" in sentences[1]
    assert "seed" not in " ".join(sentences)
    assert gist(Board.of("laptop")) == {}


def test_drawn_characters_teach_nothing_about_the_paper(reports, tiny):
    for seed, right in ((0, 700), (1, 600)):
        make_run("baseline", tiny, seed, answers(right))
    assert len(findings(Board(tiny))) == 3


def test_the_findings_are_few_short_and_no_counts_of_verdicts(laptop):
    sentences = findings(laptop)
    assert 3 <= len(sentences) <= 6
    for sentence in sentences:
        assert len(re.findall(r"[A-Za-z]{2,}", sentence)) <= 35, sentence
        assert not re.search("reproduced|undecided|not testable", sentence)


def test_at_the_authors_protocol_the_first_finding_stands_beside_the_log(monkeypatch):
    judged = likenesses(histories())
    follow = [one for one in judged if one.verdict == "agrees"]
    assert follow
    assert "differs" not in {one.verdict for one in judged}
    sentence = findings(Board.of("paper"))[0]
    assert f"all {len(follow)} networks that came far enough to judge follow" in sentence
    assert f"Baseline up to {follow[0].iteration:,}" in sentence
    assert "Unlike the log" not in sentence

    judged[judged.index(follow[-1])] = replace(follow[-1], verdict="differs")
    monkeypatch.setattr(module, "likenesses", lambda _: judged)
    sentence = findings(Board.of("paper"))[0]
    assert f"{len(follow) - 1} of the {len(follow)} networks that came far enough" in sentence
    assert f"Unlike the log: the MLP up to {follow[-1].iteration:,}." in sentence


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
