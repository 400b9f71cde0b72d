"""What a network's training takes, counted from its plan: operations, memory, minutes. Nothing is measured here."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from ..config import Experiment, Profile, load_experiment, load_profile
from .plan import count_parameters, layer_shapes

# bytes of a float32
FLOAT = 4
# what the paper says of each of its networks, on a V100 (see params/claims.yaml): taken for the baseline's
V100_MINUTES = 20


@dataclass(frozen=True)
class Cost:
    """What one training step takes; bytes are those of float32.

    parameters   as Keras counts them, BatchNorm's moving averages included
    flop         of the backbone's kernels, a multiplication and an addition each, for both images of every pair:
                 forward, back to the kernel, and back to what came in, which the first layer does not need
    state        bytes of weights, gradients, Adam's two moments and moving averages
    activations  bytes of the outputs of all layers of both branches, as if each is kept until the step's end
    """

    parameters: int
    flop: int
    state: int
    activations: int


def cost_of(experiment: Experiment, profile: Profile) -> Cost:
    """Count one step of an experiment's network at a profile's image size; ParamsError as for `layer_shapes`."""
    recipe = experiment.recipe
    images = 2 * (profile.batch_size or recipe.batch_size)
    flop = moving = values = 0
    for kind, _, kernel, output in layer_shapes(recipe, profile):
        if kernel:
            flop += 2 * prod(kernel) * prod(output[:-1]) * (3 if flop else 2)
        moving += 2 * output[-1] if kind == "BatchNormalization" else 0
        # Flatten gives the same values in another shape
        values += 0 if kind == "Flatten" else prod(output)
    parameters = count_parameters(recipe, profile)
    return Cost(parameters, flop * images, FLOAT * (4 * (parameters - moving) + moving), FLOAT * images * values)


def gpu_minutes(experiment: Experiment, profile: Profile) -> float:
    """Estimate the minutes of a training on a V100: `V100_MINUTES` in proportion to the work, an assumption."""
    baseline, paper = load_experiment("baseline"), load_profile("paper")

    def work(experiment: Experiment, profile: Profile) -> float:
        return cost_of(experiment, profile).flop * profile.scaled(experiment.recipe.iterations)

    return V100_MINUTES * work(experiment, profile) / work(baseline, paper)
