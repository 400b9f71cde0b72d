"""Every way to install the project names one Python and one lock; the slow tests install by them."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest
import yaml
from conftest import ROOT
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from test_project import PROJECT

EXTRAS = PROJECT["optional-dependencies"]
NOT_TO_RUN = {"build", "dev", "docs", "cluster"}  # extras that the notebooks and commands do not need
OTHER_BACKEND = {"jax"}  # extras beside TensorFlow, of which an environment may have one or not
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
PYTHON = next(line for line in CONDA if str(line).startswith("python=")).partition("=")[2]
FROM_PIP = next(line["pip"] for line in CONDA if isinstance(line, dict))
NAMED = {canonicalize_name(found.name): found for line in FROM_PIP if line[:2] != "--" for found in [Requirement(line)]}
COLAB = re.search(r"```python\n(.*?)```", (ROOT / "docs/environments.md").read_text(encoding="utf-8"), re.DOTALL)[1]
SMOKE = "import siamese_utils as su; print(su.__file__, su.build_model('baseline', 'demo').count_params())"


def requirements(extras):
    """What the project needs with these extras, by name; an extra may name others by the project's own name."""
    found = {}
    for line in [*PROJECT["dependencies"], *(line for extra in extras for line in EXTRAS[extra])]:
        requirement = Requirement(line)
        if requirement.name == PROJECT["name"]:
            found |= requirements(requirement.extras)
        else:
            found[canonicalize_name(requirement.name)] = requirement
    return found


def locked(python):
    """The version of every package of requirements.lock for a Python on Linux."""
    lines = re.findall(r"^(\S+==[^\\\n]*)", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE)
    here = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux"}
    here |= {"platform_system": "Linux", "os_name": "posix", "platform_machine": "x86_64"}
    found = map(Requirement, lines)
    return {canonicalize_name(r.name): str(r.specifier)[2:] for r in found if not r.marker or r.marker.evaluate(here)}


def test_conda_names_what_the_project_needs_with_its_floors_or_the_locks_version():
    everything, versions = requirements(EXTRAS.keys() - NOT_TO_RUN), locked(PYTHON)
    assert (
        requirements(EXTRAS.keys() - NOT_TO_RUN - OTHER_BACKEND - {"all"}).keys() <= NAMED.keys() <= everything.keys()
    )
    for name, requirement in NAMED.items():
        exact = SpecifierSet(f"=={versions[name]}")
        assert requirement.specifier in (everything[name].specifier, exact), name
    for name in ("tensorflow", "keras"):  # they decide about numbers
        assert str(NAMED[name].specifier) == f"=={versions[name]}"
    assert NAMED["tensorflow"].extras == {"and-cuda"}
    assert "--editable ." in FROM_PIP


def test_one_python_and_one_lock_everywhere():
    assert (ROOT / "binder/runtime.txt").read_text(encoding="utf-8").strip().removeprefix("python-") == PYTHON
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8"))
    assert re.fullmatch(rf"python:{re.escape(PYTHON)}\.\d+-\w+", container["image"])
    assert f"Programming Language :: Python :: {PYTHON}" in PROJECT["classifiers"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert container["postCreateCommand"] == "make .venv/.ready-dev"
    assert re.search(r"^\$\(VENV\)/\.ready-dev:.*\n.*-r requirements-dev\.lock$", makefile, re.MULTILINE)
    assert "-r ../requirements.lock" in (ROOT / "binder/requirements.txt").read_text(encoding="utf-8").splitlines()
    assert "/requirements.lock" in COLAB
    assert "--require-hashes" in COLAB


def test_what_colab_keeps_is_in_the_lock():
    kept = (ROOT / "binder/kernel.txt").read_text(encoding="utf-8").splitlines()[1:]
    assert set(kept) - {"notebook"} <= locked(PYTHON).keys()


@pytest.mark.slow
def test_the_conda_environment_resolves_for_linux_with_cuda(package_index):
    wanted = [line for line in FROM_PIP if line[:2] != "--"]
    linux = ["--python-platform", "x86_64-unknown-linux-gnu", "--python-version", PYTHON, "--no-header", "--quiet"]
    done = subprocess.run(
        [sys.executable, "-m", "uv", "pip", "compile", *linux, "-"],
        input="\n".join(wanted),
        env=package_index,
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    assert {"nvidia-cudnn-cu12", "nvidia-cublas-cu12"} <= set(re.findall(r"^([\w-]+)==", done.stdout, re.MULTILINE))


@pytest.fixture
def empty(tmp_path, package_index):
    """A clone of the project, and the environment variables of a shell in a fresh virtual environment."""
    found = shutil.which(f"python{PYTHON}")
    if not found or subprocess.run([found, "-c", ""], capture_output=True).returncode:
        pytest.skip(f"no Python {PYTHON} here")
    subprocess.run([found, "-m", "venv", tmp_path / "venv"], check=True)
    subprocess.run(["git", "clone", "--quiet", ROOT, tmp_path / "clone"], check=True)
    yield tmp_path, package_index | {"PATH": os.pathsep.join((str(tmp_path / "venv/bin"), package_index["PATH"]))}
    shutil.rmtree(tmp_path)  # gigabytes


def run(*command, **where):
    done = subprocess.run(command, text=True, capture_output=True, **where)
    assert done.returncode == 0, f"{shlex.join(map(str, command))}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout


@pytest.mark.slow
def test_binder_installs_the_project_and_a_notebook_runs(empty):
    folder, environment = empty
    clone = folder / "clone"
    here = {"cwd": clone, "env": environment}
    run("pip", "install", "--quiet", "--no-cache-dir", "-r", "binder/requirements.txt", **here)
    run("bash", "binder/postBuild", **here)
    assert str(clone) in run("python", "-c", SMOKE, cwd=folder, env=environment)
    run("siamese", "batch", "--no-training", "--notebook", "01", **here)
    assert run("jupyter", "lab", "--version", **here)


@pytest.mark.slow
def test_colabs_cell_installs_the_project(empty):
    folder, environment = empty
    cell = re.sub(r"(?m)^ADDRESS = .*$", f"ADDRESS = {str(folder / 'clone')!r}", COLAB)
    cell = re.sub(r"(?m)^FOLDER = .*$", f"FOLDER = {str(folder / 'siamese')!r}", cell)
    run("python", "-c", cell, cwd=folder, env=environment)
    assert str(folder / "siamese") in run("python", "-c", SMOKE, cwd=folder, env=environment)
    for name in ("ipykernel", "jupyterlab"):
        assert not list(folder.glob(f"venv/lib/*/site-packages/{name}")), "Colab's own kernel would be replaced"
