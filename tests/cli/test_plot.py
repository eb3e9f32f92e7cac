"""The picture shows what is in the file, reads it in blocks, and refuses in one sentence."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from matplotlib import image

from appliance.cli.plot import plot
from appliance.errors import AudioFileError
from appliance.spectrum.codec import Floats

RATE = 16_000


def tone(hz: float, seconds: float) -> Floats:
    return (0.3 * np.sin(2.0 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def picture_of(folder: Path, audio: Floats) -> npt.NDArray[np.float32]:
    """Brightness of the drawn picture, shape (900, 1600)."""
    soundfile.write(folder / "sound.flac", audio, RATE, "PCM_24")
    plot(folder / "sound.flac", folder / "picture.png")
    return np.asarray(image.imread(folder / "picture.png")[..., :3].mean(axis=2), dtype=np.float32)


def brightest_row(picture: npt.NDArray[np.float32]) -> int:
    """The row where the upper axes are brightest on the whole, well inside their frame."""
    inside = picture[80:640, 300:1300]
    return 80 + int(np.argmax(inside.mean(axis=1)))


def test_equal_intervals_are_equally_far_apart(tmp_path: Path) -> None:
    low, middle, high = (brightest_row(picture_of(tmp_path, tone(hz, 4.0))) for hz in (220.0, 440.0, 880.0))

    assert low - middle > 50
    assert low - middle == pytest.approx(middle - high, abs=2)


def test_time_runs_from_left_to_right(tmp_path: Path) -> None:
    picture = picture_of(tmp_path, np.concatenate([np.zeros(2 * RATE, np.float32), tone(440.0, 2.0)]))

    row = picture[brightest_row(picture)]
    assert row[150:700].max() < 0.2
    assert row[850:1400].min() > 0.5


def test_the_picture_has_its_size_whatever_the_length(tmp_path: Path) -> None:
    for audio in (tone(440.0, 0.001), tone(440.0, 2.0), np.zeros((4 * RATE, 3), np.float32)):
        assert picture_of(tmp_path, audio).shape == (900, 1600)


def test_a_long_file_is_read_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    read = soundfile.SoundFile.read

    def watched(self: soundfile.SoundFile, frames: int = -1, *args: object, **kwargs: object) -> object:
        asked.append(frames if frames >= 0 else self.frames)
        return read(self, frames, *args, **kwargs)

    monkeypatch.setattr(soundfile.SoundFile, "read", watched)
    audio = np.tile(tone(440.0, 10.0), 18)
    picture_of(tmp_path, audio)

    assert 1500 <= len(asked) <= 1600
    assert max(asked) <= len(audio) // 1500


def test_what_cannot_be_read_or_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "words.wav").write_text("no sound", encoding="utf-8")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), RATE)
    soundfile.write(tmp_path / "sound.wav", tone(440.0, 0.1), RATE)

    with pytest.raises(AudioFileError, match=r"words\.wav cannot be read as sound"):
        plot(tmp_path / "words.wav", tmp_path / "picture.png")
    with pytest.raises(AudioFileError, match=r"nowhere\.wav cannot be read as sound"):
        plot(tmp_path / "nowhere.wav", tmp_path / "picture.png")
    with pytest.raises(AudioFileError, match=r"empty\.wav holds no sound"):
        plot(tmp_path / "empty.wav", tmp_path / "picture.png")
    with pytest.raises(AudioFileError, match=r"picture\.png cannot be written"):
        plot(tmp_path / "sound.wav", tmp_path / "nowhere" / "picture.png")
    assert not (tmp_path / "picture.png").exists()


@pytest.mark.parametrize("cache", ["cache", "blocked"])
def test_matplotlib_has_a_folder_and_nothing_to_say(tmp_path: Path, cache: str) -> None:
    (tmp_path / "blocked").touch()
    soundfile.write(tmp_path / "sound.wav", tone(440.0, 0.1), RATE)
    code = """
import os, sys
from pathlib import Path
from appliance.cli.plot import plot
plot(Path(sys.argv[1]), Path(sys.argv[2]))
print(os.environ["MPLCONFIGDIR"])
"""
    environment = {name: text for name, text in os.environ.items() if name != "MPLCONFIGDIR"}
    environment |= {"HOME": "/proc", "XDG_CONFIG_HOME": "/proc", "XDG_CACHE_HOME": "/proc"}
    environment["CACHE_DIRECTORY"] = str(tmp_path / cache)
    arguments = [sys.executable, "-c", code, str(tmp_path / "sound.wav"), str(tmp_path / "picture.png")]
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    # It may say that it lists the fonts, on a slow machine.
    assert "MPLCONFIGDIR" not in done.stderr
    assert "writable" not in done.stderr
    assert (tmp_path / "picture.png").exists()
    used = Path(done.stdout.strip())
    if cache == "cache":
        assert used == tmp_path / "cache" / "matplotlib"
    else:
        assert not used.exists()
