"""One way of doing things in a process of its own, which works only when it is asked to and then waits.

    python benchmarks/worker.py WAY OPTIONS      OPTIONS as JSON, see bench.py

It first tells in a line of JSON what it is, or why it cannot be here. Then "steps 5" on its standard input makes it
take five steps, and a line answers with what that took. Nothing but the standard library is imported up here: a
process that starts others must be small, as they are counted as large as it is before they begin.
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from side_by_side import COMMAND_LINE, Turn, now, since, timed, whole_process

# what can be asked for, each a function of how many
Ways = dict[str, Callable[[int], Any]]
ELSEWHERE, NO_TORCH = "not on this processor", "PyTorch is not installed"


class Skipped(Exception):
    """Why there is nothing to measure."""


def author(options: dict[str, Any]) -> tuple[Ways, dict[str, Any]]:
    """Prepare the author's loop."""
    import author_loop
    import numpy as np

    experiment, profile, dataset = _given(options)
    model, rng = author_loop.build(experiment, profile), np.random.default_rng(0)
    pairs = profile.batch_size or experiment.recipe.batch_size

    def steps(times: int) -> None:
        for _ in range(times):
            model.train_on_batch(*author_loop.batch(rng, dataset.train.images, pairs))

    def episodes(times: int) -> None:
        for _ in range(times):
            author_loop.episode(rng, model, dataset.val.images)

    return {"steps": steps, "episodes": episodes}, {}


def package(options: dict[str, Any], convolutions: str) -> tuple[Ways, dict[str, Any]]:
    """Prepare this package's training and checks, as `training.loop` has them."""
    if convolutions == "bfloat16" and not options["instructions"]:
        raise Skipped(ELSEWHERE)
    from siamese_utils.evaluation.accuracy import evaluate
    from siamese_utils.models import siamese as models
    from siamese_utils.models.cost import cost_of
    from siamese_utils.training import loop as training
    from siamese_utils.training.precision import choose_convolutions

    experiment, profile, dataset = _given(options)
    training.prepare_backend(0)
    if choose_convolutions(convolutions) != convolutions:
        raise Skipped(ELSEWHERE)
    model, done = models.build_model(experiment, profile), 0

    def steps(times: int) -> Turn:
        """Time from one check to the next, so many updates later: what `train` does once a call is left out."""
        nonlocal done
        begun, taken = now(), []

        def after_check(*_) -> None:
            nonlocal begun
            taken.append(since(begun))
            begun = now()

        checks = [done, done + times]
        training.train(
            model, dataset.train, experiment, profile, checks=checks, after_check=after_check, first_update=done
        )
        done += times + 1
        return taken[-1]

    def check(episodes: int) -> None:
        evaluate(model, dataset.val, protocol="author", n_episodes=episodes, seed=1)

    return {"steps": steps, "check": check}, {"flop": cost_of(experiment, profile).flop}


def with_torch(options: dict[str, Any]) -> tuple[Ways, dict[str, Any]]:
    """Prepare PyTorch's step."""
    try:
        import torch
    except ImportError as error:
        raise Skipped(NO_TORCH) from error
    if not options["instructions"]:
        raise Skipped(ELSEWHERE)
    import torch_loop

    experiment, profile, dataset = _given(options)
    step, done = torch_loop.stepper(experiment, profile, dataset.train), 0

    def steps(times: int) -> None:
        nonlocal done
        for _ in range(times):
            step(done)
            done += 1

    return {"steps": steps}, {"torch": torch.__version__}


def machine(options: dict[str, Any]) -> tuple[Ways, dict[str, Any]]:
    """Prepare products of two large square matrices: the most that TensorFlow gets out of this machine."""
    from siamese_utils.backend import ops
    from siamese_utils.training.precision import bfloat16_instructions
    from siamese_utils.training.provenance import provenance

    def products(kind: str) -> Callable[[int], None]:
        side = options["matrix"]
        left = right = ops.cast(ops.reshape(ops.linspace(-1.0, 1.0, side * side), (side, side)), kind)

        def multiply(times: int) -> None:
            for _ in range(times):
                ops.convert_to_numpy(ops.matmul(left, right))

        return multiply

    ways = {kind: products(kind) for kind in ("float32", "bfloat16")}
    return ways, {**provenance(), "instructions": bfloat16_instructions()}


def data(options: dict[str, Any], kind: str) -> tuple[Ways, dict[str, Any]]:
    """Prepare loading Omniglot from its archives, which also writes the packed cache, or from that cache."""
    from siamese_utils.data import omniglot

    os.environ["SIAMESE_CACHE_DIR"] = options["cache"]

    def load(_: int) -> None:
        if kind == "cold":
            omniglot.load(Path(options["source"]))
        else:
            omniglot.load()

    return {"load": load}, {}


def whole(options: dict[str, Any]) -> tuple[Ways, dict[str, Any]]:
    """Prepare whole processes, from start to end."""
    python, reports = [sys.executable, "-c"], {"SIAMESE_REPORTS_DIR": options["reports"]}

    def process(*command: str, **more: str) -> Callable[[int], Turn]:
        return lambda _: whole_process(command, more)[0]

    return {
        "import": process(*python, "import siamese_utils"),
        "help": process(*python, COMMAND_LINE, "--help"),
        "first step": process(sys.executable, __file__, "first step", json.dumps(options)),
        "report": process(*python, COMMAND_LINE, "report", "--profile", "laptop", **reports),
    }, {}


def first_step(options: dict[str, Any]) -> None:
    """Take the first update of a run and nothing more, its convolutions as the profile wants them."""
    from siamese_utils.models import siamese as models
    from siamese_utils.training import loop as training

    experiment, profile, dataset = _given(options)
    training.prepare_backend(0, profile.convolutions)
    model = models.build_model(experiment, profile)
    training.train(model, dataset.train, experiment, profile, checks=[0])


def _given(options: dict[str, Any]):
    """Load the baseline, the profile and its dataset; drawn characters are repeated to as many as Omniglot has."""
    from siamese_utils.config import load_experiment, load_profile

    profile = load_profile(options["profile"])
    if options["omniglot"]:
        from siamese_utils.data.load import load_dataset

        dataset = load_dataset(profile)
    else:
        import numpy as np

        from siamese_utils.data import omniglot
        from siamese_utils.data.dataset import Split
        from siamese_utils.data.synthetic import draw_dataset

        dataset, splits = draw_dataset(profile.image_size), {}
        for name, archive in omniglot.ARCHIVES.items():
            drawn, many = dataset.split(name).images, archive.characters
            splits[name] = Split(np.resize(drawn, (many, *drawn.shape[1:])), tuple(map(str, range(many))))
        dataset = replace(dataset, **splits)
    return load_experiment("baseline"), profile, dataset


def main() -> None:
    way, options = sys.argv[1], json.loads(sys.argv[2])
    if way == "first step":
        return first_step(options)
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    # what else is printed goes where warnings go
    os.dup2(2, 1)

    def answer(content: dict[str, Any]) -> None:
        answers.write(json.dumps(content) + "\n")

    name, _, kind = way.partition(" ")
    make = {"author": author, "package": package, "torch": with_torch}
    make |= {"machine": machine, "data": data, "whole": whole}
    try:
        ways, facts = make[name](options, *([kind] if kind else []))
    except Skipped as reason:
        return answer({"skipped": str(reason)})
    answer(facts)
    for line in sys.stdin:
        asked, times = line.rsplit(maxsplit=1)
        answer(timed(lambda asked=asked, times=int(times): ways[asked](times))._asdict())


if __name__ == "__main__":
    main()
