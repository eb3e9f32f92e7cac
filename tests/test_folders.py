import os
import pwd
import tempfile
from pathlib import Path

import pytest

from appliance.folders import cache_folder, configuration_folder, shown, state_folder, sync_folder, write_whole


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


def test_a_user_without_a_home_gets_a_folder(monkeypatch):
    def nobody(uid):
        raise KeyError(uid)

    for name in ("HOME", "STATE_DIRECTORY", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    assert state_folder() == Path(tempfile.gettempdir()) / f"latent-{os.getuid()}" / ".local" / "state" / "latent"


def test_names_are_shown_on_one_line():
    assert shown("café noir.wav") == "café noir.wav"
    assert shown(Path("two\nlines\x1b[31m")) == r"two\nlines\x1b[31m"
    assert shown(os.fsdecode(b"caf\xe9")) == r"caf\xe9"


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "kept"
    write_whole(path, lambda file: file.write(b"old"))

    def fail(file):
        file.write(b"ne")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_whole(path, fail)
    assert path.read_bytes() == b"old"
    write_whole(path, lambda file: file.write(b"new"))
    assert path.read_bytes() == b"new"
    assert [each.name for each in tmp_path.iterdir()] == ["kept"]


def test_a_written_file_is_safe_only_with_its_folder(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_ino))
    write_whole(tmp_path / "state.json", lambda file: file.write(b"new"))

    assert synced == [(tmp_path / "state.json").stat().st_ino, tmp_path.stat().st_ino]
    with pytest.raises(NotADirectoryError):
        sync_folder(tmp_path / "state.json")
