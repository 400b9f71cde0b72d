"""Profiles and experiments are data: YAML files in params/, checked against the schemas below."""

from __future__ import annotations

import hashlib
import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from .errors import ParamsError
from .paths import project_root
from .schema import (
    MOST,
    ImageSize,
    Iterations,
    Name,
    Seed,
    Strict,
    Units,
    Whole,
    checked,
    checked_seed,
    keys_of,
    read_yaml,
    refuse_repeated,
    rows_of,
    seed_list,
)

# the length that a profile's `iterations` stands for (paper, Section 3.2)
PAPER_ITERATIONS = 5000
# raise when pairs, models, training or episodes change what a run's numbers would be
RECIPE_VERSION = 1

# of the evaluation set, the smaller split: as many ways can be asked for
CLASSES = {"synthetic": 86, "omniglot": 659}
Count = Annotated[Whole, Field(gt=0, le=100_000)]
BatchSize = Annotated[Whole, Field(gt=0, le=4_096, multiple_of=2)]


class LearningRate(Strict):
    """Adam's learning rate: initial · decay_rate ** (step / decay_steps), or fixed where there is no decay."""

    initial: float = Field(gt=0)
    decay_rate: float | None = Field(None, gt=0, le=1)
    decay_steps: Whole | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _both_or_neither(self) -> LearningRate:
        if (self.decay_rate is None) != (self.decay_steps is None):
            raise ValueError("decay_rate and decay_steps go together")
        return self


class Recipe(Strict):
    """Everything about network and training that an experiment may change; defaults live in experiments.yaml."""

    backbone: Literal["conv", "mlp"]
    filters: tuple[Units, ...]
    kernel_size: Whole = Field(gt=0, le=105)
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
    """One row of the experiment matrix; label: how our figures and tables name it."""

    name: Name
    section: str
    group: str
    row: str
    label: str
    variant: Literal["same", "as described", "as run"]
    recipe: Recipe
    paper: PaperFigures | None = None
    author: AuthorRun | None = None
    note: str = ""

    @model_validator(mode="before")
    @classmethod
    def _label_is_the_row_where_none_is_given(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {"label": given.get("row"), **given}

    @property
    def short_label(self) -> str:
        """The label without the variant."""
        return self.label.removesuffix(f" ({self.variant})")


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
    check_every: Whole = Field(gt=0)
    check_episodes: Count
    seeds: tuple[Seed, ...] = Field(min_length=1, max_length=MOST)
    episodes: Count
    ways: tuple[Annotated[Whole, Field(gt=0)], ...] = Field(min_length=1)
    # in place of the recipe's
    batch_size: BatchSize | None = None
    # the learning rate's, as the paper has it, ended early; None: shortened in proportion
    decay: Literal["cut"] | None = None
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    convolutions: Literal["auto", "float32", "bfloat16"] = "float32"

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
        """Shorten a number of the paper's iterations in proportion to this profile's length (at least 1)."""
        return max(1, round(steps * self.iterations / PAPER_ITERATIONS))

    def decay_steps(self, steps: int) -> int:
        """Return the steps of the paper's learning-rate decay under this profile: unchanged where it is cut."""
        return steps if self.decay == "cut" else self.scaled(steps)


def params_dir() -> Path:
    return project_root() / "params"


def profile_names() -> list[str]:
    """List the profiles in params/profiles/, by name."""
    return sorted(path.stem for path in (params_dir() / "profiles").glob("*.yaml"))


def load_profile(profile: str | Path | Profile) -> Profile:
    """Load a profile by its name, as "demo" or "paper", or by the path of its YAML file; ParamsError without one.

    >>> load_profile("paper").image_size
    105
    """
    if isinstance(profile, Profile):
        return profile
    path = Path(profile) if str(profile).endswith((".yaml", ".yml")) else params_dir() / "profiles" / f"{profile}.yaml"
    # unlike Path.is_file, for what is no path at all as well: too long, or with a NUL
    if not os.path.isfile(path):
        raise ParamsError(f"no profile {str(profile)!r}: choose one of {', '.join(profile_names())}, or a YAML file.")
    return checked(Profile, {"name": path.stem, **read_yaml(path)}, path)


def with_seeds(profile: str | Path | Profile, seeds: object) -> Profile:
    """Put these seeds in the place of the profile's own; none leave its own. ParamsError as `seed_list`."""
    profile, chosen = load_profile(profile), seed_list(seeds)
    return profile.model_copy(update={"seeds": chosen}) if chosen else profile


def load_matrix(path: Path | None = None) -> Matrix:
    """Load the experiment matrix; each experiment's recipe is the baseline's with the row's `changes` in place.

    Raises ParamsError where params/experiments.yaml is not there, or is not valid.

    >>> [experiment.name for experiment in load_matrix().experiments][:3]
    ['baseline', 'baseline-10k', 'dense-128']
    """
    return _load_matrix(path or params_dir() / "experiments.yaml")


@lru_cache
def _load_matrix(path: Path) -> Matrix:
    raw = read_yaml(path)
    base = keys_of("baseline", raw.pop("baseline", None), path)
    rows = rows_of("experiments", raw.get("experiments"), path)
    for row in rows:
        row["recipe"] = {**base, **keys_of(f"changes of {row.get('name')}", row.pop("changes", None), path)}
    return checked(Matrix, {**raw, "experiments": rows}, path)


def load_experiment(name: str | Experiment) -> Experiment:
    """Load one experiment of the matrix by name; ParamsError lists the names where there is none.

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
    """List the experiments of one section in the paper's order, the baseline first; ParamsError for an unknown one."""
    matrix = load_matrix()
    if section not in matrix.sections:
        raise ParamsError(f"no section {section!r}: choose from {', '.join(matrix.sections)}.")
    return [e for e in matrix.experiments if e.name == "baseline" or e.section == section]


def run_key(experiment: Experiment, profile: Profile, seed: int, dataset_fingerprint: str) -> dict[str, Any]:
    """Build the key of everything that determines a run's numbers, up to rounding that differs by device and backend.

    Labels and the paper's figures are left out: they may be reworded without training anything again.
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
    """Return the first 10 hex digits of the key's SHA-256; part of the run's id and folder name."""
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:10]
