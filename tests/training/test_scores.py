"""What is measured at a check and at the end, and what is kept, with a stand-in for the model: nothing is trained."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from siamese_utils.data.dataset import Dataset, Split
from siamese_utils.evaluation.accuracy import embed_split, evaluate, predict_episodes
from siamese_utils.evaluation.episodes import draw_episodes
from siamese_utils.training.integrity import EVIDENCE, read_sums, sha256
from siamese_utils.training.runs import Run
from siamese_utils.training.scores import check_model, final_scores, final_seed, keep_results

# an embedding's value by its pixel: 2 is 0.01, 198 is 0.99
LEVELS = np.linspace(0, 1, 201, dtype=np.float32)


class StandIn:
    """A model that embeds an image as its row of pixels; the nearer two are, the more they are alike."""

    def __init__(self, *weights):
        backbone = SimpleNamespace(name="backbone", input_shape=(None, 1, 9, 1), predict_on_batch=self.embed)
        self.layers, self.embedded = [backbone, Distance()], []
        self.trainable_variables = [SimpleNamespace(shape=w.shape, numpy=lambda w=w: w) for w in weights]

    def embed(self, images):
        self.embedded.append(len(images))
        return LEVELS[images[:, 0, :, 0]]

    def get_layer(self, name):
        return next(layer for layer in self.layers if layer.name == name)

    def count_params(self):
        return 321

    def save(self, path):
        path.write_bytes(b"weights")


class Distance:
    name = "distance"

    def __call__(self, pair):
        left, right = pair
        return -np.abs(left - right).sum(axis=1, keepdims=True)


@pytest.fixture
def dataset():
    """Two splits of 25 classes by 4 drawers: a class's number with noise, and others.

    On val they are near 0, ½ and 1, and in the first four classes 0.
    """
    rng = np.random.default_rng(0)
    splits = []
    for others in (rng.integers(0, 201, 8), [1, 2, 3, 100, 198, 199, 100, 100]):
        rows = np.tile(np.array([0, *others], np.uint8), (25, 4, 1, 1))
        rows[..., 0] = (20 + 4 * np.arange(25)[:, None, None] + rng.integers(-8, 9, (25, 4, 1))).astype(np.uint8)
        if splits:
            rows[:4, ..., 1:] = 0
        splits.append(Split(rows, tuple(f"A/character{number:02}" for number in range(25))))
    return Dataset("made up", *splits, fingerprint="f" * 64, synthetic=True, source="a test")


def test_a_check_is_of_the_authors_episodes_drawn_for_its_split_and_iteration(dataset, tiny):
    model = StandIn(np.ones((2, 2)))
    rows = [check_model(model, dataset, tiny, iteration) for iteration in (0, 700)]
    for row, iteration in zip(rows, (0, 700), strict=True):
        for number, name in enumerate(("train", "val")):
            asked = {"protocol": "author", "n_way": 20, "n_episodes": 20, "seed": [1_000, number, iteration]}
            score = evaluate(model, dataset.split(name), **asked)
            assert [row[f"{name}_{what}"] for what in ("accuracy", "low", "high")] == [
                score.accuracy, score.low, score.high,
            ]  # fmt: skip
    assert rows[0] != rows[1]


def test_a_check_measures_the_kernels_as_one_vector_and_the_saturated_part_of_vals_embeddings(dataset, tiny):
    kernels, bias = (np.full((2, 2), 300, np.float16), np.full((1, 4, 4), -200, np.float32)), np.full(9, 7.0)
    row = check_model(StandIn(*kernels, bias), dataset, tiny, 0)
    # the root of 4 · 300² + 16 · 200²; in half precision infinite
    assert row["kernel_norm"] == pytest.approx(1_000)
    drawn = draw_episodes(dataset.val, protocol="author", n_episodes=20, seed=[1_000, 1, 0])
    zeros = (drawn.query[:, 0] < 4).mean()
    assert 0 < zeros < 0.5
    # of nine numbers 0.005 and 0.995; 0.01 and 0.99 are not
    assert row["saturated"] == pytest.approx(zeros * 8 / 9 + (1 - zeros) * 2 / 9)
    assert {type(number) for number in row.values()} == {float}
    assert np.isfinite(list(row.values())).all()


def test_a_check_embeds_only_what_its_episodes_use(dataset, tiny):
    model = StandIn(np.ones((2, 2)))
    check_model(model, dataset, tiny.model_copy(update={"check_episodes": 1}), 0)
    assert len(model.embedded) == 2
    assert all(0 < images <= 21 for images in model.embedded), "a query and 20 others, of 100"


def test_final_scores_are_of_both_protocols_on_both_splits_and_on_val_of_all_ways(dataset, tiny):
    model = StandIn()
    scores, answers = final_scores(model, dataset, tiny.model_copy(update={"episodes": 300}))
    kinds = [(s["split"], s["protocol"], s["ways"]) for s in scores]
    assert kinds == [
        (split, protocol, ways)
        for split, some in (("train", [20]), ("val", [1, 5, 20]))
        for protocol in ("author", "strict")
        for ways in some
    ]
    assert sorted(answers) == ["author/train", "author/val", "strict/train", "strict/val"]
    for score, (split, protocol, ways) in zip(scores, kinds, strict=True):
        asked = {"protocol": protocol, "n_way": ways, "n_episodes": 300, "seed": final_seed(split, ways)}
        expected = evaluate(model, dataset.split(split), **asked).as_dict()
        assert score == {"split": split, "protocol": protocol, "ways": ways, **expected}
        if ways == 20:
            drawn = draw_episodes(dataset.split(split), **asked)
            correct = predict_episodes(model, embed_split(model, dataset.split(split)), drawn)
            np.testing.assert_array_equal(answers[f"{protocol}/{split}"], np.packbits(correct))
    assert len({score["correct"] for score in scores}) > 4, "each of them tells"


def test_the_seeds_of_final_episodes_stay():
    assert [final_seed("train", 20), final_seed("val", 5)] == [[2_000, 0, 20], [2_000, 1, 5]]


def test_what_is_kept_says_whose_it_is_and_its_checksums_are_on_record(dataset, tmp_path):
    partial = tmp_path / "mlp-s0-0123456789.partial"
    partial.mkdir()
    for name in ("config.json", "history.csv"):
        (partial / name).write_text("{}")
    bits, scores = np.packbits(np.arange(11) < 7), [{"protocol": "author", "ways": 20}]
    keep_results(partial, StandIn(), dataset, scores, {"author/val": bits}, seed=3, episodes=11)
    metrics = json.loads((partial / "metrics.json").read_text())
    origin = metrics.pop("provenance")
    assert {"commit", "backend", "device", "packages"} <= set(origin)
    assert metrics == {
        "schema_version": 1,
        "run_id": "mlp-s0-0123456789",
        "dataset": {"name": "made up", "synthetic": True, "source": "a test", "fingerprint": "f" * 64},
        "parameters": 321,
        "seed": 3,
        "episodes": 11,
        "scores": scores,
    }
    assert {name: right.tolist() for name, right in Run(partial).answers().items()} == {
        "author/val": 7 * [True] + 4 * [False]
    }
    assert (partial / "model.keras").read_bytes() == b"weights"
    assert read_sums(partial) == {name: sha256(partial / name) for name in (*EVIDENCE, "model.keras")}


def test_answers_are_never_pickled(dataset, tmp_path):
    with pytest.raises(ValueError, match="allow_pickle"):
        keep_results(tmp_path, StandIn(), dataset, [], {"author/val": np.array([None])})
    assert list(tmp_path.iterdir()) == []
