"""The growth benchmark in miniature: its runs, classes, embeddings, jobs and page; not how fast anything is."""

import json
import shutil
import sys

import growth
import growth_classes
import growth_page
import growth_runs
import growth_search
import numpy as np
import pytest
from conftest import ROOT
from PIL import Image

from siamese_utils.config import load_profile
from siamese_utils.evidence.board import Board
from siamese_utils.training.runs import find_runs
from siamese_utils.training.verify import survey

RESULTS = ROOT / "benchmarks" / "results"


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """A reports folder with thirty copies: two seeds of some rows."""
    folder = tmp_path_factory.mktemp("copies")
    growth_runs.copy_runs(folder, 30)
    return folder


def test_a_copy_is_a_run_as_any_other_under_a_seed_of_its_own(copies, monkeypatch):
    monkeypatch.setenv("SIAMESE_REPORTS_DIR", str(copies))
    found = survey(copies / growth_runs.PROFILE)
    assert [finding.problem for finding in found] == [""] * 30
    profile = load_profile(growth_runs.profile_file(copies))
    assert profile.seeds == (0, 1)
    assert {run.folder for run in find_runs(profile)} == {finding.folder for finding in found}
    assert Board(profile).rows["seeds"].sum() == 30


def test_each_command_is_asked_of_the_copies(copies):
    for name in growth_runs.COMMANDS:
        assert str(growth_runs.profile_file(copies)) in " ".join(growth_runs.command(name, copies))


def test_what_was_asked_of_the_runs_becomes_lines_with_their_origin(tmp_path, monkeypatch):
    monkeypatch.setattr(growth_runs, "COMMANDS", {"nothing": ["pass"]})
    call = ["growth.py", "runs", "--sizes", "10", "--repeats", "1", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", call)
    growth.main()
    (line,) = growth.read(tmp_path / "growth_runs.csv")
    assert (line["runs"], line["command"], line["repeats"]) == ("10", "nothing", "1")
    assert 0 < float(line["MiB on disk"]) < 10
    for name in ("seconds", "processor s", "peak MiB", "processor", "commit", "versions", "date"):
        assert line[name], name


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_classes_are_as_many_as_asked_for_and_take_memory():
    line = growth_classes.measure(100, batches=2)
    assert (line["classes"], line["images"]) == (100, 2_000)
    assert line["pixels MiB"] == 2_000 * 20 * 20 / 2**20
    assert line["draw peak MiB"] >= line["pixels MiB"]


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    """Thirty classes, drawn and embedded."""
    folder = tmp_path_factory.mktemp("embedded")
    made = growth_search.embed_drawings(folder, 30)
    assert (made["classes"], made["images"], made["dimensions"]) == (30, 240, 256)
    return folder


def test_drawings_of_a_class_are_more_alike_than_chance(embedded):
    found = growth_search.one_shot(embedded)
    assert found["ways"] == 30
    assert 5 / 30 < found["accuracy"] == found["correct"] / 30


def test_more_vectors_than_drawings_are_disturbed_copies_of_them(embedded):
    stored, query = growth_search.stored_and_queries(embedded, 1_000)
    assert (stored.shape, query.shape) == ((1_000, 256), (30, 256))
    np.testing.assert_allclose(np.linalg.norm(stored, axis=1), 1, atol=1e-5)
    drawings = growth_search.stored_and_queries(embedded, None)[0]
    assert (stored[:210] == drawings).all()
    nearest = (stored[210:] @ drawings.T).argmax(axis=1)
    assert (nearest == np.arange(790) % 210).mean() > 0.5
    assert not (stored[210:420] == drawings).all(axis=1).any()


def test_an_index_that_looks_everywhere_finds_what_the_exact_one_does(embedded, monkeypatch):
    pytest.importorskip("faiss", reason="Faiss is the benchmark's alone; docs/growth.md says how it is installed")
    monkeypatch.setattr(growth_search, "SECONDS", 0)
    lines = {kind: list(growth_search.search(embedded, kind, 1_000)) for kind in growth_page.INDEXES}
    (exact,) = lines["exact"]
    assert (exact["recall@1"], exact["vectors"], exact["drawings"], exact["queries"]) == (1.0, 1_000, 210, 30)
    assert lines["cells"][0]["recall@1"] <= lines["cells"][-1]["recall@1"]
    assert lines["graph"][-1]["recall@1"] > 0.9
    assert lines["graph"][-1]["right class"] > 5 / 30


@pytest.mark.slow
def test_jobs_all_leave_their_file(tmp_path, monkeypatch):
    if not shutil.which(growth.SNAKEMAKE):
        pytest.skip("Snakemake is not installed; docs/growth.md says how")
    call = ["growth.py", "jobs", "--sizes", "3", "--repeats", "1", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", call)
    growth.main()
    assert [line["what"] for line in growth.read(tmp_path / "growth_jobs.csv")] == ["plan", "run"]


def test_a_new_line_takes_the_place_of_the_older_one_in_order_of_size(tmp_path):
    path = tmp_path / "growth.csv"
    for jobs, seconds in ((1_000, 2.0), (100, 1.0), (1_000, 3.0)):
        growth.keep(path, ("jobs", "what"), {"jobs": jobs, "what": "run", "seconds": seconds})
    assert [(line["jobs"], line["seconds"]) for line in growth.read(path)] == [("100", "1"), ("1000", "3")]


@pytest.mark.parametrize(("seconds", "power"), [((1, 2, 4), 1.0), ((1, 2, 8), 2.0), ((1, 5, 5), 0.0)])
def test_growth_is_that_between_the_two_largest(seconds, power):
    lines = [{"jobs": str(2**n), "s": str(s)} for n, s in enumerate(seconds)]
    assert growth_page.exponent(lines, "jobs", "s") == pytest.approx(power)


def test_the_page_is_that_of_the_committed_results(tmp_path):
    committed = (ROOT / "docs" / "growth.md").read_text(encoding="utf-8")
    (tmp_path / "growth.md").write_text(committed, encoding="utf-8")
    growth_page.renew(RESULTS, tmp_path)
    assert (tmp_path / "growth.md").read_text(encoding="utf-8") == committed
    for name in ("growth", "growth_search"):
        with Image.open(tmp_path / "images" / f"{name}.png") as image:
            assert len(image.getcolors()) > 10


def test_a_page_without_marks_is_refused():
    with pytest.raises(ValueError, match="no marks for jobs"):
        growth_page.between("# Growth", "jobs", "")


def test_a_step_prints_a_line_of_json_each(capsys):
    growth.step("origin", {"package": None})
    (line,) = capsys.readouterr().out.splitlines()
    assert set(json.loads(line)) == {"processor", "commit", "versions", "date"}
