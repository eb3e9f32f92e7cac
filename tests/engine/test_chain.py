"""What an engine finds in a ring is what was made there, whatever somebody scribbled over it."""

import numpy as np
import pytest
from simulated import Room

from appliance.engine.chain import recover, started
from appliance.engine.timeline import Timeline
from appliance.mood import Mood
from appliance.stream.layout import SLOT_BYTES, Word
from appliance.stream.ring import Ring


@pytest.fixture(scope="module")
def timeline(make_timeline):
    return make_timeline(with_beds=False)


@pytest.fixture
def room(tmp_path, timeline):
    return Room(tmp_path, timeline, 4.0)


def test_a_chain_is_found_again(room: Room, timeline: Timeline) -> None:
    writer = room.engine(3)
    room.play(3.0)
    chain = recover(room.ring, room.word(Word.PLAYING), timeline)
    assert chain is not None
    made = writer._chains[writer._lane]
    assert (chain.base, chain.mood, chain.end) == (made.base, made.mood, made.end)
    assert made.cursors.items() <= chain.cursors.items()


@pytest.mark.parametrize("seed", range(6))
def test_cursors_that_somebody_scribbled_on_are_passed_over(room: Room, timeline: Timeline, seed: int) -> None:
    room.engine(3)
    room.play(3.0)
    rng = np.random.default_rng(seed)
    lane, ring = room.word(Word.PLAYING), room.ring
    made = room.writer._chains[lane]
    newest_first = sorted(ring.saved(lane), reverse=True)
    for frame in newest_first[: rng.integers(1, 4)]:
        scribble(ring, lane, (frame - made.base) // timeline.hop_frames, rng)
    chain = recover(ring, lane, timeline)
    assert chain is not None
    assert chain.cursors[chain.end] == made.cursors[made.end]
    room.engine(3)
    assert room.resumed
    before = room.card.frames
    room.play(3.0)
    assert room.word(Word.HOLDS) == room.word(Word.REFUSALS) == 0
    assert len(room.card.frames) > len(before)


def scribble(ring: Ring, lane: int, hop: int, rng: np.random.Generator) -> None:
    at = (lane * ring.shape.slots + hop % ring.shape.slots) * SLOT_BYTES
    begin = int(rng.integers(0, 1500))
    ring._slots[at + begin : at + begin + 64] = rng.bytes(64)


def test_where_all_is_scribbled_on_other_music_begins_over_what_still_sounds(room: Room, timeline: Timeline) -> None:
    room.engine(3)
    room.play(3.0)
    room.ring._slots[:] = np.random.default_rng(1).bytes(len(room.ring._slots))
    assert recover(room.ring, room.word(Word.PLAYING), timeline) is None
    old = room.word(Word.PLAYING)
    writer = room.engine(8)
    assert not room.resumed
    room.play(3.0)
    assert room.word(Word.PLAYING) == 1 - old
    assert room.word(Word.HOLDS) == 0
    assert writer.place().cursor.seed == 8


def test_a_chain_of_another_model_is_left_alone(
    room: Room, timeline: Timeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.engine(3)
    room.play(2.0)
    monkeypatch.setattr(timeline.instrument, "model", "another")
    assert recover(room.ring, room.word(Word.PLAYING), timeline) is None


def test_a_chain_starts_on_the_next_block(timeline: Timeline) -> None:
    cursor = timeline.start(3, Mood())
    for _ in range(3):
        cursor = timeline.advance(cursor, Mood())
    chain = started(cursor, Mood(), 1000, timeline)
    assert chain.end == 1024
    assert chain.base + 3 * timeline.hop_frames == 1024
    assert chain.at(1024) == chain.at(10**9) == cursor
