"""Episodes against a plain loop, and against cases worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import blank_split

from siamese_utils.errors import ParamsError
from siamese_utils.evaluation.episodes import Episodes, _distinct, draw_episodes, is_correct

SPLIT = blank_split(30, 6)


@given(ways=st.integers(1, 30), shots=st.integers(1, 5), episodes=st.integers(1, 40), seed=st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_strict_episodes_never_repeat_a_class_nor_meet_the_querys_drawer(ways, shots, episodes, seed):
    drawn = draw_episodes(SPLIT, protocol="strict", n_way=ways, n_shot=shots, n_episodes=episodes, seed=seed)
    assert drawn.support.shape == (episodes, ways, shots, 2)
    for query, support, target in zip(drawn.query, drawn.support, drawn.target, strict=True):
        classes = support[:, :, 0]
        assert (classes == classes[:, :1]).all(), "all shots of a way show one class"
        assert len(set(classes[:, 0])) == ways
        assert classes[target, 0] == query[0]
        assert (support[:, :, 1] != query[1]).all()
        assert all(len(set(drawers)) == shots for drawers in support[:, :, 1])
        assert support.min() >= 0
        assert (support.reshape(-1, 2).max(axis=0) < [30, 6]).all()


@given(ways=st.integers(1, 25), shots=st.integers(1, 3), seed=st.integers(0, 2**32))
@settings(max_examples=50, deadline=None)
def test_author_episodes_hold_the_querys_class_at_the_target(ways, shots, seed):
    drawn = draw_episodes(SPLIT, protocol="author", n_way=ways, n_shot=shots, n_episodes=20, seed=seed)
    assert (drawn.support[np.arange(20), drawn.target, :, 0] == drawn.query[:, None, 0]).all()


def test_the_authors_leaks_are_as_frequent_as_the_protocol_says():
    """The query is its own support image once in 6 drawers; the true class stands twice with 1 - (29/30)**19."""
    drawn = draw_episodes(SPLIT, protocol="author", n_way=20, n_episodes=40_000, seed=1)
    itself = (drawn.support[np.arange(40_000), drawn.target, 0] == drawn.query).all(axis=1).mean()
    twice = ((drawn.support[:, :, 0, 0] == drawn.query[:, None, 0]).sum(axis=1) > 1).mean()
    assert abs(itself - 1 / 6) < 0.01
    assert abs(twice - (1 - (29 / 30) ** 19)) < 0.01


@pytest.mark.parametrize("protocol", ["author", "strict"])
def test_targets_classes_and_drawers_are_uniform(protocol):
    drawn = draw_episodes(SPLIT, protocol=protocol, n_way=5, n_episodes=60_000, seed=2)
    for counts in (
        np.bincount(drawn.target, minlength=5),
        np.bincount(drawn.query[:, 0], minlength=30),
        np.bincount(drawn.support[:, :, 0, 0].ravel(), minlength=30),
        np.bincount(drawn.query[:, 1], minlength=6),
        np.bincount(drawn.support[:, :, 0, 1].ravel(), minlength=6),
    ):
        assert np.abs(counts / counts.mean() - 1).max() < 0.1


@pytest.mark.parametrize("protocol", ["author", "strict"])
def test_the_same_seed_gives_every_model_the_same_episodes(protocol):
    one, again, other = (
        draw_episodes(SPLIT, protocol=protocol, n_way=5, n_episodes=50, seed=seed) for seed in ([4, 1], [4, 1], [4, 2])
    )
    assert (one.support == again.support).all()
    assert (one.query == again.query).all()
    assert (one.support != other.support).any()


def judged_one_by_one(similarities, episodes: Episodes) -> list[bool]:
    """The two protocols, written as plainly as they can be."""
    correct = []
    for scores, target in zip(similarities, episodes.target, strict=True):
        by_way = [sum(map(float, shots)) / len(shots) for shots in scores]
        best = max(by_way)
        if episodes.protocol == "author":
            correct.append(by_way.index(best) == target)
        else:
            correct.append(by_way[target] == best and by_way.count(best) == 1)
    return correct


@given(
    protocol=st.sampled_from(["author", "strict"]),
    ways=st.integers(1, 8),
    shots=st.integers(1, 4),
    levels=st.integers(1, 9),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=200, deadline=None)
def test_judging_all_at_once_agrees_with_a_plain_loop(protocol, ways, shots, levels, seed):
    """Few similarity levels, so that ties are common."""
    drawn = draw_episodes(SPLIT, protocol=protocol, n_way=ways, n_shot=shots, n_episodes=30, seed=seed)
    similarities = np.random.default_rng(seed).integers(0, levels, (30, ways, shots)).astype(np.float64)
    assert is_correct(similarities, drawn).tolist() == judged_one_by_one(similarities, drawn)


def by_hand(protocol, target=1):
    return Episodes(
        query=np.array([[0, 0]]),
        support=np.zeros((1, 3, 1, 2), int),
        target=np.array([target]),
        protocol=protocol,
    )


@pytest.mark.parametrize(
    ("similarities", "author", "strict"),
    [
        # the target alone is best
        ([0.1, 0.9, 0.2], True, True),
        # another way is best
        ([0.9, 0.1, 0.2], False, False),
        # a tie with a later way: the first of the largest is the target
        ([0.2, 0.9, 0.9], True, False),
        # a tie with an earlier way
        ([0.9, 0.9, 0.2], False, False),
        # nothing told apart
        ([0.5, 0.5, 0.5], False, False),
        # not a number is no answer
        ([0.1, np.nan, 0.2], False, False),
        ([np.nan, 0.9, 0.2], True, False),
    ],
)
def test_ties_and_numbers_that_are_none_by_hand(similarities, author, strict):
    scores = np.array(similarities)[None, :, None]
    assert is_correct(scores, by_hand("author")).tolist() == [author]
    assert is_correct(scores, by_hand("strict")).tolist() == [strict]


@pytest.mark.parametrize("protocol", ["author", "strict"])
@pytest.mark.parametrize("target", [0, 1, 2])
def test_where_nothing_is_a_number_nothing_is_correct(protocol, target):
    """NumPy's argmax of NaNs is 0: the author's protocol would find the target there once in so many ways."""
    nothing = np.full((1, 3, 1), np.nan)
    assert is_correct(nothing, by_hand(protocol, target)).tolist() == [False]
    one_shot = np.array([[[0.9, np.nan], [0.1, 0.1], [0.2, 0.2]]])
    assert is_correct(one_shot, by_hand(protocol, 0)).tolist() == [False], "a mean with a NaN is none"


def test_shots_count_by_their_mean():
    episode = by_hand("strict", target=0)
    assert is_correct(np.array([[[0.6, 0.6], [0.9, 0.2], [0.0, 0.0]]]), episode).tolist() == [True]
    assert is_correct(np.array([[[0.5, 0.5], [0.9, 0.2], [0.0, 0.0]]]), episode).tolist() == [False]


def test_constant_similarities_are_right_by_chance_for_the_author_and_never_under_strict():
    for protocol, expected in (("author", 1 / 20), ("strict", 0.0)):
        drawn = draw_episodes(SPLIT, protocol=protocol, n_way=20, n_episodes=20_000, seed=5)
        assert abs(is_correct(np.full((20_000, 20, 1), 0.5), drawn).mean() - expected) < 0.007


@pytest.mark.parametrize(("ways", "shots"), [(31, 1), (5, 6)])
def test_a_split_too_small_for_strict_episodes_is_a_clear_error(ways, shots):
    with pytest.raises(ParamsError, match="lower n_way or n_shot"):
        draw_episodes(SPLIT, protocol="strict", n_way=ways, n_shot=shots, n_episodes=1, seed=0)


@pytest.mark.parametrize("protocol", ["author", "strict"])
@pytest.mark.parametrize("number", [{"n_way": 0}, {"n_way": -1}, {"n_shot": 0}, {"n_shot": -1}, {"n_episodes": 0}])
def test_episodes_of_nothing_are_a_clear_error(protocol, number):
    """Without shots, every similarity would be the mean of none, and the accuracy 0 %."""
    with pytest.raises(ParamsError, match="give 1 or more of each"):
        draw_episodes(SPLIT, protocol=protocol, **{"n_way": 5, **number})


def test_an_unknown_protocol_is_a_clear_error():
    with pytest.raises(ParamsError, match="author or strict"):
        draw_episodes(SPLIT, protocol="kind", n_way=5, n_episodes=1, seed=0)


@pytest.mark.parametrize(
    ("protocol", "counts", "query", "support"),
    [
        ("author", None, "1201", "424203031111000111120200"),
        ("author", (3, 4, 3, 5), "1201", "323202021111000001010100"),
        ("strict", None, "1221", "414021201311030012132022"),
        ("strict", (3, 4, 3, 5), "2121", "323012102220020011122022"),
    ],
)
def test_known_episodes_stay(protocol, counts, query, support):
    """Two of three ways and two shots, a digit for each class and image: those that committed runs answered."""
    split = blank_split(4 if counts else 5, 4, counts)
    drawn = draw_episodes(split, protocol=protocol, n_way=3, n_shot=2, n_episodes=2, seed=[7, 1])
    digits = ["".join(map(str, picks.ravel())) for picks in (drawn.query, drawn.support, drawn.target)]
    assert digits == [query, support, "22"]


def test_what_is_not_asked_for_is_1000_strict_episodes_of_20_ways_and_one_shot():
    drawn, same = draw_episodes(SPLIT), draw_episodes(SPLIT, seed=0)
    assert (drawn.protocol, drawn.support.shape, drawn.n_way) == ("strict", (1000, 20, 1, 2), 20)
    assert (drawn.support == same.support).all()
    assert drawn.starts is None


# ---- classes of different sizes


@pytest.mark.parametrize("protocol", ["strict", "author"])
def test_episodes_draw_only_images_that_are_there(protocol):
    counts = np.array([2, 5, 3, 9])
    drawn = draw_episodes(blank_split(4, 9, tuple(counts)), protocol=protocol, n_way=3, n_episodes=4000)
    row = np.arange(len(drawn))
    assert (drawn.query[:, 1] < counts[drawn.query[:, 0]]).all()
    assert (drawn.support[..., 1] < counts[drawn.support[..., 0]]).all()
    own = drawn.support[row, drawn.target, 0]
    assert (own[:, 0] == drawn.query[:, 0]).all()
    met = (own == drawn.query).all(axis=1)
    distinct = np.array([len(set(classes)) == 3 for classes in drawn.support[:, :, 0, 0]])
    if protocol == "strict":
        assert not met.any()
        assert distinct.all()
    else:
        assert met.any()
        assert not distinct.all()
    asked = np.bincount(drawn.query[:, 0] * 9 + drawn.query[:, 1], minlength=36).reshape(4, 9)
    for number, count in enumerate(counts):
        assert asked[number, :count].min() > 0.6 * asked[number].sum() / count
    by_chance = is_correct(np.zeros((4000, 3, 1)), drawn).mean()
    assert by_chance == pytest.approx(0 if protocol == "strict" else 1 / 3, abs=0.03)


def test_too_few_images_for_the_shots():
    with pytest.raises(ParamsError, match="the smallest with 2"):
        draw_episodes(blank_split(2, 3, (2, 3)), n_way=2, n_shot=2, n_episodes=5)


def test_the_shots_of_uneven_classes_are_any_images_but_the_query_each_once():
    counts = (4, 5, 9)
    drawn = draw_episodes(blank_split(3, 9, counts), n_way=3, n_shot=3, n_episodes=20_000, seed=6)
    # in the query's way and in the others: how often each image stands in the support
    shown = np.zeros((2, 3, 9), int)
    for query, support, target in zip(drawn.query, drawn.support, drawn.target, strict=True):
        for way, shots in enumerate(support):
            assert len(set(map(tuple, shots))) == 3
            assert way != target or tuple(query) not in set(map(tuple, shots))
            shown[int(way != target), shots[:, 0], shots[:, 1]] += 1
    for number, count in enumerate(counts):
        for times in shown[:, number]:
            assert not times[count:].any()
            assert np.abs(times[:count] / times[:count].mean() - 1).max() < 0.1
    assert drawn.starts.tolist() == [0, 4, 9]


@pytest.mark.parametrize(("population", "size"), [(1, 1), (5, 5), (26, 5), (30, 5), (401, 20)])
def test_different_numbers_are_the_first_of_a_shuffle_of_all(population, size):
    found = _distinct(np.random.default_rng(1), population, size, 50)
    rng = np.random.default_rng(1)
    others = np.stack([rng.integers(place, population, 50) for place in range(size)], axis=1)
    for row, drawn in zip(found, others, strict=True):
        numbers = list(range(population))
        for place, other in enumerate(drawn):
            numbers[place], numbers[other] = numbers[other], numbers[place]
        assert row.tolist() == numbers[:size]


def test_a_population_may_be_larger_than_memory():
    assert (np.diff(np.sort(_distinct(np.random.default_rng(0), 10**15, 20, 3))) > 0).all()
