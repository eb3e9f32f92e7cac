"""The factory sound is found, mapped, made to fit, and passed over where it is damaged."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.stream.factory import load, load_exact, path
from appliance.stream.hold import Wander


def tone(rate: int, channels: int, seconds: float = 6.0, hz: float = 440.0) -> np.ndarray:
    """Channel c is quieter by its number."""
    wave = np.sin(2.0 * np.pi * hz * np.arange(round(seconds * rate)) / rate)
    return (wave[:, np.newaxis] * 0.2 / np.arange(1, channels + 1)).astype(np.float16)


def keep(folder: Path, rate: int, channels: int, sound: np.ndarray | None = None) -> Path:
    file = path(folder, rate, channels)
    np.save(file, tone(rate, channels) if sound is None else sound)
    return file


def pitch_hz(sound: np.ndarray, rate: int) -> int:
    """Of the first second, whose spectral lines lie 1 Hz apart."""
    return int(np.abs(np.fft.rfft(sound[:rate, 0].astype(np.float64))).argmax())


def test_the_right_format_is_mapped_and_can_be_held(tmp_path: Path) -> None:
    keep(tmp_path, 44_100, 2)
    keep(tmp_path, 48_000, 2)
    sound = load(tmp_path, 48_000, 2)
    assert isinstance(sound, np.memmap)
    np.testing.assert_array_equal(sound, tone(48_000, 2))
    held = Wander(sound, 0, 48_000, seed=1).read(48_000)
    assert pitch_hz(held, 48_000) == 440


def test_an_empty_or_absent_folder_has_none(tmp_path: Path) -> None:
    assert load(tmp_path, 48_000, 2) is None
    assert load(tmp_path / "absent", 48_000, 2) is None
    (tmp_path / "file").write_bytes(b"")
    assert load(tmp_path / "file", 48_000, 2) is None


@pytest.mark.parametrize(("rate", "channels"), [(44_100, 2), (96_000, 2), (8_000, 1), (48_000, 1), (48_000, 5)])
def test_another_format_is_made_to_fit(tmp_path: Path, rate: int, channels: int) -> None:
    keep(tmp_path, 48_000, 2)
    sound = load(tmp_path, rate, channels)
    assert sound is not None
    assert sound.shape == (6 * rate, channels)
    assert pitch_hz(sound, rate) == 440
    heights = np.abs(sound).max(axis=0)
    expected = np.array([0.15]) if channels == 1 else np.resize([0.2, 0.1], channels)
    np.testing.assert_allclose(heights, expected, rtol=0.02)
    steps = np.abs(np.diff(sound.astype(np.float32), axis=0)).max(axis=0)
    assert (steps < expected * 2.0 * np.pi * 440.0 / rate * 1.1).all()


def test_the_nearest_format_is_taken(tmp_path: Path) -> None:
    keep(tmp_path, 44_100, 2, tone(44_100, 2, hz=441.0))
    keep(tmp_path, 96_000, 2, tone(96_000, 2, hz=960.0))
    keep(tmp_path, 44_100, 8, tone(44_100, 8, hz=882.0))
    (tmp_path / "factory-44000-2.npy.part").write_bytes(b"")
    (tmp_path / "factory-0000-0.npy").write_bytes(b"")
    for rate, channels, hz in ((48_000, 2, 441.0), (192_000, 1, 960.0), (48_000, 6, 882.0)):
        sound = load(tmp_path, rate, channels)
        assert sound is not None
        assert abs(pitch_hz(sound, rate) - hz) <= 1


def test_what_is_made_to_fit_takes_little_memory(tmp_path: Path) -> None:
    keep(tmp_path, 8_000, 1, tone(8_000, 1, 60.0))
    sound = load(tmp_path, 192_000, 8)
    assert sound is not None
    assert 4 * 192_000 * 16 < sound.nbytes <= 12 << 20


@pytest.mark.parametrize(
    "sound",
    [
        np.zeros((300_000, 2), dtype=np.float16),
        np.full((300_000, 2), np.nan, dtype=np.float32),
        np.full((300_000, 2), 30.0, dtype=np.float32),
        tone(48_000, 2, 3.9),
        tone(48_000, 3),
        tone(48_000, 2).astype(np.float64),
        tone(48_000, 2)[:, 0],
        np.array([{"a": 1}, None], dtype=object),
    ],
    ids=["silence", "nan", "shout", "short", "channels", "double", "flat", "pickle"],
)
def test_what_cannot_be_played_is_passed_over(tmp_path: Path, sound: np.ndarray) -> None:
    keep(tmp_path, 48_000, 2, sound)
    assert load(tmp_path, 48_000, 2) is None
    keep(tmp_path, 44_100, 1)
    other = load(tmp_path, 48_000, 2)
    assert other is not None
    assert other.shape[1] == 2


@pytest.mark.parametrize("length", [0, 1, 9, 60, 128, 5000, 1_000_000])
def test_half_a_file_is_passed_over(tmp_path: Path, length: int) -> None:
    file = keep(tmp_path, 48_000, 2)
    assert load_exact(file, 48_000, 2) is not None
    file.write_bytes(file.read_bytes()[:length])
    assert load_exact(file, 48_000, 2) is None


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 127), patch=st.binary(min_size=1, max_size=20))
def test_a_damaged_header_never_raises(tmp_path: Path, at: int, patch: bytes) -> None:
    file = path(tmp_path, 8_000, 1)
    if not (tmp_path / "whole.npy").exists():
        np.save(tmp_path / "whole.npy", tone(8_000, 1))
    content = (tmp_path / "whole.npy").read_bytes()
    file.write_bytes(content[:at] + patch + content[at + len(patch) :])
    sound = load(tmp_path, 8_000, 1)
    assert sound is None or sound.shape[1] == 1


def test_a_folder_in_its_place_is_passed_over(tmp_path: Path) -> None:
    path(tmp_path, 48_000, 2).mkdir()
    assert load(tmp_path, 48_000, 2) is None
