"""A sample of the faults, each kind that does not take Keras itself at least once; `make faults` tries a thousand."""

import csv
import os
import subprocess
import sys

import pytest
from conftest import ROOT

FAULTS = 40


@pytest.mark.skipif(not hasattr(os, "fork"), reason="faults are tried in forks")
def test_no_work_lost_no_result_wrong_no_traceback(tmp_path):
    """One check interval at most is trained again."""
    figures = tmp_path / "figures.csv"
    done = subprocess.run(
        [sys.executable, "-m", "faults", "--without-keras", "--faults", str(FAULTS), "--out", str(figures)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "tests")))},
    )
    assert done.returncode == 0, done.stderr
    *kinds, total = csv.DictReader(figures.read_text(encoding="utf-8").splitlines())
    assert int(total["faults"]) == sum(int(kind["faults"]) for kind in kinds) >= FAULTS
    assert {total[name] for name in ("work lost", "wrong results", "tracebacks")} == {"0"}
    assert int(total["most checks lost"]) <= 1
