import pytest

from appliance.errors import SettingsError
from appliance.settings import Settings, read_settings


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
    assert "sound.ceiling_dbtp: input should be less than or equal to 0" in told
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
