"""Methods beyond the paper: their parameters, batches, networks, and that every loss learns."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import ROOT, TINY
from scipy.stats import binomtest

from siamese_utils.backend import keras, ops
from siamese_utils.beyond.batches import (
    batch_of_step,
    draw_classes,
    find_hard_classes,
    is_due,
    look_up_forms,
    random_maps,
)
from siamese_utils.beyond.checkpoints import _newest_first
from siamese_utils.beyond.config import Augmentation, Block, HardClasses, Method, load_beyond, load_method
from siamese_utils.beyond.losses import LOSSES
from siamese_utils.beyond.networks import backbone_of, build_backbone, build_siamese, build_trainer, warm_up_and_cosine
from siamese_utils.beyond.runs import find_method_run, method_folder
from siamese_utils.beyond.training import load_or_train, splits, train_method
from siamese_utils.config import load_profile
from siamese_utils.data.dataset import Split
from siamese_utils.data.load import load_dataset
from siamese_utils.errors import ParamsError, ResultsError
from siamese_utils.evaluation.accuracy import embed, similarity
from siamese_utils.schema import name_list

STILL = Augmentation(rotate=0, shear=0, scale=0, shift=0)


@pytest.fixture(scope="module")
def drawn():
    return load_dataset(load_profile("demo"))


def small(name, **changes):
    """A method with batches of a few images."""
    return load_method(name).model_copy(update={"classes": 5, "images": 3, **changes})


# --- parameters ---------------------------------------------------------------------------------------


def test_methods_are_checked_data(tmp_path):
    text = (ROOT / "params" / "beyond.yaml").read_text(encoding="utf-8")
    for old, new, says in [
        ("loss: triplet", "loss: tripled", "methods.loss-triplet.loss"),
        ("title: Triplet", "titel: Triplet", "titel"),
        ("name: loss-triplet", "name: loss-prototype", "used twice: loss-prototype"),
        ("comparison: head", "comparison: cosine", "go together"),
        ("steps: 500", "steps: 500\n  test_time_views: 3", "there is none"),
        ("demo: [loss-cross-entropy", "demo: [loss-crossed", "no such method for the demo: loss-crossed"),
        ("group: final", "group: finale", "methods.koch.group"),
        (
            "rotated_classes: true",
            "rotated_classes: false\n  mirrored_classes: true",
            "come with rotated_classes",
        ),
        ("steps: 500", "steps: 500\n  upside_down: true", "needs the comparison cosine"),
        ("normalize: true, comparison: cosine", "normalize: true", "is compared by cosine"),
        (
            "steps: 500",
            "steps: 500\n  hard_classes: {n_hard: 3, pool_size: 2, start: 0, refresh: 1}",
            "n_hard is more than pool_size",
        ),
        (
            "steps: 500",
            "steps: 500\n  hard_classes: {n_hard: 1, pool_size: 2, start: 0, refresh: 1}",
            "need the comparison euclidean or cosine",
        ),
    ]:
        assert old in text
        path = tmp_path / "beyond.yaml"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        with pytest.raises(ParamsError, match=says):
            load_beyond(path)
    with pytest.raises(ParamsError, match="choose from loss-cross-entropy"):
        load_method("best")


def test_the_losses_differ_in_the_loss_and_in_nothing_else():
    rows = [method for method in load_beyond().methods if method.group == "loss"]
    own = {"name", "title", "source", "loss", "loss_options", "normalize", "comparison"}
    assert len(rows) == len({method.loss for method in rows}) == len(LOSSES)
    assert len({method.model_dump_json(exclude=own) for method in rows}) == 1


def test_a_method_may_have_its_own_image_size_on_omniglot_alone():
    laptop, demo = load_profile("laptop"), load_profile("demo")
    plain = load_method("beyond-3-minutes").model_copy(update={"image_size": None})
    larger = plain.model_copy(update={"image_size": 40})
    assert plain.sized(laptop) == laptop
    assert larger.sized(demo) == demo
    assert larger.sized(laptop).image_size == 40
    assert method_folder(plain, demo, 0, "validation") == method_folder(larger, demo, 0, "validation")
    name, key = method_folder(larger, laptop, 0, "validation")
    assert key["image_size"] == 40
    assert name != method_folder(plain, laptop, 0, "validation")[0]
    assert name.parent == method_folder(plain, laptop, 0, "validation")[0].parent


# --- batches ------------------------------------------------------------------------------------------


def test_a_batch_is_a_function_of_seed_and_step(drawn):
    method = small("loss-prototype", augmentation=Augmentation(rotate=10, shear=5, scale=0.1, shift=0.1))
    split = drawn.train
    batches = [batch_of_step(method, split, 3, step) for step in range(4)]
    for step, (pixels, classes) in enumerate(batches):
        again, same = batch_of_step(method, split, 3, step)
        np.testing.assert_array_equal(pixels, again)
        np.testing.assert_array_equal(classes, same)
        assert pixels.shape == (15, *split.images.shape[2:], 1)
        assert len(set(classes.tolist())) == 5
    assert not np.array_equal(batches[0][0], batches[2][0])
    assert not np.array_equal(batches[0][0], batch_of_step(method, split, 4, 0)[0])


def test_classes_and_drawers_are_drawn_without_replacement():
    rng = np.random.default_rng(0)
    seen = np.zeros((6, 4))
    for _ in range(500):
        classes, drawers = draw_classes(rng, sizes=np.full(6, 4), batch_classes=3, batch_images=2)
        assert len(set(classes)) == 3
        assert all(len(set(row)) == 2 for row in drawers)
        for number, row in zip(classes, drawers, strict=True):
            seen[number, row] += 1
    assert seen.min() > 0.7 * seen.mean()
    with pytest.raises(ParamsError, match="lower `classes`"):
        draw_classes(rng, sizes=np.full(2, 4), batch_classes=3, batch_images=2)


def test_a_rotated_character_is_another_class():
    images = np.arange(2 * 3 * 4 * 4, dtype=np.uint8).reshape(2, 3, 4, 4)
    split = Split(images, ("a", "b"))
    taken = look_up_forms(split, np.array([1, 2, 5, 6]), np.array([[0, 2]] * 4))
    np.testing.assert_array_equal(taken[0], images[1, [0, 2]])
    np.testing.assert_array_equal(taken[1, 1], np.rot90(images[0, 2], 1))
    np.testing.assert_array_equal(taken[2, 0], np.rot90(images[1, 0], 2))
    np.testing.assert_array_equal(taken[3, 0], np.rot90(images[0, 0], 3))
    taken = look_up_forms(split, np.array([9, 10]), np.array([[0, 2]] * 2))
    np.testing.assert_array_equal(taken[0, 1], np.fliplr(images[1, 2]))
    np.testing.assert_array_equal(taken[1, 1], np.rot90(np.fliplr(images[0, 2]), 1))


def test_the_forms_of_a_character_are_the_symmetries_of_the_square():
    method = load_method("loss-prototype")
    assert method.model_copy(update={"rotated_classes": False}).forms == 1
    assert method.forms == 4
    assert method.model_copy(update={"mirrored_classes": True}).forms == 8
    image = np.arange(9, dtype=np.uint8).reshape(1, 1, 3, 3)
    forms = look_up_forms(Split(image, ("a",)), np.arange(8), np.zeros((8, 1), int))
    assert len({form.tobytes() for form in forms}) == 8


def test_a_class_brings_along_some_of_its_pool():
    pool = np.array([[1, 2], [0, 2], [0, 1], [4, 5], [3, 5], [3, 4]])
    options = {"sizes": np.full(6, 4), "batch_images": 2, "hard": pool}
    for seed in range(30):
        rng = np.random.default_rng(seed)
        chosen, _ = draw_classes(rng, batch_classes=3, n_hard=2, **options)
        assert len({number // 3 for number in chosen}) == 1
        chosen, _ = draw_classes(rng, batch_classes=5, n_hard=1, **options)
        assert len(set(chosen.tolist())) == 5
        assert chosen[1] in pool[chosen[0]]


@pytest.mark.parametrize("comparison", ["euclidean", "cosine"])
def test_hard_classes_are_the_nearest_of_other_characters(comparison, drawn, fresh_keras, monkeypatch):
    # several blocks, the last one short
    monkeypatch.setattr("siamese_utils.beyond.batches.ROWS", 7)
    chosen = HardClasses(n_hard=1, pool_size=3, start=0.5, refresh=4)
    method = small("loss-prototype", comparison=comparison, hard_classes=chosen, mirrored_classes=True)
    split = Split(drawn.train.images[:6], drawn.train.characters[:6])
    backbone = backbone_of(method, build_trainer(method, (20, 20, 1), 48, 10, seed=0))
    pool = find_hard_classes(method, backbone, split, seed=0, step=5)
    assert pool.shape == (6 * 8, 3)
    character = np.arange(48) % 6
    assert (character[pool] != character[:, None]).all()
    np.testing.assert_array_equal(pool, find_hard_classes(method, backbone, split, seed=0, step=5))

    # nothing is left to chance
    one_each = Split(split.images[:, :1], split.characters)
    pool = find_hard_classes(method, backbone, one_each, seed=0, step=5)
    images = look_up_forms(one_each, np.arange(48), np.zeros((48, 1), int))
    embeddings = ops.convert_to_numpy(backbone(images.reshape(48, 20, 20, 1)))
    if comparison == "cosine":
        embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    distances = np.linalg.norm(embeddings[:, None] - embeddings, axis=2)
    distances[character[:, None] == character] = np.inf
    np.testing.assert_allclose(np.sort(np.take_along_axis(distances, pool, 1)), np.sort(distances)[:, :3], rtol=1e-3)
    alone = Split(split.images[:1], split.characters[:1])
    assert find_hard_classes(method, backbone, alone, seed=0, step=5) is None
    assert [step for step in range(20) if is_due(chosen, step, 20)] == [10, 14, 18]
    assert not is_due(None, 10, 20)


def test_hard_classes_may_be_colour_pictures_of_classes_of_any_size(fresh_keras):
    rng = np.random.default_rng(0)
    sizes = (2, 4, 3, 2, 4)
    split = Split.of(
        {f"{n}/class": np.uint8(40 * n + rng.integers(0, 40, (size, 20, 20, 3))) for n, size in enumerate(sizes)}
    )
    options = HardClasses(n_hard=1, pool_size=2, start=0, refresh=1)
    method = small("loss-prototype", hard_classes=options, images=2)
    backbone = backbone_of(method, build_trainer(method, (20, 20, 3), 20, 10, seed=0))
    shown = []

    class Noted:
        def predict(self, pixels, **how):
            shown.append(pixels)
            return backbone.predict(pixels, **how)

    for step in range(8):
        pool = find_hard_classes(method, Noted(), split, seed=0, step=step)
        pixels, classes = batch_of_step(method, split, 0, step, pool)
        assert len(set(classes.tolist())) == 5
        np.testing.assert_array_equal(pixels[:, 0, 0, 0] // 40, classes % 5)
    np.testing.assert_array_equal(np.concatenate(shown)[:, 0, 0, 0] // 40, np.arange(160) % 5)
    assert shown[0].shape == (20, 20, 20, 3)


def test_hard_classes_meet_in_a_batch_once_they_are_found(drawn, fresh_keras, monkeypatch):
    seen = []

    def noted(method, split, seed, step, pool=None):
        batch = batch_of_step(method, split, seed, step, pool)
        seen.append((batch[1].reshape(method.classes, method.images)[:, 0], pool))
        return batch

    monkeypatch.setattr("siamese_utils.beyond.training.batch_of_step", noted)
    options = HardClasses(n_hard=4, pool_size=4, start=0.5, refresh=2)
    method = small("loss-prototype", hard_classes=options)
    train_method(method, drawn.train, seed=0, steps=8)
    assert [pool is None for _, pool in seen] == [True] * 4 + [False] * 4
    assert seen[4][1] is seen[5][1]
    assert seen[5][1] is not seen[6][1]
    for classes, pool in seen[4:]:
        assert set(classes[1:]) == set(pool[classes[0]])


def moved(image, maps):
    batch = np.repeat(image[None, :, :, None].astype(np.float32), len(maps), axis=0)
    options = {"interpolation": "bilinear", "fill_mode": "constant", "fill_value": 255}
    return ops.convert_to_numpy(ops.image.affine_transform(batch, maps, **options))[..., 0]


def test_augmentation_moves_no_farther_than_it_says():
    rng, size = np.random.default_rng(1), 21
    dot = np.full((size, size), 255.0)
    dot[10, 10] = 0
    np.testing.assert_allclose(moved(dot, random_maps(rng, STILL, 2, size)), [dot, dot], atol=1e-3)
    rotated = moved(dot, random_maps(rng, STILL.model_copy(update={"rotate": 90, "scale": 0.1}), 20, size))
    # the centre stays
    np.testing.assert_allclose(rotated[:, 10, 10], 0, atol=1)
    shifted = 255 - moved(dot, random_maps(rng, STILL.model_copy(update={"shift": 0.1}), 200, size))
    weight = shifted.sum(axis=(1, 2))
    centre = (shifted.sum(axis=2) @ np.arange(size)) / weight
    assert np.allclose(weight, 255, atol=1)
    assert 1.8 < np.abs(centre - 10).max() <= 2.1 + 1e-3
    assert abs((centre - 10).mean()) < 0.3


# --- networks and training ----------------------------------------------------------------------------


def test_the_rate_warms_up_and_falls_to_zero():
    for warm_up in (0, 10):
        schedule = warm_up_and_cosine(0.4, 100, warm_up)
        rates = [float(schedule(step)) for step in range(101)]
        assert max(rates) == pytest.approx(0.4, rel=1e-5)
        assert np.argmax(rates) == warm_up
        assert rates[-1] == pytest.approx(0, abs=1e-6)
        middle = rates[(100 + warm_up) // 2]
        assert middle == pytest.approx(0.2, rel=1e-3)


@pytest.mark.parametrize("name", ["loss-cross-entropy", "loss-prototype", "loss-cosine", "loss-triplet"])
def test_the_kept_model_compares_as_the_training_did(name, drawn, tmp_path, fresh_keras):
    method = small(name)
    trainer = build_trainer(method, (20, 20, 1), 8, steps=10, seed=1)
    model = build_siamese(method, trainer)
    model.save(tmp_path / "model.keras")
    model = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    images = drawn.val.images[:4, 0]
    embeddings = embed(model, images)
    left, right = embeddings[[0, 1, 2]], embeddings[[1, 2, 2]]
    pairs = model.predict([images[[0, 1, 2]][..., None], images[[1, 2, 2]][..., None]], verbose=0)
    said = similarity(model, left, right)
    np.testing.assert_allclose(said, pairs[:, 0], rtol=1e-3, atol=1e-5)
    if method.comparison == "head":
        logits = ops.convert_to_numpy(trainer(images[..., None].astype(np.float32)))[..., 0]
        np.testing.assert_allclose(said, logits[[0, 1, 2], [1, 2, 2]], rtol=1e-3, atol=1e-5)
    elif method.comparison == "cosine":
        assert said[2] == pytest.approx(1, abs=1e-5)
    else:
        np.testing.assert_allclose(said, -((left - right) ** 2).sum(axis=1), rtol=1e-4)


@pytest.mark.parametrize("comparison", ["euclidean", "cosine"])
def test_an_embedding_of_several_views_is_their_mean(comparison, drawn, tmp_path, fresh_keras):
    moves = Augmentation(rotate=10, shear=10, scale=0.2, shift=0.1)
    method = small("loss-prototype", comparison=comparison, augmentation=moves, test_time_views=4)
    trainer = build_trainer(method, (20, 20, 1), 8, steps=10, seed=1)
    plain = build_siamese(method.model_copy(update={"test_time_views": 1}), trainer)
    build_siamese(method, trainer).save(tmp_path / "model.keras")
    model = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    images = drawn.val.images[:3, 0]
    maps = np.array(model.get_layer("backbone").get_layer("views").maps, np.float32)
    # the image itself is one of them
    np.testing.assert_array_equal(maps[0], [1, 0, 0, 0, 1, 0, 0, 0])
    means = []
    for image in images:
        each = ops.convert_to_numpy(plain.get_layer("backbone")(moved(image, maps)[..., None]))
        means.append((each / np.linalg.norm(each, axis=1, keepdims=True) if comparison == "cosine" else each).mean(0))
    np.testing.assert_allclose(embed(model, images), means, rtol=1e-3, atol=1e-5)
    assert np.abs(maps[1:, [2, 5]]).max() > 0.1


def test_two_images_are_compared_upside_down_too(drawn, tmp_path, fresh_keras):
    moves = Augmentation(rotate=10, shear=10, scale=0.2, shift=0.1)
    method = small("loss-supervised-contrastive", augmentation=moves, test_time_views=3)
    trainer = build_trainer(method, (20, 20, 1), 8, steps=10, seed=1)
    upright = build_siamese(method, trainer)
    both = method.model_copy(update={"upside_down": True})
    build_siamese(both, trainer).save(tmp_path / "model.keras")
    model = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    images = drawn.val.images[:4, 0]
    rotated = np.rot90(images, 2, axes=(1, 2))

    def said(model, images):
        embeddings = embed(model, images)
        return similarity(model, embeddings[[0, 1, 2]], embeddings[[1, 2, 3]])

    mean = (said(upright, images) + said(upright, rotated)) / 2
    np.testing.assert_allclose(said(model, images), mean, rtol=1e-3)
    assert np.abs(said(upright, images) - mean).max() > 1e-3
    once = build_siamese(both.model_copy(update={"test_time_views": 1}), trainer)
    plain = build_siamese(method.model_copy(update={"test_time_views": 1}), trainer)
    np.testing.assert_allclose(said(once, images), (said(plain, images) + said(plain, rotated)) / 2, rtol=1e-3)


def test_padded_pooling_keeps_the_last_row_and_column(fresh_keras):
    network = load_method("loss-prototype").network
    shapes = [
        build_backbone(network.model_copy(update={"padded_pooling": padded}), (28, 28, 1), seed=0)
        .get_layer("pool_4")
        .output.shape[1:3]
        for padded in (False, True)
    ]
    # 28 to 14, 7, 3 and 1; or to 14, 7, 4 and 2
    assert shapes == [(1, 1), (2, 2)]


def test_kochs_network_has_its_published_size(fresh_keras):
    method = load_method("koch")
    backbone = build_backbone(method.network, (105, 105, 1), seed=0)
    shapes = [backbone.get_layer(f"conv_{n}").output.shape[1:] for n in range(1, 5)]
    assert shapes == [(96, 96, 64), (42, 42, 128), (18, 18, 128), (6, 6, 256)]
    assert backbone.output.shape == (None, 4096)
    # by hand from the paper's Figure 4, the head's 4,097 with it
    assert backbone.count_params() + 4096 + 1 == 38_951_745
    small_images = build_backbone(method.network, (28, 28, 1), seed=0)
    assert small_images.get_layer("flatten").output.shape == (None, 3 * 3 * 256)


def test_a_block_may_stride_instead_of_pooling(fresh_keras):
    network = load_method("loss-prototype").network
    blocks = (Block(filters=8, kernel=5, stride=2, pool=False), Block(filters=4))
    backbone = build_backbone(network.model_copy(update={"blocks": blocks}), (40, 40, 1), seed=0)
    assert backbone.get_layer("conv_1").output.shape == (None, 20, 20, 8)
    assert backbone.output_shape == (None, 10 * 10 * 4)


def test_the_moving_average_of_the_weights_is_kept(drawn, fresh_keras):
    plain = small("loss-prototype", learning_rate=0.01, warm_up=0.0)
    averaged = plain.model_copy(update={"ema_decay": 0.9})
    split = Split(drawn.train.images[:8], drawn.train.characters[:8])
    kernels = []
    for method in (plain, averaged):
        model, history = train_method(method, split, seed=0, steps=12)
        assert history["step"].tolist() == list(range(1, 13))
        kernels.append(model.get_layer("backbone").get_layer("conv_1").get_weights()[0])
    start = build_trainer(plain, (20, 20, 1), 32, 12, 0).get_layer("conv_1").get_weights()[0]
    assert 0 < np.abs(kernels[1] - start).mean() < np.abs(kernels[0] - start).mean()


def test_choices_and_final_scores_share_no_alphabet(drawn):
    train, scored = splits(drawn, "validation")
    assert not set(train.alphabets) & set(scored.alphabets)
    assert set(train.alphabets) | set(scored.alphabets) == set(drawn.train.alphabets)
    assert splits(drawn, "validation")[1].alphabets == scored.alphabets, "the same whenever it is asked for"
    assert train.classes + scored.classes == drawn.train.classes
    assert splits(drawn, "evaluation") == (drawn.train, drawn.val)


def test_a_fifth_of_omniglots_background_alphabets_is_held_out(drawn):
    names = tuple(f"alphabet {number:02}/character" for number in range(30))
    train, scored = splits(replace(drawn, train=Split(np.zeros((30, 1, 1, 1), np.uint8), names)), "validation")
    assert (train.classes, scored.classes) == (24, 6)


def test_a_copy_beside_the_checkpoints_is_none_of_them(tmp_path):
    for name in ("checkpoint-9.npz", "checkpoint-40.npz", "checkpoint-40 (1).npz", "checkpoint-.npz"):
        (tmp_path / name).touch()
    assert [path.name for path in _newest_first(tmp_path)] == ["checkpoint-40.npz", "checkpoint-9.npz"]


def test_a_dataset_at_another_size_than_the_methods_is_refused(drawn, reports):
    """The run's key would name one size, and its network have another."""
    own = load_profile("demo").model_copy(update={"image_size": 28})
    with pytest.raises(ParamsError, match="synthetic at 20 pixels is not the dataset of the profile demo"):
        load_or_train("loss-prototype", own, dataset=drawn)


@pytest.mark.parametrize("method", [m for m in load_beyond().methods if m.group == "loss"], ids=lambda m: m.loss)
def test_every_loss_learns_to_tell_new_characters_apart(method, drawn, reports, fresh_keras):
    run = load_or_train(method, "demo", dataset=drawn)
    assert run.history["loss"].iloc[-1] < run.history["loss"].iloc[0]
    strict = next(score for score in run.metrics["scores"] if score["protocol"] == "strict")
    assert binomtest(strict["correct"], strict["episodes"], 1 / 20, alternative="greater").pvalue < 1e-4
    assert run.metrics["dataset"]["synthetic"]
    assert run.metrics["images_seen"] == method.steps_on_synthetic * method.classes * method.images


@pytest.mark.parametrize("name", ["loss-triplet", "beyond-3-minutes"])
def test_a_killed_training_goes_on_as_if_nothing_had_happened(name, drawn, fresh_keras, monkeypatch, tmp_path):
    """With its optimizer, moving averages, dropout masks and pools of hard classes."""
    method = small(name, steps_on_synthetic=6)
    if method.hard_classes:
        mined = method.hard_classes.model_copy(update={"start": 0.1, "refresh": 4})
        method = method.model_copy(update={"hard_classes": mined})

    def kill(progress):
        if progress.step == 3:
            raise KeyboardInterrupt

    runs = []
    for place in ("whole", "killed"):
        monkeypatch.setenv("SIAMESE_REPORTS_DIR", str(tmp_path / place))
        if place == "killed":
            with pytest.raises(KeyboardInterrupt):
                load_or_train(method, TINY, on_progress=kill)
        seen = []
        runs.append(load_or_train(method, TINY, on_progress=lambda progress, seen=seen: seen.append(progress.step)))
    assert seen == [4, 5, 6], "what was done is not done again"
    whole, resumed = runs
    for a, b in zip(whole.model().get_weights(), resumed.model().get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()
    assert whole.history["loss"].tolist() == resumed.history["loss"].tolist()
    assert whole.metrics["scores"] == resumed.metrics["scores"]
    assert not list(resumed.folder.glob("checkpoint*"))


def test_a_damaged_checkpoint_of_a_method_costs_one_part(drawn, reports, fresh_keras):
    method = small("loss-triplet", steps_on_synthetic=4)

    def kill(progress):
        if progress.step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_or_train(method, TINY, on_progress=kill)
    (partial,) = reports.glob("tiny/beyond/*.partial")
    kept = sorted(partial.glob("checkpoint-*.npz"))
    assert [path.stem for path in kept] == ["checkpoint-2", "checkpoint-3"]
    content = bytearray(kept[1].read_bytes())
    content[len(content) // 2] ^= 1
    kept[1].write_bytes(content)
    with (
        pytest.warns(UserWarning, match="its last checkpoint is damaged; it goes on from step 2"),
        pytest.raises(KeyboardInterrupt),
    ):
        load_or_train(method, TINY, on_progress=kill)
    for path in partial.glob("checkpoint-*.npz"):
        path.write_bytes(b"")
    with pytest.raises(ResultsError, match=r"its checkpoints are damaged.* move it elsewhere"):
        load_or_train(method, TINY)
    assert len(list(partial.glob("checkpoint-*.npz"))) == 2


def test_a_run_is_loaded_not_trained_again_and_repeats_to_the_byte(drawn, reports, fresh_keras, monkeypatch, tmp_path):
    method = small("loss-triplet", steps_on_synthetic=4)
    first = load_or_train(method, TINY)
    made = (first.folder / "metrics.json").stat().st_mtime_ns
    assert load_or_train(method, TINY).folder == first.folder
    assert (first.folder / "metrics.json").stat().st_mtime_ns == made
    assert find_method_run(method, load_profile(TINY), 0).run_id == first.run_id
    assert find_method_run(method, load_profile(TINY), 1) is None
    monkeypatch.setenv("SIAMESE_REPORTS_DIR", str(tmp_path / "again"))
    second = load_or_train(method, TINY)
    assert second.folder.name == first.folder.name
    assert second.metrics["scores"] == first.metrics["scores"]
    assert second.history["loss"].tolist() == first.history["loss"].tolist()


def test_every_method_can_be_asked_for_in_a_list():
    methods = list(load_beyond().methods)
    assert list(name_list("methods", [*methods, methods[0]], Method)) == methods
