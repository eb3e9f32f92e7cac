"""What a machine was taught goes to another one in one file, and what makes it another one does not."""

import hashlib
import json
import os
import pwd
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from taught import Machine, digest_of, judge, say

from appliance.errors import LatentError, SettingsError, UsageError
from appliance.model.choice import Pointer
from appliance.model.library import shipped
from appliance.model.store import Store
from appliance.model.verdict import Verdict
from appliance.service.mornings import Mornings
from appliance.service.pack import packing, unpacking
from appliance.service.pack.unpacking import unpack
from appliance.service.state import BEFORE, NEWER_BEFORE, UNFINISHED
from appliance.settings import MusicSettings
from appliance.stream.ring import claim

NOBODY = "nobody"


@pytest.fixture
def gallery(tmp_path: Path) -> Machine:
    """A machine that has played for a while."""
    machine = Machine(tmp_path / "gallery").taught("fog", "rain", scene="dusk")
    machine.store.fail(digest_of("fog"), "The engine died.")
    return machine.lived()


@pytest.fixture
def spare(tmp_path: Path) -> Machine:
    """A machine that was just set up."""
    return Machine(tmp_path / "spare")


@pytest.fixture
def packed(gallery: Machine, tmp_path: Path) -> Path:
    path = tmp_path / "gallery.latentpack"
    gallery.pack(path)
    return path


def rewritten(path: Path, change: Callable[[dict[str, bytes]], object], seal: bool = True) -> Path:
    """Change what is in a pack, and make its manifest right again unless told."""
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    change(members)
    if seal:
        page = json.loads(members["manifest.json"])
        page["members"] = {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
            for name, content in members.items()
            if name != "manifest.json"
        }
        members["manifest.json"] = json.dumps(page).encode()
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def edited(path: Path, **values: object) -> Path:
    """Change a pack's manifest."""

    def edit(members: dict[str, bytes]) -> None:
        members["manifest.json"] = json.dumps(json.loads(members["manifest.json"]) | values).encode()

    return rewritten(path, edit, seal=False)


def refused(machine: Machine, path: Path, kind: type[LatentError] = LatentError) -> str:
    """Why a pack is refused; nothing changes."""
    before = machine.files()
    with pytest.raises(kind) as caught:
        machine.unpack(path)
    assert machine.files() == before
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


# --- what it is for


def test_a_spare_machine_becomes_what_the_packed_one_was(gallery: Machine, spare: Machine, packed: Path) -> None:
    done = spare.unpack(packed)
    assert spare.told == gallery.told
    assert done.models == ("fog", "rain")
    assert (done.refused, done.before) == ((), None)
    assert done.created == "2025-06-15T15:06:40Z"
    assert not (spare.state / UNFINISHED).exists()


def test_a_clone_draws_a_number_of_its_own_and_counts_its_own_boots(
    gallery: Machine, spare: Machine, packed: Path
) -> None:
    spare.lived().lived()
    stood = json.loads((gallery.state / "mornings.json").read_text())
    spare.unpack(packed)
    for name in ("mornings.json", "place.json", "hands.json"):
        assert (gallery.state / name).exists()
        assert not (spare.state / name).exists()
    morning = Mornings(spare.state, say).begin(MusicSettings())
    drawn = json.loads((spare.state / "mornings.json").read_text())
    assert (morning.boots, drawn["boots"]) == (1, 1)
    assert drawn["installation"] != stood["installation"]


def test_what_was_chosen_has_yet_to_show_itself_on_another_machine(spare: Machine, packed: Path) -> None:
    spare.unpack(packed)
    probation = spare.choice.probation
    assert probation is not None
    assert (probation.digest, probation.boot, probation.heard) == (digest_of("rain"), None, False)


def test_a_shipped_model_stays_chosen(gallery: Machine, spare: Machine, tmp_path: Path) -> None:
    gallery.store.choose(Pointer(digest="c" * 64, name="choir", shipped=True), "default")
    gallery.pack(tmp_path / "pack")
    spare.unpack(tmp_path / "pack")
    assert spare.told.current == "choir"


def test_a_model_that_does_not_play_here_is_told_and_the_rest_comes(spare: Machine, tmp_path: Path) -> None:
    other = Machine(tmp_path / "other").taught("fog", "bad-one", scene="dusk")
    other.pack(tmp_path / "pack")
    done = spare.unpack(tmp_path / "pack")
    assert done.refused == ("bad-one-file.latent is too slow for this machine; export a smaller model.",)
    assert done.models == ("fog",)
    assert [entry.verdict.name for entry in spare.store.entries()] == ["fog"]
    assert (spare.told.current, spare.told.previous) == (None, "fog")


def test_where_nothing_can_be_tried_nothing_changes(spare: Machine, packed: Path) -> None:
    def unable(path: Path, name: str) -> Verdict:
        return Verdict(accepted=False, judged=False, reason=f"{name} could not be tried; try it again.")

    with pytest.raises(LatentError, match="could not be tried"):
        unpack(packed, spare.target, unable, print)
    assert spare.files() == {}


def test_an_empty_machine_can_be_packed(spare: Machine, tmp_path: Path) -> None:
    done = spare.pack(tmp_path / "pack")
    assert (done.members, done.notes, done.models) == ((), (), 0)
    told = Machine(tmp_path / "third").taught("fog", scene="dawn")
    before = told.told.settings
    notes = told.unpack(tmp_path / "pack", force=True).notes
    assert notes == ("The pack holds no settings, so those of this machine stay.",)
    assert told.told.settings == before
    assert (told.told.pages, told.told.models, told.told.current) == ({}, [], None)


def test_the_same_machine_gives_the_same_bytes(gallery: Machine, tmp_path: Path) -> None:
    for name in ("one", "two"):
        gallery.pack(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_dry_run_looks_and_leaves_all_as_it_is(spare: Machine, packed: Path) -> None:
    spare.taught("snow", scene="noon")
    before = spare.files()
    with pytest.raises(UsageError):
        spare.unpack(packed, dry_run=True)
    done = spare.unpack(packed, dry_run=True, force=True)
    assert done.models == ("fog", "rain")
    assert spare.files() == before


# --- what was here before


def test_what_was_taught_here_is_not_lost_unasked(spare: Machine, packed: Path) -> None:
    spare.taught("snow", scene="noon")
    assert "--force" in refused(spare, packed, UsageError)


def test_a_card_that_was_just_set_up_was_taught_nothing(spare: Machine, packed: Path) -> None:
    """An engine that has played notes that nothing was chosen."""
    Store(spare.state / "models").note(lambda known: known.model_copy(update={"base": "glass"}))
    assert (spare.state / "models/choice.json").exists()
    spare.unpack(packed)


def test_a_model_is_no_pack(spare: Machine, packed: Path) -> None:
    assert "is a model and no pack" in refused(spare, shipped()["glass"])


def test_what_was_here_is_kept_as_a_pack_of_its_own(gallery: Machine, spare: Machine, packed: Path) -> None:
    before = spare.taught("snow", scene="noon", text="# noon\n").told
    done = spare.unpack(packed, force=True)
    assert spare.told == gallery.told
    assert done.before == spare.state / BEFORE
    assert spare.target.settings.with_name("latent.toml.before-unpack").read_bytes() == b"# noon\n"
    spare.unpack(done.before, force=True)
    assert spare.told == before


def test_the_way_back_may_be_cut_short(spare: Machine, packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = spare.taught("snow", scene="noon").told
    back = spare.unpack(packed, force=True).before
    whole = back.read_bytes()

    def cut(*_: object) -> None:
        raise LatentError("The power is gone.")

    with monkeypatch.context() as patch:
        patch.setattr(unpacking, "_remove_others", cut)
        with pytest.raises(LatentError, match="power"):
            spare.unpack(back, force=True)
    assert back.read_bytes() == whole
    spare.unpack(back, force=True)
    assert spare.told == before
    assert not (spare.state / NEWER_BEFORE).exists()


def test_settings_that_are_the_same_need_no_rights(
    spare: Machine, packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "unpack as root" in refused(spare, packed)
    spare.target.settings.parent.mkdir(parents=True)
    spare.target.settings.write_text("# dusk\n")
    spare.unpack(packed)


def test_incoming_and_refused_models_stay(spare: Machine, packed: Path) -> None:
    for name in ("incoming/a.latent", "models/rejected/b.latent", "scenes.json.damaged"):
        (spare.state / name).parent.mkdir(parents=True, exist_ok=True)
        (spare.state / name).write_bytes(b"mine")
    spare.unpack(packed)
    for name in ("incoming/a.latent", "models/rejected/b.latent", "scenes.json.damaged"):
        assert (spare.state / name).read_bytes() == b"mine"


def test_while_an_engine_runs_it_says_what_to_type(spare: Machine, packed: Path) -> None:
    lock = claim(spare.target.runtime, "engine")
    try:
        assert "sudo systemctl stop latent.target" in refused(spare, packed)
        spare.unpack(packed, dry_run=True)
    finally:
        os.close(lock)
    spare.unpack(packed)


def test_an_engine_waits_until_all_is_there(spare: Machine, packed: Path) -> None:
    def watching(path: Path, name: str) -> Verdict:
        with pytest.raises(LatentError, match="Another engine"):
            claim(spare.target.runtime, "engine")
        return judge(path, name)

    unpack(packed, spare.target, watching, print)
    os.close(claim(spare.target.runtime, "engine"))


# --- what is not in a pack is told


def test_what_the_settings_name_and_is_not_here_is_told(gallery: Machine, spare: Machine, tmp_path: Path) -> None:
    gallery.target.settings.write_text(f"[music]\nbeds = '{tmp_path}/storm'\nmodel = '{tmp_path}/own.latent'\n")
    gallery.pack(tmp_path / "pack")
    notes = spare.unpack(tmp_path / "pack").notes
    assert [note.split(",")[0] for note in notes] == [
        f"The settings name the recordings {tmp_path}/storm",
        f"The settings name the model {tmp_path}/own.latent",
    ]
    (tmp_path / "storm").mkdir()
    (tmp_path / "own.latent").touch()
    assert spare.unpack(tmp_path / "pack", force=True).notes == ()


def test_a_limit_is_said_to_need_a_measurement_here(gallery: Machine, spare: Machine, tmp_path: Path) -> None:
    gallery.target.settings.write_text("[exposure]\nlimit_dba = 75\n")
    gallery.pack(tmp_path / "pack")
    assert [each for each in spare.unpack(tmp_path / "pack").notes if each.endswith("type latent calibrate.")]


def test_what_is_damaged_is_left_out_and_told(gallery: Machine, spare: Machine, tmp_path: Path) -> None:
    (gallery.state / "scenes.json").write_text("{,")
    fog = gallery.store.path(digest_of("fog"))
    fog.chmod(0o644)
    fog.write_bytes(b"rotten")
    done = gallery.pack(tmp_path / "pack")
    assert [f"{gallery.state}/scenes.json is damaged" in note for note in done.notes] == [True, False]
    assert str(fog) in done.notes[1]
    assert done.models == 1
    assert spare.unpack(tmp_path / "pack").models == ("rain",)


# --- what is refused


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda path: path.write_bytes(b""), "is cut short"),
        (lambda path: path.write_bytes(b"no zip at all"), "is not a zip, so it is no pack"),
        (lambda path: path.write_bytes(path.read_bytes()[:-100]), "is cut short"),
        (lambda path: path.write_bytes(path.read_bytes().replace(b"dusk", b"dust")), "is damaged"),
        (lambda path: path.unlink(), "cannot be read (No such file or directory)"),
        (lambda path: (path.unlink(), path.mkdir()), "is not a plain file"),
        (lambda path: (path.unlink(), os.mkfifo(path)), "is not a plain file"),
        (lambda path: edited(path, format=2), "was packed by a newer version of Latent; update this machine first"),
        (lambda path: edited(path, format="x"), "has a manifest.json that cannot be read"),
        (lambda path: edited(path, version="\x1b[2J"), "has a manifest.json that cannot be read"),
        (lambda path: edited(path, note="x" * (4 << 20)), "has a manifest.json that is too large"),
        (lambda path: edited(path, members={}), "does not hold what its manifest.json lists"),
    ],
)
def test_what_is_no_pack_or_damaged_is_refused(
    spare: Machine, packed: Path, spoil: Callable[[Path], object], says: str
) -> None:
    spoil(packed)
    assert says in refused(spare, packed)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda all_: all_.pop("manifest.json"), "has no manifest.json"),
        (lambda all_: all_.update({"../evil": b"x"}), "which no pack has"),
        (lambda all_: all_.update({"state/../../evil": b"x"}), "which no pack has"),
        (lambda all_: all_.update({"state/mornings.json": b"{}"}), "which no pack has"),
        (lambda all_: all_.update({"state/scenes.json": b"{}\n" * (2 << 20)}), "too large"),
        (lambda all_: all_.update({"state/scenes.json": b'{"scenes": 7}'}), "holds scenes that this version"),
        (lambda all_: all_.update({"state/models/choice.json": b"["}), "holds the choice of a model that this version"),
        (lambda all_: all_.pop(f"state/models/store/{digest_of('fog')}.json"), "of which it says nothing"),
        (lambda all_: all_.pop(f"state/models/store/{digest_of('fog')}.latent"), "of which it says nothing"),
        (lambda all_: all_.update({f"state/models/store/{digest_of('fog')}.latent": b"other"}), "or something else"),
    ],
)
def test_what_is_not_to_be_trusted_is_refused(
    spare: Machine, packed: Path, change: Callable[[dict[str, bytes]], object], says: str
) -> None:
    with zipfile.ZipFile(packed) as file:
        assert "manifest.json" in file.namelist()
    assert says in refused(spare, rewritten(packed, change, seal=says != "has no manifest.json"))


def test_a_name_that_is_there_twice_or_a_link_is_refused(spare: Machine, packed: Path) -> None:
    whole = packed.read_bytes()
    with zipfile.ZipFile(packed, "a") as file, pytest.warns(UserWarning, match="Duplicate"):
        file.writestr("latent.toml", "# other\n")
    assert "holds latent.toml twice" in refused(spare, packed)
    packed.write_bytes(whole)
    link = zipfile.ZipInfo("state/scenes.json")
    link.external_attr = 0o120777 << 16
    rewritten(packed, lambda members: members.pop("state/scenes.json"), seal=False)
    with zipfile.ZipFile(packed, "a") as file:
        file.writestr(link, "/etc/passwd")
    assert "as a link or a device" in refused(spare, packed)


def test_a_bomb_is_refused(spare: Machine, packed: Path) -> None:
    def bomb(members: dict[str, bytes]) -> None:
        members["manifest.json"] = b" " * (129 << 20) + members["manifest.json"]

    rewritten(packed, bomb, seal=False)
    with zipfile.ZipFile(packed) as file:
        members = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    assert packed.stat().st_size < 1 << 20
    assert "has a manifest.json that is too large" in refused(spare, packed)


def test_settings_that_cannot_be_are_refused_with_what_is_wrong(spare: Machine, packed: Path) -> None:
    rewritten(packed, lambda members: members.update({"latent.toml": b"[card]\nrate = 7\n"}))
    sentence = refused(spare, packed, SettingsError)
    assert str(packed) in sentence
    assert "line 2, card.rate: must be at least 8000" in sentence
    assert "/latent-unpack-" not in sentence


def test_a_full_disk_leaves_all_as_it_was(spare: Machine, packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spare.taught("snow", scene="noon")
    before = spare.told

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("appliance.service.pack.unpacking.write_whole", full)
    with pytest.raises(LatentError, match=r"cannot be written \(No space left on device\): make room"):
        spare.unpack(packed, force=True)
    assert spare.told == before
    assert not list(spare.state.rglob(".new-*"))


def test_where_it_may_not_read_or_write_it_says_so(
    gallery: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LatentError, match=r"cannot be written \(No such file or directory\): choose a folder"):
        gallery.pack(tmp_path / "nowhere" / "pack")

    def refuse(*_: object) -> Iterator[None]:
        raise PermissionError(13, "Permission denied", str(gallery.state))

    monkeypatch.setattr(packing, "files", refuse)
    with pytest.raises(LatentError, match=r"cannot be read \(Permission denied\): pack as root"):
        gallery.pack(tmp_path / "pack")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that anybody may go through."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.skipif(os.getuid() != 0, reason="Only root can leave files to somebody else.")
def test_what_root_unpacks_belongs_to_whom_the_state_belongs(packed: Path, open_folder: Path) -> None:
    owner, spare = pwd.getpwnam(NOBODY), Machine(open_folder / "spare").taught(scene="noon")
    for path in (spare.state, *spare.state.rglob("*"), spare.target.runtime):
        os.chown(path, owner.pw_uid, owner.pw_gid)
    seen = []

    def judged(path: Path, name: str) -> Verdict:
        seen.append(os.getresuid())
        return judge(path, name)

    unpack(packed, spare.target, judged, print, force=True)
    # A program that is started while a model is tried has no way back: it gets the effective one as its saved one.
    assert set(seen) == {(owner.pw_uid, owner.pw_uid, 0)}
    assert os.getresuid() == (0, 0, 0)
    ours = [*spare.state.rglob("*"), *spare.target.runtime.iterdir()]
    assert {(path.stat().st_uid, path.stat().st_gid) for path in ours} == {(owner.pw_uid, owner.pw_gid)}
    assert spare.target.settings.stat().st_uid == 0
    assert {path.stat().st_mode & 0o777 for path in spare.state.rglob("*.json")} == {0o644}
