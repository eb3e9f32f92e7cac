import dataclasses
from itertools import combinations

import numpy as np
import pytest

from appliance.mood import Mood
from appliance.spectrum.codec import analyse, decibels
from appliance.synth.loudness import loop_lufs

RATE = 48_000
REST = Mood()
REST_LUFS = -120.0


def play(timeline, cursor, hops, mood=REST):
    """Cursors before each hop and the one after the last, and the sound."""
    cursors, sound = [cursor], []
    for _ in range(hops):
        cursor, hop = timeline.step(cursor, mood)
        cursors.append(cursor)
        sound.append(hop)
    return cursors, np.concatenate(sound)


@pytest.fixture(scope="module")
def minutes(make_timeline):
    """Four minutes of the engine with beds."""
    timeline = make_timeline()
    return timeline, *play(timeline, timeline.start(7, REST), 240)


def test_step_is_a_pure_function(minutes, make_timeline):
    """From any cursor, on an engine that never played before, the same hop comes, bit for bit."""
    timeline, cursors, sound = minutes
    fresh = make_timeline()
    for hop in (0, 1, 2, 3, 60, 61, 113, 200, 239):
        after, block = fresh.step(cursors[hop], REST)
        assert after == cursors[hop + 1]
        assert np.array_equal(block, sound[hop * timeline.hop_frames : (hop + 1) * timeline.hop_frames])


def test_rewinding_on_the_same_engine_changes_nothing(minutes):
    timeline, cursors, sound = minutes
    for hop in (100, 40, 41, 40, 99):
        _, block = timeline.step(cursors[hop], REST)
        assert np.array_equal(block, sound[hop * timeline.hop_frames : (hop + 1) * timeline.hop_frames])


def test_a_turn_that_was_taken_back_leaves_no_trace(minutes):
    timeline, cursors, sound = minutes
    _, other = timeline.step(cursors[50], Mood(pitch=1.0, nature=0.0))
    _, block = timeline.step(cursors[50], REST)
    assert np.array_equal(block, sound[50 * timeline.hop_frames : 51 * timeline.hop_frames])
    assert not np.array_equal(other, block)


def test_step_is_pure_while_hands_move(make_timeline):
    """Every hop under another mood, as from a knob that is being turned; then some of them again, elsewhere."""
    rng = np.random.default_rng(5)
    moods = [Mood(pitch=rng.uniform(-1, 1), nature=rng.uniform(0, 1), width=rng.uniform(0, 1)) for _ in range(24)]
    timeline, fresh = make_timeline(), make_timeline()
    cursors, sound = [timeline.start(9, REST)], []
    for mood in moods:
        after, hop = timeline.step(cursors[-1], mood)
        cursors.append(after)
        sound.append(hop)
    for hop in (0, 7, 8, 23):
        after, block = fresh.step(cursors[hop], moods[hop])
        assert after == cursors[hop + 1]
        assert np.array_equal(block, sound[hop])


def test_a_failure_on_the_way_leaves_no_trace(minutes, monkeypatch):
    timeline, cursors, sound = minutes
    timeline.step(cursors[70], REST)

    def fail(*_):
        raise RuntimeError("a bed broke")

    with monkeypatch.context() as broken:
        broken.setattr(timeline.beds, "render", fail)
        with pytest.raises(RuntimeError, match="a bed broke"):
            timeline.step(cursors[71], REST)
    _, block = timeline.step(cursors[71], REST)
    assert np.array_equal(block, sound[71 * timeline.hop_frames : 72 * timeline.hop_frames])


def test_a_cursor_of_another_model_is_refused(minutes):
    timeline, cursors, _ = minutes
    with pytest.raises(ValueError, match="another model"):
        timeline.step(dataclasses.replace(cursors[3], model="other"), REST)


def test_advance_gives_the_cursor_that_step_gives(minutes, make_timeline):
    _, cursors, _ = minutes
    timeline = make_timeline()
    cursor = cursors[0]
    for hop in range(240):
        cursor = timeline.advance(cursor, REST)
        assert cursor == cursors[hop + 1]


def test_a_cursor_is_a_small_plain_value(minutes):
    cursor = minutes[1][200]
    assert len(repr(cursor)) < 60_000
    assert hash(cursor) == hash(dataclasses.replace(cursor))


def test_the_sound_is_whole(minutes):
    _, _, sound = minutes
    assert sound.dtype == np.float32
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() < 10 ** (-1 / 20)


def test_other_seeds_give_other_music(make_timeline):
    timeline = make_timeline(with_beds=False)
    spectra = [
        np.mean(
            [decibels(analyse(hop, RATE)) for hop in np.split(play(timeline, timeline.start(seed, REST), 20)[1], 20)],
            axis=0,
        )
        for seed in range(4)
    ]
    apart = [np.sqrt(np.mean((one - other) ** 2)) for one, other in combinations(spectra, 2)]
    assert min(apart) > 3.0


def test_pieces_follow_each_other_and_overlap(make_timeline):
    timeline = make_timeline(with_beds=False)
    fast = Mood(pace=4.0)
    cursor, numbers, overlapped = timeline.start(5, fast), [], 0
    for _ in range(600):
        cursor = timeline.advance(cursor, fast)
        numbers.append(cursor.now.piece.number)
        overlapped += cursor.next is not None
    assert numbers == sorted(numbers)
    assert numbers[-1] >= 5
    assert overlapped >= 13 * numbers[-1]


def test_beginning_with_a_later_piece_is_the_piece_that_would_have_come(make_timeline):
    timeline = make_timeline(with_beds=False)
    cursor = timeline.start(5, REST)
    while cursor.now.piece.number < 2:
        cursor = timeline.advance(cursor, REST)
    assert timeline.start(5, REST, number=2).now.piece == cursor.now.piece


def test_a_turned_knob_is_heard_in_the_next_hop_and_glides(make_timeline):
    timeline = make_timeline(with_beds=False)
    cursors, _ = play(timeline, timeline.start(3, REST), 5)
    after, turned = timeline.step(cursors[5], Mood(pitch=1.0))
    _, unturned = timeline.step(cursors[5], REST)
    assert 0.5 < after.mood.pitch < 0.9
    tail = slice(timeline.hop_frames // 2, None)
    assert np.abs(turned[tail] - unturned[tail]).max() > 0.01


def test_nature_moves_the_beds_alone(make_timeline):
    timeline = make_timeline()
    silent = Mood(nature=0.0)
    bare = make_timeline(with_beds=False)
    without = play(bare, bare.start(7, silent), 6, silent)[1]
    assert np.array_equal(play(timeline, timeline.start(7, silent), 6, silent)[1], without)
    loud = Mood(nature=1.0)
    assert np.abs(play(timeline, timeline.start(7, loud), 6, loud)[1] - without).max() > 0.01


@pytest.mark.parametrize(("rate", "channels"), [(44_100, 2), (22_050, 1), (48_000, 4)])
def test_other_rates_and_channels(make_timeline, rate, channels):
    timeline = make_timeline(with_beds=False, rate=rate, channels=channels)
    _, sound = play(timeline, timeline.start(7, REST), 4)
    assert sound.shape == (4 * timeline.hop_frames, channels)
    assert np.isfinite(sound).all()
    assert sound[timeline.hop_frames :].std() > 0.01


def loudness(timeline, cursors, sound):
    """Of each hop but the first, as expected and as it is."""
    hops = sound.reshape(len(cursors) - 1, timeline.hop_frames, 2)
    expected = [timeline.expected_lufs(cursor) for cursor in cursors[2:]]
    return np.array(expected), np.array([loop_lufs(hop, RATE) for hop in hops[1:]])


@pytest.fixture(scope="module")
def bare(make_timeline):
    """Four minutes of the engine without beds."""
    timeline = make_timeline(with_beds=False)
    return timeline, *play(timeline, timeline.start(7, REST, number=5), 240)


def test_a_hop_is_as_loud_as_the_score_wants(bare):
    expected, measured = loudness(*bare)
    sounding = expected > REST_LUFS
    strays_lu = np.abs(measured - expected)[sounding]
    assert strays_lu.max() < 3.0
    assert strays_lu.mean() < 0.7
    # It swells, comes and goes, and that is wanted.
    assert np.ptp(expected[sounding]) > 3.0


def test_beds_only_add_to_what_the_score_wants(minutes):
    expected, measured = loudness(*minutes)
    assert (measured - expected).min() > -3.0
    loud = expected > -23.0
    assert loud.sum() > 60
    assert np.abs(measured - expected)[loud].max() < 3.0


def test_a_rest_is_told_where_there_is_one_and_nowhere_else(bare):
    """The player takes silence that nobody announced for a fault."""
    _, cursors, _ = bare
    expected, measured = loudness(*bare)
    resting = expected == REST_LUFS
    assert 3 <= resting.sum() <= 20
    # In one stretch, with silence in its middle and music all around.
    assert np.ptp(np.flatnonzero(resting)) == resting.sum() - 1
    assert measured[resting].min() < -100.0
    assert measured[resting].max() < -33.0
    assert measured[~resting].min() > -45.0
    assert [not cursor.trail[-1].sounds for cursor in cursors[2:]].count(True) >= 3


def test_silence_in_a_rest_is_shorter_than_the_player_bears(bare):
    _, _, sound = bare
    silent = np.flatnonzero(np.abs(sound).max(axis=1) > 0.0)
    assert 3.0 < np.diff(silent).max() / RATE < 10.0


def test_a_rest_comes_every_five_minutes(make_timeline):
    """Over four hours of plans, none is left out for the one before it."""
    timeline = make_timeline(with_beds=False)
    cursor, resting = timeline.start(7, REST), []
    for _ in range(4 * 3600):
        cursor = timeline.advance(cursor, REST)
        resting.append(not cursor.trail[-1].sounds)
    at = np.flatnonzero(resting)
    without = np.diff(at)[np.diff(at) > 1]
    assert len(without) > 60
    assert without.max() <= 300
    assert without.min() >= 45


@pytest.mark.parametrize("pace", [(0.25, 4.0), (1.0, 4.0), (4.0, 0.25), (0.5, 2.0)])
def test_a_hand_on_the_pace_drags_no_rest_back(make_timeline, pace):
    """Turned around a rest it neither makes it longer than it began nor brings it again."""
    timeline = make_timeline(with_beds=False)
    slow, quick = (Mood(pace=each, density=-1.0) for each in pace)
    cursor = timeline.start(7, slow)
    while cursor.trail[-1:] == () or cursor.trail[-1].sounds:
        cursor = timeline.advance(cursor, slow)
    for wait in (0, 3, 8, 11, 14, 20):
        here, shares = cursor, []
        for hop in range(60):
            here = timeline.advance(here, slow if hop < wait else quick)
            shares.append(here.trail[-1].share)
        silent = np.flatnonzero(np.array(shares) == 0.0)
        assert len(silent) < 9
        assert (np.diff(silent) == 1).all()
        assert min(shares[30:]) > 0.1


@pytest.mark.parametrize("number", range(3))
def test_hours_are_levelled_by_what_the_score_plans(make_timeline, number):
    """Over half an hour of plans the power wanted is that of the target."""
    timeline = make_timeline(with_beds=False)
    cursor, power = timeline.start(7 + number, REST, number=6 * number), []
    for _ in range(3600):
        cursor = timeline.advance(cursor, REST)
        power.append(sum(frame.share for frame in cursor.trail) / 2.0)
    assert 10.0 * np.log10(np.mean(power)) == pytest.approx(0.0, abs=1.0)


def test_the_next_piece_can_be_hastened(minutes):
    timeline, cursors, _ = minutes
    hastened = timeline.hasten(cursors[5], REST)
    assert hastened.next.piece.number == 1
    assert hastened.now == cursors[5].now
    assert timeline.hasten(hastened, REST) == hastened
    later, _ = play(timeline, hastened, timeline.handover_hops)
    assert later[-1].now.piece == hastened.next.piece
    assert later[-1].next is None
