"""What was accepted stays whole, what plays is one small file, and whatever lies damaged beside it is survived."""

import errno
import fcntl
import hashlib
import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from stocked import DAY, NOON, played, pointed, stocked, verdict_of

from appliance.errors import ModelError
from appliance.model import disk
from appliance.model.choice import Choice, Pointer, Probation, superfluous
from appliance.model.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "state" / "models")


def names(store: Store) -> list[str]:
    return [entry.verdict.name for entry in store.entries()]


def test_looking_makes_nothing(store: Store) -> None:
    assert store.entries() == []
    assert store.choice() == Choice()
    assert store.prune(2, 1.0, NOON) == []
    store.tidy()
    assert not store.folder.parent.exists()


def test_a_copy_is_private_and_then_never_changes(store: Store) -> None:
    copy = store.private()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    copy.write_bytes(b"sound")
    entry = store.add(copy, "mine.latent", verdict_of(b"sound", "fog"), NOON)
    assert not copy.exists()
    path = store.path(entry.digest)
    assert path.read_bytes() == b"sound"
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert (entry.file, entry.number, entry.arrived_at, entry.failed) == ("mine", 1, NOON, "")
    assert Store(store.folder).entries() == [entry]


def test_what_is_not_what_was_judged_is_not_taken_in(store: Store, tmp_path: Path) -> None:
    copy = store.private()
    copy.write_bytes(b"other")
    with pytest.raises(ModelError, match=r"mine\.latent changed after it was judged; copy it again\."):
        store.add(copy, "mine.latent", verdict_of(b"sound", "fog"), NOON)
    (tmp_path / "sound").write_bytes(b"sound")
    copy.unlink()
    copy.symlink_to(tmp_path / "sound")
    with pytest.raises(ModelError, match="cannot be changed"):
        store.add(copy, "mine.latent", verdict_of(b"sound", "fog"), NOON)
    assert store.entries() == []
    assert stat.S_IMODE((tmp_path / "sound").stat().st_mode) != 0o444


def test_the_same_model_again_is_the_newest_and_its_failure_is_forgotten(store: Store) -> None:
    fog = stocked(store, "fog")
    stocked(store, "glass")
    store.fail(fog.digest, "It fell silent.")
    assert [entry.failed for entry in store.entries()] == ["It fell silent.", ""]
    again = stocked(store, "fog")
    assert names(store) == ["glass", "fog"]
    assert (again.number, again.failed) == (3, "")


def test_a_model_is_found_by_name_file_and_digits(store: Store) -> None:
    first = stocked(store, "fog", b"first")
    second = stocked(store, "fog", b"second")
    glass = stocked(store, "glass")
    assert store.find("fog") == second
    assert store.find("glass-file") == glass
    assert store.find(first.digest[:4].upper()) == first
    with pytest.raises(ModelError, match=r"No model called 'glas' was copied to this machine, did you mean glass[?]"):
        store.find("glas")
    with pytest.raises(ModelError, match=r"No model called '\w{3}' was copied to this machine, there are fog, glass\."):
        store.find(first.digest[:3])


def test_a_choice_goes_forth_and_back(store: Store) -> None:
    fog, glass = pointed(stocked(store, "fog")), pointed(stocked(store, "glass"))
    assert played(store, fog) == Choice(current=fog, base="default")
    assert played(store, glass, "choir") == Choice(current=glass, previous=fog, base="choir")
    begun = {each: Probation(digest=each.digest) for each in (fog, glass)}
    assert store.choose(glass, "default") == Choice(current=glass, previous=fog, base="default", probation=begun[glass])
    assert store.go_back() == Choice(current=fog, previous=glass, base="default", probation=begun[fog])
    assert store.go_back() == Choice(current=glass, previous=fog, base="default", probation=begun[glass])
    assert Store(store.folder).choice() == store.choice()
    assert played(store, None) == Choice(previous=fog, base="default")


def test_what_was_never_heard_is_not_gone_back_to(store: Store) -> None:
    fog, glass, rain = (pointed(stocked(store, name)) for name in ("fog", "glass", "rain"))
    played(store, fog)
    store.choose(glass, "default")
    assert store.choose(rain, "default").previous == fog
    store.note(lambda choice: choice.model_copy(update={"probation": Probation(digest=rain.digest, heard=True)}))
    assert store.choose(glass, "default").previous == rain


def test_what_failed_is_marked_and_not_gone_back_to(store: Store) -> None:
    fog, glass = pointed(stocked(store, "fog")), pointed(stocked(store, "glass"))
    played(store, fog)
    store.choose(glass, "default")
    back = Choice(current=fog, base="default", probation=Probation(digest=fog.digest))
    assert store.go_back("The engine died.") == back
    assert [entry.failed for entry in store.entries()] == ["", "The engine died."]
    assert store.go_back("It fell silent.") == Choice(base="default")
    with pytest.raises(ModelError, match="There is no model to go back to"):
        store.go_back()


def test_a_shipped_model_can_be_chosen_and_fail(store: Store) -> None:
    store.choose(Pointer(digest="a" * 64, name="choir", shipped=True), "default")
    assert store.go_back("The engine died.") == Choice(base="default")


def test_what_is_noted_stays_and_a_new_choice_begins_anew(store: Store) -> None:
    fog = pointed(stocked(store, "fog"))
    store.choose(fog, "default")
    trial = Probation(digest=fog.digest, boot="b1", heard=True)
    noted = store.note(lambda choice: choice.model_copy(update={"probation": trial, "played_s": 60.0}))
    assert store.choice() == noted
    assert noted.probation == trial
    assert store.choose(None, "default") == Choice(previous=fog, base="default")


@pytest.mark.parametrize("data", [b"", b"{", b'{"played_s": -1}', b"[]", b"\xff" * 10, b" " * 70_000])
def test_a_damaged_choice_counts_as_empty_and_is_set_aside_by_who_writes(store: Store, data: bytes) -> None:
    fog = pointed(stocked(store, "fog"))
    path = store.folder / "choice.json"
    for count in range(2):
        path.write_bytes(data)
        assert store.choice() == Choice()
        assert path.read_bytes() == data
        assert store.choose(fog, "default").current == fog
        assert len(list(store.folder.glob("choice.json.damaged*"))) == count + 1


def test_a_choice_of_a_later_version_is_understood(store: Store) -> None:
    stocked(store, "fog")
    (store.folder / "choice.json").write_text('{"base": "choir", "weather": "fair"}')
    assert store.choice() == Choice(base="choir")


def test_damaged_pages_and_strangers_are_passed_over(store: Store) -> None:
    for name in ("fog", "glass", "rain", "snow"):
        stocked(store, name)
    fog, glass, rain, snow = store.entries()
    shelf = store.folder / "store"
    (shelf / f"{fog.digest}.json").write_text("{")
    store.path(glass.digest).unlink()
    (shelf / f"{rain.digest}.json").rename(shelf / f"{'0' * 64}.json")
    (shelf / "notes.json").write_text("mine")
    (shelf / "sub.json").mkdir()
    assert store.entries() == [snow]
    store.tidy()
    assert sorted(path.name for path in shelf.iterdir()) == sorted(
        [f"{snow.digest}.json", f"{snow.digest}.latent", "notes.json", "sub.json"]
    )


def test_what_is_in_use_survives_the_loss_of_its_page(store: Store) -> None:
    fog = stocked(store, "fog")
    store.choose(pointed(fog), "default")
    (store.folder / "store" / f"{fog.digest}.json").write_text("{")
    store.tidy()
    assert store.path(fog.digest).exists()


def test_a_page_of_a_later_version_is_left_alone(store: Store) -> None:
    fog = stocked(store, "fog")
    page = store.folder / "store" / f"{fog.digest}.json"
    told = json.loads(page.read_text())
    page.write_text(json.dumps(told | {"verdict": told["verdict"] | {"colour": "blue"}, "weather": "fair"}))
    assert store.entries() == [fog]
    page.write_text(json.dumps(told | {"number": "the first"}))
    assert store.entries() == []
    store.tidy()
    assert store.path(fog.digest).exists()


def test_leftovers_go_and_work_in_progress_stays(store: Store) -> None:
    stocked(store, "fog")
    mine = store.private()
    for place in (".choice.json.abc", f"store/.{'0' * 64}.json.abc"):
        (store.folder / place).touch()
    Store(store.folder).tidy()
    assert sorted(path.name for path in store.folder.rglob(".*")) == sorted([".copying", ".lock", mine.name])
    assert names(store) == ["fog"]


def test_a_link_among_the_leftovers_is_not_followed(store: Store, tmp_path: Path) -> None:
    store.choose(None, "default")
    (tmp_path / "precious").touch()
    (store.folder / ".new-link").symlink_to(tmp_path / "precious")
    store.tidy()
    assert not list(store.folder.glob(".new-*"))
    assert (tmp_path / "precious").exists()


def test_what_a_killed_process_has_left_goes(store: Store) -> None:
    script = (
        "import os, pathlib, sys\nfrom appliance.model.store import Store\n"
        "store = Store(pathlib.Path(sys.argv[1]))\nstore.private()\nos._exit(9)"
    )
    subprocess.run([sys.executable, "-c", script, str(store.folder)], check=False)
    assert len(list(store.folder.glob(".new-*"))) == 1
    store.tidy()
    assert not list(store.folder.glob(".new-*"))


def test_what_is_dropped_takes_no_room(store: Store) -> None:
    store.private().unlink()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(20):
        stocked(store, f"fog{number}")
        store.private().unlink()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_what_plays_or_would_be_gone_back_to_is_not_removed(store: Store) -> None:
    fog, glass, rain = (stocked(store, name) for name in ("fog", "glass", "rain"))
    played(store, pointed(fog))
    store.choose(pointed(glass), "default")
    with pytest.raises(ModelError, match="fog is what would be gone back to; choose another"):
        store.remove(fog.digest)
    with pytest.raises(ModelError, match="glass plays; choose another"):
        store.remove(glass.digest)
    store.remove(rain.digest)
    assert names(store) == ["fog", "glass"]
    assert not store.path(rain.digest).exists()


def test_the_oldest_go_but_none_that_is_needed(store: Store) -> None:
    kept = [stocked(store, name) for name in ("a", "b", "c", "d", "e", "f")]
    store.choose(pointed(kept[0]), "default")
    gone = store.prune(4, 365.0, NOON, spared=[kept[1].digest])
    assert [entry.verdict.name for entry in gone] == ["c", "d"]
    assert names(store) == ["a", "b", "e", "f"]
    assert store.prune(2, 365.0, NOON, spared=[kept[1].digest]) == []


@pytest.mark.parametrize(
    ("age_days", "goes"), [(364.0, False), (366.0, True), (-400.0, False), (20_000.0, False), (float("nan"), False)]
)
def test_old_ones_go_where_the_clock_can_be_believed(store: Store, age_days: float, goes: bool) -> None:
    entries = [stocked(store, name) for name in ("old", "mid", "new")]
    aged = [entry.model_copy(update={"arrived_at": NOON - age_days * DAY}) for entry in entries]
    gone = superfluous(aged, set(), 8, 365.0, NOON)
    assert [entry.verdict.name for entry in gone] == (["old"] if goes else [])


def test_an_age_on_the_disk_counts(store: Store) -> None:
    stocked(store, "old", at=NOON - 500 * DAY)
    stocked(store, "mid")
    stocked(store, "new")
    assert [entry.verdict.name for entry in store.prune(8, 365.0, NOON)] == ["old"]


def test_many_may_write_at_once(store: Store) -> None:
    fog = pointed(stocked(store, "fog"))
    store.choose(fog, "default")
    script = (
        "import sys, pathlib\nfrom appliance.model.store import Store\nstore = Store(pathlib.Path(sys.argv[1]))\n"
        "for _ in range(50): store.note(lambda each: each.model_copy(update={'played_s': each.played_s + 1.0}))"
    )
    others = [subprocess.Popen([sys.executable, "-c", script, str(store.folder)]) for _ in range(2)]

    def count() -> None:
        for _ in range(50):
            store.note(lambda each: each.model_copy(update={"played_s": each.played_s + 1.0}))

    threads = [threading.Thread(target=count) for _ in range(2)]
    for thread in threads:
        thread.start()
    while any(other.poll() is None for other in others):
        assert store.choice().current == fog
    for thread in threads:
        thread.join()
    assert store.choice().played_s == 200.0


def test_a_lock_that_nobody_gives_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    stocked(store, "fog")
    monkeypatch.setattr(disk, "_PATIENCE_S", 0.0)
    with (store.folder / ".lock").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(ModelError, match=r"Another process has kept .* locked for 0 s: try again later"):
            store.choose(None, "default")
        assert names(store) == ["fog"]


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (errno.ENOSPC, "No space left on device.: remove a model or make room"),
        (errno.EROFS, "Read-only file system.: check its disk"),
        (errno.EACCES, "Permission denied.: do it as the user that the engine runs as"),
    ],
)
def test_a_disk_that_refuses_says_so_and_nothing_changes(
    store: Store, monkeypatch: pytest.MonkeyPatch, code: int, remedy: str
) -> None:
    fog, glass = stocked(store, "fog"), pointed(stocked(store, "glass"))
    store.choose(pointed(fog), "default")
    before = store.choice()
    copy = store.private()
    copy.write_bytes(b"rain")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(disk, "write_whole", refuse)
    for change in (
        lambda: store.choose(glass, "default"),
        store.go_back,
        lambda: store.fail(fog.digest, "It fell silent."),
        lambda: store.add(copy, "rain.latent", verdict_of(b"rain", "rain"), NOON),
    ):
        with pytest.raises(ModelError, match=remedy):
            change()
    assert store.choice() == before
    assert names(store) == ["fog", "glass"]
    assert not store.path(hashlib.sha256(b"rain").hexdigest()).exists()


def test_no_link_is_followed_to_write(store: Store, tmp_path: Path) -> None:
    stocked(store, "fog")
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for place in (store.folder / ".lock", store.folder / "choice.json"):
        place.unlink(missing_ok=True)
        place.symlink_to(victim)
    with pytest.raises(ModelError, match="cannot be changed"):
        store.choose(None, "default")
    (store.folder / ".lock").unlink()
    store.choose(None, "default")
    assert victim.read_text() == "precious"


def test_what_lies_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("")
    store = Store(tmp_path / "models")
    assert store.entries() == []
    assert store.choice() == Choice()
    with pytest.raises(ModelError, match=r"cannot be changed \(Not a directory\)"):
        store.private()
