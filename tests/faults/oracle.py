"""What is right: how a command may end, what a run must hold, what may not be gone."""

import io
import json
import shutil
import zipfile

import numpy as np
import pandas as pd

from . import process

LEFT_OUT = ("seconds", "provenance", "origins")  # of a run's metrics: they tell of the machine
UNFORESEEN = "not foreseen"


class Case:
    """One fault: a folder of its own, dice of its own, and what has been found so far.

    lost    checks that were trained more than once
    wrong   results that are not what they should be, in words
    broken  tracebacks, and commands that ended as none may
    """

    def __init__(self, world, number, rng, folder):
        self.world, self.number, self.rng, self.folder = world, number, rng, folder
        self.reports = folder / "reports"
        self.log = folder / "log"
        self.lost, self.wrong, self.broken, self.about = 0, [], [], ""
        folder.mkdir()

    def choose(self, among):
        among = list(among)
        return among[int(self.rng.integers(len(among)))]

    def bring(self, state):
        """Begin with a copy of one of the world's report folders, and of the log of how it came about."""
        if self.world.log_of(state).is_file():
            shutil.copy(self.world.log_of(state), self.log)
        shutil.copytree(self.world.states[state], self.reports, symlinks=True, dirs_exist_ok=True)

    @property
    def results(self):
        return self.reports / self.world.profile.stem / "results"

    def start(self, *arguments, **options):
        given = {"SIAMESE_REPORTS_DIR": self.reports, "FAULTS_LOG": self.log, **options}
        return process.start(*arguments, **given)

    def siamese(self, *arguments, **options):
        return self.start(*arguments, **options).wait()

    # ---- judging -----------------------------------------------------------------------------

    def expect(self, holds, words):
        if not holds:
            self.wrong.append(words)

    def ended(self, ended, *codes):
        """The command ended with one of these codes, and in words, not with a traceback."""
        if ended.code not in codes:
            self.broken.append(f"ended with {ended.code}, not {codes}: {ended.said[-300:]}")
        elif "Traceback" in ended.err or UNFORESEEN in ended.said:
            self.broken.append(ended.said[-500:])
        elif ended.code == 2 and "error: " not in ended.said and "Usage: " not in ended.said:
            self.broken.append(f"2 without a sentence: {ended.said[-300:]}")
        return ended

    def names(self, ended, *words):
        """One of these words stands in what the command said."""
        self.expect(any(str(word) in ended.said for word in words), f"does not name {words}: {ended.said[-300:]}")

    def finishes(self, name="baseline", most=1):
        """With the fault lifted the same command finishes, and the run is the undisturbed one."""
        self.ended(self.siamese("run", name, "-p", self.world.profile), 0)
        self.is_reference(name)
        self.count_lost(name, most)

    def is_reference(self, name="baseline"):
        folder = self.results / self.world.folder_of(name)
        if problem := differences(folder, self.world.states["finished"] / folder.relative_to(self.reports)):
            self.wrong.append(problem)
        if stray := [path.name for path in self.results.glob(f"{folder.name}.partial")]:
            self.wrong.append(f"left behind: {stray}")

    def count_lost(self, name="baseline", most=1):
        """Checks that were trained again: each is a line in the log."""
        trained = self.log.read_text().split() if self.log.is_file() else []
        self.lost = max(self.lost, len(trained) - len(set(trained)))
        self.expect(self.lost <= most, f"{self.lost} checks lost")


def differences(found, reference):
    """How a run's folder differs from the undisturbed one, in words; "" where it does not."""
    if not found.is_dir():
        return f"no {found.name}"
    # who is killed while he removes what it took to go on leaves the rest of it beside the finished run; and a link
    # that led nowhere leads to what was written
    names = {path.name for path in found.iterdir() if not path.name.startswith(("checkpoint", ".", "nowhere"))}
    if names != {path.name for path in reference.iterdir()}:
        return f"{found.name} holds {sorted(path.name for path in found.iterdir())}"
    for name in ("config.json", "answers.npz"):
        if (found / name).read_bytes() != (reference / name).read_bytes():
            return f"another {name}"
    if _weights(found) != _weights(reference):
        return "other weights"
    one, two = (json.loads((folder / "metrics.json").read_text()) for folder in (found, reference))
    if {k: v for k, v in one.items() if k not in LEFT_OUT} != {k: v for k, v in two.items() if k not in LEFT_OUT}:
        return "other metrics"
    one, two = (pd.read_csv(folder / "history.csv").drop(columns="seconds") for folder in (found, reference))
    return "" if one.equals(two) else "another history"


def _weights(folder):
    """The parts of a model's file by their names: their bytes, or of Keras' weights every array."""
    with zipfile.ZipFile(folder / "model.keras") as archive:
        parts = {name: archive.read(name) for name in archive.namelist() if name != "metadata.json"}
    for name in [name for name in parts if name.endswith(".h5")]:
        import h5py

        with h5py.File(io.BytesIO(parts.pop(name))) as file:
            file.visititems(lambda key, item: hasattr(item, "shape") and parts.update({key: np.array(item).tobytes()}))
    return parts


def tree(folder):
    """Every file of a folder and its bytes; locks, and what a killed process left half written, left out."""
    return {
        path.relative_to(folder): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
        if not path.name.startswith(".")
    }


def is_kept(before, after):
    """Whether all is there that was there; of a run that went on before it stopped, the history may be longer."""

    def kept(path, content):
        if path not in after:
            newer = (other for other in after if other.name.startswith("checkpoint-") and other not in before)
            return path.name.startswith("checkpoint-") and any(newer)
        return path.name != "history.csv" or not content or (after[path] or b"").startswith(content)

    return all(kept(path, content) for path, content in before.items())


def show(world):
    """A function for a process: print the final accuracies of what is believed, as tables do."""

    def do():
        from siamese_utils.config import load_profile
        from siamese_utils.training.runs import find_runs, tidy

        sys_out = tidy(find_runs(load_profile(world.profile))).to_csv(index=False)
        print(sys_out, flush=True)  # noqa: T201

    return do


def without(table, run):
    """The lines of a table of accuracies but those of one run."""
    return [line for line in table.splitlines() if line and not line.startswith(f"{run},")]


def dice(*seed):
    return np.random.default_rng(seed)
