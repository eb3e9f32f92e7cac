"""A name finds the file it stands for, or a sentence that helps."""

from pathlib import Path

import pytest

from appliance.errors import ModelError
from appliance.model import library
from appliance.model.library import find


@pytest.fixture
def shelves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    local, shipped = tmp_path / "state" / "models", tmp_path / "shipped"
    for folder, names in ((local, ["fog", "harbour"]), (shipped, ["default", "harbour", "choir"])):
        folder.mkdir(parents=True)
        for name in names:
            (folder / f"{name}.latent").touch()
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.setattr(library, "_SHIPPED", shipped)
    return local, shipped


def test_the_shipped_folder_is_beside_the_package() -> None:
    assert library.folders()[1] == Path(library.__file__).parents[2] / "models"


@pytest.mark.parametrize("name", [None, "default"])
def test_default_is_the_shipped_one(shelves: tuple[Path, Path], name: str | None) -> None:
    assert find(name) == shelves[1] / "default.latent"


def test_a_model_put_on_this_machine_hides_the_shipped_one(shelves: tuple[Path, Path]) -> None:
    assert find("harbour") == shelves[0] / "harbour.latent"
    assert find("choir") == shelves[1] / "choir.latent"


def test_a_path_is_itself(shelves: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = shelves[0] / "fog.latent"
    assert find(str(path)) == path
    monkeypatch.chdir(path.parent)
    assert find("fog.latent") == Path("fog.latent")
    assert find("./fog.latent") == Path("fog.latent")


def test_a_name_misspelt(shelves: tuple[Path, Path]) -> None:
    with pytest.raises(ModelError, match="did you mean 'harbour'; the models on this machine are: choir, default, fog"):
        find("harbor")
    with pytest.raises(ModelError, match=r"no model named 'zzz'; the models on this machine are"):
        find("zzz")


def test_a_path_misspelt(shelves: tuple[Path, Path]) -> None:
    with pytest.raises(ModelError, match="did you mean 'fog'; the models in that folder are: fog, harbour"):
        find(str(shelves[0] / "frog.latent"))
    with pytest.raises(ModelError, match="there are no models in that folder"):
        find("/nowhere/at/all.latent")


def test_the_shipped_model_missing(shelves: tuple[Path, Path]) -> None:
    (shelves[1] / "default.latent").unlink()
    with pytest.raises(ModelError, match=r"shipped model .* is missing"):
        find(None)


def test_without_systemd_the_xdg_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert library.folders()[0] == tmp_path / "latent" / "models"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert library.folders()[0] == Path("/home/somebody/.local/state/latent/models")


@pytest.mark.parametrize("name", ["", " "])
def test_an_empty_name(shelves: tuple[Path, Path], name: str) -> None:
    with pytest.raises(ModelError, match="name is empty"):
        find(name)


@pytest.mark.parametrize("name", ["x" * 300, "/" + "x" * 300, "x" * 300 + ".latent", "~nosuch/a.latent"])
def test_what_cannot_be_looked_up(shelves: tuple[Path, Path], name: str) -> None:
    with pytest.raises(ModelError, match="cannot be looked up"):
        find(name)


def test_what_may_not_be_looked_up(shelves: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", refuse)
    for name in ("harbour", "/locked/harbour.latent"):
        with pytest.raises(ModelError, match=rf"{name} cannot be looked up \(Permission denied\)"):
            find(name)


def test_odd_names_stay_on_one_line(shelves: tuple[Path, Path]) -> None:
    for name in ("a\nb", "/a\nb", "a\0b.latent"):
        with pytest.raises(ModelError) as caught:
            find(name)
        assert str(caught.value).isprintable()


def test_only_a_bare_name_asks_for_the_folder_of_this_machine(
    shelves: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never() -> Path:
        raise AssertionError("asked")

    monkeypatch.setattr(library, "state_folder", never)
    assert find(None) == shelves[1] / "default.latent"
    assert find(str(shelves[0] / "fog.latent")) == shelves[0] / "fog.latent"
