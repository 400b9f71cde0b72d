"""What others have published on Omniglot, protocol by protocol, and ours beside it under the protocols that we run."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

import pandas as pd
from pydantic import Field, model_validator

from ..config import Profile, Strict, checked, params_dir, read_yaml
from ..evidence.board import trained_on
from ..report.readme import seed_links
from ..text import listed
from ..training.runs import Run
from .config import Method, load_method, methods_of
from .training import find_method_run

Protocol = Literal["within_alphabet", "random_split", "strict"]
PRECISION = 1  # digits after the point, as published


class About(Strict):
    """A protocol: what a table of it is called, and what is measured."""

    title: str
    words: str


class Result(Strict):
    """One published figure: an error in % for within_alphabet, an accuracy in % otherwise."""

    protocol: Protocol
    name: str
    value: float = Field(ge=0, le=100)
    note: str
    source: str = Field(min_length=1)
    url: str = Field(pattern="^https?://")


class Published(Strict):
    """The whole of params/published.yaml."""

    protocols: dict[Protocol, About]
    results: tuple[Result, ...]

    @model_validator(mode="after")
    def _every_protocol_is_described(self) -> Published:
        if missing := sorted({result.protocol for result in self.results} - set(self.protocols)):
            raise ValueError(f"protocol without words: {', '.join(missing)}")
        return self


@lru_cache
def load_published(path: Path | None = None) -> Published:
    """The published figures; ParamsError where the file is not valid."""
    path = path or params_dir() / "published.yaml"
    return checked(Published, read_yaml(path), path)


def measured(protocol: str, runs: list[Run]) -> dict[str, list[float]]:
    """Each method's figures under the protocol in %, one a run: errors within alphabets, accuracies otherwise."""
    by_method: dict[str, list[float]] = {}
    for run in runs:
        for score in run.metrics["scores"]:
            if score["protocol"] == protocol:
                accuracy = 100 * score["accuracy"]
                value = 100 - accuracy if protocol == "within_alphabet" else accuracy
                by_method.setdefault(run.metrics["learner"], []).append(value)
    return by_method


def ours(protocol: Protocol, runs: list[Run]) -> list[dict]:
    """A line for each method scored under the protocol: the mean over its seeds, the lowest and the highest.

    Runs on built-in characters are left out: their figures do not belong beside those on Omniglot.
    """
    lines = []
    real = [run for run in runs if not run.metrics["dataset"]["synthetic"]]
    for name, values in measured(protocol, real).items():
        spread = f", seeds {min(values):.1f} to {max(values):.1f}" if len(values) > 1 else ", one seed"
        words = f"{load_method(name).title} (here{spread})"
        note, mean = trained_with(load_method(name)), sum(values) / len(values)
        lines.append({"name": words, "value": mean, "note": note, "source": "this companion"})
    return lines


def trained_with(method: Method) -> str:
    """What a method was trained with beyond the images as they are, and what it looks at when asked."""
    parts = {
        "rotated and mirrored classes" if method.mirrored_classes else "rotated classes": method.rotated_classes,
        "affine distortions": method.augmentation is not None,
        f"{method.looks} views of an image": method.looks > 1,
    }
    return listed([words for words, wanted in parts.items() if wanted])


def costs(runs: list[Run]) -> pd.DataFrame:
    """What each method took: image size in pixels, parameters, images seen, seconds of training (lowest to highest
    seed), processor."""
    lines: dict[str, dict] = {}
    for run in runs:
        found = run.metrics
        line = lines.setdefault(
            found["learner"],
            {
                "": load_method(found["learner"]).title,
                "image": f"{run.config['image_size']}×{run.config['image_size']}",
                "parameters": f"{found['parameters']:,}",
                "images seen": f"{found['images_seen']:,}",
                "seconds": [],
                "processor": found["provenance"].get("processor") or "unknown",
            },
        )
        line["seconds"].append(found["training_seconds"])
    for line in lines.values():
        low, high = min(line["seconds"]), max(line["seconds"])
        line["seconds"] = f"{low:.0f}" if round(low) == round(high) else f"{low:.0f} to {high:.0f}"
    return pd.DataFrame(list(lines.values()))


def beside(protocol: Protocol, runs: list[Run]) -> pd.DataFrame:
    """The published figures of one protocol with ours among them, the best first.

    Columns: what it is, its figure in %, a note, the source.
    """
    published = [
        {"name": r.name, "value": r.value, "note": r.note, "source": r.source}
        for r in load_published().results
        if r.protocol == protocol
    ]
    frame = pd.DataFrame([*published, *ours(protocol, runs)], columns=["name", "value", "note", "source"])
    frame = frame.sort_values("value", ascending=protocol == "within_alphabet", kind="stable")
    measure = "error in %" if protocol == "within_alphabet" else "accuracy in %"
    frame["value"] = [f"{value:.{PRECISION}f}" for value in frame["value"]]
    return frame.rename(columns={"name": "", "value": measure})


def markdown_table(profile: Profile) -> list[str]:
    """The methods beyond the paper on the evaluation set: a column a protocol, never an average over two of them."""
    lines = [
        f"Beyond the paper, trained on {profile.dataset.title()} and judged on alphabets that no choice was made on "
        f"(for both recipes it is the second look at them, see docs/design.md): lowest to highest of the seeds, "
        f"{profile.episodes:,} episodes each; the official runs ask 400 questions within alphabets.",
        "",
        "| method | trained in | author’s protocol, % | strict, % | official runs, error in % | seeds |",
        "|---|--:|--:|--:|--:|---|",
    ]
    for method in methods_of("final", profile):
        found = [find_method_run(method, profile, seed, "evaluation") for seed in profile.seeds]
        runs = [run for run in found if run]
        size = method.sized(profile).image_size
        seconds = span([run.metrics["training_seconds"] for run in runs], 0)
        cells = [
            f"{method.title}, {size}×{size}",
            f"{seconds} s, {trained_on(runs)}" if runs else seconds,
            *(
                span(measured(protocol, runs).get(method.name, []))
                for protocol in ("author", "strict", "within_alphabet")
            ),
            " ".join(seed_links(profile.name, "beyond", [run.run_id for run in runs])),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def span(values: list[float], digits: int = 1) -> str:
    """ "95.3–95.9", or "not run" for nothing."""
    if not values:
        return "not run"
    low, high = (f"{value:.{digits}f}" for value in (min(values), max(values)))
    return low if low == high else f"{low}–{high}"
