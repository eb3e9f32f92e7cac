"""What a ring tells of itself is right, believes nothing, and leaves the ring as it was."""

import dataclasses
import math
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.stream.fake_card import FakeCard
from appliance.stream.inlet import Inlet
from appliance.stream.layout import BLOCK_FRAMES, Word
from appliance.stream.reader import Reader
from appliance.stream.ring import Ring, create, open_ring
from appliance.stream.snapshot import Life, snapshot
from appliance.stream.state import Gains, State

RATE = 48_000
LUFS = -20.0
S = 1_000_000_000


class Clock:
    """Nanoseconds that pass as the card takes its blocks."""

    def __init__(self) -> None:
        self.now_ns = 1000 * S

    def __call__(self) -> int:
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        self.now_ns += round(seconds * S)


class Room:
    """An engine's and a player's end of a ring, and a third who looks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock()
        self.ring = create(folder, RATE, 2, 5.0)
        self.inlet = Inlet(self.ring, self.clock)
        self.card = FakeCard(RATE, 2, self.clock.sleep, latency_s=0.08)
        self.card.start()
        self.reader = Reader(self.ring, self.card, lambda: None, self.clock)

    def make(self, lane: int, seconds: float) -> None:
        at = self.inlet.end(lane) + np.arange(round(seconds * RATE))
        tone = 0.1 * np.sin(2.0 * np.pi * 1000.0 * at / RATE)
        self.inlet.append(lane, np.stack([tone, tone], axis=1).astype(np.float32), (LUFS, LUFS))

    def play(self, seconds: float) -> None:
        for _ in range(round(seconds * RATE / BLOCK_FRAMES)):
            self.reader.turn()

    def look(self):
        return snapshot(open_ring(self.folder, writable=False), self.clock())


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def test_what_plays_is_told(room: Room) -> None:
    room.ring.device.write("Großer\nSaal".encode())
    room.ring.gains.write(Gains(volume=0.75).pack())
    room.ring.facts.write(b'{"seed": 7, "model": "default"}')
    room.make(0, 4.0)
    room.play(2.56)
    seen = room.look()

    assert seen.state == State.PLAYING
    assert seen.doing == "playing"
    assert (seen.rate, seen.channels, seen.reserve_wanted_s) == (RATE, 2, 5.0)
    assert seen.consumed_frames == room.card.taken_frames == round(2.56 * RATE)
    assert seen.made_frames == 4 * RATE
    assert seen.reserve_s == pytest.approx(4.0 - seen.read / RATE)
    assert seen.reserve_s == pytest.approx(1.44, abs=2 * BLOCK_FRAMES / RATE)
    assert seen.loudness_lufs == pytest.approx(LUFS + 20.0 * math.log10(0.75), abs=0.5)
    assert seen.device == "Großer\\nSaal"
    assert seen.volume == 0.75
    assert seen.facts == {"seed": 7, "model": "default"}
    assert seen.generation == room.ring.shape.generation.hex()
    assert seen.player.uptime_s == pytest.approx(2.56)
    assert seen.player.beat_age_s == 0.0
    assert seen.engine.beat_age_s == pytest.approx(2.56)
    assert (seen.holds, seen.held_s, seen.rewinds, seen.refusals, seen.bad_samples) == (0, 0.0, 0, 0, 0)


def test_a_fresh_ring_knows_nothing_yet(tmp_path: Path) -> None:
    create(tmp_path, 44_100, 1, 2.0)
    seen = snapshot(open_ring(tmp_path, writable=False), 1000 * S)

    assert (seen.rate, seen.channels) == (44_100, 1)
    assert seen.engine == seen.player == Life(None, None, None)
    assert (seen.reserve_s, seen.underruns, seen.holds, seen.consumed_frames) == (0.0, 0, 0, 0)
    assert seen.device is seen.volume is seen.loudness_lufs is seen.knob_to_sound_ms is None
    assert seen.facts == {}
    assert seen.state == State.STARTING


def test_a_hold_is_told(room: Room) -> None:
    room.make(0, 8.0)
    room.play(14.0)
    seen = room.look()

    assert seen.state == State.HOLDING
    assert "holding" in seen.doing
    assert seen.holds == 1
    assert 5.0 < seen.held_s < 7.0
    assert seen.reserve_s < 0.5
    assert seen.underruns == 0


def test_silence_for_want_of_sound_is_told(room: Room) -> None:
    room.play(8.0)
    seen = room.look()

    # The beginning is given some seconds.
    assert 1.0 < seen.underrun_s < 4.0
    assert seen.underruns == seen.underrun_s * RATE / BLOCK_FRAMES
    assert (seen.holds, seen.held_s) == (0, 0.0)


def test_the_answer_to_a_hand_is_told(room: Room) -> None:
    room.make(0, 4.0)
    room.play(1.0)
    assert room.look().knob_to_sound_ms is None
    frame = room.inlet.turn_frame()
    room.inlet.open_lane(1, frame)
    room.make(1, 3.0)
    room.inlet.publish(1, frame, room.clock())
    room.play(1.0)
    seen = room.look()

    assert seen.lane == 1
    assert seen.rewinds == 1
    # The lead and the block in hand, the card's latency, half a fade.
    assert 80.0 + 25.0 < seen.knob_to_sound_ms < 80.0 + 25.0 + 5 * BLOCK_FRAMES / RATE * 1000.0
    assert seen.reserve_s == pytest.approx((room.inlet.end(1) - seen.read) / RATE)


def test_looking_leaves_the_ring_as_it_was(room: Room) -> None:
    room.make(0, 1.0)
    room.play(0.5)
    before = (room.folder / "ring").read_bytes()
    ring = open_ring(room.folder, writable=False)
    snapshot(ring, room.clock())

    assert (room.folder / "ring").read_bytes() == before
    with pytest.raises(TypeError, match="read-only"):
        ring.words[Word.HOLDS] = 1


@pytest.mark.parametrize(
    ("word", "value", "field"),
    [
        (Word.READ, 1 << 60, "read"),
        (Word.READ, 1 << 60, "reserve_s"),
        (Word.END_0, 1 << 40, "reserve_s"),
        (Word.BEGIN_0, 1 << 40, "reserve_s"),
        (Word.STATE, 99, "state"),
        (Word.STATE, 99, "doing"),
        (Word.UNDERRUNS, 1 << 50, "underruns"),
        (Word.UNDERRUNS, 1 << 50, "underrun_s"),
        (Word.HELD, (1 << 64) - 1, "held_s"),
        (Word.HOLDS, (1 << 64) - 1, "holds"),
        (Word.ANSWER_NS, 1 << 63, "knob_to_sound_ms"),
        (Word.LOUDNESS, struct.unpack("<Q", struct.pack("<d", math.nan))[0], "loudness_lufs"),
        (Word.LOUDNESS, struct.unpack("<Q", struct.pack("<d", -math.inf))[0], "loudness_lufs"),
        (Word.LOUDNESS, struct.unpack("<Q", struct.pack("<d", 1e9))[0], "loudness_lufs"),
    ],
)
def test_what_cannot_be_is_left_out(room: Room, word: Word, value: int, field: str) -> None:
    room.make(0, 4.0)
    room.play(1.0)
    room.ring.words[Word.ANSWER_NS] = 5_000_000
    assert getattr(room.look(), field) is not None
    room.ring.words[word] = value
    assert getattr(room.look(), field) is None


@pytest.mark.parametrize("at_ns", [1 << 63, 1002 * S])
def test_signs_of_life_from_the_future_are_none(room: Room, at_ns: int) -> None:
    for word in (Word.PLAYER_BEAT_NS, Word.PLAYER_START_NS):
        room.ring.words[word] = at_ns
    room.ring.words[Word.PLAYER_PID] = 1 << 40
    assert room.look().player == Life(None, None, None)
    assert room.look().engine.uptime_s == 0.0


def test_a_sign_of_life_given_while_looking_is_fresh(room: Room) -> None:
    room.ring.words[Word.PLAYER_BEAT_NS] = room.clock() + S // 10
    assert room.look().player.beat_age_s == 0.0


@pytest.mark.parametrize("facts", [b"[" * 2000, b"\xff\xfe", b"[1]", b'{"seed": ' + b"9" * 2000, b"{", b"null"])
def test_facts_that_are_none_are_left_out(tmp_path: Path, facts: bytes) -> None:
    ring = create(tmp_path, RATE, 1, 1.0)
    ring.facts.write(facts)
    assert snapshot(ring, S).facts == {}


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1 << 32), records=st.booleans())
def test_any_scribble_is_borne(scribbled: Ring, seed: int, records: bool) -> None:
    rng = np.random.default_rng(seed)
    scribbled.words.cast("B")[:] = rng.bytes(1024)
    if records:
        for record in (scribbled.gains, scribbled.facts, scribbled.device):
            record.write(rng.bytes(int(rng.integers(1, 2032))))
    seen = snapshot(scribbled, 1000 * S)
    for field in dataclasses.fields(seen):
        value = getattr(seen, field.name)
        assert not isinstance(value, float) or math.isfinite(value), field.name
    assert seen.reserve_s is None or 0.0 <= seen.reserve_s < 60.0


@pytest.fixture(scope="module")
def scribbled(tmp_path_factory: pytest.TempPathFactory) -> Ring:
    return create(tmp_path_factory.mktemp("scribbled"), RATE, 1, 1.0)
