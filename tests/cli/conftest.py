import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

import pytest
from desk import Desk

from appliance.api.client import control_path
from appliance.api.server import Server
from appliance.cli.main import main
from appliance.folders import runtime_folder
from appliance.stream.layout import Word
from appliance.stream.ring import create
from appliance.stream.state import Gains, State

# So long a wait means that it will never come.
PATIENT_S = 20.0


@dataclass
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture
def latent(capsys):
    """Run the command line in this process: exit code and what it printed."""

    def run(*args: object) -> Outcome:
        with pytest.raises(SystemExit) as caught:
            main([str(arg) for arg in args])
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return Outcome(int(caught.value.code or 0), printed.out, printed.err)

    return run


@pytest.fixture
def nobody(tmp_path, monkeypatch):
    """A runtime folder in which no engine is."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))


@pytest.fixture
def ring(nobody):
    """A ring that an engine and a player seem to be at, which both are this process."""
    made = create(runtime_folder(), 48_000, 2, 20.0)
    made.gains.write(Gains(volume=0.5).pack())
    made.device.write(b"USB Audio DAC")
    for word in (Word.ENGINE_PID, Word.PLAYER_PID):
        made.words[word] = os.getpid()
    for word in (Word.ENGINE_START_NS, Word.PLAYER_START_NS, Word.ENGINE_BEAT_NS, Word.PLAYER_BEAT_NS):
        made.words[word] = time.monotonic_ns()
    made.words[Word.STATE] = State.PLAYING
    made.words[Word.END_0] = 48_000 * 12
    made.words[Word.ANSWER_NS] = 212_000_000
    made.words[Word.HOLDS] = 2
    made.words[Word.HELD] = 48_000 * 3700
    made.reals[Word.LOUDNESS] = -20.25
    return made


@pytest.fixture
def desk(nobody):
    """An engine that only pretends, behind a real control socket."""
    made = Desk()
    server = Server(control_path(runtime_folder()), made, pytest.fail)
    yield made
    server.close()


class Terminal:
    """The command in a terminal of its own."""

    def __init__(self, *words):
        self.master, slave = pty.openpty()
        command = [sys.executable, "-c", "from appliance.cli.main import main; main()", *words]
        environment = os.environ | {"TERM": "xterm", "COLUMNS": "100", "LINES": "40", "PYTHONUTF8": "1"}
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment)
        os.close(slave)
        self.seen = ""

    def wait_for(self, text):
        """Read until a text was shown, and forget what came before."""
        until = time.monotonic() + PATIENT_S
        while text not in self.seen:
            assert select.select([self.master], [], [], until - time.monotonic())[0], self.seen
            try:
                self.seen += os.read(self.master, 1 << 16).decode()
            except OSError:
                pytest.fail(f"It ended before {text!r}: {self.seen}")
        self.seen = self.seen.partition(text)[2]

    def type(self, text):
        os.write(self.master, text.encode())

    def interrupt(self):
        """Do as Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)

    def code(self):
        with contextlib.suppress(OSError):
            while os.read(self.master, 1 << 16):
                pass
        return self.process.wait(PATIENT_S)


@pytest.fixture
def terminal():
    opened = []

    def start(*words):
        opened.append(Terminal(*words))
        return opened[-1]

    yield start
    for each in opened:
        each.process.kill()
        each.process.wait()
        os.close(each.master)
