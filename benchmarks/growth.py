"""What grows, and how: runs on disk, classes to draw, embeddings to search, jobs of a workflow engine.

    python benchmarks/growth.py                         what `make growth` does, an hour or two on two cores
    python benchmarks/growth.py search --sizes 10000    some parts, or sizes; other lines of their CSVs stay
    python benchmarks/growth.py --page                  docs/growth.md and its figures anew, from the CSVs

Each part has a CSV in benchmarks/results. What is measured runs in a fresh process (`--step`, with what it needs as
JSON), which prints a line of JSON for each line of the CSV. The parts `search` and `jobs` want Faiss, which is no
dependency of this project, and Snakemake: without them they say so, and leave their CSV as it is.
"""

import csv
import importlib.util
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import growth_runs
from side_by_side import Turn, parser, say, short, whole_process

HERE = Path(__file__).resolve().parent
SNAKEMAKE = "snakemake"
Line = dict[str, Any]
# of `search`: classes
SIZES = {
    "runs": [100, 1_000, 10_000],
    "classes": [964, 3_000, 10_000, 30_000, 100_000],
    "search": [10_000],
    "jobs": [100, 1_000, 10_000],
}
# which of a line's cells say what it is about: a new line takes the place of an older one that has the same
KEYS = {
    "runs": ("runs", "command"),
    "classes": ("classes",),
    "search": ("index", "vectors", "value"),
    "jobs": ("jobs", "what"),
}
VECTORS = 1_000_000
# what takes more seconds is measured once
SLOW = 60


def main() -> None:
    options = parser(__doc__, repeats=3)
    options.add_argument("parts", nargs="*", help=f"of {', '.join(SIZES)}; default: all")
    options.add_argument("--sizes", type=int, nargs="+", help="in place of the part's own")
    options.add_argument("--vectors", type=int, default=VECTORS, help="embeddings that are searched")
    options.add_argument("--workers", type=int, default=200, help="jobs at a time")
    options.add_argument("--scratch", type=Path, help="a folder to keep, which may hold embeddings from before")
    options.add_argument("--out", type=Path, default=HERE / "results")
    options.add_argument("--page", action="store_true", help="measure nothing")
    options.add_argument("--step", nargs=2, help="what a fresh process does, see STEPS")
    given = options.parse_args()
    if given.step:
        return step(given.step[0], json.loads(given.step[1]))
    if wrong := set(given.parts) - set(SIZES):
        options.error(f"no part {', '.join(wrong)}: choose from {', '.join(SIZES)}")
    for part in () if given.page else given.parts or SIZES:
        for size in given.sizes or SIZES[part]:
            with tempfile.TemporaryDirectory() as temporary:
                scratch = (given.scratch or Path(temporary)).resolve()
                scratch.mkdir(parents=True, exist_ok=True)
                for line in PARTS[part](size, given, scratch):
                    say(f"{part}: {', '.join(f'{name} {short(value)}' for name, value in line.items())}")
                    keep(given.out / f"growth_{part}.csv", KEYS[part], line)
    if given.out == HERE / "results":
        import growth_page

        growth_page.renew(given.out)


# ---- the parts: each yields lines of its CSV -----------------------------------------------------


def runs(count: int, given: Any, scratch: Path) -> Iterator[Line]:
    """Time what is asked of so many finished runs."""
    reports = scratch / f"runs-{count}"
    reports.mkdir()
    (made,), _ = fresh("copy", reports=str(reports), count=count)
    for name in growth_runs.COMMANDS:
        command = growth_runs.command(name, reports)
        variables = {"SIAMESE_REPORTS_DIR": str(reports)}
        turns = repeated(
            lambda command=command, variables=variables: whole_process(command, variables)[0], given.repeats
        )
        yield {**made, "command": name, **figures(turns), **origin()}


def classes(count: int, given: Any, scratch: Path) -> Iterator[Line]:
    """Draw so many classes, and batches and episodes from them."""
    (line,), _ = fresh("classes", classes=count)
    yield {**line, **origin()}


def search(count: int, given: Any, scratch: Path) -> Iterator[Line]:
    """Embed so many classes, and time how fast each is found among how many others."""
    if not importlib.util.find_spec("faiss"):
        return say("search: left out, Faiss is not installed; docs/growth.md says how")
    if not (scratch / "embeddings.npy").is_file():
        fresh("embed", folder=str(scratch), classes=count)
    (known,), _ = fresh("one-shot", folder=str(scratch))
    for vectors in dict.fromkeys((None, given.vectors)):
        for kind in ("exact", "cells", "graph"):
            lines, turn = fresh("search", folder=str(scratch), kind=kind, vectors=vectors)
            for line in lines:
                yield {**line, **known, "peak MiB": turn.peak, **origin("faiss-cpu")}


def jobs(count: int, given: Any, scratch: Path) -> Iterator[Line]:
    """Time so many jobs that do nothing, by Snakemake: the plan alone, and all of it."""
    found = shutil.which(SNAKEMAKE, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if not found:
        return say("jobs: left out, Snakemake is not installed; docs/growth.md says how")
    place = scratch / f"jobs-{count}"
    call = [found, "--snakefile", str(HERE / "stub_study" / "Snakefile"), "--directory", str(place)]
    call += ["--config", f"jobs={count}", "--jobs", str(given.workers), "--quiet", "all"]

    def whole(*more: str) -> Turn:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        turn, _ = whole_process([*call, *more], {})
        assert more or len(list((place / "runs").iterdir())) == count
        return turn

    version = whole_process([found, "--version"], {})[1].strip()
    for what, more in (("plan", ["--dry-run"]), ("run", [])):
        turns = repeated(lambda more=more: whole(*more), given.repeats)
        took = figures(turns)
        each = {"ms a job": 1e3 * took["seconds"] / count, "processor ms a job": 1e3 * took["processor s"] / count}
        line = {"jobs": count, "what": what, "workers": given.workers, **took, **each, **origin()}
        yield {**line, "versions": f"{line['versions']} snakemake {version}"}


PARTS = {"runs": runs, "classes": classes, "search": search, "jobs": jobs}


# ---- fresh processes -----------------------------------------------------------------------------


def step(name: str, given: Line) -> None:
    """Do what a fresh process is started for, and print its lines."""
    import growth_classes
    import growth_search

    folder = Path(given.get("folder", ""))
    steps = {
        "origin": lambda: [provenance(given["package"])],
        "copy": lambda: [growth_runs.copy_runs(Path(given["reports"]), given["count"])],
        "classes": lambda: [growth_classes.measure(given["classes"])],
        "embed": lambda: [growth_search.embed_drawings(folder, given["classes"])],
        "one-shot": lambda: [growth_search.one_shot(folder)],
        "search": lambda: growth_search.search(folder, given["kind"], given["vectors"]),
    }
    for line in steps[name]():
        sys.stdout.write(json.dumps(line) + "\n")


def fresh(name: str, **given: Any) -> tuple[list[Line], Turn]:
    """Run a step in a fresh process → the lines that it prints, and what it took."""
    # threads that wait take no processor from others
    variables = {"OMP_WAIT_POLICY": "passive"}
    turn, printed = whole_process([sys.executable, __file__, "--step", name, json.dumps(given)], variables)
    return [json.loads(line) for line in printed.splitlines()], turn


def provenance(package: str | None) -> Line:
    """Say where a line comes from."""
    import platform
    from datetime import datetime, timezone
    from importlib import metadata

    from siamese_utils.training.provenance import code_version, package_versions, processor, short_commit

    versions = {"python": platform.python_version(), **package_versions()}
    if package:
        versions[package] = metadata.version(package)
    return {
        "processor": f"{processor()}, {os.cpu_count()} cores",
        "commit": short_commit(code_version(), ", modified"),
        "versions": " ".join(f"{name} {version}" for name, version in versions.items()),
        "date": datetime.now(timezone.utc).date().isoformat(),
    }


@cache
def origin(package: str | None = None) -> Line:
    (found,), _ = fresh("origin", package=package)
    return found


def repeated(way: Any, repeats: int) -> list[Turn]:
    """Take a way's turns; only one where that takes long."""
    turns = [way()]
    return turns + [way() for _ in range(repeats - 1) if turns[0].seconds < SLOW]


def figures(turns: list[Turn]) -> Line:
    """Summarize some turns as cells of a line."""
    return {
        "seconds": statistics.median(turn.seconds for turn in turns),
        "processor s": statistics.median(turn.seconds * turn.cores for turn in turns),
        "peak MiB": max(turn.peak for turn in turns),
        "repeats": len(turns),
    }


# ---- the CSVs ------------------------------------------------------------------------------------


def keep(path: Path, key: tuple[str, ...], line: Line) -> None:
    """Put a line into a CSV, in the place of the one on the same, and in the order of the sizes."""
    line = {name: short(value) for name, value in line.items()}
    others = [other for other in read(path) if any(other[name] != line[name] for name in key)]
    size = next(name for name in key if name not in ("index",))
    lines = sorted([*others, line], key=lambda each: float(each[size]))
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, line, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


def read(path: Path) -> list[dict[str, str]]:
    """Read the lines of a CSV; none where there is no file."""
    if not path.is_file():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main()
