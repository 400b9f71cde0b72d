"""Processes: who is at work, recorded beside it so that others can tell, and the variables that children are given."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

import psutil  # type: ignore[import-untyped]
from pydantic import Field

# seconds by which a process's start may be told differently, as the clock is set
CLOCK = 5
# where engines that queue jobs name the job that a process belongs to
JOB_VARIABLES = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID")


@dataclass(frozen=True)
class Process:
    """The machine's name, the process's number, when it began (seconds since 1970), and its job, if it is one's."""

    host: str
    pid: Annotated[int, Field(gt=0, lt=2**31)]
    begun: float
    job: str | None = None

    @classmethod
    def this(cls) -> Process:
        job = next((os.environ[name] for name in JOB_VARIABLES if os.environ.get(name)), None)
        return cls(platform.node(), os.getpid(), psutil.Process().create_time(), job)

    @property
    def lives(self) -> bool:
        """Whether it is still there; a process of another machine is taken to be."""
        if self.host != platform.node():
            return True
        try:
            found = psutil.Process(self.pid)
            return bool(abs(found.create_time() - self.begun) < CLOCK and found.status() != psutil.STATUS_ZOMBIE)
        except psutil.Error:
            return False

    def __str__(self) -> str:
        """Name where it runs: "node7, job 4711", "node7"."""
        return f"{self.host}, job {self.job}" if self.job else self.host


@contextmanager
def variables_set(**wanted: str | None) -> Iterator[None]:
    """Set environment variables for the while, for this process and its children; None leaves one as it is."""
    before = {name: os.environ.get(name) for name, value in wanted.items() if value is not None}
    os.environ.update({name: value for name, value in wanted.items() if value is not None})
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
