"""Each musical measure tells sound with its property from sound without."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from musical import (
    LongTerm,
    Momentary,
    Rests,
    Swells,
    SwellShares,
    Tracks,
    Whistles,
    change_db,
    dissonance_percentile,
    key_share,
    likeness_db,
    loudness,
    pooled_power,
    rests,
    steady_spectra,
)
from scipy import fft

from appliance.spectrum import codec
from appliance.spectrum.codec import BINS, Floats

RATE = 24_000
LISTEN = Path(__file__).parent / "bench" / "listen.py"
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")


def noise(seconds: float, slope_db: float = -3.0, seed: int = 1) -> Floats:
    """Two unrelated channels of noise at -26 dBFS whose density falls by so many dB an octave from 20 Hz."""
    frames = round(seconds * RATE)
    lines = fft.rfft(np.random.default_rng(seed).standard_normal((frames, 2)), axis=0)
    hz = np.maximum(fft.rfftfreq(frames, 1.0 / RATE), 20.0)[:, np.newaxis]
    audio = fft.irfft(lines * (hz / 1000.0) ** (slope_db / 20.0 / np.log10(2.0)), frames, axis=0)
    return np.asarray(0.05 * audio / np.sqrt(np.mean(audio**2)), dtype=np.float32)


def clock(audio: Floats) -> Floats:
    """Time of each frame in s, shape (frames, 1)."""
    return np.asarray(np.arange(len(audio))[:, np.newaxis] / RATE, dtype=np.float32)


def tone(hz: float, audio: Floats, level: float) -> Floats:
    """A sine as long as some sound, shape (frames, 1)."""
    turns = np.arange(len(audio)) * (hz / RATE)
    return np.asarray(level * np.sin(2.0 * np.pi * turns)[:, np.newaxis], dtype=np.float32)


def chord(semitones: list[float], root_hz: float = 200.0) -> Floats:
    """A spectrum with a line at each of some intervals above a root, over a soft ground, (1233,)."""
    level_db = -80.0 + np.random.default_rng(7).standard_normal(BINS)
    for interval in semitones:
        level_db[np.argmin(np.abs(codec.bin_hz() - root_hz * 2.0 ** (interval / 12.0)))] = -20.0
    return codec.from_decibels(level_db)


def rested(audio: Floats) -> Rests:
    """Find the rests in sound."""
    meter = Momentary(RATE, audio.shape[1])
    meter.add(audio)
    found = rests(meter.momentary_lufs(), meter.integrated_lufs())
    assert found is not None
    return found


def whistled(audio: Floats) -> tuple[Tracks, Tracks]:
    """Find narrow peaks in sound."""
    whistles = Whistles(RATE)
    whistles.add(steady_spectra(audio, RATE))
    return whistles.results()


def swelled(audio: Floats) -> SwellShares:
    """Find swells in sound."""
    swells = Swells(RATE)
    swells.add(steady_spectra(audio, RATE))
    found = swells.shares()
    assert found is not None
    return found


def long_term(audio: Floats) -> LongTerm:
    """Hear sound of any number of channels to its end, in two blocks."""
    heard = LongTerm(RATE, audio.shape[1])
    heard.add(audio[: 4 * RATE])
    heard.add(audio[4 * RATE :])
    return heard


def test_sound_without_a_pause_has_no_rest() -> None:
    found = rested(noise(60.0))

    assert found[:3] == (0, 0.0, None)
    assert found.longest_between_s == pytest.approx(60.0, abs=0.2)


def test_a_rest_is_found_where_it_is() -> None:
    audio = noise(60.0)
    at = clock(audio)
    audio *= np.where(((at > 10) & (at < 18)) | ((at > 40) & (at < 44)), 0.3, 1.0)

    found = rested(audio)

    assert found.number == 1
    assert found.median_s == pytest.approx(8.0, abs=0.5)
    assert found.longest_between_s == pytest.approx(42.0, abs=0.5)


def test_a_pause_of_5_db_is_no_rest() -> None:
    audio = noise(60.0)
    audio *= np.where(np.abs(clock(audio) - 30.0) < 5.0, 10.0 ** (-5.0 / 20.0), 1.0)

    assert rested(audio).number == 0


@pytest.mark.parametrize(("crackle_s", "number"), [(0.02, 1), (0.25, 1), (0.6, 0)])
def test_a_rest_bears_a_crackle_but_no_note(crackle_s: float, number: int) -> None:
    audio = noise(60.0)
    at = clock(audio)
    resting = (np.abs(at - 30.0) < 4.0) & (np.abs(at - 30.0) > crackle_s / 2.0)
    audio *= np.where(resting, 0.1, 1.0)

    assert rested(audio).number == number


def test_a_pentatonic_is_in_key_wherever_it_is_tuned() -> None:
    rng = np.random.default_rng(3)
    scale = [0.0, 7.0, 16.0, 21.0, 26.0]
    for root_hz in (200.0, 205.0, 213.0):
        found = key_share(np.stack([chord(scale, root_hz)] * 30), rng)
        assert found is not None
        assert found.caught > 0.95
        assert found.scattered < 0.85
        assert found.any_rotation == pytest.approx(35.0 / 120.0)


def test_chance_tones_are_caught_no_better_than_scattered() -> None:
    rng = np.random.default_rng(4)
    minutes = [np.stack([chord(list(rng.uniform(0.0, 36.0, 12)))] * 30) for _ in range(30)]

    found = key_share(np.concatenate(minutes), rng)

    assert found is not None
    assert abs(found.caught - found.scattered) < 0.08


def test_noise_has_no_key_and_less_than_a_minute_tells_none() -> None:
    rng = np.random.default_rng(5)
    spectra = codec.from_decibels(-40.0 + rng.standard_normal((30, BINS)))

    assert key_share(spectra, rng) is None
    assert key_share(np.stack([chord([0.0, 4.0, 7.0])] * 29), rng) is None


def test_a_chord_goes_with_its_fifth_and_not_with_its_neighbour() -> None:
    rng = np.random.default_rng(6)
    triad = chord([0.0, 4.0, 7.0, 12.0, 19.0])
    fifth = chord([7.0, 12.0, 19.0, 24.0, 31.0])
    rough = chord([0.7, 4.7, 7.7, 12.7, 19.7])

    well, badly = (dissonance_percentile(np.stack([triad, other] * 10), 1, rng) for other in (fifth, rough))

    assert well is not None
    assert badly is not None
    assert well < 20.0
    assert badly > 80.0


def test_unrelated_sounds_go_together_by_chance_and_silence_is_left_out() -> None:
    rng = np.random.default_rng(8)
    narrow, wide = (
        np.stack([chord(list(rng.uniform(0.0, span, 12)), 50.0) for _ in range(200)]) for span in (40.0, 96.0)
    )

    by_chance = dissonance_percentile(wide, 5, rng)
    in_the_way = dissonance_percentile(narrow, 5, rng)

    assert by_chance == pytest.approx(50.0, abs=12.0)
    assert in_the_way is not None
    assert in_the_way > 50.0
    assert dissonance_percentile(np.zeros((9, BINS), dtype=np.float32), 1, rng) is None
    assert dissonance_percentile(wide[:5], 5, rng) is None


@pytest.mark.parametrize("slope_db", [0.0, -3.0, -6.0])
def test_the_tilt_is_that_of_the_noise(slope_db: float) -> None:
    assert long_term(noise(20.0, slope_db)).tilt_db_per_octave() == pytest.approx(slope_db, abs=0.2)


def test_the_coherence_is_heard_in_each_band() -> None:
    audio = noise(20.0)
    bass = tone(60.0, audio, 0.2)

    together, opposed = long_term(audio + bass), long_term(audio + bass * np.array([1.0, -1.0], dtype=np.float32))

    assert together.coherence(20.0, 120.0) == pytest.approx(1.0, abs=0.1)
    assert opposed.coherence(20.0, 120.0) == pytest.approx(-1.0, abs=0.1)
    assert together.coherence(120.0, RATE) == pytest.approx(0.0, abs=0.1)


def test_neither_silence_nor_one_channel_has_a_coherence() -> None:
    audio = noise(20.0)

    assert long_term(audio[:, :1]).coherence(20.0, 120.0) is None
    assert long_term(0.0 * audio).coherence(20.0, 120.0) is None
    assert long_term(0.0 * audio).tilt_db_per_octave() is None


def test_the_spectra_of_half_seconds_hold_all_power() -> None:
    audio = noise(2.0)
    power = steady_spectra(audio, RATE)

    assert len(power) == 4
    assert power.sum(axis=1).mean() == pytest.approx(np.mean(audio**2), rel=0.1)


def test_noise_and_low_notes_do_not_whistle() -> None:
    audio = noise(30.0)

    for tracks in whistled(audio + tone(440.0, audio, 0.1)):
        assert tracks.long_ones == 0
        assert tracks.longest_s <= 1.0


def test_a_whistle_is_followed_as_long_as_it_lasts() -> None:
    audio = noise(30.0)
    at = clock(audio)
    whistle = tone(3000.0, audio, 0.05) * ((at > 5.0) & (at < 17.0))

    for tracks in whistled(audio + whistle):
        assert tracks.long_ones == 1
        assert tracks.longest_s == pytest.approx(12.0, abs=1.0)
        assert tracks.highest_db is not None
        assert tracks.highest_db > 10.0


def test_a_whistle_that_moves_or_is_soft_does_not_count() -> None:
    audio = noise(30.0)
    steps = np.floor(clock(audio) / 4.0) % 2
    moving = tone(3000.0, audio, 0.05) * steps + tone(3200.0, audio, 0.05) * (1.0 - steps)
    loud = tone(200.0, audio, 0.5)

    assert whistled(audio + moving)[0].long_ones == 0
    assert whistled(loud + tone(3000.0, audio, 0.01))[0].long_ones == 1
    assert whistled(loud + tone(3000.0, audio, 0.001))[0].long_ones == 0


def test_the_ratio_is_that_of_a_tone_over_its_band() -> None:
    audio = noise(10.0, slope_db=0.0)
    band = 25.0 + 75.0 * (1.0 + 1.4 * 9.0) ** 0.69
    inside = 10.0 * np.log10(np.mean(audio**2) * band / (RATE / 2.0))
    level = np.sqrt(2.0 * 10.0 ** ((inside + 15.0) / 10.0))

    tone_to_noise, prominence = whistled(audio + tone(3000.0, audio, level))

    assert tone_to_noise.highest_db == pytest.approx(15.0, abs=1.0)
    assert prominence.highest_db == pytest.approx(15.0, abs=1.5)


def test_two_tones_side_by_side_are_prominent_though_neither_stands_alone() -> None:
    audio = noise(20.0)
    pair = tone(3000.0, audio, 0.05) + tone(3120.0, audio, 0.05)

    tone_to_noise, prominence = whistled(audio + pair)

    assert tone_to_noise.long_ones == 0
    assert prominence.long_ones > 0


def test_a_figure_swells_over_its_ground() -> None:
    audio = noise(120.0)
    rise = np.exp(-(((clock(audio) % 30.0 - 15.0) / 4.0) ** 2))

    found = swelled(audio + tone(700.0, audio, 0.2) * rise)

    assert 0.15 < found.any_octave < 0.4
    assert found.mean_octave == pytest.approx(found.any_octave / 8.0, abs=0.03)


@pytest.mark.parametrize("seed", range(3))
def test_steady_sound_does_not_swell(seed: int) -> None:
    assert swelled(noise(120.0, seed=seed)).any_octave == 0.0


def test_slow_fades_and_short_notes_are_no_swells() -> None:
    audio = noise(120.0)
    at = clock(audio)
    fading = audio * (0.1 + np.abs(at - 60.0) / 60.0)
    plucked = audio + tone(700.0, audio, 0.2) * np.exp(-(at % 15.0) / 0.3)

    assert swelled(fading).any_octave == 0.0
    assert swelled(plucked).any_octave == 0.0


def test_change_is_told_in_db() -> None:
    spectra = np.stack([codec.from_decibels(np.full(BINS, -40.0 - step)) for step in (0.0, 6.0, 0.0)])
    pooled = pooled_power(spectra)

    assert change_db(pooled[:-1], pooled[1:]) == pytest.approx(6.0, abs=0.01)
    assert change_db(pooled[:-2], pooled[2:]) == pytest.approx(0.0, abs=0.01)
    assert change_db(pooled[:-3], pooled[3:]) is None


def test_stretches_alike_and_unlike() -> None:
    drifting = np.repeat(np.arange(26), 150)[:, np.newaxis] * np.ones(61)
    pooled = 1e-3 * 10.0 ** (-drifting / 10.0)

    found = likeness_db(pooled)

    assert found is not None
    assert found.neighbours_db == pytest.approx(1.0)
    assert found.all_pairs_db == pytest.approx(9.0)
    assert found.two_hours_db == pytest.approx(24.0)
    assert likeness_db(pooled[:299]) is None
    alike = likeness_db(np.full((300, 61), 1e-3))
    assert alike is not None
    assert (alike.all_pairs_db, alike.two_hours_db) == (0.0, None)


@needs_ffmpeg
def test_loudness_of_the_whole_and_of_a_part(tmp_path: Path) -> None:
    audio = noise(40.0)
    audio[len(audio) // 2 :] *= 0.5
    soundfile.write(tmp_path / "a.wav", audio, RATE)

    whole = loudness(tmp_path / "a.wav")
    loud, soft = (loudness(tmp_path / "a.wav", start, 15.0, peak=False) for start in (2.0, 22.0))

    assert loud.integrated_lufs - soft.integrated_lufs == pytest.approx(6.0, abs=0.3)
    assert soft.integrated_lufs < whole.integrated_lufs < loud.integrated_lufs
    assert whole.range_lu == pytest.approx(6.0, abs=1.0)
    assert loud.range_lu < 1.0
    assert whole.true_peak_dbtp == pytest.approx(20.0 * np.log10(np.abs(audio).max()), abs=1.0)
    assert loud.true_peak_dbtp is None


@needs_ffmpeg
def test_loudness_of_no_sound_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("no sound")

    with pytest.raises(RuntimeError, match="measured nothing"):
        loudness(tmp_path / "a.wav")


def listen(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the script."""
    return subprocess.run([sys.executable, LISTEN, *words], capture_output=True, text=True, check=False)


@needs_ffmpeg
def test_two_files_stand_beside_each_other(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.flac", noise(90.0), RATE)
    soundfile.write(tmp_path / "short.wav", noise(1.0)[:, 0], RATE)

    done = listen(tmp_path / "long.flac", tmp_path / "short.wav")

    assert done.returncode == 0, done.stderr
    rows = {line[:36].strip(): line[36:].split() for line in done.stdout.splitlines()}
    assert rows[""] == ["long.flac", "short.wav", "bar"]
    assert rows["rests"] == ["0", "-"]
    assert rows["longest time without, s"] == ["90", "-", "<=", "300"]
    assert float(rows["tilt, dB per octave"][0]) == pytest.approx(-3.0, abs=0.2)


@needs_ffmpeg
def test_json_gives_an_object_a_file(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", noise(40.0), RATE)
    soundfile.write(tmp_path / "silence.wav", np.zeros((20 * RATE, 2)), RATE)

    done = listen(tmp_path / "a.flac", tmp_path / "silence.wav", "--json")

    sounding, silent = map(json.loads, done.stdout.splitlines())
    assert sounding["hours_lufs"] == [sounding["integrated_lufs"]]
    assert sounding["coherence_above_120"] == pytest.approx(0.0, abs=0.1)
    assert (sounding["change_600s_db"], sounding["neighbours_db"]) == (None, None)
    assert (silent["integrated_lufs"], silent["tilt_db_per_octave"], silent["tone_highest_db"]) == (None, None, None)


@pytest.mark.parametrize("name", ["missing.wav", "text.wav"])
def test_what_is_no_recording_is_refused_in_a_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.wav").write_text("no sound")

    done = listen(tmp_path / name)

    assert done.returncode == 2
    assert name in done.stderr
    assert len(done.stderr.splitlines()) == 1
