"""Exercises and their solutions, and the copies for a class made from them."""

import re

import nbformat
import pytest
from bs4 import BeautifulSoup
from conftest import ROOT, TINY

from siamese_utils.errors import OutputError
from siamese_utils.report.batch import execute_notebook, notebook_names
from siamese_utils.report.copies import ANSWER, is_solution, slide_type, student_copy, write_copies
from siamese_utils.report.folding import shorten_notebook
from siamese_utils.report.slides import with_outputs

EXERCISE = re.compile(r"^(\d)\. \*(\w+), (an hour|\d+ minutes)\.\* ", re.MULTILINE)


@pytest.fixture(params=notebook_names())
def source(request):
    return nbformat.read(ROOT / "notebooks" / f"{request.param}.ipynb", as_version=4)


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    folder = tmp_path_factory.mktemp("teaching")
    write_copies(folder)
    return folder


def read(folder, kind):
    return {path.stem: nbformat.read(path, as_version=4) for path in sorted((folder / kind).glob("*.ipynb"))}


def test_three_exercises_with_minutes_each_before_its_solution(source):
    """After an exercise comes a text, if its solution needs one, then one code cell; nothing else is between them."""
    titles = [
        i for i, cell in enumerate(source.cells) if re.search(r"^## .*Try it yourself$", cell.source, re.MULTILINE)
    ]
    cells = source.cells[titles[-1] :]
    kinds = "".join("s" if is_solution(cell) else "e" for cell in cells)
    assert re.fullmatch("(es?s){3}", kinds), kinds
    exercises = [cell for cell in cells if not is_solution(cell)]
    found = [EXERCISE.findall(cell.source) for cell in exercises]
    assert [(number, kind) for ((number, kind, _),) in found] == [("1", "Easy"), ("2", "Medium"), ("3", "Project")]
    types = ["".join(c.cell_type[0] for c in cells if c.id.startswith(f"solution-{n}")) for n in (1, 2, 3)]
    assert set(types) <= {"c", "mc"}


def test_no_solution_stands_elsewhere_and_all_are_collapsed_in_jupyterlab(source):
    solutions = [cell for cell in source.cells if is_solution(cell)]
    assert all(cell.id.startswith("solution-") for cell in solutions)
    assert all(cell.metadata.jupyter["source_hidden"] for cell in solutions)


def test_a_students_copy_holds_all_but_solutions_and_speakers_notes(copies):
    sources = {name: nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4) for name in notebook_names()}
    found = read(copies, "students")
    assert list(found) == list(sources)
    for name, copy in found.items():
        nbformat.validate(copy)
        kept = [cell for cell in sources[name].cells if not is_solution(cell) and slide_type(cell) != "notes"]
        answers = [cell for cell in copy.cells if cell.id.startswith("answer-")]
        assert [cell for cell in copy.cells if cell not in answers] == kept
        assert [cell.source for cell in answers] == [ANSWER] * 3
        assert [cell.cell_type for cell in answers] == ["code"] * 3


def test_a_copy_made_again_is_the_same():
    source = nbformat.read(ROOT / "notebooks" / "01_dataset.ipynb", as_version=4)
    assert nbformat.writes(student_copy(source)) == nbformat.writes(student_copy(source))


def test_a_copy_that_somebody_worked_on_is_kept(copies, tmp_path):
    assert write_copies(copies), "those that are the same may be written again"
    mine = tmp_path / "students" / "01_dataset.ipynb"
    mine.parent.mkdir()
    mine.write_text("my answers")
    with pytest.raises(OutputError, match=r"students/01_dataset\.ipynb would be overwritten"):
        write_copies(tmp_path)
    assert mine.read_text() == "my answers"
    assert not (tmp_path / "solutions").exists()
    write_copies(tmp_path, renew=True)
    assert nbformat.read(mine, as_version=4).cells


def test_cells_without_ids_are_copied_and_shown_with_their_outputs():
    """As Colab saves notebooks."""
    source = nbformat.read(ROOT / "notebooks" / "01_dataset.ipynb", as_version=4)
    source.nbformat_minor = 4
    for cell in source.cells:
        del cell["id"]
    copy = student_copy(source)
    nbformat.validate(copy)
    assert [cell.source for cell in copy.cells].count(ANSWER) == 3
    assert with_outputs(source, source).cells


def test_the_solution_copy_holds_every_cell_with_its_solutions_in_sight(copies):
    for name, copy in read(copies, "solutions").items():
        source = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
        assert [(cell.id, cell.source) for cell in copy.cells] == [(cell.id, cell.source) for cell in source.cells]
        assert not [cell.id for cell in copy.cells if is_solution(cell) and "jupyter" in cell.metadata]


@pytest.mark.parametrize("kind", ["students", "solutions"])
def test_a_copy_runs(kind, copies, reports):
    """One that trains nothing; all solutions run with their notebooks in test_end_to_end."""
    outcome = execute_notebook(
        copies / kind / "01_dataset.ipynb", reports / f"{kind}.ipynb", {"profile": str(TINY)}, timeout=300
    )
    assert outcome.error is None
    executed = nbformat.read(reports / f"{kind}.ipynb", as_version=4)
    outputs = [cell.outputs for cell in executed.cells if cell.id.startswith("solution-") and cell.cell_type == "code"]
    assert len(outputs) == (3 if kind == "solutions" else 0)
    assert all(outputs)


CELL = '<div class="cell code-cell celltag_solution">{}</div>'
PARTS = """<div class="cell text-cell"><h3>1. First</h3></div>
<div class="cell text-cell"><h3>2. Try it yourself</h3><p>Exercise 1</p></div>
<div class="cell text-cell celltag_solution">why</div> {}
<div class="cell text-cell"><p>Exercise 2</p></div> {}"""


def folded(first, second):
    soup = BeautifulSoup(PARTS.format(CELL.format(first), CELL.format(second)), "html.parser")
    shorten_notebook(soup, failed=False)
    return soup


def test_the_report_folds_a_solution_with_what_it_puts_out():
    soup = folded('<img alt="a figure">', "<p>a sentence</p>")
    first, second = soup.select("details.part details.solution")
    assert [fold.summary.get_text() for fold in (first, second)] == ["Solution", "Solution"]
    assert "why" in first.get_text()
    assert first.img
    assert "a sentence" in second.get_text()
    assert "Exercise 2" not in first.get_text()
    assert not soup.select("details.solution[open]")
    assert not soup.select_one("details.part:has(.solution)").has_attr("open"), (
        "for a figure that only a solution shows"
    )


def test_a_solution_that_failed_is_open():
    first, second = folded('<div class="error">NameError</div>', "fine").select("details.solution")
    assert first.has_attr("open")
    assert not second.has_attr("open")
