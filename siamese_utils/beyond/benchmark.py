"""The official one-shot benchmark of Omniglot: 20 runs of 20-way 1-shot within one alphabet.

Each run shows 20 characters of an evaluation alphabet, drawn by one person, and asks for the same 20 drawn by another.
Source: Lake, Salakhutdinov and Tenenbaum, Science 350 (2015); python/one-shot-classification/all_runs.zip of
https://github.com/brendenlake/omniglot.
"""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from .. import paths
from ..data import omniglot
from ..data.dataset import resize
from ..data.download import fetch
from ..errors import DataError
from ..evaluation.accuracy import Score, embed, similarity, wilson
from ..evaluation.episodes import Episodes, is_correct

if TYPE_CHECKING:
    import keras

NAME = "all_runs.zip"
RUNS, WAYS = 20, 20
# SHA-256 of the support's pixels, the queries' pixels and the targets, as `load` returns them
FINGERPRINT = "f073893d04685c9d2435d111ad25a04f64cc228e38025f42bb9964a68bda44b2"


@dataclass(frozen=True)
class OneShotRuns:
    """The benchmark's images and answers.

    support, queries  (runs, ways, size, size) uint8, 0 ink to 255 paper: one person's drawings, and another's
    targets           (runs, ways) int: which of the support each query shows
    """

    support: np.ndarray
    queries: np.ndarray
    targets: np.ndarray

    def resized(self, size: int) -> OneShotRuns:
        """Resize the runs to size × size pixels, area-averaged as training images are."""
        return OneShotRuns(resize(self.support, size), resize(self.queries, size), self.targets)


def load() -> OneShotRuns:
    """Load the 20 runs at 105 × 105 pixels, from all_runs.zip.

    The zip is in the folder that SIAMESE_DATA_DIR names, else in the cache, else downloaded. Raises DataError where it
    cannot be had, or holds anything other than the published runs.
    """
    # no MD5: what the zip holds is checked below
    path = _find() or fetch(
        f"{(os.environ.get('SIAMESE_OMNIGLOT_URL') or omniglot.URL).rstrip('/')}/one-shot-classification/{NAME}",
        paths.data_dir(),
        md5=None,
        instead=f"set SIAMESE_DATA_DIR to a folder that holds {NAME} beside Omniglot's two zips",
    )
    runs = read(path)
    if (found := fingerprint(runs)) != FINGERPRINT:
        raise DataError(
            f"{path} does not hold the published one-shot runs (fingerprint {found[:12]}, not {FINGERPRINT[:12]}): "
            f"remove it and get {NAME} from {omniglot.URL}/one-shot-classification."
        )
    return runs


def read(path: Path) -> OneShotRuns:
    """Decode the runs of a zip, whatever they hold; DataError where it is not a zip of runs."""
    support, queries, targets = [], [], []
    try:
        with zipfile.ZipFile(path) as archive:
            # Windows packs with \
            members = {info.filename.replace("\\", "/"): info for info in archive.infolist()}

            def content(name: str) -> bytes:
                if members[name].file_size > omniglot.LARGEST_FILE:
                    raise ValueError(f"{name} is too large")
                return archive.read(members[name])

            for number in range(1, RUNS + 1):
                folder = f"run{number:02}"
                labels = content(f"{folder}/class_labels.txt").decode().split()
                answers = dict(zip(labels[::2], labels[1::2], strict=True))
                shown = [f"{folder}/training/class{way:02}.png" for way in range(1, WAYS + 1)]
                asked = [f"{folder}/test/item{way:02}.png" for way in range(1, WAYS + 1)]
                support.append([_pixels(content(name)) for name in shown])
                queries.append([_pixels(content(name)) for name in asked])
                targets.append([shown.index(answers[name]) for name in asked])
    except omniglot.DAMAGED as error:
        raise DataError(
            f"{path} is damaged or does not hold the one-shot runs ({error}): get {NAME} from "
            f"{omniglot.URL}/one-shot-classification."
        ) from error
    return OneShotRuns(np.array(support), np.array(queries), np.array(targets))


def fingerprint(runs: OneShotRuns) -> str:
    """Compute the SHA-256 (hex) of pixels and answers."""
    digest = hashlib.sha256()
    for array in (runs.support, runs.queries, runs.targets.astype(np.uint8)):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def score_queries(runs: OneShotRuns, compare: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
    """Say which queries are answered correctly → (runs, ways) bool; a tie for the largest similarity is wrong.

    compare  queries (ways, size, size), support (ways, size, size) → similarities (ways, ways), a row a query
    """
    similarities = np.array([compare(*run) for run in zip(runs.queries, runs.support, strict=True)])
    # classes have no numbers here
    unnamed = np.empty((0, 2), int)
    episodes = Episodes(query=unnamed, support=unnamed, target=runs.targets.ravel(), protocol="strict")
    return is_correct(similarities.reshape(-1, WAYS, 1), episodes).reshape(runs.targets.shape)


def within_alphabet(model: keras.Model, runs: OneShotRuns) -> tuple[Score, np.ndarray]:
    """Score a siamese model over the 400 queries → score, and which it answered correctly, (runs, ways) bool.

    The runs are brought to the model's image size. The benchmark's error rate is 1 − accuracy.
    """

    def compare(queries: np.ndarray, support: np.ndarray) -> np.ndarray:
        left, right = embed(model, queries), embed(model, support)
        row, column = np.divmod(np.arange(len(left) * len(right)), len(right))
        return similarity(model, left[row], right[column]).reshape(len(left), len(right))

    correct = score_queries(runs.resized(model.input_shape[0][1]), compare)
    return wilson(int(correct.sum()), correct.size), correct


def _find() -> Path | None:
    """Find the zip where upstream and a download keep it; None where it is not."""
    folder = omniglot.find_source()
    inner = ("", "one-shot-classification", "python/one-shot-classification")
    places = [folder.expanduser() / place for place in inner] if folder else []
    for place in [*places, paths.data_dir()]:
        if (path := place / NAME).is_file():
            return path
        if path.is_dir():
            raise DataError(f"{path} is a folder, not the zip: put the zip there, or rename the folder.")
    return None


def _pixels(content: bytes) -> np.ndarray:
    """Decode one drawing → (105, 105) uint8, 0 ink to 255 paper; ValueError where it has another size."""
    with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
        pixels = np.asarray(image.convert("L"))
    if pixels.shape != (omniglot.SIZE, omniglot.SIZE):
        raise ValueError(f"a drawing of {pixels.shape[1]}×{pixels.shape[0]} pixels")
    return pixels
