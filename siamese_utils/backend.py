"""Keras, imported when it is first asked for: `from .backend import keras, layers, ops`.

What its native code writes to stderr on every machine is left out: it tells of optional instructions and of GPUs that
are not there, comes before any log level is read, and would stand in every notebook and report. So would its advice
against retracing: whoever trains several models in one process has a new `predict` for each. All other warnings and
errors are not touched.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from .errors import EXTRAS, ParamsError

BACKENDS = ("tensorflow", "jax")


@contextmanager
def native_stderr_silenced() -> Iterator[None]:
    """Send file descriptor 2 to nowhere for a while; Python's own sys.stderr in a notebook is not affected."""
    saved = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


def _import_keras() -> Any:
    """Import Keras on its backend; ParamsError where KERAS_BACKEND names one that is not known or not installed."""
    name = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if name not in BACKENDS:
        raise ParamsError(f"KERAS_BACKEND is {name!r}: set it to {' or '.join(BACKENDS)}.")
    for module in (name, "keras"):
        if not find_spec(module):
            extra = EXTRAS[name]
            raise ParamsError(
                f"this needs `pip install siamese-utils[{extra}]`: KERAS_BACKEND is {name!r}, but {module} is not "
                "installed."
            )
    # a GPU's memory as it is needed, so that several runs fit onto one side by side
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    logger = logging.getLogger("tensorflow")
    logger.setLevel(logging.ERROR)
    logger.addFilter(lambda record: "retracing" not in record.getMessage())
    with native_stderr_silenced():
        import keras
    # Keras's defaults, whatever a user's ~/.keras/keras.json says: others make other networks, or none
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    return keras


def __getattr__(name: str) -> Any:
    if name not in ("keras", "layers", "ops"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    keras = _import_keras()
    globals().update(keras=keras, layers=keras.layers, ops=keras.ops)
    return globals()[name]


def on_cpu() -> bool:
    """Say whether Keras computes on a CPU, its backend having found no GPU."""
    return device() == "CPU"


def device() -> str:
    """Name what Keras computes on: a GPU's name, or "CPU"."""
    from .backend import keras

    if keras.config.backend() == "jax":
        import jax

        first = jax.devices()[0]
        return "CPU" if first.platform == "cpu" else str(first.device_kind)
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")) if gpus else "CPU"
