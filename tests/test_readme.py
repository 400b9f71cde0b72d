"""The front page is short, its links lead somewhere, and its commands exist and run."""

import re
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT
from typer.main import get_command

from siamese_utils.cli.app import app

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
MOST_BYTES = 6 * 1024


def blocks(path):
    """The lines of a page's shell blocks, comments left out."""
    found = re.findall(r"^```sh\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [words for line in "".join(found).splitlines() if (words := line.partition("#")[0].split())]


def commands(name):
    """Every command of the pages that starts with a word, also behind && or an assignment."""
    for path in PAGES:
        for words in blocks(path):
            starts = [number for number, word in enumerate(words) if word.rpartition("/")[2] == name]
            for start in starts:
                end = next((n for n in range(start, len(words)) if words[n] in ("&&", "|", ";")), len(words))
                if start + 1 < end:  # "conda activate siamese" names no command
                    yield path.name, words[start + 1 : end]


def test_the_front_page_is_short():
    assert len((ROOT / "README.md").read_bytes()) <= MOST_BYTES


def test_links_lead_to_files_that_exist():
    links = [
        (path, target.partition("#")[0])
        for path in PAGES
        for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8"))
        if "://" not in target and not target.startswith("#")
    ]
    assert len(links) > 20
    assert not [f"{path.name}: {target}" for path, target in links if not (path.parent / target).exists()]


def test_make_has_every_target_that_is_named():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = [word for _, words in commands("make") for word in words if not word.startswith("-") and "=" not in word]
    assert len(named) > 4
    assert set(named) <= targets


def test_every_siamese_command_and_option_exists():
    known = get_command(app).commands
    named = list(commands("siamese"))
    assert len(named) > 8
    for page, (name, *words) in named:
        options = {
            option for parameter in known[name].params for option in (*parameter.opts, *parameter.secondary_opts)
        }
        given = {word.partition("=")[0] for word in words if word.startswith("-")}
        assert given <= options, (page, name)


@pytest.mark.slow
def test_the_front_pages_commands_run_in_a_fresh_clone(tmp_path):
    """But for those that open a server, train for hours, or run the tests."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    (clone / ".venv").mkdir()
    for ready in (".python", ".ready", ".ready-dev"):
        (clone / ".venv" / ready).touch()
    (clone / ".venv" / "bin").symlink_to(sys.prefix + "/bin")
    lines = [" ".join(words) for words in blocks(ROOT / "README.md")]
    assert {line.split()[1] for line in lines} == {"reproduce", "laptop", "lab", "test"}
    subprocess.run(["make", "reproduce", f"PYTHON={sys.executable}"], cwd=clone, check=True, env=_clean(clone))
    assert (clone / "reports" / "demo" / "index.html").is_file()
    shutil.rmtree(clone)


def _clean(clone):
    import os

    kept = {name: value for name, value in os.environ.items() if not name.startswith("SIAMESE_")}
    return kept | {"PYTHONPATH": str(clone)}
