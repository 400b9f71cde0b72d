"""Episodes against a plain loop, and against cases worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import blank_split

from siamese_utils.errors import ParamsError
from siamese_utils.evaluation.episodes import Episodes, draw_episodes, is_correct

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
        ([0.1, 0.9, 0.2], True, True),  # the target alone is best
        ([0.9, 0.1, 0.2], False, False),  # another way is best
        ([0.2, 0.9, 0.9], True, False),  # a tie with a later way: the first of the largest is the target
        ([0.9, 0.9, 0.2], False, False),  # a tie with an earlier way
        ([0.5, 0.5, 0.5], False, False),  # nothing told apart
        ([0.1, np.nan, 0.2], False, False),  # not a number is no answer
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


def test_an_unknown_protocol_is_a_clear_error():
    with pytest.raises(ParamsError, match="author or strict"):
        draw_episodes(SPLIT, protocol="kind", n_way=5, n_episodes=1, seed=0)
