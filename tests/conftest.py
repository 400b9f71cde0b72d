"""Shared fixtures: real data for the tests that are marked for it, a tiny profile, a reports folder of a test's own."""

import os
import warnings
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import Phase, settings

ROOT = Path(__file__).resolve().parents[1]

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what TensorFlow's own imports warn about is not ours to mend
    import keras

pytest_plugins = ["no_network"]
settings.register_profile(
    "mutants", phases=[Phase.explicit, Phase.generate]
)  # one failure is enough: see `make mutants`

TINY = ROOT / "tests" / "profiles" / "tiny.yaml"


NO_DATA = "no real Omniglot: set SIAMESE_DATA_DIR to a folder that holds its two zips, or get them by `siamese data`"


@pytest.fixture(scope="session", autouse=True)
def _a_machine_without_data(tmp_path_factory):
    """No variable of the caller's, and no data that the checkout holds, takes part in a test → what real data there is.

    The variables that lead to Omniglot: the caller's, or the packed cache of the checkout; None where it is not here.
    """
    given = {name: os.environ.get(name, "") for name in ("SIAMESE_DATA_DIR", "SIAMESE_CACHE_DIR", "SIAMESE_FACES_DIR")}
    cache = Path(given["SIAMESE_CACHE_DIR"] or ROOT / "data").expanduser().resolve()
    packed = (cache / "omniglot.npz").is_file()
    with pytest.MonkeyPatch.context() as patch:
        for name in (*given, "SIAMESE_REPORTS_DIR", "SIAMESE_HOME", "SIAMESE_OMNIGLOT_URL"):
            patch.delenv(name, raising=False)
        patch.setenv("SIAMESE_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        if given["SIAMESE_DATA_DIR"] or packed:
            place = str(cache) if packed else os.environ["SIAMESE_CACHE_DIR"]
            yield {**given, "SIAMESE_CACHE_DIR": place}
        else:
            yield None


@pytest.fixture(autouse=True)
def _real_data(request, monkeypatch, _a_machine_without_data):
    """For a test marked `real_data`: the way to Omniglot, or a skip that says how to get it."""
    if request.node.get_closest_marker("real_data"):
        if _a_machine_without_data is None:
            pytest.skip(NO_DATA)
        for name, value in _a_machine_without_data.items():
            monkeypatch.setenv(name, value)


@pytest.fixture(scope="session", autouse=True)
def _built_in_characters_drawn_once():
    """Drawing them takes longer than training the tiny profile on them; `draw_dataset` itself draws anew."""
    from siamese_utils.data import load, synthetic

    drawn = SimpleNamespace(
        draw_dataset=lru_cache(synthetic.draw_dataset), GENERATOR_VERSION=synthetic.GENERATOR_VERSION
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load, "synthetic", drawn)
        yield


@pytest.fixture
def reports(tmp_path, monkeypatch):
    """An empty reports folder of the test's own."""
    monkeypatch.setenv("SIAMESE_REPORTS_DIR", str(tmp_path / "reports"))
    return tmp_path / "reports"


@pytest.fixture
def wide(monkeypatch):
    """A terminal with room for every table: rich reads COLUMNS once, when it is imported."""
    from siamese_utils.cli.shared import out

    monkeypatch.setattr(out, "_width", 300)


@pytest.fixture
def tiny():
    """A profile that trains in seconds."""
    from siamese_utils.config import load_profile

    return load_profile(TINY)


@pytest.fixture(scope="session")
def characters():
    """The built-in dataset at its native 105×105 pixels."""
    from siamese_utils.data.synthetic import draw_dataset

    return draw_dataset()


@pytest.fixture
def fresh_keras():
    """No layer names or memory left over from other tests."""
    keras.utils.clear_session()
