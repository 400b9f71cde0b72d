"""Omniglot read from its two archives and from the packed cache, side by side.

    python benchmarks/omniglot_cache.py FOLDER --repeats 5

FOLDER holds images_background.zip and images_evaluation.zip. Quote the ratio of medians.
"""

import tempfile
from pathlib import Path

from side_by_side import parser, take_turns, tell_medians

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
    tell_medians(turns, "s", ("archives", "cache"))


if __name__ == "__main__":
    main()
