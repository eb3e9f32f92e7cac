"""Who listens hears what was sent to the card: every frame once, and never a torn one."""

import struct
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from appliance.errors import RingError
from appliance.service import listen as room
from appliance.service.listen import Tap, listen
from appliance.stream.fake_card import FakeCard
from appliance.stream.layout import BLOCK_FRAMES, GUARD_FRAMES, Word
from appliance.stream.reader import Reader
from appliance.stream.ring import Ring, create, open_ring, put

RATE = 48_000
FADE = RATE // 100
HEADER_BYTES = 44
PATIENCE_S = 20.0
NUMBERS = 512 * 8192
IN_FULL_FLIGHT = f"""
import sys, pathlib, numpy as np
from appliance.stream.ledger import Ledger
from appliance.stream.ring import create
from appliance.stream.state import State
ledger = Ledger(create(pathlib.Path(sys.argv[1]), 8000, 1, 1.0))
numbers = np.arange({NUMBERS}, dtype=np.float32)[:, np.newaxis]
at = 0
while True:
    ledger.sent(numbers[at : at + 512], State.PLAYING)
    at = (at + 512) % {NUMBERS}
    if at == 512 * 32:
        print("ready", flush=True)
"""


class Player:
    """Sends a slow sine to the monitor, frame after frame; a new ring goes on where the old one ended."""

    def __init__(self, folder: Path, rate: int = RATE, channels: int = 2) -> None:
        self.folder = folder
        self.sent = 0
        self.sounds: list[np.ndarray] = []
        self.replace(rate, channels)

    def replace(self, rate: int = RATE, channels: int = 2) -> None:
        self.ring: Ring = create(self.folder, rate, channels, 1.0)

    def send(self, seconds: float) -> None:
        count = round(seconds * RATE / BLOCK_FRAMES) * BLOCK_FRAMES
        wave = 0.5 * np.sin(2.0 * np.pi * 110.0 * np.arange(self.sent, self.sent + count) / RATE)
        sound = np.stack([wave, -wave] * 4, axis=1).astype(np.float32)[:, : self.ring.channels]
        end = self.ring.words[Word.MONITOR_END]
        for at in range(0, count, RATE):
            put(self.ring.monitor, end + at, sound[at : at + RATE])
        self.ring.words[Word.MONITOR_END] = end + count
        self.sent += count
        self.sounds.append(sound)

    @property
    def sound(self) -> np.ndarray:
        return np.concatenate(self.sounds)


class Program:
    """Takes what is sent, and lets things happen while the listener waits: one more step each time."""

    def __init__(self, *steps) -> None:
        self.data = b""
        self.pieces: list[int] = []
        self.now_s = 0.0
        self.said: list[tuple[float, str]] = []
        self._steps = iter(steps)

    def write(self, data: bytes) -> None:
        self.data += data
        self.pieces.append(len(data))

    def pause(self, seconds: float) -> None:
        self.now_s += seconds
        step = next(self._steps, self._leave)
        if step is not None:
            step()

    def clock(self) -> float:
        return self.now_s

    def say(self, sentence: str) -> None:
        self.said.append((self.now_s, sentence))

    def _leave(self) -> None:
        raise BrokenPipeError

    def sound(self, channels: int = 2) -> np.ndarray:
        return np.frombuffer(self.data[HEADER_BYTES:], dtype="<i2").reshape(-1, channels) / 32767.0


def hear(player: Player | Path, *steps, start_s: float = 1.0, seconds: float | None = None) -> Program:
    """Listen until all steps are done, or so much was heard."""
    program = Program(*steps)
    try:
        folder = player if isinstance(player, Path) else player.folder
        listen(folder, program, program.say, start_s, seconds, program.clock)
    except BrokenPipeError:
        assert next(program._steps, None) is None
    return program


def assert_same(heard: np.ndarray, sent: np.ndarray) -> None:
    assert heard.shape == sent.shape
    np.testing.assert_allclose(heard[FADE:], sent[FADE:], atol=0.6 / 32767.0)


def largest_step(sound: np.ndarray) -> float:
    return float(np.abs(np.diff(sound, axis=0)).max())


@pytest.fixture
def player(tmp_path: Path) -> Player:
    return Player(tmp_path)


def test_it_begins_a_second_back_and_follows(player: Player) -> None:
    player.send(3.0)
    first = player.sent - GUARD_FRAMES - RATE
    heard = hear(player, *[lambda: player.send(0.1)] * 50).sound()
    assert_same(heard, player.sound[first:-GUARD_FRAMES])
    assert largest_step(heard) < largest_step(player.sound) * 1.1


def test_it_begins_with_a_fade(player: Player) -> None:
    player.send(3.0)
    heard = hear(player).sound()
    assert abs(heard[0, 0]) < 0.002
    assert largest_step(heard) < largest_step(player.sound) * 1.1


@pytest.mark.parametrize("start_s", [0.0, 0.5, 7.0])
def test_it_begins_as_far_back_as_it_is_told(player: Player, start_s: float) -> None:
    player.send(20.0)
    heard = hear(player, lambda: player.send(1.0), start_s=start_s).sound()
    assert len(heard) / RATE == pytest.approx(start_s + 1.0, abs=0.02)
    assert_same(heard, player.sound[-len(heard) - GUARD_FRAMES : -GUARD_FRAMES])


def test_it_begins_with_what_there_is(player: Player) -> None:
    player.send(0.5)
    assert_same(hear(player).sound(), player.sound[:-GUARD_FRAMES])
    player.send(20.0)
    heard = hear(player, start_s=1000.0).sound()
    assert 7.0 < len(heard) / RATE < 8.0
    assert_same(heard, player.sound[-len(heard) - GUARD_FRAMES : -GUARD_FRAMES])


def test_before_anything_was_sent_it_waits(player: Player) -> None:
    heard = hear(player, None, None, lambda: player.send(0.5)).sound()
    assert_same(heard, player.sound[:-GUARD_FRAMES])


@pytest.mark.parametrize("channels", [1, 2, 8])
def test_the_header_says_what_comes(tmp_path: Path, channels: int) -> None:
    player = Player(tmp_path, 44_100, channels)
    player.send(0.5)
    head = struct.unpack("<4sI4s4sIHHIIHH4sI", hear(player).data[:HEADER_BYTES])
    assert head[2:11] == (b"WAVE", b"fmt ", 16, 1, channels, 44_100, 44_100 * channels * 2, channels * 2, 16)
    assert (head[0], head[1], head[11], head[12]) == (b"RIFF", 0xFFFFFFFF, b"data", 0xFFFFFFFF)


def test_it_ends_after_so_much_and_says_so_in_the_header(player: Player) -> None:
    player.send(3.0)
    program = hear(player, *[lambda: player.send(0.5)] * 9, seconds=1.7)
    assert len(program.data) == HEADER_BYTES + round(1.7 * RATE) * 4
    assert struct.unpack_from("<I", program.data, 4)[0] == len(program.data) - 8
    assert struct.unpack_from("<I", program.data, 40)[0] == len(program.data) - HEADER_BYTES


def test_it_sends_small_pieces(player: Player) -> None:
    player.send(7.0)
    assert max(hear(player, start_s=7.0).pieces) <= 4096 * 4


@pytest.mark.parametrize("behind_s", [8.5, 60.0])
def test_fallen_behind_it_goes_on_at_the_newest_without_a_step(player: Player, behind_s: float) -> None:
    player.send(3.0)
    before = RATE
    heard = hear(player, lambda: player.send(behind_s), lambda: player.send(0.5)).sound()
    assert (len(heard) - before) / RATE == pytest.approx(0.7, abs=0.02)
    assert largest_step(heard) < largest_step(player.sound) * 1.5
    assert_same(heard[before:], player.sound[before - len(heard) - GUARD_FRAMES : -GUARD_FRAMES])


def test_what_is_written_over_while_it_is_copied_is_not_sent(player: Player, monkeypatch) -> None:
    player.send(20.0)
    tap = Tap(player.folder, 7.0)
    copies = []

    def slow_take(region, position, count):
        copies.append(position)
        if len(copies) == 2:
            player.send(4.0)
        return take(region, position, count)

    take = room.take
    monkeypatch.setattr(room, "take", slow_take)
    assert len(tap.read()) == 4096
    assert len(tap.read()) == 0
    frames = tap.read()
    newest = player.sent - GUARD_FRAMES - round(0.2 * RATE)
    np.testing.assert_array_equal(frames[FADE:], player.sound[newest + FADE : newest + len(frames)])


def test_a_new_ring_is_followed_without_losing_a_frame(player: Player) -> None:
    def replaced() -> None:
        player.send(0.5)
        player.replace()
        player.send(0.5)

    player.send(3.0)
    first = player.sent - GUARD_FRAMES - RATE
    heard = hear(player, replaced, None, lambda: player.send(0.5), None).sound()
    assert_same(heard, player.sound[first:-GUARD_FRAMES])


def test_a_new_ring_of_another_format_ends_it(player: Player) -> None:
    player.send(3.0)
    with pytest.raises(RingError, match=r"from 48000 Hz x 2 to 44100 Hz x 1.*again"):
        hear(player, lambda: player.replace(44_100, 1))


def test_it_waits_for_a_ring_that_is_gone(player: Player) -> None:
    def stop() -> None:
        player.send(0.5)
        (player.folder / "ring").unlink()

    def start() -> None:
        player.replace()
        player.send(0.5)

    player.send(3.0)
    first = player.sent - GUARD_FRAMES - RATE
    program = hear(player, stop, *[None] * 200, start, None)
    heard = program.sound()
    assert len(heard) == player.sent - first - GUARD_FRAMES
    assert [sentence for _, sentence in program.said] == [
        "Nothing is sent to the sound card at the moment; waiting for the player."
    ]
    assert program.said[0][0] == pytest.approx(3.0, abs=0.1)
    assert largest_step(heard) < largest_step(player.sound) * 1.5


def test_each_silence_of_the_player_is_told_once(player: Player) -> None:
    player.send(3.0)
    wait = [None] * 150
    assert len(hear(player, *wait, lambda: player.send(0.5), *wait).said) == 2
    assert hear(player, *[None] * 90, lambda: player.send(0.5), *[None] * 90).said == []


def test_after_a_wait_it_goes_on_without_a_step(player: Player) -> None:
    player.send(3.0)
    player.sounds.clear()
    player.sent += RATE // 440
    heard = hear(player, *[None] * 150, lambda: player.send(0.5)).sound()
    # The end that was held back for safety came while there was nothing else.
    assert len(heard) == RATE + GUARD_FRAMES + len(player.sound) - GUARD_FRAMES
    assert largest_step(heard) < largest_step(player.sound) * 1.5


def test_a_step_would_be_seen(player: Player) -> None:
    player.send(3.0)
    player.sounds.clear()
    player.sent += RATE // 440
    heard = hear(player, lambda: player.send(0.5)).sound()
    assert largest_step(heard) > largest_step(player.sound) * 5.0


def test_even_a_scribbled_monitor_gives_sound(player: Player) -> None:
    player.send(3.0)
    player.ring.monitor[:] = [np.nan, 1e30]
    heard = hear(player).sound()
    assert not heard[FADE:, 0].any()
    assert (heard[FADE:, 1] == 1.0).all()


@pytest.mark.parametrize("end", [0, 1, 100_000, (1 << 64) - 1])
def test_even_a_scribbled_position_is_borne(player: Player, end: int) -> None:
    def scribble() -> None:
        player.ring.words[Word.MONITOR_END] = end

    def heal() -> None:
        player.replace()
        player.send(0.5)

    player.send(3.0)
    heard = hear(player, scribble, None, heal, None, None).sound()
    assert np.abs(heard).max() <= 0.75
    np.testing.assert_allclose(heard[-RATE // 4 :], player.sound[-RATE // 4 - GUARD_FRAMES : -GUARD_FRAMES], atol=1e-4)


def test_with_no_ring_nothing_plays(tmp_path: Path) -> None:
    with pytest.raises(RingError, match="Nothing plays on this machine"):
        Tap(tmp_path, 1.0)


def test_the_ring_is_left_as_it_was(player: Player) -> None:
    player.send(9.0)
    before = (player.folder / "ring").read_bytes()
    hear(player, None)
    assert (player.folder / "ring").read_bytes() == before


def test_it_is_what_the_card_was_given(tmp_path: Path) -> None:
    """A real reader with a card, some blocks for each piece that is listened to."""
    ring = create(tmp_path, RATE, 2, 2.0)
    card = FakeCard(RATE, 2)
    card.start()
    factory = np.random.default_rng(1).uniform(-0.1, 0.1, (60 * RATE, 2)).astype(np.float32)
    reader = Reader(ring, card, lambda: factory)
    for _ in range(1000):
        reader.turn()
    first = len(card.frames) - GUARD_FRAMES - RATE
    heard = hear(tmp_path, *[reader.turn] * 300).sound()
    assert np.abs(heard).max() > 0.01
    assert_same(heard, card.frames[first:-GUARD_FRAMES])


def test_beside_a_player_in_full_flight_nothing_is_torn(tmp_path: Path) -> None:
    """Frames carry their number; the player is much faster than any card, so that the listener falls behind."""
    process = subprocess.Popen(
        [sys.executable, "-c", IN_FULL_FLIGHT, str(tmp_path)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    try:
        assert process.stdout.readline() == b"ready\n"
        tap, heard, until_s = Tap(tmp_path, 1.0), [], time.monotonic() + PATIENCE_S
        words, waits_for = open_ring(tmp_path, writable=False).words, 0
        while len(heard) < 300 and time.monotonic() < until_s:
            if words[Word.MONITOR_END] < waits_for:
                continue
            # Without what may have been faded.
            frames = tap.read()[80:, 0]
            if len(frames):
                heard.append(frames)
                waits_for = words[Word.MONITOR_END] + (0 if len(heard) % 10 else 9 * 8000)
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE_S)
    assert len(heard) == 300
    for frames in heard:
        assert set(np.diff(frames)) <= {1.0, 1.0 - NUMBERS}
    assert sum(later[0] - earlier[-1] != 81.0 for earlier, later in pairwise(heard)) >= 29
