"""How fast this package is, beside the author's loop, PyTorch and what the machine can do: a table and a figure.

    python benchmarks/bench.py                  what `make bench` does, under 20 minutes on two cores
    python benchmarks/bench.py --profile tests/profiles/tiny.yaml --repeats 1 --steps 1 --matrix 64 --out FOLDER

What is compared runs in processes of its own (worker.py), which take turns; only one works at a time. Goals and what is
computed from the medians are in bench_table.py. Omniglot is used where it is at hand, and never downloaded.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import bench_table
from side_by_side import Turn, parser, say, take_turns

from siamese_utils import paths
from siamese_utils.config import Profile, load_profile
from siamese_utils.data import omniglot

WORKER = Path(__file__).with_name("worker.py")
TRAINERS = {
    "author": "author",
    "float32": "package float32",
    "bfloat16": "package bfloat16",
    "torch": "torch",
}
# of the author's check, in a turn
EPISODES = 10
Ask = Callable[[str, int], Turn]
# what takes a turn, and how many of what is measured a turn has
Asked = dict[bench_table.Key, tuple[Callable[[], Turn], int]]


def main() -> None:
    options = parser(__doc__, repeats=7)
    options.add_argument("--profile", default="paper", help="sizes: a profile's name or file")
    options.add_argument("--steps", type=int, default=4, help="training steps a turn")
    options.add_argument("--matrix", type=int, default=4096, help="side of the matrices that are multiplied")
    options.add_argument("--out", type=Path, default=WORKER.with_name("results"))
    arguments = options.parse_args()
    begun, profile = time.perf_counter(), load_profile(arguments.profile)
    with tempfile.TemporaryDirectory() as scratch:
        found = measure(arguments, profile, Path(scratch))
    found.facts["minutes"] = (time.perf_counter() - begun) / 60
    bench_table.write(found, profile, arguments.out)
    sys.stdout.write(f"{arguments.out / 'bench.md'}\n")


def measure(arguments: argparse.Namespace, profile: Profile, scratch: Path) -> bench_table.Found:
    """Measure everything. What takes long and is compared with nothing has half the repeats."""
    repeats, few = arguments.repeats, max(1, arguments.repeats // 2)
    found = bench_table.Found(facts={"matrix": arguments.matrix, "steps": arguments.steps})
    source = omniglot_source()
    cache = paths.data_dir() if source is None else scratch / "cache"
    at_hand = source is not None or (cache / omniglot.CACHE_NAME).is_file()
    options = {
        "profile": str(arguments.profile),
        "omniglot": at_hand and profile.dataset == "omniglot",
        "matrix": arguments.matrix,
        "source": str(source),
        "cache": str(cache),
        "reports": str(scratch / "reports"),
    }
    found.facts["data"] = "Omniglot" if options["omniglot"] else "drawn characters, as many as Omniglot's"

    def take(asked: Asked, times: int) -> None:
        for key, turns in take_turns({key: ask for key, (ask, _) in asked.items()}, times).items():
            found.turns[key] = [turn._replace(seconds=turn.seconds / asked[key][1]) for turn in turns]

    say("products of matrices")
    with workers({"machine": "machine"}, options, found) as asks:
        kinds = ["float32", *(["bfloat16"] if found.facts["instructions"] else [])]
        take({("product", kind): (partial(asks["machine"], kind, 1), 1) for kind in kinds}, repeats)
    options["instructions"] = found.facts["instructions"]

    say("loading Omniglot")
    possible = {"cold": source is not None, "warm": at_hand}
    found.skipped |= {kind: "no data here" for kind, can in possible.items() if not can}
    with workers({kind: f"data {kind}" for kind, can in possible.items() if can}, options, found) as asks:
        take({("load", way): (partial(ask, "load", 1), 1) for way, ask in asks.items()}, few)

    with workers(TRAINERS, options, found) as asks:
        say("training steps")
        for ask in asks.values():
            # the first call compiles
            ask("steps", 1)
        steps = arguments.steps
        take({("step", way): (partial(ask, "steps", steps), steps) for way, ask in asks.items()}, repeats)
        ours = {way: ask for way, ask in asks.items() if way in ("float32", "bfloat16")}
        say(f"checks of {profile.check_episodes:,} episodes")
        asks["author"]("episodes", 1)
        asked: Asked = {("episode", "author"): (partial(asks["author"], "episodes", EPISODES), EPISODES)}
        for way, ask in ours.items():
            ask("check", profile.check_episodes)
            asked["check", way] = (partial(ask, "check", profile.check_episodes), 1)
        take(asked, repeats)
        say(f"checks of {profile.episodes:,} episodes")
        take({("many", way): (partial(ask, "check", profile.episodes), 1) for way, ask in ours.items()}, few)

    say("whole processes")
    shutil.copytree(paths.reports_dir() / "laptop", scratch / "reports" / "laptop")
    with workers({"whole": "whole"}, options, found) as asks:
        for names, times in ((("import", "help"), repeats), (("first step", "report"), few)):
            take({("process", name): (partial(asks["whole"], name, 1), 1) for name in names}, times)
    return found


@contextmanager
def workers(ways: dict[str, str], options: dict[str, Any], found: bench_table.Found) -> Iterator[dict[str, Ask]]:
    """Start the workers and record what they say of themselves → how to ask each of those that are ready."""
    with ExitStack() as stack:
        asks = {}
        for way, words in ways.items():
            facts, ask = stack.enter_context(worker(words, options))
            if "skipped" in facts:
                found.skipped[way] = facts["skipped"]
                say(f"  {words}: {facts['skipped']}")
            else:
                found.facts |= facts
                asks[way] = ask
        yield asks


@contextmanager
def worker(words: str, options: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Ask]]:
    """Start a process of worker.py → what it says first, and how to ask it for so many of something."""
    process = subprocess.Popen(
        [sys.executable, str(WORKER), words, json.dumps(options)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "KERAS_BACKEND": "tensorflow", "SIAMESE_CACHE_DIR": options["cache"]},
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def answer() -> dict[str, Any]:
        if line := process.stdout.readline():
            return json.loads(line)
        raise SystemExit(f"“worker.py {words}” has ended: its last words are above.")

    def ask(what: str, times: int) -> Turn:
        process.stdin.write(f"{what} {times}\n")
        process.stdin.flush()
        return Turn(**answer())

    with process:
        try:
            yield answer(), ask
        finally:
            # it only waits to be asked
            process.kill()


def omniglot_source() -> Path | None:
    """Find the folder that holds Omniglot's archives, if there is one."""
    if named := omniglot.find_source():
        return named
    zips = (paths.data_dir() / f"{archive.name}.zip" for archive in omniglot.ARCHIVES.values())
    return paths.data_dir() if all(path.is_file() for path in zips) else None


if __name__ == "__main__":
    main()
