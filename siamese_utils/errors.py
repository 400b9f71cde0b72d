"""The errors a user can meet. Each message is one sentence that says what is wrong and what to do.

The command line prints the message without a traceback and exits with code 2.
"""

# modules that do not come with the package alone → the extra that they come with
EXTRAS = {
    **dict.fromkeys(("keras", "pandas", "pooch", "requests", "tensorflow", "tqdm"), "train"),
    "jax": "jax",
    "rocrate": "archive",
    **dict.fromkeys(
        ("anywidget", "bs4", "IPython", "jinja2", "latex2mathml", "markupsafe", "matplotlib", "nbconvert", "nbformat",
         "nh3", "papermill", "seaborn", "sklearn", "traitlets"),
        "notebooks",
    ),
}  # fmt: skip


class SiameseError(Exception):
    """Base class of every error that is the user's to mend, not ours."""


class ParamsError(SiameseError):
    """A profile, an experiment or a parameter that does not exist or is not valid."""


class DataError(SiameseError):
    """A dataset that is missing, damaged, foreign, or cannot be stored."""


class OutputError(SiameseError):
    """A file that cannot be written where it is wanted."""


class ResultsError(SiameseError):
    """A result folder that is missing or cannot be read."""


def missing_extra(module: str | None) -> str | None:
    """Say what to install for a module that is not there, in a sentence; None where it is none of an extra's."""
    extra = EXTRAS.get((module or "").partition(".")[0])
    return extra and f"this needs `pip install siamese-utils[{extra}]`: {module} is not installed."
