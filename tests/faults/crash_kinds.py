"""The process, the disk or the system gives out: at every change of a file, in the middle of one, at any moment."""

import errno
import fcntl
import os
import signal
import subprocess
import time

from . import process
from .run_kinds import load_model

STATES = ("nothing", "under way", "complete", "bare")
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
ERRORS = (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EROFS, errno.EDQUOT, errno.EMFILE, errno.EPERM)
GOLDEN = (5**0.5 - 1) / 2
CHANGES = {}  # by the state: how many changes of files a training makes


def _command(case, state):
    """What is run: a training; the weights of results that have none are asked for."""
    if state == "bare":
        return {"do": load_model(case.world)}
    return {}


def _train(case, state, **harm):
    arguments = () if state == "bare" else ("run", "baseline", "-p", case.world.profile)
    return case.start(*arguments, **_command(case, state), **harm)


def _changes(case, state):
    """How many changes the training of a state makes where nothing harms it."""
    if state not in CHANGES:
        counter = case.folder / "count"

        def count():
            with open(counter, "a") as file:
                file.write(".")

        _train(case, state, harm=process.at_change(None, case.reports, count)).wait()
        CHANGES[state] = counter.stat().st_size
        subprocess.run(["rm", "-r", case.reports], check=True)
        case.log.unlink(missing_ok=True)
        case.bring(state)
    return CHANGES[state]


def _finish(case, state, most=1):
    """The fault is over: the command ends well, and what there is, is the undisturbed run."""
    if state == "bare":
        case.ended(case.siamese(do=load_model(case.world)), 0)
    case.finishes(most=most)
    case.ended(case.siamese("verify", "-p", case.world.profile), 0)


def _nth(case, state):
    """The number of a change: however many cases there are, they lie evenly over all changes."""
    return int(_changes(case, state) * (case.number // len(STATES) * GOLDEN % 1))


def killed_at_change(case):
    """A signal before the n-th change of a file, for every n."""
    state = STATES[case.number % len(STATES)]
    case.bring(state)
    number, how = _nth(case, state), case.choose(SIGNALS)
    case.about = f"{state}, {how.name} at {number} of {CHANGES[state]}"
    ended = _train(case, state, harm=process.at_change(number, case.reports, process.die(how))).wait()
    if how == signal.SIGKILL:
        case.expect(ended.code == -how, f"not killed, {ended.code}")
    else:
        case.ended(ended, 130)
        case.names(ended, "interrupted: what was trained is kept")
    shown = case.ended(case.siamese("status", "-p", case.world.profile), 0)
    case.expect("not run" in shown.out, "no status")
    _finish(case, state)


def killed_twice(case):
    """Killed, run again and killed again, elsewhere."""
    state = STATES[case.number % len(STATES)]
    case.bring(state)
    changes = _changes(case, state)
    for _ in range(2):
        number = int(case.rng.integers(changes))
        case.about += f" {state}, killed at {number};"
        _train(case, state, harm=process.at_change(number, case.reports, process.die())).wait()
    _finish(case, state, most=2)
    case.lost = min(case.lost, 1) if case.lost <= 2 else case.lost  # two kills


def refused_at_change(case):
    """The system refuses the n-th change of a file, for every n: no room, no right, no disk any more."""
    state = STATES[case.number % len(STATES)]
    case.bring(state)
    number, error = _nth(case, state), case.choose(ERRORS)
    case.about = f"{state}, {errno.errorcode[error]} at {number} of {CHANGES[state]}"
    ended = _train(case, state, harm=process.at_change(number, case.reports, process.fail(error))).wait()
    case.ended(ended, 0, 2)
    _finish(case, state)


def refused_from_change(case):
    """From the n-th change on the system refuses all: the disk is full, and stays so."""
    state = STATES[case.number % len(STATES)]
    case.bring(state)
    number, error = _nth(case, state), case.choose(ERRORS)
    case.about = f"{state}, {errno.errorcode[error]} from {number} of {CHANGES[state]}"
    ended = _train(case, state, harm=process.at_change(number, case.reports, process.fail(error), ever=True)).wait()
    case.ended(ended, 0, 2)
    _finish(case, state)


def no_room_in_a_file(case):
    """A write that the system cuts short: an error, or the end of the process in the middle of a file."""
    state = STATES[case.number % len(STATES)]
    case.bring(state)
    kills = case.rng.random() < 0.5
    size = int(case.rng.integers(1, 3000))
    case.about = f"{state}, {'killed' if kills else 'refused'} at byte {size}"
    how = signal.SIG_DFL if kills else signal.SIG_IGN
    ended = _train(case, state, harm=process.largest_file(size, how)).wait()
    if ended.code != -signal.SIGXFSZ:
        case.ended(ended, 0, 2)
    _finish(case, state)


def full_disk(case):
    """A real file system without room, or without room for one more file; then it gets some."""
    state = STATES[case.number % len(STATES)]
    files = case.number % 3 == 2
    size = int(case.rng.integers(3, 25)) if files else int(case.rng.integers(4, 24)) * 4
    option = {"nr_inodes": size} if files else {"size": f"{size}k"}
    case.about = f"{state}, {option}"
    with process.small_disk(case.reports, **option) as mounted:
        if not mounted:
            return no_room_in_a_file(case)
        try:
            case.bring(state)
        except OSError:
            _more_room(case)
            case.bring(state)
            _fill(case)
        case.ended(_train(case, state).wait(), 0, 2)
        _more_room(case)
        for path in case.reports.glob("filler*"):
            path.unlink()
        _finish(case, state)


def _more_room(case):
    options = "remount,size=8m,nr_inodes=10k"
    subprocess.run(["mount", "-o", options, case.reports], check=True)


def _fill(case):
    """Leave room for so many bytes only."""
    room = int(case.rng.integers(0, 30_000))
    free = os.statvfs(case.reports)
    with open(case.reports / "filler", "wb") as file:
        file.write(bytes(max(0, free.f_bavail * free.f_bsize - room)))


def killed_at_any_moment(case):
    """A signal from outside, after some time."""
    state = STATES[case.number % len(STATES)]
    case.bring(state)
    how, after = case.choose(SIGNALS), float(case.rng.uniform(0.01, 0.5))
    case.about = f"{state}, {how.name} after {after:.3f} s"
    running = _train(case, state)
    time.sleep(after)
    os.kill(running.pid, how)
    ended = running.wait()
    # the handler of SIGTERM is the command's own: before it has begun, the system's ends it
    case.ended(ended, 0, 130, -how) if how != signal.SIGINT else case.ended(ended, 0, 130)
    _finish(case, state)


def two_at_once(case):
    """Two or three processes want the same run; one of them may be killed."""
    state = STATES[case.number % len(STATES)]
    case.bring(state)
    kills = case.rng.random() < 0.5
    harm = {"harm": process.at_change(_nth(case, state), case.reports, process.die())} if kills else {}
    case.about = f"{state}, {harm and 'one killed'}"
    first = _train(case, state, **harm)
    others = [_train(case, state) for _ in range(int(case.rng.integers(1, 3)))]
    ended = first.wait()
    if ended.code != -signal.SIGKILL:
        case.ended(ended, 0)
    for other in others:
        case.ended(other.wait(), 0)
    case.is_reference()
    case.count_lost()


def lock_refused(case):
    """A file system that has no locks."""
    state = STATES[case.number % len(STATES)]
    case.bring(state)
    error = case.choose((errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EIO, errno.EPERM))
    case.about = f"{state}, {errno.errorcode[error]}"

    def harm():
        def refuse(*_):
            raise OSError(error, os.strerror(error))

        fcntl.flock = refuse

    case.ended(_train(case, state, harm=harm).wait(), 0, 2)
    _finish(case, state)


def without_rights(case):
    """Folders and files that the user may not write, or not read."""
    state = STATES[case.number % len(STATES)]
    case.bring(state)
    closed = case.choose([case.reports, *sorted(case.reports.rglob("*"))])
    case.about = f"{state}, {closed.relative_to(case.folder)}"
    mode = closed.stat().st_mode
    closed.chmod(case.choose((0o555, 0o000) if closed.is_dir() else (0o000,)))
    case.ended(_train(case, state, harm=process.without_rights).wait(), 0, 2)
    command = case.choose(("status", "verify"))
    case.ended(case.siamese(command, "-p", case.world.profile, harm=process.without_rights), 0, 1, 2)
    # a run that has got its name took the file along
    if closed.exists():
        closed.chmod(mode)
    _finish(case, state)


def in_the_way(case):
    """A file where a folder belongs, a folder where a file belongs."""
    run = case.world.folder_of("baseline")
    partial = f"{run}.partial"
    place = case.choose((
        "", "faults", "faults/results", f"faults/results/{run}", f"faults/results/{partial}",
        f"faults/results/.{run}.lock", f"faults/results/{partial}/config.json", f"faults/results/{partial}/history.csv",
        f"faults/results/{partial}/checkpoints.json", f"faults/results/{partial}/checkpoint-0.keras",
        f"faults/results/{partial}/metrics.json", f"faults/results/{partial}/model.keras",
        f"faults/results/{partial}/SHA256SUMS", f"faults/results/{partial}/answers.npz",
    ))  # fmt: skip
    path, file = case.reports / place, case.rng.random() < 0.5
    case.about = f"{'file' if file else 'folder'} {place}"
    path.parent.mkdir(parents=True, exist_ok=True)
    if file:
        path.write_bytes(case.rng.bytes(20))
    else:
        path.mkdir(exist_ok=True)
    case.ended(case.siamese("run", "baseline", "-p", case.world.profile), 0, 2)
    for command in ("status", "verify"):
        case.ended(case.siamese(command, "-p", case.world.profile), 0, 1, 2)
    # what stood in the way is moved elsewhere, and so is a folder that a message has named
    subprocess.run(["rm", "-rf", case.reports / "faults" / "results" / partial, path], check=True)
    case.log.unlink(missing_ok=True)
    case.finishes()


def nowhere_to_print(case):
    """The place to which the output goes is full."""
    case.bring(case.choose(("finished", "under way")))
    arguments = case.choose((("status",), ("verify",), ("run", "baseline")))

    def harm():
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, 1)

    case.about = arguments[0]
    case.ended(case.siamese(*arguments, "-p", case.world.profile, harm=harm), 2)
    case.finishes()


KINDS = {
    killed_at_change: 160,
    killed_twice: 20,
    refused_at_change: 120,
    refused_from_change: 50,
    no_room_in_a_file: 40,
    full_disk: 40,
    killed_at_any_moment: 40,
    two_at_once: 30,
    lock_refused: 10,
    without_rights: 30,
    in_the_way: 30,
    nowhere_to_print: 6,
}
