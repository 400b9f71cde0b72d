"""Ten training steps in a process of their own, under a backend and a precision of the caller's choice."""

import json
import os
import subprocess
import sys

from conftest import ROOT, TINY

TEN_STEPS = """
import json, sys
import numpy as np
import siamese_utils
import keras
from siamese_utils.models import siamese as models
from siamese_utils.training import intervals, loop as training, precision
from siamese_utils.config import LearningRate, load_experiment, load_profile
from siamese_utils.data.load import load_dataset

folder = sys.argv[1]
profile = load_profile(sys.argv[2])
if sys.argv[3:] == ["bfloat16"]:
    precision.bfloat16_instructions = lambda: ("avx512_bf16",)
    assert precision.choose_convolutions("auto") == "bfloat16"
experiment = load_experiment("without-dropout")
slow = experiment.recipe.model_copy(update={"learning_rate": LearningRate(initial=0.001)})
model = models.build_model(experiment.model_copy(update={"recipe": slow}), profile)
weights = np.random.default_rng(0)
model.set_weights([w if w.ndim < 2 else weights.normal(0, 0.05, w.shape) for w in model.get_weights()])
split = load_dataset(profile).train
train = intervals.interval_of(model, split.images)
losses = train(*training.pairs_of_steps(split, 0, 128, 0, 1)).tolist()
norm = model.get_layer("backbone").get_layer("norm_1").get_weights()[2]
losses += train(*training.pairs_of_steps(split, 0, 128, 1, 10)).tolist()
foreign = sorted({"tensorflow", "jax", "ipykernel", "papermill"} & set(sys.modules))
json.dump({"losses": losses, "norm": norm.tolist(), "imported": foreign}, open(folder, "w"))
"""


def ten_steps(backend, tmp_path, *, force_bfloat16=False):
    """Ten steps from the same weights on the same batches, in a process of their own."""
    out = tmp_path / f"{backend}.json"
    subprocess.run(
        [sys.executable, "-c", TEN_STEPS, str(out), str(TINY), *(["bfloat16"] if force_bfloat16 else [])],
        check=True,
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"},
    )
    return json.loads(out.read_text())
