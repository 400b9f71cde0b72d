"""Files are replaced whole or stay as they were; a lock lets one process at a time in, on network file systems too."""

import errno
import os
import signal
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest

from siamese_utils import files
from siamese_utils.errors import OutputError


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "table.csv"
    files.write_text(path, "old")
    with pytest.raises(UnicodeEncodeError):
        files.write_text(path, "half\ud800")
    assert path.read_text() == "old"
    files.write_text(path, "new")
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["table.csv"], "nothing is left over"


def test_a_full_disk_names_the_file(tmp_path):
    path = tmp_path / "results.csv"
    with pytest.raises(OSError, match="No space left") as caught, files.replacing(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.filename == str(path)


def test_a_link_is_followed_and_a_device_is_written_itself(tmp_path):
    path, link = tmp_path / "table.csv", tmp_path / "link.csv"
    path.write_text("old")
    link.symlink_to(path)
    files.write_text(link, "new")
    assert path.read_text() == "new"
    assert link.is_symlink()
    os.mkfifo(tmp_path / "pipe")
    with files.replacing(tmp_path / "pipe") as part:
        assert part == tmp_path / "pipe"


@pytest.mark.parametrize("closed", ["there", "there/old.csv", ""])
def test_what_cannot_be_written_is_said_before_any_work(closed, tmp_path, monkeypatch):
    folder = tmp_path / "there"
    folder.mkdir()
    for path in (folder / "old.csv", tmp_path / "link.csv"):
        path.write_text("old") if path.parent == folder else path.symlink_to(folder / "old.csv")
    # the tests' user may write everywhere
    monkeypatch.setattr(os, "access", lambda path, _: not closed or path != tmp_path / closed)
    refused = {"there": ["new.csv", "old.csv", "../link.csv"], "there/old.csv": ["old.csv", "../link.csv"], "": []}
    for name in ("new.csv", "old.csv", "../link.csv", "../free.csv"):
        if name in refused[closed]:
            with pytest.raises(OutputError, match=r"cannot write .*: choose another place, or change its rights"):
                files.writable(folder / name)
        else:
            assert files.writable(folder / name) == folder / name
    assert files.writable(tmp_path / "deeper/still/new.csv").parent.is_dir()
    os.mkfifo(folder / "pipe")
    assert files.writable(folder / "pipe") == folder / "pipe"


def test_what_is_written_through_a_link_has_the_ending_that_was_asked_for(tmp_path):
    """NumPy adds the ending where it is missing."""
    (tmp_path / "packed.npz").symlink_to("elsewhere")
    with files.replacing(tmp_path / "packed.npz") as part:
        np.savez(part, numbers=np.arange(3))
    assert np.load(tmp_path / "packed.npz")["numbers"].tolist() == [0, 1, 2]
    assert sorted(os.listdir(tmp_path)) == ["elsewhere", "packed.npz"]


def test_a_system_without_flock_is_said_and_not_waited_for(tmp_path, monkeypatch):
    """A lock's file from before is there, as it always is."""
    fcntl = pytest.importorskip("fcntl")
    (tmp_path / "lock").touch()

    def refuse(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(OutputError, match="no lock on"), files.locked(tmp_path / "lock", "the run"):
        pass


COUNT_UP = """
import sys, time
from pathlib import Path
from types import SimpleNamespace
import psutil
from siamese_utils import files

here, kind = Path(sys.argv[1]), sys.argv[2]
mounts = [SimpleNamespace(mountpoint=place, fstype=fs) for place, fs in (("/", "ext4"), (str(here), kind))]
psutil.disk_partitions = lambda **_: mounts
assert files.network_file_system(here) == (kind if kind == "nfs4" else "")
for _ in range(15):
    with files.locked(here / ".lock", "the count"):
        now = int((here / "count").read_text())
        time.sleep(0.002)
        (here / "count").write_text(str(now + 1))
"""


@pytest.mark.parametrize("kind", ["ext4", "nfs4"])
def test_a_lock_lets_one_process_in(tmp_path, kind):
    """Two at once would lose a count."""
    (tmp_path / "count").write_text("0")
    command = [sys.executable, "-c", COUNT_UP, str(tmp_path), kind]
    processes = [subprocess.Popen(command) for _ in range(4)]
    assert [process.wait(timeout=60) for process in processes] == [0] * 4
    assert (tmp_path / "count").read_text() == "60"
    assert (tmp_path / ".lock").exists() == (kind == "ext4"), "a lease is given back"


def test_who_waits_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "PATIENCE", 0.1)
    held, release = threading.Event(), threading.Event()

    def hold():
        with files.locked(tmp_path / ".lock", "the count"):
            held.set()
            release.wait(timeout=30)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(timeout=30)
    told = []
    monkeypatch.setattr(warnings, "warn", lambda words, **_: told.append(words) or release.set())
    with files.locked(tmp_path / ".lock", "the count"):
        pass
    holder.join()
    assert told == ["waiting for another process that is at work on the count."]


HOLD = """
import sys
from pathlib import Path
from siamese_utils import files

files.network_file_system, files.EXPIRY = (lambda _: "nfs"), 1.0
with files.locked(Path(sys.argv[1]), "the count"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds a lock on a file system of the network, as if it were on another machine."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / ".lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_lost_machine_does_not_keep_its_lock(tmp_path, monkeypatch, holder):
    monkeypatch.setattr(files, "network_file_system", lambda _: "nfs")
    monkeypatch.setattr(files, "EXPIRY", 1.0)
    holder.kill()
    with files.locked(tmp_path / ".lock", "the count"):
        pass


@pytest.mark.filterwarnings("ignore:waiting for another process")
def test_who_sleeps_beyond_his_lease_is_interrupted(tmp_path, monkeypatch, holder):
    monkeypatch.setattr(files, "network_file_system", lambda _: "nfs")
    monkeypatch.setattr(files, "EXPIRY", 1.0)
    holder.send_signal(signal.SIGSTOP)
    with files.locked(tmp_path / ".lock", "the count"):
        holder.send_signal(signal.SIGCONT)
        assert holder.wait(timeout=30) == -signal.SIGTERM


def test_a_lock_that_cannot_be_had_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "network_file_system", lambda _: "nfs")
    monkeypatch.setattr(files, "LEASE", None)
    with pytest.raises(OutputError, match=r"network file system \(nfs\)"), files.locked(tmp_path / ".lock", "a run"):
        pass
