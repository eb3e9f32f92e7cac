"""Recordings become beds once; what cannot be used is named and left out; a full disk changes nothing one hears."""

import os

import numpy as np
import pyloudnorm
import pytest
import soundfile

from appliance.errors import AudioFileError
from appliance.spectrum.codec import analyse, decibels
from appliance.synth import recordings
from appliance.synth.beds import Beds
from appliance.synth.recordings import RECORDING_LUFS, prepare

RATE = 16_000


def hiss(seconds, rate=RATE, channels=2, seed=1, level=0.1):
    rng = np.random.default_rng(seed)
    return (level * rng.standard_normal((round(seconds * rate), channels))).astype(np.float32)


def faded(sound, rate, fade_s):
    place = np.minimum(np.arange(len(sound)), len(sound) - 1 - np.arange(len(sound))) / (fade_s * rate)
    return sound * np.clip(place, 0.0, 1.0).astype(np.float32)[:, np.newaxis]


def never(sentence):
    raise AssertionError(sentence)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "nature"
    made.mkdir()
    return made


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def only(folder, cache, rate=RATE, channels=2):
    (bed,) = prepare(folder, rate, channels, cache, never)
    return bed


@pytest.mark.parametrize(
    ("ending", "recorded_rate"), [("wav", 22_050), ("flac", 16_000), ("ogg", 32_000), ("mp3", 44_100)]
)
def test_any_format_and_rate(folder, cache, ending, recorded_rate):
    soundfile.write(folder / f"brook.{ending}", hiss(6, recorded_rate), recorded_rate)
    bed = only(folder, cache)
    assert bed.name == "brook"
    assert bed.loop.dtype == np.float32
    assert bed.loop.shape[1] == 2
    assert 3.0 < len(bed.loop) / RATE <= 6.0
    assert bed.lufs == RECORDING_LUFS
    assert pyloudnorm.Meter(RATE).integrated_loudness(np.array(bed.loop, np.float64)) == pytest.approx(-30.0, abs=0.1)


@pytest.mark.parametrize(("recorded", "wanted"), [(1, 2), (2, 1), (2, 4), (3, 2)])
def test_any_number_of_channels(folder, cache, recorded, wanted):
    soundfile.write(folder / "brook.wav", hiss(5, channels=recorded), RATE)
    loop = only(folder, cache, channels=wanted).loop
    assert loop.shape[1] == wanted
    if wanted > recorded:
        np.testing.assert_array_equal(loop[:, 0], loop[:, recorded])


def test_fades_are_cut_off(folder, cache):
    soundfile.write(folder / "wind.wav", faded(hiss(24), RATE, 4.0), RATE)
    loop = np.array(only(folder, cache).loop)
    level_db = 10.0 * np.log10((loop[: len(loop) // 8_000 * 8_000] ** 2).reshape(-1, 16_000).mean(axis=1))
    assert np.ptp(level_db) < 2.0
    assert 10.0 < len(loop) / RATE < 18.0


def test_swelling_waves_are_kept_whole(folder, cache):
    swell = (0.55 + 0.45 * np.cos(2.0 * np.pi * np.arange(30 * RATE) / (6 * RATE))).astype(np.float32)
    soundfile.write(folder / "waves.wav", hiss(30) * swell[:, np.newaxis], RATE)
    assert len(only(folder, cache).loop) / RATE > 20.0


def test_the_tail_runs_into_the_head(folder, cache):
    slow = np.cumsum(hiss(12, seed=3), axis=0)
    soundfile.write(folder / "wind.wav", slow / np.abs(slow).max(), RATE, subtype="FLOAT")
    loop = np.array(only(folder, cache).loop)
    for order in (1, 2):
        steps = np.abs(np.diff(np.concatenate([loop, loop[:4]]), order, axis=0)).max(axis=1)
        assert steps[len(loop) - order : len(loop)].max() <= np.quantile(steps, 0.999)


@pytest.mark.parametrize("kind", ["strangers", "twins"])
def test_the_join_keeps_the_power(folder, cache, kind):
    # Twins: one second again and again.
    sound = hiss(16, seed=5) if kind == "strangers" else np.tile(hiss(1, seed=5), (16, 1))
    soundfile.write(folder / "brook.wav", sound, RATE, subtype="FLOAT")
    loop = np.array(only(folder, cache).loop)
    power_each = (loop[: len(loop) // RATE * RATE] ** 2).reshape(-1, RATE * 2).mean(axis=1)
    joint_db = 10.0 * np.log10(power_each[:4] / np.median(power_each))
    assert np.abs(joint_db).max() < 0.7


def test_twins_in_step_fade_with_equal_gain():
    """A tail equal to the head must come through unchanged: with equal power it would rise by 3 dB."""
    period = hiss(1, seed=7)[:15_000]
    sound = np.tile(period, (8, 1))[:105_000]
    # The loop takes 90,000 frames (smooth), six whole periods, and 15,000 to join.
    loop = recordings._closed(sound, 3_750)
    assert len(loop) == 90_000
    np.testing.assert_allclose(loop, sound[:90_000], atol=1e-5)


def test_rumble_and_ultrasound_are_removed(folder, cache):
    rate = 48_000
    time = np.arange(6 * rate)[:, np.newaxis] / rate
    sound = hiss(6, rate, 1) + 0.3 + 0.3 * np.sin(2 * np.pi * 31.0 * time) + 0.2 * np.sin(2 * np.pi * 21_000.0 * time)
    soundfile.write(folder / "brook.wav", (0.5 * sound).astype(np.float32), rate)
    loop = only(folder, cache, rate, 1).loop[:, 0]
    power = np.abs(np.fft.rfft(loop)) ** 2
    hz = np.fft.rfftfreq(len(loop), 1.0 / rate)
    for unwanted in (hz < 35.0, hz > 20_000.0):
        assert power[unwanted].sum() < 1e-6 * power.sum()
    assert 0.4 < power[(hz > 100) & (hz < 10_000)].sum() / power[(hz > 9_000) & (hz < 18_900)].sum() < 2.5


def test_its_spectrum_is_kept(folder, cache):
    tone = 0.2 * np.sin(2.0 * np.pi * 1_000.0 * np.arange(8 * RATE) / RATE)
    soundfile.write(folder / "cricket.wav", tone.astype(np.float32)[:, np.newaxis] + hiss(8, level=0.001), RATE)
    bed = only(folder, cache)
    measured = analyse(np.array(bed.loop[RATE : 3 * RATE]), RATE)
    assert abs(int(np.argmax(bed.spectrum)) - int(np.argmax(measured))) <= 1
    assert decibels(bed.spectrum).max() == pytest.approx(decibels(measured).max(), abs=1.0)


def test_long_recordings_are_capped(folder, cache, monkeypatch):
    monkeypatch.setattr(recordings, "_LONGEST_S", 10.0)
    soundfile.write(folder / "night.wav", hiss(30), RATE)
    assert 5.0 < len(only(folder, cache).loop) / RATE <= 10.0


def bad_file(folder, kind):
    path = folder / f"{kind}.wav"
    if kind == "text":
        path.write_text("this is no sound\n")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "silent":
        soundfile.write(path, np.zeros((5 * RATE, 2)), RATE)
    elif kind == "constant":
        soundfile.write(path, np.full((5 * RATE, 2), 0.25), RATE)
    elif kind in ("broken", "enormous"):
        sound = hiss(5)
        sound[777] = np.nan if kind == "broken" else -1e30
        soundfile.write(path, sound, RATE, subtype="FLOAT")
    elif kind == "short":
        soundfile.write(path, hiss(2), RATE)
    elif kind == "blip":
        sound = np.zeros((20 * RATE, 2), dtype=np.float32)
        sound[RATE : 2 * RATE] = hiss(1)
        soundfile.write(path, sound, RATE)
    elif kind == "slow":
        soundfile.write(path, hiss(5), 1_000)
    elif kind == "cut":
        soundfile.write(path, hiss(5), RATE)
        path.write_bytes(path.read_bytes()[:200])
    return path


BAD = ["text", "empty", "silent", "constant", "broken", "enormous", "short", "blip", "slow", "cut"]


def test_bad_files_are_named_and_the_rest_plays(folder, cache):
    for kind in BAD:
        bad_file(folder, kind)
    (folder / "noise.raw").write_bytes(b"\1\2\3" * 1_000)
    (folder / ".DS_Store").write_bytes(b"\0")
    (folder / "inner").mkdir()
    soundfile.write(folder / "brook.wav", hiss(5), RATE)
    told = []
    (bed,) = prepare(folder, RATE, 2, cache, told.append)
    assert bed.name == "brook"
    assert sorted(sentence.split(".")[0] for sentence in told) == sorted([*BAD, "noise"])
    for sentence in told:
        assert sentence.count("\n") == 0
        assert sentence.endswith(".")
        assert "Error" not in sentence


def test_a_locked_file_is_named(folder, cache, monkeypatch):
    soundfile.write(folder / "brook.wav", hiss(5), RATE)
    soundfile.write(folder / "locked.wav", hiss(5), RATE)
    real = recordings._Store._key

    def refuse(store, path):
        if path.name == "locked.wav":
            raise PermissionError(13, "Permission denied")
        return real(store, path)

    monkeypatch.setattr(recordings._Store, "_key", refuse)
    told = []
    assert [bed.name for bed in prepare(folder, RATE, 2, cache, told.append)] == ["brook"]
    assert told == ["locked.wav is left out: it cannot be read (Permission denied)."]


def test_odd_names_stay_on_one_line(folder, cache):
    for name in (b"two\nlines.wav", b"caf\xe9.wav"):
        (folder / os.fsdecode(name)).write_text("no sound")
    soundfile.write(folder / "brook.wav", hiss(5), RATE)
    told = []
    prepare(folder, RATE, 2, cache, told.append)
    assert sorted(told) == [
        r"caf\xe9.wav is left out: it cannot be read as sound.",
        r"two\nlines.wav is left out: it cannot be read as sound.",
    ]


def test_a_name_that_is_not_text_plays(folder, cache):
    soundfile.write(folder / "brook.wav", hiss(5), RATE)
    (folder / "brook.wav").rename(folder / os.fsdecode(b"caf\xe9.wav"))
    assert len(only(folder, cache).loop) > RATE


def test_nothing_usable_says_what_to_do(folder, cache, tmp_path):
    with pytest.raises(AudioFileError, match="put wav, flac"):
        prepare(folder, RATE, 2, cache, never)
    bad_file(folder, "text")
    told = []
    with pytest.raises(AudioFileError, match="put wav, flac"):
        prepare(folder, RATE, 2, cache, told.append)
    assert len(told) == 1
    with pytest.raises(AudioFileError, match="name a folder"):
        prepare(tmp_path / "missing", RATE, 2, cache, never)
    with pytest.raises(AudioFileError, match="name a folder"):
        prepare(folder / "text.wav", RATE, 2, cache, never)
    with pytest.raises(AudioFileError, match="File name too long"):
        prepare(tmp_path / ("x" * 300), RATE, 2, cache, never)
    with pytest.raises(AudioFileError, match="name a folder"):
        prepare(tmp_path / "a\0b", RATE, 2, cache, never)


def test_what_was_prepared_is_not_prepared_again(folder, cache, monkeypatch):
    soundfile.write(folder / "brook.wav", hiss(5), RATE)
    first = only(folder, cache)
    files = {path.name: path.stat().st_mtime_ns for path in cache.iterdir()}
    # A recording is known by what is in it, under whatever name.
    (folder / "brook.wav").rename(folder / "stream.wav")
    monkeypatch.setattr(recordings, "_read", lambda *_: never("read again"))
    second = only(folder, cache)
    assert second.name == "stream"
    np.testing.assert_array_equal(first.loop, second.loop)
    np.testing.assert_array_equal(first.spectrum, second.spectrum)
    assert isinstance(second.loop, np.memmap)
    assert not second.loop.flags.writeable
    assert {path.name: path.stat().st_mtime_ns for path in cache.iterdir()} == files
    monkeypatch.undo()
    only(folder, cache, channels=1)
    assert len(list(cache.iterdir())) == 2 * len(files)


def test_another_content_under_the_same_name_is_another_recording(folder, cache):
    soundfile.write(folder / "brook.wav", hiss(5, seed=1), RATE)
    first = np.array(only(folder, cache).loop)
    soundfile.write(folder / "brook.wav", hiss(5, seed=2), RATE)
    assert not np.array_equal(first, only(folder, cache).loop)


def test_a_recording_made_once_is_found_even_where_it_is_as_short_as_may_be(folder, cache, monkeypatch):
    soundfile.write(folder / "brook.wav", hiss(3.1), RATE)
    first = only(folder, cache)
    monkeypatch.setattr(recordings, "_read", lambda *_: never("read again"))
    np.testing.assert_array_equal(first.loop, only(folder, cache).loop)


@pytest.mark.parametrize(
    "loop",
    [
        np.full((5 * RATE, 2), np.nan, np.float32),
        np.zeros((5 * RATE, 2), np.float32),
        np.zeros((0, 2), np.float32),
        np.zeros((100, 2), np.float32),
        np.ones((5 * RATE, 3), np.float32),
        np.ones((5 * RATE, 2), np.float64),
        np.float32(1.0),
    ],
    ids=["nan", "silence", "nothing", "short", "channels", "dtype", "scalar"],
)
def test_a_loop_that_is_not_what_was_kept_is_made_again(folder, cache, loop):
    soundfile.write(folder / "brook.wav", hiss(5), RATE)
    whole = np.array(only(folder, cache).loop)
    (path,) = cache.glob("*.npy")
    np.save(path, loop)
    np.testing.assert_array_equal(only(folder, cache).loop, whole)


@pytest.mark.parametrize("name", ["*.npy", "*.npz"])
@pytest.mark.parametrize("place", [0, 30, 100, 3_000, -30])
def test_one_changed_byte_is_noticed(folder, cache, name, place):
    soundfile.write(folder / "brook.wav", hiss(5), RATE)
    bed = only(folder, cache)
    loop, spectrum = np.array(bed.loop), bed.spectrum
    (path,) = cache.glob(name)
    content = bytearray(path.read_bytes())
    content[place] ^= 0x55
    path.unlink()
    path.write_bytes(content)
    again = only(folder, cache)
    np.testing.assert_array_equal(again.loop, loop)
    np.testing.assert_array_equal(again.spectrum, spectrum)


@pytest.mark.parametrize("damage", [b"", b"junk", b"\x93NUMPY", b"PK\3\4"])
def test_a_damaged_cache_is_made_again(folder, cache, damage):
    soundfile.write(folder / "brook.wav", hiss(5), RATE)
    whole = np.array(only(folder, cache).loop)
    for path in cache.iterdir():
        path.write_bytes(damage)
    np.testing.assert_array_equal(only(folder, cache).loop, whole)


def test_a_cache_that_cannot_be_written_is_said_once_and_the_beds_play(folder, tmp_path):
    for name in ("one", "two"):
        soundfile.write(folder / f"{name}.wav", hiss(5, seed=len(name)), RATE)
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the cache should be")
    told = []
    beds = prepare(folder, RATE, 2, blocked, told.append)
    assert len(beds) == 2
    assert len(told) == 1
    assert str(blocked) in told[0]
    assert np.isfinite(Beds(beds, RATE, RATE).render(1, Beds(beds, RATE, RATE).first(1))).all()


def test_a_full_disk_leaves_no_half_file(folder, cache, monkeypatch):
    soundfile.write(folder / "brook.wav", hiss(5), RATE)

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    told = []
    (bed,) = prepare(folder, RATE, 2, cache, told.append)
    assert len(bed.loop) > RATE
    assert len(told) == 1
    assert list(cache.iterdir()) == []
