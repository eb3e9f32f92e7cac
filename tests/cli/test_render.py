import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from appliance.engine.log import Log, Turn, inputs_of
from appliance.model.library import find
from appliance.mood import Mood
from appliance.service.build import build_timeline
from appliance.service.replay import open_log, replayed
from appliance.settings import SoundSettings


def test_a_render_is_what_its_json_says(latent, tmp_path):
    out = tmp_path / "night.flac"
    outcome = latent("render", out, "--seconds", "20.5", "--seed", "7", "--json", "--plot")
    assert outcome.code == 0, outcome.err
    facts = json.loads(outcome.out)
    expected = "seed model seconds integrated_lufs true_peak_dbtp realtime_factor pieces"
    assert set(facts) == set(expected.split())
    assert facts["seconds"] == 20.5
    assert facts["seed"] == 7
    assert facts["model"] == "default"
    info = soundfile.info(out)
    assert (info.samplerate, info.channels, info.frames, info.subtype) == (48_000, 2, 984_000, "PCM_24")
    assert (tmp_path / "night.png").stat().st_size > 10_000
    assert facts["pieces"][0]["number"] == 0


def test_the_same_command_twice_gives_the_same_bytes_and_another_seed_does_not(latent, tmp_path):
    names = [tmp_path / name for name in ("a.wav", "b.wav", "c.wav")]
    for name, seed in zip(names, (3, 3, 4), strict=True):
        assert latent("render", name, "--seconds", "8", "--seed", seed).code == 0
    one, again, other = (name.read_bytes() for name in names)
    assert one == again
    assert one != other


def test_a_slice_is_exactly_that_part_of_the_whole(latent, tmp_path):
    whole, part = tmp_path / "whole.wav", tmp_path / "part.wav"
    assert latent("render", whole, "--seconds", "40", "--seed", "7").code == 0
    assert latent("render", part, "--start", "17.37", "--seconds", "12", "--seed", "7").code == 0
    sound, _ = soundfile.read(whole, dtype="int32")
    slice_, _ = soundfile.read(part, dtype="int32")
    first = round(17.37 * 48_000)
    assert np.array_equal(slice_, sound[first : first + 12 * 48_000])


def test_fades(latent, tmp_path):
    out = tmp_path / "faded.wav"
    assert latent("render", out, "--seconds", "8", "--seed", "1", "--fade-out", "3").code == 0
    sound, rate = soundfile.read(out)
    level = np.sqrt(np.mean(sound.reshape(-1, rate // 4, 2) ** 2, axis=(1, 2)))
    assert level[0] < 0.05 * level[14]
    assert level[-1] < 0.05 * level[14]
    assert abs(sound[-1]).max() < 1e-4


def test_mood_rate_and_channels(latent, tmp_path):
    out = tmp_path / "x.wav"
    words = ["--mood", "pitch=-1", "--mood", "volume=0", "--rate", "44100", "--channels", "1"]
    assert latent("render", out, "--seconds", "2", *words, "--beds", "none").code == 0
    sound, rate = soundfile.read(out)
    assert rate == 44_100
    assert sound.shape == (88_200,)
    assert not sound.any()


@pytest.mark.parametrize(
    ("words", "part", "code"),
    [
        (["--mood", "pich=1"], "did you mean pitch?", 2),
        (["--mood", "pace=9"], "pace takes a number from 0.25 to 4", 2),
        (["--rate", "0"], "rate must be from 8000 to 192000", 2),
        (["--channels", "99"], "1 to 8 channels", 2),
        (["--seconds", "-1"], "above 0", 2),
        (["--seconds", "nan"], "above 0", 2),
        (["--seconds", "1e-9"], "above 0", 2),
        (["--seconds", "inf"], "at most 2592000", 2),
        (["--fade-out", "nan"], "--fade-out takes seconds from 0", 2),
        (["--fade-out", "inf"], "--fade-out takes seconds from 0", 2),
        (["--beds", ""], "a folder, weather or none", 2),
        (["--beds", "~nosuchuser/x"], "in full", 1),
        (["--minutes", "40000", "--channels", "8", "--rate", "192000"], "make room or render less", 1),
        (["--seconds", "1", "--minutes", "1"], "not both", 2),
        (["--start", "-3"], "seconds from 0", 2),
        (["--start", "1e12"], "30 days", 2),
        (["--territory", "seven"], "--territory takes a seed and a piece, as in 7/12", 2),
        (["--territory", f"{2**63}/1"], "--territory takes a seed and a piece, as in 7/12", 2),
        (["--territory", "7/1", "--radius", "5"], "--radius takes a number from 0.1 to 2", 2),
        (["--radius", "0.5"], "name one with --territory", 2),
        (["--model", "nowhere.latent"], "nowhere.latent", 1),
        (["--model", "defualt"], "default", 1),
    ],
)
def test_bad_input_gets_one_sentence(latent, tmp_path, words, part, code):
    outcome = latent("render", tmp_path / "x.wav", *words)
    assert part in outcome.err
    assert outcome.code == code
    assert outcome.err.startswith("latent: ")
    assert outcome.err.count("\n") == 1
    assert not (tmp_path / "x.wav").exists()


def test_outputs_that_cannot_be(latent, tmp_path):
    assert latent("render", tmp_path / "x.mp3").code == 2
    outcome = latent("render", tmp_path / "no" / "such" / "x.wav", "--seconds", "1")
    assert outcome.code == 1
    assert "cannot be written" in outcome.err
    (tmp_path / "folder.wav").mkdir()
    assert latent("render", tmp_path / "folder.wav", "--seconds", "1").code == 2


def test_a_damaged_model_is_named(latent, tmp_path):
    broken = tmp_path / "broken.latent"
    broken.write_bytes(find(None).read_bytes()[:200_000])
    outcome = latent("render", tmp_path / "x.wav", "--model", broken)
    assert outcome.code == 1
    assert "broken.latent" in outcome.err
    assert outcome.err.count("\n") == 1


def test_bad_beds(latent, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "beds"
    folder.mkdir()
    outcome = latent("render", tmp_path / "x.wav", "--beds", folder)
    assert outcome.code == 1
    assert str(folder) in outcome.err
    assert latent("render", tmp_path / "x.wav", "--beds", tmp_path / "nowhere").code == 1
    (folder / "rain.wav").write_text("This is a text file.")
    noise = np.random.default_rng(0).normal(0, 0.05, (48_000 * 8, 2))
    soundfile.write(folder / "wind.flac", noise, 48_000)
    outcome = latent("render", tmp_path / "x.wav", "--seconds", "3", "--beds", folder)
    assert outcome.code == 0
    assert "rain.wav" in outcome.err
    assert soundfile.info(tmp_path / "x.wav").frames == 144_000


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_a_valid_file(tmp_path, number):
    out = tmp_path / "night.flac"
    command = [
        sys.executable,
        "-c",
        "from appliance.cli.main import main; main()",
        "render",
        str(out),
        "--minutes",
        "600",
    ]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env=os.environ,
    )
    deadline = time.monotonic() + 60
    part = tmp_path / ".night.flac.part"
    while not (part.exists() and part.stat().st_size > 200_000):
        assert time.monotonic() < deadline, "nothing was written for a minute"
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(number)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "Traceback" not in told
    assert "night.flac holds" in told
    assert soundfile.info(out).frames > 48_000
    assert np.isfinite(soundfile.read(out)[0]).all()
    assert not part.exists()


def test_a_failure_leaves_what_was_there(latent, tmp_path, monkeypatch):
    out = tmp_path / "good.wav"
    assert latent("render", out, "--seconds", "1", "--seed", "1", "--beds", "none").code == 0
    good = out.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(soundfile.SoundFile, "write", full)
    outcome = latent("render", out, "--seconds", "2", "--seed", "2", "--beds", "none")
    assert outcome.code == 1
    assert outcome.err == (
        f"latent: {out} cannot be written (No space left on device): "
        "choose a folder that exists and may be written to.\n"
    )
    assert out.read_bytes() == good
    assert [each.name for each in tmp_path.iterdir()] == ["good.wav"]


def test_music_is_not_written_among_the_beds(latent, tmp_path):
    recording = tmp_path / "rain.wav"
    soundfile.write(recording, np.random.default_rng(0).normal(0, 0.05, (48_000 * 5, 2)), 48_000)
    before = recording.read_bytes()
    outcome = latent("render", recording, "--beds", tmp_path)
    assert outcome.code == 2
    assert "among the recordings" in outcome.err
    assert recording.read_bytes() == before


def test_the_json_of_silence_is_json(latent, tmp_path):
    outcome = latent("render", tmp_path / "x.wav", "--seconds", "2", "--mood", "volume=0", "--json")

    def refuse(name):
        raise AssertionError(name)

    facts = json.loads(outcome.out, parse_constant=refuse)
    assert facts["integrated_lufs"] is None
    assert facts["true_peak_dbtp"] is None


def test_a_territory_makes_other_music_and_the_same_again(latent, tmp_path):
    names = [tmp_path / name for name in ("wide.wav", "narrow.wav", "again.wav")]
    narrow = ["--territory", "7/35", "--radius", "0.3"]
    for name, words in zip(names, ([], narrow, narrow), strict=True):
        assert latent("render", name, "--seconds", "6", "--seed", "11", *words).code == 0
    wide, once, again = (name.read_bytes() for name in names)
    assert once == again
    assert once != wide


def test_a_far_piece_is_there_at_once(latent, tmp_path):
    outcome = latent("render", tmp_path / "x.wav", "--seconds", "4", "--seed", "7", "--piece", "9999", "--json")
    assert json.loads(outcome.out)["pieces"][0]["number"] == 9999


def test_pieces_that_fade_out_are_heard_too(latent, tmp_path):
    whole = json.loads(
        latent("render", tmp_path / "x.wav", "--minutes", "12", "--seed", "7", "--json", "--beds", "none").out
    )
    begins = whole["pieces"][1]["start_s"]
    words = ["--start", begins + 4, "--seconds", "2", "--seed", "7", "--json", "--beds", "none"]
    part = json.loads(latent("render", tmp_path / "y.wav", *words).out)
    assert [piece["number"] for piece in part["pieces"]] == [0, 1]
    assert part["pieces"][1]["start_s"] == pytest.approx(-4.0)


def test_nothing_calls_home(tmp_path):
    """onnxruntime would leave a device id in the home folder."""
    command = [sys.executable, "-c", "from appliance.cli.main import main; main()", "render", str(tmp_path / "x.wav")]
    env = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "ORT_"))}
    done = subprocess.run(
        [*command, "--seconds", "2"],
        env=env | {"HOME": str(tmp_path / "home")},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert [path for path in tmp_path.rglob("*") if "icrosoft" in str(path) or "onnxruntime" in path.name] == []


@pytest.fixture
def night(tmp_path):
    """The log of nine seconds in which somebody turned a knob, and what the ring carried."""
    timeline = build_timeline(None, 44_100, 1, "none", SoundSettings(target_lufs=-23.0), print)
    log = Log(inputs_of(timeline, SoundSettings(target_lufs=-23.0)))
    rest, turned = Mood(), Mood(pitch=0.8)
    cursor = timeline.start(5, rest)
    log.add(Turn(900, 900, cursor, rest))
    for _ in range(3):
        cursor = timeline.advance(cursor, rest)
    cursor = timeline.advance(cursor, turned)
    log.add(Turn(200_000, 900, cursor, turned))
    path = tmp_path / "night.json"
    path.write_bytes(log.to_json(900 + 9 * 44_100))
    return path, np.concatenate(list(replayed(timeline, open_log(path))))


def test_a_replay_is_what_was_heard(latent, tmp_path, night):
    log, heard = night
    names = [tmp_path / name for name in ("a.wav", "b.wav", "part.wav")]
    for name in names[:2]:
        outcome = latent("render", name, "--replay", log, "--json")
        assert outcome.code == 0, outcome.err
    facts = json.loads(outcome.out)
    assert (facts["seed"], facts["seconds"]) == (5, 9.0)
    assert facts["pieces"][0]["number"] == 0
    assert names[0].read_bytes() == names[1].read_bytes()
    sound, rate = soundfile.read(names[0])
    assert rate == 44_100
    assert np.abs(sound - heard[:, 0]).max() <= 2.0**-23
    assert latent("render", names[2], "--replay", log, "--start", "4.2", "--seconds", "2").code == 0
    assert np.array_equal(soundfile.read(names[2])[0], sound[round(4.2 * 44_100) :][: 2 * 44_100])
    assert latent("render", names[2], "--replay", log, "--start", "8", "--minutes", "2").code == 0
    assert soundfile.info(names[2]).frames == 44_100


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--seed", "5"], "the log tells --seed: leave that out"),
        (["--mood", "pace=1", "--rate", "44100"], "the log tells --mood, --rate"),
        (["--piece", "0", "--channels", "1"], "the log tells --piece, --channels"),
        (["--beds", "weather"], "no beds: leave out --beds"),
        (["--start", "9"], "The log holds 9.0 s"),
        (["--seconds", "0"], "above 0"),
    ],
)
def test_what_does_not_go_with_a_replay_gets_one_sentence(latent, tmp_path, night, words, part):
    outcome = latent("render", tmp_path / "x.wav", "--replay", night[0], *words)
    assert part in outcome.err
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert not (tmp_path / "x.wav").exists()


def test_what_is_no_log_gets_one_sentence(latent, tmp_path):
    outcome = latent("render", tmp_path / "x.wav", "--replay", find(None))
    assert "is no log" in outcome.err
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
