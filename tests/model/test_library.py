"""A name finds the file it stands for, or a sentence that helps."""

import hashlib
from pathlib import Path

import pytest
from stocked import pointed, stocked

from appliance.errors import ModelError
from appliance.model import library
from appliance.model.choice import Pointer
from appliance.model.library import find, place_of, pointer_to, shipped
from appliance.model.store import Store


@pytest.fixture
def shelves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Store, Path]:
    """A store and a folder of shipped models, ``harbour`` in both."""
    store, folder = Store(tmp_path / "state" / "models"), tmp_path / "shipped"
    for name in ("fog", "harbour"):
        stocked(store, name)
    folder.mkdir()
    for name in ("default", "harbour", "choir"):
        (folder / f"{name}.latent").write_text(name)
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.setattr(library, "_SHIPPED", folder)
    return store, folder


def test_the_shipped_folder_is_beside_the_package() -> None:
    assert library.folders()[1] == Path(library.__file__).parents[2] / "models"


@pytest.mark.parametrize("name", [None, "default"])
def test_default_is_the_shipped_one(shelves: tuple[Store, Path], name: str | None) -> None:
    assert find(name) == shelves[1] / "default.latent"


def test_the_name_of_a_shipped_model_in_settings_means_that_one_and_who_chooses_gets_the_one_that_was_copied(
    shelves: tuple[Store, Path],
) -> None:
    store, folder = shelves
    assert find("harbour") == folder / "harbour.latent"
    assert pointer_to("harbour", store).digest == store.find("harbour").digest
    assert find("fog-file") == store.path(store.find("fog").digest)
    assert find("choir") == folder / "choir.latent"


def test_none_hides_the_default(shelves: tuple[Store, Path]) -> None:
    store, folder = shelves
    stocked(store, "default")
    assert find("default") == folder / "default.latent"
    assert pointer_to("default", store).shipped


def test_what_is_pointed_to_has_a_place(shelves: tuple[Store, Path]) -> None:
    store, folder = shelves
    fog = store.find("fog")
    assert pointer_to("fog", store) == pointer_to(fog.digest[:6], store) == pointed(fog)
    assert place_of(pointed(fog), store) == store.path(fog.digest)
    choir = Pointer(digest=hashlib.sha256(b"choir").hexdigest(), name="choir", shipped=True)
    assert pointer_to("choir", store) == pointer_to(choir.digest[:4].upper(), store) == choir
    assert place_of(choir, store) == folder / "choir.latent"


def test_what_is_gone_has_no_place(shelves: tuple[Store, Path]) -> None:
    store, folder = shelves
    fog, choir = pointed(store.find("fog")), pointer_to("choir", store)
    store.remove(fog.digest)
    (folder / "choir.latent").unlink()
    with pytest.raises(ModelError, match=r"fog is gone from this machine: copy it again, or choose another\."):
        place_of(fog, store)
    with pytest.raises(ModelError, match=r"choir is gone from this machine: install the program anew, or choose anoth"):
        place_of(choir, store)


def test_the_shipped_ones_by_name(shelves: tuple[Store, Path]) -> None:
    assert list(shipped()) == ["choir", "default", "harbour"]


def test_a_path_is_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "fog.latent"
    path.touch()
    assert find(str(path)) == path
    monkeypatch.chdir(path.parent)
    assert find("fog.latent") == Path("fog.latent")
    assert find("./fog.latent") == Path("fog.latent")


def test_a_name_misspelt(shelves: tuple[Store, Path]) -> None:
    with pytest.raises(ModelError, match="did you mean 'harbour'; the models on this machine are: choir, default, fog"):
        find("harbor")
    with pytest.raises(ModelError, match=r"no model named 'zzz'; the models on this machine are"):
        find("zzz")


def test_a_path_misspelt(shelves: tuple[Store, Path]) -> None:
    with pytest.raises(
        ModelError, match="did you mean 'harbour'; the models in that folder are: choir, default, harbour"
    ):
        find(str(shelves[1] / "hrbour.latent"))
    with pytest.raises(ModelError, match="there are no models in that folder"):
        find("/nowhere/at/all.latent")


def test_the_shipped_model_missing(shelves: tuple[Store, Path]) -> None:
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
def test_an_empty_name(shelves: tuple[Store, Path], name: str) -> None:
    with pytest.raises(ModelError, match="name is empty"):
        find(name)


def test_a_name_too_long_is_cut(shelves: tuple[Store, Path]) -> None:
    with pytest.raises(ModelError, match=r"no model named 'x{40}\.\.\.'; the models on this machine"):
        find("x" * 300)


@pytest.mark.parametrize("name", ["/" + "x" * 300, "x" * 300 + ".latent", "~nosuch/a.latent"])
def test_what_cannot_be_looked_up(shelves: tuple[Store, Path], name: str) -> None:
    with pytest.raises(ModelError, match="cannot be looked up"):
        find(name)


def test_what_may_not_be_looked_up(shelves: tuple[Store, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", refuse)
    with pytest.raises(ModelError, match=r"/locked/harbour\.latent cannot be looked up \(Permission denied\)"):
        find("/locked/harbour.latent")


def test_odd_names_stay_on_one_line(shelves: tuple[Store, Path]) -> None:
    for name in ("a\nb", "/a\nb", "a\0b.latent"):
        with pytest.raises(ModelError) as caught:
            find(name)
        assert str(caught.value).isprintable()


def test_only_a_bare_name_asks_for_the_folder_of_this_machine(
    shelves: tuple[Store, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never() -> Path:
        raise AssertionError("asked")

    monkeypatch.setattr(library, "state_folder", never)
    assert find(None) == shelves[1] / "default.latent"
    assert find(str(shelves[1] / "choir.latent")) == shelves[1] / "choir.latent"
