"""Every kind of fault, and how many of a thousand are of it."""

from . import crash_kinds, data_kinds, run_kinds

KINDS = {**run_kinds.KINDS, **crash_kinds.KINDS, **data_kinds.KINDS}
