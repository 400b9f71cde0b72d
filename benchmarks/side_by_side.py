"""Ways of doing one thing, timed in turn, so that whatever else the machine does hits them all."""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple


class Turn(NamedTuple):
    seconds: float
    cores: float  # at work, on average: seconds of processor per second of clock


def parser(words: str | None, repeats: int) -> argparse.ArgumentParser:
    """A command line that has `--repeats` and says at `--help` what a benchmark's first lines say."""
    made = argparse.ArgumentParser(description=words, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--repeats", type=int, default=repeats)
    return made


def take_turns(ways: dict[str, Callable[[], Any]], repeats: int) -> dict[str, list[Turn]]:
    """Every way once, in their order, and that so many times → for each way its turns."""
    turns: dict[str, list[Turn]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            begun, used = time.perf_counter(), sum(os.times()[:2])
            way()
            seconds = time.perf_counter() - begun
            turns[name].append(Turn(seconds, (sum(os.times()[:2]) - used) / seconds))
    return turns


def tell_medians(turns: dict[str, list[Turn]], unit: str, ratio: tuple[str, str]) -> None:
    """Print the median of each way's seconds, and the ratio of the medians of two ways, the first over the second."""
    medians = {name: statistics.median(turn.seconds for turn in of) for name, of in turns.items()}
    width = max(map(len, [*medians, "ratio"]))
    for name, median in medians.items():
        sys.stdout.write(f"{name:{width}} {median:.3f} {unit} (median of {len(turns[name])})\n")
    over, under = (medians[name] for name in ratio)
    sys.stdout.write(f"{'ratio':{width}} {over / under:.2f}\n")
