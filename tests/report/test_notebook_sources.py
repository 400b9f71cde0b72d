"""The notebooks as committed: no outputs, parameters that are read, one title, figures with descriptions."""

import ast
import re

import nbformat
import pytest
from latex2mathml.converter import convert

from siamese_utils.config import load_matrix
from siamese_utils.paths import project_root

PATHS = sorted((project_root() / "notebooks").glob("*.ipynb"))
NAMES = [path.stem for path in PATHS]


@pytest.fixture(params=PATHS, ids=NAMES)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def text(notebook):
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def test_they_are_there_in_reading_order():
    assert [name[:2] for name in NAMES] == [f"{number:02d}" for number in range(len(NAMES))]
    assert {section.notebook for section in load_matrix().sections.values()} <= set(NAMES)


def test_they_are_committed_clean(notebook):
    nbformat.validate(notebook)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in code(notebook):
        assert cell.outputs == []
        assert cell.execution_count is None
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)


def test_the_page_knows_every_command_of_a_formula(notebook):
    # an unknown one would stand in the page as it is written
    formulas = re.findall(r"\$\$(.+?)\$\$|\$([^$\n]+)\$", re.sub(r"`[^`]*`", "", text(notebook)), re.DOTALL)
    assert [tex for tex in map("".join, formulas) if "\\" in convert(tex)] == []


def test_every_parameter_is_read(notebook):
    (cell,) = [cell for cell in code(notebook) if "parameters" in cell.metadata.get("tags", [])]
    names = {node.targets[0].id for node in ast.parse(cell.source).body}
    assert {"profile", "seeds"} <= names <= {"profile", "seeds", "experiments"}
    after = [ast.parse(later.source) for later in code(notebook)[code(notebook).index(cell) + 1 :]]
    read = {n.id for tree in after for n in ast.walk(tree) if isinstance(n, ast.Name)}
    assert names <= read


def test_one_title_then_numbered_sections(notebook):
    assert notebook.cells[0].source.startswith("# ")
    levels = re.findall(r"^(#+) (.+)$", text(notebook), re.MULTILINE)
    assert [level for level, _ in levels].count("#") == 1
    numbers = [heading.partition(".")[0] for level, heading in levels if level == "##"]
    assert numbers == [str(number + 1) for number in range(len(numbers))]
    assert levels[-1][1].endswith("Try it yourself")


def calls(notebook, name):
    """What each call of a function is given by keyword."""
    found = [n for cell in code(notebook) for n in ast.walk(ast.parse(cell.source)) if isinstance(n, ast.Call)]
    named = [call for call in found if isinstance(call.func, ast.Attribute) and call.func.attr == name]
    return [{word.arg: word.value for word in call.keywords} for call in named]


def test_it_begins_with_objectives_minutes_and_prerequisites(notebook):
    head = " ".join(notebook.cells[0].source.split())
    assert re.search(r"\*\*You will\*\* .+\. \*\*Time\*\* \d+ minutes\. \*\*Before this\*\* .+\.", head)


def test_every_figure_has_a_description_and_every_table_a_caption(notebook):
    figures, tables = calls(notebook, "show_figure"), calls(notebook, "show_table")
    assert all(len(ast.literal_eval(given["alt"])) > 40 for given in figures)
    assert all("caption" in given for given in tables)


def test_most_notebooks_show_figures_and_tables():
    read = [nbformat.read(path, as_version=4) for path in PATHS]
    for name in ("show_figure", "show_table"):
        assert sum(bool(calls(notebook, name)) for notebook in read) > len(read) / 3, name


def test_code_is_short_and_plain(notebook):
    for cell in code(notebook):
        assert len(cell.source.splitlines()) <= 32
        assert not re.search(r"^\s*[%!]|pip install|print\(", cell.source, re.MULTILINE)


def test_links_lead_to_files_that_exist(notebook):
    targets = [target for target in re.findall(r"\]\(([^)]+)\)", text(notebook)) if "://" not in target]
    assert targets, "every notebook leads to another"
    for target in targets:
        assert (project_root() / "notebooks" / target.partition("#")[0]).is_file(), target
