"""The factorial: every combination, and effects that are recovered from made-up accuracies."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats
from statsmodels.stats.multitest import multipletests

from siamese_utils.config import load_experiment, load_profile, params_dir
from siamese_utils.errors import ParamsError
from siamese_utils.evidence import factorial
from siamese_utils.evidence.factorial import accuracies, cells, effects, find_cells, load_factorial, shortened
from siamese_utils.training.loop import load_or_train
from siamese_utils.training.runs import run_folder


def made_up(value, seeds=2, noise=0.0):
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        [
            {"a": a, "b": b, "c": c, "seed": s, "accuracy": value(a, b, c) + rng.normal(0, noise)}
            for a, b, c in product((-1, 1), repeat=3)
            for s in range(seeds)
        ]
    )


def test_every_combination_is_an_experiment_of_its_own():
    found = cells()
    assert len({e.name for e in found.values()}) == len({e.recipe.model_dump_json() for e in found.values()}) == 16
    first, last = found[(False,) * 4].recipe, found[(True,) * 4].recipe
    assert (first.batch_norm, first.dropout, first.l2, first.embedding) == (False, 0, 0, 128)
    assert first.learning_rate == load_experiment("lr-0.001").recipe.learning_rate
    # the paper's baseline but for the embedding
    assert last == load_experiment("dense-512").recipe
    assert load_factorial().factors[0].name == "batch_norm"


def test_effects_by_hand():
    found = effects(made_up(lambda a, b, c: 40 + 5 * a - 2 * b + 3 * a * c, noise=1e-6), n_episodes=10_000)
    by = {factors: row for factors, row in found.set_index("factors").iterrows()}
    # 45 minus 35
    assert by[("a",)]["effect"] == pytest.approx(10, abs=1e-4)
    assert by[("b",)]["effect"] == pytest.approx(-4, abs=1e-4)
    assert by[("c",)]["effect"] == pytest.approx(0, abs=1e-4)
    # a's effect is 16 and 4: half of 12
    assert by[("a", "c")]["effect"] == pytest.approx(6, abs=1e-4)
    assert len(found) == 6


def test_intervals_agree_with_a_regression():
    import statsmodels.formula.api as smf

    frame = made_up(lambda a, b, c: 40 + 5 * a - b * c, seeds=3, noise=2.0)
    fit = smf.ols("accuracy ~ a * b * c", frame).fit()
    # so many that their spread is nothing
    found = effects(frame, n_episodes=10**15).set_index("factors")
    holm = multipletests([fit.pvalues[":".join(factors)] for factors in found.index], method="holm")[1]
    for factors, p in zip(found.index, holm, strict=True):
        name = ":".join(factors)
        row = found.loc[[factors]].iloc[0]
        assert row["effect"] == pytest.approx(2 * fit.params[name])
        assert [row["low"], row["high"]] == pytest.approx(list(2 * fit.conf_int().loc[name]))
        assert row["p"] == pytest.approx(p)
    assert found["p"].between(1e-9, 0.9).any()


def test_episodes_widen_an_interval_that_seeds_leave_narrow():
    frame = made_up(lambda a, b, c: 40 + 5 * a, noise=1e-6)
    row = effects(frame, n_episodes=2500).iloc[0]
    # of one combination's accuracy, squared, in points
    spread = (0.5 * 45 * 55 + 0.5 * 35 * 65) / 2500
    # 16 runs of 8 combinations leave 8 degrees of freedom
    by_hand = stats.t.ppf(0.975, 8) * 2 * (spread / 8) ** 0.5
    assert row["high"] - row["effect"] == pytest.approx(by_hand, rel=1e-4)


def test_an_incomplete_design_is_refused():
    frame = made_up(lambda a, b, c: a)
    for part in (frame.iloc[:-1], frame[frame["a"] > 0], frame[frame["seed"] == 0]):
        with pytest.raises(ValueError, match="combinations"):
            effects(part, n_episodes=100)


def test_a_cell_runs_as_an_experiment(reports, fresh_keras, tiny):
    profile = load_profile(tiny)
    assert accuracies(profile).empty
    first = cells()[(False, True, False, True)]
    made = load_or_train(first, profile, seed=0)
    frame = accuracies(profile)
    assert frame[["batch_norm", "regularization", "learning_rate", "embedding"]].to_numpy().tolist() == [[-1, 1, -1, 1]]
    assert [found.run_id for found in find_cells(profile)] == [made.run_id]


def test_the_design_keeps_its_size_and_length_whatever_the_profile_of_omniglot():
    """Its runs are found again by any profile of Omniglot; drawn characters have the profile's own."""
    laptop = load_profile("laptop")
    next_one = laptop.model_copy(update={"image_size": 35, "iterations": 500})
    row = next(iter(cells().values()))
    assert run_folder(row, shortened(laptop), 0)[0].name == run_folder(row, shortened(next_one), 0)[0].name
    assert run_folder(row, laptop, 0)[0].name != run_folder(row, next_one, 0)[0].name
    assert shortened(load_profile("demo")) == load_profile("demo")


@pytest.fixture
def changed_design(tmp_path, monkeypatch):
    """A design of one's own, made of the project's and a change of it."""
    design = yaml.safe_load((params_dir() / "factorial.yaml").read_text())

    def use(**change):
        path = tmp_path / "factorial.yaml"
        path.write_text(yaml.safe_dump({**design, **change}))
        monkeypatch.setattr(factorial, "_path", lambda: path)
        load_factorial.cache_clear()
        return design["factors"]

    yield use
    load_factorial.cache_clear()


def test_a_slip_in_the_design_is_refused_and_not_passed_over(changed_design):
    """A misspelled length would leave the profile's own, and two factors of one name would be taken for one."""
    changed_design(on_omniglot={"iteration": 400})
    with pytest.raises(ParamsError, match=r"factorial\.yaml is not valid: iteration: unknown key"):
        shortened(load_profile("laptop"))
    factors = changed_design(on_omniglot={"iterations": 0})
    with pytest.raises(ParamsError, match=r"factorial\.yaml is not valid: iterations"):
        shortened(load_profile("laptop"))
    wrong = {"words": "without", "changes": {"batchnorm": False}}
    changed_design(factors=[{**factors[0], "low": wrong}, *factors[1:]])
    with pytest.raises(ParamsError, match=r"factorial\.yaml is not valid: recipe\.batchnorm: unknown key"):
        cells()
    changed_design(factors=[*factors, factors[0]])
    with pytest.raises(ParamsError, match="factor name used twice: batch_norm"):
        load_factorial()
