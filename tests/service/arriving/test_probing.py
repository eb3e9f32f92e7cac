"""The process that waits for models: what wakes it, what it stands, and how it ends."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import watchfiles
from patience import until

from appliance.health.watchdog import Watchdog
from appliance.model.verdict import Verdict
from appliance.service.arriving import probing
from appliance.service.arriving.probing import Bell, incoming_folder, rejected_folder, run
from appliance.settings import ModelSettings, Settings

PATIENCE_S = 20.0


class Process:
    """The process as a thread, in folders of its own; whatever it tries, it refuses."""

    def __init__(self, root: Path) -> None:
        self.incoming = root / "incoming"
        self.incoming.mkdir(exist_ok=True)
        self.stop = threading.Event()
        self.said: list[str] = []
        self.tried: list[str] = []
        settings = Settings(model=ModelSettings(incoming=str(self.incoming)))
        self.thread = threading.Thread(target=run, args=(settings, self.stop, self.said.append, Watchdog(), self.judge))
        self.thread.start()

    def judge(self, path: Path, name: str) -> Verdict:
        self.tried.append(name)
        return Verdict(accepted=False, reason=f"{name} is silent; train it anew.")

    def put(self, name: bytes = b"mine.latent") -> None:
        """A file that ends as a zip does."""
        (Path(os.fsdecode(os.fsencode(self.incoming) + b"/" + name))).write_bytes(b"PK\x05\x06" + bytes(18))

    def close(self) -> None:
        self.stop.set()
        self.thread.join()


@pytest.fixture
def process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Process]:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    # No test waits for what is slow on purpose.
    monkeypatch.setattr(probing, "_SLOW_TICK_S", 0.6)
    process = Process(tmp_path)
    yield process
    process.close()


def test_a_file_wakes_it(process: Process) -> None:
    process.put()
    until(lambda: process.tried)


def test_a_name_that_cannot_be_told_wakes_it_too(process: Process) -> None:
    for number in range(3):
        process.put(b"bad\xff%d.latent" % number)
        until(lambda number=number: len(process.tried) == number + 1)


def test_without_any_watches_it_looks_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object, **__: object) -> Iterator[object]:
        raise RuntimeError("Too many open files")
        yield

    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.setattr(probing, "_SLOW_TICK_S", 0.6)
    monkeypatch.setattr(watchfiles, "watch", exhausted)
    process = Process(tmp_path)
    try:
        process.put()
        until(lambda: process.tried)
    finally:
        process.close()


def test_its_folder_may_go_and_come_back(process: Process) -> None:
    process.incoming.rmdir()
    until(lambda: process.said)
    assert process.said == [
        f"No models can be copied here ({process.incoming}: No such file or directory): check that folder."
    ]
    process.incoming.mkdir()
    process.put()
    until(lambda: process.tried)
    assert len(process.said) == 1


def test_what_nobody_foresaw_is_said_and_gone_on_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def odd(process: Process, path: Path, name: str) -> Verdict:
        process.tried.append(name)
        raise ZeroDivisionError("odd")

    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.setattr(probing, "_BROKEN_PAUSE_S", 0.1)
    monkeypatch.setattr(Process, "judge", odd)
    process = Process(tmp_path)
    try:
        process.put()
        until(lambda: len(process.tried) > 2)
    finally:
        process.close()
    assert process.said == ["A model could not be taken in (ZeroDivisionError: odd)."]


def test_a_bell_rings_at_a_change_and_ends_when_told(tmp_path: Path) -> None:
    stop = threading.Event()
    bell = Bell(stop)
    done = threading.Event()

    def wait() -> None:
        for _ in range(2):
            bell.wait(tmp_path, 1e9)
        done.set()

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        # It may not listen yet; what comes later is heard.
        number = iter(range(10**6))
        until(lambda: (tmp_path / str(next(number))).touch() or done.wait(0.1), 4.0)
    finally:
        stop.set()
        thread.join()


def test_where_models_are_copied_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.setattr(probing, "_USUAL", tmp_path / "srv/latent/incoming")
    own = incoming_folder(None)
    assert own == tmp_path / "state/incoming"
    assert own.stat().st_mode & 0o777 == 0o700
    (tmp_path / "srv/latent/incoming").mkdir(parents=True)
    assert incoming_folder(None) == tmp_path / "srv/latent/incoming"
    assert incoming_folder("~/models") == Path.home() / "models"


def test_where_the_rejected_ones_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    incoming, models = tmp_path / "incoming", tmp_path / "state/models"
    assert rejected_folder(incoming, models) == tmp_path / "rejected"
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert rejected_folder(incoming, models) == models / "rejected"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_ends_when_told(tmp_path: Path, number: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", "from appliance.cli.main import main; main()", "probe"],
        env=os.environ | {"STATE_DIRECTORY": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    until(lambda: (tmp_path / "incoming").exists())
    process.send_signal(number)
    _, told = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, told) == (0, "")


def test_while_it_waits_it_stays_light(tmp_path: Path) -> None:
    code = """
import sys, threading
from appliance.health.watchdog import Watchdog
from appliance.service.arriving.probing import run
from appliance.settings import Settings
stop = threading.Event()
threading.Timer(0.5, stop.set).start()
run(Settings(), stop, print, Watchdog())
print(*sorted({"numpy", "scipy", "onnxruntime"} & sys.modules.keys()))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"STATE_DIRECTORY": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    assert done.stdout == "\n"
