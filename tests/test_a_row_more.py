"""A new experiment, claim, loss, method and profile, added as docs/add-an-experiment.md says, break nothing.

They are added to a copy of the checkout, and the whole suite runs there.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, TINY

CLAIM = """
  - id: added-by-the-test
    section: "4.2"
    quote: added by the test
    says: Kernels of 7×7 do not hurt.
    notebook: embedding
    check: {kind: similar, of: kernel-7, than: baseline}
"""
LOSS = '''def squared(embeddings):
    """Half of the mean of all squared distances, for the test of an added loss."""
    return ops.mean(squared_distances(embeddings)) / 2


'''


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the checkout; what runs left, which nothing here changes, is linked."""
    copy = tmp_path_factory.mktemp("checkout") / "project"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, tracked.split("\0")):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        left_by_a_run = len(Path(name).parts) > 4 and name.startswith("reports/")
        if (ROOT / name).is_file():
            (os.link if left_by_a_run else shutil.copy)(ROOT / name, copy / name)
    return copy


def commit(checkout: Path) -> None:
    """Make a repository of the copy, as some tests clone it."""
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    for words in (("init", "--quiet"), ("add", "--all"), (*who, "commit", "--quiet", "--message", "with a row more")):
        subprocess.run(["git", *words], cwd=checkout, check=True)


def add(path: Path, text: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def run(checkout: Path, *command: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=checkout, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow  # as long as the suite, which it runs again
def test_what_the_docs_say_leaves_the_suite_green(checkout):
    docs = (checkout / "docs/add-an-experiment.md").read_text(encoding="utf-8")
    add(checkout / "params/experiments.yaml", "\n" + re.findall(r"```yaml\n(.*?)```", docs, re.DOTALL)[0])
    add(checkout / "params/claims.yaml", CLAIM)
    losses = checkout / "siamese_utils/beyond/losses.py"
    before, tuple_of_losses, after = losses.read_text(encoding="utf-8").partition("ON_EMBEDDINGS = (")
    losses.write_text(f"{before}{LOSS}{tuple_of_losses}squared, {after}", encoding="utf-8")
    config = checkout / "siamese_utils/beyond/config.py"
    config.write_text(config.read_text(encoding="utf-8").replace('"contrastive",', '"contrastive", "squared",', 1))
    add(checkout / "params/beyond.yaml", "\n  - {name: loss-squared, title: Squared distances, loss: squared}\n")
    shutil.copyfile(TINY, checkout / "params/profiles/mine.yaml")
    assert "renewed" in run(checkout, "siamese_utils", "scoreboard")
    run(checkout, "siamese_utils", "report", "--profile", "laptop")
    assert "added-by-the-test" in (checkout / "reports/laptop/claims.csv").read_text(encoding="utf-8")
    commit(checkout)
    run(checkout, "pytest", "-m", "not slow and not real_data", "-n", "2", "--dist", "loadfile")
    assert "not run" in run(checkout, "siamese_utils", "status", "--profile", "mine")
