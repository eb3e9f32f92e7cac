"""What is right of a settings file holds, though the rest be wrong."""

from pathlib import Path

import pytest

from appliance.errors import SettingsError
from appliance.settings import Settings
from appliance.settings_file import read_forgiving, read_settings


def forgiven(tmp_path: Path, text: str) -> tuple[Settings, str]:
    path = tmp_path / "latent.toml"
    path.write_text(text, encoding="utf-8")
    settings, trouble = read_forgiving(path)
    if trouble:
        with pytest.raises(SettingsError) as refused:
            read_settings(path)
        assert str(refused.value) == trouble
    else:
        assert read_settings(path) == settings
    return settings, trouble


def test_a_file_that_is_right_is_read_as_ever(tmp_path: Path) -> None:
    settings, trouble = forgiven(tmp_path, '[card]\ndevice = "USB"\n[mood]\npitch = 0.5\n')

    assert (settings.card.device, settings.mood, trouble) == (("USB",), {"pitch": 0.5}, "")


def test_where_there_is_no_file_all_is_at_its_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONFIGURATION_DIRECTORY", str(tmp_path / "nowhere"))

    assert read_forgiving(None) == (Settings(), "")


@pytest.mark.parametrize(
    ("spoilt", "told"),
    [
        ('device = "USB', "is not valid TOML"),
        ("device = ", "is not valid TOML"),
        ("device", "is not valid TOML"),
        ("rate = 48000\nrate = 44100", "is not valid TOML"),
        ("# for the caf\xe9", "is not UTF-8"),
    ],
)
def test_a_line_that_is_no_toml_takes_no_other_with_it(tmp_path: Path, spoilt: str, told: str) -> None:
    path = tmp_path / "latent.toml"
    path.write_text(f"[card]\nreserve_s = 25\n{spoilt}\n\n[exposure]\nlimit_dba = 80\n", encoding="latin-1")
    settings, trouble = read_forgiving(path)

    assert (settings.card.reserve_s, settings.exposure.limit_dba) == (25.0, 80.0)
    assert settings.card.rate == Settings().card.rate
    assert told in trouble


@pytest.mark.parametrize(
    "spoilt", ['tue-fri = ["10:00-18.00"]', 'di-fr = ["10:00-18:00"]', 'tue-fri = "10:00-18:00]', "tue-fri"]
)
def test_a_day_that_is_wrong_closes_no_room(tmp_path: Path, spoilt: str) -> None:
    """Days that no line names are closed: with one line less, the room would be silent on these."""
    path = tmp_path / "latent.toml"
    path.write_text(f'[mood]\npitch = 0.5\n[hours.days]\n{spoilt}\nsat = ["11:00-16:00"]\n[card]\nreserve_s = 25\n')
    settings, trouble = read_forgiving(path)

    assert settings.hours is None or settings.hours.days == {}
    assert (settings.mood, settings.card.reserve_s) == ({"pitch": 0.5}, 25.0)
    assert trouble


def test_a_table_whose_name_is_no_toml_goes_as_a_whole(tmp_path: Path) -> None:
    """Otherwise the port of the metrics would be that of OSC."""
    path = tmp_path / "latent.toml"
    path.write_text("[osc]\nlisten = 9000\n[metrics\nport = 9100\n\n[mood]\npitch = 0.5\n", encoding="utf-8")
    settings, trouble = read_forgiving(path)

    assert settings.metrics is None
    assert settings.mood == {"pitch": 0.5}
    assert "is not valid TOML" in trouble


@pytest.mark.parametrize("text", ["[card\n", "=", "[" * 999, f"seed = {'9' * 5000}", "\n" * 300 + "=\n" * 300, "a = ["])
def test_what_is_nothing_but_wrong_leaves_the_defaults(tmp_path: Path, text: str) -> None:
    path = tmp_path / "latent.toml"
    path.write_text(text, encoding="utf-8")
    settings, trouble = read_forgiving(path)

    assert settings == Settings()
    assert "is not valid TOML" in trouble


def test_a_file_that_was_named_and_is_not_there_is_told(tmp_path: Path) -> None:
    settings, trouble = read_forgiving(tmp_path / "nowhere.toml")

    assert settings == Settings()
    assert "nowhere.toml cannot be read" in trouble


def test_a_key_that_is_wrong_takes_no_other_with_it(tmp_path: Path) -> None:
    text = '[card]\ndevice = "USB"\nrate = "fast"\nchanels = 2\n[mood]\npitch = 0.5\nwonder = 1\n[musik]\n'
    settings, trouble = forgiven(tmp_path, text)

    assert settings.card.device == ("USB",)
    assert settings.card.rate == Settings().card.rate
    assert all(name in trouble for name in ("card.rate", "did you mean channels", "wonder", "musik"))


def test_a_knob_that_is_wired_wrongly_takes_no_other_with_it(tmp_path: Path) -> None:
    text = """
[controls.good]
source = "mcp3008"
channel = 0
moves = "pitch"
[controls.bad]
source = "button"
does = "next"
[controls.odd]
source = "trombone"
moves = "pace"
"""
    settings, trouble = forgiven(tmp_path, text)

    assert list(settings.controls) == ["good"]
    assert "controls.bad.pin" in trouble
    assert "controls.odd" in trouble


def test_what_the_wiring_lacks_as_a_whole_costs_the_wiring_alone(tmp_path: Path) -> None:
    text = """
[card]
device = "USB"
[controls.fader]
source = "osc"
address = "/1/fader1"
moves = "pitch"
"""
    settings, trouble = forgiven(tmp_path, text)

    assert settings.card.device == ("USB",)
    assert settings.controls == {}
    assert "nobody listens" in trouble


def test_a_table_whose_keys_need_each_other_goes_whole(tmp_path: Path) -> None:
    settings, trouble = forgiven(
        tmp_path, '[model]\npolicy = "playlist"\ncrossfade_s = 3.0\n[sound]\ntarget_lufs = -23.0\n'
    )

    assert settings.model == Settings().model
    assert settings.sound.target_lufs == -23.0
    assert "playlist" in trouble


def test_a_wrong_quantity_leaves_the_others_and_is_told_with_its_own_line(tmp_path: Path) -> None:
    settings, trouble = forgiven(tmp_path, "[mood]\npace = 2\npitch = 3\nwand = 0.1\n")

    assert settings.mood == {"pace": 2.0}
    assert "line 3, mood: pitch takes a number from -1 to 1, not 3; line 4, mood: there is no" in trouble


def test_a_date_that_is_none_is_told_once(tmp_path: Path) -> None:
    settings, trouble = forgiven(tmp_path, '[hours.days]\nmon = ["10:00-18:00"]\n[hours.dates]\n24.12.2026 = []\n')

    assert settings.hours is not None
    told = "line 4, hours.dates.24: is no date: give year, month and day, as in 2026-12-24."
    assert trouble.endswith(f"needs mending: {told}")
