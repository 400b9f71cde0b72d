"""Omniglot read from its two archives and from the packed cache, side by side.

    python benchmarks/omniglot_cache.py FOLDER --repeats 5

FOLDER holds images_background.zip and images_evaluation.zip. Quote the ratio of medians.
"""

import statistics
import sys
import tempfile
from pathlib import Path

from side_by_side import parser, take_turns

from siamese_utils import omniglot


def main() -> None:
    options = parser(__doc__, repeats=5)
    options.add_argument("folder", type=Path)
    arguments = options.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        ways = {
            "archives": lambda: omniglot.load(arguments.folder, Path(cache)),
            "cache": lambda: omniglot.load(cache_dir=Path(cache)),
        }
        turns = take_turns(ways, arguments.repeats)
    medians = {name: statistics.median(turn.seconds for turn in of) for name, of in turns.items()}
    for name, median in medians.items():
        sys.stdout.write(f"{name:9} {median:.2f} s (median of {arguments.repeats})\n")
    sys.stdout.write(f"ratio     {medians['archives'] / medians['cache']:.0f}\n")


if __name__ == "__main__":
    main()
