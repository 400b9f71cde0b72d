"""The public face: one import, quick, without a backend; every function has an example that runs."""

import ast
import doctest
import subprocess
import sys

import nbformat
import pytest
from conftest import ROOT

import siamese_utils as su


def test_importing_the_package_imports_neither_a_backend_nor_pandas():
    code = "import sys, siamese_utils; print([m for m in ('keras', 'tensorflow', 'jax', 'pandas') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_name_is_there_and_listed():
    assert sorted({*su.FUNCTIONS, *su.MODULES}) == su.__all__
    assert set(su.__all__) <= set(dir(su))
    for name in su.__all__:
        assert getattr(su, name).__doc__, name
    with pytest.raises(AttributeError, match="nothing"):
        su.nothing  # noqa: B018


@pytest.mark.parametrize("name", su.FUNCTIONS)
def test_every_functions_example_runs(name, fresh_keras):
    found = doctest.DocTestFinder(recurse=False).find(
        getattr(su, name), name, globs={each: getattr(su, each) for each in su.__all__}
    )
    (example,) = found
    assert example.examples, "no example"
    said = []
    doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example, out=said.append)
    assert not said, "".join(said)


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_imports_nothing_deeper(path):
    code = "\n".join(c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code")
    imported = [
        name
        for node in ast.walk(ast.parse(code))
        for name in (
            [node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in getattr(node, "names", [])]
        )
        if isinstance(node, ast.Import | ast.ImportFrom) and name.startswith("siamese_utils")
    ]
    assert imported == ["siamese_utils"]
