"""What is steady, and what is not, on sounds whose restlessness is known."""

from collections.abc import Callable

import numpy as np
import pytest
from mixed_folder import Sound, chord, levelled, noise, struck, time_of

from appliance.spectrum.codec import Floats
from appliance.studio.gathering.steady import REASONS, Limits, Stretch, choose, common_reason, rate_window

RATE = 44_100
SECONDS = 4.0
T = time_of(SECONDS, RATE)
PAD = chord(SECONDS, RATE, (110.0, 165.0, 220.7), 12)


def window(sound: Sound) -> Floats:
    return sound.astype(np.float32).reshape(len(sound), -1)


def tremolo(hz: float, swing_db: float) -> Sound:
    return levelled(PAD * 10 ** (swing_db / 2 * np.sin(2 * np.pi * hz * T) / 20))


def kick(t: Sound) -> Sound:
    return np.sin(2 * np.pi * (50 * t + 1.2 * (1 - np.exp(-t / 0.03))))


def hiss(t: Sound) -> Sound:
    return np.random.default_rng(1).normal(size=len(t))


def pluck(t: Sound) -> Sound:
    return np.sum([np.sin(2 * np.pi * 220 * k * t) / k for k in range(1, 9)], axis=0)


@pytest.mark.parametrize(
    "sound",
    [
        PAD,
        noise(SECONDS, RATE, 1, 20, 20_000),
        noise(SECONDS, RATE, 2, 20, 20_000, 1.0),
        noise(SECONDS, RATE, 3, 200, 300),
        chord(SECONDS, RATE, (220, 221.5, 330)),
        tremolo(5.0, 4.0),
        tremolo(0.2, 6.0),
        chord(SECONDS, RATE, (300, 721, 1_103), 1) * np.exp(-T / 4),
        PAD + 0.1 * struck(SECONDS, RATE, 0.7, 0.3, pluck),
        1e-2 * PAD,
    ],
    ids=["pad", "white", "brown", "band", "beating", "tremolo", "swell", "bell", "faint-plucks", "quiet"],
)
def test_steady_sounds_may_be_used(sound: Sound) -> None:
    stretches = rate_window(window(sound), RATE, Limits())
    assert [one.start_s for one in stretches] == pytest.approx(np.arange(21) / 10)
    assert common_reason(stretches) == ""
    assert min(one.unrest for one in stretches) < 0.5


@pytest.mark.parametrize(
    ("reason", "sound"),
    [
        ("transients", struck(SECONDS, RATE, 0.5, 0.1, kick)),
        ("transients", struck(SECONDS, RATE, 0.25, 0.03, hiss)),
        ("transients", struck(SECONDS, RATE, 0.7, 0.4, pluck)),
        ("transients", PAD + struck(SECONDS, RATE, 0.5, 0.08, hiss)),
        ("transients", chord(SECONDS, RATE, (120,), 20, 0.7) * np.clip(np.sin(14 * T), 0, None)),
        ("transients", tremolo(3.0, 24.0)),
        ("fading", PAD * 10 ** (-12 * T / 20)),
        ("fading", PAD * 10 ** (12 * (T - SECONDS) / 20)),
        ("clipping", np.clip(levelled(PAD, 1.5), -1, 1)),
        ("clipping", np.clip(levelled(noise(SECONDS, RATE, 4, 20, 2_000), 1.5), -0.999, 0.999)),
        ("silence", 0.0 * PAD),
        ("silence", 2e-3 * PAD),
        ("silence", 0.0 * PAD + 0.3),
        ("not finite", np.where(T > 3, np.nan, PAD)),
        ("not finite", np.where(T > 3, np.inf, PAD)),
    ],
)
def test_others_may_not_and_the_reason_is_told(reason: str, sound: Sound) -> None:
    stretches = rate_window(window(sound), RATE, Limits())
    assert {one.reason for one in stretches} == {reason}
    assert common_reason(stretches) == reason
    assert reason in REASONS


@pytest.mark.parametrize("bits", [8, 16])
def test_sound_that_only_just_reaches_full_scale_is_not_clipped(bits: int) -> None:
    steps = 2 ** (bits - 1)
    sine = levelled(np.sin(2 * np.pi * 60 * T), (steps - 1) / steps)
    stretches = rate_window(window(np.round(sine * steps) / steps), RATE, Limits())
    assert common_reason(stretches) == ""


def test_only_the_restless_part_of_a_window_is_left_out() -> None:
    sound = PAD.copy()
    sound[RATE // 2 : RATE // 2 + 3_000] += 3 * hiss(T[:3_000])
    reasons = [one.reason for one in rate_window(window(sound), RATE, Limits())]
    assert reasons[0] == "transients"
    assert set(reasons[7:]) == {""}


@pytest.mark.parametrize("rate", [4_000, 8_000, 11_025, 32_000, 96_000, 192_000])
def test_the_rate_does_not_matter(rate: int) -> None:
    held = window(chord(3.0, rate, (110.0, 220.7)))
    hit = window(struck(3.0, rate, 0.5, 0.1, pluck))
    assert common_reason(rate_window(held, rate, Limits())) == ""
    assert common_reason(rate_window(hit, rate, Limits())) == "transients"


def test_channels_out_of_phase_are_heard() -> None:
    def wide(sound: Sound) -> Floats:
        return np.stack([sound, -sound], axis=1).astype(np.float32)

    assert common_reason(rate_window(wide(PAD), RATE, Limits())) == ""
    assert common_reason(rate_window(wide(struck(SECONDS, RATE, 0.5, 0.1, kick)), RATE, Limits())) == "transients"


def test_the_level_does_not_matter_however_far_above_full_scale() -> None:
    plain = rate_window(window(PAD), RATE, Limits())
    for gain in (0.01, 32_768.0, 1e15):
        louder = rate_window(window(PAD * gain), RATE, Limits())
        assert [one.unrest for one in louder] == pytest.approx([one.unrest for one in plain], abs=0.01)


def test_drift_and_flutter_are_measured() -> None:
    held = noise(SECONDS, RATE, 1, 500, 20_000)
    fading = rate_window(window(held * 10 ** (-2 * T / 20)), RATE, Limits())[0]
    assert fading.drift_db == pytest.approx(-2.0, abs=0.3)
    # A sine has a standard deviation of 0.707 of its height.
    swinging = rate_window(window(held * 10 ** (3 * np.sin(2 * np.pi * T) / 20)), RATE, Limits())[0]
    assert swinging.flutter_db == pytest.approx(2.1, abs=0.3)


def row(*unrests: float, spoilt: Callable[[int], bool] = lambda at: False) -> list[Stretch]:
    return [Stretch(float(at), unrest, 0.0, 0.0, "fading" * spoilt(at)) for at, unrest in enumerate(unrests)]


def test_the_calmest_that_lie_apart_are_chosen() -> None:
    assert [one.start_s for one in choose(row(5, 1, 2, 5, 5, 3, 5), 2, 2.0)] == [1.0, 5.0]
    assert [one.start_s for one in choose(row(5, 1, 2, 5, 5, 3, 5), 1, 2.0)] == [1.0]


def test_many_come_before_calm() -> None:
    # The calmest, in the middle, would leave no room for others.
    assert [one.start_s for one in choose(row(2, 2, 1, 2, 2), 3, 2.0)] == [0.0, 2.0, 4.0]
    assert [one.start_s for one in choose(row(2, 1, 2, 2), 3, 2.0)] == [1.0, 3.0]


def test_none_is_chosen_for_a_reason_or_of_nothing() -> None:
    assert [one.start_s for one in choose(row(1, 1, 5, spoilt=lambda at: at < 2), 3, 1.0)] == [2.0]
    assert choose(row(1, 1, spoilt=lambda at: True), 3, 1.0) == []
    assert choose([], 3, 1.0) == []
