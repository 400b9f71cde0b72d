"""The audit's tables: what the first losses exclude, what 250 episodes say, what zero kernels do."""

import numpy as np
import pytest

from siamese_utils.data.dataset import Split
from siamese_utils.evidence import first_loss as audit
from siamese_utils.report.plots import audit as audit_figures


def fitting(name):
    found = audit.first_loss_candidates([name])
    return set(found["candidate"][found["fits"]]), set(found["candidate"][found["described"]])


@pytest.mark.parametrize(
    ("name", "fits", "described"),
    [
        ("baseline", {"all its conv layers"}, "all its conv layers"),
        ("dense-128", {"without the last"}, "all its conv layers"),
        ("dense-64", {"without the last"}, "without the first"),
        ("dense-512", {"all its conv layers", "without the first"}, "all its conv layers"),
        ("conv-256-dense-1024", {"all its conv layers"}, "all its conv layers"),
        ("mlp", {"with Dense 256 behind them"}, "the three hidden layers alone"),
        ("lr-0.0001", {"no L2 penalty"}, "all its conv layers"),
        ("lr-0.001", {"no L2 penalty"}, "all its conv layers"),
        ("lr-0.01", {"no L2 penalty"}, "all its conv layers"),
    ],
)
def test_the_first_loss_tells_which_network_was_trained(name, fits, described):
    assert fitting(name) == (fits, {described})


def test_250_episodes_and_the_logs():
    found = audit.granularity().set_index("row")
    assert found.loc["Baseline", "correct"] == 183
    assert not found["correct"].isna().any(), "every val figure is a count of 250"
    assert set(found.index[~found["clear"]]) == {
        *("Baseline", "Dense - 512", "Conv2D (256) + Dense - 512", "Conv2D (256) + Dense - 1024"),
        *("without Dropout", "Learning rate 0.0001"),
    }
    logs = audit.table_against_logs().set_index("row")["table and log"]
    assert logs["without Dropout"] == "train: 74 printed, 74.4 logged"
    assert logs["Zero Initialization"] == "no log was published"
    assert (logs == "the same").sum() == 12


def test_zero_kernels_do_not_move(tiny, fresh_keras):
    rng = np.random.default_rng(0)
    size = tiny.image_size
    images = rng.integers(0, 2, (32, 2, size, size)).astype(np.uint8) * 255
    moved = audit.moved_weights(tiny, Split(images, tuple(map(str, range(32)))))
    still = moved[moved["weights"] != "head: biases"]
    assert len(still) == len(moved) - 1
    assert set(still.iloc[:, -1]) == {"0"}
    assert {"backbone: kernels", "head: kernels"} <= set(moved["weights"])


def test_the_figures_draw():
    (ax,) = audit_figures.paper_intervals(audit.granularity()).axes
    assert len(ax.get_yticklabels()) == 15
