"""Commands in processes of their own, each a fork of one that has imported the package, and how they come to harm."""

import contextlib
import ctypes
import fcntl
import io
import os
import resource
import signal
import struct
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

LONGEST = 120  # seconds
PIPE = 2**20  # bytes: more than a command prints
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "shutil.rmtree"}


@dataclass
class Ended:
    """How a command ended: its exit code, minus the signal's number where one killed it, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def said(self):
        return " ".join((self.out + self.err).split())


@dataclass
class Running:
    pid: int
    ends: tuple  # of pipes, to read what it prints from

    def wait(self, longest=LONGEST):
        """How it ended; code 999 where it had to be killed because it did not end."""
        late = time.monotonic() + longest
        code = None
        while code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                code = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > late:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                code = 999
            else:
                time.sleep(0.002)
        return Ended(code, *(_drain(end) for end in self.ends))


def _drain(end):
    with open(end, "rb") as pipe:
        return pipe.read().decode(errors="backslashreplace")


def start(*arguments, harm=None, do=None, **environment):
    """Start `siamese` with arguments, or a function, in a process of its own.

    harm  is called in it first: it limits, counts or forbids
    """
    pipes = os.pipe(), os.pipe()
    for _, end in pipes:
        fcntl.fcntl(end, fcntl.F_SETPIPE_SZ, PIPE)
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        for _, end in pipes:
            os.close(end)
        return Running(pid, tuple(end for end, _ in pipes))
    code = 70
    try:
        for number, (_, end) in zip((1, 2), pipes, strict=True):
            os.dup2(end, number)
        sys.stdout, sys.stderr = (io.TextIOWrapper(io.FileIO(number, "w", closefd=False), "utf-8") for number in (1, 2))
        os.environ.update({name: str(value) for name, value in environment.items()})
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.argv = ["siamese", *map(str, arguments)]
        from siamese_utils import cli
        from siamese_utils.cli import boundary

        command = cli.main
        if do:
            boundary.prepare()
            command = boundary.guarded(do)
        if harm:
            harm()
        try:
            command()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException as end:
            code = getattr(end, "exit_code", 70)
            if code == 70:
                traceback.print_exc()
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
    finally:
        os._exit(code)


def siamese(*arguments, **options):
    """Run a command to its end."""
    return start(*arguments, **options).wait()


# ---- harm ----------------------------------------------------------------------------------------


def at_change(number, under, act, *, ever=False):
    """Harm: call `act` before the process changes a file under a folder for the n-th time, counted from 0.

    ever  and each time after that;  without a number: every time
    Changes are files opened to be written, renamed, removed or flushed to disk, and folders made or removed.
    """
    under = str(under)

    def harm():
        left, owner = number or 0, os.getpid()

        def count(path):
            nonlocal left
            if str(path).startswith(under) and os.getpid() == owner:
                left -= 1
                if left == -1 or (left < 0 and (ever or number is None)):
                    act()

        def hook(event, given):
            opened = event == "open" and isinstance(given[0], str) and (given[2] or 0) & WRITES
            if opened or (event in CHANGES and given):
                count(given[0])

        flush = os.fsync

        def fsync(number):
            count(os.readlink(f"/proc/self/fd/{getattr(number, 'fileno', lambda: number)()}"))
            flush(number)

        os.fsync = fsync
        sys.addaudithook(hook)

    return harm


def die(how=signal.SIGKILL):
    """An act: the process sends itself a signal."""
    return lambda: os.kill(os.getpid(), how)


def fail(number):
    """An act: the system refuses, with this errno."""

    def act():
        raise OSError(number, os.strerror(number))

    return act


def largest_file(size, how):
    """Harm: no file grows beyond so many bytes; the write that would is an error, or the end of the process."""

    def harm():
        signal.signal(signal.SIGXFSZ, how)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return harm


def without_rights():
    """Harm: the process may do with a file what its owner may, even if it is root's."""
    if not os.getuid():
        # all capabilities given up, as capset(2) takes them in its third version
        ctypes.CDLL(None).capset(struct.pack("=Ii", 0x20080522, 0), bytes(24))


@contextlib.contextmanager
def small_disk(place: Path, **options):
    """A file system of its own at `place`, by tmpfs' options size and nr_inodes; False where none may be mounted."""
    place.mkdir(parents=True)
    given = ",".join(f"{name}={value}" for name, value in options.items())
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", given, "tmpfs", place], capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", place], check=True)
