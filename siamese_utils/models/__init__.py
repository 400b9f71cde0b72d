"""The paper's networks as Keras models, built from a row of the experiment matrix."""
