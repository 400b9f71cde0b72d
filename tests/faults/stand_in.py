"""A network of sixty-four numbers in the place of Keras, for trainings that take milliseconds.

Its losses, accuracies and answers follow from the pairs that it has seen: a batch too many, too few or another one
changes every figure of its run. All that is written to disk is written by the package itself.
"""

import os
import sys
from types import ModuleType, SimpleNamespace

import numpy as np

WIDTH = 64


class Network:
    """What the training asks of a Keras model."""

    non_trainable_variables = ()

    def __init__(self, weights, start, updates=0):
        self.weights, self.start, self.optimizer = weights, start, SimpleNamespace(iterations=updates)

    def get_config(self):
        return {"start": self.start}

    def save(self, path):
        with open(path, "wb") as file:
            np.savez(file, weights=self.weights, start=self.start, updates=self.optimizer.iterations)

    def count_params(self):
        return WIDTH

    @property
    def digits(self):
        """A generator that only these weights give."""
        return np.random.default_rng(np.frombuffer(self.weights.tobytes(), np.uint32))


def load_model(path, **_):
    with open(path, "rb") as file, np.load(file, allow_pickle=False) as found:
        return Network(found["weights"], found["start"].tolist(), int(found["updates"]))


def interval_of(model, _):
    def train(left, right, labels):
        """One line in the log for each call: who trains a check twice is seen."""
        if log := os.environ.get("FAULTS_LOG"):
            with open(log, "a") as file:
                file.write(f"{model.optimizer.iterations}\n")
        losses = []
        for pairs in zip(left, right, labels, strict=True):
            mixed = np.resize(np.concatenate([np.ravel(part) for part in pairs]), WIDTH)
            model.weights = 0.5 * model.weights + np.sin(mixed)
            model.optimizer.iterations += 1
            losses.append(np.abs(model.weights).mean())
        return np.array(losses)

    return train


def check_model(model, dataset, profile, iteration):
    from siamese_utils.evaluation.accuracy import wilson

    row = {"kernel_norm": float(np.linalg.norm(model.weights)), "saturated": 0.0}
    for split in ("train", "val"):
        score = wilson(int(model.digits.integers(profile.check_episodes + 1)), profile.check_episodes)
        row |= {f"{split}_{name}": getattr(score, name) for name in ("accuracy", "low", "high")}
    return row


def final_scores(model, dataset, profile):
    from siamese_utils.evaluation.accuracy import score_of

    scores, answers, digits = [], {}, model.digits
    for split in ("train", "val"):
        for protocol in ("author", "strict"):
            for ways in sorted({20, *(profile.ways if split == "val" else ())}):
                correct = digits.random(profile.episodes) < 0.6
                scores.append({"split": split, "protocol": protocol, "ways": ways, **score_of(correct).as_dict()})
                if ways == 20:
                    answers[f"{protocol}/{split}"] = np.packbits(correct)
    return scores, answers


def install():
    """Put the stand-in where the package finds Keras; before it is imported."""
    keras = SimpleNamespace(
        Model=Network,
        saving=SimpleNamespace(load_model=load_model),
        config=SimpleNamespace(backend=lambda: "stand-in"),
        ops=SimpleNamespace(convert_to_tensor=float),
    )
    _module("siamese_utils.backend", keras=keras, on_cpu=lambda: True, device=lambda: "CPU",
            native_stderr_silenced=__import__("contextlib").nullcontext)  # fmt: skip
    import siamese_utils.models

    siamese_utils.models.siamese = _module(
        "siamese_utils.models.siamese",
        build_model=lambda experiment, profile, seed: Network(
            np.random.default_rng([seed, len(experiment.name)]).random(WIDTH), [seed, len(experiment.name)]
        ),
        learning_rate_schedule=lambda *_: 0.01,
    )
    siamese_utils.models.layers = _module("siamese_utils.models.layers")
    _module("siamese_utils.training.intervals", interval_of=interval_of)
    from siamese_utils.data import load
    from siamese_utils.training import loop

    drawn = {}
    whole = load.load_dataset
    load.load_dataset = loop.load_dataset = lambda profile: (
        drawn[profile.image_size]
        if profile.image_size in drawn
        else drawn.setdefault(profile.image_size, whole(profile))
    )
    loop.check_model, loop.final_scores = check_model, final_scores


def _module(name, **content):
    module = ModuleType(name)
    vars(module).update(content)
    sys.modules[name] = module
    return module
