import os
from pathlib import Path

import pytest

from appliance.errors import SettingsError
from appliance.score.territory import WIDE, Bounds
from appliance.service.build import bounds_of
from appliance.settings import Settings
from appliance.settings_file import read_settings


def test_no_file_at_all_works(monkeypatch, tmp_path):
    monkeypatch.setenv("CONFIGURATION_DIRECTORY", str(tmp_path))
    assert read_settings(None) == Settings()


def test_the_usual_place(monkeypatch, tmp_path):
    monkeypatch.delenv("CONFIGURATION_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "latent").mkdir()
    (tmp_path / "latent" / "latent.toml").write_text("[sound]\ntarget_lufs = -23\n[mood]\npitch = 0.5\n")
    found = read_settings(None)
    assert found.sound.target_lufs == -23.0
    assert found.mood == {"pitch": 0.5}


def test_all_problems_are_told_at_once(tmp_path):
    path = tmp_path / "latent.toml"
    lines = "[sound] target_luffs=-23 ceiling_dbtp=3 [crad] rate=48000 [card] reserve_s=-1 [mood] pich=1"
    path.write_text(lines.replace(" ", "\n"))
    with pytest.raises(SettingsError) as caught:
        read_settings(path)
    told = str(caught.value)
    assert "did you mean target_lufs?" in told
    assert "did you mean card?" in told
    assert "sound.ceiling_dbtp: must be at most 0" in told
    assert "card.reserve_s" in told
    assert "did you mean pitch?" in told
    assert "\n" not in told


def test_not_toml_and_not_there(tmp_path):
    path = tmp_path / "latent.toml"
    path.write_text("this is not = = toml")
    with pytest.raises(SettingsError, match="not valid TOML"):
        read_settings(path)
    with pytest.raises(SettingsError, match="cannot be read"):
        read_settings(tmp_path / "nowhere.toml")


def refusal(tmp_path, text):
    path = tmp_path / "latent.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        read_settings(path)
    told = str(caught.value)
    assert "\n" not in told
    assert told.endswith((".", "?"))
    assert not told.endswith("?.")
    return told


def test_a_byte_order_mark_is_no_problem(tmp_path):
    path = tmp_path / "latent.toml"
    path.write_bytes(b"\xef\xbb\xbf[music]\nseed = 7\n")
    assert read_settings(path).music.seed == 7


def test_whole_numbers_stand_where_any_number_may(tmp_path):
    path = tmp_path / "latent.toml"
    path.write_text("[sound]\ntarget_lufs = -23\n[card]\nreserve_s = 5\n[mood]\npace = 2\n[music]\nseed = 0\n")
    found = read_settings(path)
    assert (found.sound.target_lufs, found.card.reserve_s, found.mood, found.music.seed) == (-23.0, 5.0, {"pace": 2}, 0)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[music]\nseed = true", "music.seed: must be a whole number"),
        ("[music]\nseed = 1.0", "music.seed: must be a whole number"),
        ("[music]\nseed = -1", "music.seed: must be at least 0"),
        (f"[music]\nseed = {2**63}", f"music.seed: must be at most {2**63 - 1}"),
        (f"[music]\nseed = 0x{'f' * 9000}", "music.seed: must be at most"),
        ("[music]\nmodel = ''", "music.model: must not be empty"),
        ("[music]\nbeds = ' '", "music.beds: must not be empty"),
        ("[music]\nmodel = 3", "music.model: must be text in quotes"),
        ("[music]\ntuning_hz = 500.0", "music.tuning_hz: must be at most 480"),
        ("[music]\nradius = 0.0", "music.radius: must be at least 0.1"),
        ("[music]\nterritory = '7/12'", 'music.territory: must be a list, as in ["7/12"]'),
        ("[music]\nterritory = ['7-12']", 'must be a seed and a piece, as in "7/12"'),
        (f"[music]\nterritory = ['{2**63}/1']", "a seed is less than"),
        (f"[music]\nterritory = {['7/1'] * 9}", "music.territory: takes at most 8 pieces"),
        ("[card]\ndevice = ''", "card.device: must not be empty"),
        ("[card]\ndevice = 3", "card.device: must be text in quotes, or several in brackets"),
        ("[card]\ndevice = ['DAC', '']", "card.device: must not be empty"),
        ("[music]\neach_morning = 'always'", "music.each_morning: must be 'new', 'same' or 'continue'"),
        ("[music]\neach_morning = 1", "music.each_morning: must be 'new', 'same' or 'continue'"),
        ("[card]\nrate = '48000'", "card.rate: must be a whole number"),
        ("[card]\nrate = 1", "card.rate: must be at least 8000"),
        ("[card]\nreserve_s = true", "card.reserve_s: must be a number"),
        ("[sound]\ntarget_lufs = nan", "sound.target_lufs: is not a finite number"),
        ("[sound]\ntarget_lufs = -inf", "sound.target_lufs: is not a finite number"),
        ("[sound]\ntarget_lufs = '-20'", "sound.target_lufs: must be a number"),
        ("music = 3", "music: must be a table, as in [music]"),
        ("mood = 3", "mood: must be a table, as in [mood]"),
        ("[[card]]", "card: must be a table, as in [card]"),
        ("[mood]\npitch = true", "mood: pitch must be a number"),
        ("[mood]\npitch = '1'", "mood: pitch must be a number"),
        ("[mood]\npitch = nan", "mood: pitch takes a number from -1 to 1"),
        (f"[mood]\npitch = 0x{'f' * 9000}", "mood: pitch is too large a number"),
        ('[mood]\n"pi\\ntch" = true', r"mood: pi\ntch must be a number"),
        ('"pi\\ntch" = 1', r"there is no pi\ntch"),
        (f"seed = {'9' * 5000}", "is not valid TOML"),
        (f"seed = {'[' * 5000}", "is not valid TOML"),
    ],
)
def test_what_cannot_be_is_told_in_plain_words(tmp_path, text, told):
    assert told in refusal(tmp_path, text)


def test_a_territory_is_pieces_of_seeds(tmp_path):
    path = tmp_path / "latent.toml"
    path.write_text(f"[music]\nterritory = ['7/12', '{2**63 - 1}/0']\nradius = 0.4\n")
    music = read_settings(path).music
    assert bounds_of(music) == Bounds(((7, 12), (2**63 - 1, 0)), 0.4, 440.0)
    assert bounds_of(Settings().music) == WIDE


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ()),
        ("device = 'USB'", ("USB",)),
        ("device = ['hw:CARD=sndrpihifiberry', 'USB']", ("hw:CARD=sndrpihifiberry", "USB")),
        ("device = []", ()),
    ],
)
def test_one_card_or_several_in_order(tmp_path, text, names):
    path = tmp_path / "latent.toml"
    path.write_text(f"[card]\n{text}\n")
    assert read_settings(path).card.device == names


def test_every_bad_entry_of_the_card_is_told(tmp_path):
    told = refusal(tmp_path, "[card]\ndevice = ['DAC', '', true]\nrate = 7\nchannels = 99\nreserve_s = -1\n")
    assert told.endswith(
        "needs mending: line 2, card.device: must not be empty; card.device: must be text in quotes, or several in "
        "brackets; line 3, card.rate: must be at least 8000; line 4, card.channels: must be at most 8; "
        "line 5, card.reserve_s: must be at least 2."
    )


def test_every_bad_mood_is_told(tmp_path):
    told = refusal(tmp_path, "[mood]\npich = 1\npitch = 3\npace = true\nwander = 0.5\n")
    assert "did you mean pitch?" in told
    assert "mood: pitch takes a number" in told
    assert "mood: pace must be a number" in told
    assert "wander" not in told


def test_what_is_no_file_of_settings_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (Path("/dev/zero"), tmp_path, tmp_path / "pipe"):
        with pytest.raises(SettingsError, match="is not an ordinary file"):
            read_settings(path)
    (tmp_path / "long.toml").write_bytes(b"#" * (1 << 21))
    with pytest.raises(SettingsError, match="longer than 1 MiB"):
        read_settings(tmp_path / "long.toml")
    (tmp_path / "bytes.toml").write_bytes(b"a = '\xff'")
    with pytest.raises(SettingsError, match="not UTF-8"):
        read_settings(tmp_path / "bytes.toml")


def test_the_usual_place_is_absent_only_if_it_is(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("CONFIGURATION_DIRECTORY", str(tmp_path / "file"))
    assert read_settings(None) == Settings()
    # A loop of links, as a locked folder, leaves open what is there.
    (tmp_path / "latent.toml").symlink_to("latent.toml")
    monkeypatch.setenv("CONFIGURATION_DIRECTORY", str(tmp_path))
    with pytest.raises(SettingsError, match="cannot be read"):
        read_settings(None)


PLAYLIST = '[model]\npolicy = "playlist"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            PLAYLIST + '[[model.playlist]]\nmodel = "a"\n[[model.playlist]]\nmodel = "b"\nhous = 2\n',
            "line 7, there is no model.playlist.1.hous, did you mean hours?",
        ),
        (
            '[[model.playlist]]\nmodel = "a"\n[[model.playlist]]\nhours = 0\n[model]\npolicy = "playlist"\n',
            "line 3, model.playlist.1.model: is missing; line 4, model.playlist.1.hours: must be at least 0.1",
        ),
        (
            PLAYLIST + 'playlist = [\n  {model = "a"},\n  {model = "b", hous = 2},\n]\n',
            "line 5, there is no model.playlist.1.hous, did you mean hours?",
        ),
        (
            PLAYLIST + 'playlist = ["a"]\n',
            "line 3, model.playlist.0: must be a table, as in [[model.playlist]]",
        ),
        ("[model]\nkep = 3\n", "line 2, there is no model.kep, did you mean keep?"),
        (
            "[model]\nkeep = 1\n[modl]\n",
            "line 2, model.keep: must be at least 2; line 3, there is no modl, did you mean",
        ),
        ('[music]\nterritory = [\n  "7/12",\n  "7-12",\n]\n', "line 4, music.territory.1: must be a seed and a piece"),
        ("[presence]\nsensors = []\nafter = 3\n", "line 3, there is no presence.after, did you mean after_min?"),
    ],
)
def test_each_problem_is_told_with_its_line_and_its_remedy(tmp_path, text, told):
    assert told in refusal(tmp_path, text)
