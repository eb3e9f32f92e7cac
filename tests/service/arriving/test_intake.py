"""What arrives is taken in or refused, and nothing else is touched; the trial is a stand-in, the library is real."""

import hashlib
import os
import stat
import time
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from appliance.errors import ModelError
from appliance.model import disk
from appliance.model.outside import SIZE_LIMIT
from appliance.model.store import Pointer, Store
from appliance.model.verdict import Verdict
from appliance.service.arriving import intake as intake_module
from appliance.service.arriving import pruning, taking
from appliance.service.arriving.intake import Intake
from appliance.service.arriving.rejected import MOST_BYTES, Rejected, safe_name
from appliance.settings import ModelSettings

HOUR_S = 3600.0


def model(words: str = "good", filler: int = 1000) -> bytes:
    """Something with the end of a zip; the stand-in for the trial goes by its words."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("manifest.json", words + "." * filler)
    return out.getvalue()


class Stage:
    """An intake with a clock that is turned by hand."""

    def __init__(self, root: Path, **settings: object) -> None:
        self.incoming, self.models = root / "incoming", root / "state/models"
        self.folder = root / "rejected"
        for each in (self.incoming, self.models.parent):
            each.mkdir(exist_ok=True)
        self.now_s = 1000.0
        self.wall_s = 0.0
        self.said: list[str] = []
        self.tried: list[str] = []
        self.hindered = ""
        self.during: Callable[[Path], None] = lambda path: None
        self.settings = ModelSettings(free_mb=16, **settings)
        self.store = Store(self.models)
        self.start()

    def start(self) -> None:
        self.intake = Intake(
            self.incoming,
            Rejected(self.folder),
            self.store,
            self.settings,
            "default",
            self.judge,
            self.said.append,
            lambda: self.now_s,
            lambda: self.wall_s or time.time(),
        )

    def judge(self, path: Path, name: str) -> Verdict:
        self.tried.append(name)
        data = path.read_bytes()
        self.during(path)
        if self.hindered:
            return Verdict(accepted=False, reason=f"{name} {self.hindered}; try it again.", judged=False)
        if not zipfile.is_zipfile(path) or b"damaged" in data:
            return Verdict(accepted=False, reason=f"{name} is cut short; copy it again.", whole=False)
        if b"silent" in data:
            return Verdict(accepted=False, reason=f"{name} is silent; train it anew.")
        digest = hashlib.sha256(data).hexdigest()
        return Verdict(accepted=True, name=f"m{digest[:6]}", digest=digest, size=len(data))

    def put(self, name: str, data: bytes) -> Path:
        path = self.incoming / name
        path.write_bytes(data)
        return path

    def wait(self, seconds: float = 0.0) -> None:
        """Look, let time pass, and look again."""
        self.intake.turn()
        self.now_s += seconds
        self.intake.turn()

    def reason(self, name: str) -> str:
        return (self.folder / f"{name}.reason.txt").read_text()

    @property
    def plays(self) -> str | None:
        current = self.store.choice().current
        return None if current is None else current.digest

    def left(self) -> list[str]:
        return sorted(path.name for path in self.incoming.iterdir())


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_a_model_is_taken_and_plays(stage: Stage) -> None:
    stage.put("mine.latent", model())
    stage.wait(0.9)
    assert stage.tried == []
    stage.wait(0.1)

    assert stage.plays == digest(model())
    assert [entry.file for entry in stage.store.entries()] == ["mine"]
    assert stage.left() == []
    assert not stage.folder.exists()
    assert stage.said == ["mine.latent was accepted and is to play."]
    assert not list(stage.models.glob(".new-*"))


@pytest.mark.parametrize("policy", ["pinned", "playlist"])
def test_where_the_settings_choose_it_is_only_kept(tmp_path: Path, policy: str) -> None:
    playlist = [{"model": "choir"}] if policy == "playlist" else []
    stage = Stage(tmp_path, policy=policy, playlist=playlist)
    stage.put("mine.latent", model())
    stage.wait(1.0)

    assert stage.plays is None
    assert len(stage.store.entries()) == 1
    assert stage.left() == []


def test_of_several_all_are_kept_and_the_last_plays(stage: Stage) -> None:
    chosen = []
    choose = stage.store.choose
    stage.store.choose = lambda pointer, base: chosen.append(pointer.digest) or choose(pointer, base)
    for number in (3, 1, 2):
        stage.put(f"{number}.latent", model(f"good {number}"))
    stage.wait(1.0)

    assert [entry.file for entry in stage.store.entries()] == ["3", "1", "2"]
    assert chosen == [digest(model("good 2"))]


def test_what_plays_already_changes_nothing(stage: Stage) -> None:
    stage.store.choose(Pointer(digest=digest(model()), name="glass", shipped=True), "default")
    before = (stage.models / "choice.json").read_bytes()
    stage.put("mine.latent", model())
    stage.wait(1.0)

    assert (stage.models / "choice.json").read_bytes() == before
    assert stage.left() == []


def test_a_copy_in_the_making_is_neither_taken_nor_refused(stage: Stage) -> None:
    data = model(filler=50_000)
    with (stage.incoming / "mine.latent").open("wb") as file:
        for start in range(0, len(data), 1000):
            file.write(data[start : start + 1000])
            file.flush()
            stage.wait(1.1)
            stage.now_s += 0.5
    stage.wait(1.0)

    assert stage.tried == ["mine.latent"]
    assert stage.plays == digest(data)
    assert not stage.folder.exists()


def test_a_copy_cut_off_is_told_resumed_and_taken(stage: Stage) -> None:
    data = model()
    path = stage.put("mine.latent", data[:700])
    stage.wait(14.0)
    assert stage.tried == []
    stage.wait(1.0)
    stage.wait()
    assert stage.reason("mine.latent").startswith(
        "mine.latent is cut short; copy it again. The 700 bytes that are here"
    )
    assert path.exists()

    with path.open("ab") as file:
        file.write(data[700:])
    stage.wait()
    assert not list(stage.folder.iterdir())
    stage.wait(1.0)
    assert stage.plays == digest(data)


def test_of_an_empty_file_there_is_nothing_to_resume(stage: Stage) -> None:
    path = stage.put("mine.latent", b"")
    stage.wait(15.0)
    stage.wait()
    assert stage.reason("mine.latent") == "mine.latent is cut short; copy it again.\n"
    assert path.exists()


def test_the_ending_may_be_written_large(stage: Stage) -> None:
    stage.put("MINE.LATENT", model())
    stage.wait(1.0)
    assert stage.plays == digest(model())
    assert [entry.file for entry in stage.store.entries()] == ["MINE"]
    assert stage.left() == []

    stage.store.go_back("MINE fell behind, so it was taken back.")
    stage.wait()
    assert stage.reason("MINE.latent").startswith("MINE fell behind")
    stage.put("MINE.LATENT", model("better"))
    stage.wait(1.0)
    assert list(stage.folder.iterdir()) == []

    stage.put("MINE.Latent", model("silent"))
    stage.wait(1.0)
    stage.wait(4.0)
    assert stage.reason("MINE.Latent") == "MINE.Latent is silent; train it anew.\n"


def test_a_trial_that_did_not_come_about_says_nothing_of_the_file(stage: Stage) -> None:
    stage.hindered = "was interrupted while it was tried"
    stage.put("mine.latent", model())
    stage.wait(1.0)
    hindered = "mine.latent was interrupted while it was tried; try it again."
    assert stage.reason("mine.latent") == f"{hindered} That is done here by itself within a minute.\n"
    stage.wait(59.0)
    assert stage.tried == ["mine.latent"]
    stage.wait(1.0)
    assert stage.tried == ["mine.latent"] * 2
    assert len(stage.said) == 1

    stage.hindered = ""
    stage.wait(60.0)
    assert stage.plays == digest(model())
    assert stage.left() == []
    assert list(stage.folder.iterdir()) == []


def test_a_bad_one_whose_trial_did_not_come_about_is_refused_by_the_next(stage: Stage) -> None:
    stage.hindered = "could not be tried (Cannot allocate memory)"
    stage.put("mine.latent", model("silent"))
    stage.wait(1.0)
    stage.hindered = ""
    stage.wait(60.0)
    stage.wait()

    assert stage.left() == []
    assert stage.reason("mine.latent") == "mine.latent is silent; train it anew.\n"


def test_what_cannot_be_tried_for_an_hour_goes(stage: Stage) -> None:
    stage.hindered = "could not be tried (the trial ended with 3)"
    stage.put("mine.latent", model())
    for _ in range(58):
        stage.wait(60.0)
    assert stage.left() == ["mine.latent"]
    for _ in range(3):
        stage.wait(60.0)

    assert 58 <= len(stage.tried) <= 60
    assert stage.left() == []
    assert (stage.folder / "mine.latent").read_bytes() == model()
    assert stage.reason("mine.latent") == "mine.latent could not be tried (the trial ended with 3); try it again.\n"


def test_a_copy_never_resumed_goes_after_an_hour(stage: Stage) -> None:
    stage.put("mine.latent", model("damaged"))
    stage.wait(1.0)
    stage.wait(14.0)
    stage.wait(HOUR_S - 16.0)
    assert stage.left() == ["mine.latent"]
    stage.wait(1.0)

    assert stage.left() == []
    assert (stage.folder / "mine.latent").read_bytes() == model("damaged")
    assert stage.reason("mine.latent") == "mine.latent is cut short; copy it again.\n"
    assert stage.tried == ["mine.latent"]


def test_a_refused_one_goes_with_its_reason(stage: Stage) -> None:
    stage.put("mine.latent", model("silent"))
    stage.wait(1.0)
    assert stage.left() == ["mine.latent"]
    stage.wait(4.0)

    assert stage.left() == []
    assert (stage.folder / "mine.latent").read_bytes() == model("silent")
    assert stage.reason("mine.latent") == "mine.latent is silent; train it anew.\n"
    assert stage.plays is None


def test_a_good_one_of_the_same_name_makes_the_refused_one_forgotten(stage: Stage) -> None:
    stage.put("mine.latent", model("silent"))
    stage.wait(1.0)
    stage.wait(4.0)
    stage.put("mine.latent", model())
    stage.wait(1.0)

    assert list(stage.folder.iterdir()) == []


def test_what_changes_while_it_is_tried_is_judged_anew(stage: Stage) -> None:
    path = stage.put("mine.latent", model("silent"))

    def replaced(_: Path) -> None:
        stage.during = lambda path: None
        path.write_bytes(model("good now"))

    stage.during = replaced
    stage.wait(1.0)
    assert not stage.folder.exists()
    stage.wait(1.0)
    assert stage.plays == digest(model("good now"))


def test_what_is_taken_while_a_newer_one_comes_leaves_that(stage: Stage) -> None:
    path = stage.put("mine.latent", model())

    def replaced(_: Path) -> None:
        stage.during = lambda path: None
        path.write_bytes(model("newer"))

    stage.during = replaced
    stage.wait(1.0)
    assert stage.plays == digest(model())
    assert path.read_bytes() == model("newer")
    stage.wait(1.0)
    assert stage.plays == digest(model("newer"))


def test_what_changes_during_the_copy_is_looked_at_anew(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    path = stage.put("mine.latent", model())
    read = os.read

    def written(handle: int, size: int) -> bytes:
        monkeypatch.setattr(taking.os, "read", read)
        os.utime(path, ns=(1, 1))
        return read(handle, size)

    stage.intake.turn()
    stage.now_s += 1.0
    monkeypatch.setattr(taking.os, "read", written)
    stage.intake.turn()
    monkeypatch.undo()
    assert stage.tried == []
    assert not list(stage.models.glob(".new-*"))
    stage.wait(1.0)
    assert stage.plays is not None


def test_a_link_put_in_place_of_the_file_is_not_followed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = stage.models.parent / "secret"
    secret.write_bytes(model("secret"))
    path = stage.put("mine.latent", model())
    seen_still = intake_module.still

    def swapped(name: str, folder: int, stamp: taking.Stamp) -> bool:
        so = seen_still(name, folder, stamp)
        path.unlink()
        path.symlink_to(secret)
        return so

    stage.intake.turn()
    stage.now_s += 1.0
    monkeypatch.setattr(intake_module, "still", swapped)
    stage.intake.turn()
    monkeypatch.undo()
    assert stage.tried == []
    stage.wait(5.0)
    stage.wait(5.0)
    assert secret.read_bytes() == model("secret")
    assert stage.store.entries() == []
    assert "is a link" in stage.reason("mine.latent")


def make_odd(kind: str, path: Path, target: Path) -> None:
    match kind:
        case "link":
            path.symlink_to(target)
        case "dangling":
            path.symlink_to("/nowhere/at/all")
        case "loop":
            path.symlink_to(path.name)
        case "pipe":
            os.mkfifo(path)
        case "device":
            if os.getuid() != 0:
                pytest.skip("Only root may make a device.")
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))
        case "socket":
            os.mknod(path, stat.S_IFSOCK | 0o666)


@pytest.mark.parametrize("kind", ["link", "dangling", "loop", "pipe", "device", "socket"])
def test_odd_things_are_never_opened(stage: Stage, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    target = stage.models.parent / "taste.json"
    target.write_bytes(model())
    make_odd(kind, stage.incoming / "odd.latent", target)
    monkeypatch.setattr(taking, "_reading", None)
    stage.wait(4.9)
    assert stage.left() == ["odd.latent"]
    stage.wait(0.1)

    assert stage.left() == []
    assert "odd.latent is" in stage.reason("odd.latent")
    assert target.read_bytes() == model()
    assert stage.tried == []


def test_a_folder_is_told_of_once_and_let_be(stage: Stage) -> None:
    (stage.incoming / "album").mkdir()
    (stage.incoming / "album/mine.latent").write_bytes(model())
    stage.wait(60.0)
    stage.wait(HOUR_S)

    assert stage.reason("album").startswith("album is a folder; copy the .latent file")
    assert stage.left() == ["album"]
    assert len(stage.said) == 1


def test_a_hard_link_is_taken_and_its_other_name_stays_as_it_is(stage: Stage) -> None:
    other = stage.models.parent / "other"
    other.write_bytes(model())
    other.chmod(0o640)
    os.link(other, stage.incoming / "mine.latent")
    stage.wait(1.0)

    assert stage.plays == digest(model())
    assert other.read_bytes() == model()
    assert stat.S_IMODE(other.stat().st_mode) == 0o640
    assert not stage.store.path(digest(model())).samefile(other)


def test_other_names_are_refused_after_a_while(stage: Stage) -> None:
    stage.put("notes.txt", b"hello")
    stage.wait(60.0)

    assert stage.reason("notes.txt") == "notes.txt is not taken for a model: its name must end in .latent.\n"
    assert (stage.folder / "notes.txt").read_bytes() == b"hello"


def test_the_beginnings_of_others_are_let_be_for_a_day(stage: Stage) -> None:
    for name in (".mine.latent.Ab12Cd", "mine.latent.filepart"):
        stage.put(name, model())
    stage.wait(86_399.0)
    assert len(stage.left()) == 2
    stage.wait(1.0)
    assert stage.left() == []
    assert not stage.folder.exists()


def test_a_rename_at_the_end_is_an_arrival(stage: Stage) -> None:
    path = stage.put("mine.latent.filepart", model())
    stage.wait(30.0)
    path.rename(stage.incoming / "mine.latent")
    stage.wait(1.0)
    assert stage.plays == digest(model())


def test_what_is_too_large_is_thrown_away_at_once(stage: Stage) -> None:
    with (stage.incoming / "huge.latent").open("wb") as file:
        file.truncate(SIZE_LIMIT + 1)
    stage.intake.turn()

    assert stage.left() == []
    assert not (stage.folder / "huge.latent").exists()
    assert "is larger than 128 MiB" in stage.reason("huge.latent")


@pytest.mark.parametrize(
    "name", [b"bad\nname.latent", b"bad\xffname.latent", b"\x1b[31mred.latent", b"a" * 248 + b".latent"]
)
def test_any_name_gives_a_reason_that_can_be_read(stage: Stage, name: bytes) -> None:
    path = Path(os.fsdecode(os.fsencode(stage.incoming) + b"/" + name))
    path.write_bytes(model("silent"))
    stage.wait(1.0)
    stage.wait(4.0)

    names = sorted(path.name for path in stage.folder.iterdir())
    assert len(names) == 2
    assert all(each.isprintable() and len(os.fsencode(each)) < 230 for each in names)
    assert names[1] == f"{names[0]}.reason.txt"
    assert names[0].endswith(".latent")
    assert (stage.folder / names[1]).read_text().count("\n") == 1


@pytest.mark.parametrize("name", [b"bad\nname.latent", b"bad\xffname.latent"])
def test_any_name_may_be_that_of_a_good_model(stage: Stage, name: bytes) -> None:
    Path(os.fsdecode(os.fsencode(stage.incoming) + b"/" + name)).write_bytes(model())
    stage.wait(1.0)
    assert stage.plays == digest(model())
    assert stage.left() == []


def test_safe_names_differ_where_names_do() -> None:
    names = ["a\nb.latent", "a\tb.latent", "a_b.latent", "../a", "..", ".a", "x.reason.txt", "x" * 200, "x" * 201]
    safe = [safe_name(name) for name in names]
    assert len(set(safe)) == len(names)
    assert not any("/" in each or each.startswith(".") or each.endswith(".reason.txt") for each in safe)
    assert safe_name("mine.latent") == "mine.latent"


def test_without_room_it_waits_and_says_so(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = os.statvfs(stage.incoming)
    small = os.statvfs_result((disk.f_bsize, 4096, disk.f_blocks, 0, 4096, *list(disk)[5:]))
    path = stage.put("mine.latent", model())
    monkeypatch.setattr(pruning.os, "statvfs", lambda path: small)
    stage.wait(1.0)
    assert stage.tried == []
    assert path.exists()
    assert stage.reason("mine.latent") == (
        "There is no room for mine.latent: it needs 0.0 MB and 16 MB must stay free, but only 16.0 MB are; make room,"
        " and it is taken within a minute.\n"
    )
    written = (stage.folder / "mine.latent.reason.txt").stat()
    stage.wait(60.0)
    assert stage.tried == []
    assert (stage.folder / "mine.latent.reason.txt").stat() == written
    assert len(stage.said) == 1
    monkeypatch.undo()
    stage.wait(59.0)
    assert stage.tried == []
    stage.wait(1.0)
    assert stage.plays == digest(model())
    assert list(stage.folder.iterdir()) == []


def test_older_models_make_room(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        stage.put(f"{number}.latent", model(f"good {number}"))
        stage.wait(1.0)
    disk = os.statvfs(stage.incoming)

    def free(path: Path) -> os.statvfs_result:
        blocks = (16 << 20) // 4096 + 5 - len(stage.store.entries())
        return os.statvfs_result((4096, 4096, disk.f_blocks, blocks, blocks, *list(disk)[5:]))

    monkeypatch.setattr(pruning.os, "statvfs", free)
    stage.put("5.latent", model("good 5"))
    stage.wait(1.0)
    assert [entry.file for entry in stage.store.entries()][-1] == "5"
    assert len(stage.store.entries()) < 6
    assert stage.left() == []


def test_room_that_cannot_be_made_costs_no_model(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        stage.put(f"{number}.latent", model(f"good {number}"))
        stage.wait(1.0)
    disk = os.statvfs(stage.incoming)
    monkeypatch.setattr(pruning.os, "statvfs", lambda path: os.statvfs_result((4096, 4096, 9, 0, 0, *list(disk)[5:])))
    stage.put("4.latent", model("good 4"))
    stage.wait(1.0)
    assert len(stage.store.entries()) == 4


def test_no_more_are_kept_than_the_settings_say(tmp_path: Path) -> None:
    stage = Stage(tmp_path, keep=3)
    for number in range(6):
        stage.put(f"{number}.latent", model(f"good {number}"))
        stage.wait(1.0)
    assert [entry.file for entry in stage.store.entries()] == ["3", "4", "5"]


def test_a_model_that_is_taken_back_is_told_of(stage: Stage) -> None:
    stage.put("mine.latent", model())
    stage.wait(1.0)
    stage.store.go_back("mine fell behind, so it was taken back.")
    stage.wait()
    assert stage.reason("mine.latent") == "mine fell behind, so it was taken back.\n"
    os.utime(stage.folder / "mine.latent.reason.txt", ns=(1, 1))
    stage.start()
    stage.wait()
    assert (stage.folder / "mine.latent.reason.txt").stat().st_mtime_ns == 1


def test_what_failed_and_could_not_be_removed_is_not_taken_again(stage: Stage) -> None:
    path = stage.put("mine.latent", model())
    unlink = os.unlink

    def refused(name: str, *, dir_fd: int | None = None) -> None:
        if dir_fd is not None:
            raise PermissionError(1, "Operation not permitted", name)
        unlink(name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intake_module.os, "unlink", refused)
        stage.wait(1.0)
        stage.wait(HOUR_S)
        assert stage.tried == ["mine.latent"]
        assert path.exists()
        assert stage.said[-1] == "mine.latent cannot be removed (Operation not permitted), so it stays where it is."
    stage.store.go_back("mine fell behind, so it was taken back.")
    stage.start()
    stage.wait(1.0)
    stage.wait(4.0)
    assert stage.plays is None
    assert stage.left() == []
    assert stage.store.entries()[0].failed


def test_what_cannot_be_moved_is_said_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.put("notes.txt", b"hello")

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "rename", refused)
    stage.wait(60.0)
    for _ in range(5):
        stage.wait(60.0)
    assert len(stage.said) == 2
    assert stage.said[1].endswith("for the disk refuses to move it (Operation not permitted).")
    assert stage.left() == ["notes.txt"]


def test_an_unreadable_one_is_refused_with_the_remedy(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.put("mine.latent", model())

    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(intake_module, "ends_whole", refused)
    stage.wait(1.0)
    stage.wait(4.0)
    assert "give all the right to read it" in stage.reason("mine.latent")
    assert stage.left() == []


def test_another_file_system_is_no_hindrance(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.put("mine.latent", model("silent"))

    rename = os.rename

    def elsewhere(source: str, target: Path, **folder: int) -> None:
        if folder:
            raise OSError(18, "Invalid cross-device link")
        rename(source, target)

    monkeypatch.setattr(os, "rename", elsewhere)
    stage.wait(1.0)
    stage.wait(4.0)
    assert (stage.folder / "mine.latent").read_bytes() == model("silent")
    assert stage.left() == []


def test_a_library_that_cannot_be_written_is_tried_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    path = stage.put("mine.latent", model())

    def full(*_: object) -> None:
        raise ModelError("The models cannot be changed (No space left on device): make room.")

    monkeypatch.setattr(stage.store, "choose", full)
    stage.wait(1.0)
    assert path.exists()
    assert stage.reason("mine.latent") == (
        "mine.latent waits, and is tried again within a minute. The models cannot be changed (No space left on device):"
        " make room.\n"
    )
    monkeypatch.undo()
    stage.wait(60.0)
    assert stage.plays == digest(model())
    assert not path.exists()


def test_a_library_that_another_keeps_locked_is_waited_for(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.put("mine.latent", model())
    monkeypatch.setattr(disk, "_PATIENCE_S", 0.0)
    with disk.locked(stage.models):
        stage.intake.turn()
        stage.now_s += 1.0
        stage.intake.turn()
    assert stage.reason("mine.latent") == (
        "mine.latent waits, for another process keeps the models locked; it is tried again within a minute.\n"
    )
    stage.wait(60.0)
    assert stage.plays == digest(model())
    assert list(stage.folder.iterdir()) == []


def test_thousands_of_files_take_bounded_work_and_leave_bounded_traces(stage: Stage) -> None:
    for number in range(2000):
        stage.put(f"{number}.txt", b"x")
    stage.put("mine.latent", model())
    stage.wait(1.0)
    assert stage.plays == digest(model())
    for _ in range(60):
        stage.wait(60.0)
    assert stage.left() == []
    assert len(list(stage.folder.iterdir())) == 64


def test_refused_ones_do_not_pile_up(tmp_path: Path) -> None:
    rejected = Rejected(tmp_path / "rejected")
    for number in range(40):
        rejected.tell(f"{number}.latent", "no")
        (tmp_path / f"rejected/{number}.latent").write_bytes(bytes(1000))
    rejected.prune(time.time())
    assert len(list(rejected.folder.iterdir())) == 64
    rejected.prune(time.time(), 10_100)
    assert len(list(rejected.folder.glob("*.latent"))) == 10
    assert len(list(rejected.folder.glob("*.txt"))) == 32
    rejected.prune(time.time() + 31 * 86_400)
    assert list(rejected.folder.iterdir()) == []
    assert MOST_BYTES == 512 << 20


def test_at_rest_nothing_is_written(stage: Stage) -> None:
    stage.put("cut.latent", model()[:500])
    stage.wait(15.0)
    stage.wait()
    roots = (stage.incoming, stage.folder, stage.models)

    def stamps() -> dict[str, tuple[int, int, int]]:
        paths = [each for root in roots for each in (root, *root.rglob("*"))]
        return {str(each): (each.stat().st_ino, each.stat().st_mtime_ns, each.stat().st_ctime_ns) for each in paths}

    before = stamps()
    for _ in range(20):
        stage.wait(5.0)
    assert stamps() == before


def test_a_folder_that_is_gone_is_said_and_may_come_back(stage: Stage) -> None:
    stage.incoming.rmdir()
    with pytest.raises(FileNotFoundError):
        stage.intake.turn()
    stage.incoming.mkdir()
    stage.put("mine.latent", model())
    stage.wait(1.0)
    assert stage.plays == digest(model())


def test_killed_at_any_step_it_takes_the_model_in_the_end(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    class KilledError(BaseException):
        pass

    def killed(*_: object, **__: object) -> None:
        raise KilledError

    places = [(stage.store, "private"), (stage.store, "add"), (stage.store, "choose"), (intake_module.os, "unlink")]
    for number, (owner, name) in enumerate(places):
        data = model(f"good {number}")
        stage.put("mine.latent", data)
        stage.start()
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, killed)
            with pytest.raises(KilledError):
                stage.wait(1.0)
        stage.start()
        stage.wait(1.0)
        assert stage.plays == digest(data), name
        assert stage.left() == [], name
    assert not list(stage.models.glob(".new-*"))
