"""Made-up runs whose accuracies are known, for the tests of verdicts. None of their figures comes from a training."""

import numpy as np
import pandas as pd

from siamese_utils.config import load_matrix, load_profile
from siamese_utils.data.dataset import Split
from siamese_utils.data.omniglot import FINGERPRINT
from siamese_utils.evidence.estimates import Evidence
from siamese_utils.evidence.facts import Facts

EPISODES = 10_000


def blank_split(classes, drawers, counts=None):
    """A split of so many classes and drawers whose images have no pixels: enough to draw pairs and episodes from."""
    names = tuple(f"A/character{number:03}" for number in range(classes))
    shape = (classes, drawers) if counts is None else (sum(counts),)
    return Split(np.zeros((*shape, 0, 0), np.uint8), names, counts)


SEEDS = (0, 1, 2)


def paper_world():
    """experiment → val accuracy in %: what the paper says, put straight where it contradicts itself or is too close."""
    world = {e.name: float(e.paper.val) for e in load_matrix().experiments if e.paper}
    return world | {
        "baseline": 75.0,
        "baseline-10k": 77.0,
        "dense-64": 50.0,
        "dense-64-as-run": 50.0,
        "dense-512": 74.0,
        "conv-256-dense-512": 73.0,
        "without-l2": 8.4,
        "zero-initialization": 5.0,
        "lr-0.0001": 72.0,
        "lr-0.0001-as-run": 72.0,
    }


def right(percent, seed, episodes=EPISODES):
    """(episodes,) bool with this share of right answers, the easy episodes first, a few of them swapped by luck."""
    rng = np.random.default_rng(seed)
    difficulty = np.linspace(0, 1, episodes) + rng.normal(0, 0.05, episodes)
    answers = np.zeros(episodes, bool)
    answers[np.argsort(difficulty)[: round(percent / 100 * episodes)]] = True
    return answers


def history(val, *, speed=1.0, scatter=0.0, dip=0.0, checks=50, seed=0):
    """The checks of a training that comes to `val` %: speed of its early rise, scatter of its second half, a dip."""
    iteration = np.arange(0, 100 * checks + 1, 100)
    level = 0.05 + (val / 100 - 0.05) * (1 - np.exp(-speed * iteration / iteration[-1] * 8)) + 1e-5 * iteration / 100
    late = iteration > iteration[-1] / 2
    level = level + scatter / 100 * np.random.default_rng(seed).normal(size=len(level)) * late
    level[len(level) // 4] -= dip / 100
    return pd.DataFrame({"iteration": iteration, "val_accuracy": level})


def facts(name, seed, val, *, gap=1.0, train=None, early=None, drift=0.3, episodes=EPISODES, **training):
    """What one made-up run left; `drift` moves seeds 0, 1, 2 by −1, 0, +1 times as many points.

    train   train accuracy where it is not val + gap;  early: what the checks come to where it is not val
    """
    val = float(np.clip(val + drift * ((seed % 3) - 1), 0, 100))
    train = min(val + gap, 100) if train is None else train + drift * ((seed % 3) - 1)
    number = sorted(e.name for e in load_matrix().experiments).index(name)
    ways = {k: 100 - (100 - val) * np.log(k) / np.log(20) for k in range(1, 21)}
    scores = {("author", "val", k): (round(share / 100 * episodes), episodes) for k, share in ways.items()}
    scores["strict", "val", 20] = (1, episodes)
    scores["author", "train", 20] = (round(train / 100 * episodes), episodes)
    return Facts(
        run_id=f"{name}-s{seed}",
        answers={
            "val": right(val, [number, seed, 0], episodes),
            "train": right(train, [number, seed, 1], episodes),
        },
        scores=scores,
        history=history(val if early is None else early, seed=[number, seed], **training),
        fingerprint=FINGERPRINT,
    )


def evidence(world=None, *, profile="paper", seeds=SEEDS, special=None, leave_out=(), episodes=EPISODES):
    """Evidence of made-up runs: `world` over that of the paper, `special`: experiment → how its runs differ."""
    profile = load_profile(profile).model_copy(update={"seeds": tuple(seeds), "episodes": episodes})
    runs = {
        name: {seed: facts(name, seed, val, episodes=episodes, **(special or {}).get(name, {})) for seed in seeds}
        for name, val in (paper_world() | (world or {})).items()
        if name not in leave_out
    }
    return Evidence(profile, runs)
