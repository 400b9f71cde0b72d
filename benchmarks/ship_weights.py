"""Weights small enough for the repository: `shipped.keras`, a common model file that keeps them in half precision."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import h5py
import numpy as np

from siamese_utils.files import replacing
from siamese_utils.training.integrity import record_sums
from siamese_utils.training.runs import SHIPPED, Run


def ship(run: Run) -> Path:
    """Write a run's trained model as `shipped.keras` beside its results; float32 again once loaded, values rounded.

    Raises ResultsError where its weights are not here.
    """
    path, whole = run.folder / SHIPPED, io.BytesIO()
    # without the optimizer, whose state is twice as large as the weights
    model = run.model(compile=False)
    saved = run.folder / f"{SHIPPED}.part.keras"
    try:
        model.save(saved)
        with zipfile.ZipFile(saved) as archive, zipfile.ZipFile(whole, "w") as target:
            for member in archive.infolist():
                content = archive.read(member)
                target.writestr(member, _halved(content) if member.filename.endswith(".h5") else content)
    finally:
        saved.unlink(missing_ok=True)
    with replacing(path) as part:
        part.write_bytes(whole.getvalue())
    record_sums(run.folder, SHIPPED)
    return path


def _halved(content: bytes) -> bytes:
    """Write an HDF5 file again with every float32 array as float16."""
    halved = io.BytesIO()
    with h5py.File(io.BytesIO(content)) as source, h5py.File(halved, "w") as target:

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Dataset):
                values = item[()]
                values = values.astype(np.float16) if values.dtype == np.float32 else values
                packed = {"compression": "gzip", "shuffle": True} if values.size > 1000 else {}
                made = target.create_dataset(name, data=values, **packed)
            else:
                made = target.require_group(name)
            made.attrs.update(item.attrs)

        source.visititems(copy)
    return halved.getvalue()
