"""Profiles and the experiment matrix are checked data: what is wrong in them is named, with its file."""

import re

import pytest
import yaml
from conftest import TINY

from siamese_utils.config import (
    load_experiment,
    load_matrix,
    load_profile,
    params_dir,
    profile_names,
    section_experiments,
)
from siamese_utils.errors import ParamsError
from siamese_utils.paths import data_dir, project_root, reports_dir
from siamese_utils.schema import read_yaml

# Table 1 of the paper: group, row, train and val accuracy
TABLE_1 = [
    ("Baseline Model", "", 81.3, 73.2),
    ("Final Embedding layer", "Dense - 128", 81.6, 64),
    ("Final Embedding layer", "Dense - 64", 56, 52.4),
    ("Final Embedding layer", "Dense - 512", 80, 75.6),
    ("Final Embedding layer", "Conv2D (256) + Dense - 512", 73.6, 74),
    ("Final Embedding layer", "Conv2D (256) + Dense - 1024", 73.2, 65.6),
    ("Regularization", "without Dropout", 74, 66),
    ("Regularization", "without L2 Regularization", 8.4, 8.4),
    ("Regularization", "without both methods", 26, 30),
    ("Learning rate", "0.0001", 92.4, 76.8),
    ("Learning rate", "0.001", 59.6, 47.2),
    ("Learning rate", "0.01", 22.8, 20.4),
    ("Weight Initialization", "Zero Initialization", 60, 50),
    ("Batch Normalization", "without Batch Normalization", 40, 31.2),
    ("MLP", "Dense (2048, 1024 and 512)", 42, 34.4),
]


def test_every_row_of_table_1_is_in_the_matrix_with_the_papers_figures():
    rows = {(e.group, e.row, e.paper.train, e.paper.val) for e in load_matrix().experiments if e.paper}
    assert rows == set(TABLE_1)


def test_where_text_and_run_differ_both_are_in_the_matrix():
    variants = {}
    for experiment in load_matrix().experiments:
        if experiment.paper:
            variants.setdefault(experiment.row, []).append(experiment.variant)
    twofold = {row for row, kinds in variants.items() if kinds == ["as described", "as run"]}
    assert twofold == {"Dense - 128", "Dense - 64", "0.0001", "0.001", "0.01"}
    assert all(kinds == ["same"] for row, kinds in variants.items() if row not in twofold)


def test_an_experiment_differs_from_the_baseline_only_in_its_changes():
    baseline = load_experiment("baseline").recipe.model_dump()
    changed = {
        "dense-512": {"embedding"},
        "without-dropout": {"dropout"},
        "lr-0.001": {"learning_rate"},
        "lr-0.001-as-run": {"learning_rate", "l2", "dropout"},
        "zero-initialization": {"initializer"},
        "mlp": {"backbone", "filters", "hidden", "norm_after_relu"},
    }
    for name, keys in changed.items():
        recipe = load_experiment(name).recipe.model_dump()
        assert {key for key in recipe if recipe[key] != baseline[key]} == keys


def test_every_section_shows_the_baseline_and_names_a_notebook():
    for name, section in load_matrix().sections.items():
        assert section_experiments(name)[0].name == "baseline"
        assert (params_dir().parent / "notebooks" / f"{section.notebook}.ipynb").is_file()


def test_the_three_profiles_load():
    assert set(profile_names()) >= {"demo", "laptop", "paper"}
    datasets = [load_profile(name).dataset for name in ("demo", "laptop", "paper")]
    assert datasets == ["synthetic", "omniglot", "omniglot"]
    assert all(load_profile(name) for name in profile_names())
    assert len(load_profile("paper").seeds) >= 3


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"iteration": 4}, "iteration: unknown key"),
        ({"dataset": "mnist"}, "dataset: "),
        ({"seeds": []}, "seeds: "),
        ({"image_size": "big"}, "image_size: "),
    ],
)
def test_a_wrong_profile_is_refused_by_file_and_key(change, named, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(TINY.read_text()), **change}))
    with pytest.raises(ParamsError, match=r"mine\.yaml is not valid") as caught:
        load_profile(path)
    assert named in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"- a\n", b"a: [1\n", b"just words", b"a: \xff\n", b"[" * 5000])
def test_a_file_that_is_no_profile_is_a_clear_error(content, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(ParamsError, match=r"mine\.yaml"):
        load_profile(path)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("seeds: [0]\nseeds: [1]\n", "seeds given twice"),
        ("ways: [5]\nepisodes: 10\nways: [5]\nepisodes: 20\n", "ways and episodes given twice"),
        ("recipe: {l2: 1, l2: 2}\n", "l2 given twice"),
        ("iterations: 1:30\n", "1:30 is no decimal number"),
        ("iterations: 0x10\n", "0x10 is no decimal number"),
        ("iterations: 0b11\n", "0b11 is no decimal number"),
        ("seeds: [010]\n", "010 is no decimal number"),
        ("rate: 1:30.5\n", "1:30.5 is no decimal number"),
    ],
)
def test_what_yaml_would_take_for_something_else_is_an_error(content, named, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(content)
    with pytest.raises(ParamsError, match=f"mine.yaml: {re.escape(named)}"):
        read_yaml(path)


def test_decimal_numbers_are_read_as_they_stand(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("{a: 0, b: -12, c: 1_000, d: 0.001, e: .5, f: 1.5e-3, g: 1., h: '1:30', i: 2.0E+1}")
    decimals = {"c": 1000, "d": 0.001, "e": 0.5, "f": 0.0015, "g": 1.0, "i": 20.0}
    assert read_yaml(path) == {"a": 0, "b": -12, "h": "1:30", **decimals}


def test_a_wrong_matrix_is_refused(tmp_path):
    raw = yaml.safe_load((params_dir() / "experiments.yaml").read_text())
    for spoil, named in (
        (lambda rows: rows.append(dict(rows[0])), "used twice: baseline"),
        (lambda rows: rows[1].update(section="nowhere"), "unknown section: nowhere"),
        (lambda rows: rows[1].update(changes={"momentum": 1}), "momentum"),
        (
            lambda rows: rows[1].update(changes={"learning_rate": {"initial": 1, "decay_rate": 0.1}}),
            "together",
        ),
    ):
        spoiled = yaml.safe_load(yaml.safe_dump(raw))
        spoil(spoiled["experiments"])
        path = tmp_path / f"{named.split()[0]}.yaml"
        path.write_text(yaml.safe_dump(spoiled))
        with pytest.raises(ParamsError, match=named):
            load_matrix(path)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"baseline": [1]}, r"baseline must have keys and values, not \[1\]"),
        ({"experiments": {"a": 1}}, "experiments must be a list"),
        ({"experiments": ["a"]}, r"experiments\.0 must have keys"),
        ({"experiments": [{"name": "a", "changes": "l2"}]}, "changes of a must have keys"),
    ],
)
def test_a_matrix_of_another_shape_is_refused_in_a_sentence(change, named, tmp_path):
    raw = yaml.safe_load((params_dir() / "experiments.yaml").read_text())
    path = tmp_path / "experiments.yaml"
    path.write_text(yaml.safe_dump({**raw, **change}))
    with pytest.raises(ParamsError, match=rf"experiments\.yaml is not valid: {named}"):
        load_matrix(path)


def test_unknown_names_list_the_known_ones():
    with pytest.raises(ParamsError, match="demo, laptop"):
        load_profile("desktop")
    with pytest.raises(ParamsError, match="dense-128"):
        load_experiment("dense")
    with pytest.raises(ParamsError, match="regularization"):
        section_experiments("regularisation")


@pytest.mark.parametrize("variable", ["SIAMESE_HOME", "SIAMESE_REPORTS_DIR", "SIAMESE_CACHE_DIR"])
def test_a_home_that_nobody_has_is_said(variable, monkeypatch):
    monkeypatch.setenv(variable, "~nobody-of-this-name/x")
    read = {"SIAMESE_HOME": project_root, "SIAMESE_REPORTS_DIR": reports_dir, "SIAMESE_CACHE_DIR": data_dir}[variable]
    with pytest.raises(ParamsError, match=rf"{variable} is ~nobody-of-this-name/x, which names no folder"):
        read()
