"""A pytest plugin: no test reaches beyond this machine, neither itself nor through a child's proxy.

Looking a name up, connecting and sending anywhere but to this machine raises NetworkReached at once, and fails the test
at its end where the code under test swallowed that: an audit hook sees every socket of Python, whoever opens it. What a
child process asks for goes to a proxy on this machine that refuses and remembers it, as far as the child minds
`https_proxy` as requests, urllib, pip and curl do; sockets that a child opens itself are its own.

A slow test of an installation is the exception: it hands `package_index` to its children.
"""

import contextlib
import ipaddress
import os
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

LOOK_UPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
SENT = ("socket.connect", "socket.sendto", "socket.sendmsg")
ATTEMPTS: list[str] = []  # since the last test's end
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
BEFORE = {name: os.environ.get(name) for each in PROXIES for name in (each, each.upper())}


class NetworkReached(RuntimeError):
    """Something asked for another machine."""


class Proxy(BaseHTTPRequestHandler):
    """Refuses every request, and remembers it."""

    def refuse(self) -> None:
        ATTEMPTS.append(f"{self.command} {self.path} (through the proxy)")
        self.send_error(403, "tests use no network")

    do_GET = do_POST = do_HEAD = do_PUT = do_CONNECT = refuse

    def log_message(self, *_) -> None:
        pass


def is_here(host) -> bool:
    """Whether a name or an address is this machine's own."""
    name = host.decode() if isinstance(host, bytes) else str(host or "localhost")
    if name in ("localhost", socket.gethostname()):
        return True
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(name.partition("%")[0])
        return address.is_loopback or address.is_unspecified
    return False


def refuse_others(event: str, arguments: tuple) -> None:
    """The audit hook: raise NetworkReached for other machines, and remember what was asked for."""
    if event in LOOK_UPS:
        host = arguments[0]
    elif event in SENT and arguments[0].family in (socket.AF_INET, socket.AF_INET6) and arguments[1]:
        host = arguments[1][0]
    else:
        return
    if not is_here(host):
        ATTEMPTS.append(f"{event} {host!r}")
        raise NetworkReached(f"a test reached for the network, {event} {host!r}: tests run without one.")


sys.addaudithook(refuse_others)


@pytest.fixture(scope="session", autouse=True)
def _proxy():
    """The children's proxy, and the variables that lead them there."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server, pytest.MonkeyPatch.context() as patch:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name in PROXIES:
            here = "localhost,127.0.0.1,::1"
            value = here if name == "no_proxy" else f"http://127.0.0.1:{server.server_port}"
            patch.setenv(name, value)
            if os.name != "nt":  # where names are told apart by case
                patch.setenv(name.upper(), value)
        yield
        server.shutdown()


@pytest.fixture(autouse=True)
def _no_network(_proxy):
    """Fail the test at its end where it, or what was made for it, reached for the network."""
    yield
    attempts = list(dict.fromkeys(ATTEMPTS))
    ATTEMPTS.clear()
    if attempts:
        pytest.fail(f"the test reached for the network: {', '.join(attempts)}", pytrace=False)


@pytest.fixture(scope="session")
def package_index(_proxy):
    """An environment for children that install packages: no proxy of ours, nothing of this project; else a skip."""
    ours = ("SIAMESE_", "PYTHON", "VIRTUAL_ENV", "KERAS_")
    kept = {name: value for name, value in os.environ.items() if name not in BEFORE and not name.startswith(ours)}
    environment = kept | {name: value for name, value in BEFORE.items() if value is not None}
    ask = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--refresh", "--no-deps", "-"]
    if subprocess.run(ask, input="editables", text=True, env=environment, capture_output=True).returncode:
        pytest.skip("no network here: packages cannot be had")
    return environment
