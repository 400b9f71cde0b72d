"""Where things are: the project's folders, found from the checkout, from SIAMESE_HOME, or within the package.

A wheel carries the parameters, the notebooks and the shipped model in siamese_utils/_home (see hatch_build.py), laid
out as in a checkout.
"""

import os
from pathlib import Path

import platformdirs

from .errors import DataError, ParamsError

PACKAGE = Path(__file__).resolve().parent
# the model that is used where none is named, the same in pyproject.toml; docs/models.md says why this one
SHIPPED_MODEL = Path("reports/laptop/beyond/beyond-validation-s0-d3c0a74556/shipped.keras")


def project_root() -> Path:
    """Find the folder that holds params/ and notebooks/.

    SIAMESE_HOME if set; else the checkout that this package lies in; else, of an installed package, the current folder
    or the nearest above it that is a project, then the package's own. Raises ParamsError where none holds
    params/experiments.yaml.
    """
    candidates = [PACKAGE.parent, Path.cwd(), *Path.cwd().parents, PACKAGE / "_home"]
    if home := _named("SIAMESE_HOME"):
        candidates = [home]
    for folder in candidates:
        if (folder / "params" / "experiments.yaml").is_file():
            return folder
    raise ParamsError(
        f"no params/experiments.yaml in {' or '.join(map(str, candidates))}: "
        "run from a checkout of the project, or set SIAMESE_HOME to one."
    )


def is_packaged() -> bool:
    """Say whether the project is the installed package's own, which nothing is written to."""
    return project_root() == PACKAGE / "_home"


def data_dir() -> Path:
    """Name the folder for downloads and the packed cache.

    SIAMESE_CACHE_DIR, else data/ in the project; of an installed package, the user's folder for caches.
    """
    if cache := _named("SIAMESE_CACHE_DIR"):
        return cache
    return platformdirs.user_cache_path("siamese-utils", False) if is_packaged() else project_root() / "data"


def work_dir() -> Path:
    """Name the folder into which results and copies go: the project; of an installed package, the current folder."""
    return Path.cwd() if is_packaged() else project_root()


def reports_dir() -> Path:
    """Name the folder for results and reports: SIAMESE_REPORTS_DIR, else reports/ in the folder for work."""
    return _named("SIAMESE_REPORTS_DIR") or work_dir() / "reports"


def shipped_model() -> Path:
    """Find the model's file that comes with this package, whatever SIAMESE_HOME is; DataError without it."""
    for root in (PACKAGE.parent, PACKAGE / "_home"):
        if (root / SHIPPED_MODEL).is_file():
            return root / SHIPPED_MODEL
    raise DataError("the model that comes with this package is missing: install it again, or name one of your own.")


def _named(variable: str) -> Path | None:
    """Read the folder that an environment variable names, if it does; ParamsError for what names none."""
    value = os.environ.get(variable)
    try:
        return Path(value).expanduser().resolve() if value else None
    # nobody has such a home; a link leads to itself
    except (RuntimeError, OSError) as error:
        raise ParamsError(f"{variable} is {value}, which names no folder ({error}): set it to one.") from error
