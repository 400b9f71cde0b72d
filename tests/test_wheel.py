"""The package as pip installs it: commands, model, parameters and notebooks without a checkout."""

import os
import subprocess
import sys
from importlib import metadata

import pytest
from conftest import ROOT
from packaging.requirements import Requirement
from PIL import Image, ImageDraw

import siamese_utils

# as an installed command starts, on a path without the checkout that the tests' environment may be linked to
START = """
import sys
sys.path[:] = [place for place in sys.path if place != {checkout!r}]
{code}
"""
COMMAND = "from siamese_utils.cli import main; main()"
LINES = {"cross": [(20, 20, 80, 80), (80, 20, 20, 80)], "tee": [(20, 20, 80, 20), (50, 20, 50, 80)]}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder into which the wheel is installed, alone."""
    folder, uv = tmp_path_factory.mktemp("wheel"), [sys.executable, "-m", "uv", "--offline", "--quiet", "--no-cache"]
    build = [*uv, "build", "--wheel", "--no-build-isolation", "--python", sys.executable, "-o", folder / "dist", ROOT]
    subprocess.run(build, check=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    into = ["--python", sys.executable, "--no-deps", "--target", folder / "site"]
    subprocess.run([*uv, "pip", "install", *into, wheel], check=True)
    return folder / "site"


@pytest.fixture
def python(installed, tmp_path):
    """Run Python code, or a command, in a folder of its own beside the installed package → the finished process."""
    (tmp_path / "work").mkdir()

    def run(*arguments, code=COMMAND, folder="", **env):
        env = {**os.environ, "PYTHONPATH": str(installed), "XDG_CACHE_HOME": str(tmp_path / "cache"), **env}
        env.pop("SIAMESE_CACHE_DIR")
        command = [sys.executable, "-c", START.format(checkout=str(ROOT), code=code), *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path / "work" / folder, env=env, capture_output=True, text=True)

    return run


@pytest.fixture(scope="module")
def light(installed, tmp_path_factory):
    """A folder with the wheel and what it needs without extras, nothing else: as in an environment of its own."""
    (info,) = installed.glob("*.dist-info")
    folder, wanted, seen = tmp_path_factory.mktemp("light"), [metadata.Distribution.at(info)], set()
    for place in installed.glob("siamese_utils*"):
        (folder / place.name).symlink_to(place)
    while wanted:
        distribution = wanted.pop()
        for requirement in map(Requirement, distribution.requires or ()):
            if requirement.name in seen or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
                continue
            seen.add(requirement.name)
            wanted.append(needed := metadata.distribution(requirement.name))
            for top in {file.parts[0] for file in needed.files} - {"..", "__pycache__"}:
                if not (folder / top).exists():
                    (folder / top).symlink_to(needed.locate_file(top))
    return folder


@pytest.fixture
def lightly(light, tmp_path):
    """Run Python code, or a command, where only the light packages are installed → the finished process."""

    def run(*arguments, code=COMMAND, **env):
        env = {**os.environ, "PYTHONPATH": str(light), **env}
        env.pop("KERAS_BACKEND", None)
        # without site-packages
        command = [sys.executable, "-S", "-c", code, *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)

    return run


@pytest.fixture
def letters(tmp_path):
    for name, lines in LINES.items():
        image = Image.new("L", (105, 105), 255)
        for line in lines:
            ImageDraw.Draw(image).line(line, fill=0, width=4)
        (tmp_path / "letters" / name).mkdir(parents=True)
        image.save(tmp_path / "letters" / name / "1.png")
        image.rotate(5, fillcolor=255).save(tmp_path / f"{name}.png")
    return tmp_path


def test_the_installed_package_classifies_pictures(python, letters):
    for name in LINES:
        done = python("classify", letters / f"{name}.png", "--support", letters / "letters")
        assert (done.returncode, done.stderr) == (0, "")
        assert name in next(line for line in done.stdout.splitlines() if any(each in line for each in LINES))
        assert "model: beyond-validation-s0" in done.stdout


def test_a_model_is_used_without_keras_a_backend_or_jupyter(lightly, letters):
    heavy = ["keras", "tensorflow", "jax", "pandas", "matplotlib", "IPython", "jupyterlab", "papermill"]
    code = f"from importlib.util import find_spec; print([name for name in {heavy} if find_spec(name)])"
    assert lightly(code=code).stdout == "[]\n"
    done = lightly("classify", letters / "tee.png", "--support", letters / "letters")
    assert (done.returncode, done.stderr) == (0, "")
    assert "tee" in next(line for line in done.stdout.splitlines() if any(each in line for each in LINES))
    done = lightly("compare", letters / "tee.png", letters / "letters" / "tee" / "1.png")
    assert (done.returncode, done.stdout.startswith("same: ")) == (0, True), done.stderr
    done = lightly("embed", letters / "tee.png", "-o", "tee.csv")
    assert (done.returncode, (letters / "tee.csv").read_text()[:9]) == (0, "image,d0,"), done.stderr
    code = "from siamese_utils import OneShot; print(OneShot.load().classify('tee.png', 'letters')[0][0])"
    assert lightly(code=code).stdout == "tee\n"


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["run", "baseline"], "train"),
        (["learn", "beyond"], "train"),
        (["data"], "train"),
        (["batch"], "notebooks"),
        (["report"], "notebooks"),
    ],
)
def test_what_needs_more_says_what_to_install(arguments, extra, lightly):
    done = lightly(*arguments)
    assert done.returncode == 2
    said = f"error: this needs `pip install siamese-utils[{extra}]`: "
    assert done.stderr.startswith(said), done.stderr
    assert done.stderr.endswith("is not installed.\n")
    for command in ([*arguments, "--help"], ["--help"]):
        assert lightly(*command).returncode == 0


def test_everything_is_found_in_it_and_nothing_is_written_there(python, installed, tmp_path):
    code = """
import siamese_utils as su
from siamese_utils import paths
from siamese_utils.report.batch import notebook_names
from siamese_utils.training.provenance import code_version
print(su.__file__, paths.project_root(), paths.reports_dir(), paths.data_dir(), sep="\\n")
print(su.load_profile("paper").image_size, len(su.load_matrix().experiments), len(notebook_names()))
print(code_version())
"""
    done = python(code=code)
    assert done.returncode == 0, done.stderr
    file, root, reports, data, sizes, commit = done.stdout.splitlines()
    home = installed / "siamese_utils" / "_home"
    assert (file, root) == (str(installed / "siamese_utils" / "__init__.py"), str(home))
    assert (reports, data) == (str(tmp_path / "work" / "reports"), str(tmp_path / "cache" / "siamese-utils"))
    every = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert sizes.split()[::2] == ["105", str(len(every))]
    assert commit == "{'commit': None, 'modified': None}"
    assert sorted(path.name for path in (home / "notebooks").iterdir()) == every
    kept = {path.relative_to(ROOT / "params") for path in (ROOT / "params").rglob("*") if path.is_file()}
    assert {path.relative_to(home / "params") for path in (home / "params").rglob("*") if path.is_file()} == kept
    help_of = python("batch", "--help")
    assert "Example: siamese batch" in " ".join(help_of.stdout.split())
    assert python("--version").stdout == f"siamese-utils {siamese_utils.__version__}\n"
    done = python("scoreboard")
    assert (done.returncode, "run this in a checkout" in done.stderr) == (2, True)


def test_notebooks_to_work_on_are_a_project_of_their_own(python, installed, tmp_path):
    done = python("notebooks", "course")
    course = tmp_path / "work" / "course"
    assert (done.returncode, f"results will go to {course / 'reports'}" in done.stdout) == (0, True), done.stderr
    code = "from siamese_utils import paths; print(paths.project_root(), paths.reports_dir())"
    for folder in ("course", "course/notebooks"):
        assert python(code=code, folder=folder).stdout.split() == [str(course), str(course / "reports")]
    before = {path: path.stat().st_mtime_ns for path in installed.rglob("*.ipynb")}
    done = python("notebooks", "course")
    assert (done.returncode, "holds notebooks and params already" in done.stderr) == (2, True)
    assert {path: path.stat().st_mtime_ns for path in installed.rglob("*.ipynb")} == before
    (tmp_path / "work" / "half").mkdir()
    (tmp_path / "work" / "half" / "params").symlink_to(tmp_path / "nowhere")
    done = python("notebooks", "half")
    assert (done.returncode, "holds params already" in done.stderr) == (2, True)
    assert [path.name for path in (tmp_path / "work" / "half").iterdir()] == ["params"], "no notebooks without params"


@pytest.mark.skipif(os.name != "posix", reason="a script of another kind there")
def test_a_shell_completes_the_commands(installed):
    """What bash asks where "siamese cla" is written."""
    asked = {"_SIAMESE_COMPLETE": "complete_bash", "COMP_WORDS": "siamese cla", "COMP_CWORD": "1"}
    env = {**os.environ, "PYTHONPATH": str(installed), **asked}
    done = subprocess.run([installed / "bin" / "siamese"], env=env, capture_output=True, text=True)
    assert done.stdout.split() == ["classify"]
