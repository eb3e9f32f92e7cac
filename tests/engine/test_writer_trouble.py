"""The writer when things go wrong, what it sees of itself, and whether it knows that it is well."""

from pathlib import Path

import numpy as np
import pytest
from listening import clicks
from simulated import Room

from appliance.engine.cursor import Cursor
from appliance.engine.timeline import Timeline
from appliance.engine.writer import Writer
from appliance.errors import ModelError, RingError
from appliance.health.liveness import engine_verdict
from appliance.mood import Mood
from appliance.stream.inlet import Inlet
from appliance.stream.layout import BLOCK_FRAMES, Word
from appliance.stream.ring import create, open_ring
from appliance.stream.state import State

HIGH = Mood(pitch=1.0)
LOW = Mood(pitch=-1.0)


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


def test_the_first_sound_of_all_is_not_refused(tmp_path: Path, timeline: Timeline) -> None:
    refusals = []
    for seed in range(6):
        room = Room(tmp_path, timeline, reserve_s=3.0)
        room.engine(seed, Mood(level=1.0))
        room.play(1.5)
        refusals.append(room.word(Word.REFUSALS))
    assert refusals == [0] * 6


def test_a_turn_in_a_hold_is_replayed_to_the_bit(room: Room, fresh_timeline: Timeline) -> None:
    room.engine()
    room.play(12.0)
    room.kill()
    room.play(8.0)
    room.engine().move(LOW)
    room.play(3.0)
    assert room.word(Word.STATE) == State.PLAYING
    room.check_log(fresh_timeline)


def test_a_hand_that_moves_while_the_player_holds_is_heard_after(room: Room, fresh_timeline: Timeline) -> None:
    room.engine()
    room.play(3.0)
    room.kill()
    room.play(8.0)
    assert room.word(Word.STATE) == State.HOLDING
    stood = room.word(Word.READ)
    writer = room.engine()
    assert room.resumed
    writer.move(LOW)
    room.play(3.0)
    assert room.word(Word.STATE) == State.PLAYING
    assert room.word(Word.READ) > stood
    assert room.word(Word.HOLDS) == 1
    assert writer.place().cursor.mood.pitch < -0.3
    room.check_log(fresh_timeline, room.word(Word.TAKEN_FRAME))


# With a history to hold, and before there is any.
@pytest.mark.parametrize("before_s", [1.0, 2.5, 12.0])
def test_what_the_player_refuses_is_made_again(room: Room, fresh_timeline: Timeline, before_s: float) -> None:
    writer = room.engine()
    room.play(before_s)
    sound = room.play(0.5)
    lane, at = room.word(Word.PLAYING), room.word(Word.READ)
    begin = (at + 20_000) % room.ring.shape.lane_frames
    room.ring.lanes[lane, begin : begin + 9_000] = np.nan
    after = room.play(5.0)
    assert room.word(Word.REFUSALS) > 0
    assert room.word(Word.HOLDS) > 0
    assert room.word(Word.REWINDS) > 0
    assert room.word(Word.STATE) == State.PLAYING
    assert np.isfinite(after).all()
    assert np.square(after[-BLOCK_FRAMES * 40 :]).mean() > 0.05 * np.square(sound).mean()
    room.check_log(fresh_timeline, room.word(Word.TAKEN_FRAME))
    assert engine_verdict(writer.seen).healthy


def test_a_hop_that_is_refused_however_often_it_is_made_is_left_out(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = room.timeline.step

    def soft(cursor: Cursor, mood: Mood) -> tuple[Cursor, np.ndarray]:
        after, hop = step(cursor, mood)
        return after, hop * np.float32(1e-4 if cursor.hop == 12 else 1.0)

    monkeypatch.setattr(room.timeline, "step", soft)
    room.engine()
    room.play(40.0)
    assert room.word(Word.REFUSALS) > 0
    assert room.word(Word.STATE) == State.PLAYING


def test_a_return_that_is_broken_off_goes_on_with_the_same_hold(room: Room) -> None:
    room.engine()
    room.play(12.0)
    room.kill()
    room.play(8.0)
    room.engine()
    while room.word(Word.STATE) != State.PLAYING:
        room.play(0.011)
    lane = room.word(Word.PLAYING)
    begin = (room.word(Word.READ) + 5_000) % room.ring.shape.lane_frames
    room.ring.lanes[lane, begin : begin + 2_000] = np.nan
    sound = room.play(3.0)
    assert room.word(Word.HOLDS) == 2
    assert clicks(sound, room.timeline.rate) == 0.0


def test_a_model_that_gives_no_sound_is_not_published(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = room.engine()
    room.work()
    step = room.timeline.step

    def broken(cursor: Cursor, mood: Mood) -> tuple[Cursor, np.ndarray]:
        after, hop = step(cursor, mood)
        return after, np.where(np.arange(len(hop))[:, np.newaxis] == 777, np.float32(np.inf), hop)

    monkeypatch.setattr(room.timeline, "step", broken)
    end, switch = room.ring.lane(0).end, room.word(Word.SWITCH)
    writer.move(HIGH)
    with pytest.raises(ModelError, match="not finite"):
        writer.turn()
    assert (room.ring.lane(0).end, room.word(Word.SWITCH)) == (end, switch)
    room.kill()
    room.play(1.5)
    writer = room.engine()
    with pytest.raises(ModelError, match="not finite"):
        writer.turn()
    assert room.ring.lane(0).end == end


def test_the_ring_is_left_when_another_takes_its_place(room: Room) -> None:
    writer = room.engine()
    room.work()
    create(room.folder, 48_000, 2, 6.0)
    with pytest.raises(RingError, match="another ring"):
        writer.turn()


def test_the_ring_is_left_when_another_engine_writes_it(room: Room) -> None:
    writer = room.engine()
    room.work()
    Inlet(open_ring(room.folder, writable=True), room.clock)
    end = room.ring.lane(0).end
    room.kill()
    room.play(2.0)
    with pytest.raises(RingError, match="somebody else"):
        writer.turn()
    assert room.ring.lane(0).end == end


def test_the_ring_is_left_when_somebody_scribbles_on_its_words(room: Room) -> None:
    writer = room.engine()
    room.work()
    room.ring.words[Word.END_0] += BLOCK_FRAMES
    with pytest.raises(RingError, match="somebody else"):
        writer.turn()


# --- what it sees of itself


def healthy(writer: Writer) -> bool:
    return engine_verdict(writer.seen).healthy


def test_it_is_well_while_frames_are_consumed_and_while_no_card_is_there(room: Room) -> None:
    writer = room.engine()
    room.play(3.0)
    assert healthy(writer)
    assert writer.seen.made_age_s <= 1.1
    room.work()
    for _ in range(60):
        room.clock.sleep(1.0)
        room.work()
        assert writer.seen.reserve_full
        assert healthy(writer)


def test_it_is_well_when_hands_move_while_no_card_is_there(room: Room) -> None:
    writer = room.engine()
    room.play(3.0)
    for number in range(60):
        room.clock.sleep(0.5)
        writer.move(Mood(pitch=number / 60.0))
        room.work()
        assert healthy(writer)


def test_it_is_not_well_when_the_sound_is_far_too_soft(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = room.engine()
    room.play(2.0)
    step = room.timeline.step

    def soft(cursor: Cursor, mood: Mood) -> tuple[Cursor, np.ndarray]:
        after, hop = step(cursor, mood)
        return after, hop * np.float32(0.05)

    monkeypatch.setattr(room.timeline, "step", soft)
    room.play(2.0)
    assert writer.seen.shortfall_lu is not None
    assert writer.seen.shortfall_lu > 20.0
    assert healthy(writer)
    room.play(3.0)
    assert not healthy(writer)
    monkeypatch.undo()
    room.play(1.5)
    assert healthy(writer)
