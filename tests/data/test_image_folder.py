"""A folder of class folders as a dataset: what is read, and what is said where that is not clear."""

import os
import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from made_up import blank_split
from PIL import Image

from siamese_utils.beyond.config import load_method
from siamese_utils.beyond.scoring import one_shot_scores
from siamese_utils.beyond.training import splits, train_method
from siamese_utils.data.image_folder import find_images, load_folder
from siamese_utils.errors import DataError
from siamese_utils.evaluation.episodes import draw_episodes


def write(path, image, mode="L", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(image, np.uint8)).convert(mode).save(path, **options)


def blob(rng, colour=False, height=30, width=20):
    return rng.integers(0, 256, (height, width, 3) if colour else (height, width))


@pytest.fixture
def letters(tmp_path):
    """Five groups of two classes with two to four grey images each, of different sizes and formats."""
    rng = np.random.default_rng(0)
    for group in "abcde":
        for number, ending in enumerate(["png", "jpg"]):
            for image in range(2 + (number + ord(group)) % 3):
                write(
                    tmp_path / "letters" / group / f"class{number}" / f"{image}.{ending}",
                    blob(rng, width=20 + image),
                )
    return tmp_path / "letters"


def test_groups_are_kept_together_and_sizes_may_differ(letters):
    (letters / ".DS_Store").write_text("litter")
    (letters / "a" / "readme.txt").write_text("not an image")
    dataset = load_folder(letters, 16)
    assert (dataset.train.classes, dataset.val.classes) == (8, 2)
    assert not set(dataset.train.alphabets) & set(dataset.val.alphabets)
    assert set(dataset.train.counts) == {2, 3, 4}
    assert dataset.train.images.shape == (sum(dataset.train.counts), 16, 16)
    assert not dataset.synthetic
    assert dataset.fingerprint == load_folder(letters, 16).fingerprint
    (letters / "a" / "class0" / "0.png").unlink()
    write(letters / "a" / "class0" / "9.png", blob(np.random.default_rng(1)))
    assert dataset.fingerprint != load_folder(letters, 16).fingerprint


def test_a_picture_keeps_its_proportions_on_the_colour_of_its_border(tmp_path):
    picture = np.full((40, 20), 200)
    picture[10:30, 4:16] = 0
    for number in range(4):
        # no two are the same
        picture[20, 10] = number
        write(tmp_path / "xy"[number % 2] / f"{number}.png", picture)
    image = load_folder(tmp_path, 20).train.images[0, 0]
    assert image.shape == (20, 20)
    rows, columns = np.nonzero(image < 100)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (5, 14, 7, 12)
    assert image[0, 0] == image[-1, 0] == 200


def test_grey_images_among_colour_ones_are_named(tmp_path):
    rng = np.random.default_rng(1)
    for name in ("w", "x", "y", "z"):
        for number in range(3):
            write(tmp_path / name / f"{number}.png", blob(rng, colour=True), "RGB")
    assert load_folder(tmp_path, 8).train.images.shape == (2, 3, 8, 8, 3)
    write(tmp_path / "x" / "1.png", blob(rng))
    with pytest.warns(UserWarning, match=r"1 of 12 images .* are grey, for example .*x/1\.png"):
        dataset = load_folder(tmp_path, 8)
    assert dataset.train.images.shape[-1] == 3


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda root: (root / "a/class1/0.jpg").write_bytes(b"no"), r"class1/0\.jpg is not a readable image"),
        (lambda root: cut(root / "a" / "class0" / "0.png"), r"class0/0\.png is not a readable image"),
        (lambda root: write(root / "a/lonely/only.png", np.zeros((5, 5))), r"a/lonely has one image \(only\.png\)"),
        (lambda root: write(root / "loose.png", np.zeros((5, 5))), r"images in no class's folder \(loose\.png\): "),
        (lambda root: write(root / "odd" / "1.png", np.zeros((5, 5))), r"mixes classes, groups"),
        (lambda root: write(root / "a" / "b" / "c" / "1.png", np.zeros((5, 5))), r"mixes classes, groups"),
        (lambda root: (root / "a" / "nothing").mkdir(), r"a/nothing holds no images"),
        (lambda root: (root / "a/class0/9.png").symlink_to(root / "gone.png"), r"class0/9\.png is a link .* nowhere"),
        (lambda root: twins(root / "B"), r"two classes of the same name, 'B/CLASS0' and 'b/class0'"),
        (lambda root: twins(root / "B", "new"), r"two groups of the same name, 'B' and 'b'"),
        (lambda root: accents(root), r"two classes of the same name, 'a/.+' and 'a/.+'"),
        (lambda root: twins(root / "a"), r"two classes of the same name, 'a/CLASS0' and 'a/class0'"),
        (lambda root: (twins(root / "a"), twins(root / "c")), r"'a/CLASS0' and 'a/class0'; two .*, 'c/CLASS0' and"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(change, says, letters):
    change(letters)
    with pytest.raises(DataError, match=says):
        load_folder(letters, 16)


def cut(path):
    path.write_bytes(path.read_bytes()[:100])


def twins(group, name="CLASS0"):
    for number in range(2):
        write(group / name / f"{number}.png", np.zeros((5, 5)))


def accents(root):
    """One letter in its two spellings: as one sign, and as an e with an accent after it."""
    for name in ("\u00e9", "e\u0301"):
        for number in range(2):
            write(root / "a" / name / f"{number}.png", np.zeros((5, 5)))


def test_linked_folders_are_followed_but_not_in_circles(letters, tmp_path):
    (letters / "a").rename(tmp_path / "elsewhere")
    (letters / "a").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "round").symlink_to(letters)
    names = set(find_images(letters))
    assert {name.partition("/")[0] for name in names} == {"a", "b", "c", "d", "e"}
    assert not [name for name in names if "round" in name]


@pytest.mark.parametrize("held_out", ["validation", "evaluation"])
@pytest.mark.parametrize("classes", range(2, 11))
def test_a_small_folder_is_split_into_parts_that_can_be_scored_or_refused(classes, held_out, tmp_path):
    for number in range(classes):
        for image in range(2):
            write(tmp_path / f"class{number}" / f"{image}.png", np.arange(16).reshape(4, 4) + 20 * number + image)
    dataset = load_folder(tmp_path, 4)
    if classes < (6 if held_out == "validation" else 4):
        with pytest.raises(DataError, match=f"has {classes} classes: too few"):
            splits(dataset, held_out)
        return
    train, scored = splits(dataset, held_out)
    assert min(train.classes, scored.classes) >= 2
    assert not set(train.characters) & set(scored.characters)


def test_too_little_is_named(tmp_path):
    with pytest.raises(DataError, match="there is no folder"):
        load_folder(tmp_path / "nowhere", 8)
    with pytest.raises(DataError, match="holds no images"):
        load_folder(tmp_path, 8)
    (tmp_path / "file.txt").write_text("no folder")
    with pytest.raises(DataError, match=r"file\.txt is a file: give a folder"):
        load_folder(tmp_path / "file.txt", 8)
    write(tmp_path / "only" / "1.png", np.zeros((5, 5)))
    write(tmp_path / "only" / "2.png", np.zeros((5, 5)))
    with pytest.raises(DataError, match="holds one class only"):
        load_folder(tmp_path, 8)
    write(tmp_path / "g" / "only" / "1.png", np.zeros((5, 5)))
    (tmp_path / "only").rename(tmp_path / "g" / "other")
    write(tmp_path / "g" / "only" / "2.png", np.zeros((5, 5)))
    with pytest.raises(DataError, match="holds one group of classes only"):
        load_folder(tmp_path, 8)


# --- classes of different sizes ---------------------------------------------------------------------------


def test_a_method_trains_on_uneven_colour_classes(tmp_path, fresh_keras):
    rng = np.random.default_rng(2)
    for number in range(10):
        tint = rng.integers(0, 256, 3)
        for image in range(2 + number % 3):
            noise = rng.integers(-20, 21, (12, 12, 3))
            write(tmp_path / f"class{number}" / f"{image}.png", np.clip(tint + noise, 0, 255), "RGB")
    dataset = load_folder(tmp_path, 16)
    method = load_method("loss-prototype").model_copy(update={"classes": 6, "images": 2})
    model, _ = train_method(method, dataset.train, seed=0, steps=20)
    scores, _ = one_shot_scores(model, dataset.val, n_episodes=200)
    assert scores[0]["ways"] == 2
    assert scores[0]["accuracy"] > 0.9


# --- nothing vanishes, and no class is on both sides ------------------------------------------------------------


@pytest.mark.parametrize("folder", ["", "b", "c/class1"])
def test_a_folder_that_cannot_be_listed_is_an_error(folder, letters, monkeypatch):
    whole = os.scandir

    def scandir(path):
        if Path(path) in (letters / folder, letters / "a/class1"):
            raise PermissionError(13, "Permission denied", str(path))
        return whole(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(DataError, match=r"letters.* cannot be listed \(Permission denied\).*: change the rights") as e:
        find_images(letters)
    assert str(e.value).count("cannot be listed") == (2 if folder else 1)


def test_what_is_no_regular_file_is_named_and_not_waited_for(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(2):
            Image.new("L", (9, 9), 40 * number).save(tmp_path / name / f"{number}.png")
    os.mkfifo(tmp_path / "a" / "pipe.png")
    with pytest.raises(DataError, match=r"a/pipe\.png is no regular file: change the rights, or remove what is named"):
        find_images(tmp_path)


def test_a_class_that_is_a_link_to_nowhere_is_an_error(letters):
    (letters / "b" / "class7").symlink_to(letters / "moved")
    with pytest.raises(DataError, match=r"b/class7 is a link that leads nowhere"):
        find_images(letters)
    (letters / "c/class0/gone.png").symlink_to(letters / "moved.png")
    with pytest.raises(DataError, match=r"b/class7, .*c/class0/gone\.png are links that lead nowhere"):
        find_images(letters)


def test_folders_named_like_images_are_classes_or_refused(letters):
    (letters / "b" / "class0").rename(letters / "b" / "cat.png")
    assert "b/cat.png" in find_images(letters)
    (letters / "b" / "class1" / "9.png").mkdir()
    with pytest.raises(DataError, match=r"class1/9\.png holds no images"):
        find_images(letters)


def test_all_that_is_wrong_is_named_together(letters):
    for name in ("u", "v", "w"):
        write(letters / "a" / name / "1.png", blob(np.random.default_rng(1)))
    with pytest.raises(DataError, match=r"a/u has one image \(1\.png\), a/v has .*, a/w has one image"):
        load_folder(letters, 8)
    for number in range(12):
        (letters / "b" / f"empty{number:02}").mkdir()
    with pytest.raises(DataError, match=r"b/empty00, .*b/empty09 and 2 more hold no images"):
        load_folder(letters, 8)


@pytest.mark.parametrize(
    "groups", [("train", "val", "test"), ("Training", "TEST"), ("train_set", "Dev 2"), ("eval", "x", "train")]
)
def test_parts_of_a_dataset_with_the_same_classes_are_refused(groups, tmp_path):
    rng = np.random.default_rng(3)
    for group in groups:
        for name in ("cat", "dog"):
            for number in range(2):
                write(tmp_path / group / (name if group == groups[0] else name.title()) / f"{number}.png", blob(rng))
    with pytest.raises(DataError, match=r"parts of the same class \(.*/cat.*\), but a model is asked about classes"):
        load_folder(tmp_path, 8)


def test_parts_within_a_class_are_refused_too(tmp_path):
    rng = np.random.default_rng(3)
    for name in ("cat", "dog", "hen"):
        for part in ("train", "test"):
            for number in range(2):
                write(tmp_path / name / part / f"{number}.png", blob(rng))
    with pytest.raises(DataError, match=r"parts of the same class \(cat/test and cat/train; dog/"):
        load_folder(tmp_path, 8)


def test_parts_of_a_dataset_with_classes_of_their_own_are_groups(tmp_path):
    rng = np.random.default_rng(3)
    for group, names in {"train": "abc", "val": "de", "test": "fg"}.items():
        for name in names:
            for number in range(2):
                write(tmp_path / group / name / f"{number}.png", blob(rng))
    assert load_folder(tmp_path, 8).train.classes >= 4


def test_the_same_picture_in_two_classes_is_said(letters):
    picture = blob(np.random.default_rng(5))
    held = load_folder(letters, 8).val.alphabets[0]
    others = [name for name in "abcde" if name != held]
    write(letters / held / "class0" / "twin.png", picture)
    # the same pixels in another container
    write(letters / others[0] / "class1" / "twin.bmp", picture)
    with pytest.warns(
        UserWarning, match=r"1 image is both in training and in evaluation, .*twin\.\w+ and .*twin\.\w+\."
    ):
        load_folder(letters, 8)
    (letters / held / "class0" / "twin.png").unlink()
    write(letters / others[1] / "class0" / "twin.png", picture)
    with pytest.warns(UserWarning, match=r"1 image is in two classes: .*twin\.\w+ and .*twin\.\w+\."):
        load_folder(letters, 8)
    write(letters / held / "class1" / "twin.png", picture)
    with pytest.raises(DataError, match=r"two groups hold a class of the same name with the same images"):
        load_folder(letters, 8)


def test_images_are_kept_once_however_different_classes_are(tmp_path):
    rng = np.random.default_rng(6)
    for number in range(8):
        for image in range(300 if number == 3 else 2):
            write(tmp_path / f"class{number}" / f"{image:03}.png", blob(rng, height=6, width=6))
    dataset = load_folder(tmp_path, 6)
    assert dataset.train.images.nbytes + dataset.val.images.nbytes == (300 + 7 * 2) * 6 * 6
    for split in (dataset.train, dataset.val):
        for number, name in enumerate(split.characters):
            paths = sorted((tmp_path / name).iterdir())
            kept = split.look_up(np.array(number), np.arange(len(paths)))
            np.testing.assert_array_equal(kept, [np.asarray(Image.open(path)) for path in paths])
    chosen = np.arange(dataset.train.classes) % 2 == 0
    some = dataset.train.only(chosen)
    assert sum(some.sizes) == len(some.flat)
    np.testing.assert_array_equal(
        some.look_up(np.array(1), np.arange(2)), dataset.train.look_up(np.array(2), np.arange(2))
    )


def test_episodes_of_a_very_large_class_take_little_memory():
    split = blank_split(4, 0, (100_000, 3, 3, 4))
    tracemalloc.start()
    drawn = draw_episodes(split, n_way=3, n_shot=2, n_episodes=1000)
    assert tracemalloc.get_traced_memory()[1] < 2e6
    tracemalloc.stop()
    for episode in range(1000):
        shown = {tuple(pick) for pick in drawn.support[episode].reshape(-1, 2).tolist()}
        assert len(shown) == 6
        assert tuple(drawn.query[episode].tolist()) not in shown


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("my_train/{}", "my_test/{}"),
        ("01_train/{}", "02_test/{}"),
        ("trainval/{}", "test/{}"),
        ("train_a/{}", "train_b/{}"),
        ("unseen/{}", "seen/{}"),
        ("base/{}", "novel/{}"),
        ("fold1/{}", "fold2/{}"),
        ("gallery/{}", "probe/{}"),
        ("Trainingsdaten/{}", "Testdaten/{}"),
        ("original/{}", "augmented/{}"),
        ("train_{}", "test_{}"),
        ("all/{} (train)", "all/{} (val)"),
    ],
)
def test_parts_by_other_names_are_refused_too(first, second, tmp_path):
    rng = np.random.default_rng(3)
    for pattern in (first, second):
        for name in ("cat", "dog"):
            for number in range(2):
                write(tmp_path / pattern.format(name) / f"{number}.png", blob(rng))
    with pytest.raises(DataError, match=r"holds parts of the same class \(.*cat.*; .*dog.*\), but a model is asked"):
        load_folder(tmp_path, 8)


@pytest.mark.parametrize(
    ("first", "second"), [("Devanagari/{}", "Parthian/{}"), ("valley/{}", "testament/{}"), ("train/{}", "Greek/{}")]
)
def test_groups_that_only_sound_like_parts_are_groups(first, second, tmp_path):
    for pattern in (first, second):
        for name in ("character01", "character02"):
            for number in range(2):
                write(tmp_path / pattern.format(name) / f"{number}.png", blob(np.random.default_rng(len(pattern))))
                write(tmp_path / "Latin" / name / f"{number}.png", blob(np.random.default_rng(1)))
    assert len(find_images(tmp_path)) == 6


def test_folders_whose_names_are_printed_alike_are_refused(letters):
    for name in (b"caf\xe9", b"caf\\xe9"):
        folder = Path(os.fsdecode(os.fsencode(letters / "a") + b"/" + name))
        try:
            folder.mkdir()
        except OSError:
            pytest.skip("this file system takes no such name")
        for number in range(2):
            write(letters / "a" / "class0" / "0.png", blob(np.random.default_rng(number)))
            shutil.copy(letters / "a" / "class0" / "0.png", folder / f"{number}.png")
    with pytest.raises(DataError, match=r"two folders whose names are printed alike \(a/caf\\\\?xe9\)"):
        find_images(letters)
