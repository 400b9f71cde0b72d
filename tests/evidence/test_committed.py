"""What is committed under reports/ is what the matrix and the profiles of today define, and says what is claimed."""

import json

import numpy as np
import pytest
from browser import DESK, chromium, opened
from bs4 import BeautifulSoup
from conftest import ROOT

from siamese_utils.config import load_experiment, load_matrix, load_profile
from siamese_utils.evidence.author_logs import author_log
from siamese_utils.evidence.board import Board
from siamese_utils.evidence.fidelity import histories, likeness
from siamese_utils.report.table1 import accuracy_words, table1_html
from siamese_utils.training.runs import find_runs, find_so_far, tidy

MEGABYTES = 25
laptop = load_profile("laptop")


@pytest.fixture(scope="module")
def runs():
    found = {(run.config["experiment"], run.seed): run for run in find_runs(laptop)}
    assert found
    return found


def test_every_experiment_of_the_paper_is_committed_and_current(runs):
    """A run is found by the hash of what determines it: a changed recipe or profile would not find the old one."""
    assert laptop.seeds == (0, 1, 2)
    assert set(runs) >= {(e.name, seed) for e in load_matrix().experiments if e.author for seed in laptop.seeds}


def test_committed_runs_name_real_omniglot_and_their_commit(runs):
    for run in runs.values():
        assert run.metrics["dataset"]["name"] == "omniglot"
        assert not run.metrics["dataset"]["synthetic"]
        assert len(run.metrics["provenance"]["commit"]) == 40


def test_the_first_losses_on_omniglot_tell_the_experiments_apart(runs):
    """At 48×48 pixels kernels are fewer than the author's, but a penalty is there or it is not."""
    for (name, _), run in runs.items():
        experiment = load_experiment(name)
        penalized = experiment.recipe.l2 > 0 and experiment.recipe.initializer != "zeros"
        assert (run.metrics["first_batch_loss"] > 1.2) == penalized, name


@pytest.mark.parametrize("protocol", ["author", "strict"])
def test_table_1_ranks_learning_networks_above_the_broken_ones(runs, protocol):
    table = tidy(runs.values())
    val = table[(table["protocol"] == protocol) & (table["split"] == "val") & (table["ways"] == 20)]
    val = val.groupby("experiment")[["accuracy", "low", "high"]].agg({"accuracy": "mean", "low": "min", "high": "max"})
    for good in ("baseline", "dense-512"):
        for poor in ("without-l2", "zero-initialization"):
            assert val.loc[good, "low"] > val.loc[poor, "high"], (good, poor)
    zero = val.loc["zero-initialization"]
    assert (zero["low"] <= 0.05 <= zero["high"]) if protocol == "author" else zero["accuracy"] == 0


def test_the_committed_laptop_report_is_whole_and_small():
    folder = ROOT / "reports" / "laptop"
    outcomes = json.loads((folder / "batch.json").read_text())
    assert {entry["status"] for entry in outcomes} == {"ok"}
    committed = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".keras"]
    assert sum(path.stat().st_size for path in committed) < MEGABYTES * 1e6
    assert (folder / "index.html").is_file()


@pytest.mark.parametrize("profile", ["laptop", "paper"])
def test_a_committed_page_can_be_read(profile):
    """At a desk, as it opens: half of the 27,500 words and 101,700 pixels that it had before its parts were folded."""
    with (
        chromium(viewport=DESK) as context,
        opened(context, ROOT / "reports" / profile / "index.html") as page,
    ):
        assert len(page.locator("main").inner_text().split()) < 27_500 / 2
        assert page.evaluate("document.documentElement.scrollHeight") < 101_700 / 2


def test_the_committed_baseline_follows_the_authors_log():
    """By its whole curve, not at single checks: a wrong penalty or learning rate would be far off."""
    baseline = load_experiment("baseline")
    found = likeness(baseline, find_so_far(baseline, load_profile("paper"), 0).history)
    assert abs(found.first) < 0.15
    assert found.checks >= 20
    assert found.verdict == "agrees"


def test_every_rows_first_loss_at_the_full_protocol_is_that_of_its_log():
    """One update at 105×105: what was run has the author's first loss, within 0.15, and what was not has not."""
    compared = set()
    for experiment, _, history in histories():
        log = author_log(experiment.author.run)
        if len(log) and not np.isnan(log["batch_loss"].iloc[0]):
            near = abs(history["batch_loss"].iloc[0] - log["batch_loss"].iloc[0]) < 0.15
            assert near == (experiment.variant != "as described"), experiment.name
            compared.add(experiment.name)
    assert len(compared) >= 18


def test_the_readme_and_the_results_are_current(runs):
    from siamese_utils.beyond.published import markdown_table
    from siamese_utils.evidence.board import Board
    from siamese_utils.report.findings import findings, numbers
    from siamese_utils.report.readme import deciding, front_page, results_markdown, with_results

    full, small = Board(load_profile("paper")), Board(laptop)
    board = deciding(full, small)
    found = findings(numbers(board))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert with_results(readme, front_page(board, found)) == readme, "run `make scoreboard`"
    results = (ROOT / "RESULTS.md").read_text(encoding="utf-8")
    assert results_markdown(full, small, found, markdown_table(laptop)) == results, "run `make scoreboard`"
    for run in runs.values():
        assert f"reports/laptop/results/{run.run_id}/metrics.json" in results


def test_the_committed_claims_are_what_the_runs_say():
    """The verdict on every claim, its figures and its runs, made anew from the committed runs."""
    from siamese_utils.evidence.board import Board
    from siamese_utils.report.scoreboard import claims_csv

    assert claims_csv(Board(laptop)) == (ROOT / "reports/laptop/claims.csv").read_text(encoding="utf-8")


def test_the_laptops_table_has_the_full_protocol_beside_it():
    full = Board.of("paper").rows.set_index("experiment")
    assert (full["seeds"] > 0).any(), "full runs are finished"
    lines = BeautifulSoup(table1_html(Board.of("laptop")), "html.parser").select("tbody tr:not(.group)")
    for experiment, line in zip(Board.of("laptop").rows["experiment"], lines, strict=True):
        cell = line.select_one('[data-label^="full protocol"]').get_text().replace("\u2060", "")
        if experiment not in full.index or not (full.loc[experiment, "seeds"] or full.loc[experiment, "under_way"]):
            assert cell == "not run"
        elif full.loc[experiment, "seeds"]:
            assert cell == accuracy_words(full.loc[experiment]).replace(", ", "")
        else:
            now = full.loc[experiment, "under_way"]
            assert cell == (f"{now.standing.ours.in_words}at {now.iteration:,}" if now.standing else "–")


def test_runs_under_way_carry_the_checksums_of_their_histories():
    from siamese_utils.training.integrity import is_recorded

    folders = sorted((ROOT / "reports/paper/under_way").iterdir())
    assert folders
    for folder in folders:
        for name in ("config.json", "history.csv"):
            assert is_recorded(folder / name), f"record_sums({folder.name!r}, 'config.json', 'history.csv') renews it"
