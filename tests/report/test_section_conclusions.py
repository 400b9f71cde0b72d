"""How a notebook concludes: sentences from made-up runs with known differences, and a prediction with a known score."""

import numpy as np
import pytest
from bs4 import BeautifulSoup
from IPython.display import DisplayHandle
from made_up import evidence

from siamese_utils.config import load_experiment, load_matrix, load_profile, section_experiments
from siamese_utils.errors import ParamsError
from siamese_utils.evidence.author_logs import author_difference, author_log
from siamese_utils.evidence.board import Board
from siamese_utils.evidence.estimates import Evidence
from siamese_utils.report.conclusions import conclusion, full_length
from siamese_utils.report.readme import deciding, front_page
from siamese_utils.report.study import Study
from siamese_utils.report.tables import prediction_table

SECTION = section_experiments("regularization")


def board(world=None, **made):
    found = evidence(world, **made)
    return Board(found.profile, found)


def parts(html):
    """Heading → the lines under it."""
    soup = BeautifulSoup(html, "html.parser")
    lists = {}
    for heading in soup.select("p > strong"):
        following = heading.find_parent("p").find_next_sibling()
        if following and following.name == "ul":
            lists[heading.get_text().rstrip(".")] = [li.get_text(" ", strip=True) for li in following.select("li")]
    return lists


def test_networks_stand_under_what_became_of_the_papers_word():
    found = parts(conclusion(board({"without-dropout": 80.0}), SECTION))
    (otherwise,) = found["Unlike the paper"]
    assert otherwise.startswith("without Dropout : +5.0 points (95 % interval")
    assert otherwise.endswith("the paper −7.2 (within the noise of its 250 episodes).")
    assert len(found["As in the paper"]) == 2
    small = parts(conclusion(board(profile="laptop"), SECTION))
    assert len(small["Above, below or level as in the paper, its figure refuted or open"]) >= 2
    assert "As in the paper" not in small


def test_where_the_baseline_has_not_run_the_accuracy_stands_and_no_difference():
    text = BeautifulSoup(conclusion(board(leave_out=("baseline",)), SECTION), "html.parser").get_text()
    assert text.count("no baseline has run under the same seed") == len(SECTION) - 1
    assert "nan" not in text
    found = evidence(seeds=(0, 1, 2))
    fewer = {**found.facts, "baseline": {0: found.facts["baseline"][0], 1: found.facts["baseline"][1]}}
    shared = conclusion(Board(found.profile, Evidence(found.profile, fewer)), SECTION)
    assert shared.count("2 seeds: ") == len(SECTION) - 1


@pytest.mark.parametrize(("seeds", "words"), [((0,), "(one seed)"), ((0, 1), "2 seeds: "), ((0, 1, 2), "3 seeds: ")])
def test_the_seeds_are_counted_in_words(seeds, words):
    text = BeautifulSoup(conclusion(board(seeds=seeds), SECTION), "html.parser").get_text()
    assert text.count(words) == len(SECTION) - 1


def test_without_runs_there_is_no_finding(reports):
    assert "there is no finding yet" in conclusion(Board.of("laptop"), SECTION)
    drawn = conclusion(board(profile="demo"), SECTION)
    assert "Drawn characters say nothing about the paper" in drawn
    assert "As in the paper" not in drawn


def test_the_authors_log_stands_beside_a_run_that_stops_early_only_at_the_same_learning_rate():
    profile = load_profile("paper").model_copy(update={"iterations": 1000, "decay": "cut"})
    made = evidence().facts
    cut = full_length(Board(profile, Evidence(profile, made)), SECTION)
    baseline, without = (author_log(run).set_index("iteration")["val_accuracy"] for run in ("model_v3", "model_v10"))
    expected = 100 * (without.loc[600:1000].mean() - baseline.loc[600:1000].mean())
    assert author_difference(load_experiment("without-l2"), 1000) == pytest.approx(expected)
    assert f"−{abs(expected):.1f} at iteration 1,000, −64.8 at the end" in cut
    shortened = profile.model_copy(update={"decay": None})
    scaled = full_length(Board(shortened, Evidence(shortened, made)), SECTION)
    assert "cannot be laid beside the author’s" in scaled
    assert f"stood at {100 * baseline.loc[1000]:.1f} % at iteration 1,000, and at 73.2 % at 5,000" in scaled


def test_no_log_no_difference():
    # none was published
    assert np.isnan(author_difference(load_experiment("zero-initialization"), 1000))
    # that of another network
    assert np.isnan(author_difference(load_experiment("lr-0.001"), 1000))
    # ends before
    assert np.isnan(author_difference(load_experiment("without-l2"), 9000))


def test_a_prediction_is_scored_by_its_mean_distance():
    rows = board({"without-dropout": 70.0, "without-l2": 5.0}).rows_of(SECTION[1:3])
    table, score = prediction_table(rows, [-7.0, None])
    assert table["my prediction"].tolist() == ["−7.0", "–"]
    assert score.startswith("My prediction misses by 2.0 points on average; the paper’s Table 1 by")
    assert prediction_table(rows, [None, None])[1].startswith("No prediction was made.")


@pytest.mark.parametrize("guess", ["five", "−5", float("nan"), float("inf"), [3], True])
def test_a_prediction_that_is_no_number_is_refused(guess):
    with pytest.raises(ParamsError, match="without-l2"):
        Study(load_profile("demo"), ()).show_prediction({"without-l2": guess})


def test_a_prediction_is_compared_on_the_rows_that_it_names():
    rows = board({"without-dropout": 70.0, "without-l2": 5.0}).rows_of(SECTION[1:3])
    rows.loc[0, "difference"] = np.nan
    assert "nan" not in prediction_table(rows, [None, 3])[1]
    assert prediction_table(rows, [5, None])[1] == "Nothing has run yet that could score it."


def test_one_full_run_does_not_empty_the_front_page():
    full = board(leave_out=[e.name for e in load_matrix().experiments if e.name != "mlp"])
    small = board(profile="laptop")
    assert deciding(full, small) is small
    assert deciding(whole := board(), small) is whole
    assert front_page(whole, []) != front_page(small, [])


def test_a_finding_fills_the_place_on_top(monkeypatch):
    shown = []
    for name in ("display", "update"):
        monkeypatch.setattr(DisplayHandle, name, lambda _, content, name=name: shown.append((name, content.data)))
    monkeypatch.setattr("siamese_utils.report.study.show_html", lambda content: shown.append(("last", content)))
    study = Study(load_profile("demo"), ())
    study.show_finding()
    study.show_finding("<p>It is so.</p>")
    assert [name for name, _ in shown] == ["display", "update", "last"]
    assert "stands here once the notebook has run" in shown[0][1]
    assert "It is so." in shown[1][1]
    assert '<details class="finding" open>' in shown[2][1]
    assert "open" not in shown[1][1], "a prediction comes first"
