"""Damaged files beside a report: one sentence names the file and says what to do, or the page says what is missing."""

import base64
import json
import sys
import warnings

import nbformat
import pytest
from bs4 import BeautifulSoup
from conftest import ROOT, TINY
from made_up_report import code, display, empty_reports, png, write_notebook
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from siamese_utils.cli import app as cli
from siamese_utils.cli import pages, shared
from siamese_utils.config import load_matrix, load_profile
from siamese_utils.errors import ParamsError, ResultsError
from siamese_utils.report.batch import experiments_of, notebook_names
from siamese_utils.report.page import build_report
from siamese_utils.training.runs import partial_folder, run_folder


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The notebooks' folder of a report, with one good notebook."""
    folder = empty_reports(tmp_path, monkeypatch) / "demo" / "notebooks"
    write_notebook(folder, "01_good", [new_markdown_cell("# 1 Good"), code("x")])
    return folder


def built():
    return BeautifulSoup(build_report(load_profile("demo")).read_text(encoding="utf-8"), "html.parser")


GOOD = json.loads(nbformat.writes(new_notebook(cells=[new_code_cell("x", execution_count=1)])))
CELL = GOOD["cells"][0]


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", "null", "5", "[]", '"text"', "{}", "[{}]", "NaN", "[" * 100_000, "\0" * 100, "PK\x03\x04"),
        b"\xff\xfe\x00",
        b"\x1f\x8b" + b"\0" * 50,
        *({**GOOD, **change} for change in (
            {"nbformat": 5}, {"nbformat": 99}, {"nbformat": 0}, {"nbformat": "4"}, {"nbformat": None},
            {"nbformat": [4]},
            {"cells": None}, {"cells": {}}, {"cells": [5]}, {"cells": [{}]}, {"metadata": None}, {"metadata": []},
            {"cells": [{k: v for k, v in CELL.items() if k != "outputs"}]},
            {"cells": [{**CELL, "outputs": None}]},
            {"cells": [{**CELL, "outputs": [{}]}]},
            {"cells": [{**CELL, "outputs": [{"output_type": "alien"}]}]},
            {"cells": [{**CELL, "outputs": [{"output_type": "stream", "name": "stdout", "text": 5}]}]},
            {"cells": [{**CELL, "cell_type": "alien"}]},
            {"cells": [{**CELL, "source": 5}]},
            {"cells": [{**CELL, "execution_count": "<b>1</b>"}]},
            {"cells": [{**CELL, "metadata": {"tags": "x"}}]},
        )),
        {k: v for k, v in GOOD.items() if k != "cells"},
        {k: v for k, v in GOOD.items() if k != "nbformat"},
    ],
)  # fmt: skip
def test_what_is_no_notebook_is_one_sentence(folder, content):
    text = content if isinstance(content, str | bytes) else json.dumps(content)
    (folder / "02_bad.ipynb").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(
        ResultsError, match=r"02_bad\.ipynb cannot be (read|shown) \(.*\): .* run the batch again"
    ) as caught:
        built()
    assert "\n" not in str(caught.value)


def test_what_nbconvert_cannot_show_is_one_sentence(folder):
    picture = display({"image/png": png(), "text/plain": ""}, **{"image/png": "no dictionary"})
    write_notebook(folder, "02_bad", [code("x", picture)])
    with pytest.raises(
        ResultsError, match=r"02_bad\.ipynb cannot be shown .*: move it elsewhere and run the batch again"
    ):
        built()


def test_a_folder_in_a_notebooks_place_is_one_sentence_and_other_files_are_none_of_ours(folder):
    for name in (".02_x.partial.ipynb", ".hidden.ipynb", "notes.txt", "02_x.ipynb.bak"):
        (folder / name).write_text("not a notebook")
    (folder / ".ipynb_checkpoints").mkdir()
    assert len(built().select("section.notebook")) == 1
    (folder / "02_x.ipynb").mkdir()
    with pytest.raises(ResultsError, match=r"02_x\.ipynb cannot be read"):
        built()


def test_notebooks_without_outputs_of_an_older_format_or_with_strange_metadata_are_shown(folder):
    notebook = new_notebook(cells=[new_markdown_cell("# Strange"), code("x"), code("")])
    for cell in notebook.cells:
        cell.metadata.update(papermill=5, tags=["a b", "</div>"])
    notebook.metadata.update(papermill=[1], language_info={"name": "x", "version": 5}, widgets={"x": 1})
    notebook.cells[1].outputs = [
        display({"application/x-unknown": "x"}),
        display({}),
        new_output("stream", text="half of a character \ud83d"),
    ]
    (folder / "02_strange.ipynb").write_text(json.dumps(notebook))
    sheet = {"cells": [{"cell_type": "markdown", "source": "# Old", "metadata": {}}], "metadata": {}}
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": "old"}, "worksheets": [sheet]}
    (folder / "03_old.ipynb").write_text(json.dumps(old))
    page = built()
    assert "half of a character ?" in page.find(id="nb-02_strange").get_text()
    assert page.find(id="nb-03_old").h2.get_text().startswith("Old")


@pytest.mark.parametrize(
    "address",
    ["%00", "a%00b.ipynb", "x" * 5000, "a/" * 3000, "http://[", "//[x", "%FF%FE", "..", "../" * 50, "?", "#%00",
     "#" + "x" * 9000, ":", "a:b", "http://a:b/", "file:///etc/passwd", "/etc/passwd",
     "\ud83d", "~", "con", "%2e%2e/%2e%2e/etc/passwd"],
)  # fmt: skip
def test_no_address_stops_the_page_or_reaches_beyond_the_project(folder, address):
    link = f'<a href="{address}">a link</a><img src="{address}" alt="a picture">'
    cells = [new_markdown_cell(f"# 2 Links\n\n[markdown]({address}) ![markdown]({address})\n\n{link}")]
    cells.append(code("x", display({"text/html": link, "text/plain": ""})))
    path = folder / "02_links.ipynb"
    path.write_text(json.dumps(new_notebook(cells=cells)))
    page = built()
    assert "a link" in page.get_text()
    assert not page.select("#nb-02_links img"), "nothing of it is a picture"
    assert "passwd" not in "".join(link["href"] for link in page.select("#nb-02_links a[href]"))


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "AAAA",
        "not base64!",
        png()[:200],
        base64.b64encode(b"GIF89a").decode(),
        base64.b64encode(b"<html>").decode(),
    ],
)
def test_a_broken_picture_is_left_out_and_said(folder, broken):
    for kind in ("png", "jpeg", "gif"):
        html = f'<img src="data:image/{kind};base64,{broken}" alt="of {kind}"><p>after</p>'
        cells = [code("x", display({"text/html": html, "text/plain": ""}))]
        write_notebook(folder, "02_pictures", cells)
        section = built().find(id="nb-02_pictures")
        assert not section.find_all("img")
        assert f"left out, not part of this file: of {kind}" in section.get_text()
        assert "after" in section.get_text()


def test_a_broken_or_endless_file_beside_the_notebooks_is_no_picture(folder, tmp_path, monkeypatch):
    import shutil

    shutil.copytree(ROOT / "params", tmp_path / "home" / "params")
    notebooks = tmp_path / "home" / "notebooks"
    notebooks.mkdir()
    monkeypatch.setenv("SIAMESE_HOME", str(tmp_path / "home"))
    (notebooks / "cut.png").write_bytes(base64.b64decode(png())[:90])
    (notebooks / "loop.png").symlink_to(notebooks / "loop.png")
    (notebooks / "away.png").symlink_to("/etc/hostname")
    (notebooks / "folder.png").mkdir()
    (notebooks / "text.svg").write_text("no svg")
    (notebooks / "good.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    names = ("cut.png", "loop.png", "away.png", "folder.png", "text.svg", "good.svg")
    write_notebook(folder, "02_pictures", [new_markdown_cell(" ".join(f"![{name}]({name})" for name in names))])
    section = built().find(id="nb-02_pictures")
    assert [picture["alt"] for picture in section.find_all("img")] == ["good.svg"]


# ---- status, forecast, scoreboard ----------------------------------------------------------------


def call(capsys, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["siamese", *arguments])
    for console in (shared.out, shared.errors):
        monkeypatch.setattr(console, "_file", None)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    captured = capsys.readouterr()
    return ended.value.code or 0, captured.out, captured.err


@pytest.mark.parametrize(
    "history", ["", "x", "iteration\n1", "iteration,batch_loss,val_accuracy\nx,y,z\n", "\0\0", "a,b\n1,2,3\n"]
)
def test_status_names_a_damaged_run_and_goes_on(capsys, monkeypatch, reports, tiny, history):
    row = load_matrix().experiments[1]
    folder = partial_folder(run_folder(row, tiny, 0)[0])
    folder.mkdir(parents=True)
    (folder / "history.csv").write_text(history)
    (reports / "tiny" / "batch.json").write_text("{")
    monkeypatch.setenv("COLUMNS", "200")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        code, out, err = call(capsys, monkeypatch, "status", "-p", str(TINY))
    assert code == 0
    lines = {line.strip("│ ").split()[0]: line for line in out.splitlines() if line.strip("│ ")}
    assert "left out" in lines[row.name]
    assert "not run" in lines[load_matrix().experiments[-1].name], "it goes on"
    assert "00_start_here" in lines
    assert f"run {folder.name} is left out" in err
    assert "batch.json cannot be read" in err


def test_a_batch_announces_what_its_notebooks_and_seeds_need(monkeypatch, capsys):
    names = [experiment.name for experiment in load_matrix().experiments]
    found = {name: [experiment.name for experiment in experiments_of([name])] for name in notebook_names()}
    assert found["00_start_here"] == found["09_k_way"] == ["baseline"]
    assert found["01_dataset"] == found["12_beyond_the_paper"] == []
    assert found["10_table_1"] == found["11_audit"] == names
    assert found["08_mlp"] == ["baseline", "mlp"]
    assert [e.name for e in experiments_of(["05_learning_rate", "08_mlp"], ["lr-0.001"])] == [
        "baseline",
        "lr-0.001",
        "mlp",
    ]
    asked = []
    monkeypatch.setattr("siamese_utils.training.state._time_baseline", lambda profile: (1.0, 1.0))
    monkeypatch.setattr("siamese_utils.training.state.find_so_far", lambda *key: asked.append(key))
    pages._announce(load_profile("laptop"), ["08"], [5], ())
    assert [(experiment.name, seed) for experiment, _, seed in asked] == [("baseline", 5), ("mlp", 5)]
    assert "2 runs" in capsys.readouterr().out


def test_every_notebook_that_trains_the_matrix_opens_its_study_as_the_forecast_reads_it():
    for name in notebook_names():
        source = (ROOT / "notebooks" / f"{name}.ipynb").read_text()
        assert bool(experiments_of([name])) == ("study.run_missing()" in source)


def test_the_scoreboard_is_not_written_from_other_reports(capsys, monkeypatch, tmp_path):
    readme = (ROOT / "README.md").read_bytes()
    monkeypatch.setenv("SIAMESE_REPORTS_DIR", str(tmp_path))
    for arguments in ([], ["--check"]):
        code, _, err = call(capsys, monkeypatch, "scoreboard", *arguments)
        assert code == 2
        assert "unset it for this command" in " ".join(err.split())
    assert (ROOT / "README.md").read_bytes() == readme
    with pytest.raises(ParamsError):
        pages.scoreboard("laptop", check=True)
