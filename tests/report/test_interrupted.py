"""A batch that is interrupted, killed, or not alone: what its notebooks' states then say, and what stays of them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import nbformat
import pytest
from bs4 import BeautifulSoup
from conftest import ROOT
from made_up_report import code, empty_reports, write_notebook
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from siamese_utils.config import load_profile
from siamese_utils.errors import ResultsError
from siamese_utils.report import batch
from siamese_utils.report.page import build_report

KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def write(path, *sources):
    cells = [new_markdown_cell(f"# {path.stem}"), new_code_cell('profile = "x"', metadata={"tags": ["parameters"]})]
    cells += [new_code_cell(source) for source in sources]
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": KERNEL}), path)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A project of two notebooks, the first of which waits in its middle; the reports are within."""
    monkeypatch.setenv("SIAMESE_HOME", str(tmp_path))
    empty_reports(tmp_path / "reports", monkeypatch)
    shutil.copytree(ROOT / "params", tmp_path / "params")
    (tmp_path / "notebooks").mkdir()
    wait = f"import pathlib, time\npathlib.Path({str(tmp_path / 'there')!r}).touch()\ntime.sleep(60)"
    write(tmp_path / "notebooks" / "00_slow.ipynb", "print('first half')", wait, "print('second half')")
    write(tmp_path / "notebooks" / "01_quick.ipynb", "print('quick')")
    return tmp_path


def start(*arguments):
    command = [sys.executable, "-m", "siamese_utils", *arguments]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        start_new_session=True,
        # a job in the background may ignore it
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def said(*arguments):
    process = start(*arguments)
    return process.communicate(timeout=120)[0], process.returncode


def stop(home, how):
    """Start a batch, and send it a signal in the middle of its first notebook; what it said, and its exit code."""
    process = start("batch", "-p", "demo")
    for _ in range(600):
        if (home / "there").exists():
            break
        time.sleep(0.1)
    states = {name: outcome.status for name, outcome in batch.read_outcomes(home / "reports" / "demo").items()}
    assert states == {"00_slow": "running"}
    how(process.pid)
    output = process.communicate(timeout=60)[0]
    (home / "there").unlink()
    return output, process.returncode


def ctrl_c(pid):
    os.killpg(pid, signal.SIGINT)


def sigterm(pid):
    os.kill(pid, signal.SIGTERM)


def sigkill(pid):
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("how", [ctrl_c, sigterm, sigkill])
def test_what_is_interrupted_is_no_success_and_leaves_what_was_there(home, how):
    folder = home / "reports" / "demo"
    output, returned = stop(home, how)
    assert "Traceback" not in output
    assert returned in (130, -signal.SIGKILL)
    states = {name: outcome.status for name, outcome in batch.read_outcomes(folder).items()}
    assert states == {"00_slow": "interrupted"}, "and the batch did not go on"
    assert not (folder / "notebooks" / "00_slow.ipynb").exists()
    assert "interrupted" in said("status", "-p", "demo")[0]
    # an earlier result stays, and the page says what it is
    earlier = [new_markdown_cell("# Slow\n\n## Part"), code("print()"), code("print('whole')")]
    write_notebook(folder / "notebooks", "00_slow", earlier)
    before = (folder / "notebooks" / "00_slow.ipynb").read_bytes()
    stop(home, how)
    assert (folder / "notebooks" / "00_slow.ipynb").read_bytes() == before
    page = BeautifulSoup(build_report(load_profile("demo")).read_text(), "html.parser")
    assert "1 of 1 notebooks not finished" in " ".join(page.find(id="banner-unfinished").get_text(" ").split())
    assert "an earlier result is shown" in page.find(id="nb-00_slow").get_text()
    assert page.select_one("nav.toc .badge").get_text() == "interrupted"
    # the same command goes on
    write(home / "notebooks" / "00_slow.ipynb", "print('quick now')")
    assert said("batch", "-p", "demo")[1] == 0
    assert [outcome.status for outcome in batch.read_outcomes(folder).values()] == ["ok", "ok"]
    assert sorted(path.name for path in (folder / "notebooks").glob("*.ipynb")) == ["00_slow.ipynb", "01_quick.ipynb"]
    page = BeautifulSoup(build_report(load_profile("demo")).read_text(), "html.parser")
    assert page.find(id="banner-unfinished") is None


def test_batches_at_once_lose_no_outcome(tmp_path):
    def record(number):
        for turn in range(5):
            batch._record(tmp_path, batch.Outcome(f"{number:02}_{turn}", "ok", 1.0))

    threads = [threading.Thread(target=record, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(batch.read_outcomes(tmp_path)) == 20


def test_two_batches_of_the_same_notebooks_keep_all(home):
    write(home / "notebooks" / "00_slow.ipynb", "import time\ntime.sleep(2)")
    processes = [start("batch", "-p", "demo", "-n", name) for name in ("00", "01", "00")]
    output = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], output
    assert [o.status for o in batch.read_outcomes(home / "reports" / "demo").values()] == ["ok", "ok"]


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({}, "running"),
        # its number is another's now
        ({"begun": 1.0}, "interrupted"),
        ({"pid": 2**31 - 1}, "interrupted"),
        ({"host": "elsewhere"}, "running"),
        (None, "interrupted"),
    ],
)
def test_a_running_notebook_is_one_whose_process_lives(tmp_path, change, state):
    this = batch.asdict(batch.Process.this())
    entry = {"notebook": "00_x", "status": "running", "seconds": 0}
    entries = [entry if change is None else {**entry, "process": {**this, **change}}]
    (tmp_path / "batch.json").write_text(json.dumps(entries))
    assert batch.read_outcomes(tmp_path)["00_x"].status == state


@pytest.mark.parametrize("status", ["running", "interrupted", "failed", "ok"])
def test_a_notebook_that_left_nothing_is_said(home, status):
    write_notebook(home / "reports" / "demo" / "notebooks", "01_quick", [code("x")])
    outcome = {"notebook": "00_slow", "status": status, "seconds": 1, "process": batch.asdict(batch.Process.this())}
    (home / "reports" / "demo" / "batch.json").write_text(json.dumps([outcome]))
    page = BeautifulSoup(build_report(load_profile("demo")).read_text(), "html.parser")
    words = {"running": "it is being executed", "interrupted": "its execution was interrupted"}
    assert words.get(status, "it left no file") in page.find(id="nb-00_slow").get_text()


PAPERMILL = {"start_time": "2025-01-01T00:00:00", "end_time": None, "exception": None}


@pytest.mark.parametrize(
    "halve",
    [
        lambda notebook: notebook.metadata.update(papermill=PAPERMILL),
        lambda notebook: notebook.cells[-1].update(execution_count=None),
        lambda notebook: notebook.cells.append(new_code_cell("never()")),
    ],
)
def test_a_half_executed_notebook_is_no_success_whatever_the_batch_says(home, halve):
    folder = home / "reports" / "demo"
    write_notebook(folder / "notebooks", "00_slow", [new_markdown_cell("# Slow"), code("x"), code("y")])
    path = folder / "notebooks" / "00_slow.ipynb"
    notebook = nbformat.read(path, as_version=4)
    halve(notebook)
    nbformat.write(notebook, path)
    for outcomes in ([], [{"notebook": "00_slow", "status": "ok", "seconds": 1}]):
        (folder / "batch.json").write_text(json.dumps(outcomes))
        page = BeautifulSoup(build_report(load_profile("demo")).read_text(), "html.parser")
        assert "its execution was interrupted" in page.find(id="banner-unfinished").get_text()


GOOD = {"notebook": "00_x", "status": "ok", "seconds": 1}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"5",
        b'"text"',
        b"{}",
        b"[1]",
        b"[[]]",
        b"[{}]",
        b"\xff\xfe[",
        b"[" * 100_000,
        *(
            json.dumps([{**GOOD, **change}]).encode()
            for change in (
                {"notebook": 5},
                {"notebook": "../x"},
                {"status": "good"},
                {"seconds": None},
                {"seconds": -1},
                {"seconds": float("nan")},
                {"seconds": float("inf")},
                {"error": ["x"]},
                {"error": "\ud83d"},
                {"process": 5},
                {"process": {"host": "x", "pid": 10**30, "begun": 1}},
            )
        ),
    ],
)
def test_a_batch_json_of_any_shape_is_one_sentence(tmp_path, content):
    (tmp_path / "batch.json").write_bytes(content)
    with pytest.raises(ResultsError, match=r"batch\.json cannot be read .*: restore it, or move it elsewhere and run"):
        batch.read_outcomes(tmp_path)


def test_a_notebook_changed_after_its_execution_is_not_shown(home):
    write(home / "notebooks" / "00_slow.ipynb", "print('no longer slow')")
    assert [outcome.status for outcome in batch.execute_batch("demo")] == ["ok", "ok"]
    folder = home / "reports" / "demo"
    page = build_report(load_profile("demo")).read_text(encoding="utf-8")
    assert "no longer slow" in page
    assert "banner-changed" not in page

    executed = folder / "notebooks" / "01_quick.ipynb"
    executed.write_text(executed.read_text().replace('"quick', '"99.9 %'))
    words, code = said("verify", "-p", "demo")
    assert "01_quick.ipynb: changed since the batch executed it" in words
    assert code == 1
    page = BeautifulSoup(build_report(load_profile("demo")).read_text(encoding="utf-8"), "html.parser")
    assert "changed since the batch executed it" in page.find(id="nb-01_quick").get_text()
    assert "Quick" in page.find(id="banner-changed").get_text()
    assert "99.9 %" not in page.get_text()
    assert "no longer slow" in page.get_text()

    # one from before there were checksums is believed, and executing it again mends the other
    entries = json.loads((folder / "batch.json").read_text())
    (folder / "batch.json").write_text(
        json.dumps([{k: v for k, v in entry.items() if k != "sha256"} for entry in entries])
    )
    assert "99.9 %" in build_report(load_profile("demo")).read_text(encoding="utf-8")
    batch.execute_batch("demo", notebooks="01")
    page = build_report(load_profile("demo")).read_text(encoding="utf-8")
    assert "99.9 %" not in page
    assert "banner-changed" not in page
