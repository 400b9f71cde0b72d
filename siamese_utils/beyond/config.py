"""A method is data: one row of params/beyond.yaml, all of network, loss, batches and optimizer.

Where an experiment of the paper trains on pairs, a method trains on batches of P classes with K images each, from
which its loss takes pairs, triplets, quadruplets or prototypes (see `losses`). A field that was renamed keeps its old
name in a run's key, by `serialization_alias`.
"""

from functools import lru_cache
from math import ceil
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from ..config import Profile, params_dir
from ..errors import ParamsError
from ..schema import (
    ImageSize,
    Iterations,
    Name,
    Strict,
    Units,
    Whole,
    checked,
    keys_of,
    read_yaml,
    refuse_repeated,
    rows_of,
)

LossName = Literal[
    "contrastive", "cosine", "cross_entropy", "triplet", "hard_triplet", "quadruplet", "prototype",
    "supervised_contrastive", "cosine_softmax",
]  # fmt: skip
Group = Literal["loss", "recipe", "final", "pictures"]
# the method whose parts the group "recipe" changes
RECIPE = "beyond-3-minutes"


class Block(Strict):
    """One convolution with what follows it: BatchNorm where the network has it, ReLU, and 2×2 pooling if `pool`."""

    filters: Units
    kernel: Whole = Field(3, gt=0, le=105)
    stride: Whole = Field(1, gt=0)
    pool: bool = True


class NetworkConfig(Strict):
    """A backbone: convolution blocks, then the flattened features, or a Dense layer on them as the embedding.

    blocks          none: the pixels themselves are the features
    activation      of the Dense layer
    padded_pooling  an odd side keeps its last row and column; if false, they are dropped
    unpadded_from   convolutions are padded on images smaller than this; None: always
    """

    blocks: tuple[Block, ...]
    batch_norm: bool
    embedding: Units | None = None
    activation: Literal["linear", "sigmoid"] = "linear"
    padded_pooling: bool = False
    unpadded_from: Whole | None = Field(None, gt=0)

    def padding(self, size: int) -> Literal["valid", "same"]:
        """Return how its convolutions treat the edge of images of so many pixels a side."""
        return "valid" if self.unpadded_from and size >= self.unpadded_from else "same"

    def first_too_large(self, size: int) -> int | None:
        """Return the number, from 1, of the first block that leaves nothing of images of this size; None if all fit."""
        side, padded = size, self.padding(size) == "same"
        for number, block in enumerate(self.blocks, start=1):
            side = ceil(side / block.stride) if padded else (side - block.kernel) // block.stride + 1
            if block.pool:
                side = ceil(side / 2) if self.padded_pooling else side // 2
            if side < 1:
                return number
        return None


class Augmentation(Strict):
    """A random affine map for every training image, each part uniform within plus and minus the figure.

    rotate, shear  degrees;  scale: logarithm of the factor;  shift: share of the side; the last two for each axis
    mirror         every second image, drawn at random, is mirrored left to right, and stays in its class
    """

    rotate: float = Field(ge=0)
    shear: float = Field(ge=0)
    scale: float = Field(ge=0)
    shift: float = Field(ge=0)
    mirror: bool = False


class HardClasses(Strict):
    """Hard-class mining: a batch holds groups of classes, one drawn at random and some of those most like it.

    n_hard     how many classes each brings along
    pool_size  how many they are drawn from: the most like it
    start      share of the steps, the first ones, that train without mining
    refresh    number of steps after which the pools are computed again
    """

    n_hard: Whole = Field(gt=0, serialization_alias="company")
    pool_size: Whole = Field(gt=0, serialization_alias="among")
    start: float = Field(ge=0, lt=1, serialization_alias="after")
    refresh: Whole = Field(gt=0, serialization_alias="every")


class Method(Strict):
    """One row of params/beyond.yaml, with the defaults at its top filled in.

    source               of the loss or the network, for tables
    group                the question that it helps to answer; "final": evaluated on the evaluation set
    experiment           a row of params/experiments.yaml, trained as the paper's rows are: of the fields below, only
                         image_size and the steps are used
    normalize            the loss sees embeddings of length 1
    comparison           how two embeddings are compared in an episode
    classes, images      classes of a batch, and images of each class
    image_size           pixels a side of Omniglot's images; None: the profile's
    rotated_classes      every character rotated by 90°, 180° and 270° is a class of its own
    mirrored_classes     and so is its mirror image, with its rotations
    test_time_views      test-time augmentation: embeddings that are averaged, of the image and moved copies of it
    upside_down          test-time augmentation: both images are rotated by 180°, too, and the two cosines averaged
    learning_rate        AdamW's, after the warm-up; it falls to zero along a cosine
    muon_learning_rate   of convolution kernels, by Muon; None: AdamW trains them, too
    warm_up              share of the steps
    ema_decay            a step's, of the exponential moving average of the weights; 0: no average
    steps                batches; `steps_on_synthetic` in the demo
    """

    name: Name
    title: str
    source: str = ""
    group: Group
    experiment: Name | None = None
    network: NetworkConfig
    loss: LossName
    loss_options: dict[str, float] = Field({})
    normalize: bool
    comparison: Literal["euclidean", "cosine", "head"]
    classes: Whole = Field(ge=2, le=4_096)
    images: Whole = Field(ge=2, le=4_096)
    image_size: ImageSize | None = None
    rotated_classes: bool
    mirrored_classes: bool = False
    hard_classes: HardClasses | None = Field(None, serialization_alias="look_alikes")
    augmentation: Augmentation | None
    test_time_views: Whole = Field(1, ge=1, serialization_alias="views")
    upside_down: bool = False
    learning_rate: float = Field(gt=0, serialization_alias="rate")
    muon_learning_rate: float | None = Field(None, gt=0, serialization_alias="kernel_rate")
    warm_up: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    ema_decay: float = Field(ge=0, lt=1, serialization_alias="averaging")
    steps: Iterations
    steps_on_synthetic: Iterations

    @model_validator(mode="after")
    def _fields_agree(self) -> "Method":
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
    def embeddings_averaged(self) -> int:
        """How many embeddings test-time augmentation takes of an image, those upside down included."""
        return self.test_time_views * (1 + self.upside_down)

    @property
    def forms(self) -> int:
        """How many classes each character makes: 1, 4 with its rotations, 8 with those of its mirror image."""
        return 8 if self.mirrored_classes else 4 if self.rotated_classes else 1

    def fitted_to(self, classes: int, fewest: int) -> "Method":
        """Return the method with batches no larger than a dataset: so many classes, at least `fewest` images each."""
        return self.model_copy(update={"classes": min(self.classes, classes), "images": min(self.images, fewest)})

    def sized(self, profile: Profile) -> Profile:
        """Return the profile at the method's own image size; the built-in characters stay as they are."""
        if self.image_size is None or profile.dataset == "synthetic":
            return profile
        return profile.model_copy(update={"image_size": self.image_size})

    def check_fits(self, profile: Profile) -> None:
        """Raise ParamsError where a profile's images are too small for the network."""
        size = self.sized(profile).image_size
        if number := self.network.first_too_large(size):
            raise ParamsError(
                f"images of {size} pixels are too small for block {number} of {len(self.network.blocks)} of the method "
                f"{self.name}: use a larger image_size, or fewer blocks."
            )


class Beyond(Strict):
    """The whole of params/beyond.yaml; `demo` names the few methods that the built-in characters are enough for."""

    demo: tuple[str, ...]
    methods: tuple[Method, ...]

    @model_validator(mode="after")
    def _names_are_unique_and_known(self) -> "Beyond":
        names = [method.name for method in self.methods]
        refuse_repeated("method name", names)
        if unknown := sorted(set(self.demo) - set(names)):
            raise ValueError(f"no such method for the demo: {', '.join(unknown)}")
        return self


@lru_cache
def load_beyond(path: Path | None = None) -> Beyond:
    """Load the whole of params/beyond.yaml; ParamsError where the file is not valid."""
    path = path or params_dir() / "beyond.yaml"
    raw = read_yaml(path)
    defaults = keys_of("defaults", raw.pop("defaults", None), path)
    rows = [{**defaults, **row} for row in rows_of("methods", raw.get("methods"), path)]
    return checked(Beyond, {**raw, "methods": rows}, path)


def methods_of(group: Group, profile: Profile) -> list[Method]:
    """Load the methods of a group that run under a profile, in the order of params/beyond.yaml.

    Before those of "recipe" comes `RECIPE` itself, which they change.
    """
    beyond, demo = load_beyond(), profile.dataset == "synthetic"
    first = [load_method(RECIPE)] if group == "recipe" else []
    return first + [m for m in beyond.methods if m.group == group and (not demo or m.name in beyond.demo)]


def load_method(name: str | Method) -> Method:
    """Load one method by name; ParamsError lists the names where there is none."""
    if isinstance(name, Method):
        return name
    by_name = {method.name: method for method in load_beyond().methods}
    if name not in by_name:
        raise ParamsError(f"no method {name!r}: choose from {', '.join(by_name)}.")
    return by_name[name]
