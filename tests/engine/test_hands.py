"""What hands do at once beside moving the music through the timbre space: to the weather, the coil and the colour."""

from dataclasses import replace

import numpy as np
import pytest

from appliance.engine.saved import dump, load
from appliance.mood import Mood
from appliance.score.colour import PLAIN
from appliance.score.rest import FADE_S, Rest
from appliance.synth.loudness import loop_lufs

RATE = 48_000
REST = Mood()


def weather(timeline, mood, hops=6):
    """The beds alone, for the music rests."""
    cursor = replace(timeline.start(7, mood), rest=Rest(FADE_S, 60.0))
    sound = []
    for _ in range(hops):
        cursor, hop = timeline.step(cursor, mood)
        sound.append(hop)
    return np.concatenate(sound)


@pytest.fixture(scope="module")
def timeline(make_timeline):
    return make_timeline()


def test_without_width_all_channels_are_alike(make_timeline):
    for channels in (2, 4):
        timeline = make_timeline(with_beds=channels == 2, channels=channels)
        cursor, mood = timeline.start(7, Mood(width=0.0)), Mood(width=0.0)
        for _ in range(4):
            cursor, hop = timeline.step(cursor, mood)
        assert np.ptp(hop, axis=1).max() < 1e-5


def test_width_narrows_the_weather_too_but_never_widens_it(timeline):
    sides = [float(np.diff(weather(timeline, Mood(width=width)), axis=1).std()) for width in (0.0, 0.35, 0.7, 1.0)]
    assert sides[0] < 1e-6
    assert sides[1] == pytest.approx(sides[2] / 2.0, rel=1e-3)
    assert sides[3] == sides[2]


def test_the_weather_follows_nature_and_level(timeline):
    rest, loud, soft = (loop_lufs(weather(timeline, mood), RATE) for mood in (REST, Mood(nature=1.0), Mood(level=-1.0)))
    assert loud - rest == pytest.approx(9.0, abs=0.5)
    assert soft - rest == pytest.approx(-3.0, abs=0.2)


def test_a_hand_on_the_pace_winds_the_coil_on_while_it_turns(timeline):
    cursor, wound = timeline.start(7, REST), []
    for hop in range(20):
        cursor = timeline.advance(cursor, Mood(pace=4.0) if hop > 2 else REST)
        wound.append(cursor.now.wound)
    assert wound[2] == 0.0
    assert wound[3] > 0.3
    assert wound[-1] == pytest.approx(0.44, abs=0.01)
    assert wound[-1] == wound[-2]
    assert load(dump(cursor, REST, 0)).cursor == cursor


def test_a_frame_knows_its_colour(timeline):
    cursor = timeline.start(7, REST)
    assert timeline.advance(cursor, REST).trail[-1].strand.colour == PLAIN
    turned = timeline.advance(cursor, Mood(consonance=1.0, weirdness=-1.0))
    colour = turned.trail[-1].strand.colour
    assert (colour.consonance, colour.weirdness) == (turned.mood.consonance, turned.mood.weirdness)
    assert colour.tonic == cursor.now.piece.tonic
    assert load(dump(turned, REST, 0)).cursor == turned


def test_loudness_is_what_the_score_wants_whatever_the_colour(make_timeline):
    timeline = make_timeline(with_beds=False)
    for mood in (Mood(tonality=1.0), Mood(consonance=-1.0), Mood(weirdness=1.0), Mood(density=-1.0), Mood(level=1.0)):
        cursor = timeline.start(9, mood)
        for hop in range(30):
            cursor, sound = timeline.step(cursor, mood)
            wanted = timeline.expected_lufs(cursor)
            if hop and wanted > -100.0:
                assert loop_lufs(sound, RATE) == pytest.approx(wanted, abs=3.5)
