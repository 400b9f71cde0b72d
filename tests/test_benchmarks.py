"""The benchmark's table, figure and goals, from the whole command in miniature; not how fast anything is."""

import csv
import os
import shutil
import subprocess
import sys

import author_loop
import bench_table
import numpy as np
import pytest
import worker
from bench_table import COMPARISONS, ROWS, Comparison
from conftest import ROOT, TINY
from PIL import Image
from side_by_side import Turn, take_turns

STEP = ("step", "bfloat16")


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What the command leaves, made with small drawn characters, no data, and a report of one notebook."""
    folder = tmp_path_factory.mktemp("bench")
    notebooks = folder / "reports" / "laptop" / "notebooks"
    notebooks.mkdir(parents=True)
    shutil.copy(ROOT / "reports" / "laptop" / "notebooks" / "01_dataset.ipynb", notebooks)
    env = {name: value for name, value in os.environ.items() if name != "SIAMESE_DATA_DIR"}
    env |= {"SIAMESE_CACHE_DIR": str(folder / "none"), "SIAMESE_REPORTS_DIR": str(folder / "reports")}
    sizes = ["--profile", str(TINY), "--repeats", "1", "--steps", "1", "--matrix", "64"]
    command = [sys.executable, str(ROOT / "benchmarks" / "bench.py"), *sizes, "--out", str(folder / "out")]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "out"


@pytest.mark.slow
def test_every_row_has_its_seconds_or_says_why_not(results):
    rows = dict(zip(ROWS, read(results / "bench.csv"), strict=True))
    reasons = (worker.ELSEWHERE, worker.NO_TORCH, "no data here")
    for key, row in rows.items():
        assert bool(row["seconds"]) != (row["note"] in reasons), key
        for origin in ("processor", "commit", "versions", "date"):
            assert row[origin], origin
        assert "tensorflow" in row["versions"]
        assert row["data"].startswith("drawn characters")
    for key in (("step", "author"), ("step", "float32"), ("episode", "author"), ("many", "float32")):
        assert rows[key]["repeats"] == "1"
        assert float(rows[key]["seconds"]) > 0
        assert float(rows[key]["peak MiB"]) > 100, "TensorFlow alone takes more"
    assert float(rows["step", "float32"]["share of the limit"]) > 0
    assert {rows["load", kind]["note"] for kind in ("cold", "warm")} == {"no data here"}


@pytest.mark.slow
def test_ratios_are_those_of_the_medians_and_every_goal_is_judged(results):
    seconds = {key: row["seconds"] for key, row in zip(ROWS, read(results / "bench.csv"), strict=True)}
    for comparison, line in zip(COMPARISONS, read(results / "goals.csv"), strict=True):
        parts = [seconds[key] for key in (comparison.of, comparison.over) if key]
        if not all(parts):
            assert (line["figure"], line["verdict"]) == ("", "cannot be told here")
            continue
        expected = float(parts[1]) / float(parts[0]) if comparison.over else float(parts[0])
        assert float(line["figure"]) == pytest.approx(expected, rel=2e-3)
        has_goal = comparison.most is not None or comparison.least is not None
        assert line["verdict"] in (("met", "not met") if has_goal else ("no goal",))


@pytest.mark.slow
def test_the_page_names_every_row_and_the_figure_is_one(results):
    page = (results / "bench.md").read_text(encoding="utf-8")
    for row in read(results / "bench.csv"):
        assert f"| {row['measure']} | {row['way']} |" in page
    assert "In miniature" in page
    with Image.open(results / "bench.png") as image:
        assert len(image.getcolors()) > 10
        assert image.width > image.height > 500


@pytest.mark.parametrize(
    ("comparison", "seconds", "figure", "verdict"),
    [
        (Comparison("", STEP, most=1.2), {STEP: 1.2}, 1.2, "met"),
        (Comparison("", STEP, most=1.2), {STEP: 1.3}, 1.3, "not met"),
        (Comparison("", STEP, ("step", "float32"), least=1.5), {STEP: 2, ("step", "float32"): 3}, 1.5, "met"),
        (Comparison("", STEP, ("step", "float32"), least=1.6), {STEP: 2, ("step", "float32"): 3}, 1.5, "not met"),
        (Comparison("", STEP, ("step", "float32")), {STEP: 2, ("step", "float32"): 3}, 1.5, "no goal"),
        (Comparison("", STEP, most=1.2), {STEP: None}, None, "cannot be told here"),
        (Comparison("", STEP, ("step", "torch"), least=1), {STEP: 2, ("step", "torch"): None}, None,
         "cannot be told here"),
    ],
)  # fmt: skip
def test_a_goal_is_met_or_not_or_cannot_be_told(comparison, seconds, figure, verdict):
    judged = bench_table.judged(comparison, seconds)
    assert (judged["figure"], judged["verdict"]) == (figure, verdict)


def test_an_interval_is_its_steps_and_a_check_of_both_splits(tiny):
    medians = {("step", "author"): 3.0, ("episode", "author"): 0.5, ("step", "float32"): 2.0}
    assert bench_table.intervals(medians, tiny) == {("interval", "author"): 2 * 3.0 + 2 * 20 * 0.5}
    medians["check", "float32"] = 7.0
    assert bench_table.intervals(medians, tiny)["interval", "float32"] == 2 * 2.0 + 2 * 7.0


def test_the_authors_batch_has_different_classes_then_the_same(fresh_keras):
    images = np.arange(8, dtype=np.uint8)[:, None, None, None] * np.ones((1, 20, 3, 3), np.uint8)
    (left, right), labels = author_loop.batch(np.random.default_rng(0), images, pairs=6)
    assert left.shape == right.shape == (6, 3, 3, 1)
    assert labels[:, 0].tolist() == [0, 0, 0, 1, 1, 1]
    assert ((left == right).all(axis=(1, 2, 3)) == labels[:, 0]).all()
    assert len({image[0, 0, 0] for image in left}) == 6


def test_ways_take_turns_and_one_that_measures_itself_is_believed():
    order, own = [], Turn(1.0, 2.0, 3.0)

    def one():
        order.append("one")

    def other():
        order.append("other")
        return own

    turns = take_turns({"one": one, "other": other}, 2)
    assert order == ["one", "other"] * 2
    assert turns["other"] == [own, own]
    assert all(turn.seconds < 1 for turn in turns["one"])
