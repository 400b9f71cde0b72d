"""XLA on TensorFlow without a GPU: a baseline training step compiled with it and without, side by side.

    python benchmarks/xla.py --size 105 --repeats 20

The two models take turns, so that whatever else the machine does hits both; quote the ratio of medians.
"""

from functools import partial

from side_by_side import parser, take_turns, tell_medians

from siamese_utils import models, training
from siamese_utils.params import load_experiment, load_profile
from siamese_utils.synthetic import draw_dataset


def main() -> None:
    options = parser(__doc__, repeats=20)
    options.add_argument("--size", type=int, default=105, help="pixels a side")
    arguments = options.parse_args()
    profile = load_profile("laptop").model_copy(update={"image_size": arguments.size})
    images = draw_dataset(size=arguments.size).train.images
    batch = training.PairBatches(images, 0, 128, 0, 1)[0]
    steps = {}
    for name, xla in (("without XLA", False), ("with XLA", True)):
        model = models.build_model(load_experiment("baseline"), profile)
        model.jit_compile = xla
        model.train_on_batch(*batch)  # compiles
        steps[name] = partial(model.train_on_batch, *batch)
    turns = take_turns(steps, arguments.repeats)
    tell_medians(turns, "s a step", ("with XLA", "without XLA"))


if __name__ == "__main__":
    main()
