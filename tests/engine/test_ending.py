"""The last piece before the room closes ends just then, and the opening begins with another."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from simulated import Room

from appliance.engine.saved import dump, load
from appliance.mood import Mood
from appliance.score.rest import gain
from appliance.stream.layout import Word
from appliance.stream.porter import Plan
from appliance.stream.reader import Reader

REST = Mood()


def advanced(timeline, cursor, hops, mood=REST):
    cursors = [cursor]
    for _ in range(hops):
        cursors.append(timeline.advance(cursors[-1], mood))
    return cursors


@pytest.fixture(scope="module")
def timeline(make_timeline):
    return make_timeline(with_beds=False)


@pytest.mark.parametrize("until", [200, 333, 620, 1100, 1500])
@pytest.mark.parametrize("pace", [1.0, 1.6])
def test_the_last_piece_ends_where_the_room_closes(timeline, until, pace):
    mood = Mood(pace=pace)
    cursors = advanced(timeline, replace(timeline.start(3, mood), until=until), until + 30, mood)
    last, first = cursors[until - 1], cursors[until]
    assert (last.next, first.next, first.until) == (None, None, None)
    # Its last letter is reached, or nearly so.
    left = len(last.now.piece.pattern) - last.now.phase
    assert abs(left) < 0.25
    assert (first.now.phase, first.now.piece.number) == (0.0, last.now.piece.number + 1)
    # It rests three seconds before and after, and has just fallen silent and begins to rise.
    assert [round(gain(cursors[until + at].rest), 2) for at in (-10, -3, 0, 3, 9)] == [1.0, 0.0, 0.0, 0.0, 1.0]
    # No piece is hurried more than a hand could.
    for before, after in pairwise(cursors[:until]):
        if after.now.piece == before.now.piece:
            speed = (after.now.phase - before.now.phase) * before.now.piece.letter_s / pace
            assert 0.24 < speed < 4.01


def test_music_that_knows_of_no_end_is_as_it_was(timeline):
    plain = timeline.start(3, REST)
    far = advanced(timeline, replace(plain, until=4000), 900)
    for one, other in zip(far, advanced(timeline, plain, 900), strict=True):
        assert replace(one, until=None) == other


def test_an_end_that_is_learned_late_is_kept_as_well_as_can_be(timeline):
    cursor = advanced(timeline, timeline.start(3, REST), 60)[-1]
    for ahead in (1, 2, 5, 20):
        cursors = advanced(timeline, replace(cursor, until=cursor.hop + ahead), 40)
        assert cursors[ahead - 1].now.piece.number == 0
        assert (cursors[ahead].now.piece.number, cursors[ahead].until) == (1, None)


def test_step_stays_pure_and_the_place_is_saved(timeline, make_timeline):
    cursors = advanced(timeline, replace(timeline.start(3, REST), until=120), 130)
    fresh = make_timeline(with_beds=False)
    for hop in (100, 111, 118, 119, 120, 125):
        saved = load(dump(cursors[hop], REST, 0)).cursor
        assert saved == cursors[hop]
        after, sound = fresh.step(saved, REST)
        assert after == cursors[hop + 1]
        assert np.array_equal(sound, timeline.step(cursors[hop], REST)[1])


class Closing:
    """A room whose player knows when it closes and opens."""

    def __init__(self, folder: Path, timeline, closes_s: float, opens_s: float, wake_s: float = 40.0) -> None:
        self.room = Room(folder, timeline, keep_s=5.0)
        self.closes_s, self.opens_s, self.wake_s = closes_s, opens_s, wake_s
        self.room.reader = Reader(self.room.ring, self.room.card, lambda: None, self.room.clock, self.plan)

    def plan(self) -> Plan:
        now_s = self.room.clock.ns * 1e-9
        if now_s < self.closes_s:
            return Plan(closes_s=self.closes_s, wake_s=self.wake_s)
        return Plan(opens_s=self.opens_s, wake_s=self.wake_s)

    def until(self, moment_s: float) -> None:
        self.room.play(moment_s - self.room.clock.ns * 1e-9)


@pytest.mark.parametrize("killed", [False, True])
def test_the_engine_follows_the_player_through_a_night(timeline, tmp_path, killed):
    closing = Closing(tmp_path, timeline, closes_s=151.0, opens_s=300.0)
    room = closing.room
    room.engine(seed=3)
    closing.until(100.0)
    heard = room.writer.place().cursor
    assert (heard.now.piece.number, heard.until is not None) == (0, True)
    assert room.word(Word.REWINDS) == 1
    closing.until(151.0)
    assert room.writer.place().cursor.now.piece.number in (0, 1)
    closing.until(160.0)
    read = room.word(Word.READ)
    if killed:
        room.kill()
        room.engine(seed=4)
        assert room.resumed
    closing.until(250.0)
    # It stands still, and all is ready.
    assert room.word(Word.READ) == read
    assert room.fill_s > 4.0
    assert not room.writer.turning
    waking = room.writer.place().cursor
    assert waking.now.piece.number == 1
    closing.until(299.0)
    assert room.writer.place().cursor.now.piece.number == 1
    closing.until(302.0)
    assert room.writer.place().cursor.now.piece.number == 2
    assert room.writer.place().cursor.until is None
    closing.until(330.0)
    assert room.word(Word.HOLDS) == room.word(Word.UNDERRUNS) == 0
    assert np.abs(room.card.frames[-48_000:]).max() > 0.01


def test_what_was_heard_around_a_closing_can_be_made_again(timeline, tmp_path):
    closing = Closing(tmp_path, timeline, closes_s=31.0, opens_s=60.0, wake_s=12.0)
    closing.room.engine(seed=3)
    closing.until(40.0)
    closing.room.check_log(timeline)
    closing.until(62.0)
    assert closing.room.writer.place().cursor.now.piece.number == 2
    closing.room.check_log(timeline)
