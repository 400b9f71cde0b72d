"""With Keras itself: trainings that are killed, models and pictures that are damaged."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import time

from .crash_kinds import SIGNALS
from .damage import damage
from .data_kinds import picture
from .oracle import differences
from .process import Ended

KERAS = {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
COMMAND = (sys.executable, "-m", "siamese_utils")
KILLS = 4  # of one training, one after the other


def _start(case, reports, *arguments):
    """The command in a process of its own, as a shell starts it."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        env={**os.environ, **KERAS, "SIAMESE_REPORTS_DIR": str(reports)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def _end(running):
    try:
        out, err = running.communicate(timeout=300)
    finally:
        running.kill()
    return Ended(running.returncode, out, err)


def _trained(case):
    """The undisturbed training's folder, and the seconds that it took; trained once."""
    reports = case.world.folder / "keras"
    if not reports.exists():
        begun = time.monotonic()
        ended = _end(_start(case, reports, "run", "baseline", "-p", case.world.profile))
        if ended.code:
            raise RuntimeError(ended.said)
        case.world.seconds = time.monotonic() - begun
    return reports / case.world.run("baseline")


def _checks(folder):
    try:
        with open(folder / "history.csv", newline="") as file:
            return len(list(csv.DictReader(file)))
    except FileNotFoundError:
        return 0


def keras_killed(case):
    """A real training, killed at any moment, goes on where it was and ends with the same weights and figures."""
    reference = _trained(case)
    kept = case.world.folder / "killed"
    folder = kept / case.world.run("baseline")
    partial = folder.with_name(f"{folder.name}.partial")
    how, after = case.choose(SIGNALS), float(case.rng.uniform(0.3, 1.0)) * case.world.seconds
    case.about = f"{how.name} after {after:.1f} s"
    before = _checks(partial)
    running = _start(case, kept, "run", "baseline", "-p", case.world.profile)
    try:
        time.sleep(after)
        running.send_signal(how)
        ended = _end(running)
    finally:
        running.kill()
    if ended.code not in (0, -how):
        case.ended(ended, 130)
    # the interval at which it was is lost, and no more
    case.lost = 0 if folder.exists() else 1 + max(0, before - _checks(partial))
    case.expect(case.lost <= 1, f"{before} checks, then {_checks(partial)}")
    if folder.exists() or case.number % KILLS == KILLS - 1:
        case.ended(_end(_start(case, kept, "run", "baseline", "-p", case.world.profile)), 0)
        case.expect(not (problem := differences(folder, reference)), problem)
        shutil.rmtree(kept)


# ---- models and pictures -------------------------------------------------------------------------


def _ask(case, *arguments):
    return case.world.keras(*map(str, arguments))


def _files(case):
    """A trained model, two pictures, and a support set."""
    model = case.folder / "model.keras"
    shutil.copy(_trained(case) / "model.keras", model)
    pictures = [case.folder / f"{name}.png" for name in ("one", "two")]
    support = [case.folder / "support" / name / "1.png" for name in "abc"]
    for path in (*pictures, *support):
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(case.rng).save(path)
    return model, pictures, support


def _commands(model, pictures, support):
    """By what they are called."""
    return {
        "embed": ("embed", *pictures, "-m", model),
        "compare": ("compare", *pictures, "-m", model),
        "classify": ("classify", pictures[0], "--support", support[0].parents[1], "-m", model),
    }


def _use(case, victim, files):
    """Damage one of the files: the command names it, or answers as before."""
    command = case.choose(_commands(*files).values())
    reference = case.ended(_ask(case, *command), 0).out
    whole = victim.read_bytes()
    while not (done := damage(case.rng, victim)):
        pass
    case.about = f"{command[0]}, {done}"
    ended = case.ended(_ask(case, *command), 0, 2)
    if ended.code == 2:
        case.names(ended, victim.name, victim.parent)
    else:
        case.expect(ended.out == reference, f"another answer: {ended.said[:200]}")
    if victim.is_dir() and not victim.is_symlink():
        victim.rmdir()
    else:
        victim.unlink(missing_ok=True)
    victim.write_bytes(whole)
    case.expect(case.ended(_ask(case, *command), 0).out == reference, "not the same answer again")


def model_file(case):
    """A damaged model gives no answer."""
    files = _files(case)
    _use(case, files[0], files)


def picture_in_use(case):
    """A damaged picture, asked about or to compare with, gives no answer."""
    files = _files(case)
    _use(case, files[1][0], files)


KINDS = {keras_killed: 8, model_file: 30, picture_in_use: 10}
