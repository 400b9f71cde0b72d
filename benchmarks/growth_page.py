"""The tables of docs/growth.md between its marks, and its figures, from the CSVs of growth.py."""

import math
import re
from collections.abc import Callable
from pathlib import Path

from growth import read
from growth_runs import COMMANDS
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from siamese_utils.report.plots import style
from siamese_utils.text import listed

DOCS = Path(__file__).resolve().parents[1] / "docs"
MADE = "made by `make growth`, do not edit"
Line = dict[str, str]
INDEXES = {
    "exact": "exact, every embedding",
    "cells": "cells (IVF), the nearest few",
    "graph": "graph of neighbours (HNSW)",
}
# exponent above which growth is called more than linear: 10 times as much takes 14 times as long
STEEP = 1.15
# recall@1 that an approximate search is quoted at
GOOD = 0.95


def renew(results: Path, docs: Path = DOCS) -> None:
    """Write the tables into docs/growth.md and draw its figures; a part without a CSV stays as it is."""
    found = {part: read(results / f"growth_{part}.csv") for part in BLOCKS}
    page = docs / "growth.md"
    text = page.read_text(encoding="utf-8")
    for part, lines in found.items():
        if lines:
            text = between(text, part, f"{BLOCKS[part](lines)}\n\n{made_on(lines)}")
    page.write_text(text, encoding="utf-8")
    (docs / "images").mkdir(exist_ok=True)
    for name, drawn in (("growth", growth_figure(found)), ("growth_search", search_figure(found["search"]))):
        (docs / "images" / f"{name}.png").write_bytes(style.to_png(drawn))


def between(page: str, part: str, block: str) -> str:
    """Put this block between the marks of a part; ValueError where there are none."""
    marks = re.compile(f"(<!-- {part}: {re.escape(MADE)} -->\n).*?(\n<!-- {part}: end -->)", re.DOTALL)
    if not marks.search(page):
        raise ValueError(f"the page has no marks for {part}: <!-- {part}: {MADE} --> and <!-- {part}: end -->")
    return marks.sub(lambda found: f"{found[1]}\n{block}\n{found[2]}", page)


# ---- tables --------------------------------------------------------------------------------------


def runs_block(lines: list[Line]) -> str:
    sizes = ordered(lines, "runs")
    by = {(line["runs"], line["command"]): line for line in lines}
    asked = {line["command"] for line in lines}
    commands = [name for name in COMMANDS if name in asked]
    rows, steep = [], []
    for command in commands:
        own = [by.get((size, command)) for size in sizes]
        power = exponent([line for line in own if line], "runs", "processor s")
        steep += [command] * (power > STEEP)
        rows.append([command, *(cell(line, "processor s") for line in own), times(power),
                     *(cell(line, "peak MiB") for line in own)])  # fmt: skip
    disk = [next(line for line in lines if line["runs"] == size)["MiB on disk"] for size in sizes]
    rows.append(["folder of results, MiB", *map(number, disk), "", *["" for _ in sizes]])
    head = [
        "",
        *(f"{number(size)} runs, s" for size in sizes),
        "10 × more",
        *(f"{number(size)}: MiB" for size in sizes),
    ]
    walls = ", ".join(f"{c} {number(by[sizes[-1], c]['seconds'])} s" for c in commands if (sizes[-1], c) in by)
    verdict = f"More than linear: {listed(steep)}." if steep else "None grows more than linearly."
    return f"{table(head, rows)}\n\n{verdict} By the clock, with {number(sizes[-1])} runs: {walls}."


def classes_block(lines: list[Line]) -> str:
    columns = {
        "draw processor s": "to draw, s",
        "pixels MiB": "pixels, MiB",
        "draw peak MiB": "most memory, MiB",
        "ms a batch": "a batch of 128 pairs, ms",
        "ms 1,000 episodes, author": "1,000 episodes, author, ms",
        "ms 1,000 episodes, strict": "strict, ms",
        "episodes peak MiB": "memory they add, MiB",
    }
    rows = [[number(line["classes"]), *(number(line[name]) for name in columns)] for line in lines]
    power = exponent(lines, "classes", "draw processor s"), exponent(lines, "classes", "draw peak MiB")
    last = lines[-1]
    more = f"{times(power[0])} times as long to draw, and {times(power[1])} times the memory"
    return (
        f"{table(['classes', *columns.values()], rows)}\n\n"
        f"10 times as many classes take {more}. {number(last['images'])} images were the most."
    )


def search_block(lines: list[Line]) -> str:
    rows = []
    for vectors in ordered(lines, "vectors"):
        own = [line for line in lines if line["vectors"] == vectors]
        speed = float(next(line for line in own if line["index"] == "exact")["queries/processor s"])
        for kind in INDEXES:
            asked = [line for line in own if line["index"] == kind]
            good = [line for line in asked if float(line["recall@1"]) >= GOOD]
            if not asked:
                continue
            best = max(good or asked, key=lambda line: float(line["queries/processor s" if good else "recall@1"]))
            way = f"{best['parameter']} {best['value']}".strip()
            ratio = float(best["queries/processor s"]) / speed
            took = [number(best[name]) for name in ("build processor s", "index MiB")]
            figures = [percent(best["recall@1"]), number(best["queries/processor s"]), f"{ratio:.1f}", *took]
            rows.append([number(vectors), INDEXES[kind], way, *figures, percent(best["right class"])])
    first = lines[0]
    head = [
        "stored",
        "index",
        "at",
        "recall@1, %",
        "queries a second of processor",
        "× exact",
        "to build, s of processor",
        "index, MiB",
        "right class, %",
    ]
    drawings = max(int(line["drawings"]) for line in lines)
    copies = max(int(line["vectors"]) for line in lines) - drawings
    return (
        f"{table(head, rows)}\n\n"
        f"An approximate index stands at its fastest setting with a recall@1 of {100 * GOOD:g} % or more, or at its "
        f"best; {number(first['queries'])} queries, {first['threads']} threads, {first['dimensions']} float32 numbers "
        "an embedding. "
        f"{number(drawings)} of the stored embeddings are of drawings; the other {number(copies)} are copies of "
        "those, disturbed by noise as long as two drawings of a class are apart, and are there for the speed alone.\n\n"
        f"**{number(first['ways'])}-way one-shot**, one image of each class as support, one query of each: "
        f"{percent(first['accuracy'])} % right ({number(first['correct'])} of {number(first['ways'])}; "
        f"guessing: {100 / float(first['ways']):.2g} %)."
    )


def jobs_block(lines: list[Line]) -> str:
    columns = {
        "seconds": "seconds",
        "ms a job": "ms a job",
        "processor ms a job": "of processor, ms a job",
        "peak MiB": "most memory, MiB",
    }
    words = {"plan": "the plan alone (`--dry-run`)", "run": "all of it"}
    rows = [[number(line["jobs"]), words[line["what"]], *(number(line[name]) for name in columns)] for line in lines]
    own = [line for line in lines if line["what"] == "run"]
    power = exponent(own, "jobs", "processor s")
    return (
        f"{table(['jobs', '', *columns.values()], rows)}\n\n"
        f"{own[-1]['workers']} workers at a time. 10 times as many jobs take {times(power)} times the processor."
    )


BLOCKS: dict[str, Callable[[list[Line]], str]] = {
    "runs": runs_block,
    "classes": classes_block,
    "search": search_block,
    "jobs": jobs_block,
}


def table(head: list[str], rows: list[list[str]]) -> str:
    """Write a table in Markdown; cells that are words stand left."""
    left = [not any(row[place][:1].isdigit() for row in rows) for place in range(len(head))]
    lines = [head, ["---" if words else "--:" for words in left], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def made_on(lines: list[Line]) -> str:
    """Say where the figures of a part come from; what differs between its lines, once each."""
    said = [
        " and ".join(dict.fromkeys(line[name] for line in lines))
        for name in ("processor", "date", "commit", "versions")
    ]
    return f"*{said[0]}; {said[1]}; commit {said[2]}; {said[3]}.*"


def ordered(lines: list[Line], name: str) -> list[str]:
    return sorted({line[name] for line in lines}, key=float)


def exponent(lines: list[Line], size: str, what: str) -> float:
    """Estimate p of what = size^p from the two largest sizes; NaN with one."""
    if len(lines) < 2:
        return math.nan
    (x0, y0), (x1, y1) = ((float(line[size]), float(line[what])) for line in lines[-2:])
    return math.log(max(y1, 1e-9) / max(y0, 1e-9)) / math.log(x1 / x0)


def times(power: float) -> str:
    """Say how many times as much ten times as many take."""
    return "–" if math.isnan(power) else f"{10**power:.1f}"


def cell(line: Line | None, name: str) -> str:
    return number(line[name]) if line else ""


def percent(value: str) -> str:
    return f"{100 * float(value):.1f}"


def number(value: str) -> str:
    """Write a figure for readers: three digits, thousands apart."""
    x = float(value) if value else math.nan
    return "" if math.isnan(x) else f"{x:,.0f}" if abs(x) >= 100 or x == int(x) else f"{x:.3g}"


# ---- figures -------------------------------------------------------------------------------------


@style.styled
def growth_figure(found: dict[str, list[Line]]) -> Figure:
    """Draw seconds of processor by how many there are: runs, classes, jobs; dotted: in proportion."""
    drawn = Figure(figsize=(style.WIDTH, 3.0), layout="constrained")
    left, middle, right = drawn.subplots(1, 3)
    commands = [name for name in COMMANDS if any(line["command"] == name for line in found["runs"])]
    curves(left, {c: [x for x in found["runs"] if x["command"] == c] for c in commands}, "runs", "processor s")
    left.set_title("Finished runs")
    left.set_ylabel("seconds of processor")
    curves(middle, {"to draw them": found["classes"]}, "classes", "draw processor s")
    middle.set_title("Classes of drawn characters")
    words = {"plan": "the plan alone", "run": "all of it"}
    curves(right, {words[w]: [x for x in found["jobs"] if x["what"] == w] for w in words}, "jobs", "processor s")
    right.set_title("Jobs of a workflow engine")
    return drawn


LOOKS = [
    ("o", style.BLUE),
    ("s", style.ORANGE),
    ("^", style.INK),
    ("D", style.GREY),
    ("v", style.BLUE),
    ("P", style.ORANGE),
]


def curves(ax: Axes, named: dict[str, list[Line]], size: str, what: str) -> None:
    """Draw a curve for each name, and from the first point of the lowest one the line of proportion."""
    shown = {name: [(float(x[size]), float(x[what])) for x in lines] for name, lines in named.items() if lines}
    for (name, points), (marker, colour) in zip(shown.items(), LOOKS, strict=False):
        ax.plot(*zip(*points, strict=True), marker=marker, color=colour, markersize=4, label=name)
    if shown:
        points = min(shown.values())
        x0, y0 = points[-1]
        ax.plot([points[0][0], x0], [y0 * points[0][0] / x0, y0], **style.DOTTED, label="in proportion")
        ax.set_xscale("log")
        ax.set_yscale("log")
        plain(ax.xaxis, ax.yaxis)
        ax.legend(fontsize=7)
    ax.set_xlabel(size)


def plain(*axes: Axis) -> None:
    """Label whole decades as plain numbers, and none between."""
    for axis in axes:
        axis.set_major_formatter(StrMethodFormatter("{x:,g}"))
        axis.set_minor_formatter(NullFormatter())


@style.styled
def search_figure(lines: list[Line]) -> Figure:
    """Draw recall@1 by queries a second of processor, a point for each value of the search parameter."""
    drawn = Figure(figsize=(style.WIDTH, 3.2), layout="constrained")
    sizes = ordered(lines, "vectors")
    for ax, vectors in zip(drawn.subplots(1, max(1, len(sizes)), sharey=True, squeeze=False)[0], sizes, strict=False):
        for (kind, words), (marker, colour) in zip(INDEXES.items(), LOOKS, strict=False):
            own = [line for line in lines if (line["vectors"], line["index"]) == (vectors, kind)]
            points = sorted(
                (float(line["queries/processor s"]), 100 * float(line["recall@1"]), line["value"]) for line in own
            )
            if points:
                speeds, recalls, values = zip(*points, strict=True)
                ax.plot(speeds, recalls, marker=marker, color=colour, markersize=5, label=words)
                for place in {0, len(points) - 1} if kind != "exact" else ():
                    at = (speeds[place], recalls[place])
                    ax.annotate(values[place], at, xytext=(4, 4), textcoords="offset points", fontsize=7)
        ax.set_xscale("log")
        plain(ax.xaxis)
        ax.set_xlabel("queries a second of processor")
        ax.set_title(f"{number(vectors)} stored")
        ax.legend(fontsize=7, loc="lower left")
        if vectors == sizes[0]:
            ax.set_ylabel("recall@1, %")
    return drawn
