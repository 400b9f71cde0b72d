"""Where things are: the project's folders, found from the checkout or from SIAMESE_HOME."""

import os
from pathlib import Path

from .errors import ParamsError


def project_root() -> Path:
    """The folder that holds params/ and notebooks/.

    SIAMESE_HOME if set, else the checkout this package was installed from, else the current folder.
    Raises ParamsError where none of them holds params/experiments.yaml.
    """
    candidates = [Path(__file__).resolve().parent.parent, Path.cwd()]
    if home := os.environ.get("SIAMESE_HOME"):
        candidates = [Path(home).expanduser().resolve()]
    for folder in candidates:
        if (folder / "params" / "experiments.yaml").is_file():
            return folder
    raise ParamsError(
        f"no params/experiments.yaml in {' or '.join(map(str, candidates))}: "
        "run from a checkout of the project, or set SIAMESE_HOME to one."
    )


def data_dir() -> Path:
    """The folder for downloads and the packed cache: SIAMESE_CACHE_DIR, else data/ in the checkout."""
    if cache := os.environ.get("SIAMESE_CACHE_DIR"):
        return Path(cache).expanduser().resolve()
    return project_root() / "data"


def reports_dir() -> Path:
    """The folder for results and reports: SIAMESE_REPORTS_DIR, else reports/ in the checkout."""
    if reports := os.environ.get("SIAMESE_REPORTS_DIR"):
        return Path(reports).expanduser().resolve()
    return project_root() / "reports"
