"""The paper's network and ours on faces: people who are held out, answers that are read again, the own folder."""

import io
import json
import os
import shutil
import sys
import zipfile

import numpy as np
import pytest
from conftest import ROOT
from PIL import Image

from siamese_utils import cli
from siamese_utils.beyond import faces
from siamese_utils.beyond.batches import random_maps
from siamese_utils.beyond.config import Augmentation, load_method, methods_of
from siamese_utils.beyond.paper_rows import in_grey, pairs_of, train_row
from siamese_utils.beyond.runs import find_run_on, method_folder
from siamese_utils.beyond.training import load_or_train, splits
from siamese_utils.config import load_experiment, load_profile, run_key
from siamese_utils.data import archives
from siamese_utils.data.dataset import Dataset, Split
from siamese_utils.data.load import load_dataset
from siamese_utils.errors import ParamsError
from siamese_utils.evaluation.accuracy import embed_split, similarities
from siamese_utils.evaluation.episodes import draw_episodes, is_correct
from siamese_utils.inference.one_shot import OneShot
from siamese_utils.report.study import open_study
from siamese_utils.training.integrity import find_problem, record_sums
from siamese_utils.training.verify import survey

ROWS = methods_of("pictures", load_profile("laptop"))


def picture(person, number):
    """A disc of the person's own place and size, and noise of the picture's own."""
    rng = np.random.default_rng([person, number])
    y, x = np.mgrid[:56, :46]
    centre = 14 + 4 * (person % 6), 12 + 5 * (person // 6)
    disc = np.hypot(y - centre[0], x - centre[1]) < 5 + person % 4
    return np.uint8(np.clip(60 + 120 * disc + rng.normal(0, 12, disc.shape), 0, 255))


@pytest.fixture
def att_faces(tmp_path, monkeypatch):
    """A folder with an archive like that of the AT&T faces: 20 people with four pictures each."""
    folder = tmp_path / "faces"
    folder.mkdir()
    with zipfile.ZipFile(folder / "att_faces.zip", "w") as archive:
        for person in range(1, 21):
            for number in range(1, 5):
                file = io.BytesIO()
                Image.fromarray(picture(person, number)).save(file, "PPM")
                archive.writestr(f"s{person}/{number}.pgm", file.getvalue())
    monkeypatch.setenv("SIAMESE_FACES_DIR", str(folder))
    return folder


def quick(method):
    """A row that trains for three steps."""
    return method.model_copy(update={"steps": 3, "steps_on_synthetic": 3, "classes": min(method.classes, 4)})


# --- who is held out ----------------------------------------------------------------------------------


def test_no_person_and_no_picture_is_on_two_sides(att_faces):
    dataset = archives.load("att-faces", 20)
    train, scored = splits(dataset, "validation")
    parts = {"training": train, "choices": scored, "the end": dataset.val}
    people = [set(part.characters) for part in parts.values()]
    assert sum(map(len, people)) == len(set.union(*people)) == 20
    assert len(people[2]) == 5
    shown = [{image.tobytes() for image in part.flat} for part in parts.values()]
    assert sum(map(len, shown)) == len(set.union(*shown)) == 80
    assert splits(dataset, "evaluation")[0].classes == 15


def test_a_quarter_held_out_is_another_dataset_than_a_fifth(att_faces, monkeypatch):
    before = archives.load("att-faces", 20).fingerprint
    monkeypatch.setattr(archives, "FACES_PART", 0.2)
    assert archives.load("att-faces", 20).fingerprint != before


def test_under_strict_the_query_meets_another_picture_of_its_person():
    split = Split(np.zeros((6, 4, 1, 1), np.uint8), tuple("abcdef"))
    drawn = draw_episodes(split, n_way=6, n_episodes=400, seed=1)
    own = drawn.support[np.arange(400), drawn.target, 0]
    assert (own[:, 0] == drawn.query[:, 0]).all()
    assert (own[:, 1] != drawn.query[:, 1]).all()
    assert (np.sort(drawn.support[:, :, 0, 0]) == np.arange(6)).all()


# --- what the rows train ------------------------------------------------------------------------------


def test_faces_are_not_turned_and_mirrored_within_their_class():
    for method in ROWS:
        assert method.forms == 1
        assert not method.upside_down
    moves = load_method("pictures-beyond").augmentation
    assert moves.mirror
    still = Augmentation(rotate=0, shear=0, scale=0, shift=0, mirror=True)
    maps = random_maps(np.random.default_rng(0), still, 400, 21)
    assert set(maps[:, 0]) == {-1, 1}
    assert (maps[:, 4] == 1).all()
    # x is read at 20 − x where it is mirrored, at x where it is not
    np.testing.assert_array_equal(maps[:, 2], np.where(maps[:, 0] < 0, 20, 0))
    assert 0.4 < np.mean(maps[:, 0] < 0) < 0.6
    without = still.model_copy(update={"mirror": False, "rotate": 10})
    same = without.model_copy(update={"mirror": True})
    plain, mirrored = (random_maps(np.random.default_rng(3), moves, 50, 21) for moves in (without, same))
    np.testing.assert_allclose(np.abs(plain[:, :2]), np.abs(mirrored[:, :2]), rtol=1e-6)


def test_a_row_of_the_paper_has_its_recipe_in_the_key():
    laptop = load_profile("laptop")
    method = load_method("pictures-baseline")
    _, key = method_folder(method, laptop, 0, "evaluation", "a fingerprint")
    expected = run_key(load_experiment("baseline"), laptop, 0, "")["recipe"]
    assert key["learner"] == {
        "name": method.name, "experiment": "baseline", "recipe": expected, "padding": "same",
    }  # fmt: skip
    assert key["dataset"] == "a fingerprint"


def test_the_papers_row_trains_as_the_small_package_trains_it(fresh_keras):
    """The same losses as `training.loop.train` on a profile of that length, though the one at hand cuts the decay."""
    from siamese_utils.models.siamese import build_model
    from siamese_utils.training.loop import train

    demo = load_profile("demo")
    full = load_dataset(demo).train
    split = Split(full.images[:11], full.characters[:11])
    experiment = load_experiment("baseline")
    assert pairs_of(experiment, split) == 10
    method = quick(load_method("pictures-baseline"))
    _, history = train_row(method, demo.model_copy(update={"decay": "cut"}), split, 5, 4)
    profile = demo.model_copy(update={"iterations": 4, "batch_size": 10})
    losses = train(build_model(experiment, profile, 5), split, experiment, profile, seed=5, checks=[0, 1, 2, 3])
    np.testing.assert_allclose(history["loss"], [line["batch_loss"] for line in losses], rtol=1e-5)
    assert history["step"].tolist() == [1, 2, 3, 4]


def test_the_papers_network_takes_colour_as_grey_and_refuses_classes_of_several_sizes(fresh_keras):
    rng = np.random.default_rng(0)
    colours = {f"c{n}": rng.integers(0, 256, (2 + n % 2, 20, 20, 3), dtype=np.uint8) for n in range(4)}
    split = Split.of(colours)
    grey = in_grey(Dataset("mine", split, split, "", False, "")).train
    assert (grey.images.shape, grey.counts) == ((10, 20, 20), split.counts)
    np.testing.assert_allclose(grey.images[3, 4, 5], split.images[3, 4, 5] @ [0.299, 0.587, 0.114], atol=0.51)
    with pytest.raises(ParamsError, match="classes of one size"):
        train_row(load_method("pictures-baseline"), load_profile("demo"), grey, 0, 1)


def test_pixels_are_compared_as_they_are(att_faces, reports, fresh_keras):
    run = load_or_train("pictures-pixels", "demo", held_out="evaluation", archive="att-faces", weights=True)
    val = archives.load("att-faces", 20).val
    drawn = draw_episodes(val, n_way=5, n_episodes=200, seed=0)
    query, support = (val.look_up(p[..., 0], p[..., 1]).astype(float) for p in (drawn.query, drawn.support[:, :, 0]))
    nearest = -((support - query[:, None]) ** 2).sum(axis=(2, 3))
    model = run.model()
    found = is_correct(similarities(model, embed_split(model, val), drawn), drawn)
    np.testing.assert_array_equal(found, is_correct(nearest[..., None], drawn))
    assert found.mean() > 0.9


# --- from the run on disk to what is said of it -------------------------------------------------------


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_a_run_says_without_the_pictures_is_what_it_says_with_them(row, att_faces, reports, fresh_keras):
    method, demo = quick(row), load_profile("demo")
    run = load_or_train(method, demo, 1, held_out="evaluation", archive="att-faces", weights=True)
    assert find_problem(run.folder) == ""
    assert faces.ways_of(run) == [2, 3, 5]
    assert OneShot.load(run.weights).reads_drawings is False
    val = archives.load("att-faces", 20).val
    assert run.metrics["scored_images"] == dict.fromkeys(val.characters, 4)
    model = run.model()
    embeddings = embed_split(model, val)
    errors, asked = np.zeros((2, 5, 5))
    for n_way in (2, 3, 5):
        drawn, correct = faces.strict_answers(run, n_way)
        assert drawn.n_way == n_way
        right = is_correct(similarities(model, embeddings, drawn), drawn)
        assert np.mean(right == correct) > 0.999
        assert run.score("strict", n_way=n_way).accuracy == correct.mean()
        if n_way == 2:
            for query, support, good in zip(drawn.query, drawn.support[:, :, 0, 0], correct, strict=True):
                pair = query[0], next(rival for rival in support if rival != query[0])
                asked[pair] += 1
                errors[pair] += not good
    names, found = faces.confusions([run])
    assert names == list(val.characters)
    assert np.isnan(np.diag(found)).all()
    off = ~np.eye(5, dtype=bool)
    np.testing.assert_allclose(found[off], 100 * errors[off] / asked[off])
    # found again though the archive is gone
    shutil.rmtree(att_faces)
    assert find_run_on("att-faces", method, demo, 1).run_id == run.run_id
    assert find_run_on("mini-imagenet", method, demo, 1) is None
    assert find_run_on("att-faces", method, demo, 2) is None
    (run.folder / "metrics.json").write_text("{}")
    with pytest.warns(UserWarning, match="is left out"):
        assert find_run_on("att-faces", method, demo, 1) is None


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_folder_of_ones_own_goes_the_same_way(row, tmp_path, reports, fresh_keras):
    for person in range(8):
        (tmp_path / "people" / f"p{person}").mkdir(parents=True)
        for number in range(3):
            Image.fromarray(picture(person, number)).save(tmp_path / "people" / f"p{person}" / f"{number}.png")
    method = quick(row)
    run = load_or_train(method, "demo", folder=tmp_path / "people", weights=True)
    assert run.folder.parent == reports / "demo" / "own"
    assert [finding.problem for finding in survey(reports / "demo")] == [""]
    assert set(run.metrics["scored_images"]) < {f"p{person}" for person in range(8)}
    with pytest.warns(UserWarning, match="the query is in the support"):
        ranked = OneShot.load(run.weights).classify(tmp_path / "people" / "p1" / "0.png", tmp_path / "people")
    assert {name for name, _ in ranked} == {f"p{person}" for person in range(8)}


def test_the_interval_over_people_is_wider_than_that_over_episodes():
    rng = np.random.default_rng(0)
    alike = 80 + rng.normal(0, 0.1, (3, 10))
    apart = np.tile(np.where(np.arange(10) < 2, 0.0, 100.0), (3, 1))
    for shares in (alike, apart):
        found = faces.over_classes(shares)
        assert found.value == pytest.approx(shares.mean())
        assert found.low <= found.value <= found.high
    close, wide = faces.over_classes(alike), faces.over_classes(apart)
    assert close.high - close.low < 0.2
    # two of ten people: the binomial's 2.5 % and 97.5 %
    assert (wide.low, wide.high) == (50, 100)


def test_a_run_whose_answers_to_fewer_ways_are_gone_is_not_believed(att_faces, reports, fresh_keras):
    run = load_or_train(quick(load_method("pictures-pixels")), "demo", archive="att-faces")
    kept = dict(np.load(run.folder / "answers.npz"))
    kept.pop("strict/2")
    np.savez(run.folder / "answers.npz", **kept)
    record_sums(run.folder, "answers.npz")
    assert "answers" in find_problem(run.folder)


def test_a_notebook_without_faces_says_what_it_needs(reports, capsys):
    found = faces.runs_on_faces(open_study("all", "demo"))
    assert found == {}
    assert "No run on faces" in faces.finding(found)
    frame = faces.accuracy_by_ways(found)
    assert frame.empty
    assert faces.ways_table(frame).empty


# --- what is in the repository ------------------------------------------------------------------------


def test_the_runs_in_the_repository_are_found_without_the_faces(monkeypatch):
    monkeypatch.setenv("SIAMESE_REPORTS_DIR", str(ROOT / "reports"))
    found = faces.runs_on_faces(open_study("all", "demo"))
    assert {name: len(runs) for name, runs in found.items()} == {
        "pictures-pixels": 1, "pictures-baseline": 3, "pictures-beyond": 3,
    }  # fmt: skip
    frame = faces.accuracy_by_ways(found)
    assert set(frame["ways"]) == {2, 3, 5, 10}
    assert ((frame["low"] <= frame["accuracy"]) & (frame["accuracy"] <= frame["high"])).all()
    for _, line in frame.iterrows():
        means = [100 * run.score("strict", n_way=line["ways"]).accuracy for run in found[line["name"]]]
        # each person counts as much as another; by episodes they do nearly
        assert line["accuracy"] == pytest.approx(np.mean(means), abs=0.5)
    words = faces.finding(found)
    assert "10 people" in words
    assert "3 seeds" in words
    assert "1 seed;" not in words


@pytest.mark.real_data
def test_the_real_faces_are_those_of_the_repository_and_train(monkeypatch, tmp_path, fresh_keras):
    if not os.environ.get("SIAMESE_FACES_DIR"):
        pytest.skip("no real AT&T faces: set SIAMESE_FACES_DIR to the folder of att_faces.zip")
    method, laptop = load_method("pictures-beyond"), load_profile("laptop")
    monkeypatch.setenv("SIAMESE_REPORTS_DIR", str(ROOT / "reports"))
    kept = find_run_on("att-faces", method, laptop, 0)
    dataset = archives.load("att-faces", 40)
    assert kept.config["dataset"] == dataset.fingerprint
    assert list(kept.metrics["scored_images"]) == list(dataset.val.characters)
    monkeypatch.setenv("SIAMESE_REPORTS_DIR", str(tmp_path))
    for name in ("pictures-beyond", "pictures-baseline"):
        run = load_or_train(quick(load_method(name)), laptop, archive="att-faces")
        assert run.metrics["steps"] == 3
        assert not set(run.metrics["scored_on"]) & set(dataset.val.characters)
        assert json.loads((run.folder / "config.json").read_text())["held_out"] == "validation"


# --- the runs again -----------------------------------------------------------------------------------


def verify(capsys, monkeypatch):
    """What `siamese verify` says of the demo's runs when it trains five of them again, and its exit code."""
    monkeypatch.setattr(sys, "argv", ["siamese", "verify", "-p", "demo", "--retrain", "5"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return " ".join(capsys.readouterr().out.split()), ended.value.code or 0


def test_runs_on_faces_are_trained_anew_where_the_faces_are_here(att_faces, reports, capsys, monkeypatch, wide):
    run = load_or_train("pictures-pixels", "demo", held_out="evaluation", archive="att-faces")
    said, code = verify(capsys, monkeypatch)
    assert f"{run.run_id} │ agrees" in said
    assert code == 0
    # other faces than those of the record
    with zipfile.ZipFile(att_faces / "att_faces.zip", "a") as archive:
        for number in (1, 2):
            archive.writestr(f"s21/{number}.pgm", b"P5 2 2 255 abc" + bytes([number]))
    said, code = verify(capsys, monkeypatch)
    assert f"{run.run_id} │ does not agree │ the data here is another" in said
    assert code == 1
    (att_faces / "att_faces.zip").unlink()
    said, code = verify(capsys, monkeypatch)
    assert f"1 run cannot be trained again: trained on att-faces, and {att_faces}/att_faces.zip is not here" in said
    assert "SIAMESE_FACES_DIR" in said
    assert code == 0
    assert run.run_id not in said
