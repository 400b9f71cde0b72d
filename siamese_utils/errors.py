"""The errors a user can meet. Each message is one sentence that says what is wrong and what to do.

The command line prints the message without a traceback and exits with code 2.
"""


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
