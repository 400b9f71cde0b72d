"""Where a number comes from: commit, versions, backend, device. Recorded with every result, shown in the report."""

from __future__ import annotations

import os
import platform
import subprocess
from contextlib import suppress
from datetime import datetime, timezone
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from ..paths import project_root

# of a check, in a run's history
ORIGIN_COLUMNS = ("commit", "backend", "device", "processor", "convolutions")
PACKAGES = ("keras", "tensorflow", "jax", "numpy", "pandas", "scipy")


def provenance() -> dict[str, Any]:
    """Collect everything about the machine and the software that a reader needs to judge a number."""
    from ..backend import device, keras
    from .precision import convolutions_in_use

    return {
        **code_version(),
        "backend": keras.config.backend(),
        "device": device(),
        "processor": processor(),
        "convolutions": convolutions_in_use(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "packages": package_versions(),
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def origin_of_checks() -> dict[str, Any]:
    """Return what every line of a run's history repeats of `provenance`, the commit shortened."""
    origin = provenance()
    return {name: {**origin, "commit": short_commit(origin, "+")}[name] for name in ORIGIN_COLUMNS}


def short_commit(origin: dict[str, Any], changed: str = " with uncommitted changes") -> str:
    """Return the first ten digits of an origin's commit; `changed` behind them where the code was not the commit's."""
    return (origin.get("commit") or "unknown")[:10] + (changed if origin.get("modified") else "")


@lru_cache
def code_version() -> dict[str, Any]:
    """Read the commit of the checkout, and whether the package or its parameters differ from it, once a process.

    SIAMESE_COMMIT stands in where the code runs without its git history (a cluster node, say).
    """
    if commit := os.environ.get("SIAMESE_COMMIT"):
        return {"commit": commit, "modified": None}
    commit = _git("rev-parse", "HEAD")
    status = _git("status", "--porcelain", "--", "siamese_utils", "params")
    return {"commit": commit, "modified": bool(status) if commit else None}


def remember_code_version() -> None:
    """Read the code's version before a training begins: what is edited meanwhile is not what runs."""
    code_version()


def committed_files(folder: Path) -> set[Path]:
    """Find the files in a folder that the checkout's last commit holds as they are, links followed; none elsewhere."""
    root, folder = project_root().resolve(), folder.resolve()
    if not folder.is_relative_to(root):
        return set()
    place = f"{folder.relative_to(root).as_posix()}/"
    kept = _git("ls-tree", "-r", "-z", "--name-only", "HEAD", "--", place)
    changed = _git("diff", "-z", "--name-only", "--relative", "HEAD", "--", place)
    if kept is None or changed is None:
        return set()
    return {root / name for name in {*kept.split("\0")} - {*changed.split("\0")} if name}


def package_versions() -> dict[str, str]:
    """List the versions of the installed packages that numbers depend on."""
    versions = {}
    for name in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def processor() -> str:
    """Return the processor's model name, as the system tells it."""
    return cpu_info("model name") or platform.processor() or platform.machine()


@lru_cache
def cpu_info(key: str) -> str:
    """Read what Linux says of the first processor under a key, such as "model name" or "flags"; "" elsewhere."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")
    except OSError:
        return ""


def _git(*arguments: str) -> str | None:
    root = project_root()
    if not (root / "siamese_utils").is_dir():
        # of an installed package, the history around it is another's
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
