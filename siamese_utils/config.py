"""Profiles and experiments are data: YAML files in params/, checked against the schemas below.

An unknown key, a missing value or a wrong type is a ParamsError that names the file and the key.
"""

from __future__ import annotations

import hashlib
import json
import operator
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from .errors import ParamsError
from .paths import project_root

PAPER_ITERATIONS = 5000  # the length that a profile's `iterations` stands for (paper, Section 3.2)
RECIPE_VERSION = 1  # raise when pairs, models, training or episodes change what a run's numbers would be

# names become folders: letters, digits, and . _ - between them, and none that Windows keeps for devices
NAME = re.compile(r"(?!(con|prn|aux|nul|com\d|lpt\d)(\.|$))[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9_-])?", re.IGNORECASE)
LONGEST_NAME = 64  # letters
DECIMAL = re.compile(r"[-+]?((0|[1-9][\d_]*)(\.\d*)?|\.\d+)([eE][-+]?\d+)?")
NO_NUMBER = {".nan": float("nan"), ".inf": float("inf"), "-.inf": -float("inf")}  # the schemas refuse them by their key
LARGEST_SEED = 2**32 - 1
MOST = 1_000  # seeds or names in a list
CLASSES = {"synthetic": 86, "omniglot": 659}  # of the evaluation set, the smaller split: so many ways can be asked for

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
Units = Annotated[int, Field(gt=0, le=65_536)]
Iterations = Annotated[int, Field(gt=0, le=1_000_000)]
Episodes = Annotated[int, Field(gt=0, le=100_000)]
BatchSize = Annotated[int, Field(gt=0, le=4_096, multiple_of=2)]
# the datasets have 105×105 pixels: larger images hold no more
ImageSize = Annotated[int, Field(ge=8, le=256)]


class Strict(BaseModel):
    """Immutable, no key that the schema does not know, and no number that is none."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def refuse_repeated(kind: str, names: Sequence[Any]) -> None:
    """Raise ValueError, for a schema to report, where a name or a number is used twice."""
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{kind} used twice: {', '.join(map(str, twice))}")


class LearningRate(Strict):
    """Adam's learning rate: initial · decay_rate ** (step / decay_steps), or fixed where there is no decay."""

    initial: float = Field(gt=0)
    decay_rate: float | None = Field(None, gt=0, le=1)
    decay_steps: int | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _both_or_neither(self) -> LearningRate:
        if (self.decay_rate is None) != (self.decay_steps is None):
            raise ValueError("decay_rate and decay_steps go together")
        return self


class Recipe(Strict):
    """Everything about network and training that an experiment may change; defaults live in experiments.yaml."""

    backbone: Literal["conv", "mlp"]
    filters: tuple[Units, ...]
    kernel_size: int = Field(gt=0, le=105)
    relu_before_norm: bool
    hidden: tuple[Units, ...]
    embedding: Units
    batch_norm: bool
    dropout: float = Field(ge=0, lt=1)
    l2: float = Field(ge=0)
    initializer: Literal["glorot_uniform", "zeros"]
    learning_rate: LearningRate
    iterations: Iterations
    batch_size: BatchSize
    # in every block: ReLU, then BatchNorm (true), or BatchNorm, then ReLU; added later, so left out of older runs' keys
    norm_after_relu: bool = False


class PaperFigures(Strict):
    """A row of Table 1: accuracy in %, 1-shot 20-way."""

    train: float
    val: float


class AuthorRun(Strict):
    """The author's own run of the row: its name, last logged check (%), and first logged batch loss."""

    run: str
    train: float | None = None
    val: float | None = None
    first_loss: float | None = None


class Experiment(Strict):
    """One row of the experiment matrix."""

    name: Name
    section: str
    group: str
    row: str
    label: str  # the row as figures and tables of ours name it
    variant: Literal["same", "as described", "as run"]
    recipe: Recipe
    paper: PaperFigures | None = None
    author: AuthorRun | None = None
    note: str = ""

    @model_validator(mode="before")
    @classmethod
    def _label_is_the_row_where_none_is_given(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {"label": given.get("row"), **given}


class Section(Strict):
    """A section of the paper and the notebook that shows its experiments."""

    notebook: Name
    title: str


class Matrix(Strict):
    """The whole of params/experiments.yaml."""

    sections: dict[str, Section]
    experiments: tuple[Experiment, ...]

    @model_validator(mode="after")
    def _names_are_unique_and_sections_known(self) -> Matrix:
        refuse_repeated("experiment name", [experiment.name for experiment in self.experiments])
        if unknown := sorted({e.section for e in self.experiments} - set(self.sections)):
            raise ValueError(f"unknown section: {', '.join(unknown)}")
        return self


class Profile(Strict):
    """What one reproduction runs on: dataset, image size, length, seeds, episodes; a file of params/profiles/ each."""

    name: Name
    title: str
    description: str
    dataset: Literal["synthetic", "omniglot"]
    image_size: ImageSize
    padding: Literal["valid", "same"]
    iterations: Iterations
    check_every: int = Field(gt=0)
    check_episodes: Episodes
    seeds: tuple[Seed, ...] = Field(min_length=1, max_length=MOST)
    episodes: Episodes
    ways: tuple[Annotated[Whole, Field(gt=0)], ...] = Field(min_length=1)
    batch_size: BatchSize | None = None  # in place of the recipe's
    decay: Literal["cut"] | None = None  # the learning rate's: the paper's, ended early; None: shortened in proportion
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    convolutions: Literal["auto", "float32", "bfloat16"] = "float32"  # the device's choice; see `precision`

    @model_validator(mode="after")
    def _can_be_run(self) -> Profile:
        refuse_repeated("seeds", self.seeds)
        refuse_repeated("ways", self.ways)
        if self.check_every > self.iterations:
            raise ValueError(f"check_every is {self.check_every}, more than the {self.iterations} iterations")
        if max(self.ways) > CLASSES[self.dataset]:
            raise ValueError(f"ways go up to {max(self.ways)}, but {self.dataset} has {CLASSES[self.dataset]} classes")
        return self

    @property
    def is_paper_protocol(self) -> bool:
        """Whether runs of this profile may stand beside the paper's figures as the same experiment."""
        return not self.departures

    @property
    def departures(self) -> list[str]:
        """How the profile departs from the paper's protocol, in words; empty where it does not."""
        departs = {
            "drawn characters instead of Omniglot": self.dataset != "omniglot",
            f"{self.image_size}×{self.image_size} pixels instead of 105×105": self.image_size != 105,
            "padded convolutions instead of unpadded ones": self.padding != "valid",
            f"{self.iterations:,} iterations instead of {PAPER_ITERATIONS:,}": self.iterations != PAPER_ITERATIONS,
            "the learning rate's decay shortened in proportion": self.iterations != PAPER_ITERATIONS and not self.decay,
            f"{self.batch_size} pairs a batch instead of 128": self.batch_size is not None,
        }
        return [words for words, differs in departs.items() if differs]

    @property
    def follows_the_log(self) -> bool:
        """Whether an iteration of a run stands at the same learning rate as the author's, on the same data."""
        return self.dataset == "omniglot" and (self.iterations == PAPER_ITERATIONS or self.decay == "cut")

    def scaled(self, steps: int) -> int:
        """A number of the paper's iterations, shortened in proportion to this profile's length (at least 1)."""
        return max(1, round(steps * self.iterations / PAPER_ITERATIONS))

    def decay_steps(self, steps: int) -> int:
        """The steps of the paper's learning-rate decay under this profile: unchanged where it is cut."""
        return steps if self.decay == "cut" else self.scaled(steps)


def params_dir() -> Path:
    return project_root() / "params"


def profiles_dir() -> Path:
    return params_dir() / "profiles"


def profile_names() -> list[str]:
    """The profiles in params/profiles/, by name."""
    return sorted(path.stem for path in profiles_dir().glob("*.yaml"))


def load_profile(profile: str | Path | Profile) -> Profile:
    """A profile by name ("demo", "laptop", "paper") or by the path of its YAML file; ParamsError where there is none.

    >>> load_profile("paper").image_size
    105
    """
    if isinstance(profile, Profile):
        return profile
    path = Path(profile) if str(profile).endswith((".yaml", ".yml")) else profiles_dir() / f"{profile}.yaml"
    try:
        found = path.is_file()
    except (OSError, ValueError):  # no path at all: too long, or with a NUL
        found = False
    if not found:
        raise ParamsError(f"no profile {str(profile)!r}: choose one of {', '.join(profile_names())}, or give a path.")
    return checked(Profile, {"name": path.stem, **read_yaml(path)}, path)


def with_seeds(profile: str | Path | Profile, seeds: object) -> Profile:
    """The profile with these seeds instead of its own; none leave its own. ParamsError for others; see `seed_list`."""
    profile, chosen = load_profile(profile), seed_list(seeds)
    return profile.model_copy(update={"seeds": chosen}) if chosen else profile


def seed_list(seeds: object) -> tuple[int, ...]:
    """What a parameter says of seeds, each once: several, a single one, or none, as None, "" or an empty list say.

    >>> seed_list(0), seed_list(range(3)), seed_list(None)
    ((0,), (0, 1, 2), ())
    """
    return tuple(dict.fromkeys(map(checked_seed, _several(seeds))))


def checked_seed(seed: object) -> int:
    """A seed as a plain whole number; ParamsError for anything else."""
    try:
        number = -1 if isinstance(seed, bool) else operator.index(seed)  # type: ignore[arg-type]
    except TypeError:
        number = -1
    if not 0 <= number <= LARGEST_SEED:
        raise ParamsError(f"{seed!r} is no seed: give a whole number from 0 to {LARGEST_SEED}, or a list of them.")
    return number


def name_list(kind: str, names: object, other: type = str) -> tuple[Any, ...]:
    """The same for names: several, a single one, or none. ParamsError for what is neither a name nor of the other type.

    kind  what they name, in the plural, for the error
    """
    found = _several(names)
    if wrong := [name for name in found if not isinstance(name, str | other) or name == ""]:
        raise ParamsError(f"{kind} must be names, not {wrong[0]!r}: write them as a list, ['…', '…'].")
    # a method may hold what has no hash
    return tuple(name for place, name in enumerate(found) if name not in found[:place])


def _several(given: object) -> list[Any]:
    """What a parameter holds, as a list; what is no list stands for itself."""
    if given is None or (isinstance(given, str) and given == ""):
        return []
    if isinstance(given, str | bytes | Mapping | BaseModel) or not isinstance(given, Iterable):
        return [given]
    try:
        found = list(islice(given, MOST + 1))
    except TypeError:  # an array without axes
        return [given]
    if len(found) > MOST:
        raise ParamsError(f"a list of more than {MOST:,} seeds or names: shorten it.")
    return found


def load_matrix(path: Path | None = None) -> Matrix:
    """The experiment matrix; each experiment's recipe is the baseline's with the row's `changes` in place.

    >>> [experiment.name for experiment in load_matrix().experiments][:3]
    ['baseline', 'baseline-10k', 'dense-128']
    """
    return _load_matrix(path or params_dir() / "experiments.yaml")


@lru_cache
def _load_matrix(path: Path) -> Matrix:
    raw = read_yaml(path)
    base = raw.pop("baseline", {})
    rows = [dict(row) for row in raw.get("experiments", [])]
    for row in rows:
        row["recipe"] = {**base, **(row.pop("changes", None) or {})}
    return checked(Matrix, {**raw, "experiments": rows}, path)


def load_experiment(name: str | Experiment) -> Experiment:
    """One experiment of the matrix by name; ParamsError lists the names where there is none.

    >>> load_experiment("dense-512").recipe.embedding
    512
    """
    if isinstance(name, Experiment):
        return name
    by_name = {experiment.name: experiment for experiment in load_matrix().experiments}
    if name not in by_name:
        raise ParamsError(f"no experiment {name!r}: choose from {', '.join(by_name)}.")
    return by_name[name]


def section_experiments(section: str) -> list[Experiment]:
    """The experiments of one section in the paper's order, the baseline first for comparison."""
    matrix = load_matrix()
    if section not in matrix.sections:
        raise ParamsError(f"no section {section!r}: choose from {', '.join(matrix.sections)}.")
    return [e for e in matrix.experiments if e.name == "baseline" or e.section == section]


def run_key(experiment: Experiment, profile: Profile, seed: int, dataset_fingerprint: str) -> dict[str, Any]:
    """Everything that determines a run's numbers, up to floating-point differences between devices and backends.

    Labels, notes and the paper's figures are left out: they may be reworded without training anything again.
    """
    ignored = {"name", "title", "description", "seeds", "convolutions"}
    optional = {name: field.default for name, field in Recipe.model_fields.items() if not field.is_required()}
    recipe = experiment.recipe.model_dump(mode="json")
    return {
        "version": RECIPE_VERSION,
        "experiment": experiment.name,
        # a field with its default is left out, so that a new one changes no older run
        "recipe": {k: v for k, v in recipe.items() if k not in optional or v != optional[k]},
        "profile": profile.model_dump(mode="json", exclude=ignored, exclude_none=True),
        "seed": checked_seed(seed),
        "dataset": dataset_fingerprint,
    }


def key_hash(key: dict[str, Any]) -> str:
    """The first 10 hex digits of the key's SHA-256; part of the run's id and folder name."""
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:10]


class _Loader(yaml.SafeLoader):
    """YAML without what it takes for something else in silence: a key given twice, and numbers to other bases."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        given = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        if twice := [name for name, times in given.items() if times > 1]:
            raise yaml.MarkedYAMLError(problem=f"{' and '.join(twice)} given twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        """1:30 would be 90, 010 would be 8."""
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
    """The keys and values of a YAML file; ParamsError where it cannot be read or holds something else.

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


def checked(schema: type[Schema], content: dict[str, Any], path: Path) -> Schema:
    """The content as the schema's object; ParamsError names the file and every key that is wrong."""
    try:
        return schema.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
        raise ParamsError(f"{path.name} is not valid: {problems}.") from error
