"""The factory sound is rendered once, as loud as the music, and a set-up that cannot says why and goes on."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from appliance.engine.timeline import Timeline
from appliance.model.bundle import read
from appliance.model.library import find
from appliance.mood import Mood
from appliance.service.factory import ensure, main
from appliance.stream.factory import load, path
from appliance.stream.hold import Wander
from appliance.synth.loudness import Meter

RATE = 48_000


@pytest.fixture(scope="module")
def bundle():
    return read(find(None))


def timeline(bundle, target_lufs: float = -20.0, rate: int = RATE, channels: int = 2) -> Timeline:
    return Timeline(bundle, rate, channels, None, target_lufs, -1.0)


def lufs(sound: np.ndarray) -> float:
    meter = Meter(RATE, sound.shape[1])
    meter.add(np.asarray(sound, dtype=np.float32))
    return meter.integrated_lufs()


def test_a_minute_is_rendered_and_can_be_held(bundle, tmp_path: Path) -> None:
    assert ensure(timeline(bundle), tmp_path / "new" / "factory") is None
    sound = load(tmp_path / "new" / "factory", RATE, 2)
    assert isinstance(sound, np.memmap)
    assert len(sound) == 60 * RATE
    assert -24.0 < lufs(sound) < -18.0
    assert -25.0 < lufs(Wander(sound, 0, RATE, seed=1).read(20 * RATE)) < -17.0
    exact = []
    cursor = timeline(bundle).start(0xFAC, Mood())
    for _ in range(3):
        cursor, hop = timeline(bundle).step(cursor, Mood())
        exact.append(hop)
    noise = np.concatenate(exact) - sound[: 3 * RATE]
    assert 10.0 * np.log10(np.mean(noise**2) / np.mean(np.concatenate(exact) ** 2)) < -70.0


def test_a_good_one_is_left_alone_and_another_is_made_anew(bundle, tmp_path: Path) -> None:
    file = path(tmp_path, RATE, 2)
    ensure(timeline(bundle), tmp_path)
    first = file.stat()
    assert ensure(timeline(bundle), tmp_path) is None
    assert file.stat().st_ino == first.st_ino
    # The target was lowered: a factory sound that is 10 dB too loud would startle.
    ensure(timeline(bundle, -30.0), tmp_path)
    assert file.stat().st_ino != first.st_ino
    sound = load(tmp_path, RATE, 2)
    assert sound is not None
    assert -34.0 < lufs(sound) < -28.0
    file.write_bytes(file.read_bytes()[:99_999])
    assert load(tmp_path, RATE, 2) is None
    ensure(timeline(bundle, -30.0), tmp_path)
    assert load(tmp_path, RATE, 2) is not None
    assert [each.name for each in tmp_path.iterdir()] == [file.name]


def test_a_high_rate_and_many_channels_do_not_fill_the_disk(bundle, tmp_path: Path) -> None:
    ensure(timeline(bundle, rate=96_000, channels=4), tmp_path)
    assert 20e6 < path(tmp_path, 96_000, 4).stat().st_size < 25e6


def test_the_music_goes_on_as_if_nothing_had_been(bundle, tmp_path: Path) -> None:
    disturbed, calm = timeline(bundle), timeline(bundle)
    one, other = disturbed.start(3, Mood()), calm.start(3, Mood())
    for hop in range(6):
        if hop == 3:
            ensure(disturbed, tmp_path)
        one, heard = disturbed.step(one, Mood())
        other, expected = calm.step(other, Mood())
        np.testing.assert_array_equal(heard, expected)


def test_where_it_cannot_be_written_it_says_so(bundle, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    problem = ensure(timeline(bundle), tmp_path / "file" / "factory")
    assert problem is not None
    assert problem.startswith(f"The factory sound {tmp_path}/file/factory/factory-48000-2.npy cannot be written (")
    assert problem.endswith("make room, or check the folder's rights.")


def test_a_disk_that_fills_up_leaves_nothing_behind(bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file, sound, **_: object) -> None:
        file.write(bytes(1000))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    problem = ensure(timeline(bundle), tmp_path)
    assert problem is not None
    assert "(No space left on device)" in problem
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CACHE_DIRECTORY", "CONFIGURATION_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "config" / "latent").mkdir(parents=True)
    return tmp_path


def test_set_up_renders_for_the_card_of_the_settings(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = home / "config" / "latent" / "latent.toml"
    settings.write_text("[card]\nrate = 44100\nchannels = 1\n")
    assert main() == 0
    file = path(home / "cache" / "latent" / "factory", 44_100, 1)
    made = file.stat()
    assert main() == 0
    assert file.stat().st_ino == made.st_ino
    assert capsys.readouterr().err == ""


def test_set_up_says_in_a_sentence_what_is_wrong(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "config" / "latent" / "latent.toml").write_text("[card]\nrate = 1\n")
    assert main() == 2
    assert "card.rate" in capsys.readouterr().err
    (home / "config" / "latent" / "latent.toml").unlink()
    (home / "cache").write_bytes(b"")
    assert main() == 1
    assert "cannot be written" in capsys.readouterr().err


def test_nothing_heavy_is_loaded_where_it_is_there_already(home: Path) -> None:
    code = "import sys, appliance.service.factory as f; assert f.main() == 0; print('onnxruntime' in sys.modules)"
    heavy = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True) for _ in range(2)]
    assert [each.stdout for each in heavy] == ["True\n", "False\n"]
