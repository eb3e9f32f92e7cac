"""What was kept or banned is heeded at once, is in the log, and nothing banned is heard for hours."""

import numpy as np
import pytest
from simulated import Room

from appliance.engine.log import read
from appliance.mood import Mood, Place
from appliance.score.taste import NO_TASTE, Spot, Taste

REST = Mood()


@pytest.fixture
def room(tmp_path, make_timeline):
    return Room(tmp_path, make_timeline(with_beds=False))


def nearest(timeline, sounds, taste):
    """How far outside of all banned balls the nearest of some sounds is, in latent units."""
    latents = np.stack([np.frombuffer(sound.latent, dtype=np.float32) for sound in sounds])
    centres = np.stack([spot.place for spot in taste.banned])
    radii = np.array([spot.radius * timeline.space.usual for spot in taste.banned])
    return float((np.linalg.norm(latents[:, np.newaxis].astype(np.float64) - centres, axis=2) - radii).min())


def begins(writer):
    """The frame from which on the log goes: where it fades in, it does not know from what."""
    return read(writer.log_until_now(), "the log").turns[0].frame


def test_what_sounds_is_told_the_loudest_first(room):
    writer = room.engine()
    room.play(3.75)
    cursor = writer.place().cursor
    assert cursor.hop == 3
    after = room.timeline.advance(cursor, REST)
    shares = sorted(after.trail[-1].sounds, key=lambda sound: -sound.share)
    assert writer.sounding() == tuple(sound.latent for sound in shares)
    room.play(0.6)
    # The first half of the next hop is still mostly that clip.
    assert writer.sounding() == tuple(sound.latent for sound in shares)


def test_a_shift_by_hand_can_be_left_out_of_what_sounds(room):
    writer = room.engine(mood=Mood(place=Place(shift=(2.0,))))
    room.play(2.75)
    plain = room.timeline.start(1, Mood(place=Place(shift=(2.0,))))
    for _ in range(3):
        plain = room.timeline.advance(plain, Mood(place=Place(shift=(2.0,))))
    heard = np.frombuffer(writer.sounding()[0], dtype=np.float32)
    without = np.frombuffer(writer.sounding(shifted=False)[0], dtype=np.float32)
    assert np.linalg.norm(heard - without) == pytest.approx(2.0 * room.timeline.space.scale[0], rel=1e-3)


def test_a_ban_is_heard_at_once_and_the_log_begins_anew(room, make_timeline):
    writer = room.engine()
    room.play(3.0)
    writer.move(Mood(wander=0.5))
    room.play(2.0)
    taste = Taste(banned=(Spot(writer.sounding()[0], 0.3),))
    writer.adopt(taste)
    room.play(0.3)
    assert read(writer.log_until_now(), "the log").inputs.taste == taste
    room.play(1.0)
    assert nearest(room.timeline, writer.place().cursor.trail[-1].sounds, taste) >= 0.0
    writer.move(Mood(wander=0.9))
    room.play(3.0)
    fresh = make_timeline(with_beds=False)
    fresh.adopt(taste)
    assert room.check_log(fresh, begins(writer)) == 2
    # As it was before: another log again.
    writer.adopt(NO_TASTE)
    room.play(1.0)
    assert room.check_log(make_timeline(with_beds=False), begins(writer)) == 1


def test_an_engine_that_goes_on_keeps_the_taste_of_its_timeline(room, make_timeline):
    writer = room.engine()
    room.play(3.0)
    taste = Taste(banned=(Spot(writer.sounding()[0], 0.3),))
    writer.adopt(taste)
    room.play(2.0)
    room.kill()
    room.play(1.0)
    room.inputs = read(writer.log_until_now(), "the log").inputs
    room.engine()
    assert room.resumed
    room.play(2.0)
    fresh = make_timeline(with_beds=False)
    fresh.adopt(taste)
    assert room.check_log(fresh) == 1


def test_banned_places_are_absent_from_two_hours(make_timeline):
    """Twelve places that a seed plays, banned, under hands that come back to them; no sound is made."""
    timeline = make_timeline(with_beds=False)
    cursor, heard = timeline.start(7, REST), []
    for hop in range(1300):
        cursor = timeline.advance(cursor, REST)
        if hop % 80 == 50 and cursor.trail[-1].sounds:
            heard.append(max(cursor.trail[-1].sounds, key=lambda sound: sound.share).latent)
    taste = Taste(banned=tuple(Spot(latent, 0.3) for latent in heard[:12]))
    assert len(taste.banned) == 12
    timeline.adopt(taste)
    target = tuple(float(value) for value in timeline.space.whiten(taste.banned[3].place[np.newaxis])[0])
    moods = (REST, Mood(pitch=-1.0), Mood(place=Place(target, 1.0)), Mood(weirdness=1.0, wander=1.0))
    cursor, nearest_yet = timeline.start(7, REST), []
    for hop in range(7200):
        cursor = timeline.advance(cursor, moods[hop // 600 % 4])
        if cursor.trail[-1].sounds:
            nearest_yet.append(nearest(timeline, cursor.trail[-1].sounds, taste))
    assert min(nearest_yet) >= 0.0
