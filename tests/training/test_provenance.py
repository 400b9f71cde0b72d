"""What the checkout's last commit holds."""

import shutil
import subprocess

import pytest

from siamese_utils.training.provenance import committed_files


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A project under version control: a run's file committed, another changed since, a third never added."""
    if not shutil.which("git"):
        pytest.skip("no git")
    home = tmp_path / "above" / "home"
    for name in ("params/experiments.yaml", "siamese_utils/x.py", "reports/a b/ü.json", "reports/a b/changed.json"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("as committed")
    author = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], ["add", "."], [*author, "commit", "-q", "-m", "all"]):
        subprocess.run(["git", "-C", home.parent, *command], check=True)
    (home / "reports/a b/changed.json").write_text("since")
    (home / "reports/a b/new.json").write_text("new")
    monkeypatch.setenv("SIAMESE_HOME", str(home))
    return home


def test_committed_is_what_the_last_commit_holds_as_it_is_now(checkout):
    assert committed_files(checkout / "reports") == {checkout / "reports/a b/ü.json"}
    assert committed_files(checkout / "reports/none") == set()
    (checkout / "link").symlink_to(checkout / "reports/a b")
    assert committed_files(checkout / "link") == {checkout / "reports/a b/ü.json"}


def test_nothing_is_committed_outside_the_checkout_or_without_history(checkout, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    assert committed_files(tmp_path / "elsewhere") == set()
    shutil.rmtree(checkout.parent / ".git")
    assert committed_files(checkout / "reports") == set()
