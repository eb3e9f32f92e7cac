"""Real files of many formats, read by the real soundfile and the real ffmpeg."""

import os
import pickle
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from mixed_folder import chord, write

from appliance.errors import StudioError
from appliance.studio.gathering import recordings
from appliance.studio.gathering.recordings import Recording, UnreadableError, find, require_ffmpeg

RATE = 44_100
SOUND = np.stack([chord(3.0, RATE, (220.0,), 3), chord(3.0, RATE, (330.0,), 3)], axis=1)


def ffmpeg(*arguments: str | Path) -> bytes:
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", *arguments]
    return subprocess.run(command, capture_output=True, check=True).stdout


@pytest.mark.parametrize("name", ["a.wav", "b.flac", "c.AIFF", "d e.ogg", "-é.mp3", "音: f.m4a", "g%d.mka", "h.opus"])
def test_a_stretch_is_that_part_of_the_recording(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, SOUND, RATE)
    recording = Recording(tmp_path / name)

    stretch = recording.read(1.0, 0.5)

    assert recording.channels == 2
    assert abs(recording.seconds - 3.0) < 0.1
    assert stretch.dtype == np.float32
    assert stretch.shape == (round(0.5 * recording.rate), 2)
    # Codecs shift and change a little; the two channels have other notes, and so have other places other phases.
    if recording.rate == RATE:
        first = SOUND[RATE - 1200 : RATE + 1200 + len(stretch), 0]
        likeness = np.correlate(first, stretch[:, 0], "valid") / np.linalg.norm(stretch[:, 0])
        assert likeness.max() > 0.97 * np.linalg.norm(SOUND[RATE : RATE + len(stretch), 0])
    assert abs(np.corrcoef(stretch.T)[0, 1]) < 0.2


def test_what_reaches_beyond_the_end_is_shorter(tmp_path: Path) -> None:
    for name in ("a.wav", "a.m4a"):
        write(tmp_path / name, SOUND, RATE)
        recording = Recording(tmp_path / name)
        assert 0.4 < len(recording.read(2.5, 2.0)) / RATE < 0.6
        assert recording.read(60.0, 2.0).shape == (0, 2)


def test_lengths_that_no_header_tells_are_found_out(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", SOUND, RATE)
    (tmp_path / "streamed.flac").write_bytes(ffmpeg("-i", tmp_path / "a.wav", "-f", "flac", "pipe:1"))
    (tmp_path / "browser.webm").write_bytes(ffmpeg("-i", tmp_path / "a.wav", "-f", "webm", "pipe:1"))
    assert soundfile.info(tmp_path / "streamed.flac").duration > 1e9

    assert abs(Recording(tmp_path / "streamed.flac").seconds - 3.0) < 0.1
    assert abs(Recording(tmp_path / "browser.webm").seconds - 3.0) < 0.1


def test_the_whole_half_of_a_torn_file_is_read_and_nothing_said_about_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.mp3", "a.flac"):
        write(tmp_path / name, np.concatenate([SOUND] * 5), RATE)
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        recording = Recording(tmp_path / name)
        assert recording.read(1.0, 2.0).shape == (2 * RATE, 2)
        assert len(recording.read(12.0, 2.0)) < RATE
    assert capfd.readouterr().err == ""
    with soundfile.SoundFile(tmp_path / "a.mp3") as file:
        file.seek(RATE)
    assert "Warning" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.wav", b"", "a.wav is empty"),
        ("a.wav", b"Dear Sir or Madam, " * 50, "holds no sound"),
        ("a.m4a", b"Dear Sir or Madam, " * 50, "holds no sound"),
        ("a.wav", b"RIFF\x00\x00\x00\x10WAVEfmt \x10", "holds no sound"),
        ("new\nline.flac", bytes(1000), r"new\\nline.flac holds no sound"),
    ],
)
def test_what_is_no_sound_is_named(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnreadableError, match=told) as caught:
        Recording(tmp_path / name)
    assert not pickle.loads(pickle.dumps(caught.value)).for_now


def test_a_file_that_is_gone_may_come_back(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match=r"gone.wav cannot be opened \(No such file or directory\)") as caught:
        Recording(tmp_path / "gone.wav")
    assert pickle.loads(pickle.dumps(caught.value)).for_now


def test_odd_rates_and_channels_are_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "slow.wav", np.zeros(4000), 2_000)
    soundfile.write(tmp_path / "many.wav", np.zeros((4000, 40)), 48_000)
    for name in ("slow.wav", "many.wav"):
        with pytest.raises(UnreadableError, match="convert it"):
            Recording(tmp_path / name)


def test_ffmpeg_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.m4a", SOUND, RATE)
    recording = Recording(tmp_path / "a.m4a")
    slow = tmp_path / "bin" / "ffmpeg"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(recordings, "_PATIENCE_S", 0.2)
    with pytest.raises(UnreadableError, match=r"a\.m4a keeps ffmpeg busy without end"):
        recording.read(0.0, 1.0)


def test_ffmpeg_is_asked_for_only_where_it_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.wav", SOUND, RATE)
    write(tmp_path / "a.m4a", SOUND, RATE)
    (tmp_path / "b.wav").write_bytes(b"text")
    require_ffmpeg(find(tmp_path).files)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(StudioError, match=r"a.m4a cannot be read without ffmpeg; install it"):
        require_ffmpeg(find(tmp_path).files)
    require_ffmpeg([tmp_path / "a.wav"])
    assert Recording(tmp_path / "a.wav").channels == 2
    with pytest.raises(UnreadableError, match="holds no sound"):
        Recording(tmp_path / "b.wav")
    with pytest.raises(StudioError, match="without ffmpeg") as caught:
        Recording(tmp_path / "a.m4a")
    assert not isinstance(caught.value, UnreadableError)


def test_audio_files_are_found_wherever_they_lie(tmp_path: Path) -> None:
    for name in ("b.wav", "a/z.FLAC", "a/deep/er/x.mp3", "c d/é.M4A", ".hidden.wav", ".git/y.wav", "a/._b.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "notes.txt").touch()
    (tmp_path / "wav").touch()
    (tmp_path / "folder.wav").mkdir()
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "lost.wav").symlink_to(tmp_path / "nowhere.wav")
    (tmp_path / "link.ogg").symlink_to(tmp_path / "b.wav")

    found = find(tmp_path)

    names = [path.relative_to(tmp_path).as_posix() for path in found.files]
    assert names == ["a/deep/er/x.mp3", "a/z.FLAC", "b.wav", "c d/é.M4A", "link.ogg"]
    assert found.others == 4
    assert found.closed == []


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("file", "absent"):
        with pytest.raises(StudioError, match=f"There is no folder .*{name}"):
            find(tmp_path / name)
