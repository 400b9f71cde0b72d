"""The wings of the package: each imports only those that stand before it, as docs/architecture.md draws it."""

import ast
import re

from conftest import ROOT

PACKAGE = ROOT / "siamese_utils"
GROUND = ("errors", "paths", "files", "process", "backend", "text", "schema", "config")
WINGS = ("data", "models", "evaluation", "training", "evidence", "report", "beyond", "inference", "cli")
ORDER = {**dict.fromkeys(GROUND, 0), **{name: place for place, name in enumerate(WINGS, start=1)}}


def imports(path):
    """The modules and wings of the package that a file imports, wherever in it: "config", "data", …"""
    package = ("siamese_utils", *path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = (*base, *(node.module.split(".") if node.module else ()))
            names = [module] if len(module) > 1 else [(*module, alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [tuple(alias.name.split(".")) for alias in node.names]
        else:
            continue
        yield from (name[1] for name in names if name[0] == "siamese_utils" and len(name) > 1)


def wing(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_every_module_stands_in_a_wing():
    assert {wing(path) for path in PACKAGE.rglob("*.py")} == {*ORDER, "__init__", "__main__"}


def test_no_module_has_more_than_300_lines():
    lines = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE.rglob("*.py")}
    assert max(lines.values()) <= 300, {name: count for name, count in lines.items() if count > 300}


def test_a_wing_imports_only_those_before_it():
    upward = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path in PACKAGE.rglob("*.py")
        if wing(path) not in ("__init__", "__main__")
        for name in imports(path)
        if ORDER[name] > ORDER[wing(path)]
    ]
    assert not upward, upward


def test_the_drawing_of_the_wings_is_true():
    """Its arrows are those of the imports, without the ones that follow from others."""
    stands_on = {name: set() for name in ("ground", *WINGS)}
    for path in PACKAGE.rglob("*.py"):
        if wing(path) not in ("__init__", "__main__"):
            here = "ground" if wing(path) in GROUND else wing(path)
            stands_on[here] |= {"ground" if name in GROUND else name for name in imports(path)} - {here}

    def below(name):
        return set().union(*({other} | below(other) for other in stands_on[name]), set())

    arrows = {
        (name, other)
        for name, others in stands_on.items()
        for other in others
        if not any(other in below(between) for between in others - {other})
    }
    drawn = re.findall(
        r"^  (\w+) --> (\w+)$", (ROOT / "docs/architecture.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(drawn) == len(set(drawn))
    assert set(drawn) == arrows
