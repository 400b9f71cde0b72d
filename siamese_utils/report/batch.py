"""Execute the notebooks with papermill, one after the other, each in a kernel process of its own.

A notebook is executed beside its place, and moved there when it has finished or failed: one that is interrupted leaves
what an earlier execution made. One that fails is kept with its error where the report finds it, and the others go on.
How each stands is written to reports/<profile>/batch.json, an entry at a time under a lock.
"""

import ast
import logging
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import nbformat
from pydantic import Field, TypeAdapter

from .. import config
from ..backend import native_stderr_silenced
from ..config import Experiment, Profile
from ..errors import ParamsError, ResultsError
from ..files import locked, write_json, write_text
from ..paths import project_root, reports_dir
from ..process import Process, variables_set
from ..schema import Name, name_list, seed_list
from ..training.integrity import sha256
from .notebooks import parameters_of, read_notebook
from .private import forget_folders

# the one notebook whose runs are not the paper's
BEYOND = "12_beyond_the_paper"
# kernels started side by side can collide on a port; the next launch picks another one
LAUNCHES = 3
# how a notebook opens its study: of which section, and with which experiments
OPENS = re.compile(r'open_study\("(\w+)", profile, seeds(?:, (experiments|\[[^]]*\]))?\)')
# seconds for a kernel to answer
LAUNCH_TIMEOUT = 180


Status = Literal["ok", "failed", "not run", "running", "interrupted", "changed"]


@dataclass(frozen=True)
class Outcome:
    """How one notebook stands: its status, seconds of wall time, error or reason, who is executing it now, and the
    checksum of what the execution left."""

    notebook: Name
    status: Status
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    error: str | None = None
    process: Process | None = None
    sha256: str | None = None


_OUTCOMES = TypeAdapter(list[Outcome])


def notebooks_dir() -> Path:
    return project_root() / "notebooks"


def notebook_names() -> list[str]:
    """List all notebooks in reading order, without their ending: 00_start_here, 01_dataset, …"""
    return sorted(path.stem for path in notebooks_dir().glob("[0-9][0-9]_*.ipynb"))


def choose_notebooks(chosen: str | Iterable[str]) -> list[str]:
    """List the names of the chosen notebooks, all where none is chosen; "05" or "learning_rate" are enough.

    Raises ParamsError for a name that fits none.
    """
    names = notebook_names()
    picked = set()
    for wanted in name_list("notebooks", chosen):
        stem = Path(wanted).stem
        fits = [name for name in names if stem in (name, name[:2], name[3:])]
        if not fits:
            raise ParamsError(f"no notebook {wanted!r}: choose from {', '.join(names)}.")
        picked.update(fits)
    return [name for name in names if name in picked] if picked else names


def experiments_of(notebooks: Iterable[str], experiments: Iterable[str] = ()) -> list[Experiment]:
    """List the experiments that notebooks train where runs are missing, as their cells say; in the matrix's order.

    experiments  those that the sections are to show; none: their own
    """
    wanted, needed = list(experiments), set[str]()
    for name in notebooks:
        cells = read_notebook(notebooks_dir() / f"{name}.ipynb").cells
        source = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
        opened = OPENS.search(source)
        if not opened or "study.run_missing()" not in source:
            continue
        section, own = opened.groups()
        shown = _of_section(name, wanted) if own == "experiments" else ast.literal_eval(own or "[]")
        matrix = config.load_matrix().experiments if section == "all" else config.section_experiments(section)
        needed.update(shown or [experiment.name for experiment in matrix])
    return [experiment for experiment in config.load_matrix().experiments if experiment.name in needed]


def execute_notebook(path: Path, output: Path, parameters: dict[str, Any], *, timeout: int | None = None) -> Outcome:
    """Execute one notebook with papermill and keep it under `output`, whole or with its error; nothing if interrupted.

    parameters  must all be declared by the notebook, or ParamsError
    timeout     seconds a cell may take; None lets it train as long as it needs
    """
    declared = parameters_of(path)
    if unknown := sorted(set(parameters) - set(declared)):
        raise ParamsError(
            f"notebook {path.stem} has no parameter {', '.join(unknown)}: it knows {', '.join(declared) or 'none'}."
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    begun = time.perf_counter()
    error = None
    # of one name, so that what a killed process leaves is written over by the next
    part = output.with_name(f".{output.stem}.partial.ipynb")
    try:
        for launch in range(1, LAUNCHES + 1):
            error = _papermill(path, part, parameters, timeout)
            if error is None or ("Address already in use" not in error and "Kernel didn't respond" not in error):
                break
            time.sleep(launch)
        files = [Path(v) for v in parameters.values() if isinstance(v, str) and Path(v).is_absolute()]
        if part.is_file():
            # without the user's folders, and under its own name
            notebook = read_notebook(part)
            notebook.metadata.papermill.update(input_path=path.name, output_path=path.name)
            write_text(part, nbformat.writes(nbformat.from_dict(forget_folders(notebook, files))))
            os.replace(part, output)
        else:
            output.unlink(missing_ok=True)
    finally:
        part.unlink(missing_ok=True)
    error = error and forget_folders(error, files)
    seconds, digest = round(time.perf_counter() - begun, 1), sha256(output) if output.is_file() else None
    return Outcome(path.stem, "failed" if error else "ok", seconds, error, sha256=digest)


def execute_batch(
    profile: str | Profile,
    *,
    notebooks: str | Iterable[str] = (),
    seeds: int | Iterable[int] = (),
    experiments: str | Iterable[str] = (),
    training: bool = True,
    timeout: int | None = None,
    before: Callable[[str], None] | None = None,
    after: Callable[[Outcome], None] | None = None,
) -> list[Outcome]:
    """Execute notebooks under a profile; what they need and is not on disk yet is trained on the way.

    notebooks    names, numbers or topics, one or several; none: all
    seeds        one or several; none: the profile's
    experiments  none: each section's own; otherwise every section shows those of its own that are named
    training     False: train nothing, show what is there; a notebook that would show nothing is left out
    before, after  called around every notebook, for a progress display

    Raises ParamsError before anything runs if a name does not exist. A failing notebook does not raise.
    """
    named = str(profile.name if isinstance(profile, Profile) else profile)
    if named.endswith((".yaml", ".yml")):
        # notebooks run in their own folder
        named = str(Path(named).resolve())
    profile = config.load_profile(profile)
    names, chosen_seeds = choose_notebooks(notebooks), list(seed_list(seeds))
    wanted = [config.load_experiment(name).name for name in name_list("experiments", experiments, Experiment)]
    folder = reports_dir() / profile.name
    # unreadable, it is said before anything runs
    _stored(folder)
    outcomes = []
    for name in names:
        path = notebooks_dir() / f"{name}.ipynb"
        parameters = {"profile": named, "seeds": chosen_seeds, "experiments": _of_section(name, wanted)}
        declared = parameters_of(path)
        given = {key: value for key, value in parameters.items() if key in declared and value != []}
        if before:
            before(name)
        output = folder / "notebooks" / path.name
        with locked(output.with_name(f".{name}.lock"), f"notebook {name}"), _recorded(folder, name) as recorded:
            if not training and name == BEYOND and not any((folder / "beyond").glob("*/metrics.json")):
                output.unlink(missing_ok=True)
                outcome = Outcome(name, "not run", 0.0, "no method has been trained under this profile")
            else:
                # a kernel works in the notebooks' folder
                where = str(reports_dir())
                with variables_set(SIAMESE_NO_TRAINING=None if training else "1", SIAMESE_REPORTS_DIR=where):
                    outcome = execute_notebook(path, output, given, timeout=timeout)
            recorded.append(outcome)
        outcomes.append(outcome)
        if after:
            after(outcome)
    return outcomes


@contextmanager
def _recorded(folder: Path, notebook: str) -> Iterator[list[Outcome]]:
    """Keep how a notebook stands: running, then what the block puts into the list, or interrupted."""
    begun, found = time.perf_counter(), list[Outcome]()
    _record(folder, Outcome(notebook, "running", 0.0, process=Process.this()))
    try:
        yield found
    finally:
        seconds = round(time.perf_counter() - begun, 1)
        _record(folder, found[0] if found else Outcome(notebook, "interrupted", seconds))


def _record(folder: Path, outcome: Outcome) -> None:
    """Change one entry of batch.json, whatever other batches write meanwhile."""
    with locked(folder / ".batch.lock", f"the outcomes in {folder.name}"):
        outcomes = {**_stored(folder), outcome.notebook: outcome}
        entries = [asdict(outcomes[name]) for name in sorted(outcomes)]
        write_json(
            folder / "batch.json", [{k: v for k, v in e.items() if k == "error" or v is not None} for e in entries]
        )


def read_outcomes(folder: Path) -> dict[str, Outcome]:
    """Read how the notebooks of a report folder stand, by name: one whose process is gone was interrupted, one whose
    file is no longer what its execution left has changed. Those executed before there were checksums are believed.

    Raises ResultsError where batch.json cannot be read.
    """
    found = _stored(folder)
    for name, outcome in found.items():
        executed = folder / "notebooks" / f"{name}.ipynb"
        if outcome.status == "running" and not (outcome.process and outcome.process.lives):
            found[name] = replace(outcome, status="interrupted", process=None)
        elif outcome.sha256 and executed.is_file() and sha256(executed) != outcome.sha256:
            found[name] = replace(outcome, status="changed", seconds=0.0)
    return found


def _stored(folder: Path) -> dict[str, Outcome]:
    path = folder / "batch.json"
    if path.exists() and not path.is_file():
        raise ResultsError(f"{path} is no file: move it elsewhere and run the batch again.")
    try:
        return {outcome.notebook: outcome for outcome in _OUTCOMES.validate_json(path.read_bytes())}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not a list of notebooks with their outcomes"
        raise ResultsError(
            f"{path} cannot be read ({reason}): restore it, or move it elsewhere and run the batch again."
        ) from error


def _of_section(notebook: str, wanted: list[str]) -> list[str]:
    """List those of the wanted experiments that a notebook's section shows."""
    matrix = config.load_matrix()
    shown = {e.name for e in matrix.experiments if matrix.sections[e.section].notebook == notebook}
    return [name for name in wanted if name in shown]


def _papermill(path: Path, output: Path, parameters: dict[str, Any], timeout: int | None) -> str | None:
    """Execute once; return the error in one line, or None."""
    import papermill

    logging.getLogger("papermill").setLevel(logging.ERROR)
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    try:
        # every kernel warns about its transport; errors come back as outputs
        with native_stderr_silenced(), variables_set(SIAMESE_LIVE_CURVES="0", SIAMESE_HOME=str(project_root())):
            papermill.execute_notebook(
                path,
                output,
                parameters=parameters,
                cwd=notebooks_dir(),
                progress_bar=False,
                request_save_on_cell_execute=True,
                start_timeout=LAUNCH_TIMEOUT,
                execution_timeout=timeout,
            )
    except papermill.PapermillExecutionError as failure:
        return f"{failure.ename}: {failure.evalue}".strip().splitlines()[0]
    # the kernel died, did not start, or took too long
    except (RuntimeError, OSError, TimeoutError) as failure:
        return f"{type(failure).__name__}: {failure}".strip().splitlines()[0]
    return None
