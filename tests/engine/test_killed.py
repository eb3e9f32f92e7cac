"""An engine may be killed at any moment: another goes on from what it left, and nobody hears it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from simulated import Room

from appliance.engine.timeline import Timeline
from appliance.mood import Mood
from appliance.stream import inlet as inlet_module
from appliance.stream.inlet import Inlet
from appliance.stream.layout import BLOCK_FRAMES, SLOT_BYTES, Word
from appliance.stream.state import State

HIGH = Mood(pitch=1.0)
LOW = Mood(pitch=-1.0)
RESERVE_S = 4.0
SECONDS = 6.0
# What the hands do in the middle of it all, by the block before which.
MOVES = {150: HIGH, 158: LOW, 330: HIGH}


class Killed(BaseException):
    """The engine ends here, as by SIGKILL."""


class Fuse:
    """Ends the engine at its n-th write into the ring."""

    def __init__(self, writes: int) -> None:
        self.left = writes

    def burn(self) -> bool:
        """Count a write; whether this is the one that does not come about."""
        self.left -= 1
        return self.left == 0


class MortalWords:
    """The ring's words, for an engine with a fuse."""

    def __init__(self, words: "memoryview[int]", fuse: Fuse) -> None:
        self._words = words
        self._fuse = fuse

    def __getitem__(self, word: int) -> int:
        return self._words[word]

    def __setitem__(self, word: int, value: int) -> None:
        if word != Word.ENGINE_BEAT_NS and self._fuse.burn():
            raise Killed
        self._words[word] = value


def make_mortal(inlet: Inlet, fuse: Fuse) -> None:
    """Let an engine die between two words, or with a cursor half saved."""
    ring, save = inlet.ring, inlet.ring.save

    def torn(lane: int, hop: int, frame: int, data: bytes) -> None:
        if fuse.burn():
            at = (lane * ring.shape.slots + hop % ring.shape.slots) * SLOT_BYTES
            ring._slots[at : at + 1000] = b"\xff" * 16 + data[:984]
            raise Killed
        save(lane, hop, frame, data)

    inlet._words = MortalWords(ring.words, fuse)
    ring.save = torn


@contextmanager
def torn_copies(fuse: Fuse) -> Iterator[None]:
    """Let an engine die while it copies frames into a lane."""
    put = inlet_module.put

    def torn(region: np.ndarray, position: int, frames: np.ndarray) -> None:
        if fuse.burn():
            put(region, position, frames[: len(frames) // 3])
            raise Killed
        put(region, position, frames)

    with mock.patch.object(inlet_module, "put", torn):
        yield


def killed_at(room: Room, writes: int, moves: dict[int, Mood], dead_blocks: int = 0) -> int:
    """Play for a while with an engine that dies at a write and another that follows; gives how many writes were left.

    A hand that moved while none lived, or whose engine died of it, moves again.
    """
    fuse, back, mood = Fuse(writes), 0, Mood()
    with torn_copies(fuse):
        for block in range(round(SECONDS * room.timeline.rate / BLOCK_FRAMES)):
            mood = moves.get(block, mood)
            while block >= back:
                try:
                    if room.writer is None:
                        writer = room.engine(3)
                        make_mortal(writer._inlet, fuse)
                    if room.writer.mood != mood:
                        room.writer.move(mood)
                    room.work()
                    break
                except Killed:
                    room.kill()
                    back = block + dead_blocks
            room.reader.turn()
    return fuse.left


@pytest.fixture(scope="module")
def timeline(make_timeline):
    return make_timeline(with_beds=False)


@pytest.fixture(scope="module")
def other(make_timeline):
    """Another of the same, which remembers nothing."""
    return make_timeline(with_beds=False)


@pytest.fixture(scope="module")
def undisturbed(timeline):
    """The sound of a run in which nobody dies, without and with hands, and how many writes it takes."""
    runs = {}
    for name, moves in (("alone", {}), ("hands", MOVES)):
        with tempfile.TemporaryDirectory() as folder:
            room = Room(Path(folder), timeline, RESERVE_S)
            writes = 10**6 - killed_at(room, 10**6, moves)
            runs[name] = (room.card.frames, writes)
    return runs


@pytest.fixture
def room(tmp_path, timeline):
    return Room(tmp_path, timeline, RESERVE_S)


@settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(data=st.data())
def test_killed_at_any_write_and_followed_at_once_nothing_is_heard_of_it(
    timeline: Timeline, undisturbed: dict[str, tuple[np.ndarray, int]], data: st.DataObject
) -> None:
    sound, writes = undisturbed["hands"]
    at = data.draw(st.integers(1, writes), label="write")
    with tempfile.TemporaryDirectory() as folder:
        room = Room(Path(folder), timeline, RESERVE_S)
        assert killed_at(room, at, MOVES) <= 0
        np.testing.assert_array_equal(room.card.frames, sound)


@settings(max_examples=20, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(data=st.data())
def test_killed_and_followed_within_the_reserve_nothing_is_heard_of_it(
    timeline: Timeline, undisturbed: dict[str, tuple[np.ndarray, int]], data: st.DataObject
) -> None:
    sound, writes = undisturbed["alone"]
    # Before there is any reserve a death is heard, of course.
    at = data.draw(st.integers(30, writes), label="write")
    dead_blocks = data.draw(st.integers(0, 200), label="dead_blocks")
    with tempfile.TemporaryDirectory() as folder:
        room = Room(Path(folder), timeline, RESERVE_S)
        killed_at(room, at, {}, dead_blocks)
        np.testing.assert_array_equal(room.card.frames, sound)


def test_hands_make_a_difference_that_would_be_seen(undisturbed: dict[str, tuple[np.ndarray, int]]) -> None:
    (alone, few), (hands, many) = undisturbed["alone"], undisturbed["hands"]
    assert len(alone) == len(hands)
    assert few < many
    assert not np.array_equal(alone, hands)


def test_after_a_hold_the_music_goes_on_where_it_stopped(room: Room, undisturbed: dict[str, tuple]) -> None:
    room.engine(3)
    room.play(5.0)
    room.kill()
    room.play(10.0)
    assert room.word(Word.STATE) == State.HOLDING
    room.engine(3)
    assert room.resumed
    room.play(2.0)
    sound, _ = undisturbed["alone"]
    # Behind the fade in, what was sent is what was in the ring.
    begin = room.timeline.rate
    np.testing.assert_array_equal(room.heard(begin)[: len(sound) - begin], sound[begin:])


def test_an_engine_follows_that_died_before_its_first_turn_was_taken(room: Room) -> None:
    room.engine(3)
    room.play(3.0)
    room.ring.forget(room.word(Word.PLAYING))
    room.engine(4)
    assert room.writer is not None
    assert room.writer.turning
    writer = room.engine(5)
    assert room.resumed
    assert writer.place().cursor.seed == 4
    room.play(3.0)
    assert room.word(Word.HOLDS) == 0


def test_the_log_of_an_engine_that_followed_amid_a_turn_gives_what_was_heard(room: Room, other: Timeline) -> None:
    room.engine(3)
    room.play(3.0)
    assert room.writer is not None
    room.writer.move(HIGH)
    room.work()
    assert room.writer.turning
    room.engine(3)
    room.play(3.0)
    # It knows of no sound before the turn.
    room.check_log(other, room.word(Word.TAKEN_FRAME))


# --- the way back to the old lane


def test_an_engine_that_dies_after_a_turn_leaves_the_old_lane_to_go_back_to(
    room: Room, undisturbed: dict[str, tuple]
) -> None:
    writer = room.engine(3)
    room.play(3.0)
    old, before = room.word(Word.PLAYING), room.word(Word.READ)
    left_s = room.fill_s
    writer.move(HIGH)
    assert writer.turn()
    room.kill()
    room.play(0.2)
    assert room.word(Word.PLAYING) == 1 - old
    assert room.fill_s < 1.5
    sound = room.play(left_s - 0.8)
    assert room.word(Word.PLAYING) == old
    assert room.word(Word.READ) - before > (left_s - 1.0) * room.timeline.rate
    assert room.word(Word.HOLDS) == 0
    usual = np.abs(np.diff(undisturbed["hands"][0], axis=0)).max()
    assert np.abs(np.diff(sound, axis=0)).max() <= 1.5 * usual
    room.play(3.0)
    assert room.word(Word.STATE) != State.PLAYING
    writer = room.engine(3)
    assert room.resumed
    assert writer.mood == Mood()
    room.play(3.0)
    assert room.word(Word.STATE) == State.PLAYING
    assert room.word(Word.PLAYING) == old


def test_a_living_engine_follows_the_player_back(room: Room) -> None:
    writer = room.engine(3)
    room.play(3.0)
    old = room.word(Word.PLAYING)
    writer.move(HIGH)
    assert writer.turn()
    room.kill()
    # For so long it was busy elsewhere.
    room.play(1.6)
    assert room.word(Word.PLAYING) == old
    room.writer = writer
    # Where the music is to be is still where the hands are.
    room.play(3.0)
    assert room.word(Word.HOLDS) == 0
    assert room.word(Word.REWINDS) == 2
    assert writer.place().cursor.mood.pitch > 0.3
