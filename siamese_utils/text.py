"""Numbers and names in words, the same way in every table and caption."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isnan
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .config import Profile

# an interval is not broken over two lines
JOIN = "\u2060"


def dataset_words(profile: Profile, sizes: Iterable[int] = ()) -> str:
    """Describe the data: "Omniglot, 105×105 pixels"; sizes: pixels a side, where they are not the profile's."""
    size = f"{listed(f'{side}×{side}' for side in sorted(set(sizes)) or [profile.image_size])} pixels"
    name = "Omniglot" if profile.dataset == "omniglot" else "built-in drawn characters (not Omniglot)"
    return f"{name}, {size}"


def number(value: float | None, digits: int = 1) -> str:
    return "–" if value is None or isnan(value) else f"{value:.{digits}f}"


def signed(value: float, digits: int = 1) -> str:
    """Write a number with its sign: "+1.2" or "−3.4", with a real minus sign."""
    return f"{round(value, digits) + 0.0:+.{digits}f}".replace("-", "−")


def how_many(count: int, noun: str) -> str:
    """Write a count with its noun: "1 run", "3 runs"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def seed_words(seeds: Sequence[int]) -> str:
    """Name seeds: "seed 0", "seeds 0, 1, 2"."""
    return f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(map(str, seeds))}"


def shortened(name: str, longest: int) -> str:
    """Cut a name that would not fit to so many letters: "Inuktitut (Cana…"."""
    return name if len(name) <= longest else f"{name[: longest - 1].rstrip(' (')}…"


def device_words(origin: dict[str, Any]) -> str:
    """Say on what a run was trained, by its provenance: "TensorFlow on CPU", "JAX on NVIDIA H100"."""
    backend = {"tensorflow": "TensorFlow", "jax": "JAX"}.get(origin.get("backend", ""), "an unknown backend")
    return f"{backend} on {origin.get('device') or 'an unknown device'}"


def duration(seconds: float) -> str:
    """Write seconds in words: "48 s", "3 min 20 s", "2 h 05 min"."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
    return f"{minutes // 60:,} h {minutes % 60:02d} min"


def listed(words: Iterable[str]) -> str:
    """Join words as a list: "one", "one and two", "one, two and three"."""
    *most, last = list(words) or [""]
    return f"{', '.join(most)} and {last}" if most else last


def named(words: Iterable[str], most: int = 10, mark: str = ", ") -> str:
    """Name the first of many: "a.png, b.png and 3 more"."""
    every = list(words)
    rest = f" and {len(every) - most:,} more" if len(every) > most else ""
    return mark.join(every[:most]) + rest


def on_one_line(text: str) -> str:
    """Put text of unknown origin on one line, without what a terminal would obey."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def printable(name: str) -> str:
    """Write a file's name as it can be printed and stored: bytes of it that are no UTF-8 as "\\xe9"."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
