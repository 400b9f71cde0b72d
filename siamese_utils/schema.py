"""How parameters are read and checked: the types that schemas are made of, YAML files, and lists of seeds or names.

An unknown key, a missing value or a wrong type is a ParamsError that names the file and the key.
"""

from __future__ import annotations

import operator
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from .errors import ParamsError

# names become folders: letters, digits, and . _ - between them, and none that Windows keeps for devices
NAME = re.compile(r"(?!(con|prn|aux|nul|com\d|lpt\d)(\.|$))[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9_-])?", re.IGNORECASE)
# in letters
LONGEST_NAME = 64
DECIMAL = re.compile(r"[-+]?((0|[1-9][\d_]*)(\.\d*)?|\.\d+)([eE][-+]?\d+)?")
# refused by the schemas, which name their key
NO_NUMBER = {".nan": float("nan"), ".inf": float("inf"), "-.inf": -float("inf")}
LARGEST_SEED = 2**32 - 1
# seeds or names in a list
MOST = 1_000

Schema = TypeVar("Schema", bound=BaseModel)


def _plain_name(name: str) -> str:
    if len(name) > LONGEST_NAME or not NAME.fullmatch(name):
        raise ValueError(
            f"{name[: LONGEST_NAME + 1]!r} cannot name a folder: use up to {LONGEST_NAME} letters from a to z, digits, "
            "and . _ - between them"
        )
    return name


Name = Annotated[str, AfterValidator(_plain_name)]
# as YAML writes whole numbers: neither 1.0 nor true
Whole = Annotated[int, Field(strict=True)]
Seed = Annotated[Whole, Field(ge=0, le=LARGEST_SEED)]
# more than this is a slip of the keyboard: no network here has such a layer, no training such a length
Units = Annotated[Whole, Field(gt=0, le=65_536)]
Iterations = Annotated[Whole, Field(gt=0, le=1_000_000)]
# the datasets have 105×105 pixels: larger images hold no more
ImageSize = Annotated[Whole, Field(ge=8, le=256)]


class Strict(BaseModel):
    """Immutable, no key that the schema does not know, and no number that is none."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def refuse_repeated(kind: str, names: Sequence[Any]) -> None:
    """Raise ValueError, for a schema to report, where a name or a number is used twice."""
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{kind} used twice: {', '.join(map(str, twice))}")


class _Loader(yaml.SafeLoader):
    """YAML without what it takes for something else in silence: a key given twice, and numbers to other bases."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        given = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        if twice := [name for name, times in given.items() if times > 1]:
            raise yaml.MarkedYAMLError(problem=f"{' and '.join(twice)} given twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        """Read a decimal number only: 1:30 would be 90, 010 would be 8."""
        if node.value.lower() in NO_NUMBER:
            return NO_NUMBER[node.value.lower()]
        if not DECIMAL.fullmatch(node.value):
            raise yaml.MarkedYAMLError(
                problem=f"{node.value} is no decimal number: quote it if it is a text", problem_mark=node.start_mark
            )
        return (int if node.tag.endswith(":int") else float)(node.value)


for kind in ("int", "float"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{kind}", _Loader.construct_number)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read the keys and values of a YAML file; ParamsError where it cannot be read or holds something else.

    A key given twice is an error, and so is a number that is not decimal.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    # ValueError: it is not UTF-8; RecursionError: it is nested too deeply
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ParamsError(f"cannot read {path}: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ParamsError(f"{path} holds no keys and values: see the profiles in params/profiles/ for the form.")
    return content


def keys_of(where: str, given: Any, path: Path) -> dict[str, Any]:
    """Return the keys and values at a place of a YAML file, none where it is empty; ParamsError for anything else."""
    if not isinstance(given, dict | None):
        raise ParamsError(f"{path.name} is not valid: {where} must have keys and values, not {given!r:.60}.")
    return given or {}


def rows_of(where: str, given: Any, path: Path) -> list[dict[str, Any]]:
    """Return the list of keys and values at a place of a YAML file, in the same way, as dictionaries of their own."""
    if not isinstance(given, list | None):
        raise ParamsError(f"{path.name} is not valid: {where} must be a list, not {given!r:.60}.")
    return [dict(keys_of(f"{where}.{number}", row, path)) for number, row in enumerate(given or [])]


def checked(schema: type[Schema], content: dict[str, Any], path: Path) -> Schema:
    """Check content against a schema and return its object; ParamsError names the file and every wrong key."""
    try:
        return schema.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(f"{_place(e['loc'], content)}: {_in_words(e)}" for e in error.errors())
        raise ParamsError(f"{path.name} is not valid: {problems}.") from error


def _place(keys: Sequence[str | int], content: Any) -> str:
    """Name a value by the keys that lead to it; a row of a list by its own name, where it has one."""
    names = []
    for key in keys:
        try:
            content = content[key]
        # a key that is missing, or a step of the schema's alone
        except (LookupError, TypeError):
            content = None
        row = content.get("name") if isinstance(key, int) and isinstance(content, Mapping) else None
        names.append(row if isinstance(row, str) and NAME.fullmatch(row) else str(key))
    return ".".join(names) or "file"


def _in_words(error: Mapping[str, Any]) -> str:
    """Say what is wrong with a value."""
    words = {"extra_forbidden": "unknown key", "missing": "this key is missing"}
    return words.get(error["type"], str(error["msg"]))


# ---- what a parameter says: one or several ---------------------------------------------------------


def seed_list(seeds: object) -> tuple[int, ...]:
    """List the seeds that a parameter gives, each once: several, one, or none, as None, "" or an empty list say.

    Raises ParamsError as `checked_seed`, and for a list that is too long.

    >>> seed_list(0), seed_list(range(3)), seed_list(None)
    ((0,), (0, 1, 2), ())
    """
    return tuple(dict.fromkeys(map(checked_seed, _several(seeds))))


def checked_seed(seed: object) -> int:
    """Return a seed as a plain whole number; ParamsError for anything else."""
    try:
        number = -1 if isinstance(seed, bool) else operator.index(seed)  # type: ignore[arg-type]
    except TypeError:
        number = -1
    if not 0 <= number <= LARGEST_SEED:
        raise ParamsError(f"{seed!r} is no seed: give a whole number from 0 to {LARGEST_SEED}, or a list of them.")
    return number


def name_list(kind: str, names: object, other: type = str) -> tuple[Any, ...]:
    """List the names that a parameter gives, in the same way; ParamsError for what is no name nor of the other type.

    kind  what they name, in the plural, for the error
    """
    found = _several(names)
    if wrong := [name for name in found if not isinstance(name, str | other) or name == ""]:
        raise ParamsError(f"{kind} must be names, not {wrong[0]!r}: write them as a list, ['…', '…'].")
    # a method may hold what has no hash
    return tuple(name for place, name in enumerate(found) if name not in found[:place])


def _several(given: object) -> list[Any]:
    """Return what a parameter holds as a list; what is no list stands for itself."""
    if given is None or (isinstance(given, str) and given == ""):
        return []
    if isinstance(given, str | bytes | Mapping | BaseModel) or not isinstance(given, Iterable):
        return [given]
    try:
        found = list(islice(given, MOST + 1))
    # an array without axes
    except TypeError:
        return [given]
    if len(found) > MOST:
        raise ParamsError(f"a list of more than {MOST:,} seeds or names: shorten it.")
    return found
