"""A trained model on images of one's own: read, embedded, compared, classified; and the commands for it."""

import csv
import io
import os
import re
import shutil
import sys

import keras
import numpy as np
import pytest
from conftest import ROOT
from PIL import Image, ImageDraw

from siamese_utils.beyond.config import load_method
from siamese_utils.beyond.runs import find_method_run
from siamese_utils.beyond.scoring import calibrate
from siamese_utils.beyond.training import train_method
from siamese_utils.cli import app as cli
from siamese_utils.cli import shared
from siamese_utils.config import load_profile
from siamese_utils.data.dataset import Split
from siamese_utils.errors import DataError
from siamese_utils.inference.one_shot import OneShot, from_array
from siamese_utils.paths import SHIPPED_MODEL

# three characters, their pen's points in a unit square
STROKES = {
    "cross": [[(0.1, 0.5), (0.9, 0.5)], [(0.5, 0.1), (0.5, 0.9)]],
    "zigzag": [[(0.1, 0.2), (0.8, 0.2), (0.2, 0.8), (0.9, 0.8)]],
    "house": [[(0.2, 0.9), (0.2, 0.4), (0.5, 0.1), (0.8, 0.4), (0.8, 0.9), (0.2, 0.9)]],
}


def drawn_by_hand(name, seed, *, size=240, ink=20, paper=250, pen=9):
    """A character as a shaky hand draws it with a paint program: not by the generator of the built-in dataset."""
    rng = np.random.default_rng(seed)
    image = Image.new("L", (size, round(size * 1.3)), paper)
    pencil = ImageDraw.Draw(image)
    lean, shift = rng.normal(0, 0.06), rng.uniform(-0.1, 0.1, 2)
    for stroke in STROKES[name]:
        points = [np.array([x + lean * y, y]) + rng.normal(0, 0.02, 2) + shift for x, y in stroke]
        pencil.line([tuple(point * size * 0.6 + size * 0.25) for point in points], fill=ink, width=pen, joint="curve")
    return image


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    """A small model trained for some seconds on the built-in characters, with its calibration."""
    from siamese_utils.data.load import load_dataset

    dataset = load_dataset(load_profile("demo"))
    model, _ = train_method(load_method("loss-hard-triplet"), dataset.train, seed=0, steps=40)
    path = tmp_path_factory.mktemp("model") / "model.keras"
    calibrate(model, dataset.val).save(path)
    return path


@pytest.fixture(scope="module")
def model(model_file):
    return OneShot.load(model_file)


@pytest.fixture
def letters(tmp_path):
    """A support set of one image a class, and a query of each, on disk."""
    for name in STROKES:
        (tmp_path / "letters" / name).mkdir(parents=True)
        drawn_by_hand(name, 1).save(tmp_path / "letters" / name / "mine.png")
        drawn_by_hand(name, 2, pen=7).save(tmp_path / f"{name}.jpg")
    return tmp_path


def test_a_model_keeps_what_it_reads_and_how_its_similarities_are_spread(model):
    assert (model.size, model.colour, model.reads_drawings) == (20, False, True)
    spread = model.model.get_layer("calibration").get_config()
    assert len(spread["same"]) == len(spread["different"]) == 101
    assert spread["same"] == sorted(spread["same"])
    assert np.median(spread["same"]) > np.median(spread["different"])


def test_three_lines_classify_what_a_hand_drew(letters, model_file):
    for name in STROKES:
        found = OneShot.load(model_file).classify(letters / f"{name}.jpg", support=letters / "letters")
        assert found[0][0] == name
        assert [similarity for _, similarity in found] == sorted((s for _, s in found), reverse=True)


def test_a_support_may_be_a_mapping_of_anything_that_is_an_image(model, letters):
    cross, zigzag = drawn_by_hand("cross", 4), np.asarray(drawn_by_hand("zigzag", 5))
    support = {"plus": [letters / "letters" / "cross" / "mine.png", cross], "z": zigzag}
    assert model.classify(str(letters / "cross.jpg"), support)[0][0] == "plus"
    with pytest.raises(DataError, match="the support is empty"):
        model.classify(cross, {})


def test_compare_tells_same_from_different_and_says_how_sure(model):
    same = model.compare(drawn_by_hand("house", 1), drawn_by_hand("house", 2))
    other = model.compare(drawn_by_hand("house", 1), drawn_by_hand("cross", 2))
    itself = model.compare(drawn_by_hand("house", 1), drawn_by_hand("house", 1))
    assert itself.similarity >= same.similarity > other.similarity
    assert itself.same
    assert itself.above_different == 1.0
    assert same.above_different > other.above_different
    assert 0 <= other.below_same <= 1


def test_colour_size_and_polarity_of_a_drawing_do_not_matter(model):
    plain = model.embed([drawn_by_hand("zigzag", 3)])[0]
    light_on_dark = model.embed([drawn_by_hand("zigzag", 3, ink=240, paper=15)])[0]
    larger = model.embed([drawn_by_hand("zigzag", 3).resize((480, 624))])[0]
    in_colour = model.embed([Image.merge("RGB", [drawn_by_hand("zigzag", 3)] * 3)])[0]
    other = model.embed([drawn_by_hand("cross", 3)])[0]
    far = np.linalg.norm(plain - other)
    np.testing.assert_allclose(in_colour, plain, atol=1e-4)
    assert np.linalg.norm(plain - light_on_dark) < 0.2 * far
    assert np.linalg.norm(plain - larger) < 0.3 * far


def test_what_is_no_model_or_no_image_is_a_clear_error(model, model_file, tmp_path):
    with pytest.raises(DataError, match=r"is not a siamese model .*siamese learn"):
        OneShot.load(tmp_path / "nothing.keras")
    (tmp_path / "broken.keras").write_bytes(b"no")
    with pytest.raises(DataError, match="is not a siamese model"):
        OneShot.load(tmp_path / "broken.keras")
    with pytest.raises(DataError, match=r"nothing\.keras .*no such file"):
        OneShot.load(tmp_path / "nothing.keras")
    (tmp_path / "model").write_bytes(model_file.read_bytes())
    with pytest.raises(DataError, match=r"must end in \.keras"):
        OneShot.load(tmp_path / "model")
    whole = bytearray(model_file.read_bytes())
    # some bytes of every part
    for start in range(0, len(whole), 2000):
        whole[start : start + 40] = bytes(byte ^ 255 for byte in whole[start : start + 40])
    (tmp_path / "flipped.keras").write_bytes(whole)
    with pytest.raises(DataError, match=r"flipped\.keras is not a siamese model"):
        OneShot.load(tmp_path / "flipped.keras")
    (tmp_path / "broken.png").write_bytes(b"no")
    with pytest.raises(DataError, match=r"broken\.png is not a readable image"):
        model.embed([tmp_path / "broken.png"])
    with pytest.raises(DataError, match="is not a readable image: it is a folder"):
        model.embed([tmp_path])
    picture = np.zeros((60, 60, 3), np.uint8)
    for one in ("a.png", tmp_path / "a.png", Image.new("L", (60, 60)), picture, picture[..., 0]):
        with pytest.raises(DataError, match="this is one image, and embed takes several"):
            model.embed(one)
    with pytest.raises(DataError, match="no images to embed"):
        model.embed([])


@pytest.mark.parametrize("case", ["transparent", "turned", "white on transparent", "16 bits"])
def test_an_image_and_its_file_are_read_alike(case, model, tmp_path):
    plain = drawn_by_hand("house", 1)
    path, expected = tmp_path / "image.png", model.read(plain)
    clear = Image.new("RGBA", plain.size, (0, 0, 0, 0))
    if case == "transparent":
        clear.paste((0, 0, 0, 255), mask=plain.point(lambda value: 255 - value))
        clear.save(path)
    elif case == "white on transparent":
        clear.paste((255, 255, 255, 255), mask=plain.point(lambda value: 255 - value))
        clear.save(path)
    elif case == "turned":
        exif = Image.Exif()
        # to be turned by 90° counterclockwise
        exif[0x0112] = 8
        path = path.with_suffix(".jpg")
        plain.rotate(-90, expand=True, fillcolor=250).save(path, exif=exif, quality=98)
    else:
        Image.fromarray(np.asarray(plain).astype(np.uint16) * 257).save(path)
    from_file = model.read(path)
    with Image.open(path) as opened:
        np.testing.assert_array_equal(model.read(opened), from_file)
    assert np.abs(from_file.astype(int) - expected).mean() < 6


def test_an_array_of_any_kind_of_pixels_is_an_image():
    pixels = np.asarray(drawn_by_hand("cross", 1))
    expected = np.asarray(from_array(pixels))
    np.testing.assert_array_equal(expected, pixels)
    for array in (pixels[..., None], pixels.astype(np.int64), pixels / 255, pixels.astype(np.float32)):
        np.testing.assert_array_equal(np.asarray(from_array(array)), expected)
    binary = np.asarray(from_array(pixels > 128))
    assert set(np.unique(binary)) == {0, 255}
    np.testing.assert_array_equal(np.asarray(from_array((pixels > 128).astype(int))), binary)
    np.testing.assert_array_equal(np.asarray(from_array(pixels.astype(np.uint16) * 257)), expected)
    np.testing.assert_array_equal(np.asarray(from_array(pixels.astype(np.int32) * 257)), expected)
    for wrong in (
        pixels[None],
        pixels[0],
        np.zeros((0, 4)),
        np.full((4, 4), np.nan),
        -(pixels / 255),
        pixels * 1j,
    ):
        with pytest.raises(DataError, match=r"not one image|no pixels"):
            from_array(wrong)


def test_a_model_of_pictures_pads_them():
    rng = np.random.default_rng(0)
    split = Split(rng.integers(0, 256, (6, 4, 16, 16, 3), np.uint8), tuple("abcdef"))
    method = load_method("loss-prototype").fitted_to(6, 4)
    trained, _ = train_method(method, split, seed=0, steps=2, reads="pictures")
    model = OneShot(trained)
    assert (model.colour, model.reads_drawings) == (True, False)
    picture = np.full((10, 30, 3), (10, 200, 30), np.uint8)
    with pytest.warns(UserWarning, match=r"1 image of one single colour, or nearly, which shows nothing: the image\."):
        assert (model.read(picture) == (10, 200, 30)).all()
    picture[5, 15] = 0
    assert model.read(picture).shape == (16, 16, 3)
    assert np.isnan(model.compare(picture, picture).above_different)


# --- the commands -----------------------------------------------------------------------------------------


def call(capsys, monkeypatch, *arguments):
    """The command in this process → exit code, stdout, stderr."""
    monkeypatch.setattr(sys, "argv", ["siamese", *map(str, arguments)])
    monkeypatch.setattr(shared.out, "_file", None)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    captured = capsys.readouterr()
    return ended.value.code or 0, captured.out, captured.err


def test_classify_compare_and_embed_on_the_command_line(capsys, monkeypatch, letters, model_file):
    code, out, _ = call(
        capsys,
        monkeypatch,
        "classify",
        letters / "house.jpg",
        "--support",
        letters / "letters",
        "-m",
        model_file,
    )
    assert code == 0
    lines = [line for line in out.splitlines() if any(name in line for name in STROKES)]
    assert "house" in lines[0]
    assert len(lines) == 3
    mine = letters / "letters" / "house" / "mine.png"
    code, out, _ = call(capsys, monkeypatch, "compare", mine, mine, "-m", model_file)
    assert code == 0
    assert out.startswith("same: similarity")
    code, out, _ = call(capsys, monkeypatch, "embed", mine, letters / "cross.jpg", "-m", model_file)
    assert code == 0
    header, *rows = csv.reader(io.StringIO(out))
    assert header[:2] == ["image", "d0"]
    np.testing.assert_allclose(
        np.array([row[1:] for row in rows], float),
        OneShot.load(model_file).embed([mine, letters / "cross.jpg"]),
        rtol=1e-3,
    )
    target = letters / "out" / "embeddings.csv"
    assert call(capsys, monkeypatch, "embed", mine, "-m", model_file, "-o", target)[0] == 0
    assert target.read_text().startswith("image,d0")
    code, _, err = call(capsys, monkeypatch, "embed", mine, "-m", model_file, "-o", letters)
    assert (code, "is a folder" in err) == (2, True)
    # a name, not a style
    (letters / "letters" / "house").rename(letters / "letters" / "[bold]")
    arguments = ("classify", letters / "house.jpg", "--support", letters / "letters", "-m", model_file)
    assert "[bold]" in call(capsys, monkeypatch, *arguments)[1]
    mine = letters / "house.jpg"
    code, _, err = call(capsys, monkeypatch, "compare", mine, letters / "nowhere.png", "-m", model_file)
    assert code == 2
    assert "nowhere.png is not a readable image" in " ".join(err.split())


def test_without_a_model_named_the_shipped_one_answers_and_is_named(capsys, monkeypatch, letters):
    name = f"model: {SHIPPED_MODEL.parent.name}, which comes with siamese-utils\n"
    code, out, _ = call(capsys, monkeypatch, "classify", letters / "house.jpg", "--support", letters / "letters")
    assert (code, out.endswith(name)) == (0, True)
    assert "house" in next(line for line in out.splitlines() if any(each in line for each in STROKES))
    code, out, _ = call(capsys, monkeypatch, "compare", letters / "house.jpg", letters / "letters/house/mine.png")
    assert (code, out.startswith("same: "), out.endswith(name)) == (0, True, True)
    code, out, err = call(capsys, monkeypatch, "embed", letters / "house.jpg")
    assert (code, err, out.startswith("image,d0,")) == (0, name, True)


@pytest.mark.parametrize("case", ["itself", "another spelling", "a link", "a hard link", "the model"])
def test_embeddings_never_take_the_place_of_what_is_read(case, capsys, monkeypatch, letters, model_file):
    image, other, model = letters / "cross.jpg", letters / "house.jpg", letters / "model.keras"
    shutil.copyfile(model_file, model)
    output = {
        "itself": image,
        "another spelling": letters / "letters" / ".." / "cross.jpg",
        "the model": model,
    }.get(case, letters / "out.csv")
    if case == "a link":
        output.symlink_to(other)
    elif case == "a hard link":
        output.hardlink_to(other)
    before = [path.read_bytes() for path in (image, other, model)]
    code, _, err = call(capsys, monkeypatch, "embed", image, other, "-m", model, "-o", output)
    assert (code, "which is read: name another file" in " ".join(err.split())) == (2, True)
    assert [path.read_bytes() for path in (image, other, model)] == before


def test_a_file_in_the_way_is_kept_until_the_new_one_is_whole(capsys, monkeypatch, letters, model_file):
    output = letters / "out.csv"
    output.write_text("kept")
    (letters / "broken.png").write_bytes(b"no")
    arguments = ("embed", letters / "cross.jpg", letters / "broken.png", "-m", model_file, "-o", output)
    assert call(capsys, monkeypatch, *arguments)[0] == 2
    assert output.read_text() == "kept"


@pytest.mark.skipif(os.name != "posix", reason="names are text there")
def test_a_name_that_is_no_utf8_is_printed_and_kept(capsys, monkeypatch, letters, model_file):
    image = letters / os.fsdecode(b"caf\xe9.jpg")
    (letters / "cross.jpg").rename(image)
    output = letters / "out.csv"
    assert call(capsys, monkeypatch, "embed", image, "-m", model_file, "-o", output)[0] == 0
    assert "caf\\xe9.jpg," in output.read_text(encoding="utf-8")
    (letters / "letters" / "house").rename(letters / "letters" / os.fsdecode(b"h\xff"))
    arguments = ("classify", image, "--support", letters / "letters", "-m", model_file)
    code, out, _ = call(capsys, monkeypatch, *arguments)
    assert (code, "h\\xff" in out) == (0, True)


def damaged_model(model_file, value):
    damaged = OneShot(keras.saving.load_model(model_file))
    backbone = damaged.model.get_layer("backbone")
    weights = backbone.get_weights()
    weights[-1] = np.full_like(weights[-1], value)
    backbone.set_weights(weights)
    return damaged


def test_a_damaged_model_gives_no_similarity(model_file, letters):
    damaged = damaged_model(model_file, np.nan)
    image, damage = drawn_by_hand("cross", 1), "the model is damaged: it gives no finite numbers"
    with pytest.raises(DataError, match=damage):
        damaged.embed([image])
    with pytest.raises(DataError, match=damage):
        damaged.compare(image, image)
    with pytest.raises(DataError, match=damage):
        damaged.classify(letters / "cross.jpg", letters / "letters")


def test_an_image_in_two_classes_and_a_query_in_the_support_are_said(model, letters):
    shutil.copy(letters / "letters" / "cross" / "mine.png", letters / "letters" / "house" / "other.png")
    with pytest.warns(UserWarning, match=r"1 image is in two classes: .*cross/mine\.png and .*house/other\.png"):
        model.classify(letters / "zigzag.jpg", letters / "letters")
    (letters / "letters" / "house" / "other.png").unlink()
    with pytest.warns(UserWarning, match=r"the query is in the support, too: .*letters/cross/mine\.png"):
        model.classify(letters / "letters" / "cross" / "mine.png", letters / "letters")
    # neither, and nothing is said
    model.classify(letters / "cross.jpg", letters / "letters")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_damaged_model_is_not_loaded(value, model_file, tmp_path):
    damaged_model(model_file, value).model.save(tmp_path / "damaged.keras")
    with pytest.raises(DataError, match=r"damaged\.keras is damaged: it holds weights that are no numbers"):
        OneShot.load(tmp_path / "damaged.keras")


def test_all_broken_images_of_a_support_are_named(model, letters):
    for name in ("house", "zigzag"):
        (letters / "letters" / name / "mine.png").write_bytes(b"no")
    with pytest.raises(DataError, match=r"house/mine\.png is not .*; .*zigzag/mine\.png is not "):
        model.classify(letters / "cross.jpg", letters / "letters")


def test_learn_on_a_folder_of_ones_own(capsys, monkeypatch, tmp_path, reports, fresh_keras):
    for number, name in enumerate(STROKES):
        for copy in range(4):
            (tmp_path / "mine" / f"{name}-{copy}").mkdir(parents=True)
            for image in range(3):
                shaky = drawn_by_hand(name, [number, copy, image]).rotate(90 * copy, fillcolor=250)
                shaky.save(tmp_path / "mine" / f"{name}-{copy}" / f"{image}.png")
    model = tmp_path / "kept" / "model.keras"
    arguments = ("learn", "loss-prototype", "-p", "demo", "--data", tmp_path / "mine", "-o", model)
    code, out, _ = call(capsys, monkeypatch, *arguments)
    assert code == 0
    assert "2-way 1-shot" in out
    assert "not Omniglot" not in out
    assert not OneShot.load(model).reads_drawings
    # not its lock
    (run,) = (path for path in (reports / "demo" / "own").iterdir() if path.is_dir())
    made = (run / "metrics.json").stat().st_mtime_ns
    assert call(capsys, monkeypatch, *arguments)[0] == 0
    assert (run / "metrics.json").stat().st_mtime_ns == made
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    (tmp_path / "mine.txt").write_text("kept")
    (tmp_path / "link.keras").symlink_to(tmp_path / "mine.txt")
    for place, says in [
        (tmp_path, "is a folder: name a file"),
        (tmp_path / "model", "must end in .keras: name it model.keras"),
        (tmp_path / "mine" / "cross-0" / "0.png" / "model.keras", "among the images to train on"),
        (tmp_path / "mine" / "new" / "model.keras", "among the images to train on"),
        (tmp_path / "link" / "model.keras", "among the images to train on"),
        (tmp_path / "link.keras", "which is no model"),
        (tmp_path / "mine.txt" / "model.keras", "cannot make the folder"),
    ]:
        code, _, err = call(capsys, monkeypatch, *arguments[:-1], place)
        assert code == 2
        assert says in " ".join(err.split())
    assert (tmp_path / "mine.txt").read_text() == "kept"
    assert not (tmp_path / "mine" / "new").exists()
    code, _, err = call(capsys, monkeypatch, "learn", "best")
    assert code == 2
    assert "no method 'best'" in " ".join(err.split())


@pytest.mark.parametrize("reads", ["drawings", "pictures"])
def test_a_model_of_several_views_knows_what_it_reads(reads, tmp_path, fresh_keras):
    from siamese_utils.beyond.networks import build_siamese, build_trainer

    method = load_method("beyond-3-minutes")
    trainer = build_trainer(method, (20, 20, 1), classes=8, steps=10, seed=0, reads=reads)
    build_siamese(method, trainer).save(tmp_path / "model.keras")
    assert OneShot.load(tmp_path / "model.keras").reads_drawings == (reads == "drawings")


def test_a_model_is_had_at_once_without_data(capsys, monkeypatch, tmp_path, fresh_keras):
    """The first command of docs/models.md, in a clone with nothing else."""
    page = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^siamese (learn \S+ .*-o model\.keras) +# .*in the repository", page, re.MULTILINE)
    folder = find_method_run(load_method(command.split()[1]), load_profile("laptop"), 0).folder
    monkeypatch.setenv("SIAMESE_REPORTS_DIR", str(tmp_path / "clone"))
    kept = tmp_path / "clone" / "laptop" / "beyond" / folder.name
    shutil.copytree(folder, kept, ignore=shutil.ignore_patterns("model.keras"))
    monkeypatch.setattr("siamese_utils.beyond.training.load_dataset", lambda _: pytest.fail("asks for data"))
    monkeypatch.chdir(tmp_path)
    code, out, _ = call(capsys, monkeypatch, *command.split())
    assert (code, out.split()[-2:]) == (0, ["model:", "model.keras"])
    assert (tmp_path / "model.keras").read_bytes() == (folder / "shipped.keras").read_bytes()
    model = OneShot.load("model.keras")
    shipped = kept / "shipped.keras"
    code, out, err = call(capsys, monkeypatch, "learn", command.split()[1], "-o", shipped)
    assert (code, err) == (0, ""), "the file that would be copied is the file that is asked for"
    assert out.split()[-1] == str(shipped)
    assert shipped.read_bytes() == (folder / "shipped.keras").read_bytes()
    support = {name: drawn_by_hand(name, 1) for name in STROKES}
    for name in STROKES:
        assert model.classify(drawn_by_hand(name, 2, pen=7), support)[0][0] == name
