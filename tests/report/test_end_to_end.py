"""The production path in miniature: every notebook executed by the batch, the report built and opened in a browser."""

import json
import os
import subprocess
import sys

import nbformat
import pytest
from browser import DESK, check_report, chromium, opened
from conftest import ROOT, TINY

from siamese_utils.config import load_matrix
from siamese_utils.report.batch import notebook_names
from siamese_utils.report.notebooks import parameters_of

MEGABYTES = 15


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The folder of a report that `siamese reproduce` made from scratch under the tiny profile."""
    reports = tmp_path_factory.mktemp("reports")
    command = [sys.executable, "-m", "siamese_utils", "reproduce", "--profile", str(TINY)]
    environment = {**os.environ, "SIAMESE_REPORTS_DIR": str(reports), "COLUMNS": "160"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The report:" in done.stdout
    return reports / "tiny"


def test_every_notebook_runs_to_its_end(executed):
    outcomes = {entry["notebook"]: entry for entry in json.loads((executed / "batch.json").read_text())}
    assert list(outcomes) == notebook_names()
    assert [entry["error"] for entry in outcomes.values()] == [None] * len(outcomes)


@pytest.mark.parametrize("name", notebook_names())
def test_a_notebook_is_whole_quiet_and_has_its_parameters(name, executed):
    notebook = nbformat.read(executed / "notebooks" / f"{name}.ipynb", as_version=4)
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert outputs
    assert not [output for output in outputs if output.output_type == "error"]
    noise = [output.text for output in outputs if output.output_type == "stream" and output.name == "stderr"]
    assert not noise
    assert not [o.text for o in outputs if o.output_type == "stream" and "WARNING" in o.text]
    given = notebook.metadata.papermill.parameters
    assert given["profile"] == TINY.name
    assert set(given) <= set(parameters_of(ROOT / "notebooks" / f"{name}.ipynb"))


def test_every_experiment_was_trained_once(executed):
    results = [path.name for path in (executed / "results").iterdir() if path.is_dir()]
    assert len(results) == len(load_matrix().experiments)
    assert not [name for name in results if name.endswith(".partial")]


def test_executing_a_notebook_again_trains_nothing(executed):
    before = {path: path.stat().st_mtime_ns for path in executed.glob("results/*/metrics.json")}
    assert len(before) == len(load_matrix().experiments)
    command = [sys.executable, "-m", "siamese_utils", "batch", "--profile", str(TINY), "-n", "05"]
    environment = {**os.environ, "SIAMESE_REPORTS_DIR": str(executed.parent)}
    subprocess.run(command, check=True, capture_output=True, env=environment, cwd=ROOT)
    assert {path: path.stat().st_mtime_ns for path in executed.glob("results/*/metrics.json")} == before


def test_the_report_stands_alone_in_a_browser(executed):
    check_report(executed / "index.html", banner=True)
    with chromium(viewport=DESK) as context, opened(context, executed / "index.html") as page:
        assert "not Omniglot" in page.locator(".banner").first.inner_text()


def test_the_report_is_small_enough_to_send(executed):
    assert (executed / "index.html").stat().st_size < MEGABYTES * 1e6


def test_table_1_in_the_report_has_every_row(executed):
    with chromium(viewport=DESK) as context, opened(context, executed / "index.html") as page:
        text = " ".join(page.locator("table.table1").first.inner_text().split())
    for experiment in load_matrix().experiments:
        assert (experiment.row or experiment.group) in text
        if experiment.paper:
            assert f"{experiment.paper.val:.1f}" in text
    assert "not run" not in text


def test_every_picture_in_the_report_is_described(executed):
    with chromium(viewport=DESK) as context, opened(context, executed / "index.html") as page:
        described = page.locator("main img").evaluate_all("images => images.map(image => image.alt)")
    assert len(described) > 20
    assert all(len(alt) > 30 and "No description" not in alt for alt in described)
