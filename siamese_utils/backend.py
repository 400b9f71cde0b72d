"""Keras, imported without the lines that TensorFlow's native code writes to stderr on every machine.

They tell of optional instructions and of GPUs that are not there, come before any log level is read, and would stand
in every notebook and report. Python's own warnings and errors are not touched.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


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


with native_stderr_silenced():
    import keras
    from keras import layers, ops

__all__ = ["keras", "layers", "native_stderr_silenced", "ops"]
