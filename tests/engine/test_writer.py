"""The reserve is kept, hands are answered at once, and what is heard is what the log says, to the last bit."""

import dataclasses
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from simulated import Room

from appliance.engine.log import read
from appliance.engine.timeline import Timeline
from appliance.mood import Mood
from appliance.stream.layout import BLOCK_FRAMES, Word
from appliance.stream.state import Gains

HIGH = Mood(pitch=1.0)


@pytest.fixture(scope="module")
def timeline(make_timeline):
    return make_timeline(with_beds=False)


@pytest.fixture(scope="module")
def fresh_timeline(make_timeline):
    """Another of the same, which remembers nothing."""
    return make_timeline(with_beds=False)


@pytest.fixture
def room(tmp_path, timeline):
    return Room(tmp_path, timeline)


def rewinds(room: Room) -> int:
    return room.word(Word.REWINDS)


# --- the reserve


def test_the_reserve_is_filled_and_kept(room: Room) -> None:
    writer = room.engine()
    assert not room.resumed
    room.work()
    assert 5.0 < room.fill_s <= 6.0
    assert not writer.turn()
    fills: list[float] = []
    room.play(4.0, lambda _: fills.append(room.fill_s))
    assert 4.9 < min(fills) <= max(fills) <= 6.0
    assert room.word(Word.MADE) == room.ring.lane(0).end
    assert room.word(Word.HOLDS) == room.word(Word.REFUSALS) == rewinds(room) == 0


def test_what_is_heard_is_what_the_timeline_gives(room: Room, fresh_timeline: Timeline) -> None:
    writer = room.engine(seed=5)
    room.play(4.5)
    cursor, hops = fresh_timeline.start(5, Mood()), []
    for _ in range(6):
        cursor, hop = fresh_timeline.step(cursor, Mood())
        hops.append(hop)
    count = room.word(Word.READ)
    assert count > 4.4 * fresh_timeline.rate
    np.testing.assert_array_equal(room.heard(0), np.concatenate(hops)[:count])
    assert room.check_log(fresh_timeline) == 1
    assert writer.place().cursor.hop == count // fresh_timeline.hop_frames


# --- turns


def test_a_turn_is_heard_soon_while_the_old_lane_keeps_its_reserve(room: Room, fresh_timeline: Timeline) -> None:
    writer = room.engine()
    room.play(3.3)
    at, old = room.word(Word.READ), room.word(Word.PLAYING)
    writer.move(HIGH)
    room.play(0.1)
    assert rewinds(room) == 1
    assert room.word(Word.PLAYING) == 1 - old
    assert at < room.word(Word.TAKEN_FRAME) <= at + 4 * BLOCK_FRAMES
    assert room.ring.lane(old).end - room.word(Word.READ) > 4 * fresh_timeline.rate
    assert 0.1e9 < room.word(Word.ANSWER_NS) < 0.2e9
    room.play(2.0)
    assert room.check_log(fresh_timeline) == 2


def test_a_log_of_another_turn_would_be_noticed(room: Room, fresh_timeline: Timeline) -> None:
    writer = room.engine()
    room.play(2.0)
    writer.move(HIGH)
    room.play(2.0)
    log = writer.log
    log._turns[-1] = dataclasses.replace(log._turns[-1], frame=log._turns[-1].frame + 1)
    with pytest.raises(AssertionError, match="not equal"):
        room.check_log(fresh_timeline)


@settings(max_examples=12, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(seed=st.integers(0, 1 << 32), data=st.data())
def test_whatever_hands_do_the_log_gives_what_was_heard(
    timeline: Timeline, fresh_timeline: Timeline, seed: int, data: st.DataObject
) -> None:
    waits_s = st.sampled_from([0.0, 0.02, 0.07, 0.4, 1.0, 2.5])
    with tempfile.TemporaryDirectory() as folder:
        room = Room(Path(folder), timeline)
        writer = room.engine(seed)
        room.play(1.2)
        for _ in range(data.draw(st.integers(1, 8), label="moves")):
            room.play(data.draw(waits_s, label="wait_s"))
            if data.draw(st.integers(0, 4), label="hand"):
                writer.move(Mood(pitch=data.draw(st.floats(-1, 1)), pace=data.draw(st.floats(0.25, 4))))
            else:
                writer.next_piece()
        room.play(2.0)
        room.check_log(fresh_timeline)
        assert room.word(Word.HOLDS) == room.word(Word.REFUSALS) == 0


def test_a_burst_of_moves_makes_few_turns_and_the_last_mood_wins(room: Room, fresh_timeline: Timeline) -> None:
    writer = room.engine()
    room.play(2.0)

    def twist(block: int) -> None:
        if block < 100:
            writer.move(Mood(pitch=block / 99.0))

    room.play(1.5, twist)
    # A turn is taken after three blocks and faded for five.
    assert 3 <= rewinds(room) <= 15
    assert writer.place().mood == HIGH
    room.play(8.0)
    assert writer.place().cursor.mood.pitch > 0.9
    room.check_log(fresh_timeline)


def test_moves_that_nobody_could_hear_make_no_turn(room: Room) -> None:
    writer = room.engine()
    room.play(2.0)
    for number in range(100):
        writer.move(Mood(pitch=number / 99.0))
    writer.move(Mood())
    room.play(1.0)
    assert rewinds(room) == 0


def test_while_a_hand_moves_little_is_made(room: Room) -> None:
    writer = room.engine()
    room.play(2.0)
    made, seconds = room.word(Word.MADE), 3.0
    fills: list[float] = []

    def twist(block: int) -> None:
        if block % 10 == 0:
            writer.move(Mood(pitch=(block // 10) / 60.0))
        fills.append(room.fill_s)

    room.play(seconds, twist)
    assert max(fills[40:]) <= 3.0
    assert min(fills[40:]) > 0.4
    turns = rewinds(room)
    assert room.word(Word.MADE) - made < (3.0 * turns + seconds) * room.timeline.rate
    room.play(2.0)
    assert 4.9 < room.fill_s <= 6.0


def test_volume_is_the_players_and_makes_no_turn(room: Room) -> None:
    writer = room.engine()
    room.play(2.0)
    writer.move(Mood(volume=0.25))
    room.play(0.5)
    assert rewinds(room) == 0
    told = Gains.unpack(room.ring.gains.read())
    assert told is not None
    assert told.volume == 0.25
    sent = room.play(0.5)
    np.testing.assert_allclose(sent, 0.25 * room.heard(room.word(Word.READ) - len(sent)), atol=1e-7)
    room.engine()
    assert writer.mood.volume == 0.25


def test_the_next_piece_begins_when_asked(room: Room, fresh_timeline: Timeline) -> None:
    writer = room.engine()
    room.play(2.0)
    assert writer.place().cursor.next is None
    writer.next_piece()
    room.play(1.0)
    assert rewinds(room) == 1
    cursor = writer.place().cursor
    assert cursor.next is not None
    assert cursor.next.piece.number == 1
    # A second wish while it is faded in changes nothing.
    writer.next_piece()
    room.play(fresh_timeline.handover_hops * fresh_timeline.hop_s)
    assert writer.place().cursor.now.piece.number == 1
    assert writer.place().cursor.next is None
    room.check_log(fresh_timeline)


def test_the_log_begins_where_the_music_began(room: Room) -> None:
    writer = room.engine(seed=9, mood=HIGH)
    room.play(2.0)
    log = read(writer.log_until_now(), "the log")
    assert [(turn.frame, turn.base, turn.mood, turn.cursor.seed) for turn in log.turns] == [(0, 0, HIGH, 9)]
    assert log.end_frame == room.word(Word.READ)
