"""No folder of the user's stays in an executed notebook or on the page, however it is spelled there."""

import json
import shutil
from pathlib import Path
from unicodedata import normalize
from urllib.parse import quote

import nbformat
import pytest
from bs4 import BeautifulSoup
from conftest import ROOT
from made_up_report import code, display, empty_reports, write_notebook
from nbformat.v4 import new_output

from siamese_utils.config import load_profile
from siamese_utils.report.page import build_report
from siamese_utils.report.private import forget_folders

# a home with what people have in theirs: letters, spaces, quotes, signs
HOMES = ["zoë", "Müller & Söhne", "日本", "o'neill", "a (b) [c]", "emoji😀", "per%cent", "back\\slash"]


@pytest.fixture(params=HOMES)
def home(request, tmp_path, monkeypatch):
    """A user's home, with the project in it, reached by a link too."""
    home = tmp_path / "users" / request.param
    project = home / "secret" / "project"
    (project / "notebooks").mkdir(parents=True)
    shutil.copytree(ROOT / "params", project / "params")
    (home / "link").symlink_to(project)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("SIAMESE_HOME", str(project))
    monkeypatch.delenv("SIAMESE_REPORTS_DIR", raising=False)
    return home


def spellings(path: Path):
    """A path as programs write it."""
    for text in (normalize("NFC", str(path)), normalize("NFD", str(path))):
        yield text
        yield json.dumps(text)
        yield json.dumps(json.dumps(text))
        yield repr(text)
        yield ascii(text)
        yield repr(text.encode())
        yield quote(text)
        yield quote(text, safe="")
        yield quote(text).replace("%C3", "%c3")
        yield f"file://{quote(text)}"
        yield text.encode("ascii", "xmlcharrefreplace").decode()
        yield text.replace("&", "&amp;").replace("'", "&#x27;")
        yield f"FileNotFoundError: [Errno 2] No such file or directory: {text!r}"
        yield f"File \x1b[32m{text}:3\x1b[39m, in f(x)"


def test_no_spelling_of_a_home_stays(home):
    for inner in ("secret/project/siamese_utils/config.py", "secret/other work/list.csv", "link/params/x.yaml"):
        for text in spellings(home / inner):
            left = forget_folders(f"before {text} after")
            assert "secret" not in left, text
            assert home.name not in left, text
            assert left.startswith(("before", "File")), text
            assert left.rstrip().endswith("after"), text
            assert Path(inner).name in left.replace("%2F", "/"), text


def test_what_is_kept_of_a_path(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/alice")
    mine = Path("/data/alice-private/mine.yaml")
    root, kept = str(ROOT), {
        "File {root}/siamese_utils/config.py:204, in f(x)": "File siamese_utils/config.py:204, in f(x)",
        'File "{root}/a b/c.py", line 3': 'File "a b/c.py", line 3',
        "{root}": ".",
        "cd {root}; ls": "cd .; ls",
        "/home/alice/Documents/client/a.png is missing": "a.png is missing",
        "open('/home/alice/My Documents/a b.png')": "open('a b.png')",
        "File /home/alice/My Documents/a.py:12, in f()": "File a.py:12, in f()",
        "File ~/My Documents/a.py:12, in f()": "File a.py:12, in f()",
        "/home/alice": "…",
        "HOME=/home/alice:/usr/bin": "HOME=…:/usr/bin",
        "/home/bob/x/y.txt and /Users/carol/z.txt": "y.txt and z.txt",
        r"C:\Users\Dora\z.txt": "z.txt",
        "/mnt/c/Users/dora/z.txt and /export/home/eve/x": "z.txt and x",
        "/data/users/finn/runs /nfs/homes/gil/a.py /scratch/hal/b": "runs a.py b",
        "open('/Users/ida k smith/My Files/a.py'), '/scratch/jo x/b.txt'": "open('a.py'), 'b.txt'",
        "/data/x.csv and https://example.org/data/users/7": None,
        "/home/bob/.venv/lib/python3.11/site-packages/keras/src/a.py:3": "site-packages/keras/src/a.py:3",
        "/tmp/ipykernel_12/345.py:1": "345.py:1",
        "\x1b[32m/tmp/ipykernel_12/345.py\x1b[39m in f": "\x1b[32m345.py\x1b[39m in f",
        "'a\\n/home/alice/b.txt'": "'a\\nb.txt'",
        "/data/alice-private/mine.yaml, /data/alice-private/other.csv": "mine.yaml, other.csv",
        # what is nobody's
        "https://example.org/tmp/file and https://example.org/home/page": None,
        "/usr/lib/python3/x.py, a/tmp/b, 3/4, x ~/ y, ~5 points, 1/2 ~ 3": None,
        "/home/alice2x": "…",
        "/tmpfoo/x /homework/y": None,
    }  # fmt: skip
    for text, expected in kept.items():
        found = forget_folders(text.replace("{root}", root), [mine])
        assert found == (text if expected is None else expected)


def test_a_home_that_is_the_root_hides_nothing(monkeypatch):
    monkeypatch.setenv("HOME", "/")
    assert forget_folders("/usr/lib/x.py a/b") == "/usr/lib/x.py a/b"


def test_pictures_and_the_words_of_cells_stay(monkeypatch):
    monkeypatch.setenv("HOME", "/home/alice")
    notebook = {
        "cells": [{"source": "see ~/data/x and /home/alice/y", "outputs": [{"image/png": "ab/tmp/x", "t": "~/z"}]}]
    }
    (cell,) = forget_folders(notebook)["cells"]
    assert cell["source"] == "see ~/data/x and y"
    assert cell["outputs"] == [{"image/png": "ab/tmp/x", "t": "z"}]


def test_the_page_of_a_notebook_that_someone_ran_by_hand_has_no_folders(tmp_path, monkeypatch):
    reports = empty_reports(tmp_path, monkeypatch)
    monkeypatch.setenv("HOME", "/home/zoë")
    where = "/home/zoë/secret/a.py"
    error = new_output("error", ename="OSError", evalue=f"no {where}", traceback=[f"File \x1b[32m{where}:3\x1b[39m"])
    shown = display({"text/html": f"<p>{quote(where)}</p>", "text/plain": json.dumps(where)})
    write_notebook(
        reports / "demo" / "notebooks", "00_start", [code("x", shown, new_output("stream", text=where), error)]
    )
    entry = {"notebook": "00_start", "status": "failed", "seconds": 1, "error": f"OSError: no {where}"}
    (reports / "demo" / "batch.json").write_text(json.dumps([entry]))
    page = build_report(load_profile("demo")).read_text(encoding="utf-8")
    assert "secret" not in page
    assert "OSError: no a.py" in BeautifulSoup(page, "html.parser").find(id="banner-failed").get_text()


def test_an_executed_notebook_stays_one(home):
    notebook = nbformat.v4.new_notebook(cells=[code("x", new_output("stream", text=str(home)))])
    assert not nbformat.validate(nbformat.from_dict(forget_folders(notebook)))
