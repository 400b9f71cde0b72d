"""Ways of doing one thing, timed in turn, so that whatever else the machine does hits them all."""

import argparse
import os
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
