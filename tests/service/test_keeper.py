"""The keeper tells the truth of what plays, whoever is dead, and its own death changes nothing."""

import contextlib
import errno
import json
import os
import re
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from appliance.errors import RingError
from appliance.health.evidence import MOST_BYTES, read
from appliance.health.exposure import RoomLevel, keep_level
from appliance.health.metrics import Metrics
from appliance.health.watchdog import Watchdog
from appliance.service.keeper import TEXTFILE, Keeper, Wish, evidence_path, run
from appliance.service.status import status
from appliance.stream.layout import Word
from appliance.stream.ring import Ring, create
from appliance.stream.state import Gains, State

S = 1_000_000_000
RATE = 48_000
PATIENCE_S = 20.0
MOST_MB = 40.0
MORNING = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
LATENT = Path(sysconfig.get_path("scripts")) / "latent"


class Box:
    """A machine whose clocks move when the test says so, and a keeper in it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state = folder / "run", folder / "state"
        self.folder.mkdir()
        self.now_ns = 60 * S
        self.wall = MORNING
        self.said: list[str] = []
        self.ring: Ring = create(self.folder, RATE, 2, 2.0)
        self.ring.gains.write(Gains().pack())
        self.ring.facts.write(b'{"seed": 7, "model": "mine", "digest": "1a2b3c4d5e6f"}')
        self.ring.words[Word.STATE] = State.PLAYING
        self.ring.words[Word.ENGINE_PID] = self.ring.words[Word.PLAYER_PID] = os.getpid()
        self.keeper = self.made()

    def made(self) -> Keeper:
        return Keeper(self.folder, self.state, self.said.append, lambda: self.now_ns, lambda: self.wall)

    def live(self, seconds: float, every_s: float = 60.0) -> None:
        for _ in range(round(seconds / every_s)):
            self.now_ns += round(every_s * S)
            self.wall += timedelta(seconds=every_s)
            self.ring.words[Word.CONSUMED] += round(every_s * RATE)
            self.keeper.turn()

    @property
    def noted(self):
        return read(evidence_path(self.state))


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def test_a_day_is_told_at_midnight_and_noted(box: Box) -> None:
    box.keeper.turn()
    box.live(13 * 3600.0)
    assert box.said == []
    box.ring.words[Word.HOLDS], box.ring.words[Word.HELD] = 2, 41 * RATE
    box.live(3600.0)
    assert box.said == ["2026-11-22: Sounded 14 h of 14 h; held twice, 41 s in all; no silent block."]
    (start,), (day,) = box.noted.boots, box.noted.days
    assert (start.began, start.model) == ("2026-11-22T10:00", "1a2b3c4d")
    assert (day.label, day.counts["sounded_min"], day.counts["held_s"]) == ("2026-11-22", 840, 41)


def test_status_tells_of_today(box: Box) -> None:
    assert status(box.folder)["today"] is None
    box.keeper.turn()
    box.live(600.0)
    told = status(box.folder, lambda: box.now_ns)["today"]
    assert told["line"] == "Sounded 10 min of 10 min; never held; no silent block."
    assert (told["open_s"], told["label"]) == (600.0, "2026-11-22")


def test_weeks_write_little(box: Box) -> None:
    box.keeper.turn()
    before = sum(each.stat().st_size for each in box.state.rglob("*") if each.is_file())
    box.live(14 * 86_400.0, every_s=600.0)
    size = evidence_path(box.state).stat().st_size
    assert size - before <= 14 * MOST_BYTES
    assert [each.name for each in box.state.rglob("*") if each.is_file()] == ["days"]
    assert len(box.noted.days) == 15


def test_killed_again_and_again_it_loses_nothing_and_writes_no_more(box: Box) -> None:
    box.keeper.turn()
    for _ in range(14 * 60):
        box.live(60.0)
        box.keeper = box.made()
    box.keeper.turn()
    assert box.noted.days[-1].counts["sounded_min"] == pytest.approx(840, abs=2)
    assert evidence_path(box.state).stat().st_size <= MOST_BYTES
    assert len(box.noted.boots) == 1


def test_a_start_is_noted_without_an_engine_too(box: Box) -> None:
    (box.folder / "ring").unlink()
    box.keeper.turn()
    assert box.noted.boots == ()
    box.live(60.0)
    assert [boot.model for boot in box.noted.boots] == ["-"]


def test_without_a_state_folder_it_goes_on(box: Box) -> None:
    box.state.write_text("no folder")
    box.keeper.turn()
    box.live(30 * 3600.0)
    assert [sentence.partition(" cannot")[0] for sentence in box.said] == [
        "How the days went",
        "2026-11-22: Sounded 14 h of 14 h; never held; no silent block.",
    ]


class Running:
    """`run` in a thread."""

    def __init__(self, box: Box, wish: Wish) -> None:
        self.box = box
        self.stop = threading.Event()
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, args=(wish,))

    def _work(self, wish: Wish) -> None:
        try:
            run(wish, self.box.folder, self.box.state, self.stop, self.box.said.append, Watchdog())
        except BaseException as error:
            self.error = error

    def __enter__(self) -> "Running":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        assert self.error is None


def wait_for(so: Callable[[], object], what: str) -> None:
    until = time.monotonic() + PATIENCE_S
    while not so():
        assert time.monotonic() < until, f"This did not come about: {what}."
        time.sleep(0.01)


def samples(text: str) -> dict[str, float]:
    families = text_string_to_metric_families(text)
    return {f"{each.name}{sorted(each.labels.values())}": each.value for family in families for each in family.samples}


def fetched(port: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE_S) as answer:
        return samples(answer.read().decode())


def served(said: list[str]) -> int | None:
    found = [re.fullmatch(r"Metrics are served at http://127\.0\.0\.1:(\d+)/metrics\.", each) for each in said]
    return next((int(each[1]) for each in found if each), None)


def alive(box: Box, *who: str) -> None:
    for each in who:
        for word in ("START_NS", "BEAT_NS"):
            box.ring.words[Word[f"{each}_{word}"]] = time.monotonic_ns()


def test_metrics_are_written_and_served_and_true_when_the_engine_is_dead(box: Box) -> None:
    alive(box, "ENGINE", "PLAYER")
    with Running(box, Wish(str(box.folder), 0)):
        wait_for((box.folder / TEXTFILE).exists, "the file")
        written = samples((box.folder / TEXTFILE).read_text())
        wait_for(lambda: served(box.said), "the port")
        port = served(box.said)
        assert written["latent_healthy[]"] == fetched(port)["latent_healthy[]"] == 1.0
        # Of the engine nothing is left but its number, which is nobody's.
        box.ring.words[Word.ENGINE_PID] = 1 << 22
        told = fetched(port)
        assert (told["latent_up['engine']"], told["latent_up['player']"], told["latent_healthy[]"]) == (0.0, 1.0, 0.0)
        (box.folder / "ring").unlink()
        assert fetched(port)["latent_up['player']"] == 0.0


def test_a_port_and_a_folder_that_cannot_be_had_do_no_harm(box: Box) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        with Running(box, Wish(str(box.folder / "absent"), port)):
            wait_for(lambda: len(box.said) == 2, "two sentences")
    assert box.said == [
        f"No metrics can be written to {box.folder / 'absent' / TEXTFILE} (No such file or directory): check"
        " metrics.folder.",
        f"No metrics can be served at 127.0.0.1, port {port} (Address already in use): choose another metrics.port or"
        " metrics.listen.",
    ]


def test_a_service_that_may_open_no_port_says_what_lets_it(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))

    monkeypatch.setattr(Metrics, "serve", refuse)
    with Running(box, Wish(port=9100)):
        wait_for(lambda: box.said, "a sentence")
    assert box.said[0].endswith(": let the service open one with systemd/metrics.conf, as the guide says.")


def test_unless_asked_nothing_is_told_to_others(box: Box) -> None:
    with Running(box, Wish()):
        wait_for((box.folder / "today").exists, "the count")
    assert not (box.folder / TEXTFILE).exists()
    assert box.said == []


def test_the_day_ends_at_the_gallerys_midnight(box: Box) -> None:
    """Between these two it is never the same day."""
    days = []
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        (box.folder / "today").unlink(missing_ok=True)
        with Running(box, Wish(time_zone=zone)):
            wait_for((box.folder / "today").exists, "the count")
        days.append(json.loads((box.folder / "today").read_text())["day"]["label"])
    assert days[0] > days[1] > ""


def test_a_second_one_is_refused(box: Box) -> None:
    with Running(box, Wish()):
        wait_for((box.folder / "today").exists, "the count")
        with pytest.raises(RingError, match=r"Another keeper runs already in .*: stop it first\.$"):
            run(Wish(), box.folder, box.state, threading.Event(), pytest.fail, Watchdog())


@pytest.fixture
def process(box: Box, tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    started: list[subprocess.Popen[str]] = []

    def start(settings: str = "") -> "subprocess.Popen[str]":
        (tmp_path / "latent.toml").write_text(settings)
        made = subprocess.Popen(
            [sys.executable, str(LATENT), "keeper", "--forgiving", "--config", str(tmp_path / "latent.toml")],
            env=os.environ | {"RUNTIME_DIRECTORY": str(box.folder), "STATE_DIRECTORY": str(box.state)},
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(made)
        return made

    yield start
    for each in started:
        each.kill()
        each.communicate()


def free_port() -> int:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as found:
        return found.getsockname()[1]


def test_the_command_does_it_all_in_little_memory(box: Box, process) -> None:
    port = free_port()
    alive(box, "ENGINE", "PLAYER")
    keeper = process(f"[metrics]\nport = {port}\n")
    assert keeper.stderr.readline() == f"Metrics are served at http://127.0.0.1:{port}/metrics.\n"
    assert fetched(port)["latent_up['engine']"] == 1.0
    assert (box.folder / TEXTFILE).exists()
    assert len(box.noted.boots) == 1
    rollup = Path(f"/proc/{keeper.pid}/smaps_rollup").read_text()
    assert int(re.search(r"^Pss: +(\d+) kB", rollup, re.MULTILINE)[1]) * 1.024e-3 < MOST_MB
    loaded = Path(f"/proc/{keeper.pid}/maps").read_text()
    assert not re.search(r"/(scipy|onnxruntime|pydantic_core)/", loaded)
    keeper.send_signal(signal.SIGTERM)
    assert keeper.communicate(timeout=PATIENCE_S)[1] == ""
    assert keeper.returncode == 0


def test_settings_that_are_wrong_do_not_keep_it_from_counting(box: Box, process) -> None:
    keeper = process("[metrics]\nport = 'x'\n")
    told = keeper.stderr.readline()
    assert "metrics.port: must be a whole number" in told
    assert told.endswith("stands at its default.\n")
    wait_for((box.folder / "today").exists, "the count")


def test_a_limit_lowers_the_ceiling_and_no_limit_lifts_it(box: Box) -> None:
    keep_level(box.state, RoomLevel(95.0, -20.0, ""))
    box.ring.reals[Word.LOUDNESS] = -20.0
    box.keeper = Keeper(box.folder, box.state, box.said.append, lambda: box.now_ns, lambda: box.wall, 80.0)
    box.live(10.0, every_s=1.0)
    assert 0.7 < box.ring.ceiling < 0.9
    assert status(box.folder)["ceiling"] == pytest.approx(box.ring.ceiling, abs=1e-3)
    box.keeper = box.made()
    box.live(1.0, every_s=1.0)
    assert box.ring.ceiling == 1.0


def test_a_limit_without_a_measured_room_is_told_once_and_changes_nothing(box: Box) -> None:
    box.keeper = Keeper(box.folder, box.state, box.said.append, lambda: box.now_ns, lambda: box.wall, 80.0)
    box.live(10.0, every_s=1.0)
    assert box.said == ["No exposure can be limited: measure the room with `latent calibrate` first."]
    assert box.ring.ceiling == 1.0
