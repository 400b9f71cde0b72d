"""What every case begins with: a profile of seconds, and report folders in the states that a training goes through."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from . import process, stand_in

PROFILE = """title: Faults
description: Milliseconds a run; its figures mean nothing.
dataset: synthetic
image_size: 20
padding: same
iterations: 8
check_every: 2
check_episodes: 20
seeds: [0]
episodes: 200
ways: [5, 20]
batch_size: 16
"""
RUNS = ("baseline", "mlp")


class World:
    """states: report folders by the name of their state

    nothing     empty
    finished    two finished runs
    under way   one of them at its third of five checks, the other finished
    complete    the same, but all of it done, and killed before it had its name
    bare        two finished runs without their weights
    """

    def __init__(self, folder):
        self._worker = None
        stand_in.install()
        # a data or cache folder of the user's would stand in for what a case makes
        for name in [name for name in os.environ if name.startswith("SIAMESE_")]:
            del os.environ[name]
        os.environ.update(SIAMESE_COMMIT="0" * 40, TQDM_DISABLE="1", COLUMNS="200")
        self.folder, self.profile, self.states = folder, folder / "faults.yaml", {}
        self.profile.write_text(PROFILE)
        self._import()
        from siamese_utils.config import load_experiment, load_profile
        from siamese_utils.paths import project_root
        from siamese_utils.training.runs import run_folder

        self.root, profile = project_root(), load_profile(self.profile)
        self._folders = {name: run_folder(load_experiment(name), profile, 0)[0].name for name in RUNS}
        for state in ("nothing", "finished", "under way", "complete", "bare"):
            self.states[state] = folder / state
            self.states[state].mkdir()
        self._run("finished", *RUNS)
        self._run("under way", "mlp")
        self._run("under way", "baseline", "--until", "4", log=True)
        self._run("complete", "mlp")
        self._run("complete", "baseline", log=True, harm=_dies_nameless, code=9)
        shutil.copytree(self.states["finished"], self.states["bare"], dirs_exist_ok=True)
        for path in (self.states["bare"] / "faults" / "results").glob("*/model.keras"):
            path.unlink()
        from .data_kinds import small_omniglot
        from .oracle import show

        self.omniglot = small_omniglot(folder / "omniglot")
        self.table = process.siamese(do=show(self), SIAMESE_REPORTS_DIR=self.states["finished"]).out

    def folder_of(self, name):
        return self._folders[name]

    def run(self, name):
        """A run's folder from the report folder on."""
        return Path(self.profile.stem) / "results" / self._folders[name]

    def keras(self, *arguments):
        """A command's end in the process that has Keras, which is started when it is first asked."""
        if not self._worker:
            from .keras_kinds import KERAS

            self._worker = subprocess.Popen(
                [sys.executable, "-m", "faults.keras_worker"],
                env={**os.environ, **KERAS, "PYTHONPATH": os.pathsep.join(map(str, Path(__file__).parents[1:3]))},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        self._worker.stdin.write(json.dumps(arguments) + "\n")
        self._worker.stdin.flush()
        return process.Ended(*json.loads(self._worker.stdout.readline()))

    def close(self):
        if self._worker:
            self._worker.kill()
            self._worker.wait()

    def log_of(self, state):
        """The checks that were trained on the way to a state: a line each."""
        return self.folder / f"{state}.log"

    def _run(self, state, *arguments, log=False, harm=None, code=0):
        given = {"SIAMESE_REPORTS_DIR": self.states[state], **({"FAULTS_LOG": self.log_of(state)} if log else {})}
        ended = process.siamese("run", *arguments, "-p", self.profile, harm=harm, **given)
        if ended.code != code:
            raise RuntimeError(ended.said)

    def _import(self):
        """All that commands import when they are called: a fork has it already."""
        import papermill

        import siamese_utils.cli.app
        import siamese_utils.report.batch
        import siamese_utils.training.store
        import siamese_utils.training.verify  # noqa: F401
        from siamese_utils.config import load_matrix, load_profile
        from siamese_utils.data import load
        from siamese_utils.report.batch import notebook_names

        from . import batch_kinds

        papermill.execute_notebook = batch_kinds.execute
        load_matrix(), notebook_names(), load.load_dataset(load_profile(self.profile))


def _dies_nameless():
    """Harm: the process ends before a complete run gets its name."""

    def hook(event, given):
        if event == "os.rename" and str(given[0]).endswith(".partial"):
            os._exit(9)

    sys.addaudithook(hook)
