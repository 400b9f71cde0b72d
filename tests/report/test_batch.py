"""The batch refuses what it cannot pass on, keeps what fails, and goes on."""

import json
import shutil

import nbformat
import pytest
from conftest import ROOT, TINY
from nbformat.v4 import new_code_cell, new_notebook

from siamese_utils.errors import ParamsError
from siamese_utils.report import batch
from siamese_utils.report.notebooks import parameters_of


def write(path, *sources):
    """A notebook whose first cell holds the parameters."""
    cells = [new_code_cell(source) for source in sources]
    cells[0].metadata["tags"] = ["parameters"]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)


@pytest.fixture
def home(tmp_path, monkeypatch, reports):
    """A project of three small notebooks, the second of which fails."""
    monkeypatch.setenv("SIAMESE_HOME", str(tmp_path))
    shutil.copytree(ROOT / "params", tmp_path / "params")
    (tmp_path / "notebooks").mkdir()
    write(tmp_path / "notebooks" / "00_first.ipynb", 'profile = "x"\nseeds = []', "print(profile, seeds)")
    write(tmp_path / "notebooks" / "01_bad.ipynb", 'profile = "x"', "1 / 0", "print('never')")
    write(tmp_path / "notebooks" / "02_last.ipynb", 'profile = "x"', "print('last')")
    return tmp_path


def test_a_failing_notebook_is_kept_with_its_error_and_the_others_go_on(home, reports):
    seen = []
    outcomes = batch.execute_batch("demo", seeds=[3, 4], before=seen.append)
    assert [(outcome.notebook, outcome.status) for outcome in outcomes] == [
        ("00_first", "ok"), ("01_bad", "failed"), ("02_last", "ok"),
    ]  # fmt: skip
    assert outcomes[1].error == "ZeroDivisionError: division by zero"
    assert seen == ["00_first", "01_bad", "02_last"]
    folder = reports / "demo"
    assert [entry["status"] for entry in json.loads((folder / "batch.json").read_text())] == [
        "ok",
        "failed",
        "ok",
    ]
    first = nbformat.read(folder / "notebooks" / "00_first.ipynb", as_version=4)
    assert "demo [3, 4]" in str([cell.get("outputs") for cell in first.cells])
    assert str(home) not in (folder / "notebooks" / "00_first.ipynb").read_text()
    kept = (folder / "notebooks" / "01_bad.ipynb").read_text()
    assert "ZeroDivisionError" in kept
    assert "papermill-error-cell" in kept


def test_where_a_users_file_lies_stays_with_the_user(home, reports):
    write(home / "notebooks" / "01_bad.ipynb", 'profile = "x"', "print('profile', profile)")
    mine = home / "somewhere" / "mine.yaml"
    mine.parent.mkdir()
    shutil.copyfile(TINY, mine)
    batch.execute_batch(str(mine), notebooks=["bad"])
    text = (reports / "mine" / "notebooks" / "01_bad.ipynb").read_text()
    assert str(home) not in text
    kept = nbformat.reads(text, as_version=4)
    assert kept.metadata["papermill"]["parameters"]["profile"] == "mine.yaml"
    assert "profile mine.yaml" in str([cell.get("outputs") for cell in kept.cells])


def test_one_notebook_again_keeps_what_is_known_of_the_others(home, reports):
    batch.execute_batch("demo")
    write(home / "notebooks" / "01_bad.ipynb", 'profile = "x"', "print('mended')")
    (outcome,) = batch.execute_batch("demo", notebooks=["bad"])
    assert outcome.status == "ok"
    statuses = json.loads((reports / "demo" / "batch.json").read_text())
    assert [entry["status"] for entry in statuses] == ["ok", "ok", "ok"]


def test_a_parameter_that_the_notebook_does_not_declare_is_refused(home, tmp_path):
    path = home / "notebooks" / "00_first.ipynb"
    assert parameters_of(path) == {"profile": "x", "seeds": []}
    with pytest.raises(ParamsError, match="has no parameter sedes: it knows profile, seeds"):
        batch.execute_notebook(path, tmp_path / "out.ipynb", {"sedes": [1]})
    assert not (tmp_path / "out.ipynb").exists()


@pytest.mark.parametrize("source", ["profile = ", "seeds = list(range(3))", "seeds = [open]", "seeds = {[]: 1}"])
def test_parameters_that_are_no_plain_values_are_one_sentence(source, home):
    path = home / "notebooks" / "00_first.ipynb"
    write(path, source)
    with pytest.raises(ParamsError, match=r"00_first\.ipynb: the cell tagged parameters"):
        parameters_of(path)


def test_a_cell_that_takes_too_long_fails_its_notebook(home, tmp_path):
    write(tmp_path / "slow.ipynb", "x = 1", "import time\ntime.sleep(60)")
    outcome = batch.execute_notebook(tmp_path / "slow.ipynb", tmp_path / "out.ipynb", {}, timeout=1)
    assert outcome.status == "failed"
    assert "Timeout" in outcome.error


def test_a_kernel_that_dies_fails_its_notebook(home, tmp_path):
    write(tmp_path / "dies.ipynb", "x = 1", "import os\nos._exit(1)")
    outcome = batch.execute_notebook(tmp_path / "dies.ipynb", tmp_path / "out.ipynb", {})
    assert outcome.status == "failed"
    assert "DeadKernelError" in outcome.error


def test_a_launch_that_collides_on_a_port_is_tried_again(home, tmp_path, monkeypatch):
    answers = iter(["OSError: Address already in use", None])
    monkeypatch.setattr(batch, "_papermill", lambda *_: next(answers))
    monkeypatch.setattr(batch.time, "sleep", lambda _: None)
    path = home / "notebooks" / "00_first.ipynb"
    assert batch.execute_notebook(path, tmp_path / "out.ipynb", {}).status == "ok"


def test_names_that_do_not_exist_are_refused_before_anything_runs(home, reports):
    for wrong in ({"notebooks": ["12"]}, {"experiments": ["dense"]}):
        with pytest.raises(ParamsError, match="choose from"):
            batch.execute_batch("demo", **wrong)
    assert not reports.exists()


def test_notebooks_are_chosen_by_name_number_or_topic():
    for wanted in ("05_learning_rate", "05", "learning_rate", "notebooks/05_learning_rate.ipynb"):
        assert batch.choose_notebooks([wanted]) == ["05_learning_rate"]
    assert batch.choose_notebooks(["10", "00"]) == ["00_start_here", "10_table_1"]
    assert len(batch.choose_notebooks([])) >= 11
