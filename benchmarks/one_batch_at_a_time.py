"""Training by `fit` and by `train_on_batch`, side by side, with the three-minute method's steps.

    python benchmarks/one_batch_at_a_time.py --repeats 20

The two take turns of four epochs. Look at the spread of `fit` too: on TensorFlow without a GPU an epoch of it runs on
one core or on all, for as long as it lasts. Seconds of processor per second of clock tell which.
"""

import statistics
import sys

from side_by_side import parser, take_turns

from siamese_utils.backend import keras
from siamese_utils.beyond.batches import batch_of_step
from siamese_utils.beyond.config import load_method
from siamese_utils.beyond.networks import build_trainer
from siamese_utils.data.synthetic import draw_dataset

# of a turn
EPOCHS, STEPS = 4, 8


class Batches(keras.utils.PyDataset):
    """The same batches as `fit` wants them."""

    def __init__(self, *of):
        super().__init__()
        self.of = of

    def __len__(self):
        return STEPS

    def __getitem__(self, step):
        return batch_of_step(*self.of, step)


def main() -> None:
    options = parser(__doc__, repeats=20)
    options.add_argument("--size", type=int, default=28, help="pixels a side")
    arguments = options.parse_args()
    method = load_method("beyond-3-minutes")
    of = (method, draw_dataset(size=arguments.size).train, 0)
    shape = (arguments.size, arguments.size, 1)
    model = build_trainer(method, shape, classes=1, steps=10_000, seed=0)

    def by_fit():
        model.fit(Batches(*of), epochs=EPOCHS, shuffle=False, verbose=0)

    def by_batch():
        for step in range(EPOCHS * STEPS):
            model.train_on_batch(*batch_of_step(*of, step))

    ways = {"fit": by_fit, "train_on_batch": by_batch}
    # the first turn compiles
    take_turns(ways, 1)
    turns = take_turns(ways, arguments.repeats)
    seconds = {name: [turn.seconds / EPOCHS / STEPS for turn in of] for name, of in turns.items()}
    for name, each in seconds.items():
        middle, low, high = statistics.median(each), min(each), max(each)
        cores = [turn.cores for turn in turns[name]]
        sys.stdout.write(
            f"{name:15} {middle:.3f} s a step ({low:.3f} to {high:.3f}), "
            f"{min(cores):.1f} to {max(cores):.1f} cores at work\n"
        )
    ratio = statistics.median(seconds["fit"]) / statistics.median(seconds["train_on_batch"])
    sys.stdout.write(f"ratio           {ratio:.2f}\n")


if __name__ == "__main__":
    main()
