"""From one model to another: a glide in colour, with no hole, no click and no jump in level, from any place at all."""

from dataclasses import replace

import numpy as np
import pytest
from simulated import Room

from appliance.engine.cursor import Passage
from appliance.engine.instrument import Instrument
from appliance.engine.log import read
from appliance.engine.saved import MOST_BYTES, dump, load
from appliance.engine.writer import Change
from appliance.model.bundle import read as read_bundle
from appliance.model.library import find
from appliance.mood import Mood, Place
from appliance.score.piece import FIGURES
from appliance.score.taste import Spot, Taste
from appliance.score.territory import WIDE
from appliance.stream.layout import BLOCK_FRAMES, Word
from appliance.stream.state import State

REST = Mood()
HIGH = Mood(pitch=1.0)
HOPS = 8


@pytest.fixture(scope="module")
def bundles():
    return {name: read_bundle(find(name)) for name in ("glass", "choir")}


@pytest.fixture
def glass(bundles):
    return Instrument(bundles["glass"], WIDE)


@pytest.fixture
def timeline(make_timeline):
    return make_timeline(with_beds=False)


@pytest.fixture
def room(tmp_path, timeline):
    return Room(tmp_path, timeline)


def change_to(instrument, seed=1, number=1, mood=REST, fade_s=8.0):
    return Change(instrument, instrument.composer.compose(seed, number, mood), mood, fade_s)


def walked(timeline, seed, hops, mood=REST):
    cursor = timeline.start(seed, mood)
    for _ in range(hops):
        cursor = timeline.advance(cursor, mood)
    return cursor


def level_db(sound):
    return 10.0 * np.log10(np.mean(np.square(sound, dtype=np.float64)))


def test_the_new_model_comes_as_the_old_one_goes(timeline, glass):
    cursor, was = walked(timeline, 5, 20), timeline.model
    timeline.bring(glass)
    assert timeline.model == glass.model
    cursor = timeline.change(cursor, glass.composer.compose(5, 1, REST), REST, HOPS)
    shares = []
    while cursor.leaving is not None:
        cursor = timeline.advance(cursor, REST)
        frame = cursor.trail[-1]
        assert (frame.strand.model, frame.leaving.model) == (glass.model, was)
        shares.append(sum(sound.share for sound in frame.sounds) / frame.share)
    assert len(shares) == HOPS
    assert shares == sorted(shares)
    assert shares[0] < 0.1
    assert shares[-1] > 0.9
    assert cursor.models == {glass.model, was}
    cursor = timeline.advance(timeline.advance(cursor, REST), REST)
    assert cursor.models == {glass.model}
    timeline.drop({was})
    timeline.step(cursor, REST)
    with pytest.raises(ValueError, match="another model"):
        timeline.step(replace(cursor, model=was), REST)


def test_it_begins_as_loud_as_what_it_follows(timeline, glass):
    """Wherever in a piece, but for the second voices that come and go."""
    was = timeline.instrument
    apart_lu = []
    for seed in range(12):
        timeline.bring(was)
        cursor = walked(timeline, seed, 15 + 9 * seed)
        while cursor.trail[-1].share < 0.3:
            cursor = timeline.advance(cursor, REST)
        timeline.bring(glass)
        quiet = Mood(density=-1.0)
        changed = timeline.change(cursor, glass.composer.compose(seed, 7, REST), REST, HOPS)
        stays = timeline._frame(replace(cursor, leaving=None), quiet, 1.0).share
        comes = timeline._frame(replace(changed, leaving=None), quiet, 1.0).share
        apart_lu.append(10.0 * np.log10(comes / stays))
    assert np.abs(apart_lu).max() < 3.0
    assert np.median(np.abs(apart_lu)) < 1.5


def test_no_way_leads_from_a_third_model_or_to_the_same(timeline, bundles, glass):
    cursor = walked(timeline, 5, 3)
    piece = glass.composer.compose(5, 1, REST)
    with pytest.raises(ValueError, match="no way"):
        timeline.change(cursor, piece, REST, HOPS)
    timeline.bring(glass)
    changed = timeline.change(cursor, piece, REST, HOPS)
    timeline.bring(Instrument(bundles["choir"], WIDE))
    with pytest.raises(ValueError, match="no way"):
        timeline.change(changed, piece, REST, HOPS)


def test_a_step_amid_a_change_follows_from_its_cursor_alone(timeline, make_timeline, glass, bundles):
    cursor = walked(timeline, 5, 12)
    timeline.bring(glass)
    cursor = timeline.change(cursor, glass.composer.compose(5, 1, REST), REST, HOPS)
    other = make_timeline(with_beds=False)
    other.bring(Instrument(bundles["glass"], WIDE))
    mood = Mood(pitch=0.5, weirdness=0.5, density=1.0)
    for hop in range(HOPS + 4):
        saved = load(dump(cursor, mood, 0))
        assert saved.cursor == cursor
        if hop in (0, 1, 4, HOPS, HOPS + 2):
            after, sound = timeline.step(cursor, mood)
            assert timeline.advance(cursor, mood) == after
            again, same = other.step(saved.cursor, saved.mood)
            assert again == after
            np.testing.assert_array_equal(same, sound)
        cursor = timeline.advance(cursor, mood)


def test_the_largest_place_there_can_be_is_taken(timeline, glass):
    """A hand-over gives way to a hand-over, and all figures of all four pieces sound."""
    place = Place((-10 / 3,) * 32, 1 / 3, (-10 / 7,) * 8)
    crowded = Mood(pitch=1 / 3, density=1.0, wander=0.9, nature=1 / 7, pace=1 / 3, place=place)
    cursor = timeline.hasten(walked(timeline, 2**63 - 1, 5, crowded), crowded)
    cursor = crowd(timeline, cursor, crowded)
    timeline.bring(glass)
    cursor = timeline.change(cursor, glass.composer.compose(5, 1, REST), crowded, HOPS)
    cursor = crowd(timeline, timeline.hasten(cursor, crowded), crowded)
    left = cursor.leaving
    cursor = replace(cursor, leaving=replace(left, cursor=crowd(timeline, left.cursor, crowded)))
    for _ in range(2):
        cursor = timeline.advance(cursor, crowded)
    assert [len(strand.sounds) for strand in cursor.trail[-1].strands] == [2 * (2 + FIGURES)] * 2
    data = dump(cursor, crowded, -(1 << 47))
    assert len(data) < 0.9 * MOST_BYTES
    assert load(data).cursor == cursor


def crowd(timeline, cursor, mood):
    return replace(cursor, now=full(cursor.now, mood), next=full(cursor.next, mood), mood=mood)


def full(passage, mood):
    """The piece where all that it has sounds at once, with a long pattern and a rest in each part."""
    piece, phase = passage.piece, 1.5 + 1 / 7
    cycles = tuple((79.0, (-phase * piece.letter_s) % 79.0 + 1.0 + 1 / 7, 1 / 7) for _ in range(FIGURES))
    rests = tuple((at + 2 / 3, 20 / 3) for at in (9, 13, 17))
    return Passage(replace(piece, pattern="ABABABCDCDABABABEE", cycles=cycles, rests=rests), phase, under=mood)


def test_it_is_heard_in_the_room_and_the_old_model_is_let_go(room, timeline, glass):
    writer, was = room.engine(), timeline.model
    room.play(8.0)
    writer.change(change_to(glass))
    assert writer.changing
    with pytest.raises(ValueError, match="one model after the other"):
        writer.change(change_to(glass))
    sound = room.play(30.0)
    assert not writer.changing
    assert timeline.models == {glass.model}
    assert writer.place().cursor.model == glass.model != was
    assert room.word(Word.UNDERRUNS) == room.word(Word.HOLDS) == 0
    assert room.word(Word.STATE) == State.PLAYING
    rate = timeline.rate
    seconds = [level_db(sound[at : at + rate]) for at in range(0, len(sound) - rate, rate // 4)]
    assert min(seconds) > -40.0
    assert np.abs(np.diff(sound, axis=0)).max() < 0.3


def test_the_log_goes_on_where_only_one_model_is_heard(room, timeline, make_timeline, bundles, glass):
    writer = room.engine()
    room.play(5.0)
    taste = Taste(banned=(Spot(glass.space.atlas[7].tobytes(), 0.3),))
    glass.adopt(taste)
    writer.change(change_to(glass))
    room.play(4.0)
    writer.move(HIGH)
    room.play(2.0)
    with pytest.raises(ValueError, match="without a turn"):
        writer.log_until_now()
    room.play(10.0)
    writer.move(REST)
    room.play(4.0)
    log = read(writer.log_until_now(), "the log")
    assert (log.inputs.model, log.inputs.taste) == (glass.model, taste)
    fresh = make_timeline(with_beds=False)
    fresh.bring(Instrument(bundles["glass"], WIDE))
    fresh.adopt(taste)
    assert room.check_log(fresh) == 2


def test_hands_are_heard_amid_a_change(room, glass):
    writer = room.engine()
    room.play(5.0)
    writer.change(change_to(glass))
    moods = [Mood(pitch=share) for share in np.linspace(-1.0, 1.0, 9)]

    def turn(block):
        if block % 60 == 0:
            writer.move(moods[block // 60 % 9])

    sound = room.play(12.0, turn)
    room.play(25.0)
    assert not writer.changing
    assert room.word(Word.REWINDS) > 8
    assert np.isfinite(sound).all()
    assert room.word(Word.UNDERRUNS) == 0


def test_a_player_that_falls_back_to_the_old_lane_is_led_over_again(room, timeline, glass):
    writer = room.engine()
    room.play(5.0)
    old = room.word(Word.PLAYING)
    writer.change(change_to(glass))
    room.work(1)
    # Nobody goes on filling the new lane.
    for _ in range(round(1.5 * timeline.rate / BLOCK_FRAMES)):
        room.reader.turn()
    assert (room.word(Word.REWINDS), room.word(Word.PLAYING)) == (1, old)
    room.play(20.0)
    assert room.word(Word.REWINDS) == 2
    assert writer.place().cursor.model == glass.model
    room.play(10.0)
    assert not writer.changing


def test_another_engine_goes_on_after_the_change(room, timeline, bundles, glass, make_timeline):
    writer = room.engine()
    room.play(5.0)
    writer.change(change_to(glass))
    room.play(30.0)
    room.kill()
    room.play(1.0)
    room.timeline = make_timeline(with_beds=False)
    room.timeline.bring(Instrument(bundles["glass"], WIDE))
    room.timeline.drop(room.timeline.models)
    room.engine()
    assert room.resumed
    room.play(3.0)
    assert room.word(Word.UNDERRUNS) == room.word(Word.HOLDS) == 0


def test_an_engine_that_lost_the_new_model_begins_over_what_sounds(room, make_timeline, glass):
    writer = room.engine()
    room.play(5.0)
    writer.change(change_to(glass))
    room.play(3.0)
    room.kill()
    room.play(0.5)
    room.timeline = make_timeline(with_beds=False)
    room.engine()
    assert not room.resumed
    sound = room.play(6.0)
    rate = room.timeline.rate
    assert min(level_db(sound[at : at + rate // 5]) for at in range(0, len(sound) - rate // 5, rate // 10)) > -40.0
    assert room.word(Word.UNDERRUNS) == room.word(Word.HOLDS) == 0


@pytest.mark.parametrize("killed_s", [0.3, 1.0, 2.5, 5.0, 8.0, 9.5, 12.0])
@pytest.mark.parametrize("reserve_s", [6.0, 20.0])
def test_a_kill_at_any_instant_of_a_change_is_gone_on_from(
    tmp_path, timeline, make_timeline, bundles, glass, killed_s, reserve_s
):
    """By an engine that has the new model alone."""
    room = Room(tmp_path, timeline, reserve_s)
    writer = room.engine()
    room.play(5.0)
    writer.change(change_to(glass))
    before = room.play(killed_s)
    room.kill()
    room.play(0.5)
    room.timeline = make_timeline(with_beds=False)
    room.timeline.bring(Instrument(bundles["glass"], WIDE))
    room.timeline.drop({timeline.model})
    writer = room.engine()
    assert room.resumed or reserve_s < 20.0 or killed_s < 1.0
    sound = np.concatenate([before[-24_000:], room.play(1.0)])
    writer.move(HIGH)
    sound = np.concatenate([sound, room.play(25.0)])
    assert room.word(Word.UNDERRUNS) == room.word(Word.HOLDS) == 0
    rate = timeline.rate
    assert min(level_db(sound[at : at + rate // 5]) for at in range(0, len(sound) - rate // 5, rate // 10)) > -45.0
    fresh = make_timeline(with_beds=False)
    fresh.bring(Instrument(bundles["glass"], WIDE))
    first = read(writer.log_until_now(), "the log").turns[0]
    assert room.check_log(fresh, first.frame) >= 1
