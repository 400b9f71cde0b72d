"""What the package needs: little to use a model; the rest comes with extras, which a message names."""

import ast
import re
import sys

from conftest import ROOT
from packaging.requirements import Requirement

from siamese_utils.errors import EXTRAS

PACKAGE = ROOT / "siamese_utils"
# modules whose distribution has another name
NAMES = {"pil": "pillow", "yaml": "pyyaml", "bs4": "beautifulsoup4", "sklearn": "scikit-learn", "ipython": "ipykernel"}
NAMES |= {"markupsafe": "jinja2", "traitlets": "anywidget"}


def groups():
    """The requirements of pyproject.toml by extra, "" for the package's own; not read as TOML: Python 3.10 cannot."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    base = re.search(r"^dependencies = \[(.*?)^\]", text, re.MULTILINE | re.DOTALL).group(1)
    extras = re.search(r"^\[project.optional-dependencies\]$(.*?)^\[", text, re.MULTILINE | re.DOTALL).group(1)
    found = {"": base, **dict(re.findall(r"^(\w+) = \[(.*?[^\w])\]$", extras, re.MULTILINE | re.DOTALL))}
    return {name: [Requirement(each) for each in re.findall(r'"([^"]+)"', lines)] for name, lines in found.items()}


def whole(extra, found):
    """The names of an extra's distributions, those of the extras that it takes in too."""
    names = set()
    for requirement in found[extra]:
        if requirement.name == "siamese-utils":
            names |= set().union(*(whole(other, found) for other in requirement.extras))
        else:
            names.add(requirement.name)
    return names


def test_every_module_that_is_imported_comes_with_the_package_or_with_the_extra_that_is_named():
    found = groups()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for module in {name.partition(".")[0] for name in modules} - sys.stdlib_module_names - {"siamese_utils"}:
                needed = NAMES.get(module.lower(), module)
                assert needed in whole(EXTRAS.get(module, ""), found), (path.name, module)


def test_all_is_everything_but_the_other_backend_and_what_builds_and_tests():
    found = groups()
    assert set(found) == {"", "all", "train", "jax", "data", "notebooks", "archive", "cluster", "build", "dev", "docs"}
    assert whole("all", found) == whole("train", found) | whole("archive", found)
    assert not whole("", found) & {"keras", "tensorflow", "jax", "pandas", "jupyterlab", "papermill", "matplotlib"}


def test_the_environments_have_what_they_are_asked_for():
    """conda's by the file, make's by the lock: whatever the package alone needs, everything is installed there."""
    wanted = ["tensorflow", "jupyterlab", "papermill", "nbconvert", "matplotlib", "seaborn", "numpy", "pandas", "keras"]
    environment = (ROOT / "environment.yml").read_text(encoding="utf-8")
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    for name in wanted:
        assert re.search(rf"- {name}\b", environment), name
    found = groups()
    for name in whole("", found) | whole("all", found):
        assert re.search(rf"^{name}(\[\w+\])?==", lock, re.MULTILINE), name
