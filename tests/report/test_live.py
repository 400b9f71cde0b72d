"""What an open notebook shows while it is at work, and that an executed one is the same without."""

import textwrap

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from siamese_utils.report import batch, live, study
from siamese_utils.training.store import Job, Progress


class Handle:
    """What is displayed in one place, time after time."""

    shown: list[str]

    def display(self, content):
        Handle.shown = [content.data]

    def update(self, content):
        Handle.shown.append(content.data)


def jobs(accuracy):
    def train(name, seed):
        def run(tell):
            for step in (0, 50, 100):
                tell(Progress(name, seed, step, 100, 2.0 - step / 100, accuracy))
            return f"run {seed}"

        return run

    return [Job("Mine", seed, lambda: None, train("Mine", seed)) for seed in (0, 1)]


@pytest.fixture
def opened(tiny, monkeypatch):
    monkeypatch.setattr(study, "DisplayHandle", Handle)
    monkeypatch.setattr(live, "PAUSE", 0)
    return study.open_study("mlp", tiny)


@pytest.mark.parametrize("accuracy", [0.2, None])
def test_a_training_draws_its_curves_in_one_place_and_ends_as_one_line(accuracy, opened, monkeypatch):
    monkeypatch.setattr(live, "is_live", lambda: True)
    assert opened.complete(jobs(accuracy)) == ["run 0", "run 1"]
    first, *checks, last = Handle.shown
    assert len(checks) == 6
    assert all(content.count('<img src="data:image/png;base64,') == 1 for content in checks)
    assert len(set(checks)) == 6
    assert 'alt="Loss, and accuracy where it is checked, of what is in training: Mine, seed 1, step 100' in checks[-1]
    assert "2 trained in" in last
    assert "<img" not in first + last


def test_nobody_looks_on_in_a_batch_or_without_a_kernel(opened, monkeypatch):
    opened.complete(jobs(0.2))
    assert "<img" not in "".join(Handle.shown)
    assert "Training run 2 of 2: Mine, seed 1, step 100 of 100" in Handle.shown[-2]
    monkeypatch.setattr(live, "get_ipython", lambda: type("Shell", (), {"kernel": None})())
    assert live.is_live()
    monkeypatch.setenv("SIAMESE_LIVE_CURVES", "0")
    assert not live.is_live()


@pytest.mark.parametrize("debug", ["", "1"])
def test_a_users_error_in_a_cell_is_a_sentence_and_the_cell_fails(debug, tmp_path, monkeypatch, reports):
    monkeypatch.setenv("SIAMESE_DEBUG", debug)
    live_curves = 'import os\nprint(os.environ["SIAMESE_LIVE_CURVES"])'
    code = f'{live_curves}\nimport siamese_utils as su\nsu.open_study("embeding", profile)'
    cells = [new_code_cell('profile = "demo"'), new_code_cell(code), new_code_cell("print('never')")]
    cells[0].metadata["tags"] = ["parameters"]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), tmp_path / "bad.ipynb")
    outcome = batch.execute_notebook(tmp_path / "bad.ipynb", tmp_path / "out.ipynb", {})
    assert outcome.status == "failed"
    assert outcome.error.startswith("ParamsError: no section 'embeding': choose from")
    outputs = [each for cell in nbformat.read(tmp_path / "out.ipynb", 4).cells for each in cell.get("outputs", [])]
    said = "".join(each.text for each in outputs if each.output_type == "stream")
    assert said == "0\n", "nothing of the cell after it, no curves"
    (error,) = (each for each in outputs if each.output_type == "error")
    assert (error.ename, error.evalue.partition(":")[0]) == ("ParamsError", "no section 'embeding'")
    if debug:
        assert "config.py" in "".join(error.traceback)
    else:
        (words,) = error.traceback
        assert words.splitlines() == textwrap.wrap(f"ParamsError: {error.evalue}", live.LINE)
