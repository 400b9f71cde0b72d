"""Muon for convolution kernels: it steps in all directions of a kernel at once, where AdamW weighs single numbers."""

from typing import Any

from ..backend import keras, ops

# of the Newton–Schulz iteration
STEPS = 5
# of its quintic, chosen by its author for a steep slope at 0
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
TINY = 1e-7
# of an update's numbers at learning rate 1, about that of AdamW's
RMS = 0.2


@keras.saving.register_keras_serializable(package="siamese_utils")
class Muon(keras.optimizers.AdamW):
    """AdamW for vectors and Dense kernels; Muon, at `ratio` times the learning rate, for convolution kernels.

    A kernel (h, w, in, out) is a matrix (h · w · in, out) here. Its gradients G are gathered in a momentum,
    B ← μB + G, and G + μB is replaced by the nearest matrix with all singular values 1, about.

    Source: K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; the size of an update as
    in J. Liu et al., "Muon is scalable for LLM training", 2025. Keras has Muon too, for matrices alone.
    """

    def __init__(self, learning_rate: Any = 0.001, ratio: float = 1.0, momentum: float = 0.95, **options: Any):
        super().__init__(learning_rate, **options)
        self.ratio, self.momentum = ratio, momentum

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable by its gradient, as Keras's optimizers do."""
        if len(variable.shape) != 4:
            super().update_step(gradient, variable, learning_rate)
            return
        gathered = self._momentums[self._get_variable_index(variable)]
        self.assign(gathered, self.momentum * gathered + gradient)
        direction = ops.reshape(gradient + self.momentum * gathered, (-1, variable.shape[-1]))
        scale = RMS * max(direction.shape) ** 0.5 * self.ratio * ops.cast(learning_rate, variable.dtype)
        self.assign_sub(variable, ops.reshape(scale * orthogonalized(direction), variable.shape))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "ratio": self.ratio, "momentum": self.momentum}


def orthogonalized(matrix: Any) -> Any:
    """Bring the singular values of a matrix (n, m) near 1, its singular vectors kept, by a Newton–Schulz iteration.

    Its quintic a·σ + b·σ³ + c·σ⁵ takes every σ in (0, 1] to about 0.7 to 1.2, but for the very smallest. A long matrix
    costs no more than its Gram matrix: all steps are polynomials of that, and commute.
    """
    a, b, c = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    gram = ops.matmul(ops.transpose(matrix), matrix) if tall else ops.matmul(matrix, ops.transpose(matrix))
    # no singular value is larger
    size = ops.sqrt(ops.trace(gram)) + TINY
    identity = ops.eye(gram.shape[0])
    square, factor = gram / ops.square(size), identity / size
    for _ in range(STEPS):
        quintic = a * identity + b * square + c * ops.matmul(square, square)
        square, factor = ops.matmul(ops.matmul(quintic, square), quintic), ops.matmul(quintic, factor)
    return ops.matmul(matrix, factor) if tall else ops.matmul(factor, matrix)
