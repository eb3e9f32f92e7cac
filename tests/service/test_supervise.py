"""Real processes that die, hang and refuse, and the supervisor that outlives them."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.service.supervise import Backoff, Child, Limits, supervise

PATIENCE_S = 30.0
# Says which life it is by the number of lines that its file has, and is well until told to stop.
WELL = """
import os, pathlib, signal, sys, time
from appliance.health.watchdog import watchdog_from_environment
watchdog = watchdog_from_environment()
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
watchdog.ready()
watchdog.alive()
with open(sys.argv[1], "a") as file:
    print(os.getpid(), file=file)
while not watchdog.orphaned:
    watchdog.alive()
    time.sleep(0.02)
"""
# Writes down when it was told to stop, and takes a while over it.
SLOW_TO_STOP = WELL.replace(
    "sys.exit(0)",
    "(print('stop', time.monotonic(), file=open(sys.argv[1] + '.stop', 'a')), "
    "time.sleep(0.3), print('end', time.monotonic(), file=open(sys.argv[1] + '.stop', 'a')), "
    "sys.exit(0))",
)


def stand_in(name: str, log: Path, code: str = WELL) -> Child:
    return Child(name, (sys.executable, "-W", "error", "-c", code, str(log)))


def wait_for(so: Callable[[], object], what: str) -> None:
    until = time.monotonic() + PATIENCE_S
    while not so():
        assert time.monotonic() < until, f"This did not come about: {what}."
        time.sleep(0.005)


def pids(log: Path) -> list[int]:
    return [int(line) for line in log.read_text().split()] if log.exists() else []


def runs(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


class Supervised:
    """`supervise` in a thread, so that a test can do things to its children."""

    def __init__(self, *children: Child, limits: Limits | None = None) -> None:
        self.stop = threading.Event()
        self.said: list[str] = []
        self.code: int | None = None
        self._children = children
        self._limits = limits
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Supervised":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.wait()

    def wait(self) -> None:
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        self.code = supervise(self._children, self.stop, self.said.append, limits=self._limits)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "pids"
    yield path
    assert not [pid for each in tmp_path.glob("pids*") if each.suffix != ".stop" for pid in pids(each) if runs(pid)]


def test_backoff_starts_at_once_and_doubles_to_five_seconds() -> None:
    backoff = Backoff(5.0)
    assert [backoff.pause_s(59.9) for _ in range(8)] == [0.0, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_backoff_forgives_after_a_healthy_minute() -> None:
    backoff = Backoff(5.0)
    for _ in range(5):
        backoff.pause_s(1.0)
    assert backoff.pause_s(60.0) == 0.0
    assert backoff.pause_s(1.0) == 0.2


def test_killed_it_comes_back(log: Path) -> None:
    # Twenty lives, none of them a minute: only the first pauses are worth the wait.
    with Supervised(replace(stand_in("engine", log), longest_pause_s=0.01)) as supervised:
        for life in range(1, 21):
            wait_for(lambda life=life: len(pids(log)) == life, f"life {life}")
            os.kill(pids(log)[-1], signal.SIGKILL)
        wait_for(lambda: len(pids(log)) == 21, "the last life")
    assert supervised.code == 0
    assert len(supervised.said) == 20
    assert supervised.said[0] == "The engine ended (killed by signal 9); starting it again."
    assert supervised.said[1] == "The engine ended (killed by signal 9); starting it again in 0.01 s."


def test_the_other_one_is_left_alone(log: Path, tmp_path: Path) -> None:
    other = tmp_path / "pids.other"
    with Supervised(stand_in("engine", log), stand_in("player", other)):
        wait_for(lambda: pids(log) and pids(other), "both")
        os.kill(pids(log)[0], signal.SIGKILL)
        wait_for(lambda: len(pids(log)) == 2, "the second life")
        assert len(pids(other)) == 1
        assert runs(pids(other)[0])


def test_hung_it_is_replaced(log: Path) -> None:
    with Supervised(stand_in("player", log), limits=Limits(alive_s=3.0)) as supervised:
        wait_for(lambda: pids(log), "the first life")
        os.kill(pids(log)[0], signal.SIGSTOP)
        wait_for(lambda: len(pids(log)) == 2, "the second life")
        assert not runs(pids(log)[0])
    assert supervised.said == ["The player gave no sign of life for 3 s; starting it again."]


def test_what_it_started_goes_with_it(log: Path) -> None:
    code = (
        WELL
        + """
    if len(open(sys.argv[1]).readlines()) == 1:
        import subprocess
        child = subprocess.Popen(['sleep', '60'])
        print(child.pid, file=open(sys.argv[1], "a"))
        time.sleep(60)
"""
    )
    with Supervised(stand_in("engine", log, code), limits=Limits(alive_s=1.5)):
        wait_for(lambda: len(pids(log)) == 2, "a grandchild")
        wait_for(lambda: not runs(pids(log)[1]), "its end")


def test_never_ready_it_is_replaced(log: Path) -> None:
    code = WELL.replace("watchdog.ready()", "")
    with Supervised(stand_in("engine", log, code), limits=Limits(ready_s=1.5, alive_s=0.1)) as supervised:
        wait_for(lambda: len(pids(log)) == 2, "the second life")
    assert supervised.said[0] == "The engine was not ready after 1.5 s; starting it again."


def test_a_slow_start_is_not_taken_for_a_hang(log: Path) -> None:
    code = WELL.replace("watchdog.ready()", "time.sleep(1.5)\nwatchdog.ready()")
    with Supervised(stand_in("engine", log, code), limits=Limits(alive_s=1.2)) as supervised:
        wait_for(lambda: pids(log), "the first life")
    assert supervised.said == []


def test_settings_it_refuses_end_everything(log: Path, tmp_path: Path) -> None:
    other = tmp_path / "pids.other"
    refusing = Child("engine", (sys.executable, "-c", "raise SystemExit(2)"))
    with Supervised(refusing, stand_in("player", other)) as supervised:
        supervised.wait()
    assert supervised.code == 2
    assert supervised.said == []
    assert not [pid for pid in pids(other) if runs(pid)]


def test_settings_it_refuses_later_do_not(log: Path) -> None:
    code = "import os, sys\nif os.path.exists(sys.argv[1]): sys.exit(2)\n" + WELL
    with Supervised(stand_in("engine", log, code)) as supervised:
        wait_for(lambda: pids(log), "the first life")
        os.kill(pids(log)[0], signal.SIGKILL)
        wait_for(lambda: len(supervised.said) == 3, "two more tries")
        log.unlink()
        wait_for(lambda: pids(log), "a life with mended settings")
    assert supervised.said[1] == "The engine ended (exit code 2); starting it again in 0.2 s."
    assert supervised.code == 0


def test_a_program_that_is_not_there_is_tried_again(tmp_path: Path) -> None:
    with Supervised(Child("engine", (str(tmp_path / "absent"),))) as supervised:
        wait_for(lambda: len(supervised.said) == 2, "two tries")
    assert supervised.said[0] == "The engine could not be started (No such file or directory); starting it again."
    assert supervised.code == 0


def test_the_last_is_stopped_first_and_given_its_time(log: Path, tmp_path: Path) -> None:
    player = tmp_path / "pids.player"
    with Supervised(stand_in("engine", log, SLOW_TO_STOP), stand_in("player", player, SLOW_TO_STOP)):
        wait_for(lambda: pids(log) and pids(player), "both")
    moments = [
        (float(line.split()[1]), f"{name} {line.split()[0]}")
        for name, path in (("engine", log), ("player", player))
        for line in Path(f"{path}.stop").read_text().splitlines()
    ]
    assert [what for _, what in sorted(moments)] == ["player stop", "player end", "engine stop", "engine end"]


def test_who_does_not_end_is_killed(log: Path) -> None:
    with Supervised(stand_in("player", log), limits=Limits(stop_s=0.3)) as supervised:
        wait_for(lambda: pids(log), "the first life")
        os.kill(pids(log)[0], signal.SIGSTOP)
    assert supervised.said == ["The player did not end within 0.3 s and is killed."]
    assert supervised.code == 0


def test_children_are_not_systemds(log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "socket"))
    monkeypatch.setenv("WATCHDOG_USEC", "1")
    told = tmp_path / "told"
    code = f"import os\nprint(*sorted(os.environ), file=open({str(told)!r}, 'w'))\n" + WELL
    with Supervised(stand_in("engine", log, code)):
        wait_for(lambda: pids(log), "the first life")
    names = told.read_text().split()
    assert "LATENT_WATCHDOG_FD" in names
    assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC"} & set(names)


MAIN = """
import sys, threading
from appliance.service.supervise import Child, Limits, supervise
from appliance.stopping import stop_when_told
stop = threading.Event()
stop_when_told(stop)
children = [Child(name, (sys.executable, "-c", sys.argv[1], f"{sys.argv[2]}{name}")) for name in ("engine", "player")]
sys.exit(supervise(children, stop, print, limits=Limits(alive_s=3.0)))
"""


@pytest.fixture
def process(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A supervisor in a process of its own, once both children are well."""
    started = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", MAIN, WELL, f"{tmp_path}/"], stdout=subprocess.PIPE, text=True
    )
    try:
        wait_for(lambda: pids(tmp_path / "engine") and pids(tmp_path / "player"), "both")
        yield started
    finally:
        started.kill()
        started.communicate(timeout=PATIENCE_S)
        for pid in (*pids(tmp_path / "engine"), *pids(tmp_path / "player")):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything(process: "subprocess.Popen[str]", tmp_path: Path, number: int) -> None:
    process.send_signal(number)
    said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert said == ""
    assert not runs(pids(tmp_path / "engine")[0])
    assert not runs(pids(tmp_path / "player")[0])


def test_a_killed_supervisor_leaves_no_child(process: "subprocess.Popen[str]", tmp_path: Path) -> None:
    process.kill()
    for name in ("engine", "player"):
        wait_for(lambda name=name: not runs(pids(tmp_path / name)[0]), f"the end of the {name}")


def test_ctrl_c_in_the_terminal_reaches_the_supervisor_alone(process: "subprocess.Popen[str]", tmp_path: Path) -> None:
    for name in ("engine", "player"):
        assert os.getsid(pids(tmp_path / name)[0]) != os.getsid(process.pid)
        assert os.getpgid(pids(tmp_path / name)[0]) != os.getpgid(process.pid)


def test_a_supervisor_that_was_stopped_for_a_while_kills_nobody(
    process: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    process.send_signal(signal.SIGSTOP)
    time.sleep(3.5)
    process.send_signal(signal.SIGCONT)
    time.sleep(0.6)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=PATIENCE_S)
    assert said == ""
    assert [len(pids(tmp_path / name)) for name in ("engine", "player")] == [1, 1]
