"""Methods compared on shared episodes, a closer look at a model, and the figures of both."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from made_up import blank_split

from siamese_utils.beyond import analysis, plots, ranking
from siamese_utils.beyond.config import load_beyond, load_method, methods_of
from siamese_utils.beyond.losses import LOSSES
from siamese_utils.beyond.published import costs
from siamese_utils.beyond.study import conclusion
from siamese_utils.config import load_profile
from siamese_utils.data.dataset import Split
from siamese_utils.evaluation.episodes import draw_episodes
from siamese_utils.evidence.estimates import Evidence
from siamese_utils.evidence.factorial import effects, is_complete, load_factorial
from siamese_utils.evidence.facts import Facts
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


def ranked(levels, **options):
    return ranking.rank_methods([load_method(n) for n in NAMES], NAMES[0], world(levels, **options))


def test_a_better_loss_is_told_from_the_reference_and_an_equal_one_is_not():
    frame = ranked({NAMES[0]: 0.5, NAMES[1]: 0.8, NAMES[2]: 0.5})
    assert frame["name"].iloc[0] == NAMES[1]
    by = frame.set_index("name")
    assert by.loc[NAMES[1], "difference"] == pytest.approx(30, abs=2)
    assert by.loc[NAMES[1], "p"] < 0.001
    assert by.loc[NAMES[1], "difference_low"] > 20
    assert by.loc[NAMES[2], "p"] > 0.05
    assert pd.isna(by.loc[NAMES[0], "p"])
    assert len(by.loc[NAMES[0], "by_seed"]) == 3


def test_holm_counts_every_comparison():
    both = ranked({NAMES[0]: 0.5, NAMES[1]: 0.53, NAMES[2]: 0.56}).set_index("name")["p"]
    for name in NAMES[1:]:
        alone = ranking.rank_methods([load_method(n) for n in (NAMES[0], name)], NAMES[0], WORLD).set_index("name")["p"]
        assert both[name] == pytest.approx(alone[name] * (2 if both[name] == both.min() else 1))


def test_what_has_not_run_is_left_out_and_one_seed_has_no_interval():
    frame = ranked({NAMES[0]: 0.5, NAMES[1]: 0.8}, seeds=1)
    assert frame["name"].tolist() == [NAMES[1], NAMES[0]]
    assert frame[["low", "high", "p"]].isna().all(axis=None)
    table = ranking.ranking_table(frame, NAMES[0])
    assert table["to the reference"].tolist()[1] == "reference"
    assert table["to the reference"].tolist()[0].startswith("+")
    assert ranking.rank_methods([], NAMES[0], world({})).empty


def test_readable_has_intervals_and_sources():
    table = ranking.ranking_table(ranked({NAMES[0]: 0.5, NAMES[1]: 0.8, NAMES[2]: 0.5}), NAMES[0], first="what")
    assert table.columns.tolist() == ["what", "accuracy", "seeds", "to the reference", "p (Holm)", "source"]
    assert table["what"].iloc[0] == "Triplet"
    assert " to " in table["accuracy"].iloc[0]
    assert table["p (Holm)"].iloc[0] == "< 0.001"


def test_the_methods_of_each_question():
    laptop, demo = load_profile("laptop"), load_profile("demo")
    losses = methods_of("loss", laptop)
    assert {m.loss for m in losses} == set(LOSSES)
    assert [m.name for m in methods_of("final", laptop)][:3] == ["koch", "beyond-3-minutes", "beyond"]
    recipe = methods_of("recipe", laptop)
    assert recipe[0].name == "beyond-3-minutes"
    assert len({m.model_dump_json(exclude={"name", "title", "group"}) for m in recipe}) == len(recipe) > 2
    in_demo = [{m.name for m in methods_of(group, demo)} for group in ("loss", "recipe", "final")]
    assert 0 < len(in_demo[0]) < len(losses)
    assert set().union(*in_demo) == set(load_beyond().demo)


def test_costs_name_the_slowest_and_the_fastest_seed():
    class Cost:
        def __init__(self, seconds):
            self.config = {"image_size": 40}
            self.metrics = {
                "learner": "beyond", "parameters": 1000, "images_seen": 5000, "training_seconds": seconds,
                "provenance": {"processor": "some CPU"},
            }  # fmt: skip

    (line,) = costs([Cost(580.4), Cost(601.0)]).to_dict("records")
    assert line["seconds"] == "580–601"
    assert line["image"] == "40×40"
    assert line["parameters"] == "1,000"


# --- a closer look ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def axis_model():
    """A model that compares by cosine, and embeddings of its classes along the axes but for one mix-up."""
    from siamese_utils.backend import keras
    from siamese_utils.models.layers import Similarity

    pixels = keras.Input((2, 2, 1))
    backbone = keras.Model(pixels, keras.layers.Flatten()(pixels), name="backbone")
    sides = [keras.Input((2, 2, 1)) for _ in range(2)]
    model = keras.Model(sides, Similarity("cosine")([backbone(side) for side in sides]))
    found = np.repeat(np.eye(25, dtype=np.float32)[:, None], 3, axis=1)
    found += np.random.default_rng(0).normal(0, 0.01, found.shape).astype(np.float32)
    # the first drawing of class 0 looks like class 1
    found[0, 0] = found[1, 1]
    return model, found


def test_the_nearest_are_of_the_same_class_by_other_people(axis_model):
    model, embeddings = axis_model
    found = analysis.nearest_images(model, embeddings, np.array([[5, 2], [0, 0]]))
    assert found[0, :2].tolist() in ([[5, 0], [5, 1]], [[5, 1], [5, 0]])
    assert found[1, 0].tolist() == [1, 1]


def test_mistakes_are_those_of_the_mixed_up_drawing(axis_model):
    model, embeddings = axis_model
    drawn = draw_episodes(blank_split(25, 3), n_episodes=400)
    wrong = analysis.mistakes(model, embeddings, drawn)
    assert wrong
    for query, answer, given in wrong:
        assert (0, 0) in (query, answer, given)
        assert query[0] == answer[0] != given[0]


def test_the_hardest_pairs_are_those_that_lie_on_each_other(axis_model, monkeypatch):
    model, embeddings = axis_model
    mixed = embeddings.copy()
    # one shape: every comparison ties
    mixed[7] = mixed[9] = mixed[7, 0]
    monkeypatch.setattr(analysis, "CANDIDATES", 300)
    found = analysis.hardest_pairs(model, mixed, 300)
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
    # rounding may decide them
    ties = sum(part == 0.5 for part in wrong) / len(wrong)
    assert dict(found)[0, 1] == pytest.approx(np.mean(wrong), abs=0.5 * ties + 1e-6)
    assert 0.1 < np.mean(wrong) < 0.5
    assert dict(found)[3, 4] == 0
    monkeypatch.setattr(analysis, "CANDIDATES", 1)
    assert analysis.hardest_pairs(model, mixed, 2) == found[:1]


def test_more_examples_outvote_a_misleading_one(axis_model):
    model, embeddings = axis_model
    frame = analysis.accuracy_by_shots(
        model, blank_split(25, 3), embeddings, (1, 2, 3), n_way=20, n_episodes=2000, seed=0
    )
    # three drawers: one asks, two show
    assert frame["shots"].tolist() == [1, 2]
    one, two = frame["accuracy"]
    # a query that misleads stays wrong, an example that does is outvoted
    assert one < two < 100
    assert (frame["low"] < frame["accuracy"]).all()
    assert (frame["accuracy"] < frame["high"]).all()
    drawn = draw_episodes(blank_split(25, 3), n_episodes=2000)
    assert 100 - one == pytest.approx(len(analysis.mistakes(model, embeddings, drawn)) / 20)


def test_a_map_puts_like_classes_together():
    rng = np.random.default_rng(1)
    centres = np.eye(4)[np.repeat(range(4), 15)]
    places = analysis.tsne_positions((centres[:, None] + rng.normal(0, 0.05, (60, 3, 4))).astype(np.float32))
    assert places.shape == (60, 2)
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1) + 1e9 * np.eye(60)
    same = np.repeat(range(4), 15)
    assert (same[apart.argmin(axis=1)] == same).mean() > 0.9


def test_the_finding_names_the_best_loss_what_is_clear_and_nothing_that_has_not_run():
    design = load_factorial()
    opened = SimpleNamespace(profile=load_profile("laptop"))
    frame = ranked({NAMES[0]: 0.5, NAMES[1]: 0.8, NAMES[2]: 0.5})
    signs = np.array(np.meshgrid(*[[-1, 1]] * 4, [0, 1])).reshape(5, -1).T
    cells = pd.DataFrame(signs, columns=[*(f.name for f in design.factors), "seed"])
    cells["accuracy"] = 30.0 + 10 * cells["batch_norm"] + 0.1 * cells["seed"]
    found = effects(cells, n_episodes=10_000)
    finding = conclusion(opened, losses=frame, effects=found, recipe=frame.head(0), finals=[])
    title = load_method(NAMES[1]).title
    assert f"{title} reaches" in " ".join(finding.split())
    assert "1 of 2 losses are clearly better" in finding
    assert "1 of 10 effects and interactions is clearly not zero" in finding
    assert "batch normalization (with minus without) +20.0 points" in finding
    assert "The recipe" not in finding
    nothing = conclusion(opened, losses=frame.head(0), effects=found.head(0), recipe=frame.head(0), finals=[])
    assert "no finding yet" in nothing


def test_figures_draw_what_they_are_given():
    rng = np.random.default_rng(0)
    split = Split(rng.integers(0, 256, (25, 3, 12, 12), np.uint8), tuple(f"A/{n}" for n in range(25)))
    frame = ranked({NAMES[0]: 0.5, NAMES[1]: 0.8, NAMES[2]: 0.6})
    design = load_factorial()
    names = [factor.name for factor in design.factors]
    signs = np.array(np.meshgrid(*[[-1, 1]] * 4, [0, 1])).reshape(5, -1).T
    cells = pd.DataFrame(signs, columns=[*names, "seed"]).assign(accuracy=rng.uniform(5, 50, 32))
    assert is_complete(cells, design)
    drawn = {
        "losses": plots.method_ranking(frame, NAMES[0]),
        "effects": plots.factorial_effects(effects(cells, n_episodes=10_000), design),
        "cells": plots.factorial_cells(cells, design),
        "map": plots.embedding_map(np.r_[np.indices((4, 6)).reshape(2, -1).T, [[0, 0]]], split),
        "nothing": plots.method_ranking(frame.head(0), NAMES[0]),
        "neighbours": plots.nearest_rows(split, np.array([[0, 0]]), np.array([[[0, 1], [3, 1]]])),
        "errors": plots.mistake_columns(split, [((0, 0), (0, 1), (2, 1))]),
        "no errors": plots.mistake_columns(split, []),
        "confusable": plots.hardest_pair_columns(split, [((0, 4), 0.5), ((0, 2), 0.123)]),
        "examples": plots.errors_by_shots(
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
    # the last of the 25 lies where the first does: a dot
    assert len(drawn["map"].axes[0].images) == 24
    assert len(drawn["map"].axes[0].lines[0].get_xdata()) == 1
    effect_labels = [label.get_text() for label in drawn["effects"].axes[0].get_yticklabels()]
    assert effect_labels[0] == "Batch normalization: with minus without"
    assert len(effect_labels) == 10
