"""A method is data: one row of params/beyond.yaml, everything about network, loss, batches and optimizer.

Where an experiment of the paper trains on pairs, a method trains on batches of P classes with K images each, from
which its loss takes its pairs, triplets, quadruplets or prototypes (see `losses`).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from ..config import Profile, Strict, checked, params_dir, read_yaml
from ..errors import ParamsError

LossName = Literal[
    "contrastive", "cosine", "cross_entropy", "triplet", "hard_triplet", "quadruplet", "prototype",
    "supervised_contrastive", "cosine_softmax",
]  # fmt: skip
Comparison = Literal["euclidean", "cosine", "head"]
Group = Literal["loss", "recipe", "final"]


class Block(Strict):
    """One convolution with what follows it: BatchNorm where asked for, ReLU, and 2×2 pooling where asked for."""

    filters: int = Field(gt=0)
    kernel: int = Field(3, gt=0)
    stride: int = Field(1, gt=0)
    pool: bool = True


class Network(Strict):
    """A backbone: convolution blocks, then the flattened features, or a Dense layer on them as the embedding."""

    blocks: tuple[Block, ...] = Field(min_length=1)
    batch_norm: bool
    embedding: int | None = Field(None, gt=0)
    activation: Literal["linear", "sigmoid"] = "linear"  # of the embedding's Dense layer
    padded_pooling: bool = False  # an odd side keeps its last row and column; False: they are dropped
    dropout: float = Field(0.0, ge=0, lt=1)  # on the flattened features
    unpadded_from: int | None = Field(None, gt=0)  # convolutions are padded on images smaller than this; None: always


class Augmentation(Strict):
    """A random affine map for every training image, each part uniform within plus and minus the figure."""

    rotate: float = Field(ge=0, description="degrees")
    shear: float = Field(ge=0, description="degrees")
    scale: float = Field(ge=0, description="logarithm of the factor, each axis by itself")
    shift: float = Field(ge=0, description="part of the side, each axis by itself")


class HardClasses(Strict):
    """Batches whose classes come in groups that look alike: a class, and a few of those most like it.

    Hard-class mining. Two forms of one symmetrical character may be in a group, equal as they look.

    A field that was renamed keeps its old name in a run's key.
    """

    n_hard: int = Field(gt=0, serialization_alias="company")  # classes that one drawn by chance brings along
    pool_size: int = Field(gt=0, serialization_alias="among")  # drawn from so many, the most like it
    start: float = Field(ge=0, lt=1, serialization_alias="after")  # part of the steps without mining
    refresh: int = Field(gt=0, serialization_alias="every")  # steps after which they are looked up again


class Method(Strict):
    """One row of params/beyond.yaml, the defaults of its top in place."""

    name: str
    title: str
    source: str = ""  # of the loss or the network, for tables
    group: Group  # which question it helps to answer; "final": it is shown the evaluation set
    network: Network
    loss: LossName
    loss_options: dict[str, float] = Field({})
    normalize: bool  # the loss sees embeddings of length 1
    comparison: Comparison  # how two embeddings are compared when episodes are answered
    classes: int = Field(ge=2)  # of a batch
    images: int = Field(ge=2)  # of each class
    image_size: int | None = Field(None, ge=8)  # of Omniglot's images, pixels a side; None: the profile's
    rotated_classes: bool  # every character turned by 90°, 180° and 270° is a class of its own
    mirrored_classes: bool = False  # and so is its mirror image, and those turns of it
    hard_classes: HardClasses | None = Field(None, serialization_alias="look_alikes")
    augmentation: Augmentation | None
    # embeddings averaged, once trained: the image's and those of its moved copies
    test_time_views: int = Field(1, ge=1, serialization_alias="views")
    upside_down: bool = False  # two images are compared upside down, too, in as many views; the cosines are averaged
    # AdamW's, after the warm-up; falls to zero along a cosine
    learning_rate: float = Field(gt=0, serialization_alias="rate")
    # of convolution kernels by Muon; None: AdamW's for them too
    muon_learning_rate: float | None = Field(None, gt=0, serialization_alias="kernel_rate")
    warm_up: float = Field(ge=0, lt=1)  # part of the steps
    weight_decay: float = Field(ge=0)
    ema_decay: float = Field(ge=0, lt=1, serialization_alias="averaging")  # of the weights, a step; 0 for none
    steps: int = Field(gt=0)
    steps_on_synthetic: int = Field(gt=0)  # in the demo

    @model_validator(mode="after")
    def _head_and_loss_agree(self) -> Method:
        if (self.loss == "cross_entropy") != (self.comparison == "head"):
            raise ValueError("the loss cross_entropy and the comparison head go together")
        if self.test_time_views > 1 and self.augmentation is None:
            raise ValueError("test_time_views are moved by half of the augmentation, and there is none")
        if self.normalize and self.comparison != "cosine":
            raise ValueError("what is trained at length 1, by normalize, is compared by cosine")
        if self.mirrored_classes and not self.rotated_classes:
            raise ValueError("mirrored_classes come with rotated_classes")
        if self.upside_down and self.comparison != "cosine":
            raise ValueError("upside_down averages cosines: it needs the comparison cosine")
        if self.hard_classes and self.hard_classes.n_hard > self.hard_classes.pool_size:
            raise ValueError("hard_classes: n_hard is more than pool_size, from which they are drawn")
        if self.hard_classes and self.comparison == "head":
            raise ValueError("hard_classes are found by distance: they need the comparison euclidean or cosine")
        return self

    @property
    def looks(self) -> int:
        """How many times the network looks at an image to embed it, once trained."""
        return self.test_time_views * (1 + self.upside_down)

    @property
    def forms(self) -> int:
        """How many classes there are of each character: 1, 4 with its turns, 8 with those of its mirror image."""
        return 8 if self.mirrored_classes else 4 if self.rotated_classes else 1

    def fitted_to(self, classes: int, fewest: int) -> Method:
        """The method with batches no larger than a dataset of so many classes, the smallest with `fewest` images."""
        return self.model_copy(update={"classes": min(self.classes, classes), "images": min(self.images, fewest)})

    def sized(self, profile: Profile) -> Profile:
        """The profile at the method's own image size; the built-in characters stay as they are."""
        if self.image_size is None or profile.dataset == "synthetic":
            return profile
        return profile.model_copy(update={"image_size": self.image_size})

    def steps_under(self, profile: Profile) -> int:
        """How many batches it trains on under a profile."""
        return self.steps_on_synthetic if profile.dataset == "synthetic" else self.steps

    def images_seen(self, profile: Profile) -> int:
        """How many images its training shows, each time counted."""
        return self.steps_under(profile) * self.classes * self.images


class Beyond(Strict):
    """The whole of params/beyond.yaml."""

    demo: tuple[str, ...]  # built-in characters only show how everything works: a few methods do for that
    methods: tuple[Method, ...]

    @model_validator(mode="after")
    def _names_are_unique_and_known(self) -> Beyond:
        names = [method.name for method in self.methods]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"method name used twice: {', '.join(twice)}")
        if unknown := sorted(set(self.demo) - set(names)):
            raise ValueError(f"no such method for the demo: {', '.join(unknown)}")
        return self


@lru_cache
def load_beyond(path: Path | None = None) -> Beyond:
    """The whole of params/beyond.yaml; ParamsError where the file is not valid."""
    path = path or params_dir() / "beyond.yaml"
    raw = read_yaml(path)
    defaults: dict[str, Any] = raw.pop("defaults", {})
    rows = [{**defaults, **row} for row in raw.get("methods", [])]
    return checked(Beyond, {**raw, "methods": rows}, path)


def load_methods(path: Path | None = None) -> tuple[Method, ...]:
    """Every method of params/beyond.yaml, in its order; ParamsError where the file is not valid."""
    return load_beyond(path).methods


def methods_of(group: Group, profile: Profile) -> list[Method]:
    """The methods of a group that run under a profile, in the order of params/beyond.yaml."""
    found, demo = load_beyond(), profile.dataset == "synthetic"
    return [e for e in found.methods if e.group == group and (not demo or e.name in found.demo)]


def load_method(name: str | Method) -> Method:
    """One method by name; ParamsError lists the names where there is none."""
    if isinstance(name, Method):
        return name
    by_name = {method.name: method for method in load_methods()}
    if name not in by_name:
        raise ParamsError(f"no method {name!r}: choose from {', '.join(by_name)}.")
    return by_name[name]
