"""Shared fixtures: where the real dataset may be, a tiny profile, and a reports folder of a test's own."""

import os
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if (ROOT.parent / "shared" / "omniglot").is_dir():
    os.environ.setdefault("SIAMESE_DATA_DIR", str(ROOT.parent / "shared" / "omniglot"))

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what TensorFlow's own imports warn about is not ours to mend
    import keras

TINY = ROOT / "tests" / "profiles" / "tiny.yaml"


@pytest.fixture
def reports(tmp_path, monkeypatch):
    """An empty reports folder of the test's own."""
    monkeypatch.setenv("SIAMESE_REPORTS_DIR", str(tmp_path / "reports"))
    return tmp_path / "reports"


@pytest.fixture
def tiny():
    """A profile that trains in seconds."""
    from siamese_utils.params import load_profile

    return load_profile(TINY)


@pytest.fixture(scope="session")
def characters():
    """The built-in dataset at its native 105×105 pixels."""
    from siamese_utils.synthetic import draw_dataset

    return draw_dataset()


@pytest.fixture
def fresh_keras():
    """No layer names or memory left over from other tests."""
    keras.utils.clear_session()
