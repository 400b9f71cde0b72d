"""Try faults and print what came of them; see the head of the package."""

import argparse
import csv
import datetime
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from . import kinds
from .oracle import Case, dice
from .world import World

COLUMNS = ("kind", "faults", "most checks lost", "work lost", "wrong results", "tracebacks", "seconds")
ROOT = Path(__file__).resolve().parents[2]


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--faults", type=int, default=1000, help="how many, at least")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--kind", action="append", help="only these; repeat for several")
    options.add_argument(
        "--without-keras", action="store_true", help="none of the kinds that take Keras itself, and longer"
    )
    options.add_argument("--only", type=int, help="only the case of this number")
    options.add_argument("--out", type=Path, help="a CSV file for the figures")
    given = options.parse_args()
    # so that what was started is ended, too
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    where = origin(given.seed)
    with tempfile.TemporaryDirectory(prefix="faults-") as scratch:
        world = World(Path(scratch))
        try:
            lines = [try_kind(world, kind, count, given) for kind, count in shares(given)]
        finally:
            world.close()
    total = {"kind": "all", **{name: round(sum(line[name] for line in lines), 1) for name in COLUMNS[1:]}}
    total["most checks lost"] = max(line["most checks lost"] for line in lines)
    say_line(total)
    if given.out:
        write(given.out, [*lines, total], where)
    sys.exit(any(total[name] for name in COLUMNS[3:6]))


def shares(given):
    """Each kind and how many of its cases are tried: its part of the faults wanted, one at least."""
    left = {kind: n for kind, n in kinds.KINDS.items() if not (given.without_keras and kind in kinds.WITH_KERAS)}
    wanted = {kind: n for kind, n in left.items() if not given.kind or kind.__name__ in given.kind}
    whole = sum(wanted.values())
    return [(kind, max(1, -(-n * given.faults // whole))) for kind, n in wanted.items()]


def try_kind(world, kind, count, given):
    begun, cases = time.perf_counter(), []
    for number in [given.only] if given.only is not None else range(count):
        case = Case(world, number, dice(given.seed, *kind.__name__.encode(), number), world.folder / "case")
        try:
            kind(case)
        finally:
            shutil.rmtree(case.folder)
        for what in (*case.wrong, *case.broken):
            sys.stderr.write(f"{kind.__name__} --only {number} ({case.about}): {what}\n")
        cases.append(case)
    line = {
        "kind": kind.__name__.replace("_", " "),
        "faults": len(cases),
        "most checks lost": max(case.lost for case in cases),
        "work lost": sum(case.lost > 1 for case in cases),
        "wrong results": sum(bool(case.wrong) for case in cases),
        "tracebacks": sum(bool(case.broken) for case in cases),
        "seconds": round(time.perf_counter() - begun, 1),
    }
    say_line(line)
    return line


def say_line(line):
    words = f"{line['kind']:24}" + "".join(f"{line[name]:>{len(name) + 2}} {name}" for name in COLUMNS[1:])
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def origin(seed):
    """What each line of the figures repeats: commit, seed, date and machine."""

    def git(*words):
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True).stdout.strip()

    from siamese_utils.training.provenance import processor

    changed = "+" if git("status", "--porcelain", "--", "siamese_utils", "params", "tests/faults/*.py") else ""
    return {
        "commit": git("rev-parse", "HEAD") + changed,
        "seed": seed,
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.system()} {platform.release()}, {processor()}, Python {platform.python_version()}",
    }


def write(path, lines, where):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*COLUMNS, *where], lineterminator="\n")
        writer.writeheader()
        writer.writerows({**line, **where} for line in lines)


if __name__ == "__main__":
    main()
