"""A profile's dataset: real Omniglot or the built-in characters, at the profile's image size."""

from dataclasses import replace
from pathlib import Path

from ..config import Profile, load_profile
from ..errors import ParamsError
from . import omniglot, synthetic
from .dataset import Dataset

# what stands for a fingerprint where the characters are drawn by a program
DRAWN = "synthetic characters"


def load_dataset(profile: str | Path | Profile) -> Dataset:
    """Load the profile's dataset at its image size: `train` and `val`, a `Split` each, and where they come from.

    profile  "demo", "laptop", "paper", the path of a profile's file, or a Profile

    Omniglot is downloaded on first use, or read from SIAMESE_DATA_DIR; see `omniglot.load`. The built-in characters
    are drawn on the spot; see `synthetic.draw_dataset`. Raises DataError with what to do when that fails.

    >>> load_dataset("demo").val.images.shape
    (86, 20, 20, 20)
    """
    profile = load_profile(profile)
    dataset = omniglot.load() if profile.dataset == "omniglot" else synthetic.draw_dataset()
    train, val = (split.resized(profile.image_size) for split in (dataset.train, dataset.val))
    return replace(dataset, train=train, val=val)


def refuse_another(dataset: Dataset, profile: Profile) -> None:
    """Raise ParamsError for a dataset that is not the profile's, before a run that names the profile's is trained."""
    is_drawn, size = profile.dataset == "synthetic", dataset.train.images.shape[2]
    same = dataset.synthetic == is_drawn and (is_drawn or dataset.fingerprint == omniglot.FINGERPRINT)
    if not same or size != profile.image_size:
        raise ParamsError(
            f"{dataset.name} at {size} pixels is not the dataset of the profile {profile.name}: give that, or none."
        )


def dataset_fingerprint(profile: Profile) -> str:
    """Return the fingerprint of the profile's dataset, known without loading it."""
    if profile.dataset == "omniglot":
        return omniglot.FINGERPRINT
    return f"{DRAWN}, version {synthetic.GENERATOR_VERSION}"
