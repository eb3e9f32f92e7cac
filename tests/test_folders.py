from pathlib import Path

from appliance.folders import cache_folder, configuration_folder, state_folder


def test_systemd_comes_before_xdg_before_home(monkeypatch):
    for name in ("STATE_DIRECTORY", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/artist")
    assert state_folder() == Path("/home/artist/.local/state/latent")
    monkeypatch.setenv("XDG_STATE_HOME", "/xdg")
    assert state_folder() == Path("/xdg/latent")
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/latent:/var/lib/other")
    assert state_folder() == Path("/var/lib/latent")


def test_cache_and_configuration(monkeypatch):
    monkeypatch.setenv("CACHE_DIRECTORY", "/var/cache/latent")
    monkeypatch.setenv("CONFIGURATION_DIRECTORY", "/etc/latent")
    assert cache_folder() == Path("/var/cache/latent")
    assert configuration_folder() == Path("/etc/latent")
