"""The author's logs, as one table, say what params/experiments.yaml repeats of them."""

import numpy as np
import pandas as pd
import pytest

from siamese_utils.config import load_matrix, params_dir
from siamese_utils.errors import ParamsError
from siamese_utils.evidence.author_logs import _author_logs, author_log
from siamese_utils.evidence.estimates import PAPER_EPISODES

ROWS = [e for e in load_matrix().experiments if e.author]


@pytest.mark.parametrize("experiment", ROWS, ids=lambda e: e.name)
def test_the_matrix_repeats_the_logs(experiment):
    """The last check and, where it was logged and the row is what was run, the first loss."""
    log = author_log(experiment.author.run)
    if log.empty:
        assert experiment.author.val is None
        return
    last = log.iloc[-1]
    assert last["iteration"] == experiment.recipe.iterations
    for split in ("train", "val"):
        assert 100 * last[f"{split}_accuracy"] == pytest.approx(getattr(experiment.author, split))
    first = log["batch_loss"].iloc[0]
    if experiment.author.first_loss is not None:
        assert experiment.author.first_loss == round(first, 3)
    else:
        assert np.isnan(first) or experiment.variant == "as described"


def test_the_logs_are_checks_of_250_episodes_every_100_iterations():
    logged = {e.author.run: author_log(e.author.run) for e in ROWS}
    assert len(logged) >= 15
    assert sorted(run for run, log in logged.items() if log.empty) == ["model_v15"]
    for run, log in logged.items():
        assert log["iteration"].tolist() == list(range(0, 100 * len(log), 100)), run
        counts = log[["train_accuracy", "val_accuracy"]].to_numpy() * PAPER_EPISODES
        np.testing.assert_allclose(counts, counts.round(), atol=1e-6)
    assert author_log("no such run").empty


@pytest.mark.parametrize("damage", ["gone", "a run left out", "a column renamed", "a word for a number", "empty"])
def test_a_damaged_table_is_a_clear_error_and_never_no_log(damage, tmp_path):
    whole = (params_dir() / "author_logs.csv").read_text(encoding="utf-8")
    path = tmp_path / "author_logs.csv"
    text = {
        "a run left out": "".join(line for line in whole.splitlines(True) if not line.startswith("model_v9,")),
        "a column renamed": whole.replace("batch_loss", "loss", 1),
        "a word for a number": whole.replace("7.063945", "seven", 1),
        "empty": "",
    }
    if damage != "gone":
        path.write_text(text[damage], encoding="utf-8")
    with pytest.raises(ParamsError, match="missing or damaged: restore it with `git checkout"):
        _author_logs(path)


def test_a_log_that_is_changed_in_place_changes_no_later_one():
    first = author_log(ROWS[0].author.run)
    kept = first.copy()
    first["val_accuracy"] = 0.0
    pd.testing.assert_frame_equal(author_log(ROWS[0].author.run), kept)
    assert kept["val_accuracy"].max() > 0.5
