"""Ways of doing one thing, timed in turn, so that whatever else the machine does hits them all."""

import argparse
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple


class Turn(NamedTuple):
    seconds: float
    cores: float  # at work, on average: seconds of processor per second of clock
    peak: float  # MiB of memory that the process has held at most, since it began


def parser(words: str | None, repeats: int) -> argparse.ArgumentParser:
    """A command line that has `--repeats` and says at `--help` what a benchmark's first lines say."""
    made = argparse.ArgumentParser(description=words, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--repeats", type=int, default=repeats)
    return made


def now() -> tuple[float, float]:
    """Seconds of clock and of this process's processor time, for `since`."""
    return time.perf_counter(), sum(os.times()[:2])


def since(begun: tuple[float, float]) -> Turn:
    """What this process has taken since `now` was asked."""
    seconds, used = (end - begin for begin, end in zip(begun, now(), strict=True))
    return Turn(seconds, used / seconds, mib(resource.getrusage(resource.RUSAGE_SELF)))


def mib(usage: resource.struct_rusage) -> float:
    """The most memory of a process, in MiB; macOS counts it in bytes, Linux in KiB."""
    return usage.ru_maxrss / 2 ** (20 if sys.platform == "darwin" else 10)


def timed(way: Callable[[], Any]) -> Turn:
    """Do it once; a way that measures itself, in another process or in part, answers with its own Turn."""
    begun = now()
    answer = way()
    return answer if isinstance(answer, Turn) else since(begun)


def take_turns(ways: dict[str, Callable[[], Any]], repeats: int) -> dict[str, list[Turn]]:
    """Every way once, in their order, and that so many times → for each way its turns."""
    turns: dict[str, list[Turn]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            turns[name].append(timed(way))
    return turns


def tell_medians(turns: dict[str, list[Turn]], unit: str, ratio: tuple[str, str]) -> None:
    """Print the median of each way's seconds, and the ratio of the medians of two ways, the first over the second."""
    medians = {name: statistics.median(turn.seconds for turn in of) for name, of in turns.items()}
    width = max(map(len, [*medians, "ratio"]))
    for name, median in medians.items():
        sys.stdout.write(f"{name:{width}} {median:.3f} {unit} (median of {len(turns[name])})\n")
    over, under = (medians[name] for name in ratio)
    sys.stdout.write(f"{'ratio':{width}} {over / under:.2f}\n")
