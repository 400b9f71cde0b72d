"""Scores of whole models against a plain loop, and of embeddings whose answer is known beforehand."""

import numpy as np
import pytest
from made_up import blank_split

from siamese_utils.config import load_experiment
from siamese_utils.data.dataset import Split
from siamese_utils.errors import DataError
from siamese_utils.evaluation import accuracy as accuracies
from siamese_utils.evaluation.accuracy import (
    Score,
    embed,
    embed_split,
    evaluate,
    predict_episodes,
    score_of,
    similarity,
    wilson,
)
from siamese_utils.evaluation.episodes import draw_episodes
from siamese_utils.models.siamese import build_model


@pytest.fixture(scope="module")
def model():
    """An untrained model whose head says: the nearer, the more similar."""
    from conftest import TINY

    from siamese_utils.config import load_profile

    made = build_model(load_experiment("baseline"), load_profile(TINY), seed=4)
    head = made.get_layer("similarity")
    head.set_weights([np.full((256, 1), -0.01, np.float32), np.zeros(1, np.float32)])
    return made


@pytest.fixture(scope="module")
def split():
    """25 classes by 4 drawers of random pixels."""
    images = np.random.default_rng(0).integers(0, 256, (25, 4, 20, 20), dtype=np.uint8)
    return Split(images, tuple(f"A/character{number:02}" for number in range(25)))


def uneven(split, counts):
    """The same images as classes of these sizes; None for the split as it is."""
    return Split(split.flat[: sum(counts)], split.characters[: len(counts)], counts) if counts else split


def accuracy(model, embeddings, protocol, seed=0):
    drawn = draw_episodes(blank_split(*embeddings.shape[:2]), protocol=protocol, n_episodes=2_000, seed=seed)
    return predict_episodes(model, embeddings.astype(np.float32), drawn).mean()


def test_perfect_embeddings_are_always_right(model):
    """Every class in a place of its own."""
    corners = np.repeat(np.random.default_rng(1).random((25, 1, 256)), 4, axis=1)
    assert accuracy(model, corners, "strict") == 1.0
    # the author's support holds the true class again, and the first of a tie wins
    doubled = 1 - (24 / 25) ** 19
    assert 1 - doubled < accuracy(model, corners, "author") < 1.0


def test_constant_embeddings_are_right_by_chance_or_never(model):
    same = np.ones((25, 4, 256))
    assert accuracy(model, same, "strict") == 0.0
    assert abs(accuracy(model, same, "author") - 0.05) < 0.02


@pytest.mark.parametrize("protocol", ["author", "strict"])
def test_a_model_whose_weights_are_no_numbers_is_never_right(protocol, split, tiny):
    broken = build_model(load_experiment("baseline"), tiny)
    broken.set_weights([np.full_like(weights, np.nan) for weights in broken.get_weights()])
    found = evaluate(broken, split, protocol=protocol, n_way=5, n_episodes=200)
    assert (found.correct, found.accuracy, found.low) == (0, 0.0, 0.0)


def test_adversarial_embeddings_are_never_right(model):
    """One drawer's image of a class lies opposite the other's, where the classes of the other sign are."""
    place = np.linspace(1.0, 1.2, 25) * np.where(np.arange(25) % 2, 1, -1)
    opposite = np.stack([place, -place], axis=1)[..., None] * np.eye(256)[0]
    assert accuracy(model, opposite, "strict") == 0.0


@pytest.mark.parametrize("counts", [None, (3, 4, 3, 6, 3)])
def test_the_array_work_agrees_with_one_call_of_the_model_an_episode(counts, model, split):
    """The whole model on pixels, pair by pair, under both protocols, one and two shots."""
    split, judged = uneven(split, counts), 0

    def images(picks):
        return split.flat[split.starts[picks[:, 0]] + picks[:, 1]][..., None]

    for protocol in ("author", "strict"):
        for shots in (1, 2):
            drawn = draw_episodes(split, protocol=protocol, n_way=5, n_shot=shots, n_episodes=12, seed=3)
            at_once = predict_episodes(model, embed_split(model, split, used_by=drawn), drawn)
            for episode in range(12):
                support = drawn.support[episode].reshape(-1, 2)
                query = np.repeat(drawn.query[episode][None], len(support), axis=0)
                answers = model.predict_on_batch([images(query), images(support)])
                scores = answers.astype(np.float64).reshape(5, shots).mean(axis=1)
                target = drawn.target[episode]
                margin = np.delete(scores, target).max() - scores[target]
                # nearer than that, rounding decides
                if abs(margin) > 1e-5:
                    assert at_once[episode] == (margin < 0)
                    judged += 1
    assert judged >= 40, "of 48 episodes"


@pytest.mark.parametrize("counts", [None, (3, 4, 3, 6, 3)])
def test_only_the_images_that_episodes_use_are_embedded(counts, model, split, monkeypatch):
    split = uneven(split, counts)
    every = embed_split(model, split)
    assert every.shape == ((19, 256) if counts else (25, 4, 256))
    drawn = draw_episodes(split, n_way=2, n_episodes=2, seed=1)
    picks = np.concatenate([drawn.query, drawn.support.reshape(-1, 2)])
    used = np.zeros(len(split.flat), bool)
    used[split.starts[picks[:, 0]] + picks[:, 1]] = True
    some = embed_split(model, split, used_by=drawn)
    assert (some.shape, some.dtype) == (every.shape, np.float32)
    some, every = (embeddings.reshape(-1, 256) for embeddings in (some, every))
    np.testing.assert_allclose(some[used], every[used], atol=1e-5)
    assert not some[~used].any()
    asked = []
    monkeypatch.setattr(accuracies, "embed", lambda model, images: asked.append(len(images)) or embed(model, images))
    evaluate(model, split, n_way=2, n_episodes=2, seed=1)
    assert asked == [used.sum()]


def test_similarity_of_embeddings_is_the_models_output(model, split):
    images = split.images[:6, 0]
    embeddings = embed(model, images)
    whole = model.predict([images[:3][..., None], images[3:][..., None]], verbose=0)[:, 0]
    np.testing.assert_allclose(similarity(model, embeddings[:3], embeddings[3:]), whole, rtol=1e-5)


def test_work_in_blocks_gives_what_all_at_once_gives(model, split, monkeypatch):
    rows, left = embed(model, split.flat[:7]), np.arange(7)
    assert rows.shape == (7, 256)
    at_once = similarity(model, rows[left], rows[left[::-1]])
    monkeypatch.setattr(accuracies, "PAIRS_AT_ONCE", 3)
    in_blocks, sizes = [similarity(model, rows[left], rows[left[::-1]])], []

    def noted(model, one, other):
        sizes.append((len(one), len(other)))
        return similarity(model, one, other)

    monkeypatch.setattr(accuracies, "similarity", noted)
    in_blocks.append(accuracies.similarity_of_rows(model, rows, left, left[::-1]))
    assert sizes == [(3, 3), (3, 3), (1, 1)]
    for found in (at_once, *in_blocks):
        assert (found.shape, found.dtype) == ((7,), np.float32)
        np.testing.assert_allclose(found, at_once, rtol=1e-5)
    few = embed(model, split.flat[:7], batch_size=3)
    assert few.dtype == np.float32
    np.testing.assert_allclose(few, rows, atol=1e-5)


def test_a_model_that_computes_in_half_precision_embeds_in_float32(split, tiny):
    half = build_model(load_experiment("baseline"), tiny.model_copy(update={"precision": "mixed_float16"}))
    assert half.get_layer("backbone").output.dtype == "float16"
    rows = embed(half, split.flat[:4])
    assert rows.dtype == np.float32
    assert similarity(half, rows[:2], rows[2:]).dtype == np.float32


def test_an_evaluation_repeats_for_a_seed(model, split):
    one, again = (evaluate(model, split, n_way=5, n_episodes=200, seed=1) for _ in range(2))
    assert one == again
    assert one.low < one.accuracy < one.high


def test_an_evaluation_is_of_the_episodes_that_are_asked_for(model, split):
    embeddings = embed_split(model, split)
    usual = {"protocol": "strict", "n_way": 20, "n_shot": 1, "n_episodes": 1000, "seed": 0}
    found = {}
    for name, other in (
        ("protocol", "author"),
        ("n_way", 3),
        ("n_shot", 2),
        ("n_episodes", 1001),
        ("seed", 1),
        ("", 0),
    ):
        asked = usual | ({name: other} if name else {})
        drawn = draw_episodes(split, **asked)
        found[name] = evaluate(model, split, **asked)
        assert found[name] == score_of(predict_episodes(model, embeddings, drawn)), name
    assert evaluate(model, split) == found[""]
    assert len(set(found.values())) == len(found), "each of them tells"


def test_an_interval_of_nothing_begins_at_0_and_of_everything_ends_at_1():
    for episodes in range(1, 300):
        assert wilson(0, episodes).low == 0.0
        assert wilson(episodes, episodes).high == 1.0


@pytest.mark.parametrize(
    ("correct", "episodes", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0), (183, 250, 0.6739, 0.7831)],
)
def test_wilson_intervals_by_hand(correct, episodes, low, high):
    """p̂ + z²/2n ± z √(p̂(1-p̂)/n + z²/4n²), over 1 + z²/n, with z = 1.96."""
    score = wilson(correct, episodes)
    assert (score.accuracy, score.correct, score.episodes) == (correct / episodes, correct, episodes)
    assert Score(**score.as_dict()) == score
    assert (round(score.low, 4), round(score.high, 4)) == (low, high)


@pytest.mark.parametrize(("correct", "episodes"), [(5, 3), (-1, 3), (1, -3), (float("nan"), 3)])
def test_counts_that_cannot_be_have_no_interval(correct, episodes):
    """Its bounds would be complex numbers."""
    with pytest.raises(ValueError, match="cannot be correct"):
        wilson(correct, episodes)


@pytest.mark.parametrize(
    "images", [np.zeros((3, 28, 28), np.uint8), np.zeros((3, 20, 20, 3), np.uint8), np.zeros((3, 20, 20), np.float32)]
)
def test_images_of_another_size_or_type_are_a_clear_error(model, images):
    """Numbers from 0 to 1 in the place of 0 to 255 would be embedded, as nearly black images."""
    with pytest.raises(DataError, match=r"takes images of shape \(20, 20, 1\), uint8"):
        embed(model, images)


@pytest.mark.parametrize(
    ("n", "most", "filled"), [(1, 512, 1), (5, 512, 8), (8, 512, 8), (300, 512, 512), (300, 500, 500)]
)
def test_on_jax_images_are_filled_up_so_that_few_numbers_of_them_are_compiled(monkeypatch, n, most, filled):
    from siamese_utils.evaluation.accuracy import _filled_up

    images = np.ones((n, 4, 4, 1), np.uint8)
    assert len(_filled_up(images, most)) == n, "TensorFlow takes any number"
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    found = _filled_up(images, most)
    assert (found.shape, found.dtype) == ((filled, 4, 4, 1), np.uint8)
    assert found[:n].all()
    assert not found[n:].any()
