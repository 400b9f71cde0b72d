"""The guard of the tests: what reaches for the network fails, even if it hides that; what stays here does not."""

import os
import re
import subprocess
import sys

import pytest
from conftest import ROOT

HEAD = """
import contextlib, http.server, socket, subprocess, sys, threading, urllib.request
import pytest
from no_network import NetworkReached

"""

OUTSIDE = {  # all of them swallow whatever happens; the addresses and names are reserved for nobody
    "a name is looked up": (
        "with contextlib.suppress(Exception): socket.getaddrinfo('example.invalid', 80)",
        "example.invalid",
    ),
    "a connection by address": (
        "with contextlib.suppress(Exception): socket.create_connection(('192.0.2.7', 80), 0.1)",
        "192.0.2.7",
    ),
    "a connection that tells by a number": (
        "with contextlib.suppress(Exception): socket.socket().connect_ex(('192.0.2.7', 80))",
        "192.0.2.7",
    ),
    "a datagram": (
        "with contextlib.suppress(Exception):"
        " socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.7', 9))",
        "192.0.2.7",
    ),
    "IPv6": (
        "with contextlib.suppress(Exception):"
        " socket.socket(socket.AF_INET6).connect(('2001:db8::1', 80))",
        "2001:db8::1",
    ),
    "a library that minds proxies": (
        "with contextlib.suppress(Exception): urllib.request.urlopen('https://example.invalid/a.zip')",
        "CONNECT example.invalid:443",
    ),
    "a child process": (
        "subprocess.run([sys.executable, '-c', 'import requests; requests.get(\"http://example.invalid/a.zip\")'],"
        " stderr=subprocess.DEVNULL)",
        "GET http://example.invalid/a.zip",
    ),
    "a thread": (
        "def reach():\n"
        "        with contextlib.suppress(Exception): socket.socket().connect_ex(('192.0.2.7', 80))\n"
        "    thread = threading.Thread(target=reach)\n"
        "    thread.start(); thread.join()",
        "192.0.2.7",
    ),
}  # fmt: skip

INSIDE = {
    "a server on this machine": (
        "server = http.server.HTTPServer(('127.0.0.1', 0), http.server.SimpleHTTPRequestHandler)\n"
        "    threading.Thread(target=server.handle_request, daemon=True).start()\n"
        "    assert urllib.request.urlopen(f'http://localhost:{server.server_port}/').status == 200\n"
        "    server.server_close()"
    ),
    "a pair of sockets, and one of the file system": (
        "for end in socket.socketpair(): end.close()\n"
        "    with socket.socket(socket.AF_UNIX) as one, pytest.raises(FileNotFoundError): one.connect('none')"
    ),
    "an attempt that is told at once": (
        "import no_network\n"
        "    with pytest.raises(NetworkReached, match='192.0.2.7'): socket.socket().connect(('192.0.2.7', 80))\n"
        "    no_network.ATTEMPTS.clear()"
    ),
}


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    """All of the above as tests under the guard, in a process of their own → test → its line of the summary."""
    folder, cases = (
        tmp_path_factory.mktemp("guarded"),
        [*(body for body, _ in OUTSIDE.values()), *INSIDE.values()],
    )
    tests = [f"def test_{number}():\n    {body}\n" for number, body in enumerate(cases)]
    (folder / "test_it.py").write_text(HEAD + "\n".join(tests), encoding="utf-8")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-c",
            os.devnull,
            "-rA",
            "--tb=line",
            "-p",
            "no_network",
            "-p",
            "no:cacheprovider",
        ],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests"), "COLUMNS": "500"},
    )
    found = re.findall(r"^(ERROR|FAILED|PASSED) test_it.py::test_(\d+)(.*)$", done.stdout, re.MULTILINE)
    lines = {}
    for status, number, says in found:  # a test that passes until its end has two lines
        if status != "PASSED" or number not in lines:
            lines[number] = status + says
    assert len(lines) == len(cases), done.stdout + done.stderr
    return dict(zip([*OUTSIDE, *INSIDE], (lines[str(number)] for number in range(len(cases))), strict=True))


@pytest.mark.parametrize("name", OUTSIDE)
def test_reaching_for_the_network_fails_a_test_that_hides_it(name, lines):
    assert re.match(rf"ERROR.*reached for the network: .*{re.escape(OUTSIDE[name][1])}", lines[name])


@pytest.mark.parametrize("name", INSIDE)
def test_what_stays_on_this_machine_is_let_through(name, lines):
    assert lines[name] == "PASSED"


def test_these_tests_are_under_the_guard(request):
    assert request.config.pluginmanager.has_plugin("no_network")
    assert "_no_network" in request.fixturenames
    assert os.environ["https_proxy"].startswith("http://127.0.0.1:")


REAL = """
import os
from pathlib import Path
import pytest

def test_without():
    assert "SIAMESE_DATA_DIR" not in os.environ
    assert not list(Path(os.environ["SIAMESE_CACHE_DIR"]).iterdir())

@pytest.mark.real_data
def test_with():
    assert os.environ["SIAMESE_DATA_DIR"] == "{data}"
    assert os.environ["SIAMESE_CACHE_DIR"] == "{cache}"
"""


@pytest.mark.parametrize("where", ["nowhere", "named", "packed in the checkout"])
def test_data_at_hand_takes_part_in_the_tests_that_are_marked_alone(where, tmp_path):
    """The conftest in a checkout that holds data, or is told of some, or has none."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "keras.py").touch()  # the real one takes seconds to import
    for name in ("conftest.py", "no_network.py"):
        (tmp_path / "tests" / name).write_bytes((ROOT / "tests" / name).read_bytes())
    named, packed = str(tmp_path / "named"), str(tmp_path / "data")
    (tmp_path / "data").mkdir()
    if where.startswith("packed"):
        (tmp_path / "data" / "omniglot.npz").touch()
    data = named if where == "named" else ""
    test = REAL.format(data=data, cache=packed if where.startswith("packed") else "{cache}")
    if where == "named":  # a cache of the tests' own
        test = test.replace('== "{cache}"', f'!= "{packed}"')
    (tmp_path / "tests" / "test_it.py").write_text(test, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", "-c", ROOT / "pyproject.toml",
         "--rootdir", tmp_path, "tests/test_it.py"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "SIAMESE_DATA_DIR": data, "SIAMESE_CACHE_DIR": "", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    if where == "nowhere":
        assert "1 passed, 1 skipped" in done.stdout
        assert "set SIAMESE_DATA_DIR to a folder that holds its two zips" in " ".join(done.stdout.split())
    else:
        assert "2 passed" in done.stdout
