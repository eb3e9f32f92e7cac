"""Beds drift to their likes, leave no seam and never repeat; a cursor alone says what sounds."""

import itertools
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.spectrum.codec import analyse
from appliance.synth.beds import Bed, Beds
from appliance.synth.loudness import Meter

RATE = 8_000
HOP = RATE
LUFS = -36.0


def noise_bed(name, seed, seconds=17.3, level_db=-40.0, colour=0.0, rate=RATE):
    """Periodic noise whose level falls with frequency by ``colour``."""
    rng = np.random.default_rng(seed)
    frames = round(seconds * rate)
    lines = rng.standard_normal((frames // 2 + 1, 2)) + 1j * rng.standard_normal((frames // 2 + 1, 2))
    lines *= np.maximum(np.fft.rfftfreq(frames, 1.0 / rate), 50.0)[:, np.newaxis] ** colour
    loop = np.fft.irfft(lines, frames, axis=0)
    loop = (loop * 10.0 ** (level_db / 20.0) / loop.std()).astype(np.float32)
    return Bed(name, loop, analyse(loop[: 2 * rate], rate), LUFS)


def shaped_bed(name, spectrum, frames=4 * HOP):
    return Bed(name, np.zeros((frames, 1), dtype=np.float32), np.asarray(spectrum, dtype=np.float32), LUFS)


def cursors(beds, seed, count):
    cursor = beds.first(seed)
    for _ in range(count):
        yield cursor
        cursor = beds.advance(seed, cursor)


def played(beds, seed, count):
    return np.concatenate([beds.render(seed, cursor) for cursor in cursors(beds, seed, count)])


@pytest.fixture(scope="module")
def four():
    return Beds([noise_bed(str(n), n, 17.3 + n, colour=-0.2 * n) for n in range(4)], HOP, RATE)


def test_a_cursor_is_a_small_value_that_says_all(four):
    reached = list(cursors(four, 7, 200))
    assert reached == list(cursors(four, 7, 200))
    assert all(isinstance(value, int) for value in asdict(reached[-1]).values())
    late = reached[150]
    hop = four.render(7, late)
    assert hop.dtype == np.float32
    assert hop.shape == (HOP, 2)
    fresh = Beds([noise_bed(str(n), n, 17.3 + n, colour=-0.2 * n) for n in range(4)], HOP, RATE)
    assert fresh.render(7, late).tobytes() == hop.tobytes()
    assert four.render(7, late).tobytes() == hop.tobytes()


def test_another_seed_is_another_night(four):
    here = [(c.bed, c.place) for c in cursors(four, 1, 60)]
    there = [(c.bed, c.place) for c in cursors(four, 2, 60)]
    assert not set(here) & set(there)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**63), count=st.integers(1, 6), loop_s=st.floats(1.0, 60.0))
def test_every_cursor_can_be_played(seed, count, loop_s):
    beds = Beds([shaped_bed(str(n), np.full(1233, 0.1 * n), round(loop_s * HOP)) for n in range(count)], HOP, RATE)
    for cursor in cursors(beds, seed, 300):
        assert 0 <= cursor.bed < count
        assert 0 <= cursor.next_bed < count
        assert 0 <= cursor.place < round(loop_s * HOP)
        assert 0 <= cursor.next_place < round(loop_s * HOP)
        assert cursor.left > 0 or 0 <= cursor.faded < cursor.fade
    assert beds.render(seed, cursor).shape == (HOP, 1)


def test_a_bed_stays_a_minute_or_two_and_gives_way_slowly(four):
    changes = [
        later.hop
        for earlier, later in itertools.pairwise(cursors(four, 3, 3_000))
        if later.bed != earlier.bed and later.segment == earlier.segment + 1
    ]
    stays = np.diff(changes)
    assert stays.min() > 50
    assert stays.max() < 150
    moving = [c for c in cursors(four, 3, 3_000) if c.left == 0 and c.bed != c.next_bed]
    assert {c.fade for c in moving} == {20}


def test_drifts_to_near_neighbours():
    # Seven beds on a line: only the three nearest may follow.
    spots = [0.0, 0.05, 0.1, 0.2, 0.35, 0.6, 0.62]
    beds = Beds([shaped_bed(str(n), np.full(1233, spot)) for n, spot in enumerate(spots)], HOP, RATE)
    steps = {(c.bed, c.next_bed) for c in cursors(beds, 5, 20_000) if c.next_bed != c.bed}
    assert len(steps) > 12
    for here, there in steps:
        nearer = sum(abs(spot - spots[here]) < abs(spots[there] - spots[here]) - 1e-9 for spot in spots) - 1
        assert nearer < 3
    assert {here for here, _ in steps} == set(range(7))


def test_no_group_of_beds_is_a_prison():
    spots = [0.1, 0.11, 0.12, 0.13, 0.8, 0.81, 0.82, 0.83]
    beds = Beds([shaped_bed(str(n), np.full(1233, spot)) for n, spot in enumerate(spots)], HOP, RATE)
    assert {c.bed for c in cursors(beds, 1, 20_000)} == set(range(8))


def test_does_not_go_straight_back(four):
    order = [bed for bed, _ in itertools.groupby(c.bed for c in cursors(four, 9, 5_000))]
    assert len(order) > 30
    assert all(order[n] != order[n + 2] for n in range(len(order) - 2))


def test_one_bed_and_two_beds_go_on():
    one = Beds([noise_bed("wind", 1)], HOP, RATE)
    assert {c.next_bed for c in cursors(one, 1, 300)} == {0}
    two = Beds([noise_bed("wind", 1), noise_bed("rain", 2)], HOP, RATE)
    assert {c.bed for c in cursors(two, 1, 400)} == {0, 1}


def test_joins_have_no_seam():
    # In slow noise a sample step of a click stands out by far.
    beds = Beds([noise_bed(str(n), n, 11.3 + n, colour=-2.0) for n in range(3)], HOP, RATE)
    for seed in range(3):
        sound = played(beds, seed, 150)
        for order in (1, 2):
            steps = np.abs(np.diff(sound, order, axis=0)).max(axis=1)
            at_joins = steps[np.arange(1, 150) * HOP - 1]
            elsewhere = np.delete(steps, np.arange(1, 150) * HOP - 1)
            assert at_joins.max() <= elsewhere.max()
            assert np.sqrt(np.mean(at_joins**2)) <= 1.2 * np.sqrt(np.mean(elsewhere**2))


def test_wraps_around_a_loop_exactly():
    ramp = np.arange(5 * HOP, dtype=np.float32)[:, np.newaxis] + 1.0
    beds = Beds([Bed("ramp", ramp, np.zeros(1233, dtype=np.float32), LUFS)], HOP, RATE)
    wrapping = next(c for c in cursors(beds, 1, 300) if c.left > 0 and c.place > 4 * HOP)
    sound = beds.render(1, wrapping)[:, 0]
    expected = np.roll(ramp[:, 0], -wrapping.place)[:HOP]
    gain = sound / expected
    assert gain.max() / gain.min() < 10.0 ** (2.0 / 20.0)
    assert np.abs(np.diff(gain)).max() < 1e-3


def test_loudness_stays_near_nominal(four):
    rate = 48_000
    beds = Beds([noise_bed(str(n), n, 12.0, -39.0, rate=rate) for n in range(3)], rate, rate)
    levels = [Meter(rate, 2) for _ in range(2)]
    levels[0].add(noise_bed("0", 0, 12.0, -39.0, rate=rate).loop)
    for cursor in itertools.islice(cursors(beds, 4, 300), 0, 300, 3):
        levels[1].add(beds.render(4, cursor))
    assert levels[1].integrated_lufs() == pytest.approx(levels[0].integrated_lufs(), abs=1.0)
    assert beds.lufs == pytest.approx(LUFS)


def test_crossfades_keep_the_power(four):
    """Against the slow breathing, which is within 2 dB, no fade may dip."""
    power = np.array([np.mean(four.render(6, c) ** 2) for c in cursors(four, 6, 600)])
    level_db = 10.0 * np.log10(power)
    fading = np.array([c.left == 0 for c in cursors(four, 6, 600)])
    assert fading.sum() > 150
    assert abs(level_db[fading].mean() - level_db[~fading].mean()) < 0.4
    assert level_db.min() > -40.0 - 2.6
    assert level_db.max() < -40.0 + 2.6


def test_breathes_slowly(four):
    level_db = np.array([10.0 * np.log10(np.mean(four.render(8, c) ** 2)) for c in cursors(four, 8, 300)])
    assert 0.5 < level_db.std() < 1.6
    assert np.abs(np.diff(level_db)).max() < 1.2


def test_repeats_nothing_at_the_length_of_a_loop():
    beds = Beds([noise_bed("wind", 1, 20.0)], HOP, RATE)
    sound = played(beds, 2, 240)[:, 0]
    lag = 20 * RATE
    parts = [
        np.corrcoef(sound[start : start + HOP], sound[start + lag : start + lag + HOP])[0, 1]
        for start in range(0, len(sound) - lag - HOP, HOP)
    ]
    assert np.mean(np.abs(parts)) < 0.15
    spots = [c.place for c in cursors(beds, 2, 3_600)]
    assert len(set(spots)) > 0.9 * len(spots)


def test_gain_is_a_straight_line_across_the_hop(four):
    cursor = four.first(1)
    plain = four.render(1, cursor)
    risen = four.render(1, cursor, (0.5, 1.5))
    loud = np.abs(plain[:, 0]) > 1e-4
    ratio = (risen[:, 0] / np.where(loud, plain[:, 0], 1.0))[loud]
    expected = (0.5 + np.arange(HOP) / HOP)[loud]
    np.testing.assert_allclose(ratio, expected, atol=2e-3)


def test_gives_back_the_memory_of_recordings_that_were_left(tmp_path):
    frames = 600 * HOP
    beds = []
    for number in range(2):
        path = tmp_path / f"{number}.npy"
        np.save(path, np.full((frames // 20, 1), 0.1, dtype=np.float32))
        beds.append(Bed(str(number), np.load(path, mmap_mode="r"), np.zeros(1233, dtype=np.float32), LUFS))
    player = Beds(beds, HOP, RATE)
    leaving = next(c for c in cursors(player, 1, 400) if c.next_bed != c.bed and c.left == 0 and c.faded == 19)
    beds[leaving.bed].loop.sum()
    before = resident_kb(f"{leaving.bed}.npy")
    sound = player.render(1, leaving)
    assert resident_kb(f"{leaving.bed}.npy") < before / 10
    assert player.render(1, leaving).tobytes() == sound.tobytes()


def resident_kb(name):
    lines = Path("/proc/self/smaps").read_text().splitlines()
    heads = [n for n, line in enumerate(lines) if line.endswith(name)]
    return sum(int(lines[head + 1 + k].split()[1]) for head in heads for k in range(4) if "Rss" in lines[head + 1 + k])


def test_refuses_what_cannot_be_played():
    with pytest.raises(ValueError, match="at least one bed"):
        Beds([], HOP, RATE)
    with pytest.raises(ValueError, match="as long as a hop"):
        Beds([shaped_bed("short", np.zeros(1233), HOP - 1)], HOP, RATE)
