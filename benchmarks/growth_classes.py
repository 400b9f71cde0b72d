"""So many classes of drawn characters: what it takes to draw them, a batch of pairs, and episodes. See growth.py."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from side_by_side import forget_peak, memory, now, since

# pixels a side, as the demo's; images of a class
SIZE, DRAWERS = 20, 20
PAIRS, EPISODES, WAYS = 128, 1_000, 20
# of an alphabet, on average
CHARACTERS = 15.5


def measure(classes: int, batches: int = 50) -> dict[str, Any]:
    """Draw at least so many classes and keep exactly those; then batches and episodes, memory before and after."""
    from siamese_utils.data.dataset import Split
    from siamese_utils.data.pairs import draw_pairs, gather
    from siamese_utils.data.synthetic import draw_dataset
    from siamese_utils.evaluation.episodes import draw_episodes

    before, begun = memory(), now()
    # a few alphabets more: they differ in how many characters they have
    drawn = draw_dataset(SIZE, (2 + round(1.02 * classes / CHARACTERS), 1), DRAWERS).train
    took, most = since(begun), memory("VmHWM")
    split = Split(drawn.images[:classes], drawn.characters[:classes])
    assert split.classes == classes

    def per_call(do: Callable[[int], Any], times: int) -> float:
        """Measure the processor time of a call in ms, the median."""
        taken = []
        for number in range(times):
            start = time.process_time()
            do(number)
            taken.append(1e3 * (time.process_time() - start))
        return float(np.median(taken))

    def batch(number: int) -> None:
        pairs = draw_pairs(split, min(PAIRS, classes // 2 * 2), [0, number])
        for picks in (pairs.left, pairs.right):
            gather(split.images, picks)

    line = {
        "classes": classes,
        "images": classes * DRAWERS,
        "pixels MiB": split.images.nbytes / 2**20,
        "draw s": took.seconds,
        "draw processor s": took.seconds * took.cores,
        "draw peak MiB": most - before,
        "ms a batch": per_call(batch, batches),
    }
    forget_peak()
    held = memory()
    for protocol in ("author", "strict"):
        line[f"ms {EPISODES:,} episodes, {protocol}"] = per_call(
            lambda number, protocol=protocol: draw_episodes(
                split, protocol=protocol, n_way=WAYS, n_episodes=EPISODES, seed=number
            ),
            5,
        )
    return {**line, "episodes peak MiB": memory("VmHWM") - held}
