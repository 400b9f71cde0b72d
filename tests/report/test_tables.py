"""Table 1 has every row of the paper, says "not run" where there is none, and its verdicts follow their rule."""

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from run_on_disk import answers, make_run

from siamese_utils.config import load_matrix, with_seeds
from siamese_utils.errors import ParamsError
from siamese_utils.evaluation.accuracy import wilson
from siamese_utils.evidence.board import NOT_IN_TABLE, Board
from siamese_utils.report import table1, tables
from siamese_utils.training import runs as results
from siamese_utils.training.runs import Run

# Table 1, in its order
PAPER_VAL = {
    "": 73.2,
    "Dense - 128": 64,
    "Dense - 64": 52.4,
    "Dense - 512": 75.6,
    "Conv2D (256) + Dense - 512": 74,
    "Conv2D (256) + Dense - 1024": 65.6,
    "without Dropout": 66,
    "without L2 Regularization": 8.4,
    "without both methods": 30,
    "0.0001": 76.8,
    "0.001": 47.2,
    "0.01": 20.4,
    "Zero Initialization": 50,
    "without Batch Normalization": 31.2,
    "Dense (2048, 1024 and 512)": 34.4,
}


def test_every_row_of_the_papers_table_stands_there_in_order(reports, tiny):
    frame = Board(tiny).rows
    matrix = {e.name: e for e in load_matrix().experiments}
    rows = [matrix[name].row for name in frame["experiment"]]
    in_paper = [row for row, group in zip(rows, frame["group"], strict=True) if group != NOT_IN_TABLE]
    assert list(dict.fromkeys(in_paper)) == list(PAPER_VAL)
    for row, val in zip(in_paper, frame["paper_val"], strict=False):
        assert val == PAPER_VAL[row]
    outside = frame["group"] == NOT_IN_TABLE
    assert outside.any()
    assert outside.is_monotonic_increasing, "what is not in the paper's table comes last"


def test_a_row_without_a_run_says_so(reports, tiny):
    make_run("baseline", tiny, 0, answers(700))
    frame = Board(tiny).rows.set_index("experiment")
    assert frame.loc["baseline", "verdict"] == "reference"
    assert frame.loc["baseline", "ours_val"] == pytest.approx(70)
    assert frame.loc["baseline", "low"] < 70 < frame.loc["baseline", "high"]
    assert set(frame.drop(index="baseline")["verdict"]) == {"not run"}
    assert frame.loc["mlp", "seeds"] == 0
    assert frame.loc["mlp", "run_ids"] == ()


def test_several_seeds_share_their_episodes_and_show_their_spread(reports, tiny):
    for seed, right in ((0, 600), (1, 700), (2, 800)):
        make_run("baseline", tiny, seed, answers(right))
    line = Board(with_seeds(tiny, [0, 1, 2])).rows.iloc[0]
    assert line["ours_val"] == pytest.approx(70)
    assert (line["seed_low"], line["seed_high"], line["seeds"]) == (pytest.approx(60), pytest.approx(80), 3)
    # the same episodes for every seed: they count once
    expected = wilson(700, 1000)
    assert (line["low"], line["high"]) == (
        pytest.approx(100 * expected.low),
        pytest.approx(100 * expected.high),
    )


def test_without_the_baselines_run_there_is_no_comparison(reports, tiny):
    make_run("mlp", tiny, 0, answers(500))
    line = Board(tiny).rows.set_index("experiment").loc["mlp"]
    assert line["verdict"] == "not run"
    assert np.isnan(line["difference"])
    assert line["ours_val"] == pytest.approx(50)


@pytest.mark.parametrize("seeds", [["0"], [-1], [True], "0", [0.5]])
def test_seeds_that_are_no_seeds_are_refused(tiny, seeds):
    with pytest.raises(ParamsError, match="is no seed: give a whole number"):
        with_seeds(tiny, seeds)


def test_the_html_names_rows_columns_and_runs(reports, tiny):
    runs = [make_run("baseline", tiny, 0, answers(700)), make_run("dense-128", tiny, 0, answers(500))]
    soup = BeautifulSoup(table1.table1_html(Board(tiny)), "html.parser")
    table = soup.find("table")
    assert table.caption
    assert not soup.find_all(["script", "style"])
    assert len(table.select('th[scope="rowgroup"]')) == 8, "the paper's seven groups, and what is not in its table"
    rows = table.select('th[scope="row"]')
    assert len(rows) == len(load_matrix().experiments)
    dense = next(row for row in rows if row.get_text() == "Dense - 128 (as described)").parent
    cells = [cell.get_text() for cell in dense.find_all("td")]
    assert cells[:2] == ["81.6", "64.0"]
    assert cells[-1] == "not testable (−20.0 points; paper −9.2)", "drawn characters give no verdict"
    widths = {
        sum(int(cell.get("colspan", 1)) for cell in row.find_all(["td", "th"])) for row in table.select("tbody tr")
    }
    assert widths == {10}, "every row fills the table's columns"
    assert all(run.run_id in soup.get_text() for run in runs)
    assert "drawn characters" in soup.get_text()


def test_counts_and_protocols_of_a_dataset(characters):
    counts = tables.dataset_counts(characters).set_index("split")
    assert counts.loc["train", "characters"] == characters.train.classes
    assert counts.loc["val", "paper: characters"] == 659
    shares = tables.protocols(characters.val).set_index("protocol")
    own = shares["the query is its own support"].str.rstrip(" %").astype(float)
    assert own["author"] == pytest.approx(5, abs=0.6), "one drawer in twenty"
    assert own["strict"] == 0


def test_checks_count_the_steps_down(reports, tiny):
    run = make_run("baseline", tiny, 0, answers(700))
    line = tables.checks([run]).iloc[0]
    assert line["drops between checks"] == "0 of 2"
    assert line["val, final check"] == "50.0"


def test_k_way_has_a_line_for_every_k(reports, tiny):
    scores = results.tidy([make_run("baseline", tiny, 0, answers(700))])
    assert list(tables.k_way_table(scores)["k"]) == [1, 5, 20]


def test_a_run_with_its_first_check_alone_has_no_last_ones(reports, tiny):
    run = make_run("baseline", tiny, 0, answers(700))
    history = pd.read_csv(run.folder / "history.csv")
    history[history["iteration"] == 0].to_csv(run.folder / "history.csv", index=False)
    (line,) = tables.checks([Run(run.folder)]).to_dict("records")
    assert (line["val, last checks, range"], line["train − val, last checks, mean"]) == ("–", "–")
    assert line["drops between checks"] == "0 of 0"


def test_the_weights_of_runs_that_recorded_them_stand_at_their_last_check(reports, tiny):
    run = make_run("baseline", tiny, 0, answers(700))
    assert tables.weights([run]).empty
    history = run.history.assign(kernel_norm=2.5, saturated=0.25)
    history.to_csv(run.folder / "history.csv", index=False)
    (line,) = tables.weights([Run(run.folder)]).to_dict("records")
    assert line["network"] == "Baseline"
    assert line["iteration"] == history["iteration"].max()
    assert (line["length of the weights"], line["saturated, %"]) == (2.5, 25.0)
    assert line["val, %"] == pytest.approx(100 * history["val_accuracy"].iloc[-1])
