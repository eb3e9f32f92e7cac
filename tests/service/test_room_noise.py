"""The reference noise is what it is said to be, and plays only where the player does not."""

import os
import threading
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest

from appliance.errors import CardError, RingError
from appliance.service.room_noise import play_noise, reference_noise
from appliance.stream.fake_card import FakeCard
from appliance.stream.ring import claim

RATE = 48_000


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    return reference_noise(RATE, 2, -20.0, np.random.default_rng(0))


@pytest.mark.parametrize(("rate", "channels", "lufs"), [(48_000, 2, -20.0), (44_100, 1, -30.0), (96_000, 2, -18.0)])
def test_it_is_as_loud_as_it_says(rate: int, channels: int, lufs: float) -> None:
    noise = reference_noise(rate, channels, lufs, np.random.default_rng(1))
    assert noise.dtype == np.float32
    assert pyloudnorm.Meter(rate).integrated_loudness(noise.astype(float)) == pytest.approx(lufs, abs=0.3)
    assert np.abs(noise).max() < 0.89


def test_it_falls_by_three_decibels_an_octave_within_its_band(noise: np.ndarray) -> None:
    power = np.abs(np.fft.rfft(noise[:, 0])) ** 2
    hz = np.fft.rfftfreq(len(noise), 1.0 / RATE)

    def octave_db(low_hz: float) -> float:
        return 10.0 * np.log10(power[(hz >= low_hz) & (hz < 2.0 * low_hz)].sum())

    levels_db = [octave_db(low_hz) for low_hz in (200.0, 400.0, 800.0, 1600.0, 3200.0)]
    assert np.ptp(levels_db) < 0.5
    assert max(octave_db(25.0), octave_db(11_000.0)) < min(levels_db) - 60.0


def test_its_channels_differ_and_it_has_no_seam(noise: np.ndarray) -> None:
    assert abs(np.corrcoef(noise.T)[0, 1]) < 0.05
    steps = np.abs(np.diff(np.concatenate([noise, noise[:1]]), axis=0))
    assert steps[-1].max() <= steps[:-1].max()


class Stage:
    """A card that only pretends, and what was said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.card = FakeCard(RATE, 2)
        self.said: list[str] = []
        self.stop = threading.Event()

    def play(self, seconds: float) -> None:
        play_noise((), (RATE, 2), -20.0, seconds, self.folder, self.stop, self.said.append, lambda *_: self.card)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_it_fades_in_and_out_and_lasts_as_long_as_it_is_to(stage: Stage) -> None:
    stage.play(6.0)
    heard = stage.card.frames
    assert len(heard) == pytest.approx(6.0 * RATE, abs=1024)
    assert np.abs(heard[:480]).max() < 1e-3
    assert np.abs(heard[-480:]).max() < 1e-3
    middle = heard[2 * RATE : 4 * RATE]
    assert pyloudnorm.Meter(RATE).integrated_loudness(middle.astype(float)) == pytest.approx(-20.0, abs=0.5)
    assert stage.card.closed
    assert stage.said == ["Pink noise at -20 LUFS plays on fake."]


def test_told_to_stop_it_fades_out(stage: Stage) -> None:
    real = stage.card.write

    def write(block: np.ndarray) -> None:
        real(block)
        if stage.card.taken_frames > 3 * RATE:
            stage.stop.set()

    stage.card.write = write
    stage.play(600.0)
    assert 3.5 * RATE < stage.card.taken_frames < 4.5 * RATE
    assert np.abs(stage.card.frames[-480:]).max() < 1e-3


def test_while_the_player_plays_it_is_refused(stage: Stage) -> None:
    lock = claim(stage.folder, "player")
    try:
        with pytest.raises(RingError, match=r"The player has the sound card: end `latent play`, or `sudo systemctl"):
            stage.play(1.0)
    finally:
        os.close(lock)
    assert not stage.card.started
    stage.play(1.0)


def test_a_card_that_goes_away_is_let_go(stage: Stage) -> None:
    def write(_: np.ndarray) -> None:
        raise CardError("The sound card is gone.")

    stage.card.write = write
    with pytest.raises(CardError):
        stage.play(1.0)
    assert stage.card.closed
    os.close(claim(stage.folder, "player"))
