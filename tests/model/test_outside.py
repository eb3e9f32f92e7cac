"""A file is opened only where it can be a model at all."""

import os
from pathlib import Path

import pytest
from small_model import good

from appliance.errors import ModelError
from appliance.model.outside import open_file


def test_a_file_is_opened(tmp_path: Path) -> None:
    path = good(tmp_path)

    with open_file(path, "mine.latent") as file:
        assert file.read() == path.read_bytes()


def test_a_link_that_took_the_place_of_a_file_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the opening, as somebody would who knows what we do."""
    path = tmp_path / "mine.latent"
    path.symlink_to(good(tmp_path))
    monkeypatch.setattr(Path, "lstat", lambda path: path.stat())

    with pytest.raises(ModelError, match=r"mine\.latent could not be opened"):
        open_file(path, "mine.latent")


def test_what_is_refused_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = good(tmp_path)
    looked = tmp_path.stat()
    before = len(list(Path("/proc/self/fd").iterdir()))
    monkeypatch.setattr(os, "fstat", lambda handle: looked)

    with pytest.raises(ModelError, match="is a folder"):
        open_file(path, "mine.latent")

    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_file_larger_than_any_model(tmp_path: Path) -> None:
    path = tmp_path / "large.latent"
    with path.open("wb") as file:
        file.truncate(2**40)

    with pytest.raises(ModelError, match=r"^large\.latent is larger than 128 MiB; export a smaller model\.$"):
        open_file(path, "large.latent")
