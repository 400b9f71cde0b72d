"""The table of docs/running.md: minutes by the paper's word, pace from runs, nothing where there is none."""

import pytest
from conftest import ROOT
from run_on_disk import answers, cut_committed_run, make_run

from siamese_utils.config import load_profile
from siamese_utils.errors import ResultsError
from siamese_utils.report.costs import costs_markdown
from siamese_utils.report.readme import COSTS_BEGIN, COSTS_END, with_costs

paper = load_profile("paper")


def table(markdown):
    """A row's cells by its label."""
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in markdown.splitlines() if line[:1] == "|"]
    return {label: cells for label, *cells in lines[2:]}


def test_the_docs_table_is_current():
    page = (ROOT / "docs/running.md").read_text(encoding="utf-8")
    assert with_costs(page, costs_markdown(paper)) == page, "run `make scoreboard`"


def test_minutes_are_in_proportion_to_work_and_length(reports):
    rows = table(costs_markdown(paper))
    minutes = {label: cells[5] for label, cells in rows.items()}
    assert (minutes["Baseline"], minutes["Baseline, twice as long"], minutes["Zero Initialization"]) == (
        "20",
        "40",
        "20",
    )
    assert rows["Baseline"][4] == "1.00"
    assert float(minutes["MLP"]) == pytest.approx(20 * float(rows["MLP"][4]), abs=0.6)


def test_the_pace_is_that_of_the_longest_run_and_a_dash_without_one(reports):
    made_up = {"image_size": 28, "padding": "same", "dataset": "synthetic", "episodes": 1000, "check_every": 1000}
    profile = paper.model_copy(update=made_up)
    # a second an iteration
    make_run("baseline", profile, 0, answers(300))
    cells = table(costs_markdown(profile))
    assert cells["Baseline"][6:] == ["1.00", "1.4", ""]
    assert cells["MLP"][6:] == ["–", "–", ""]


def test_one_check_alone_tells_no_pace_and_a_machine_is_named(reports):
    """Committed runs, cut: one of them to its only check at iteration 0."""
    cut_committed_run("zero-initialization-s0-ecf22ced21", reports, checks=1)
    cut_committed_run("dense-512-s0-5ac4fb8a70", reports, checks=11)
    cells = table(costs_markdown(paper))
    assert cells["Zero Initialization"][6:] == ["–", "–", ""]
    assert cells["Dense - 512"][8] == "NVIDIA H100 80GB HBM3, GPU default"


def test_a_page_without_marks_is_left_alone():
    assert with_costs(f"a\n{COSTS_BEGIN}\nold\n{COSTS_END}\nb", "new") == (f"a\n{COSTS_BEGIN}\n\nnew\n\n{COSTS_END}\nb")
    with pytest.raises(ResultsError, match=r"docs/running\.md has no"):
        with_costs(f"{COSTS_END} {COSTS_BEGIN}", "new")
