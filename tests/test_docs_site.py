"""The documentation as a site: it builds without a warning, and its links lead somewhere."""

import os
import shutil
import subprocess
import sys
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup
from conftest import ROOT

import siamese_utils as su

pytest.importorskip("sphinx", reason="the site needs the extra docs, which is for Python 3.11 and later")


@pytest.fixture(scope="module")
def site():
    """The folder that `make docs` fills: in the checkout, so that links to it hold."""
    folder = ROOT / "build" / f"docs-tested-{os.getpid()}"
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "--quiet", "-c", "docs", ".", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    yield folder
    shutil.rmtree(folder)


def read(page):
    return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")


def test_make_builds_it_so():
    lines = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "$(BIN)/python -m sphinx -W --keep-going --quiet -c docs . build/docs\n" in lines
    assert "/build/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_every_page_is_there_and_in_the_contents(site):
    pages = [path.relative_to(ROOT).with_suffix(".html") for each in ("*.md", "docs/*.md") for path in ROOT.glob(each)]
    assert all((site / page).is_file() for page in pages)
    front = read(site / "index.html")
    contents = {link["href"] for link in front.select(".sidebar-tree a")}
    assert {str(page) for page in pages} - contents == {"README.html"}


def test_the_public_face_has_its_docstrings(site):
    reference = read(site / "docs/api.html")
    for name in su.FUNCTIONS:
        described = reference.find(id=f"siamese_utils.{name}").find_next_sibling("dd")
        assert ">>>" in described.get_text(), name
    for name, place in su.MODULES.items():
        assert reference.find(id=f"module-siamese_utils.{place}"), name
    assert any(block.get_text().startswith("P = 1/N") for block in reference.select("pre")), "the formula of leakage"
    until = next(item for item in reference.select("li") if item.get_text().startswith("until: train through"))
    assert until.find("code").get_text() == "until"


def test_links_lead_somewhere_and_nothing_is_fetched(site):
    for page in [site / "index.html", *site.glob("docs/*.html")]:
        soup = read(page)
        for link in soup.find_all("a", href=True):
            url = urlsplit(link["href"])
            assert url.scheme or not url.path or (page.parent / unquote(url.path)).exists(), (page.name, link["href"])
        for tag, name in (("script", "src"), ("img", "src"), ("link", "href")):
            found = [element[name] for element in soup.find_all(tag) if element.get(name)]
            assert not [address for address in found if urlsplit(address).scheme or address[:2] == "//"], page.name
