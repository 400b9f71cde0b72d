"""Seeds and names as a notebook's parameters give them; profiles that cannot be run are refused before any training."""

import itertools
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import TINY
from pydantic import BaseModel, ValidationError

from siamese_utils.beyond.config import load_beyond, load_method
from siamese_utils.beyond.study import method_jobs
from siamese_utils.config import (
    CLASSES,
    Profile,
    load_experiment,
    load_matrix,
    load_profile,
    params_dir,
    run_key,
    with_seeds,
)
from siamese_utils.data.load import load_dataset
from siamese_utils.errors import ParamsError
from siamese_utils.evidence.fidelity import histories
from siamese_utils.report.batch import choose_notebooks, execute_batch
from siamese_utils.report.study import open_study
from siamese_utils.schema import Name, name_list, seed_list
from siamese_utils.training.runs import find_run
from siamese_utils.training.store import jobs_of


@pytest.mark.parametrize(
    ("given", "means"),
    [
        *(
            (nothing, ())
            for nothing in (None, "", (), [], range(0), np.array([], int), pd.Series([], dtype=int), set())
        ),
        *((zero, (0,)) for zero in (0, [0], (0,), np.int64(0), np.array(0), np.uint8(0), np.array([0]), range(1))),
        (2**32 - 1, (2**32 - 1,)),
        (range(3), (0, 1, 2)),
        (np.arange(3), (0, 1, 2)),
        (pd.Series([4, 2]), (4, 2)),
        ((seed for seed in (3, 3, 1)), (3, 1)),
        ({5: "x"}.keys(), (5,)),
    ],
)
def test_seeds_are_what_they_look_like(given, means):
    found = seed_list(given)
    assert found == means
    assert all(type(seed) is int for seed in found), "as JSON can hold"


@pytest.mark.parametrize(
    "given",
    [
        *(-1, 2**32, 10**30, True, False, np.True_, 0.0, 1.5, float("nan"), np.float64(1), Fraction(1), 1j),
        *("0", "0,1", "[0]", " ", b"0", {"seed": 0}, {0: 1}, object(), Ellipsis),
        *([True], [0, 1.0], [None], ["0"], [[0]], [-1], [2**32], np.array([1.0]), np.eye(2, dtype=int)),
        *(range(-1, 1), range(10**12), itertools.count()),
    ],
)
def test_what_is_no_seed_is_an_error_wherever_seeds_go(given):
    with pytest.raises(ParamsError, match=r"is no seed: give a whole number from 0 to 4294967295|shorten it"):
        seed_list(given)
    for uses in (
        lambda: with_seeds("demo", given),
        lambda: open_study("mlp", "demo", given),
        lambda: execute_batch("demo", seeds=given),
        lambda: histories("baseline", given),
    ):
        with pytest.raises(ParamsError):
            uses()


@pytest.mark.parametrize("seed", [-1, 2**32, True, 1.0, "0", None])
def test_a_run_has_no_such_seed(seed, reports):
    for uses in (
        lambda: find_run(load_experiment("baseline"), load_profile("demo"), seed),
        lambda: method_jobs([load_method("loss-prototype")], load_profile("demo"), [seed], dataset=None)[0].find(),
    ):
        with pytest.raises(ParamsError, match="is no seed"):
            uses()


def test_a_seed_of_numpy_names_the_same_run():
    keys = [run_key(load_experiment("baseline"), load_profile("demo"), seed, "x") for seed in (3, np.int64(3))]
    assert keys[0] == keys[1]


def test_names_are_one_or_several():
    assert [e.name for e in open_study("all", "demo", 0, "mlp").experiments] == ["mlp"]
    assert [e.name for e in open_study("all", "demo", 0, load_experiment("mlp")).experiments] == ["mlp"]
    assert len(open_study("mlp", "demo", None, "").experiments) == 2
    assert open_study("mlp", "demo", 0).profile.seeds == (0,)
    assert open_study("mlp", "laptop", 0).profile.seeds == (0,), "not all of them"
    assert choose_notebooks("05") == ["05_learning_rate"]
    assert name_list("names", ("a", "b", "a")) == ("a", "b")
    for wrong in (0, True, 1.5, b"mlp", {"mlp": 1}, ["mlp", 0], [""], [["mlp"]], [None]):
        for uses in (lambda w=wrong: open_study("all", "demo", [], w), lambda w=wrong: choose_notebooks(w)):
            with pytest.raises(ParamsError, match="must be names"):
                uses()


# ---- profiles ------------------------------------------------------------------------------------


def profile_with(folder, **change):
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(TINY.read_text()), **change}, allow_unicode=True))
    return load_profile(path)


@pytest.mark.parametrize(
    "change",
    [
        {"ways": [0]},
        {"ways": [-1]},
        {"ways": []},
        {"ways": [1, 87]},
        {"ways": [5, 20, 5]},
        {"ways": [5.0]},
        {"ways": [True]},
        {"ways": ["5"]},
        {"ways": 5},
        {"dataset": "omniglot", "ways": [660]},
        {"seeds": [0, 0]},
        {"seeds": [-1]},
        {"seeds": [2**32]},
        {"seeds": [True]},
        {"seeds": [1.0]},
        {"seeds": ["1"]},
        {"seeds": 0},
        {"episodes": 10**12},
        {"episodes": 0},
        {"episodes": float("inf")},
        {"check_episodes": 10**12},
        {"check_every": 5},
        {"check_every": 0},
        {"iterations": True},
        {"check_every": 2.0},
        {"episodes": "1000"},
        {"image_size": "20"},
        {"image_size": 10**6},
        {"image_size": 7},
        {"image_size": float("nan")},
        {"iterations": 10**9},
        {"batch_size": 10**7},
        {"batch_size": 3},
        {"batch_size": 0},
        *({"name": name} for name in ("../evil", "..", ".", "", " ", "a/b", "a\\b", "/tmp/x", "a\0b", "-a", ".a", "a.",
          "a b", "a\n", "é", "con", "CON", "nul.txt", "com1", "Lpt9.x", "x" * 65, "~", "$HOME", "a:b", "a*", "%2e%2e",
          "[x]", 5, None)),
    ],
)  # fmt: skip
def test_a_profile_that_cannot_be_run_is_refused_when_it_is_read(change, tmp_path):
    with pytest.raises(ParamsError, match=r"mine\.yaml is not valid: ") as caught:
        profile_with(tmp_path, **change)
    assert list(change)[-1] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_can_be_run_is_not_refused(tmp_path):
    for change in (
        {"name": "my.profile-2_b"},
        {"name": "console"},
        {"ways": [1]},
        {"ways": [86]},
        {"seeds": [2**32 - 1]},
    ):
        assert profile_with(tmp_path, **change)
    assert profile_with(tmp_path).name == "mine"


def test_a_profile_whose_file_has_no_plain_name_needs_one(tmp_path):
    path = tmp_path / "größe 2.yaml"
    path.write_text(TINY.read_text())
    with pytest.raises(ParamsError, match=r"name: .* cannot name a folder: use up to 64 letters"):
        load_profile(path)
    path.write_text(TINY.read_text() + "name: size-2\n")
    assert load_profile(path).name == "size-2"


@pytest.mark.parametrize("name", ["x" * 5000, "x" * 5000 + ".yaml", "a\0b", "a\0b.yaml", "", "/", "..", "~"])
def test_what_names_no_profile_is_one_sentence(name):
    with pytest.raises(ParamsError, match=r"no profile .*: choose one of demo, laptop"):
        load_profile(name)


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00", b"title: \xe9", b"[" * 5000, b"a: &a [*a]", b"\0", b"1: 2", b"? [a]\n: b"]
)
def test_a_profile_of_any_bytes_is_one_sentence(content, tmp_path):
    (tmp_path / "mine.yaml").write_bytes(content)
    with pytest.raises(ParamsError, match=r"mine\.yaml") as caught:
        load_profile(tmp_path / "mine.yaml")
    assert "\n" not in str(caught.value)


def test_as_many_ways_can_be_asked_for_as_the_smaller_split_has_classes():
    dataset = load_dataset("demo")
    assert CLASSES["synthetic"] == min(dataset.train.classes, dataset.val.classes)


@pytest.mark.parametrize("name", ["../x", "a/b", "..", "con", ""])
def test_whatever_becomes_a_folder_has_a_plain_name(name, tmp_path):
    raw = yaml.safe_load((params_dir() / "experiments.yaml").read_text())
    raw["experiments"][1]["name"] = name
    (tmp_path / "experiments.yaml").write_text(yaml.safe_dump(raw))
    with pytest.raises(ParamsError, match="cannot name a folder"):
        load_matrix(tmp_path / "experiments.yaml")
    raw = yaml.safe_load((params_dir() / "beyond.yaml").read_text())
    raw["methods"][1]["name"] = name
    (tmp_path / "beyond.yaml").write_text(yaml.safe_dump(raw))
    with pytest.raises(ParamsError, match="cannot name a folder"):
        load_beyond(tmp_path / "beyond.yaml")

    class Named(BaseModel):
        name: Name

    with pytest.raises(ValidationError):
        Named(name=name)


def test_images_too_small_for_a_network_are_refused_before_any_is_trained(tmp_path):
    small = profile_with(tmp_path, padding="valid", image_size=20)
    rows = [load_experiment("mlp"), load_experiment("baseline")]
    assert len(jobs_of(rows[:1], small, [0])) == 1
    with pytest.raises(ParamsError, match="images of 20 pixels are too small for conv block"):
        jobs_of(rows, small, [0])


def test_a_methods_network_fits_or_is_refused(tmp_path):
    tiny = profile_with(tmp_path, image_size=8)
    method = load_method("loss-prototype").model_copy(update={"image_size": None})
    blocks = method.network.blocks
    deep = method.model_copy(update={"network": method.network.model_copy(update={"blocks": blocks * 3})})
    assert deep.network.first_too_large(8) == 4
    with pytest.raises(ParamsError, match="too small for block 4 of"):
        method_jobs([deep], tiny, [0], dataset=None)
    for each in load_beyond().methods:
        for profile in ("demo", "laptop", "paper"):
            each.check_fits(load_profile(profile))


@pytest.mark.parametrize(
    "changes",
    [
        {"filters": [0]},
        {"filters": [10**9]},
        {"kernel_size": 1000},
        {"embedding": 10**9},
        {"batch_size": 10**7},
        {"iterations": 10**12},
        {"dropout": float("nan")},
        {"l2": float("inf")},
        {"learning_rate": {"initial": float("inf")}},
        {"learning_rate": {"initial": float("nan")}},
    ],
)
def test_an_impossible_recipe_is_refused(changes, tmp_path):
    raw = yaml.safe_load((params_dir() / "experiments.yaml").read_text())
    raw["experiments"][1]["changes"] = changes
    (tmp_path / "experiments.yaml").write_text(yaml.safe_dump(raw))
    with pytest.raises(ParamsError, match="is not valid"):
        load_matrix(tmp_path / "experiments.yaml")


def test_every_field_of_a_profile_is_what_it_was():
    for name in ("demo", "laptop", "paper"):
        assert Profile.model_validate(load_profile(name).model_dump()) == load_profile(name)


@pytest.mark.parametrize(("change", "named"), [({"defaults": [1]}, "defaults"), ({"methods": ["x"]}, r"methods\.0")])
def test_methods_of_another_shape_are_refused_in_a_sentence(change, named, tmp_path):
    path = tmp_path / "beyond.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load((params_dir() / "beyond.yaml").read_text()), **change}))
    with pytest.raises(ParamsError, match=rf"beyond\.yaml is not valid: {named} must have keys and values"):
        load_beyond(path)
