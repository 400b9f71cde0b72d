"""The command line: help with examples, errors in one sentence with exit code 2, and nothing left half-done."""

import errno
import os
import subprocess
import sys

import pytest
import typer
from conftest import TINY
from run_on_disk import cut_committed_run

import siamese_utils
from siamese_utils import backend, config
from siamese_utils.cli import app as cli
from siamese_utils.cli import main as entry
from siamese_utils.cli import shared, training
from siamese_utils.cli.boundary import guarded
from siamese_utils.config import load_experiment
from siamese_utils.errors import ParamsError

COMMANDS = ["data", "run", "batch", "report", "reproduce", "status", "scoreboard", "fidelity", "verify"]
COMMANDS += ["export", "notebooks", "learn", "embed", "compare", "classify"]


def call(capsys, monkeypatch, *arguments):
    """The command in this process → exit code, stdout, stderr."""
    monkeypatch.setattr(sys, "argv", ["siamese", *arguments])
    monkeypatch.setattr(shared.out, "_file", None)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    captured = capsys.readouterr()
    return ended.value.code or 0, captured.out, captured.err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(command, capsys, monkeypatch):
    code, out, _ = call(capsys, monkeypatch, command, "--help")
    assert code == 0
    assert f"Example: siamese {command}" in " ".join(out.split())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "dense"], "no experiment 'dense'"),
        (["run", "baseline", "-p", "big"], "no profile 'big': choose one of demo, laptop"),
        (["run", "baseline", "-p", "/nowhere/mine.yaml"], "or a YAML file"),
        (["batch", "-n", "77"], "no notebook '77'"),
        (["report", "-p", "demo"], "siamese batch"),
        (["data", "--source", "/nowhere"], "/nowhere"),
        (["fidelity", "dense"], "no experiment 'dense'"),
        (["fidelity", "--figure", "curves.pdf"], "must end in .png"),
        (["learn", "best"], "no method 'best'"),
        (["notebooks", "/nowhere"], "notebooks can be changed where it is: nothing is copied"),
    ],
)
def test_a_users_error_is_one_sentence_and_exit_code_2(arguments, says, capsys, monkeypatch, reports):
    code, out, err = call(capsys, monkeypatch, *arguments)
    assert code == 2
    assert says in " ".join(err.split())
    assert "Traceback" not in out + err
    assert err.strip().startswith("error:")
    assert not [path for path in reports.rglob("*") if path.is_file()]


@pytest.mark.parametrize("command", [["run", "baseline"], ["learn", "loss-triplet"], ["batch"], ["fidelity"]])
def test_a_negative_seed_is_refused(command, capsys, monkeypatch, reports):
    code, out, err = call(capsys, monkeypatch, *command, "--seed", "-1")
    assert code == 2
    assert "Invalid value for '--seed'" in " ".join(err.split())
    assert "Traceback" not in out + err
    assert not reports.exists()


@pytest.mark.parametrize("name", ["nonsense", "torch"])
def test_an_unknown_backend_is_refused(name, tmp_path):
    command = [sys.executable, "-m", "siamese_utils", "run", "baseline", "-p", str(TINY)]
    env = {**os.environ, "KERAS_BACKEND": name, "SIAMESE_REPORTS_DIR": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert done.returncode == 2
    assert done.stderr.strip() == f"error: KERAS_BACKEND is '{name}': set it to tensorflow or jax."
    assert not list(tmp_path.iterdir())


def test_a_backend_that_is_empty_is_the_default():
    import_it = "import os, siamese_utils; print(os.environ['KERAS_BACKEND'])"
    env = {**os.environ, "KERAS_BACKEND": ""}
    done = subprocess.run([sys.executable, "-c", import_it], capture_output=True, text=True, env=env, check=True)
    assert done.stdout == "tensorflow\n"


def test_what_a_users_file_says_of_keras_changes_no_numbers():
    """A ~/.keras/keras.json sets these: with channels_first, convolutions are over other axes of an image."""
    settings = backend.keras.config
    settings.set_epsilon(0.1)
    settings.set_image_data_format("channels_first")
    settings.set_floatx("float64")
    backend._import_keras()
    assert (settings.epsilon(), settings.image_data_format(), settings.floatx()) == (1e-7, "channels_last", "float32")


def test_a_backend_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setattr("siamese_utils.backend.find_spec", lambda name: None)
    with pytest.raises(ParamsError, match=r"this needs `pip install siamese-utils\[jax\]`: KERAS_BACKEND is 'jax'"):
        backend._import_keras()


def test_ctrl_c_before_a_command_has_begun_is_no_traceback(capsys, monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "app", interrupt)
    with pytest.raises(SystemExit) as ended:
        entry()
    assert (ended.value.code, capsys.readouterr().err) == (130, "interrupted\n")


@pytest.mark.parametrize(("name", "says"), [("learn", "the same command goes on"), ("classify", "interrupted.")])
def test_ctrl_c_speaks_of_training_where_there_is_one(name, says, capsys):
    def interrupt():
        raise KeyboardInterrupt

    interrupt.__name__ = name
    with pytest.raises(typer.Exit) as ended:
        guarded(interrupt)()
    said = capsys.readouterr().err
    assert ended.value.exit_code == 130
    assert says in " ".join(said.split())
    assert ("trained" in said) == (name == "learn")


def test_what_is_named_twice_is_done_once(capsys, monkeypatch, reports):
    """Nothing is trained: the jobs are looked at, not done."""
    seen = []
    monkeypatch.setattr(training, "complete_jobs", lambda jobs: seen.extend(jobs) or [])
    names, seeds = ["dense-512", "baseline", "dense-512"], ["-s", "1", "-s", "0", "-s", "1"]
    assert call(capsys, monkeypatch, "run", *names, "-p", str(TINY), *seeds)[0] == 0
    labels = [load_experiment(name).label for name in names[:2]]
    assert [(job.label, job.seed) for job in seen] == [(label, seed) for label in labels for seed in (1, 0)]


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "a file: No space left on device (make room there"),
        (OSError(errno.EACCES, "Permission denied", "a/b"), "a/b: Permission denied (change its rights"),
        (OSError(errno.ENOTDIR, "Not a directory", "a", None, "b"), "a and b: Not a directory (a file is in the way"),
        (OSError(errno.EIO, "Input/output error", "x[old]"), "x[old]: Input/output error (try again"),
        (MemoryError("of 1 TB"), "not enough memory (of 1 TB): close other programs"),
        (
            ModuleNotFoundError("no", name="papermill.iorw"),
            "this needs `pip install siamese-utils[notebooks]`: papermill",
        ),
        (KeyError("scores"), "KeyError: 'scores' (not foreseen; SIAMESE_DEBUG=1 shows where"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), "UnicodeDecodeError: 'utf-8' codec can't decode"),
    ],
)
@pytest.mark.parametrize("debug", ["", "1"])
def test_whatever_a_command_raises_is_a_sentence_and_exit_code_2(error, says, debug, capsys, monkeypatch):
    def fail(_):
        raise error

    monkeypatch.setattr(config, "load_profile", fail)
    monkeypatch.setenv("SIAMESE_DEBUG", debug)
    code, out, err = call(capsys, monkeypatch, "status")
    assert code == 2
    assert says in " ".join(err.split())
    assert ("Traceback" in err) == bool(debug)
    assert not out


def test_run_trains_then_loads_and_status_knows(capsys, monkeypatch, reports, fresh_keras):
    code, out, _ = call(capsys, monkeypatch, "run", "baseline", "-p", str(TINY))
    assert code == 0
    assert "not Omniglot" in " ".join(out.split())
    (run,) = (path for path in (reports / "tiny" / "results").iterdir() if path.is_dir())
    before = (run / "metrics.json").stat().st_mtime_ns
    assert call(capsys, monkeypatch, "run", "baseline", "-p", str(TINY))[0] == 0
    assert (run / "metrics.json").stat().st_mtime_ns == before
    code, out, _ = call(capsys, monkeypatch, "status", "-p", str(TINY))
    lines = [line for line in out.splitlines() if " baseline " in line]
    assert "finished" in lines[0]
    assert "not run" in out


def test_fidelity_trains_nothing_and_says_how_far_runs_have_come(capsys, monkeypatch, reports, tmp_path):
    code, out, _ = call(capsys, monkeypatch, "fidelity")
    assert (code, out.strip()) == (0, "Nothing has been run at the full protocol yet.")
    for run_id in ("dense-128-s0-f4b1617ac7", "dense-512-s0-5ac4fb8a70"):
        cut_committed_run(run_id, reports, checks=2)
    monkeypatch.setattr("siamese_utils.training.loop.load_or_train", lambda *_, **__: pytest.fail("it trains"))
    figure = tmp_path / "curves.png"
    code, out, _ = call(capsys, monkeypatch, "fidelity", "dense-128", "dense-512", "--figure", str(figure))
    assert code == 0
    said = " ".join(out.split())
    assert "0 in agreement, 0 different, 1 undecided, 1 without a log of this network" in said
    assert "another" in said, "the reason why Dense 128 as described is not compared"
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_scoreboard_renews_what_stands_between_its_marks(capsys, monkeypatch, reports, tmp_path):
    from siamese_utils.report.readme import BEGIN, COSTS_BEGIN, COSTS_END, END

    readme, running = tmp_path / "README.md", tmp_path / "docs/running.md"
    running.parent.mkdir()
    running.write_text(f"{COSTS_BEGIN}\n{COSTS_END}\n", encoding="utf-8")
    monkeypatch.setattr("siamese_utils.paths.project_root", lambda: tmp_path)
    old = f"# Mine\n\n{BEGIN}\nold\n{END}\n\nmore\n"
    readme.write_text(old, encoding="utf-8")
    code, _, err = call(capsys, monkeypatch, "scoreboard", "--check")
    assert (code, readme.read_text(encoding="utf-8")) == (1, old)
    assert "not current" in err
    assert call(capsys, monkeypatch, "scoreboard")[0] == 0
    new = readme.read_text(encoding="utf-8")
    assert new.startswith(f"# Mine\n\n{BEGIN}\n")
    assert new.endswith(f"{END}\n\nmore\n")
    assert "| without Dropout | −7.2 * | – | not run |" in new
    assert "| Baseline | 73.2 | 73.2 | not run | not run |" in (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert (tmp_path / "docs/images/differences.png").is_file()
    assert "| Baseline | 2,912,641 |" in running.read_text(encoding="utf-8")
    assert "old" not in new.splitlines()
    assert call(capsys, monkeypatch, "scoreboard", "--check")[0] == 0
    readme.write_text("no marks here", encoding="utf-8")
    code, _, err = call(capsys, monkeypatch, "scoreboard")
    assert code == 2
    assert "put the two lines where the results belong" in " ".join(err.split())


def test_a_path_is_printed_as_it_is(capsys, monkeypatch, tmp_path):
    """Square brackets in it are no markup."""
    index = tmp_path / "x[old]" / "[bold]" / "tiny" / "index.html"
    index.parent.mkdir(parents=True)
    index.write_text("a report")
    monkeypatch.setenv("SIAMESE_REPORTS_DIR", str(index.parents[1]))
    code, out, _ = call(capsys, monkeypatch, "status", "-p", str(TINY))
    assert (code, f"report: {index}" in out) == (0, True)
    monkeypatch.setattr("siamese_utils.report.page.build_report", lambda profile: index)
    code, out, _ = call(capsys, monkeypatch, "report", "-p", str(TINY))
    assert (code, f"The report: {index}" in out) == (0, True)


def test_the_package_is_the_command():
    done = subprocess.run([sys.executable, "-m", "siamese_utils", "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert all(command in done.stdout for command in COMMANDS)


def test_it_says_its_version(capsys, monkeypatch):
    assert call(capsys, monkeypatch, "--version") == (0, f"siamese-utils {siamese_utils.__version__}\n", "")


def test_help_takes_nothing_that_computes():
    program = "import sys, siamese_utils.cli.app; sys.exit(str({'numpy', 'pydantic', 'filelock'} & {*sys.modules}))"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.stderr == "set()\n"
