"""Thunder does not startle, calm sound is left alone, and bass comes from everywhere; all of it without a trace."""

import numpy as np
import pyloudnorm
import pytest
import soundfile
from listening import band_correlations, click_times_s
from pyloudnorm.iirfilter import IIRfilter
from scipy import signal

from appliance.spectrum.codec import analyse
from appliance.synth import recordings
from appliance.synth.beds import Bed, Beds
from appliance.synth.recordings import RECORDING_LUFS, prepare
from appliance.synth.taming import MOMENTARY_LUFS, filtered, low_cut, tame
from appliance.synth.weather import weather

RATE = 48_000
# 8 LU above the target of the whole.
STARTLING_LUFS = -12.0


def momentary_lufs(sound, rate=RATE):
    """Loudness of each 400 ms, every 5 ms, by filters that are not ours."""
    for stage in (IIRfilter(4.0, 0.5**0.5, 1500.0, rate, "high_shelf"), IIRfilter(0.0, 0.5, 38.0, rate, "high_pass")):
        sound = signal.lfilter(stage.b, stage.a, sound.astype(np.float64), axis=0)
    summed = np.concatenate([[0.0], np.cumsum(np.square(sound).sum(axis=1))])
    window, step = round(0.4 * rate), rate // 200
    return -0.691 + 10.0 * np.log10((summed[window::step] - summed[:-window:step]) / window + 1e-20)


def integrated_lufs(sound, rate=RATE):
    return pyloudnorm.Meter(rate).integrated_loudness(np.asarray(sound, np.float64))


def around(loop):
    """Twice the loop, so that the seam lies within."""
    return np.concatenate([loop, loop])


def noise(seconds, seed, fall=0.0, channels=2):
    white = np.random.default_rng(seed).standard_normal((round(seconds * RATE), channels))
    sound = signal.lfilter([1.0], [1.0, -fall], white, axis=0)
    return (sound / sound.std()).astype(np.float32)


def storm(seconds=40.0, bang_db=25.0, at_s=11.0, seed=1):
    """Soft rain at -30 LUFS, and thunder that is louder by so many decibels at first."""
    rain = noise(seconds, seed, 0.3)
    rain *= 10.0 ** ((-30.0 - integrated_lufs(rain)) / 20.0)
    time = np.arange(4 * RATE) / RATE
    thunder = noise(4.0, seed + 1, 0.97) * (np.minimum(time / 0.01, 1.0) * np.exp(-time / 0.6))[:, np.newaxis]
    thunder *= 10.0 ** ((-30.0 + bang_db - momentary_lufs(thunder).max()) / 20.0)
    places = (round(at_s * RATE) + np.arange(len(thunder))) % len(rain)
    rain[places] += thunder
    return rain.astype(np.float32)


def seam_is_smooth(loop):
    for order in (1, 2, 3):
        steps = np.abs(np.diff(np.concatenate([loop, loop[:4]]), order, axis=0)).max(axis=1)
        assert steps[len(loop) - order : len(loop)].max() <= np.quantile(steps, 0.9999)


def prepared(tmp_path, sound, name="storm", channels=2):
    folder = tmp_path / name
    folder.mkdir()
    soundfile.write(folder / f"{name}.wav", sound, RATE, subtype="FLOAT")
    (bed,) = prepare(folder, RATE, channels, tmp_path / "cache", pytest.fail)
    return bed


@pytest.mark.parametrize("at_s", [11.0, 39.75], ids=["within", "over the seam"])
def test_thunder_does_not_startle(at_s):
    loop = filtered(storm(at_s=at_s), RATE)
    assert momentary_lufs(around(loop)).max() > -9.0
    levelled = recordings._levelled(loop.copy(), RATE)
    assert momentary_lufs(around(levelled)).max() == pytest.approx(MOMENTARY_LUFS, abs=0.3)
    assert integrated_lufs(levelled) == pytest.approx(RECORDING_LUFS, abs=0.3)
    assert len(click_times_s(around(levelled), RATE)) == len(click_times_s(around(loop), RATE)) == 0
    seam_is_smooth(levelled)


def test_a_storm_is_made_into_a_bed(tmp_path):
    bed = prepared(tmp_path, storm())
    assert momentary_lufs(around(bed.loop)).max() < -20.2
    assert integrated_lufs(bed.loop) == pytest.approx(RECORDING_LUFS, abs=0.3)
    # Most of the loudness is the rain's, as it is of the level.
    assert np.median(momentary_lufs(bed.loop)) > -31.5


def test_it_is_turned_down_slowly_and_only_around_the_thunder():
    rising = storm()
    tamed = rising.copy()
    assert tame(tamed, RATE)
    change_db = 20.0 * np.log10(np.linalg.norm(tamed, axis=1) / np.linalg.norm(rising, axis=1))
    assert change_db.min() == pytest.approx(-15.5, abs=1.0)
    assert np.abs(change_db[RATE // 10 :] - change_db[: -RATE // 10]).max() < 4.5
    assert np.abs(np.diff(change_db)).max() < 1e-2
    far = np.ones(len(rising), dtype=bool)
    far[round(9.9 * RATE) : round(13.5 * RATE)] = False
    np.testing.assert_array_equal(tamed[far], rising[far])


@pytest.mark.parametrize("begin_s", [10.8, 11.02, 11.3])
def test_it_is_the_same_wherever_the_loop_begins(begin_s):
    whole = storm()
    begun_later = np.roll(whole, -round(begin_s * RATE), axis=0)
    assert tame(whole, RATE)
    assert tame(begun_later, RATE)
    np.testing.assert_allclose(np.roll(begun_later, round(begin_s * RATE), axis=0), whole, rtol=1e-3, atol=1e-6)


def test_what_is_calm_is_left_as_it_is(tmp_path, monkeypatch):
    calm = storm(bang_db=6.0)
    kept = calm.copy()
    assert not tame(calm, RATE)
    assert calm.tobytes() == kept.tobytes()
    bed = prepared(tmp_path, kept)
    monkeypatch.setattr(recordings, "tame", lambda loop, rate: False)
    assert prepared(tmp_path / "cache", kept).loop.tobytes() == bed.loop.tobytes()


@pytest.mark.parametrize("every_s", [0.7, 2.0, 6.0])
def test_the_limit_holds_whatever_the_level_wants(every_s):
    """Short bangs again and again: level and limit pull in opposite directions."""
    sound = noise(24.0, 3, 0.3) * np.float32(0.01)
    for start in np.arange(0.5, 23.5, every_s):
        sound[round(start * RATE) :][:4_800] += noise(0.1, 4) * np.float32(0.25)
    loop = recordings._levelled(filtered(sound, RATE), RATE)
    assert momentary_lufs(around(loop)).max() < -20.2
    assert integrated_lufs(loop) < RECORDING_LUFS + 0.3


def test_taming_works_at_low_rates_in_one_channel():
    storming = storm()[::6, :1].copy()
    storming *= 10.0 ** ((-10.0 - momentary_lufs(storming, 8_000).max()) / 20.0)
    assert tame(storming, 8_000)
    assert momentary_lufs(around(storming), 8_000).max() < -19.7


def loudest_played(beds, gain, seed=2):
    """Highest momentary loudness of some minutes as they are played, and of the cross-fades in them."""
    player = Beds(beds, RATE, RATE)
    cursor, hops, moving = player.first(seed), [], []
    for _ in range(240):
        hops.append(player.render(seed, cursor, (gain, gain)))
        moving.append(cursor.left == 0 and cursor.bed != cursor.next_bed)
        cursor = player.advance(seed, cursor)
    assert sum(moving) > 15
    return momentary_lufs(np.concatenate(hops)).max()


def test_nothing_startles_as_it_is_played():
    untamed, tamed = [], []
    for number in range(2):
        loop = storm(at_s=3.0 + number, seed=10 * number)
        spectrum = analyse(loop[: 2 * RATE], RATE)
        untamed.append(Bed(str(number), loop, spectrum, RECORDING_LUFS))
        tamed.append(Bed(str(number), recordings._levelled(loop.copy(), RATE), spectrum, RECORDING_LUFS))
    assert loudest_played(untamed, 1.0) > STARTLING_LUFS
    # Nature at its highest doubles the sound.
    assert STARTLING_LUFS - 4.5 < loudest_played(tamed, 2.0) <= STARTLING_LUFS


def test_two_thunders_at_once_in_a_cross_fade_do_not_startle():
    """As loud as both can be: nature at its highest, breath at its highest, and both at their peak."""
    one, two = (recordings._levelled(storm(seed=seed), RATE)[10 * RATE : 14 * RATE] for seed in (1, 20))
    for angle in np.linspace(0.0, 0.5 * np.pi, 9):
        both = 10.0 ** (8.0 / 20.0) * (np.cos(angle) * one + np.sin(angle) * two)
        assert momentary_lufs(both).max() <= STARTLING_LUFS


def test_the_built_in_weather_does_not_startle():
    for bed in weather(RATE, 2, np.random.default_rng(0x5EA)):
        assert momentary_lufs(around(bed.loop * np.float32(bed.scale))).max() < MOMENTARY_LUFS - 6.0


def band(sound, low_hz, high_hz):
    sections = signal.butter(8, (low_hz, high_hz), "bandpass", fs=RATE, output="sos")
    return signal.sosfiltfilt(sections, sound, axis=0).astype(np.float32)


def level_db(sound):
    return 10.0 * np.log10(np.mean(np.square(sound, dtype=np.float64)))


def field(kind, seconds=12.0):
    """Brown noise whose two channels are alike, opposite or unrelated in the bass, and unrelated above."""
    sound = noise(seconds, 5, 0.98)
    if kind != "unrelated":
        lines = np.fft.rfft(sound, axis=0)
        bass = np.fft.rfftfreq(len(sound), 1.0 / RATE) < 145.0
        lines[bass, 1] = lines[bass, 0] * (-1.0 if kind == "opposite" else 1.0)
        sound = np.fft.irfft(lines, len(sound), axis=0).astype(np.float32)
    return np.float32(0.05) * sound


@pytest.mark.parametrize("kind", ["alike", "opposite", "unrelated"])
def test_bass_is_shared_and_the_rest_stays_wide(kind):
    before = field(kind)
    after = filtered(before.copy(), RATE)
    was, now = band_correlations(before, RATE), band_correlations(after, RATE)
    assert {"alike": 0.9, "opposite": -1.1, "unrelated": -0.3}[kind] < was.below_120
    assert was.below_120 < {"alike": 1.1, "opposite": -0.9, "unrelated": 0.3}[kind]
    assert now.below_120 > 0.99
    heard = (now.band_hz > 40.0) & (now.band_hz < 110.0)
    assert now.by_band[heard].min() > 0.95
    wide = now.band_hz > 195.0
    np.testing.assert_allclose(now.by_band[wide], was.by_band[wide], atol=0.02)
    for low_hz in 50.0 * 2.0 ** (np.arange(9) / 3.0):
        sounds = (band(sound, low_hz, 1.26 * low_hz) for sound in (before, after))
        assert np.diff([level_db(sound) for sound in sounds]) == pytest.approx(0.0, abs=0.7)
    mono_db = level_db(band(after.mean(axis=1, keepdims=True), 50.0, 115.0)) - level_db(band(after, 50.0, 115.0))
    assert mono_db == pytest.approx(0.0, abs=0.1)
    seam_is_smooth(filtered(_closed_brown(), RATE))


def _closed_brown():
    return recordings._closed(np.float32(0.05) * noise(12.0, 8, 0.995), RATE)


def test_bass_of_a_moment_stays_at_its_moment():
    """What lines of a whole loop are given must not smear over the loop."""
    sound = np.zeros((10 * RATE, 2), dtype=np.float32)
    sound[5 * RATE : 5 * RATE + 4_800] = noise(0.1, 6, 0.98)
    after = np.square(filtered(sound, RATE)).sum(axis=1)
    near = after[round(4.7 * RATE) : round(5.4 * RATE)].sum()
    assert after.sum() - near < 3e-3 * after.sum()


def test_nothing_is_left_under_what_can_be_heard():
    after = filtered(noise(12.0, 9, 0.999), RATE)
    power = np.square(np.abs(np.fft.rfft(after, axis=0))).sum(axis=1)
    hz = np.fft.rfftfreq(len(after), 1.0 / RATE)
    assert power[hz < 35.0].sum() < 1e-8 * power.sum()
    assert power[(hz > 45.0) & (hz < 60.0)].sum() > 0.02 * power.sum()
    np.testing.assert_allclose(low_cut(np.array([0.0, 35.0, 40.0, 45.0, 1e4])), [0.0, 0.0, 0.5**0.5, 1.0, 1.0], 1e-6)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_any_number_of_channels_shares_its_bass(channels):
    after = filtered(noise(6.0, 7, 0.98, channels), RATE)
    bass = band(after, 45.0, 110.0)
    assert np.corrcoef(bass.T).min() > 0.99
    treble = band(after, 200.0, 2_000.0)
    assert np.sort(np.abs(np.corrcoef(treble.T)).ravel())[: channels * channels - channels].max(initial=0.0) < 0.3


def test_a_recording_in_mono_keeps_its_bass_to_the_sample():
    alone = filtered(noise(6.0, 7, 0.98, 1), RATE)
    np.testing.assert_array_equal(filtered(np.repeat(noise(6.0, 7, 0.98, 1), 2, axis=1), RATE), np.repeat(alone, 2, 1))
