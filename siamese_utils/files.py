"""Files written whole or not at all, and locks that hold where several processes share a folder."""

from __future__ import annotations

import json
import os
import secrets
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from inspect import signature
from pathlib import Path
from typing import Any

import filelock

from .errors import OutputError

# file systems of other machines, where flock may let two in; those of FUSE count as such
NETWORK = ("nfs", "cifs", "smb", "afp", "afs", "ceph", "gluster", "lustre", "beegfs", "gpfs", "panfs", "pvfs", "9p",
           "davfs", "webdav", "fuse.", "vboxsf", "prl_fs", "coda", "ncp")  # fmt: skip
LEASE = getattr(filelock, "SoftFileLease", None)
# seconds without a sign of its holder after which a lock there may be taken over
EXPIRY = 300.0
# where the system has no flock, filelock would take a lock's file for the lock, and ours stay: none can be had then
HARD: dict[str, Any] = (
    {"fallback_to_soft": False} if "fallback_to_soft" in signature(filelock.FileLock.__init__).parameters else {}
)
# files that every run's folder has, finished or under way
OF_RUNS = ("SHA256SUMS", "checkpoints.json", "answers.npz")
# seconds before someone is told that he waits
PATIENCE = 5.0


def writable(path: Path, ending: str = "") -> Path:
    """Make the folder of a file, before anyone works for what goes there, and return the file's path.

    Raises OutputError where it cannot be written, or does not end as it should.
    """
    path = path.expanduser()
    if path.is_dir():
        raise OutputError(f"{path} is a folder: name a file in it.")
    if ending and path.suffix != ending:
        raise OutputError(f"{path} must end in {ending}: name it {path.name}{ending}.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder of {path} ({error.strerror}): choose another place.") from error
    # a file's place is taken by another, which its folder must allow; what is no regular file is written itself
    target = Path(os.path.realpath(path))
    places = [target] * target.exists() + [target.parent] * (target.is_file() or not target.exists())
    if not all(os.access(place, os.W_OK) for place in places):
        raise OutputError(f"cannot write {path}: choose another place, or change its rights or its folder's.")
    return path


def refuse_runs(path: Path) -> None:
    """Raise OutputError for a file in a run's folder, which keeps what the run left."""
    if any((Path(os.path.realpath(path)).parent / name).exists() for name in OF_RUNS):
        raise OutputError(f"{path} lies in a run's folder, which keeps what the run left: choose another place.")


def in_any_case(folder: Path, name: str) -> Path:
    """Find a folder's entry of this name, or, where there is none, one that differs from it by capitals alone."""
    if (folder / name).exists() or not folder.is_dir():
        return folder / name
    return next((path for path in sorted(folder.iterdir()) if path.name.lower() == name.lower()), folder / name)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a name beside a file to write to: what was written takes the file's place once the block ends well.

    It is on the disk by then. After an error the file is as it was. A link is followed; what is no regular file, such
    as /dev/null, is written itself.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        yield target
        return
    # with the ending that the writer was asked for: some put it there themselves
    part = target.with_name(f".{target.stem}.{secrets.token_hex(4)}{path.suffix}")
    try:
        yield part
        with part.open("rb+") as written:
            os.fsync(written.fileno())
        os.replace(part, target)
    except OSError as error:
        # a full disk names no file
        if error.errno and error.filename is None:
            error.filename = str(path)
        raise
    finally:
        with suppress(OSError):
            part.unlink()


def write_text(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old one or the new one, never half of it."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write JSON so that a reader sees the old file or the new one, never half of it."""
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Let one process at a time into the block: the others wait, and are told so after a while.

    path  of the lock's file; it stays, for removed, two could hold it
    what  is locked, in words

    On a local file system the lock is the system's own, and ends with its process. On one of the network flock may let
    two in (2,653 of 2,829 times where NFS was mounted without locks, github.com/realiti4/claude-swap/issues/372): there
    it is a lease, a file that its holder renews. Of a killed process or a lost machine it is taken over after `EXPIRY`;
    a holder that was asleep for so long, and finds it taken, is interrupted. Raises OutputError where no lock can be
    had.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    network = network_file_system(path.parent)
    lock = _lease(path, network) if network else filelock.FileLock(path, **HARD)
    try:
        try:
            lock.acquire(timeout=PATIENCE)
        except filelock.Timeout:
            warnings.warn(f"waiting for another process that is at work on {what}.", stacklevel=3)
            lock.acquire()
    except (OSError, RuntimeError) as error:
        raise OutputError(
            f"no lock on {path} can be had ({getattr(error, 'strerror', None) or error}): set SIAMESE_REPORTS_DIR and "
            "SIAMESE_CACHE_DIR to folders on a local disk."
        ) from error
    try:
        yield
    finally:
        lock.release()


def network_file_system(folder: Path) -> str:
    """Name the kind of the network file system that a folder lies on, such as "nfs4"; "" on a local one."""
    import psutil  # type: ignore[import-untyped]

    folder, kind, longest = folder.resolve(), "", -1
    for mount in psutil.disk_partitions(all=True):
        if folder.is_relative_to(mount.mountpoint) and len(mount.mountpoint) >= longest:
            kind, longest = mount.fstype.lower(), len(mount.mountpoint)
    return kind if kind.startswith(NETWORK) else ""


def _lease(path: Path, network: str) -> filelock.BaseFileLock:
    if not LEASE:
        raise OutputError(
            f"{path.parent} lies on a network file system ({network}), where locks need filelock 3.30: install it, or "
            "set SIAMESE_REPORTS_DIR and SIAMESE_CACHE_DIR to folders on a local disk."
        )

    def interrupt(_: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    lock: filelock.BaseFileLock = LEASE(path, lease_duration=EXPIRY, on_compromise=interrupt)
    return lock
