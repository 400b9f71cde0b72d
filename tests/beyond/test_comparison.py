"""Methods compared on shared episodes, a closer look at a model, and the figures of both."""

import numpy as np
import pandas as pd
import pytest
from made_up import blank_split

from siamese_utils.beyond import analysis as embedding
from siamese_utils.beyond import comparison
from siamese_utils.beyond import plots as figures
from siamese_utils.beyond.config import load_method, load_methods
from siamese_utils.beyond.published import costs
from siamese_utils.beyond.study import final_methods, loss_methods, recipe_methods
from siamese_utils.config import load_profile
from siamese_utils.data.dataset import Split
from siamese_utils.evaluation.episodes import draw_episodes
from siamese_utils.evidence.estimates import Evidence, Facts
from siamese_utils.evidence.factorial import load_factorial
from siamese_utils.report.plots.style import to_png

NAMES = ["loss-cross-entropy", "loss-triplet", "loss-prototype"]


def world(levels, seeds=3, episodes=4000):
    """Runs whose answers are right with the given probabilities, one figure a method."""
    rng = np.random.default_rng(3)
    facts = {
        name: {s: Facts(f"{name}-{s}", {"val": rng.random(episodes) < p + 0.01 * (s - 1)}) for s in range(seeds)}
        for name, p in levels.items()
    }
    return Evidence(load_profile("laptop"), facts)


WORLD = world({NAMES[0]: 0.5, NAMES[1]: 0.53, NAMES[2]: 0.56})


def compared(levels, **options):
    return comparison.compare([load_method(n) for n in NAMES], NAMES[0], world(levels, **options))


def test_a_better_loss_is_told_from_the_reference_and_an_equal_one_is_not():
    frame = compared({NAMES[0]: 0.5, NAMES[1]: 0.8, NAMES[2]: 0.5})
    assert frame["name"].iloc[0] == NAMES[1]
    by = frame.set_index("name")
    assert by.loc[NAMES[1], "difference"] == pytest.approx(30, abs=2)
    assert by.loc[NAMES[1], "p"] < 0.001
    assert by.loc[NAMES[1], "difference_low"] > 20
    assert by.loc[NAMES[2], "p"] > 0.05
    assert pd.isna(by.loc[NAMES[0], "p"])
    assert len(by.loc[NAMES[0], "by_seed"]) == 3


def test_holm_counts_every_comparison():
    both = compared({NAMES[0]: 0.5, NAMES[1]: 0.53, NAMES[2]: 0.56}).set_index("name")["p"]
    for name in NAMES[1:]:
        alone = comparison.compare([load_method(n) for n in (NAMES[0], name)], NAMES[0], WORLD).set_index("name")["p"]
        assert both[name] == pytest.approx(alone[name] * (2 if both[name] == both.min() else 1))


def test_what_has_not_run_is_left_out_and_one_seed_has_no_interval():
    frame = compared({NAMES[0]: 0.5, NAMES[1]: 0.8}, seeds=1)
    assert frame["name"].tolist() == [NAMES[1], NAMES[0]]
    assert frame[["low", "high", "p"]].isna().all(axis=None)
    table = comparison.readable(frame)
    assert table["to the reference"].tolist()[1] == "reference"
    assert table["to the reference"].tolist()[0].startswith("+")
    assert comparison.compare([], NAMES[0], world({})).empty


def test_readable_has_intervals_and_sources():
    table = comparison.readable(compared({NAMES[0]: 0.5, NAMES[1]: 0.8, NAMES[2]: 0.5}), first="what")
    assert table.columns.tolist() == ["what", "accuracy", "seeds", "to the reference", "p (Holm)", "source"]
    assert table["what"].iloc[0] == "Triplet"
    assert " to " in table["accuracy"].iloc[0]
    assert table["p (Holm)"].iloc[0] == "< 0.001"


def test_the_methods_of_each_question():
    laptop, demo = load_profile("laptop"), load_profile("demo")
    assert len(loss_methods(laptop)) == 9
    assert [e.name for e in final_methods(laptop)] == ["koch", "beyond-3-minutes", "beyond"]
    assert recipe_methods(laptop)[0].name == "beyond-3-minutes"
    assert len({e.model_dump_json(exclude={"name", "title", "group"}) for e in recipe_methods(laptop)}) == 8
    assert 0 < len(loss_methods(demo)) < 9
    assert {e.name for e in recipe_methods(demo) + final_methods(demo)} < {e.name for e in load_methods()}


def test_costs_name_the_slowest_and_the_fastest_seed():
    class Cost:
        def __init__(self, seconds):
            self.config = {"image_size": 40}
            self.metrics = {
                "learner": "beyond", "parameters": 1000, "images_seen": 5000, "training_seconds": seconds,
                "provenance": {"processor": "some CPU"},
            }  # fmt: skip

    (line,) = costs([Cost(580.4), Cost(601.0)]).to_dict("records")
    assert line["seconds"] == "580 to 601"
    assert line["image"] == "40×40"
    assert line["parameters"] == "1,000"


# --- a closer look ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def looked():
    """A model that compares by cosine, and embeddings of its classes along the axes but for one mix-up."""
    from siamese_utils.backend import keras
    from siamese_utils.beyond.networks import Similarity

    pixels = keras.Input((2, 2, 1))
    backbone = keras.Model(pixels, keras.layers.Flatten()(pixels), name="backbone")
    sides = [keras.Input((2, 2, 1)) for _ in range(2)]
    model = keras.Model(sides, Similarity("cosine")([backbone(side) for side in sides]))
    found = np.repeat(np.eye(25, dtype=np.float32)[:, None], 3, axis=1)
    found += np.random.default_rng(0).normal(0, 0.01, found.shape).astype(np.float32)
    found[0, 0] = found[1, 1]  # the first drawing of class 0 looks like class 1
    return model, found


def test_the_nearest_are_of_the_same_class_by_other_people(looked):
    model, embeddings = looked
    found = embedding.nearest(model, embeddings, np.array([[5, 2], [0, 0]]), count=2)
    assert found[0].tolist() in ([[5, 0], [5, 1]], [[5, 1], [5, 0]])
    assert found[1, 0].tolist() == [1, 1]


def test_mistakes_are_those_of_the_mixed_up_drawing(looked):
    model, embeddings = looked
    drawn = draw_episodes(blank_split(25, 3), n_episodes=400)
    wrong = embedding.mistakes(model, embeddings, drawn)
    assert wrong
    for query, answer, given in wrong:
        assert (0, 0) in (query, answer, given)
        assert query[0] == answer[0] != given[0]


def test_the_hardest_pairs_are_those_that_lie_on_each_other(looked):
    model, embeddings = looked
    mixed = embeddings.copy()
    mixed[7] = mixed[9] = mixed[7, 0]  # one shape: every comparison ties
    found = embedding.confusable(model, mixed, 300, among=300)
    assert len(found) == 25 * 24 / 2
    assert found[0] == ((7, 9), pytest.approx(0.5))
    unit = (mixed / np.linalg.norm(mixed, axis=-1, keepdims=True)).astype(np.float64)
    margins = [
        unit[own, query] @ (unit[own, example] - unit[other, rival])
        for own, other in ((0, 1), (1, 0))
        for query in range(3)
        for example in {0, 1, 2} - {query}
        for rival in range(3)
    ]
    wrong = [0.5 if abs(margin) < 1e-6 else float(margin < 0) for margin in margins]
    ties = sum(part == 0.5 for part in wrong) / len(wrong)  # rounding may decide them
    assert dict(found)[0, 1] == pytest.approx(np.mean(wrong), abs=0.5 * ties + 1e-6)
    assert 0.1 < np.mean(wrong) < 0.5
    assert dict(found)[3, 4] == 0
    assert embedding.confusable(model, mixed, 2, among=1) == found[:1]


def test_more_examples_outvote_a_misleading_one(looked):
    model, embeddings = looked
    frame = embedding.by_shots(model, blank_split(25, 3), embeddings, (1, 2, 3), n_way=20, n_episodes=2000, seed=0)
    assert frame["shots"].tolist() == [1, 2]  # three drawers: one asks, two show
    one, two = frame["accuracy"]
    assert one < two < 100  # a query that misleads stays wrong, an example that does is outvoted
    assert (frame["low"] < frame["accuracy"]).all()
    assert (frame["accuracy"] < frame["high"]).all()
    drawn = draw_episodes(blank_split(25, 3), n_episodes=2000)
    assert 100 - one == pytest.approx(len(embedding.mistakes(model, embeddings, drawn)) / 20)


def test_a_map_puts_like_classes_together():
    rng = np.random.default_rng(1)
    centres = np.eye(4)[np.repeat(range(4), 15)]
    places = embedding.places((centres[:, None] + rng.normal(0, 0.05, (60, 3, 4))).astype(np.float32))
    assert places.shape == (60, 2)
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1) + 1e9 * np.eye(60)
    same = np.repeat(range(4), 15)
    assert (same[apart.argmin(axis=1)] == same).mean() > 0.9


def test_figures_draw_what_they_are_given():
    rng = np.random.default_rng(0)
    split = Split(rng.integers(0, 256, (25, 3, 12, 12), np.uint8), tuple(f"A/{n}" for n in range(25)))
    frame = compared({NAMES[0]: 0.5, NAMES[1]: 0.8, NAMES[2]: 0.6})
    design = load_factorial()
    names = [factor.name for factor in design.factors]
    signs = np.array(np.meshgrid(*[[-1, 1]] * 4, [0, 1])).reshape(5, -1).T
    cells = pd.DataFrame(signs, columns=[*names, "seed"]).assign(accuracy=rng.uniform(5, 50, 32))
    from siamese_utils.evidence.factorial import effects, is_complete

    assert is_complete(cells, design)
    drawn = {
        "losses": figures.losses(frame, NAMES[0]),
        "effects": figures.effects(effects(cells, episodes=10_000), design),
        "cells": figures.cells(cells, design),
        "map": figures.embedding_map(rng.normal(size=(25, 2)), split),
        "neighbours": figures.neighbours(split, np.array([[0, 0]]), np.array([[[0, 1], [3, 1]]])),
        "errors": figures.errors(split, [((0, 0), (0, 1), (2, 1))]),
        "no errors": figures.errors(split, []),
        "confusable": figures.confusable(split, [((0, 4), 0.5), ((0, 2), 0.123)]),
        "examples": figures.examples(
            pd.DataFrame({"shots": [1, 5], "accuracy": [90, 95], "low": [88, 94], "high": [92, 96]})
        ),
    }
    for name, figure in drawn.items():
        assert len(to_png(figure)) > 1000, name
    assert [ax.get_title(loc="left") for ax in drawn["confusable"].axes[:3]] == ["50 %", "12 %", ""]
    for ax in drawn["cells"].axes:
        values = np.concatenate([line.get_ydata() for line in ax.lines])
        assert ax.get_ylim()[0] <= values.min() <= values.max() < ax.get_ylim()[1]
    assert drawn["cells"].axes[0].get_title(loc="left").startswith("Batch normalization: without; Dropout and L2: ")
    labels = [label.get_text() for label in drawn["losses"].axes[0].get_yticklabels()]
    assert labels == frame["title"].tolist()
    assert len(drawn["map"].axes[0].artists) == 25
    effect_labels = [label.get_text() for label in drawn["effects"].axes[0].get_yticklabels()]
    assert effect_labels[0] == "Batch normalization: with minus without"
    assert len(effect_labels) == 10
