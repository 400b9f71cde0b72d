"""Ways of doing one thing, timed in turn, so that whatever else the machine does hits them all."""

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

# `siamese` as `python -c` takes it
COMMAND_LINE = "from siamese_utils.cli import main; main()"


class Turn(NamedTuple):
    seconds: float
    # cores at work, on average: seconds of processor per second of clock
    cores: float
    # MiB of memory that the process has held at most, since it began
    peak: float


def parser(words: str | None, repeats: int) -> argparse.ArgumentParser:
    """Make a command line that has `--repeats`, and whose `--help` says what a benchmark's first lines say."""
    made = argparse.ArgumentParser(description=words, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--repeats", type=int, default=repeats)
    return made


def now() -> tuple[float, float]:
    """Read the clock and this process's processor time in seconds, for `since`."""
    return time.perf_counter(), sum(os.times()[:2])


def since(begun: tuple[float, float]) -> Turn:
    """Measure what this process has taken since `now` was called."""
    seconds, used = (end - begin for begin, end in zip(begun, now(), strict=True))
    return Turn(seconds, used / seconds, mib(resource.getrusage(resource.RUSAGE_SELF)))


def mib(usage: resource.struct_rusage) -> float:
    """Return the peak memory of a process in MiB; macOS counts it in bytes, Linux in KiB."""
    return usage.ru_maxrss / 2 ** (20 if sys.platform == "darwin" else 10)


def memory(what: str = "VmRSS") -> float:
    """Read the MiB of memory that this process holds; "VmHWM": held at most, since `forget_peak`. On Linux only."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 2**10 for line in lines if line.startswith(f"{what}:"))


def forget_peak() -> None:
    """Reset the peak memory of this process."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def whole_process(command: Sequence[str], more: Mapping[str, str], cwd: Path | None = None) -> tuple[Turn, str]:
    """Run a process to its end → what it took and printed; `more` variables; SystemExit where it fails.

    It is counted as large as this process at least, which must be small.
    """
    begun = now()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **more}, cwd=cwd) as started:
        assert started.stdout is not None
        printed = started.stdout.read()
        _, status, usage = os.wait4(started.pid, 0)
        started.returncode = os.waitstatus_to_exitcode(status)
    if started.returncode:
        raise SystemExit(f"{' '.join(command[:4])} failed")
    seconds = since(begun).seconds
    return Turn(seconds, (usage.ru_utime + usage.ru_stime) / seconds, mib(usage)), printed


def timed(way: Callable[[], Any]) -> Turn:
    """Time one turn; a way that measures itself, in another process or in part, returns its own Turn."""
    begun = now()
    answer = way()
    return answer if isinstance(answer, Turn) else since(begun)


def take_turns(ways: dict[str, Callable[[], Any]], repeats: int) -> dict[str, list[Turn]]:
    """Time every way once, in their order, and that so many times → for each way its turns."""
    turns: dict[str, list[Turn]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            turns[name].append(timed(way))
    return turns


def short(value: Any) -> str:
    """Write a figure with four digits; nothing for None."""
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def say(words: str) -> None:
    sys.stderr.write(words + "\n")
