"""Keras, imported without the lines that TensorFlow's native code writes to stderr on every machine.

They tell of optional instructions and of GPUs that are not there, come before any log level is read, and would stand
in every notebook and report. So would TensorFlow's advice against retracing: whoever trains several models in one
process has a new `predict` for each. All other warnings and errors are not touched.
"""

from __future__ import annotations

import logging
import os

from .quiet import native_stderr_silenced

# a GPU's memory as it is needed, so that several runs fit onto one side by side
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

with native_stderr_silenced():
    import keras
    from keras import layers, ops

logging.getLogger("tensorflow").addFilter(lambda record: "retracing" not in record.getMessage())

__all__ = ["keras", "layers", "ops"]
