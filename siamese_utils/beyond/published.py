"""What others have published on Omniglot, protocol by protocol, and ours beside it under the protocols that we run."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import Field, model_validator

from ..config import Profile, params_dir
from ..evidence.board import trained_on
from ..report.readme import seed_links
from ..report.rendering import piece, render
from ..schema import Strict, checked, read_yaml
from ..text import how_many, listed, number
from ..training.runs import Run
from .config import Method, load_method, methods_of
from .runs import find_method_run

PublishedProtocol = Literal["within_alphabet", "random_split", "strict"]


class ProtocolText(Strict):
    """A protocol: the title of its table, and what its figures measure."""

    title: str
    words: str


class PublishedResult(Strict):
    """One published figure: an error in % for within_alphabet, an accuracy in % otherwise."""

    protocol: PublishedProtocol
    name: str
    value: float = Field(ge=0, le=100)
    note: str
    source: str = Field(min_length=1)
    url: str = Field(pattern="^https?://")


class Published(Strict):
    """The whole of params/published.yaml."""

    protocols: dict[PublishedProtocol, ProtocolText]
    results: tuple[PublishedResult, ...]

    @model_validator(mode="after")
    def _every_protocol_is_described(self) -> "Published":
        if missing := sorted({result.protocol for result in self.results} - set(self.protocols)):
            raise ValueError(f"protocol without words: {', '.join(missing)}")
        return self


@lru_cache
def load_published(path: Path | None = None) -> Published:
    """Load the published figures; ParamsError where the file is not valid."""
    path = path or params_dir() / "published.yaml"
    return checked(Published, read_yaml(path), path)


def runs_by_method(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """Group runs by their method's name, in the order in which they come."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.metrics["learner"], []).append(run)
    return groups


def figures_of(protocol: str, runs: Iterable[Run]) -> list[float]:
    """List the figures of runs under the protocol in %, as published: errors within alphabets, else accuracies."""
    scores = (score for run in runs for score in run.metrics["scores"] if score["protocol"] == protocol)
    accuracies = [100 * score["accuracy"] for score in scores]
    return [100 - value for value in accuracies] if protocol == "within_alphabet" else accuracies


def ours(protocol: PublishedProtocol, runs: Iterable[Run]) -> list[dict[str, Any]]:
    """Make a line for each method scored under the protocol: the mean over its seeds, the lowest and the highest.

    Runs on built-in characters are left out: their figures do not belong beside those on Omniglot.
    """
    lines = []
    for name, group in runs_by_method(run for run in runs if not run.metrics["dataset"]["synthetic"]).items():
        if figures := figures_of(protocol, group):
            method = load_method(name)
            seeds = f"{how_many(len(figures), 'seed')}: {span(figures)}" if len(figures) > 1 else "one seed"
            line = {"name": f"{method.title} (here, {seeds})", "value": sum(figures) / len(figures)}
            lines.append({**line, "note": training_note(method), "source": "this companion"})
    return lines


def training_note(method: Method) -> str:
    """Say what a method trains with beyond the images as they are, and its test-time augmentation."""
    parts = {
        "rotated and mirrored classes" if method.mirrored_classes else "rotated classes": method.rotated_classes,
        "affine distortions": method.augmentation is not None,
        f"test-time augmentation ({method.embeddings_averaged} copies of an image)": method.embeddings_averaged > 1,
    }
    return listed([words for words, wanted in parts.items() if wanted])


def costs(runs: Iterable[Run]) -> pd.DataFrame:
    """Tabulate what each method took: image size, parameters, images seen, seconds of training, processor."""
    lines = []
    for name, group in runs_by_method(runs).items():
        size, first = group[0].config["image_size"], group[0].metrics
        lines.append(
            {
                "": load_method(name).title,
                "image": f"{size}×{size}",
                "parameters": f"{first['parameters']:,}",
                "images seen": f"{first['images_seen']:,}",
                "seconds": span([run.metrics["training_seconds"] for run in group], 0),
                "processor": first["provenance"].get("processor") or "unknown",
            }
        )
    return pd.DataFrame(lines)


def beside(protocol: PublishedProtocol, runs: Iterable[Run]) -> pd.DataFrame:
    """Tabulate the published figures of one protocol with ours among them, the best first.

    Columns: what it is, its figure in %, a note, the source as a link.
    """
    columns = ["name", "value", "note", "source"]
    published = [
        {**dict(result), "source": piece("link", result.url, result.source)}
        for result in load_published().results
        if result.protocol == protocol
    ]
    frame = pd.DataFrame([*published, *ours(protocol, runs)], columns=columns)
    errors = protocol == "within_alphabet"
    frame = frame.sort_values("value", ascending=errors, kind="stable")
    frame["value"] = [number(value) for value in frame["value"]]
    return frame.rename(columns={"name": "", "value": "error in %" if errors else "accuracy in %"})


def markdown_table(profile: Profile) -> list[str]:
    """Tabulate the methods beyond the paper on the evaluation set: a column a protocol, no average over protocols."""
    rows = []
    for method in methods_of("final", profile):
        runs = [run for seed in profile.seeds if (run := find_method_run(method, profile, seed, "evaluation"))]
        rows.append(
            {
                "title": method.title,
                "size": method.sized(profile).image_size,
                "seconds": span([run.metrics["training_seconds"] for run in runs], 0),
                "machines": trained_on(runs),
                "figures": [span(figures_of(protocol, runs)) for protocol in ("author", "strict", "within_alphabet")],
                "links": seed_links(profile.name, "beyond", [run.run_id for run in runs]),
            }
        )
    return render("beyond.md.j2", {"profile": profile, "rows": rows}).splitlines()


def span(values: Sequence[float], digits: int = 1) -> str:
    """Write the lowest and the highest value: "95.3–95.9"; "95.3" where they are equal, "not run" for nothing."""
    if not values:
        return "not run"
    low, high = number(min(values), digits), number(max(values), digits)
    return low if low == high else f"{low}–{high}"
