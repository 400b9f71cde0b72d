"""Execute the notebooks with papermill, one after the other, each in a kernel process of its own.

A notebook that fails is kept with its error where the report finds it, and the others go on. What happened is
written to reports/<profile>/batch.json after every notebook.
"""

from __future__ import annotations

import ast
import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import nbformat

from ..backend import native_stderr_silenced
from ..config import Profile, load_experiment, load_matrix, load_profile
from ..errors import ParamsError, ResultsError
from ..files import write_json, write_text
from ..paths import project_root, reports_dir

# the one notebook whose runs are not the paper's
BEYOND = "12_beyond_the_paper"
# kernels started side by side can collide on a port; the next launch picks another one
LAUNCHES = 3
# seconds for a kernel to answer
LAUNCH_TIMEOUT = 180


@dataclass(frozen=True)
class Outcome:
    """How one notebook ended: status "ok", "failed" or "not run", seconds of wall time, error or reason."""

    notebook: str
    status: str
    seconds: float
    error: str | None = None


def notebooks_dir() -> Path:
    return project_root() / "notebooks"


def notebook_names() -> list[str]:
    """All notebooks in reading order, without their ending: 00_start_here, 01_dataset, …"""
    return sorted(path.stem for path in notebooks_dir().glob("[0-9][0-9]_*.ipynb"))


def choose_notebooks(chosen: Iterable[str]) -> list[str]:
    """The names of the chosen notebooks, all where none is chosen; "05" or "learning_rate" are enough.

    Raises ParamsError for a name that fits none.
    """
    names = notebook_names()
    picked = set()
    for wanted in chosen:
        stem = Path(wanted).stem
        fits = [name for name in names if stem in (name, name[:2], name[3:])]
        if not fits:
            raise ParamsError(f"no notebook {wanted!r}: choose from {', '.join(names)}.")
        picked.update(fits)
    return [name for name in names if name in picked] if picked else names


def parameters_of(path: Path) -> dict[str, Any]:
    """The parameters that a notebook declares in its `parameters` cell, with their default values."""
    for cell in nbformat.read(path, as_version=4).cells:
        if "parameters" in cell.metadata.get("tags", []):
            return {
                target.id: ast.literal_eval(node.value)
                for node in ast.parse(cell.source).body
                if isinstance(node, ast.Assign)
                for target in node.targets
                if isinstance(target, ast.Name)
            }
    return {}


def execute_notebook(path: Path, output: Path, parameters: dict[str, Any], *, timeout: int | None = None) -> Outcome:
    """Execute one notebook with papermill and keep it under `output`, whole or with its error.

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
    for launch in range(1, LAUNCHES + 1):
        error = _papermill(path, output, parameters, timeout)
        if error is None or ("Address already in use" not in error and "Kernel didn't respond" not in error):
            break
        time.sleep(launch)
    paths = (Path(value) for value in parameters.values() if isinstance(value, str))
    _forget_folders(output, [path, output, *(given for given in paths if given.is_absolute())])
    return Outcome(path.stem, "failed" if error else "ok", round(time.perf_counter() - begun, 1), error)


def execute_batch(
    profile: str | Profile,
    *,
    notebooks: Iterable[str] = (),
    seeds: Iterable[int] = (),
    experiments: Iterable[str] = (),
    training: bool = True,
    timeout: int | None = None,
    before: Callable[[str], None] | None = None,
    after: Callable[[Outcome], None] | None = None,
) -> list[Outcome]:
    """Execute notebooks under a profile; what they need and is not on disk yet is trained on the way.

    notebooks    names, numbers or topics; none: all
    seeds        none: the profile's
    experiments  none: each section's own; otherwise every section shows those of its own that are named
    training     False: train nothing, show what is there; a notebook that would show nothing is left out
    before, after  called around every notebook, for a progress display

    Raises ParamsError before anything runs if a name does not exist. A failing notebook does not raise.
    """
    named = str(profile.name if isinstance(profile, Profile) else profile)
    profile = load_profile(profile)
    names, wanted = choose_notebooks(notebooks), [load_experiment(name).name for name in experiments]
    folder = reports_dir() / profile.name
    outcomes = read_outcomes(folder)
    for name in names:
        path = notebooks_dir() / f"{name}.ipynb"
        parameters = {"profile": _resolved(named), "seeds": list(seeds), "experiments": _of_section(name, wanted)}
        declared = parameters_of(path)
        given = {key: value for key, value in parameters.items() if key in declared and value != []}
        if before:
            before(name)
        folder.mkdir(parents=True, exist_ok=True)
        output = folder / "notebooks" / path.name
        if not training and name == BEYOND and not any((folder / "beyond").glob("*/metrics.json")):
            output.unlink(missing_ok=True)
            outcome = Outcome(name, "not run", 0.0, "no method has been trained under this profile")
        else:
            with _environment(SIAMESE_NO_TRAINING=None if training else "1"):
                outcome = execute_notebook(path, output, given, timeout=timeout)
        outcomes[name] = outcome
        write_json(folder / "batch.json", [asdict(outcomes[key]) for key in sorted(outcomes)])
        if after:
            after(outcome)
    return [outcomes[name] for name in names]


@contextmanager
def _environment(**wanted: str | None) -> Iterator[None]:
    """Environment variables for the kernels that are started meanwhile; None leaves one as it is."""
    before = {name: os.environ.get(name) for name, value in wanted.items() if value is not None}
    os.environ.update({name: value for name, value in wanted.items() if value is not None})
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def read_outcomes(folder: Path) -> dict[str, Outcome]:
    """What earlier batches left in a report folder, by the notebook's name; ResultsError where it cannot be read."""
    path = folder / "batch.json"
    if not path.is_file():
        return {}
    try:
        return {entry["notebook"]: Outcome(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultsError(
            f"{path} cannot be read ({error}): restore it, or move it elsewhere and run the batch again."
        ) from error


def _forget_folders(output: Path, files: Iterable[Path]) -> None:
    """Leave only these files' names where the notebook holds their paths: where a user's data lies is private."""
    if output.is_file():
        text = output.read_text(encoding="utf-8")
        for file in files:
            text = text.replace(json.dumps(str(file), ensure_ascii=False)[1:-1], file.name)
        write_text(output, text)


def _of_section(notebook: str, wanted: list[str]) -> list[str]:
    """Those of the wanted experiments that a notebook's section shows."""
    matrix = load_matrix()
    sections = {name for name, section in matrix.sections.items() if section.notebook == notebook}
    shown = {experiment.name for experiment in matrix.experiments if experiment.section in sections}
    return [name for name in wanted if name in shown]


def _resolved(profile: str) -> str:
    """A profile's name, or its absolute path: notebooks run in their own folder."""
    return str(Path(profile).resolve()) if profile.endswith((".yaml", ".yml")) else profile


def _papermill(path: Path, output: Path, parameters: dict[str, Any], timeout: int | None) -> str | None:
    """Execute once; the error in one line, or None."""
    import papermill

    logging.getLogger("papermill").setLevel(logging.ERROR)
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    os.environ.setdefault("SIAMESE_HOME", str(project_root()))
    try:
        # every kernel warns about its transport; errors come back as outputs
        with native_stderr_silenced():
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
