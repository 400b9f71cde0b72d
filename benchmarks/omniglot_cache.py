"""Omniglot read from its two archives and from the packed cache, side by side.

    python benchmarks/omniglot_cache.py FOLDER --repeats 5

FOLDER holds images_background.zip and images_evaluation.zip. Quote the ratio of medians.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from siamese_utils import omniglot


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    seconds: dict[str, list[float]] = {"archives": [], "cache": []}
    with tempfile.TemporaryDirectory() as cache:
        for _ in range(arguments.repeats):
            for name, source in (("archives", arguments.folder), ("cache", None)):
                begun = time.perf_counter()
                omniglot.load(source, Path(cache))
                seconds[name].append(time.perf_counter() - begun)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, median in medians.items():
        sys.stdout.write(f"{name:9} {median:.2f} s (median of {arguments.repeats})\n")
    sys.stdout.write(f"ratio     {medians['archives'] / medians['cache']:.0f}\n")


if __name__ == "__main__":
    main()
