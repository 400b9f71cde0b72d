"""What is missing is counted, and costs what a step and a check of the baseline cost."""

import pytest

from siamese_utils.config import load_matrix
from siamese_utils.training import loop as training
from siamese_utils.training import state
from siamese_utils.training.runs import check_iterations
from siamese_utils.training.state import forecast


def test_missing_updates_and_checks_are_counted(reports, tiny, monkeypatch, fresh_keras):
    monkeypatch.setattr(state, "_time_baseline", lambda _: (1.0, 100.0))
    matrix = load_matrix().experiments
    wanted = [check_iterations(e, tiny) for e in matrix]
    everything = sum(checks[-1] + 1 + 100.0 * len(checks) for checks in wanted)
    assert forecast(tiny, matrix) == (len(wanted), everything)
    # updates 0 to 2, two checks
    training.load_or_train("baseline", tiny, until=2)
    assert forecast(tiny, matrix) == (len(wanted), everything - 3 - 200.0)
    training.load_or_train("baseline", tiny)
    assert forecast(tiny, matrix)[0] == len(wanted) - 1


def test_a_step_takes_time(tiny, fresh_keras):
    step, check = state._time_baseline(tiny)
    assert 0 < step < 60
    assert 0 < check < 60


def test_nothing_missing_takes_no_time(reports, tiny, monkeypatch):
    monkeypatch.setattr(state, "find_so_far", lambda *_: type("Run", (), {"finished": True}))
    monkeypatch.setattr(state, "_time_baseline", lambda _: pytest.fail("it is timed"))
    assert forecast(tiny, load_matrix().experiments) == (0, 0.0)
