"""What we learned: sentences with the runs' own numbers, and none that the runs at hand do not bear."""

import re
from dataclasses import replace

import numpy as np
import pytest
from made_up import evidence
from run_on_disk import answers, make_run

from siamese_utils.config import load_experiment
from siamese_utils.evidence.author_logs import author_log
from siamese_utils.evidence.board import Board
from siamese_utils.evidence.fidelity import histories, likenesses
from siamese_utils.report import findings as module
from siamese_utils.report.findings import SHORT, differences_by_notebook, findings, numbers
from siamese_utils.report.rendering import piece, render


@pytest.fixture(scope="module")
def laptop():
    return Board.of("laptop")


def test_without_runs_only_the_paper_and_the_logs_speak(reports):
    sentences = findings(numbers(Board.of("laptop")))
    assert len(sentences) == 3
    assert "9 of its 14 variants" in sentences[1]
    assert "seed" not in " ".join(sentences)
    assert differences_by_notebook(Board.of("laptop")) == {}


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


def test_at_the_authors_protocol_the_paper_s_accuracies_come_first():
    """Those within the noise of both are counted, the others named with both numbers; other profiles do not compare."""
    board = Board.of("paper")
    found = numbers(board)["reaches_paper"]
    rows = board.rows.query("variant != 'as described' and seeds > 0 and paper_val.notna()")
    assert 10 <= sum(map(len, found.values())) <= len(rows)
    line = rows.set_index("experiment").loc["dense-512"]
    assert f"{line['label']} ({line['ours_val']:.1f} %, paper {line['paper_val']:.1f} %)" in found["yes"]
    first = findings(numbers(board))[0].replace("\u00a0", " ")
    assert f"{len(found['yes'])} of {sum(map(len, found.values()))} networks" in first
    assert all(words in first for words in found["no"] + found["open"])
    assert not any(numbers(Board.of("laptop"))["reaches_paper"].values())


def test_an_accuracy_reaches_the_papers_within_the_noise_of_both():
    """250 episodes near 73 % move a figure by 5.5 points: 4 points are within it, 20 are not."""
    made = evidence({"dense-512": 71.6, "mlp": 54.4})
    board = Board(made.profile)
    board.__dict__["evidence"] = made
    found = numbers(board)["reaches_paper"]
    assert "Dense - 512 (71.6 %, paper 75.6 %)" in found["yes"]
    assert "the MLP (54.4 %, paper 34.4 %)" in found["no"]
    # seeds 60 points apart tell too little, however near their mean
    made = evidence({"dense-512": 50.0}, special={"dense-512": {"drift": 30.0}})
    board = Board(made.profile)
    board.__dict__["evidence"] = made
    assert numbers(board)["reaches_paper"]["open"] == ["Dense - 512 (50.0 %, paper 75.6 %)"]


def test_at_the_authors_protocol_a_finding_stands_beside_the_log(monkeypatch):
    """By a row's longest run: one that differs decides among equals; a row that is not at its end says where it is."""
    one = next(judged for judged in likenesses(histories()) if judged.experiment.name == "baseline")
    mlp, dense = load_experiment("mlp"), load_experiment("dense-512")

    def beside_the_log(*judged):
        monkeypatch.setattr(module, "likenesses", lambda _: list(judged))
        return next(words for words in findings(numbers(Board.of("paper"))) if words.startswith("Check by check, "))

    agreeing = [
        replace(one, iteration=5000, verdict="agrees"),
        replace(one, experiment=dense, iteration=1000, verdict="differs"),
        replace(one, experiment=dense, iteration=5000, verdict="agrees"),
        replace(one, experiment=mlp, iteration=50, verdict="agrees"),
        replace(one, experiment=mlp, iteration=100, verdict="undecided"),
        # no row of Table 1, and the baseline's own run for its first half
        replace(one, experiment=load_experiment("baseline-10k"), iteration=5100, verdict="agrees"),
    ]
    sentence = beside_the_log(*agreeing)
    assert sentence.startswith("Check by check, all 2 networks whose curves can be judged")
    assert "Unlike the log" not in sentence

    differing = [
        replace(one, experiment=dense, seed=1, iteration=5000, verdict="differs"),
        replace(one, experiment=mlp, iteration=1200, verdict="differs"),
    ]
    sentence = beside_the_log(*agreeing, *differing)
    assert "1 of 3 networks" in sentence
    assert " Unlike the log: Dense - 512 (1 of 2 seeds) and the MLP up to 1,200." in sentence


def test_the_counts_are_the_boards(laptop):
    found = numbers(laptop)["counts"]
    described = [judgement.verdict for judgement in laptop.judgements if judgement.variant != "as run"]
    assert found == {verdict: described.count(verdict) for verdict in found}
    assert sum(found.values()) == len(described)


def test_the_best_network_and_the_untrained_are_those_of_the_rows(laptop):
    rows, found = laptop.rows.set_index("label"), numbers(laptop)
    in_table = rows[rows["group"] != "Not in Table 1"]
    assert found["best"]["label"] == in_table["ours_val"].idxmax()
    untrained = laptop.rows[laptop.rows["degenerate"].astype(bool)]
    assert [words.partition(" (paper")[0] for words in found["untrained"]] == list(untrained["label"])


@pytest.mark.parametrize(("name", "sign"), [("below", 1), ("otherwise", -1)])
def test_the_sides_are_those_of_the_rows(laptop, name, sign):
    """No committed run is clearly on the other side than in the paper; it is where the paper's sign is turned."""
    rows = laptop.rows.assign(paper_difference=sign * laptop.rows["paper_difference"])
    found, rows = module._sides(rows)[name], rows.set_index("label")
    labels = {short: load_experiment(name).label for name, short in SHORT.items()}
    assert found
    for words in found:
        label = words[: words.rindex(" (")]
        row = rows.loc[labels.get(label, label)]
        assert np.sign(row["difference"] * row["paper_difference"]) == sign
        assert row["difference_low"] * row["difference_high"] > 0


def test_the_pattern_counts_the_networks_that_the_paper_tells_from_its_baseline(laptop):
    """Nine of them, all below it in the paper; ours are counted by hand."""
    rows = laptop.rows[(laptop.rows["variant"] != "as described") & laptop.rows["paper_val"].notna()]
    below = rows.loc[rows["apart"].astype(bool) & (rows["difference"] < 0), "label"]
    found = numbers(laptop)["pattern"]
    assert found["clearly"] == len(rows[rows["apart"].astype(bool) & (rows["difference_high"] < 0)])
    assert (found["apart"], found["below"], found["networks"]) == (9, len(below), 15)
    ranks = rows[["paper_val", "ours_val"]].rank()
    assert found["correlation"] == pytest.approx(np.corrcoef(ranks.to_numpy().T)[0, 1])
    logged = rows[rows["author_difference"].notna()]
    ranks = logged[["author_difference", "difference"]].rank()
    assert found["logged"] == len(logged) == 13, "the baseline is the reference, and zeros have no log"
    assert found["beside_log"] == pytest.approx(np.corrcoef(ranks.to_numpy().T)[0, 1])
    assert "the author’s at iteration 1,000 by" in findings(numbers(laptop))[0]
    nothing = numbers(Board.of("demo"))["pattern"]
    assert nothing["apart"] == nothing["logged"] == 0
    assert np.isnan(nothing["beside_log"])


def test_diamonds_are_explained_where_the_figure_has_any():
    """The demo's iterations are in no log of the author's; the full protocol's are in all but one."""
    assert not numbers(Board.of("demo"))["has_author_there"]
    assert numbers(Board.of("paper"))["has_author_there"]


def test_the_author_stood_elsewhere_where_the_profile_stops(laptop):
    log = author_log("model_v3").set_index("iteration")["val_accuracy"]
    there = numbers(laptop)["author_there"]
    assert there == {"there": 100 * log[laptop.profile.iterations], "end": pytest.approx(73.2)}
    assert numbers(Board.of("paper"))["author_there"] is None


def test_html_is_escaped_and_a_sentence_is_not(laptop):
    assert piece("text", "a < b & c") == "<p>a &lt; b &amp; c</p>"
    text = render("findings.md.j2", {**numbers(laptop), "below": ["a < b", "c & d"]})
    assert "a < b and c & d." in text
