"""Numbers and names in words, the same way in every table and caption."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .params import Profile


def dataset_words(profile: Profile) -> str:
    """ "Omniglot, 105×105 pixels"."""
    size = f"{profile.image_size}×{profile.image_size} pixels"
    name = "Omniglot" if profile.dataset == "omniglot" else "built-in drawn characters (not Omniglot)"
    return f"{name}, {size}"


def number(value: float | None, digits: int = 1) -> str:
    return "–" if value is None or np.isnan(value) else f"{value:.{digits}f}"


def signed(value: float) -> str:
    """ "+1.2" or "−3.4", with a real minus sign."""
    return f"{round(value, 1) + 0.0:+.1f}".replace("-", "−")


def mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return float(np.mean(found)) if found else None
