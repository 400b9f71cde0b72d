"""Beyond the paper: the losses that its Section 5 and its related work name, and what a laptop can learn with them."""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    """Import a module of the wing when it is first used."""
    if name in ("analysis", "config", "faces", "losses", "plots", "published", "ranking", "study", "training"):
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
