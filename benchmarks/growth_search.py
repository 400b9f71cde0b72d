"""Search among many embeddings: drawn characters by a shipped network, exact and approximate neighbours by Faiss.

Faiss is this benchmark's alone: the package does without. One step is one process, see growth.py.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from side_by_side import memory, now, since

# drawings of each class: one is the query, the others are stored
DRAWINGS = 8
# links of a node, and candidates while they are made
HNSW_NEIGHBOURS, HNSW_BUILD = 16, 64
# queries at once
AT_ONCE = 500
# queries of a search, each of another class
QUERIES = 2_000
# seconds that a search is repeated for, at least
SECONDS = 2.0
# characters that an alphabet has at least
ALPHABET = 12
# the small one of the shipped networks: 256 numbers an image, where the default has 6,912
NETWORK = "reports/laptop/beyond/beyond-3-minutes-validation-s0-582542c223/shipped.keras"


def embed_drawings(folder: Path, classes: int) -> dict[str, Any]:
    """Draw so many classes and embed them → embeddings.npy, (classes, DRAWINGS, d) float32 of length 1."""
    from siamese_utils import OneShot
    from siamese_utils.data.synthetic import draw_dataset
    from siamese_utils.evaluation.accuracy import embed
    from siamese_utils.paths import project_root

    model = OneShot.load(project_root() / NETWORK)
    images = draw_dataset(model.size, (-(-classes // ALPHABET), 1), DRAWINGS).train.images[:classes]
    begun = time.perf_counter()
    found = embed(model.model, images.reshape(-1, model.size, model.size))
    seconds = time.perf_counter() - begun
    # the network compares directions: with vectors of length 1, the nearest is the most alike
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    np.save(folder / "embeddings.npy", found.reshape(classes, DRAWINGS, -1))
    return {
        "classes": classes,
        "images": len(found),
        "dimensions": found.shape[1],
        "ms an image": 1e3 * seconds / len(found),
    }


def one_shot(folder: Path) -> dict[str, Any]:
    """Measure how often the query's class has the nearest of the supports, one image of each class."""
    found = np.load(folder / "embeddings.npy")
    query, support = found[:, 0], found[:, 1]
    correct = 0
    for start in range(0, len(query), AT_ONCE):
        alike = query[start : start + AT_ONCE] @ support.T
        correct += int((alike.argmax(axis=1) == np.arange(start, start + len(alike))).sum())
    return {"ways": len(query), "correct": correct, "accuracy": correct / len(query)}


def stored_and_queries(folder: Path, vectors: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Return what is searched, (n, d), and what for, (classes, d); vectors beyond the drawings are disturbed copies.

    A copy is a drawing's embedding and noise as long as two drawings of a class are apart, on average.
    """
    found = np.load(folder / "embeddings.npy", mmap_mode="r")
    query = np.ascontiguousarray(found[:, 0])
    real = np.ascontiguousarray(found[:, 1:]).reshape(-1, found.shape[-1])
    if vectors is None or vectors <= len(real):
        return real[:vectors], query
    spread = float(np.sqrt(np.square(found[:, 1] - found[:, 2]).sum(axis=1).mean() / found.shape[-1]))
    rng, stored = np.random.default_rng(0), np.empty((vectors, real.shape[1]), np.float32)
    for start in range(0, vectors, len(real)):
        block = stored[start : start + len(real)]
        block[:] = real[: len(block)]
        if start:
            block += spread * rng.standard_normal(block.shape, np.float32)
            block /= np.linalg.norm(block, axis=1, keepdims=True)
    return stored, query


def indexes(dimensions: int, vectors: int) -> dict[str, tuple[Any, str, list[int]]]:
    """Make the indexes: kind → a Faiss index, the name of its search parameter, and the values to try."""
    import faiss

    cells = max(4, round(2 * vectors**0.5))
    quantizer = faiss.IndexFlatIP(dimensions)
    cellwise = faiss.IndexIVFFlat(quantizer, dimensions, cells, faiss.METRIC_INNER_PRODUCT)
    cellwise.cp.max_points_per_centroid, cellwise.cp.niter = 40, 10
    graph = faiss.IndexHNSWFlat(dimensions, HNSW_NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = HNSW_BUILD
    return {
        "exact": (faiss.IndexFlatIP(dimensions), "", [0]),
        "cells": (cellwise, "nprobe", [n for n in (1, 2, 4, 8, 16, 32, 64, 128, 256) if n <= cells]),
        "graph": (graph, "efSearch", [8, 16, 32, 64, 128, 256, 512]),
    }


def search(folder: Path, kind: str, vectors: int | None = None) -> Iterator[dict[str, Any]]:
    """Build an index, ask it by every value → a line each; `exact` keeps the answers that others are held to."""
    import faiss

    stored, query = stored_and_queries(folder, vectors)
    index, parameter, values = indexes(stored.shape[1], len(stored))[kind]
    before, begun = memory(), now()
    if kind == "cells":
        index.train(stored)
    index.add(stored)
    built, held = since(begun), memory() - before
    exact = folder / f"exact-{len(stored)}.npy"
    asked_for = np.arange(0, len(query), max(1, len(query) // QUERIES))
    classes, per_class, query = len(query), DRAWINGS - 1, query[asked_for]
    for value in values:
        if kind == "cells":
            index.nprobe = value
        elif kind == "graph":
            index.hnsw.efSearch = value
        answers, asked, begun = [], 0, now()
        while (took := since(begun)).seconds < SECONDS or len(answers) * AT_ONCE < len(query):
            start = asked % len(query)
            answers.append(index.search(query[start : start + AT_ONCE], 1)[1][:, 0])
            asked += len(answers[-1])
        nearest = np.concatenate(answers)[: len(query)]
        if kind == "exact":
            np.save(exact, nearest)
        yield {
            "index": kind,
            "vectors": len(stored),
            "drawings": min(len(stored), classes * per_class),
            "queries": len(query),
            "dimensions": stored.shape[1],
            "parameter": parameter,
            "value": value or None,
            "recall@1": float((nearest == np.load(exact)).mean()),
            "right class": float((nearest % (classes * per_class) // per_class == asked_for).mean()),
            "queries/s": asked / took.seconds,
            # processor time is counted in hundredths of a second
            "queries/processor s": asked / max(took.seconds * took.cores, 0.01),
            "build s": built.seconds,
            "build processor s": built.seconds * built.cores,
            "index MiB": held,
            "threads": faiss.omp_get_max_threads(),
        }
