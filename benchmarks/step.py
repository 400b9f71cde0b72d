"""Other ways to take the baseline's training steps, side by side: which of them would pay?

    python benchmarks/step.py --size 105 --repeats 7

The ways take turns of two steps, so that whatever else the machine does hits all; quote ratios of medians. "Two
branches in one" normalizes both branches together, which is not the paper's training: it bounds what an exact way could
save.
"""

import statistics
import sys
from functools import partial
from unittest import mock

from side_by_side import parser, take_turns

from siamese_utils.backend import keras, layers
from siamese_utils.config import load_experiment, load_profile
from siamese_utils.data.pairs import gather
from siamese_utils.data.synthetic import draw_dataset
from siamese_utils.models import siamese as models
from siamese_utils.models.plan import backbone_plan
from siamese_utils.training import intervals
from siamese_utils.training import loop as training

STEPS = 2
BASELINE = load_experiment("baseline")


class Batches(keras.utils.PyDataset):
    """The same batches as `fit` wants them."""

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, step):
        return self.batches[step]


def pooled_first(profile) -> keras.Model:
    """Build the same network with each block's ReLU behind its pooling, which is exact: on fewer values."""

    def swapped(recipe, padding):
        found = list(backbone_plan(recipe, padding))
        for at, (kind, *_) in enumerate(found):
            if kind == "MaxPooling2D":
                found[at - 1], found[at] = found[at], found[at - 1]
        return found

    with mock.patch.object(models, "backbone_plan", swapped):
        return models.build_model(BASELINE, profile)


def in_one_call(profile) -> keras.Model:
    """Build a network that takes left and right images as one batch."""
    shape, half = (profile.image_size, profile.image_size, 1), BASELINE.recipe.batch_size
    left, right = (keras.Input(batch_shape=(half, *shape), dtype="uint8") for _ in "lr")
    plain = models.build_model(BASELINE, profile)
    both = plain.get_layer("backbone")(layers.Concatenate(axis=0)([left, right]))
    first, second = keras.ops.split(both, 2, axis=0)
    similarity = plain.get_layer("similarity")(keras.ops.abs(first - second))
    model = keras.Model([left, right], similarity)
    models.compile_model(model, BASELINE.recipe, profile)
    return model


def main() -> None:
    options = parser(__doc__, repeats=7)
    options.add_argument("--size", type=int, default=105, help="pixels a side")
    arguments = options.parse_args()
    padding = "valid" if arguments.size >= 40 else "same"
    profile = load_profile("paper").model_copy(update={"image_size": arguments.size, "padding": padding})
    training.prepare_backend(0)
    split = draw_dataset(size=arguments.size).train
    images = split.images
    left, right, labels = training.pairs_of_steps(split, 0, 128, 0, STEPS)
    batches = [
        ((gather(images, one), gather(images, other)), same[:, None])
        for one, other, same in zip(left, right, labels, strict=True)
    ]

    def one_by_one(model):
        for batch in batches:
            model.train_on_batch(*batch)

    plain, compiled = models.build_model(BASELINE, profile), models.build_model(BASELINE, profile)
    with_xla = models.build_model(BASELINE, profile)
    with_xla.jit_compile = True
    ways = {
        "compiled call": partial(intervals.interval_of(compiled, images), left, right, labels),
        "one batch at a time": partial(one_by_one, plain),
        "fit": partial(plain.fit, Batches(batches), shuffle=False, verbose=0),
        "ReLU behind pooling": partial(one_by_one, pooled_first(profile)),
        "two branches in one": partial(one_by_one, in_one_call(profile)),
        "XLA": partial(one_by_one, with_xla),
    }
    # the first turn compiles
    take_turns(ways, 1)
    turns = take_turns(ways, arguments.repeats)
    seconds = {name: statistics.median(turn.seconds for turn in of) / STEPS for name, of in turns.items()}
    for name, of in turns.items():
        cores = [turn.cores for turn in of]
        sys.stdout.write(
            f"{name:20} {seconds[name]:6.3f} s a step, {seconds[name] / seconds['compiled call']:.2f} of the compiled "
            f"call's (median of {len(of)}); {min(cores):.1f} to {max(cores):.1f} cores at work\n"
        )


if __name__ == "__main__":
    main()
