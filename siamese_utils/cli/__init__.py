"""The command line, `siamese`."""

from .app import main

__all__ = ["main"]
