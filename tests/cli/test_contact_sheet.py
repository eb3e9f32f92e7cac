"""The contact sheet as an artist meets it: one sound file, one page, one table."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from matplotlib import image

from appliance.cli.contact_plot import Panel, page
from appliance.errors import AudioFileError
from appliance.service.contact_sheet import Shown

RATE = 16_000


def sheet(latent, out, *words):
    return latent("studio", "contact-sheet", out, "--pieces", "3", "--seconds", "4", *words)


def test_a_sheet_is_what_its_json_says(latent, tmp_path):
    out = tmp_path / "sheet.flac"
    outcome = sheet(latent, out, "--seed", "7", "--mood", "pitch=-0.5", "--json")
    assert outcome.code == 0, outcome.err
    facts = json.loads(outcome.out)
    assert (facts["seed"], facts["model"], facts["seconds"]) == (7, "default", 13.0)
    assert [each["number"] for each in facts["pieces"]] == [0, 7, 14]
    assert [each["at_s"] for each in facts["pieces"]] == [0.0, 4.5, 9.0]
    info = soundfile.info(out)
    assert (info.samplerate, info.channels, info.frames, info.subtype) == (48_000, 2, 13 * 48_000, "PCM_24")
    sound, rate = soundfile.read(out)
    for each in facts["pieces"]:
        first = round(each["at_s"] * rate)
        assert np.sqrt(np.mean(sound[first : first + 4 * rate] ** 2)) > 0.01
        assert not sound[max(first - rate // 2, 0) : first].any()
    assert image.imread(out.with_suffix(".png")).shape[1] == 1600


def test_the_same_command_twice_gives_the_same_bytes_and_another_seed_does_not(latent, tmp_path):
    names = [tmp_path / name for name in ("a.wav", "b.wav", "c.wav")]
    for name, seed in zip(names, (3, 3, 4), strict=True):
        assert sheet(latent, name, "--seed", seed).code == 0
    one, again, other = (name.read_bytes() for name in names)
    assert one == again
    assert one != other
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".png"] * 3 + [".wav"] * 3


def test_the_command_in_the_table_plays_the_piece(latent, tmp_path):
    words = ["--seed", "5", "--model", "glass", "--mood", "wander=0.7"]
    facts = json.loads(sheet(latent, tmp_path / "s.wav", *words, "--json").out)
    table = sheet(latent, tmp_path / "s.wav", *words)
    assert table.err == ""
    head, *rows, hint, more = table.out.splitlines()
    assert f'"5/{facts["pieces"][2]["number"]}"' in hint
    assert more.endswith("latent render.")
    assert head.split() == ["at", "seed", "piece", "long", "all", "of", "it"]
    assert len(rows) == 3
    for row, each in zip(rows, facts["pieces"], strict=True):
        minutes, seconds = divmod(int(each["length_s"]), 60)
        at = f"0:{int(each['at_s']):02d}"
        assert row.split()[:4] == [at, "5", str(each["number"]), f"{minutes}:{seconds:02d}"]
        assert row.endswith(each["command"])

    last = facts["pieces"][2]
    name, command, out, *asked = last["command"].split()
    assert (name, command, out) == ("latent", "render", "p.flac")
    assert latent("render", tmp_path / "p.wav", *asked, "--start", last["start_s"], "--seconds", "4").code == 0
    whole, rate = soundfile.read(tmp_path / "p.wav")
    shown = soundfile.read(tmp_path / "s.wav")[0][round(last["at_s"] * rate) :]
    assert np.array_equal(shown[rate : 3 * rate], whole[rate : 3 * rate])


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["sheet.mp3"], "must end in .wav or .flac"),
        (["sheet.wav", "--pieces", "0"], "0 is not in the range"),
        (["sheet.wav", "--pieces", "1000"], "1000 is not in the range"),
        (["sheet.wav", "--seconds", "1"], "--seconds takes a number from 1.5 to 60"),
        (["sheet.wav", "--seconds", "nan"], "--seconds takes a number"),
        (["sheet.wav", "--mood", "pich=1"], "did you mean pitch?"),
        (["sheet.wav", "--model", "nowhere.latent"], "nowhere.latent"),
        (["no/such/sheet.wav", "--pieces", "1"], "choose a folder that exists"),
    ],
)
def test_bad_input_gets_one_sentence(latent, tmp_path, monkeypatch, words, part):
    monkeypatch.chdir(tmp_path)
    outcome = latent("studio", "contact-sheet", "--seed", "7", *words)
    assert part in outcome.err
    assert outcome.code == (1 if "such" in words[0] or "--model" in words else 2)
    assert outcome.err.startswith("latent: ")
    assert outcome.err.count("\n") == 1
    assert outcome.out == ""
    assert list(tmp_path.iterdir()) == []


def test_what_was_stopped_holds_what_was_made(latent, tmp_path, monkeypatch):
    wrote, written = soundfile.SoundFile.write, []

    def stop(self, block):
        wrote(self, block)
        written.append(len(block))
        if sum(written) > 6 * 48_000:
            raise KeyboardInterrupt

    monkeypatch.setattr(soundfile.SoundFile, "write", stop)
    outcome = sheet(latent, tmp_path / "s.wav", "--seed", "7", "--json")
    assert outcome.code == 1
    assert outcome.err == f"latent: Stopped; {tmp_path / 's.wav'} holds 2 of 3 pieces.\n"
    assert len(json.loads(outcome.out)["pieces"]) == 2
    assert (tmp_path / "s.png").exists()


def test_it_needs_nothing_of_the_studio_extra(tmp_path):
    code = """
import sys
from appliance.cli.main import main
class Absent:
    def find_spec(name, *_):
        if name.split(".")[0] in ("torch", "onnx", "librosa", "sklearn", "joblib", "starlette"):
            raise ModuleNotFoundError(f"no {name}")
sys.meta_path.insert(0, Absent)
main()
"""
    words = ["studio", "contact-sheet", str(tmp_path / "s.wav"), "--pieces", "1", "--seconds", "2", "--seed", "7"]
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=Path(__file__).parents[2],
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].endswith("latent render p.flac --seed 7 --piece 0")


def panels_of(*starts_s, command="latent render p.flac"):
    return [Panel(Shown(7, "AB", 312.0, 100.0, at_s), 7, command) for at_s in starts_s]


def drawn(folder, sound, panels):
    """Brightness of the drawn page."""
    soundfile.write(folder / "cost $1 or $2.wav", sound, RATE, "PCM_24")
    page(folder / "cost $1 or $2.wav", folder / "page.png", panels, 2.0, "mine")
    return image.imread(folder / "page.png")[..., :3].mean(axis=2)


def test_a_title_says_where_it_is_and_how_long():
    assert panels_of(186.0)[0].title == "seed 7 piece 7 · at 3:06 · 5:12 long"


def test_each_picture_shows_its_own_excerpt(tmp_path):
    time_s = np.arange(2 * RATE) / RATE
    low, high = (0.3 * np.sin(2.0 * np.pi * hz * time_s) for hz in (200.0, 2000.0))
    sound = np.concatenate([low, np.zeros(2 * RATE), high, low[:RATE]])
    brightness = drawn(tmp_path, sound, panels_of(0.0, 2.0, 4.0, 6.0))
    # The pictures lie side by side; the words are above them.
    left, silent, right, half = (brightness[125:285, 80 + 385 * place : 380 + 385 * place] for place in range(4))
    rows = [int(np.argmax(each.mean(axis=1))) for each in (left, right, half[:, :100])]
    assert rows[0] > rows[1] + 30
    assert rows[2] == rows[0]
    assert left.max() > 0.6
    assert silent.max() < 0.1
    # Where the file ends the picture is empty.
    assert half[:, 200:].max() < 0.1


def test_the_page_has_a_row_for_each_four_and_for_long_commands(tmp_path):
    sound = 0.1 * np.random.default_rng(0).normal(size=4 * RATE)
    heights = [
        drawn(tmp_path, sound, panels).shape[0]
        for panels in (panels_of(*[0.0] * 4), panels_of(*[0.0] * 5), panels_of(0.0, command="long " * 25))
    ]
    assert heights[1] > heights[0] + 200
    assert heights[0] < heights[2] < heights[0] + 60


def test_a_page_that_cannot_be_written_is_named(tmp_path):
    soundfile.write(tmp_path / "s.wav", np.zeros(2 * RATE), RATE)
    with pytest.raises(AudioFileError, match=r"page\.png cannot be written"):
        page(tmp_path / "s.wav", tmp_path / "no" / "page.png", panels_of(0.0), 2.0, "mine")
    with pytest.raises(AudioFileError, match=r"t\.wav cannot be read"):
        page(tmp_path / "t.wav", tmp_path / "page.png", panels_of(0.0), 2.0, "mine")
