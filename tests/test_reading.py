"""The script that reads recordings prints what the measures find."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from made import RATE, noise

LISTEN = Path(__file__).parent / "bench" / "listen.py"
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")


def listen(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the script."""
    return subprocess.run([sys.executable, LISTEN, *words], capture_output=True, text=True, check=False)


@needs_ffmpeg
def test_two_files_stand_beside_each_other(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.flac", noise(90.0), RATE)
    soundfile.write(tmp_path / "short.wav", noise(1.0)[:, 0], RATE)

    done = listen(tmp_path / "long.flac", tmp_path / "short.wav")

    assert done.returncode == 0, done.stderr
    rows = {line[:36].strip(): line[36:].split() for line in done.stdout.splitlines()}
    assert rows[""] == ["long.flac", "short.wav", "bar"]
    assert rows["rests"] == ["0", "-"]
    assert rows["longest time without, s"] == ["90", "-", "<=", "300"]
    assert rows["range, LU"][2:] == ["5", "to", "9"]
    assert rows["tone over noise > 10 dB, longest s"][2:] == ["<=", "8"]
    assert len(rows["prominence > 10 dB, longest s"]) == 2
    assert float(rows["tilt, dB per octave"][0]) == pytest.approx(-3.0, abs=0.2)


@needs_ffmpeg
def test_json_gives_an_object_a_file(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", noise(40.0), RATE)
    soundfile.write(tmp_path / "silence.wav", np.zeros((20 * RATE, 2)), RATE)

    done = listen(tmp_path / "a.flac", tmp_path / "silence.wav", "--json")

    sounding, silent = map(json.loads, done.stdout.splitlines())
    assert sounding["hours_lufs"] == [sounding["integrated_lufs"]]
    assert sounding["coherence_above_120"] == pytest.approx(0.0, abs=0.1)
    assert (sounding["change_600s_db"], sounding["neighbours_db"]) == (None, None)
    assert (silent["integrated_lufs"], silent["tilt_db_per_octave"], silent["tone_highest_db"]) == (None, None, None)


@pytest.mark.parametrize("name", ["missing.wav", "text.wav"])
def test_what_is_no_recording_is_refused_in_a_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.wav").write_text("no sound")

    done = listen(tmp_path / name)

    assert done.returncode == 2
    assert name in done.stderr
    assert len(done.stderr.splitlines()) == 1
