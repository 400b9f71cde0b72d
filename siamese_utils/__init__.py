"""A reproducible companion to "Architectures for Siamese Neural Networks".

One idea a module, read in this order: `params` → `data`, `datasets` → `pairs` → `models` → `training` → `results` →
`episodes` and `evaluation` → `claims`, `evidence`, `verdicts` → `figures` and `tables` → `batch` → `report`.

The Keras backend is chosen here, before Keras is first imported: TensorFlow unless KERAS_BACKEND says otherwise.
"""

import logging
import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# it advises against compiling again for every new model and batch size, which here is what is meant
logging.getLogger("tensorflow").setLevel(logging.ERROR)

__version__ = "0.1.0"
