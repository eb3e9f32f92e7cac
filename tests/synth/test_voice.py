from itertools import pairwise

import listening
import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt

from appliance.spectrum import codec
from appliance.synth.voice import Texture, Voice

RATE = 48_000


def noise_power(above_hz: float = 40.0) -> codec.Floats:
    power = codec.power(np.linspace(0.75, 0.45, codec.BINS).astype(np.float32))
    power[codec.bin_hz() < above_hz] = 0.0
    return power


def chord_power(*fundamentals: float) -> codec.Floats:
    time = np.arange(2 * RATE) / RATE
    sound = sum(
        0.05 / number * np.sin(2 * np.pi * hz * number * time + hz) for hz in fundamentals for number in range(1, 9)
    )
    return codec.power(codec.analyse(np.asarray(sound), RATE))


def texture(voice: Voice, power: codec.Floats, width: float, seed: int, hop: int) -> Texture:
    return Texture(voice.split(power[np.newaxis])[0], width, seed, hop)


def play(voice: Voice, power: codec.Floats, hops: int, width: float = 0.7, seed: int = 1) -> codec.Floats:
    """Sound of a spectrum that does not change, without the first hop, which fades in."""
    out, before = [], None
    for hop in range(0, hops + 1, 2):
        for clip in voice.clips((texture(voice, power, width, seed, hop), texture(voice, power, width, seed, hop + 1))):
            block = np.empty((voice.hop_frames, voice.channels), dtype=np.float32)
            voice.join(before, clip, block)
            out.append(block)
            before = clip
    return np.concatenate(out[1 : hops + 1])


@pytest.fixture(scope="module")
def stereo():
    return Voice(RATE, 2)


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize("width", [0.0, 0.7, 1.0])
def test_every_channel_carries_the_power_of_the_spectrum(channels, width):
    power = noise_power() + chord_power(110.0, 277.2)
    power[codec.bin_hz() > 18_000] = 0.0
    sound = play(Voice(RATE, channels), power, 40, width)
    level_db = 10 * np.log10(np.mean(sound.astype(np.float64) ** 2, axis=0) / power.sum())
    assert level_db == pytest.approx(0.0, abs=1.0)
    assert 10 * np.log10(np.mean(10 ** (level_db / 10))) == pytest.approx(0.0, abs=0.3)


def test_other_rates_sound_the_same():
    power = noise_power()
    power[codec.bin_hz() > 10_000] = 0.0
    for rate in (22_050, 44_100, 96_000):
        sound = play(Voice(rate, 2), power, 10)
        assert 10 * np.log10(np.mean(sound**2) / power.sum()) == pytest.approx(0.0, abs=0.4)


def test_a_clip_depends_on_its_own_texture_alone(stereo):
    one = texture(stereo, noise_power(), 0.7, 3, 4)
    others = [texture(stereo, chord_power(220.0), 0.1, 9, 5), texture(stereo, noise_power() * 0.1, 1.0, 3, 3)]
    alone = [clip.copy() for clip in (stereo.clips((one, one))[0].head, stereo.clips((one, one))[0].tail)]
    for first, second, place in ((one, others[0], 0), (others[1], one, 1)):
        clip = stereo.clips((first, second))[place]
        assert np.array_equal(clip.head, alone[0])
        assert np.array_equal(clip.tail, alone[1])


def test_width_sets_the_correlation_and_mono_loses_nothing_but_width(stereo):
    power = noise_power(above_hz=300)
    for width in (0.0, 0.3, 0.7, 1.0):
        sound = play(stereo, power, 20, width)
        assert np.corrcoef(sound.T)[0, 1] == pytest.approx(1.0 - width, abs=0.1)
    assert 20 * np.log10(np.std(sound.mean(axis=1)) / np.std(sound)) == pytest.approx(-3.0, abs=0.5)


def test_bass_is_the_same_in_all_channels(stereo):
    sound = play(stereo, noise_power(), 20, 1.0)
    low = sosfiltfilt(butter(6, 100, fs=RATE, output="sos"), sound, axis=0)
    assert np.corrcoef(low.T)[0, 1] > 0.95


@pytest.mark.parametrize("power", [noise_power(above_hz=0.0), chord_power(27.5)], ids=["noise", "tones"])
def test_what_lies_below_35_hz_is_not_played(stereo, power):
    sound = play(stereo, power, 60)[:, 0]
    window = np.hanning(len(sound))
    lines = np.abs(np.fft.rfft(sound * window)) ** 2 * (2.0 / (len(sound) * np.sum(window**2)))
    hz = np.fft.rfftfreq(len(sound), 1.0 / RATE)

    def lost_db(low_hz: float, high_hz: float) -> float:
        wanted = power[(codec.bin_hz() >= low_hz) & (codec.bin_hz() < high_hz)].sum()
        return float(10.0 * np.log10(wanted / lines[(hz >= low_hz) & (hz < high_hz)].sum()))

    assert lost_db(20.0, 30.5) > 30.0
    assert lost_db(39.0, 300.0) == pytest.approx(0.0, abs=0.6)


@pytest.mark.parametrize("hz", [55.0, 110.0, 220.0, 440.0, 880.0])
def test_a_held_tone_is_steady(stereo, hz):
    """Two bins of random phase would tremble by 5 dB."""
    assert listening.partial_steadiness_db(play(stereo, chord_power(hz), 24), RATE, hz) < 2.0


def test_noise_of_neighbouring_clips_is_unrelated(stereo):
    """Else the equal-power fades would swell where they cross."""
    power = noise_power(above_hz=2000)
    clips = [
        stereo.clips((texture(stereo, power, 0.7, 5, hop), texture(stereo, power, 0.7, 5, hop + 1)))[0]
        for hop in range(0, 12, 2)
    ]
    whole = [np.concatenate([clip.head, clip.tail]).T for clip in clips]
    for one, other in pairwise(whole):
        for left in range(2):
            for right in range(2):
                assert abs(np.corrcoef(one[left], other[right])[0, 1]) < 0.05
    assert abs(np.corrcoef(whole[0])[0, 1]) < 0.05


def test_seeds_and_hops_give_other_noise(stereo):
    power = noise_power(above_hz=2000)
    one, other = (stereo.clips((texture(stereo, power, 0.7, seed, 0),) * 2)[0].head[:, 0].copy() for seed in (1, 2))
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.05


def test_silence_is_silent(stereo):
    assert not play(stereo, np.zeros(codec.BINS, dtype=np.float32), 2).any()
