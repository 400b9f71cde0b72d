"""Every kind of fault, and how many of a thousand are of it."""

from . import batch_kinds, crash_kinds, data_kinds, keras_kinds, run_kinds

WITH_KERAS = keras_kinds.KINDS
KINDS = {**run_kinds.KINDS, **crash_kinds.KINDS, **data_kinds.KINDS, **batch_kinds.KINDS, **WITH_KERAS}
