"""A small Slurm on this machine for the tests: munge, a controller and two node daemons, all in one folder.

Needs root and Debian's slurm-wlm and munge, and a machine that has no cluster: sbatch and Snakemake find it by a link
in /etc/slurm. `python tests/small_slurm.py FOLDER` starts one by hand, and keeps it until Ctrl-C.
"""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

DAEMONS = ("munged", "slurmctld", "slurmd")
NODES = ("n1", "n2")
PORT = 26817
# where Slurm's own commands look for a cluster
USUAL = Path("/etc/slurm/slurm.conf")
CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerType=sched/backfill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
SlurmdTimeout=10
KillWait=5
MinJobAge=3600
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdSpoolDir={folder}/%n
SlurmdPidFile={folder}/%n.pid
SlurmdLogFile={folder}/%n.log
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
{nodes}
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def why_not() -> str:
    """Why Slurm cannot be started here; "" where it can."""
    if lacking := [name for name in DAEMONS if not _path(name)]:
        return f"no {', '.join(lacking)}: apt-get install slurm-wlm munge"
    if os.geteuid() != 0:
        return "the daemons must be started by root"
    return f"{USUAL} is another cluster's" if USUAL.is_file() else ""


class Slurm:
    """A running cluster of two nodes, two processors each; a context manager."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.conf = folder / "slurm.conf"
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Slurm:
        for name in ("munge", "state", *NODES):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "munge").chmod(0o711)
        key = self.folder / "munge" / "key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        nodes = "\n".join(
            f"NodeName={node} NodeHostname={platform.node()} NodeAddr=127.0.0.1 Port={PORT + 1 + number} CPUs=2 "
            f"RealMemory={psutil.virtual_memory().total // 2**20 - 100}"
            for number, node in enumerate(NODES)
        )
        host = platform.node()
        USUAL.unlink(missing_ok=True)  # of a killed test, it leads nowhere
        USUAL.symlink_to(self.conf)
        self.conf.write_text(CONF.format(host=host, port=PORT, folder=self.folder, nodes=nodes))
        munge = self.folder / "munge"
        names = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        options = [f"--{option}={munge / name}" for option, name in names.items()]
        self._start("munged", "munged", "--foreground", "--force", *options)
        self._wait(lambda: (munge / "socket").exists(), "munge")
        self._start("slurmctld", "slurmctld", "-D", "-f", str(self.conf))
        for node in NODES:
            self.raise_node(node)
        try:
            self._wait(lambda: self.states() == dict.fromkeys(NODES, "idle"), "the nodes")
        except TimeoutError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """The daemons end, and what runs under them."""
        self.command("scancel", "--full", "--user=root", check=False)
        for process in reversed(self._running.values()):
            process.send_signal(signal.SIGTERM)
        for process in self._running.values():
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
        # they see to the steps of jobs, and wait for a node's daemon that was lost
        for process in psutil.process_iter(["name"]):
            if process.info["name"] == "slurmstepd":
                process.kill()
        USUAL.unlink(missing_ok=True)

    def command(self, *words: str, check: bool = True) -> str:
        """The output of one of Slurm's commands."""
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=check)
        return done.stdout

    def states(self) -> dict[str, str]:
        """The nodes' states by their names: "idle", "mixed", "down*"."""
        lines = self.command("sinfo", "--noheader", "--Node", "--format=%N %T", check=False).splitlines()
        return dict(line.split() for line in lines)

    def jobs(self) -> list[tuple[str, str, str]]:
        """Number, state and node of each job that waits or runs."""
        lines = self.command("squeue", "--noheader", "--format=%i|%T|%N").splitlines()
        return [tuple(line.split("|")) for line in lines]

    def raise_node(self, node: str) -> None:
        self._start(node, "slurmd", "-D", "-N", node, "-f", str(self.conf))

    def lose_node(self, node: str) -> None:
        """End a node as a power cut does: its daemon and all that runs under it, at once."""
        daemon = self._running.pop(node)
        daemon.kill()
        daemon.wait()
        for process in psutil.process_iter(["environ"]):
            if (process.info["environ"] or {}).get("SLURMD_NODENAME") == node:
                process.kill()
        # the controller waits for the node's answers otherwise
        self.command("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=power")

    def _start(self, name: str, *command: str) -> None:
        log = open(self.folder / f"{name}.out", "ab")  # noqa: SIM115 - the daemon's own
        program = _path(command[0])
        self._running[name] = subprocess.Popen([program, *command[1:]], stdout=log, stderr=log, start_new_session=True)
        log.close()

    def _wait(self, condition, what: str, seconds: int = 60) -> None:
        until = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > until:
                raise TimeoutError(f"{what} did not start within {seconds} s: see {self.folder}")
            time.sleep(0.2)


def _path(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


if __name__ == "__main__":
    if reason := why_not():
        sys.exit(reason)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with Slurm(Path(sys.argv[1]).resolve()) as cluster:
        sys.stdout.write(cluster.command("sinfo"))
        sys.stdout.flush()
        signal.pause()
