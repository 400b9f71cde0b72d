"""The claims ledger, params/claims.yaml: what the paper says that can be checked, and what would confirm it.

Here is only what a claim *is*. Numbers come from `estimates`, verdicts from `verdicts`.
"""

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from ..config import Experiment, load_experiment, load_matrix, params_dir
from ..errors import ParamsError
from ..paths import project_root
from ..schema import Strict, checked, read_yaml, refuse_repeated
from .estimates import paper_of, resolution
from .facts import Kind

Names: TypeAlias = Annotated[
    tuple[str, ...], BeforeValidator(lambda given: (given,) if isinstance(given, str) else given)
]
One: TypeAlias = Annotated[Names, Field(min_length=1, max_length=1)]
Several: TypeAlias = Annotated[Names, Field(min_length=1)]
Side: TypeAlias = Literal["below", "above", "similar"]


class Check(Strict):
    """What every check has: the experiments that it looks at."""

    of: Names = ()

    @property
    def experiments(self) -> tuple[str, ...]:
        """All the experiments that the check needs, each once, in the order they are named."""
        return tuple(dict.fromkeys((*self.of, *getattr(self, "than", ()))))


class Against(Check):
    """Every network of `of` is clearly below or above, or hardly different from, every one of `than`."""

    kind: Side
    of: Several
    than: Several
    measure: Kind = "val"


class Absolute(Check):
    """Accuracies by themselves: `level`, `at_most` compare with `at` %; the others with chance, or train with val."""

    kind: Literal["level", "at_most", "chance", "above_chance", "no_gap"]
    of: One
    measure: Literal["val", "train"] = "val"
    at: float | None = Field(None, ge=0, le=100)

    @model_validator(mode="after")
    def _at_where_it_is_needed(self) -> "Absolute":
        if (self.at is None) == (self.kind in ("level", "at_most")):
            raise ValueError("at goes with level and at_most, and with no other kind")
        return self


class Ordered(Check):
    """Each of several networks clearly above the next; or one network at each of several `n_way` above the next."""

    kind: Literal["ordered"]
    of: Several
    n_way: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _something_to_order(self) -> "Ordered":
        if (len(self.of) < 2) == (len(self.n_way) < 2):
            raise ValueError("give several networks, or one and several values of n_way")
        return self


class Training(Check):
    """How the checks went: `rising` from each to the next, or `unsteady` in comparison with `than`."""

    kind: Literal["rising", "unsteady"]
    of: One
    than: Annotated[Names, Field(max_length=1)] = ()

    @model_validator(mode="after")
    def _than_where_it_is_needed(self) -> "Training":
        if (self.kind == "unsteady") != bool(self.than):
            raise ValueError("than goes with unsteady, and not with rising")
        return self


class FirstLoss(Check):
    """The author's first logged loss is what the described network's would be: was it this network that was trained?"""

    kind: Literal["first_loss"]
    of: Several
    changes: dict[str, Any] = Field(default_factory=dict)
    starts_at: float | None = None


class Counts(Check):
    """What the dataset holds: alphabets, characters, images."""

    kind: Literal["dataset"]
    train: tuple[int, int, int]
    val: tuple[int, int, int]


class Parameters(Check):
    """The networks of `of` have more parameters than those of `than`, at the paper's image size."""

    kind: Literal["parameters"]
    of: Several
    than: Several


class Untestable(Check):
    """Nothing that a run leaves could confirm or refute it."""

    kind: Literal["untestable"]
    because: str = Field(min_length=1)


AnyCheck: TypeAlias = Annotated[
    Against | Absolute | Ordered | Training | FirstLoss | Counts | Parameters | Untestable,
    Field(discriminator="kind"),
]


class Claim(Strict):
    """One statement of the paper."""

    id: str
    section: str
    quote: str = Field(min_length=1, max_length=80)
    says: str = Field(min_length=1)
    notebook: str
    check: AnyCheck
    level: float | None = Field(None, ge=0, le=100)

    @property
    def notebook_name(self) -> str:
        """The notebook that shows the claim: a section's of the matrix, or the one that is named."""
        section = load_matrix().sections.get(self.notebook)
        return section.notebook if section else self.notebook

    def as_run(self) -> "Claim | None":
        """Make the claim about the networks that were really trained; None where these are the ones described."""
        counterparts = _as_run_counterparts()
        swapped = {
            place: tuple(counterparts.get(name, name) for name in getattr(self.check, place))
            for place in ("of", "than")
            if hasattr(self.check, place)
        }
        if isinstance(self.check, FirstLoss) or all(
            getattr(self.check, place) == names for place, names in swapped.items()
        ):
            return None
        return self.model_copy(update={"check": self.check.model_copy(update=swapped)})


class Ledger(Strict):
    """The whole of params/claims.yaml."""

    claims: tuple[Claim, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _everything_that_is_named_exists(self) -> "Ledger":
        refuse_repeated("claim id", [claim.id for claim in self.claims])
        for claim in self.claims:
            try:
                for name in claim.check.experiments:
                    load_experiment(name)
            except ParamsError as error:
                raise ValueError(f"{claim.id}: {error}") from error
            if not (project_root() / "notebooks" / f"{claim.notebook_name}.ipynb").is_file():
                raise ValueError(f"{claim.id}: no section or notebook {claim.notebook!r}")
        return self


def load_claims(path: Path | None = None) -> tuple[Claim, ...]:
    """Load the claims in the paper's order; ParamsError where the file is not valid or names what does not exist."""
    return _load(path or params_dir() / "claims.yaml")


@lru_cache
def _load(path: Path) -> tuple[Claim, ...]:
    ledger: Ledger = checked(Ledger, read_yaml(path), path)
    return ledger.claims


def row_claim(experiment: Experiment) -> Claim | None:
    """Put into a claim what the paper says of a row of Table 1: how it stands to the baseline, and its figure.

    As the ledger has it, where the text says so; else below or above the baseline where the paper's 250 episodes could
    tell the two apart, similar where not. None for a network that is not in the table.
    """
    if experiment.paper is None:
        return None
    val, is_baseline = experiment.paper.val, experiment.name == "baseline"
    check: AnyCheck
    if is_baseline:
        check = Absolute(kind="level", of=("baseline",), at=val)
    else:
        kind: Side = "below" if val < paper_of("baseline").val else "above"
        kind = kind if can_be_told(experiment) else "similar"
        written = Against(kind=kind, of=(experiment.name,), than=("baseline",))
        check = _of_the_text(experiment.name) or written
    return Claim(
        id=f"row-{experiment.name}",
        section="Table 1",
        quote=f"{experiment.row or experiment.group} {val:g}",
        says=f"{experiment.label}: {val:g} %.",
        notebook=load_matrix().sections[experiment.section].notebook,
        check=check,
        level=None if is_baseline else val,
    )


def can_be_told(experiment: Experiment) -> bool:
    """Check whether the paper's 250 episodes could tell a row's val accuracy from the baseline's."""
    if experiment.paper is None:
        return False
    val, reference = experiment.paper.val, paper_of("baseline").val
    return abs(val - reference) > resolution(val, reference)


def _of_the_text(name: str) -> AnyCheck | None:
    """Find what the ledger says of a network's val accuracy by itself, or in comparison with the baseline."""
    for claim in load_claims():
        as_run = claim.as_run()
        checks: list[AnyCheck] = [claim.check, as_run.check] if as_run else [claim.check]
        for check in checks:
            about_baseline = isinstance(check, Against) and (check.than, check.measure) == (("baseline",), "val")
            if check.of == (name,) and (about_baseline or claim.section == "Table 1"):
                return check
    return None


def row_claims() -> dict[str, Claim]:
    """Make the claims of all rows of Table 1, by the experiment's name."""
    return {e.name: claim for e in load_matrix().experiments if (claim := row_claim(e))}


@lru_cache
def _as_run_counterparts() -> dict[str, str]:
    """Map each network that was run otherwise than described to the one that was run, by name."""
    rows = [e for e in load_matrix().experiments if e.paper]
    run = {(e.group, e.row): e.name for e in rows if e.variant == "as run"}
    return {e.name: run[e.group, e.row] for e in rows if e.variant == "as described" and (e.group, e.row) in run}
