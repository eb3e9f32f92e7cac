"""What goes to a Snapcast server is what the room hears, whatever becomes of server, player and their clocks."""

import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from patience import until
from sawtooth import RATE, Player, Server, longest, runs
from snapcast_server import SnapcastServer, needs_snapcast

from appliance.folders import shown
from appliance.health.watchdog import Watchdog
from appliance.service import snapcast
from appliance.service.snapcast import Feed, run
from appliance.stream.layout import BLOCK_FRAMES, GUARD_FRAMES
from appliance.wiring.room import SnapcastSettings

PATIENCE_S = 20.0
FADE = RATE // 100
AHEAD_S = 0.3


class Stage:
    """A player, a feed and a server, and a clock that only moves when sound is played."""

    def __init__(self, folder: Path) -> None:
        self.now_s = 100.0
        self.said: list[str] = []
        self.player = Player(folder)
        self.server = Server()
        table = SnapcastSettings(port=self.server.port)
        self.feed = Feed(table, folder, self.said.append, lambda: self.now_s)

    def connect(self) -> None:
        self.feed.turn()
        self.server.accept()

    def turns(self) -> None:
        """Let it do all there is to do now."""
        for _ in range(1000):
            if self.feed.turn() > 0.0:
                return
        pytest.fail("There is always more to do.")

    def play(self, seconds: float, drift: float = 0.0) -> None:
        """Play for so long, with a card whose clock is off."""
        for _ in range(round(seconds / 0.032)):
            self.player.send(0.032)
            self.now_s += 0.032 * (1.0 + drift)
            self.turns()

    def close(self) -> None:
        self.feed.close()
        self.server.close()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.close()


def test_every_frame_is_sent_once_and_in_order(stage: Stage) -> None:
    stage.player.send(2.0)
    stage.connect()
    stage.play(0.032)
    begun = stage.player.sent - GUARD_FRAMES
    stage.play(3.0)
    ((first, count),) = runs(stage.server.wait_for(2.9 * RATE))
    # It begins with a fade.
    assert first == pytest.approx(begun + FADE, abs=16)
    assert count > 2.85 * RATE
    assert stage.said == [
        f"The Snapcast server at 127.0.0.1:{stage.server.port} is there.",
        f"The room is sent to the Snapcast server at 127.0.0.1:{stage.server.port}.",
    ]


@pytest.mark.parametrize("drift", [-0.02, 0.02])
def test_a_card_with_another_clock_is_kept_up_with(stage: Stage, drift: float) -> None:
    stage.player.send(2.0)
    stage.connect()
    begun_s = stage.now_s
    stage.play(30.0, drift)
    # The server is not behind what it was to have by now.
    frames = stage.server.wait_for((stage.now_s - begun_s - AHEAD_S) * RATE)
    heard = runs(frames)
    jumps = [later - (first + count) for (first, count), (later, _) in pairwise(heard)]
    # In 30 s it is 0.6 s that is sent once more, or left out.
    assert len(jumps) in (2, 3)
    assert jumps == pytest.approx([-np.sign(drift) * 0.2 * RATE + FADE] * len(jumps), abs=2)
    assert len(frames) / RATE - (stage.now_s - begun_s - AHEAD_S) < 0.6


class SlowServer:
    """Takes sound at another pace than it is played; a second of it may wait."""

    def __init__(self, stage: Stage, pace: float) -> None:
        self._stage = stage
        self._pace = pace
        self._free_s = stage.now_s
        self.data = b""

    def sendall(self, data: bytes) -> None:
        self.data += data
        self._free_s = max(self._free_s, self._stage.now_s) + len(data) / (4 * RATE * self._pace)
        waits_s = self._free_s - 1.0 - self._stage.now_s
        if waits_s > 0.0:
            self._stage.player.send(waits_s)
            self._stage.now_s += waits_s

    def close(self) -> None:
        """Nothing was opened."""


def test_a_server_that_is_slower_than_the_card_does_not_fall_ever_further_behind(stage: Stage) -> None:
    stage.player.send(2.0)
    server = SlowServer(stage, 0.9)
    stage.feed._socket = server
    while stage.now_s < 130.0:
        stage.player.send(0.032)
        stage.now_s += 0.032
        stage.feed.turn()
    heard = runs(np.frombuffer(server.data, dtype="<i2").reshape(-1, 2) / 32767.0)
    jumps = [later - (first + count) for (first, count), (later, _) in pairwise(heard)]
    assert sum(jumps) / RATE == pytest.approx(3.0 - 1.0, abs=1.2)
    last, count = heard[-1]
    assert stage.player.sent - (last + count) < 1.2 * RATE


def test_without_drift_nothing_is_sent_twice_or_left_out(stage: Stage) -> None:
    stage.player.send(2.0)
    stage.connect()
    stage.play(30.0)
    assert len(runs(stage.server.wait_for(29.9 * RATE))) == 1


def test_after_the_player_was_away_it_goes_on(stage: Stage) -> None:
    stage.player.send(2.0)
    stage.connect()
    stage.play(1.0)
    for _ in range(50):
        stage.now_s += 0.1
        stage.turns()
    stage.player.replace()
    stage.turns()
    stage.play(1.0)
    (_, _), (first, count) = runs(stage.server.wait_for(1.9 * RATE))
    # Nothing of what was sent last is sent once more.
    assert first == pytest.approx(3.0 * RATE + FADE, abs=0.01 * RATE)
    assert count > 0.8 * RATE


def test_a_card_that_plays_at_another_rate_is_told(stage: Stage) -> None:
    stage.player.replace(44_100)
    stage.connect()
    stage.player.send(2.0)
    assert stage.feed.turn() == 1.0
    stage.feed.turn()
    assert stage.said[1:] == [
        "Nothing goes to the Snapcast server: the card plays 44100 Hz x 2, [snapcast] says 48000 Hz x 2. Write rate ="
        " 44100 and channels = 2 there, and sampleformat=44100:16:2 for the server."
    ]
    stage.player.replace()
    stage.play(1.0)
    stage.server.wait_for(0.5 * RATE)


def test_where_nothing_plays_it_waits(stage: Stage) -> None:
    (stage.player.folder / "ring").unlink()
    stage.connect()
    assert stage.feed.turn() == 1.0
    assert "Nothing plays on this machine" in stage.said[-1]
    stage.player.replace()
    stage.play(1.0)
    stage.server.wait_for(0.1 * RATE)


def test_a_server_that_is_not_there_is_told_once_and_tried_for_ever(stage: Stage) -> None:
    stage.server.close()
    waits = []
    for _ in range(12):
        began_s = stage.now_s
        while (wait_s := stage.feed.turn()) > 0.0:
            stage.now_s += wait_s
        waits.append(stage.now_s - began_s)
    assert waits == pytest.approx([0.0, 0.5, 1.0, 2.0, 4.0, 8.0, *[10.0] * 6])
    assert stage.said == [
        f"No Snapcast server takes sound at 127.0.0.1:{stage.server.port} (Connection refused): start snapserver with a"
        f" source tcp://127.0.0.1:{stage.server.port}?name=Latent&mode=server. Trying again for ever."
    ]


@pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 39, "no\0where"])
def test_a_host_that_cannot_be_is_told(tmp_path: Path, host: str) -> None:
    said: list[str] = []
    feed = Feed(SnapcastSettings(host=host), tmp_path, said.append)
    assert feed.turn() == 0.0
    assert 0.0 < feed.turn() <= 0.5
    assert said[0].startswith(f"No Snapcast server takes sound at {shown(host)}:4953 (")


def test_a_server_that_hangs_up_is_come_back_to(stage: Stage) -> None:
    stage.player.send(2.0)
    stage.connect()
    stage.play(1.0)
    stage.server.wait_for(0.9 * RATE)
    stage.server.hang_up()
    for _ in range(30):
        stage.player.send(0.032)
        stage.now_s += 0.032
        stage.feed.turn()
        if "takes no more sound" in stage.said[-1]:
            break
    assert "takes no more sound" in stage.said[-1]
    lost = stage.player.sent
    stage.now_s += 0.6
    stage.player.send(3.0)
    stage.connect()
    stage.play(1.0)
    # What was meant for the time before is not made up for.
    ((first, _),) = runs(stage.server.wait_for(0.8 * RATE))
    assert first > lost + 2.5 * RATE


def test_a_server_that_stands_still_is_left(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapcast, "_PATIENCE_S", 0.2)
    stage.player.send(2.0)
    stage.feed.turn()
    stage.server.accept(takes=False)
    while stage.player.sent < 39 * RATE and "timed out" not in stage.said[-1]:
        stage.player.send(0.032)
        stage.now_s += 0.032
        stage.feed.turn()
    assert "takes no more sound (timed out)" in stage.said[-1]


# --- with Debian's server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SnapcastServer]:
    folder = tmp_path / "snapcast"
    folder.mkdir()
    made = SnapcastServer(folder)
    try:
        made.start()
        yield made
    finally:
        made.kill()


class Life:
    """A player that plays in real time, and a feed in a thread."""

    def __init__(self, folder: Path, port: int) -> None:
        self.player = Player(folder)
        self.said: list[str] = []
        self.stop = threading.Event()
        table = SnapcastSettings(port=port)
        self._threads = [
            threading.Thread(target=run, args=(table, folder, self.stop, self.said.append, Watchdog())),
            threading.Thread(target=self._play),
        ]
        for thread in self._threads:
            thread.start()

    def _play(self) -> None:
        begun_s = time.monotonic()
        while not self.stop.wait(0.01):
            due = (time.monotonic() - begun_s) * RATE - self.player.sent
            if due > 4 * BLOCK_FRAMES and self.player.sent < 39 * RATE:
                self.player.send(4 * BLOCK_FRAMES / RATE)

    def close(self) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join(PATIENCE_S)


@pytest.fixture
def life(tmp_path: Path, server: SnapcastServer) -> Iterator[Life]:
    folder = tmp_path / "run"
    folder.mkdir()
    made = Life(folder, server.port)
    yield made
    made.close()


@needs_snapcast
def test_rooms_hear_what_this_one_does_and_again_when_the_server_comes_back(server: SnapcastServer, life: Life) -> None:
    until(lambda: server.state == "playing", PATIENCE_S)
    rooms = [server.room("one"), server.room("two")]
    until(lambda: min(room.heard_s() for room in rooms) > 5.0, PATIENCE_S)
    heard = [room.close() for room in rooms]
    for frames in heard:
        assert longest(frames) > 2.0 * RATE
    server.kill()
    until(lambda: "takes no more sound" in life.said[-1] or "takes sound at" in life.said[-1], PATIENCE_S)
    server.start()
    until(lambda: server.state == "playing", PATIENCE_S)
    again = server.room("again")
    until(lambda: again.heard_s() > 4.0, PATIENCE_S)
    assert longest(again.close()) > 2.0 * RATE


@needs_snapcast
def test_a_server_that_hears_nothing_says_so(server: SnapcastServer, tmp_path: Path) -> None:
    assert server.state == "idle"
