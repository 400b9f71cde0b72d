"""The leaks of the author's episodes: the closed form agrees with episodes that are drawn and judged."""

import numpy as np
import pytest
from made_up import blank_split
from run_on_disk import make_run
from scipy.stats import binomtest

from siamese_utils.data.dataset import Split
from siamese_utils.evaluation.accuracy import wilson
from siamese_utils.evaluation.episodes import draw_episodes, is_correct
from siamese_utils.evidence import leakage as leaks
from siamese_utils.models.siamese import build_model

# few, so that both leaks are frequent
CLASSES, DRAWERS, WAYS = 12, 5, 8


def similarities(seed=0, ties=False):
    """Every image's similarity to every image, (images, classes, drawers): a class is near itself, and noise."""
    rng = np.random.default_rng(seed)
    points = np.repeat(rng.normal(size=(CLASSES, 3)), DRAWERS, axis=0) + 0.8 * rng.normal(size=(CLASSES * DRAWERS, 3))
    found = -np.linalg.norm(points[:, None] - points[None], axis=-1)
    return (np.round(found * 2) if ties else found).reshape(-1, CLASSES, DRAWERS)


QUERIES = np.stack(np.divmod(np.arange(CLASSES * DRAWERS), DRAWERS), axis=-1)


@pytest.mark.parametrize("ties", [False, True])
def test_the_closed_form_lies_in_the_interval_of_drawn_episodes(ties):
    table = similarities(ties=ties)
    exact = leaks.expected_accuracy(table, QUERIES, WAYS)
    drawn = draw_episodes(blank_split(CLASSES, DRAWERS), protocol="author", n_way=WAYS, n_episodes=600_000, seed=1)
    query = drawn.query[:, 0] * DRAWERS + drawn.query[:, 1]
    seen = table[query[:, None], drawn.support[:, :, 0, 0], drawn.support[:, :, 0, 1]]
    correct = is_correct(seen[..., None], drawn)
    for name, part in leaks.left_in(drawn).items():
        test = binomtest(int(correct[part].sum()), int(part.sum()))
        # eight comparisons: 95 % would miss one in three tries
        interval = test.proportion_ci(0.999, method="wilson")
        assert interval.low < exact[name] < interval.high, name
    assert exact["author"] > exact["without_self"] + 0.02, "meeting oneself helps a network that knows itself"
    assert exact["without_twins"] > exact["author"] + 0.05, "a twin takes the answer away"


def test_the_notebooks_simulation_agrees_too():
    table = similarities(seed=3)
    exact = leaks.expected_accuracy(table[:20], QUERIES[:20], WAYS)
    simulated = leaks.simulate(table[:20], QUERIES[:20], WAYS, 100_000, seed=4)
    assert set(simulated) == set(exact)
    for name, played in simulated.items():
        score = wilson(*played)
        assert score.low < exact[name] < score.high, name


def test_the_leaks_are_as_frequent_as_computed():
    drawn = draw_episodes(blank_split(659, 20), protocol="author", n_episodes=200_000)
    itself, twin = leaks.flags(drawn)
    # the target's image is the query; one of 19 more draws has its class
    for found, expected in ((itself, 1 / 20), (twin, 1 - (658 / 659) ** 19)):
        score = wilson(int(found.sum()), len(found))
        assert score.low < expected < score.high
    strict = draw_episodes(blank_split(659, 20), n_episodes=5_000)
    assert not any(flag.any() for flag in leaks.flags(strict))


def test_by_hand_one_query_two_ways():
    """Four images of two classes. The query's own image is nearest, its sister is nearer than one of the others.

    Similarities 9 (itself), 5 (its sister), 7 and 1 (the other class); one draw against the target from all four:
    target itself: loses to none, ties with itself: half of the time it stands first. (1 + 3/4) / 2.
    target its sister: 1 is less, 5 ties: (2/4 + 1/4) / 2.
    """
    exact = leaks.expected_accuracy(np.array([[[9.0, 5.0], [7.0, 1.0]]]), np.array([[0, 0]]), n_way=2)
    assert exact["author"] == pytest.approx(((1 + 3 / 4) / 2 + (2 / 4 + 1 / 4) / 2) / 2)
    assert exact["without_self"] == pytest.approx((2 / 4 + 1 / 4) / 2)
    assert exact["without_twins"] == pytest.approx((1 + 1 / 2) / 2)
    assert exact["without_both"] == pytest.approx(1 / 2)


def test_few_episodes_may_have_none_of_a_kind(reports, tiny):
    """A profile of one's own may ask for 2 episodes: none of these meets its query."""
    few = tiny.model_copy(update={"episodes": 2})
    run = make_run("baseline", few, 0, np.array([True, False]))
    (line,) = leaks.accuracy_by_leak([run], few, blank_split(86, 20)).to_dict("records")
    assert (line["author"], line["clean"], line["effect"]) == (50, 50, 0)
    assert np.isnan([line["self"], line["self_low"], line["self_high"]]).all()
    assert line["clean_low"] == pytest.approx(100 * wilson(1, 2).low)


def test_a_models_similarities_are_those_of_its_pairs(tiny, fresh_keras):
    size = tiny.image_size
    images = np.random.default_rng(0).integers(0, 256, (3, 2, size, size)).astype(np.uint8)
    split, queries = Split(images, ("A/a", "A/b", "A/c")), np.array([[0, 1], [2, 0]])
    model = build_model("baseline", tiny)
    found = leaks.similarities_to_all(model, split, queries)
    flat = images.reshape(-1, size, size, 1)
    for row, (label, drawer) in zip(found, queries, strict=True):
        query = np.repeat(images[label, drawer][None, ..., None], len(flat), axis=0)
        expected = model.predict([query, flat], verbose=0)
        np.testing.assert_allclose(row.ravel(), expected[:, 0], atol=1e-5)
    assert found.shape == (2, 3, 2)
    assert np.ptp(found) > 1e-3


def test_the_table_of_a_model_has_a_line_for_every_leak_left_out(tiny, fresh_keras):
    size = tiny.image_size
    images = np.random.default_rng(0).integers(0, 256, (6, 4, size, size)).astype(np.uint8)
    split = Split(images, tuple(f"A/{n}" for n in range(6)))
    table = leaks.of_model(build_model("baseline", tiny), split, queries=24, seed=0)
    assert list(table["the author’s episodes"]) == list(leaks.LEFT_OUT.values())
    for formula, simulated in zip(table["formula"], table["simulated"], strict=True):
        low, high = (float(part) for part in simulated.partition("(")[2].rstrip(")").split(" to "))
        assert low - 0.5 < float(formula) < high + 0.5
