"""Loudness and rests are found where they are."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from levels import Momentary, Rests, loudness, rests
from made import RATE, clock, noise

from appliance.spectrum.codec import Floats

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")


def rested(audio: Floats) -> Rests:
    """Find the rests in sound."""
    meter = Momentary(RATE, audio.shape[1])
    meter.add(audio)
    found = rests(meter.momentary_lufs(), meter.integrated_lufs())
    assert found is not None
    return found


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
