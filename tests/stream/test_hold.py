"""The hold goes on for ever, as even as what it is made of, and leaves what is spoilt."""

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from listening import clicks, modulation_line_db

from appliance.stream import hold
from appliance.stream.hold import Wander
from appliance.stream.places import Places

RATE = 16_000
FRAMES = 64 * RATE


def music(seconds: float = 64.0, seed: int = 1, channels: int = 2) -> np.ndarray:
    """Swelling bands of noise over a steady chord at about -20 dBFS."""
    rng = np.random.default_rng(seed)
    frames = round(seconds * RATE)
    time = np.arange(frames)[:, np.newaxis] / RATE
    sound = np.zeros((frames, channels))
    hz = np.fft.rfftfreq(frames, 1.0 / RATE)[:, np.newaxis]
    for low_hz in (100.0, 400.0, 1600.0):
        lines = np.fft.rfft(rng.standard_normal((frames, channels)), axis=0)
        band = np.fft.irfft(lines * ((hz > low_hz) & (hz < 4.0 * low_hz)), frames, axis=0)
        swell = 1.0 + 0.5 * np.sin(2.0 * np.pi * (time / rng.uniform(15.0, 40.0) + rng.uniform()))
        sound += band / np.std(band) * swell * 0.05
    for tone_hz in (110.0, 164.81, 220.3):
        sound += 0.03 * np.sin(2.0 * np.pi * tone_hz * time + rng.uniform(0.0, 6.0, channels))
    return sound.astype(np.float32)


def tone(hz: float, other: float = 1.0) -> np.ndarray:
    one = 0.2 * np.sin(2.0 * np.pi * hz * np.arange(FRAMES) / RATE)
    return np.stack([one, other * one], axis=1).astype(np.float32)


def level_db(sound: np.ndarray, seconds: float = 3.0) -> np.ndarray:
    """Level of windows of so many seconds, in dB."""
    width = round(seconds * RATE)
    whole = sound[: len(sound) // width * width].reshape(-1, width * sound.shape[1])
    return 10.0 * np.log10(np.maximum(np.mean(np.square(whole, dtype=np.float64), axis=1), 1e-12))


def largest_step(sound: np.ndarray) -> float:
    return float(np.abs(np.diff(sound, axis=0)).max())


@pytest.fixture
def stretches(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """First and last frame of each stretch that was played."""
    seen: list[tuple[int, int]] = []
    played = Places.played

    def spy(self: Places, entry: int, end: int) -> None:
        seen.append((entry, end))
        played(self, entry, end)

    monkeypatch.setattr(Places, "played", spy)
    return seen


def test_it_goes_on_as_even_as_its_source(stretches: list[tuple[int, int]]) -> None:
    source = music()
    sound = Wander(source, 0, RATE, seed=7).read(600 * RATE)
    assert len(stretches) > 20
    own = level_db(source)
    assert own.min() - 1.5 < level_db(sound).min()
    assert level_db(sound).max() < own.max() + 1.5
    assert largest_step(sound) < 1.1 * largest_step(source)
    assert clicks(sound, RATE) == 0.0
    assert modulation_line_db(sound, RATE, 1024 * 16 / RATE) < 2.0


def test_a_hard_change_of_place_would_be_heard() -> None:
    source = tone(440.0)
    cut = np.concatenate([source[at : at + RATE // 2] for at in range(0, 20 * RATE, 3 * RATE // 2 + 7)])
    assert clicks(cut, RATE) > 0.0
    assert largest_step(cut) > 1.1 * largest_step(source)


def test_it_has_no_period(stretches: list[tuple[int, int]]) -> None:
    curve = level_db(Wander(music(), 0, RATE, seed=3).read(1200 * RATE), 1.0)
    curve -= curve.mean()
    spectrum = np.fft.rfft(curve, 4 * len(curve))
    likeness = np.fft.irfft(np.abs(spectrum) ** 2)[: len(curve) // 2]
    assert (likeness / likeness[0])[60:].max() < 0.5
    entries = np.array([entry for entry, _ in stretches])
    assert (np.abs(np.diff(entries)) > RATE).all()
    lengths = np.diff([end for _, end in stretches])
    assert len(set(lengths.tolist())) > 0.9 * len(lengths)


def test_the_seam_of_the_circle_is_never_crossed(stretches: list[tuple[int, int]]) -> None:
    Wander(music(), 0, RATE, seed=5).read(900 * RATE)
    assert min(entry for entry, _ in stretches) >= 0
    assert max(end for _, end in stretches) <= FRAMES
    # Neither is any part left unheard for good.
    heard = np.zeros(64, dtype=bool)
    for entry, end in stretches:
        heard[entry // RATE : -(-end // RATE)] = True
    assert heard[2:62].all()


@pytest.mark.parametrize(("hz", "other"), [(110.0, 1.0), (110.37, -1.0), (1003.3, 0.0)])
def test_a_tone_stays_steady(hz: float, other: float, stretches: list[tuple[int, int]]) -> None:
    source = tone(hz, other)
    sound = Wander(source, 0, RATE, seed=2).read(300 * RATE)
    assert len(stretches) > 8
    assert np.ptp(level_db(sound, 0.1)) < 0.5
    assert largest_step(sound) < 1.02 * largest_step(source)


def test_without_phase_and_correlation_a_tone_would_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def uncorrected(*_: object) -> object:
        yield
        return np.ones(2, dtype=np.float32)

    monkeypatch.setattr(hold, "steady_gains", uncorrected)
    monkeypatch.setattr(hold, "in_phase", lambda _survey, _reference, at, _frames: at)
    sound = Wander(tone(110.0), 0, RATE, seed=2).read(300 * RATE)
    assert np.ptp(level_db(sound, 0.1)) > 2.0


def test_sound_that_repeats_itself_does_not_bulge() -> None:
    rng = np.random.default_rng(0)
    source = np.tile(0.1 * rng.standard_normal((8 * RATE, 2)), (8, 1)).astype(np.float32)
    sound = Wander(source, 0, RATE, seed=2).read(300 * RATE)
    assert np.ptp(level_db(sound, 0.5)) < 1.0


@pytest.mark.parametrize("seed", range(4))
def test_it_begins_with_what_sounds_like_the_end(seed: int, stretches: list[tuple[int, int]]) -> None:
    source = np.concatenate([tone(hz)[: 16 * RATE] for hz in (220.0, 700.0, 220.0, 700.0)])
    sound = Wander(source, 0, RATE, seed).read(RATE)
    lines = np.abs(np.fft.rfft(sound[:, 0]))
    assert abs(int(lines.argmax()) - 700) <= 1
    # It goes on in phase: the join is no step larger than the tone's own.
    assert abs(float(sound[0, 0] - source[-1, 0])) < 1.1 * largest_step(tone(700.0))


@pytest.mark.parametrize("seed", range(4))
def test_it_does_not_begin_with_the_newest_seconds(seed: int, stretches: list[tuple[int, int]]) -> None:
    Wander(music(seed=seed), 0, RATE, seed).read(60 * RATE)
    assert stretches[0][0] < FRAMES - 5 * RATE - 8 * RATE


def test_the_same_seed_gives_the_same_sound_however_it_is_read() -> None:
    source = music(20.0)
    whole = Wander(source, 0, RATE, seed=4).read(60 * RATE)
    wander = Wander(source, 0, RATE, seed=4)
    sizes = [1, 511, 512, 1024, 3000, 48_000]
    parts = [wander.read(sizes[number % len(sizes)]) for number in range(100)]
    parts = np.concatenate(parts)[: len(whole)]
    np.testing.assert_array_equal(parts, whole[: len(parts)])
    assert not np.array_equal(Wander(source, 0, RATE, seed=5).read(60 * RATE), whole)


def test_where_the_circle_begins_makes_no_difference() -> None:
    source = music(20.0)
    turned = np.roll(source, 12_345, axis=0)
    np.testing.assert_array_equal(
        Wander(turned, 12_345, RATE, seed=4).read(60 * RATE), Wander(source, 0, RATE, seed=4).read(60 * RATE)
    )


@pytest.mark.parametrize("seconds", [4.0, 5.5, 10.0, 33.0])
def test_a_recording_that_is_filled_in_part(seconds: float) -> None:
    filled = round(seconds * RATE)
    source = np.full((FRAMES, 2), np.nan, dtype=np.float32)
    source[:filled] = music(seconds)
    sound = Wander(source, filled, RATE, seed=1, frames=filled).read(120 * RATE)
    assert np.isfinite(sound).all()
    own = level_db(source[:filled], 0.25)
    assert own.min() - 3.0 < level_db(sound, 0.25).min()


def test_what_is_read_belongs_to_the_caller() -> None:
    source = music(20.0)
    source.flags.writeable = False
    expected = Wander(source, 0, RATE, seed=4).read(40_000)
    wander = Wander(source, 0, RATE, seed=4)
    for at in range(0, 40_000, 1000):
        part = wander.read(1000)
        np.testing.assert_array_equal(part, expected[at : at + 1000])
        part[:] = 9.0


def spoilt(kind: str, rng: np.random.Generator, frames: int) -> np.ndarray:
    return {
        "nan": np.full((frames, 2), np.nan),
        "inf": np.full((frames, 2), -np.inf),
        "shout": np.full((frames, 2), 30.0),
        "noise": rng.uniform(-1.0, 1.0, (frames, 2)),
        "silence": np.zeros((frames, 2)),
    }[kind].astype(np.float32)


@pytest.mark.parametrize("kind", ["nan", "inf", "shout", "noise", "silence"])
def test_what_is_spoilt_beforehand_is_never_heard(kind: str) -> None:
    rng = np.random.default_rng(3)
    source = music()
    for at in range(2 * RATE, FRAMES, 17 * RATE):
        source[at : at + RATE // 2] = spoilt(kind, rng, RATE // 2)
    sound = Wander(source, 0, RATE, seed=6).read(300 * RATE)
    assert np.isfinite(sound).all()
    own = level_db(music(), 0.1)
    assert own.min() - 1.5 < level_db(sound, 0.1).min()
    assert level_db(sound, 0.1).max() < own.max() + 1.5


@pytest.mark.parametrize("kind", ["nan", "shout", "silence"])
def test_what_is_spoilt_ahead_while_playing_is_left_in_time(kind: str, stretches: list[tuple[int, int]]) -> None:
    rng = np.random.default_rng(3)
    source = music()
    wander = Wander(source, 0, RATE, seed=6)
    sound = [wander.read(RATE)]
    first = wander._at
    source[first + 6 * RATE : first + 9 * RATE] = spoilt(kind, rng, 3 * RATE)
    sound.append(wander.read(60 * RATE))
    heard = np.concatenate(sound)
    # A quarter of a cell may be silent without being seen.
    assert stretches[0][1] <= first + 6 * RATE + RATE // 20
    own = level_db(music(), 0.1)
    assert own.min() - 1.5 < level_db(heard, 0.1).min()
    assert level_db(heard, 0.1).max() < own.max() + 1.5


@pytest.mark.parametrize("kind", ["nan", "inf", "shout", "noise", "silence"])
@pytest.mark.parametrize("when_s", [5.0, 21.0, 33.3])
def test_when_all_of_it_is_spoilt_it_ends_in_silence_and_says_so(kind: str, when_s: float) -> None:
    rng = np.random.default_rng(3)
    source = music()
    wander = Wander(source, 0, RATE, seed=6)
    before = wander.read(round(when_s * RATE))
    assert not wander.lost
    source[:] = spoilt(kind, rng, FRAMES)
    after = wander.read(RATE)
    assert np.isfinite(after).all()
    assert np.abs(after).max() <= np.abs(before).max()
    assert wander.lost
    assert not wander.read(RATE).any()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(0, 40))
def test_it_is_finite_and_no_louder_than_fades_can_make_it(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    source = music(16.0)
    wander = Wander(source, 0, RATE, seed)
    for _ in range(count):
        bits = rng.integers(0, 2**32, (rng.integers(1, RATE), 2), dtype=np.uint32)
        at = int(rng.integers(0, len(source) - len(bits)))
        source[at : at + len(bits)] = bits.view(np.float32)
        part = wander.read(int(rng.integers(1, 2 * RATE)))
        assert np.isfinite(part).all()
        assert np.abs(part).max() <= 2.0


def test_half_precision_will_do() -> None:
    source = music().astype(np.float16)
    sound = Wander(source, 0, RATE, seed=7).read(60 * RATE)
    assert sound.dtype == np.float32
    assert np.abs(level_db(sound).mean() - level_db(source.astype(np.float32)).mean()) < 1.5


def test_it_copies_no_more_than_it_needs() -> None:
    rate = 48_000
    source = np.tile(music(16.0), (12, 1))[: 64 * rate]
    assert source.nbytes > 20e6
    tracemalloc.start()
    try:
        wander = Wander(source, 0, rate, seed=7)
        for _ in range(1500):
            wander.read(1024)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2e6


@pytest.mark.parametrize(
    ("make", "good"),
    [
        (lambda: music(), True),
        (lambda: music(4.0), True),
        (lambda: music() * np.float32(0.0), False),
        (lambda: music() * np.float32(1e-5), False),
        (lambda: np.full((FRAMES, 2), np.nan, dtype=np.float32), False),
        (lambda: np.random.default_rng(0).uniform(-1.0, 1.0, (FRAMES, 2)).astype(np.float32), False),
        (lambda: music() + np.float32(2.0), False),
        (lambda: np.zeros((0, 2), dtype=np.float32), False),
    ],
    ids=["music", "4 s", "silence", "whisper", "nan", "noise", "offset", "nothing"],
)
def test_what_can_be_used(make: Callable[[], np.ndarray], good: bool) -> None:
    source = make()
    wander = Wander(source, 0, RATE, seed=1)
    assert wander.lost is not good
    assert wander.read(5000).any() == good


def test_four_good_seconds_in_a_row_are_enough() -> None:
    source = np.full((FRAMES, 2), np.nan, dtype=np.float32)
    source[10 * RATE + 99 : 14 * RATE + 99] = music(4.0)
    sound = Wander(source, 0, RATE, seed=1).read(120 * RATE)
    assert np.isfinite(sound).all()
    assert level_db(sound, 0.25).min() > level_db(music(4.0), 0.25).min() - 3.0


def test_what_cannot_be_a_recording() -> None:
    with pytest.raises(ValueError, match="float32 or float16"):
        Wander(np.zeros((FRAMES, 2)), 0, RATE, seed=1)
    with pytest.raises(ValueError, match="are said to be"):
        Wander(np.zeros((FRAMES, 2), dtype=np.float32), 0, RATE, seed=1, frames=FRAMES + 1)
