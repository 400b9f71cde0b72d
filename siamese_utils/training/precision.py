"""In which precision a device computes convolutions: a choice of the device, like TF32 on a GPU, not of a run.

On a processor with bfloat16 instructions, TensorFlow's graph rewriter takes convolutions, matrix products and what lies
between them to bfloat16, with sums in float32; weights, losses and the optimizer stay in float32. Initial weights and
dropout masks are the same, other than under Keras' policy "mixed_bfloat16". It is recorded with every check and result.

No profile asks for it: BatchNorm's moving averages are summed in bfloat16, too, which rounds their small steps away,
and networks answer worse than they have learned to (docs/laptop.md).
"""

from __future__ import annotations

import warnings
from typing import Literal

from ..backend import keras, on_cpu
from .provenance import cpu_info

Convolutions = Literal["auto", "float32", "bfloat16"]
# among TensorFlow's experimental optimizer options
REWRITER = "auto_mixed_precision_onednn_bfloat16"
INSTRUCTIONS = {"avx512_bf16", "amx_bf16"}


def choose_convolutions(wanted: Convolutions = "auto") -> str:
    """Switch the rewriter on or off for the graphs that are built from now on, and return what is in use.

    "auto" takes bfloat16 where the processor has instructions for it. Where it has none, or TensorFlow on a CPU does
    not compute, float32 stays, and a warning of one line says so if bfloat16 was asked for by name.
    """
    able = _on_tensorflows_cpu() and bool(bfloat16_instructions())
    if wanted == "bfloat16" and not able:
        warnings.warn(
            "convolutions stay in float32: bfloat16 takes TensorFlow on a processor with avx512_bf16 or amx_bf16.",
            stacklevel=2,
        )
    chosen = "bfloat16" if able and wanted != "float32" else "float32"
    if _on_tensorflows_cpu():
        import tensorflow as tf

        tf.config.optimizer.set_experimental_options({REWRITER: chosen == "bfloat16"})
    return chosen


def convolutions_in_use() -> str:
    """Name the precision in use: "float32", "bfloat16", or "GPU default", which is TF32 where the GPU has it."""
    if not on_cpu():
        return "GPU default"
    if not _on_tensorflows_cpu():
        return "float32"
    import tensorflow as tf

    return "bfloat16" if tf.config.optimizer.get_experimental_options().get(REWRITER) else "float32"


def bfloat16_instructions() -> tuple[str, ...]:
    """List the processor's instruction sets that compute in bfloat16, as Linux names them; () elsewhere."""
    return tuple(sorted(INSTRUCTIONS.intersection(cpu_info("flags").split())))


def _on_tensorflows_cpu() -> bool:
    return keras.config.backend() == "tensorflow" and on_cpu()
