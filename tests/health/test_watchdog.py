"""What a supervised process says reaches systemd's socket or the pipe, and the lack of either is no trouble."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.health.watchdog import PIPE_VARIABLE, Watchdog, watchdog_from_environment

PATIENCE_S = 20.0
HEAVY = ("scipy", "pydantic", "onnxruntime", "appliance.settings", "systemd")


class Now:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.s = 100.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NOTIFY_SOCKET", PIPE_VARIABLE):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A socket as systemd has it."""
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
        ours.bind(str(path))
        ours.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        yield ours


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The reading end of a pipe, as the foreground supervisor has it."""
    reading, writing = os.pipe()
    monkeypatch.setenv(PIPE_VARIABLE, str(writing))
    yield reading
    os.close(writing)
    with contextlib.suppress(OSError):
        os.close(reading)


def received(ours: socket.socket) -> list[str]:
    messages = []
    while True:
        try:
            messages.append(ours.recv(4096).decode())
        except BlockingIOError:
            return messages


def test_systemd_hears_it(systemd: socket.socket) -> None:
    now = Now()
    watchdog = watchdog_from_environment(pytest.fail, now)
    watchdog.ready("playing on\nthe  card")
    watchdog.alive()
    watchdog.status("playing on the card")
    watchdog.stopping()

    assert received(systemd) == ["READY=1", "STATUS=playing on the card", "WATCHDOG=1", "STOPPING=1"]
    assert not watchdog.orphaned


def test_being_alive_is_said_once_a_second(systemd: socket.socket) -> None:
    now = Now()
    watchdog = watchdog_from_environment(pytest.fail, now)
    for _ in range(35):
        watchdog.alive()
        now.s += 0.1

    assert received(systemd) == ["WATCHDOG=1"] * 4


def test_nothing_is_said_before_it_is_called(systemd: socket.socket) -> None:
    watchdog_from_environment(pytest.fail)

    assert received(systemd) == []


def test_a_systemd_that_went_away_is_told_of_once(systemd: socket.socket) -> None:
    said: list[str] = []
    now = Now()
    watchdog = watchdog_from_environment(said.append, now)
    Path(os.environ["NOTIFY_SOCKET"]).unlink()
    for _ in range(3):
        now.s += 2.0
        watchdog.alive()

    assert said == ["systemd cannot be told how this is going (No such file or directory); going on."]


def test_systemd_hears_it_without_the_package_too(systemd: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "systemd", None)
    watchdog = watchdog_from_environment(pytest.fail)
    watchdog.ready("playing")
    watchdog.alive()

    assert received(systemd) == ["READY=1", "STATUS=playing", "WATCHDOG=1"]


def test_a_socket_that_lies_in_no_folder_hears_it_without_the_package_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "systemd", None)
    name = f"latent-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
        ours.bind(f"\0{name}")
        ours.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        watchdog_from_environment(pytest.fail).ready()
        assert received(ours) == ["READY=1"]


def test_without_a_supervisor_nothing_happens() -> None:
    for watchdog in (Watchdog(), watchdog_from_environment(pytest.fail)):
        watchdog.ready("playing")
        watchdog.alive()
        watchdog.stopping()
        assert not watchdog.orphaned


def test_the_foreground_supervisor_hears_it_and_systemd_does_not(systemd: socket.socket, pipe: int) -> None:
    now = Now()
    watchdog = watchdog_from_environment(pytest.fail, now)
    watchdog.ready("playing")
    watchdog.alive()
    watchdog.alive()
    now.s += 1.0
    watchdog.alive()
    watchdog.stopping()

    assert os.read(pipe, 100) == b"RWWS"
    assert received(systemd) == []
    assert not watchdog.orphaned


def test_children_are_not_taken_for_it(pipe: int) -> None:
    descriptor = int(os.environ[PIPE_VARIABLE])
    watchdog_from_environment(pytest.fail)

    assert PIPE_VARIABLE not in os.environ
    assert not os.get_inheritable(descriptor)


def test_a_supervisor_that_is_gone_leaves_an_orphan(pipe: int) -> None:
    watchdog = watchdog_from_environment(pytest.fail)
    watchdog.ready()
    assert not watchdog.orphaned
    os.close(pipe)

    assert watchdog.orphaned
    watchdog.alive()
    assert watchdog.orphaned


def test_a_supervisor_that_does_not_read_is_not_waited_for(pipe: int) -> None:
    now = Now()
    writing = int(os.environ[PIPE_VARIABLE])
    watchdog = watchdog_from_environment(pytest.fail, now)
    os.write(writing, b"x" * 65_536)
    watchdog.alive()

    assert not watchdog.orphaned
    os.read(pipe, 65_536)
    now.s += 1.0
    watchdog.alive()
    assert os.read(pipe, 10) == b"W"


@pytest.mark.parametrize("given", ["", "seven", "-1", "4095", "9" * 30])
def test_a_pipe_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv(PIPE_VARIABLE, given)
    said: list[str] = []
    watchdog = watchdog_from_environment(said.append)
    watchdog.ready()
    watchdog.alive()

    assert said == [f"{PIPE_VARIABLE} names no open pipe; going on without a supervisor."]
    assert not watchdog.orphaned


FAMILY = """
import os, subprocess, sys
reading, writing = os.pipe()
child = subprocess.Popen(
    [sys.executable, "-c", sys.argv[1]],
    env=os.environ | {"LATENT_WATCHDOG_FD": str(writing)},
    pass_fds=[writing],
)
os.close(writing)
assert os.read(reading, 1) == b"R"
print(child.pid, flush=True)
os.kill(os.getpid(), 9)
"""
# It looks at nothing: the kernel alone ends it.
CHILD = """
import time
from appliance.health.watchdog import watchdog_from_environment
watchdog_from_environment().ready()
time.sleep(60)
"""


def test_a_child_that_looks_at_nothing_ends_with_its_supervisor() -> None:
    parent = subprocess.run(
        [sys.executable, "-c", FAMILY, CHILD], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert parent.returncode == -signal.SIGKILL, parent.stderr
    child = int(parent.stdout)
    until = time.monotonic() + PATIENCE_S
    while Path(f"/proc/{child}/cmdline").exists() and Path(f"/proc/{child}/cmdline").read_bytes():
        assert time.monotonic() < until, "The child outlived its supervisor."
        time.sleep(0.02)


def test_it_is_light() -> None:
    code = (
        "from appliance.health.watchdog import watchdog_from_environment\n"
        "from appliance.health import liveness\n"
        "watchdog_from_environment().ready()\n"
        f"import sys\nprint(*({set(HEAVY)!r} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
