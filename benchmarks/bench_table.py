"""What bench.py found as a table, with what is computed from it, the goals, and a figure."""

import csv
import statistics
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from side_by_side import Turn, short

from siamese_utils.config import Profile, load_experiment
from siamese_utils.report.plots import style

# what is measured, and by which way
Key = tuple[str, str]

WAYS = {
    "author": "the author’s loop",
    "float32": "this package, float32",
    "bfloat16": "this package, bfloat16 convolutions",
    "torch": "PyTorch, channels last, bfloat16 autocast",
}
OTHERS = {
    "cold": "cold, from the archives",
    "warm": "warm, from the packed cache",
    "first step": "start to the first training step",
    "report": "siamese report, laptop profile",
    "help": "siamese --help",
    "import": "import siamese_utils",
}
ROWS: list[Key] = [
    *(("product", way) for way in ("float32", "bfloat16")),
    *(("step", way) for way in WAYS),
    ("episode", "author"),
    *((measure, way) for measure in ("check", "many") for way in ("float32", "bfloat16")),
    *(("interval", way) for way in ("author", "float32", "bfloat16")),
    *(("load", way) for way in ("cold", "warm")),
    *(("process", way) for way in ("first step", "report", "help", "import")),
]
LIMITS = {"author": "float32", "float32": "float32", "bfloat16": "bfloat16", "torch": "bfloat16"}


class Comparison(NamedTuple):
    """Seconds of one row, or of another over it; at most or at least the goal, or without one."""

    words: str
    of: Key
    over: Key | None = None
    most: float | None = None
    least: float | None = None


COMPARISONS = (
    Comparison("a step: float32 / bfloat16", ("step", "bfloat16"), ("step", "float32"), least=1.45),
    Comparison("a step with bfloat16 convolutions, s", ("step", "bfloat16"), most=1.2),
    Comparison("an interval with bfloat16 convolutions, s", ("interval", "bfloat16"), most=135),
    Comparison("an interval: author’s loop / bfloat16", ("interval", "bfloat16"), ("interval", "author"), least=2.5),
    Comparison("a step: PyTorch / bfloat16", ("step", "bfloat16"), ("step", "torch"), least=1),
    Comparison("a step: author’s loop / float32", ("step", "float32"), ("step", "author")),
    Comparison("an interval: author’s loop / float32", ("interval", "float32"), ("interval", "author")),
    Comparison("loading Omniglot: cold / warm", ("load", "warm"), ("load", "cold")),
)


@dataclass
class Found:
    """What was measured, why some ways were not, and what the workers said of the machine and the network."""

    turns: dict[Key, list[Turn]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


def write(found: Found, profile: Profile, out: Path) -> None:
    """Write bench.csv, goals.csv, bench.md and bench.png into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    origin = provenance(found)
    lines = rows(found, profile)
    seconds = {key: line["seconds"] for key, line in zip(ROWS, lines, strict=True)}
    goals = [judged(comparison, seconds) for comparison in COMPARISONS]
    for name, table in (("bench", lines), ("goals", goals)):
        with open(out / f"{name}.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [*table[0], *origin], lineterminator="\n")
            writer.writeheader()
            writer.writerows({key: short(value) for key, value in (line | origin).items()} for line in table)
    (out / "bench.md").write_text(markdown(lines, goals, found, profile, origin), encoding="utf-8")
    (out / "bench.png").write_bytes(style.to_png(figure(found, profile, lines)))


def provenance(found: Found) -> dict[str, str]:
    """Say where every figure comes from."""
    facts = found.facts
    versions = {"python": facts["python"], **facts["packages"]}
    if "torch" in facts:
        versions["torch"] = facts["torch"]
    return {
        "data": facts["data"],
        "processor": f"{facts['processor']}, {facts['cores']} cores",
        "bfloat16 instructions": " ".join(facts["instructions"]) or "none",
        "device": facts["device"],
        "commit": f"{facts['commit'] or 'unknown'}{', modified' if facts['modified'] else ''}",
        "versions": " ".join(f"{name} {version}" for name, version in versions.items()),
        "date": datetime.now(timezone.utc).date().isoformat(),
    }


def rows(found: Found, profile: Profile) -> list[dict[str, Any]]:
    """Make a line for each of ROWS; None where there is nothing, with a note why."""
    medians = {key: statistics.median(turn.seconds for turn in turns) for key, turns in found.turns.items()}
    medians |= intervals(medians, profile)
    lines = []
    for key in ROWS:
        measure, way = key
        turns = found.turns.get(key, [])
        rate = limit = None
        if key in medians and measure in ("product", "step"):
            work = found.facts["flop"] if measure == "step" else 2 * found.facts["matrix"] ** 3
            rate = work / medians[key] / 1e9
        if rate and measure == "step" and ("product", LIMITS[way]) in medians:
            limit = rate * 1e9 * medians["product", LIMITS[way]] / (2 * found.facts["matrix"] ** 3)
        note = "" if key in medians else found.skipped[way]
        if measure == "interval" and key in medians:
            note = "computed from the medians of its parts"
        lines.append(
            {
                "measure": words(measure, found, profile),
                "way": way if measure == "product" else (WAYS | OTHERS)[way],
                "seconds": medians.get(key),
                "lowest": min((turn.seconds for turn in turns), default=None),
                "highest": max((turn.seconds for turn in turns), default=None),
                "repeats": len(turns) or None,
                "cores at work": statistics.median(turn.cores for turn in turns) if turns else None,
                "peak MiB": round(max(turn.peak for turn in turns)) if turns else None,
                "GFLOP/s": rate,
                "share of the limit": limit,
                "note": note,
            }
        )
    return lines


def intervals(medians: dict[Key, float], profile: Profile) -> dict[Key, float]:
    """Compute seconds from one check to the next, the check on both splits included, where all parts were measured."""
    found = {}
    for way, check, checks in (
        ("author", ("episode", "author"), 2 * profile.check_episodes),
        ("float32", ("check", "float32"), 2),
        ("bfloat16", ("check", "bfloat16"), 2),
    ):
        if ("step", way) in medians and check in medians:
            found["interval", way] = profile.check_every * medians["step", way] + checks * medians[check]
    return found


def judged(comparison: Comparison, seconds: dict[Key, float | None]) -> dict[str, Any]:
    """Compute the comparison's figure and say whether its goal is met."""
    value = seconds[comparison.of]
    if comparison.over is not None:
        over = seconds[comparison.over]
        value = over / value if over is not None and value is not None else None
    goal, verdict = "", "no goal"
    if comparison.most is not None:
        goal = f"at most {comparison.most:g}"
        verdict = "met" if value is not None and value <= comparison.most else "not met"
    if comparison.least is not None:
        goal = f"at least {comparison.least:g}"
        verdict = "met" if value is not None and value >= comparison.least else "not met"
    if value is None:
        verdict = "cannot be told here"
    return {"comparison": comparison.words, "figure": value, "goal": goal, "verdict": verdict}


def words(measure: str, found: Found, profile: Profile) -> str:
    side = found.facts["matrix"]
    return {
        "product": f"product of two {side:,}×{side:,} matrices",
        "step": "training step",
        "episode": "an episode of the author’s check",
        "check": f"check of {profile.check_episodes:,} episodes",
        "many": f"check of {profile.episodes:,} episodes",
        "interval": f"{profile.check_every:,} steps and their check",
        "load": "loading Omniglot",
        "process": "whole process",
    }[measure]


def markdown(
    lines: list[dict[str, Any]], goals: list[dict[str, Any]], found: Found, profile: Profile, origin: dict[str, str]
) -> str:
    """Write the tables for readers, and how their figures came about."""

    def table(of: list[dict[str, Any]]) -> str:
        left = {"measure", "way", "note", "comparison", "goal", "verdict"}
        head = [list(of[0]), ["---" if name in left else "--:" for name in of[0]]]
        body = [[short(value) for value in line.values()] for line in of]
        return "\n".join(f"| {' | '.join(cells)} |" for cells in head + body)

    pairs = profile.batch_size or load_experiment("baseline").recipe.batch_size
    size, episodes = profile.image_size, profile.check_episodes
    place = "; ".join(f"{name}: {value}" for name, value in origin.items())
    full = "**In miniature.** The goals are for the full protocol: what is said of them here shows the form only.\n\n"
    if profile.image_size == 105 and profile.padding == "valid":
        full = ""
    return f"""# Speed, measured side by side

Made by `benchmarks/bench.py` in {found.facts["minutes"]:.1f} minutes; do not edit. {place}.

Profile `{profile.name}`: images of {size}×{size} pixels, the baseline, a batch of {pairs} pairs.

![Seconds of a training step, of an interval with its check, the share of the machine's limit, and the rest](bench.png)

{full}{table(goals)}

“cannot be told here”: a part was not measured, for the reason that the table below notes.

{table(lines)}

- Seconds are medians, with the lowest and the highest; the ways took turns, each in a process of its own.
  Steps are timed {found.facts["steps"]} at a time. “peak MiB” is the most that the process had held by then.
- “cores at work” are seconds of processor per second of clock. Where a training step or a product of matrices keeps far
  fewer cores at work than there are, something else ran beside it, and its seconds say little.
- {profile.check_every:,} steps and their check are computed from the medians of measured parts: {profile.check_every:,}
  training steps, and {episodes:,} episodes on each of two splits, which is {2 * episodes:,} of the author’s episodes or
  two of this package’s checks. No such interval was run as a whole.
- The author’s loop is written anew from its description, on this package’s layers, XLA off: batches put together image
  by image, one `predict` an episode.
- A step’s operations are those of the backbone’s kernels, forward and back, counted from the layers:
  {found.facts["flop"] / 1e9:.4g} billion. The limit is what TensorFlow’s matrix product reaches here in the same
  precision.
"""


@style.styled
def figure(found: Found, profile: Profile, lines: list[dict[str, Any]]) -> Figure:
    """Draw steps, intervals, the share of the limit, and everything else; a thin line from lowest to highest."""
    by_key = dict(zip(ROWS, lines, strict=True))
    drawn = Figure(figsize=(style.WIDTH, 6.4), layout="constrained")
    above, below = drawn.subfigures(2, 1, height_ratios=(4, 5))
    (steps, intervals), (shares, rest) = above.subplots(1, 2), below.subplots(1, 2)
    names = {"author": "author’s loop", "float32": "float32", "bfloat16": "bfloat16", "torch": "PyTorch"}
    goals = {c.of: c.most for c in COMPARISONS if c.most is not None}
    # words stay readable over lines
    plate = {"facecolor": "white", "edgecolor": "none", "pad": 1}

    def bars(ax: Axes, keys: list[Key], column: str, scale: float = 1, points: bool = False) -> None:
        for place, key in enumerate(keys):
            line = by_key[key]
            if line[column] is None:
                note = line["note"] or "the limit was not measured"
                at = ax.get_yaxis_transform()
                ax.text(0.02, place, note, transform=at, va="center", color=style.GREY, bbox=plate, zorder=3)
                continue
            value = end = scale * line[column]
            colour = style.GREY if key[1] in ("author", "torch") else style.BLUE
            if points:
                ax.plot(value, place, "o", color=colour)
            else:
                ax.barh(place, value, color=colour, height=0.6)
            if column == "seconds" and line["lowest"] is not None:
                end = line["highest"]
                ax.plot([line["lowest"], end], [place, place], color=style.INK, linewidth=1.2)
            ax.annotate(
                f"{value:,.0f}" if value >= 100 else f"{value:.3g}",
                (end, place),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                bbox=plate,
            )
        ax.set_yticks(range(len(keys)), [label(key) for key in keys])
        ax.set_ylim(len(keys) - 0.5, -0.5)
        ax.grid(visible=False, axis="y")
        ax.margins(x=0.2)

    def label(key: Key) -> str:
        measure, way = key
        if measure in ("check", "many"):
            return f"{by_key[key]['measure']}, {way}"
        return f"Omniglot, {way}" if measure == "load" else names.get(way) or OTHERS[way]

    for ax, measure, unit in ((steps, "step", "seconds"), (intervals, "interval", "seconds, computed from parts")):
        bars(ax, [key for key in ROWS if key[0] == measure], "seconds")
        most, title = goals[measure, "bfloat16"], words(measure, found, profile)
        ax.axvline(most, color=style.ORANGE, linestyle="--", linewidth=1.4)
        ax.set_title(f"{title[0].upper()}{title[1:]}")
        ax.set_xlabel(f"{unit} (dashed: goal, {most:g})")
    bars(shares, [key for key in ROWS if key[0] == "step"], "share of the limit", scale=100)
    shares.set_title("A step’s share of the limit")
    shares.set_xlabel("% of the matrix product’s rate")
    others = [key for key in ROWS if key[0] in ("check", "many", "load", "process")]
    bars(rest, others, "seconds", points=True)
    rest.set_xscale("log")
    rest.set_title("Checks, data, whole processes")
    rest.set_xlabel("seconds")
    return drawn
