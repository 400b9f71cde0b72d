"""Batches of notebooks: killed, refused, two at once. Notebooks are not executed, but copied in several steps."""

import os
import signal
import time

import nbformat

from . import process
from .crash_kinds import ERRORS, SIGNALS
from .damage import damage

WELL = ("ok", "done")


def execute(path, output, *_, **__):
    """In the place of papermill's: the output grows cell by cell, and says at its end that it ended."""
    book = nbformat.read(path, as_version=4)
    cells = [cell for cell in book.cells if cell.cell_type == "code"]
    book.metadata.papermill = {"start_time": "2026-01-01T00:00:00", "input_path": str(path), "output_path": str(output)}
    for number in (1, len(cells) // 2, len(cells)):
        for count, cell in enumerate(cells[:number], 1):
            cell.execution_count = count
        nbformat.write(book, output)
        time.sleep(0.01)
    book.metadata.papermill.end_time = "2026-01-01T00:00:01"
    nbformat.write(book, output)


def _batch(case, names, **harm):
    chosen = [word for name in names for word in ("-n", name)]
    return case.start("batch", *chosen, "--no-training", "-p", case.world.profile, **harm)


def _status(case):
    """What `status` says of each notebook."""
    ended = case.ended(case.siamese("status", "-p", case.world.profile), 0)
    lines = (line.split("│") for line in ended.out.splitlines())
    return {cells[1].strip(): cells[2].strip() for cells in lines if len(cells) == 5}


def _names(case, count):
    from siamese_utils.report.batch import BEYOND, notebook_names

    names = [name for name in notebook_names() if name != BEYOND]
    return [str(name) for name in case.rng.permutation(names)[:count]]


def _whole(case, name):
    output = case.reports / case.world.profile.stem / "notebooks" / f"{name}.ipynb"
    return bool(nbformat.read(output, as_version=4).metadata.papermill.get("end_time"))


def _finish(case, names):
    case.ended(_batch(case, names).wait(), 0)
    status = _status(case)
    case.expect(all(status[name] in WELL and _whole(case, name) for name in names), f"not all done: {status}")


def batch_killed(case):
    """A batch that is killed at a change of a file: only what was executed to its end counts as done."""
    case.bring("finished")
    names, how = _names(case, 3), case.choose(SIGNALS)
    number = int(case.rng.integers(40))
    case.about = f"{how.name} at {number}"
    ended = _batch(case, names, harm=process.at_change(number, case.reports, process.die(how))).wait()
    if ended.code != -signal.SIGKILL:
        case.ended(ended, 0, 130)
    status = _status(case)
    case.expect(all(_whole(case, name) for name in names if status[name] in WELL), f"half done: {status}")
    _finish(case, names)


def batch_refused(case):
    """The system refuses a change of a file, or all from then on."""
    case.bring("finished")
    names, error = _names(case, 3), case.choose(ERRORS)
    number, ever = int(case.rng.integers(40)), case.rng.random() < 0.5
    case.about = f"{os.strerror(error)} at {number}"
    harm = process.at_change(number, case.reports, process.fail(error), ever=ever)
    case.ended(_batch(case, names, harm=harm).wait(), 0, 1, 2)
    status = _status(case)
    case.expect(all(_whole(case, name) for name in names if status[name] in WELL), f"half done: {status}")
    _finish(case, names)


def two_batches(case):
    """Two batches at once: neither loses what the other has done."""
    case.bring("finished")
    names = _names(case, 6)
    case.about = str(names)
    running = [_batch(case, names[:3]), _batch(case, names[3:])]
    for one in running:
        case.ended(one.wait(), 0)
    status = _status(case)
    case.expect(all(status[name] in WELL for name in names), f"outcomes lost: {status}")


def executed_notebook(case):
    """A damaged notebook of a batch is named by the report, or is on the page."""
    case.bring("finished")
    names = _names(case, 2)
    _finish(case, names)
    path = case.reports / case.world.profile.stem / "notebooks" / f"{names[0]}.ipynb"
    damage(case.rng, path)
    ended = case.ended(case.siamese("report", "-p", case.world.profile), 0, 2)
    if ended.code == 2:
        case.names(ended, path.name, path.stem)
    _finish(case, names)


KINDS = {batch_killed: 20, batch_refused: 20, two_batches: 10, executed_notebook: 10}
