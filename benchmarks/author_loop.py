"""The author's way of training and checking, as it is described: images handled one by one, a `predict` an episode.

Written anew from what the paper and the author's public notebook do; no code of theirs is here. The layers are this
package's own, so that only the loop differs. XLA is off, as it was in the author's Keras and as it is faster here.
"""

import numpy as np

from siamese_utils.backend import keras
from siamese_utils.config import Experiment, Profile
from siamese_utils.models import siamese as models


def build(experiment: Experiment, profile: Profile) -> keras.Model:
    """Build the network of `models.siamese.build_model` with inputs of floating-point images."""
    built = models.build_model(experiment, profile)
    stack = built.get_layer("backbone").layers[1:]
    pixels = features = keras.Input((profile.image_size, profile.image_size, 1))
    for layer in stack:
        features = layer(features)
    backbone = keras.Model(pixels, features)
    left, right = keras.Input(pixels.shape[1:]), keras.Input(pixels.shape[1:])
    distance = built.get_layer("l1_distance")([backbone(left), backbone(right)])
    model = keras.Model([left, right], built.get_layer("similarity")(distance))
    models.compile_model(model, experiment.recipe, profile)
    return model


def batch(rng: np.random.Generator, images: np.ndarray, pairs: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Draw [left, right] (pairs, size, size, 1) float64 and labels (pairs, 1): negative, then positive, half each."""
    classes, drawers, height, width = images.shape
    left, right = np.zeros((pairs, height, width, 1)), np.zeros((pairs, height, width, 1))
    labels = np.zeros((pairs, 1))
    for number, character in enumerate(rng.choice(classes, pairs, replace=False)):
        other = character
        if number < pairs // 2:
            other = (character + rng.integers(1, classes)) % classes
        left[number] = images[character, rng.integers(drawers)].reshape(height, width, 1)
        right[number] = images[other, rng.integers(drawers)].reshape(height, width, 1)
        labels[number] = other == character
    return [left, right], labels


def episode(rng: np.random.Generator, model: keras.Model, images: np.ndarray, ways: int = 20) -> bool:
    """Answer one episode: a query of the first of the classes, drawn with replacement, beside an image of each."""
    classes, drawers, height, width = images.shape
    left, right = np.zeros((ways, height, width, 1)), np.zeros((ways, height, width, 1))
    characters = rng.integers(classes, size=ways)
    query = images[characters[0], rng.integers(drawers)]
    for number, character in enumerate(characters):
        left[number] = query.reshape(height, width, 1)
        right[number] = images[character, rng.integers(drawers)].reshape(height, width, 1)
    return model.predict([left, right], verbose=0).argmax() == 0
