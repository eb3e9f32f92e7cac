"""A model is copied with the real programs to a real server, cut off, resumed, and taken; library and trial are real.

The clock of the settle rule runs faster than that on the wall, so that a moment's stall looks like a copy cut off.
"""

import os
import threading
import time
from pathlib import Path

import pytest
from patience import until
from sshd import Server, cut, run, ssh_server

from appliance.health.watchdog import Watchdog
from appliance.model.store import Store
from appliance.service.arriving import probing
from appliance.service.arriving.intake import Intake
from appliance.service.arriving.rejected import Rejected
from appliance.service.arriving.trial import tried
from appliance.settings import ModelSettings, Settings

MODEL = Path(__file__).parents[2] / "models/glass.latent"
SIZE = MODEL.stat().st_size
SOME = 500_000
# 1.5 MB a second: in kbit, and in KiB.
SLOW_KBIT, SLOW_KIB = 12_000, 1_500
FASTER = 8.0

__all__ = ["ssh_server"]


class Box:
    """What takes in models, and a clock that can be put forward."""

    def __init__(self, server: Server, state: Path) -> None:
        self.server = server
        self.skipped_s = 0.0
        self.said: list[str] = []
        self.store = Store(state / "models")
        rejected = Rejected(server.rejected)
        self.intake = Intake(
            server.incoming, rejected, self.store, ModelSettings(), "default", tried, self.said.append, self.clock
        )

    def clock(self) -> float:
        return FASTER * time.monotonic() + self.skipped_s

    def skip(self, seconds: float) -> None:
        self.intake.turn()
        self.skipped_s += seconds
        # Looked at, tried, told.
        for _ in range(3):
            self.intake.turn()

    def takes(self) -> None:
        """Wait until the whole model is taken, with nothing refused and nothing left."""

        def taken() -> bool:
            self.intake.turn()
            return bool(self.store.entries())

        until(taken)
        (entry,) = self.store.entries()
        assert self.store.path(entry.digest).read_bytes() == MODEL.read_bytes()
        assert entry.file == "mine"
        assert list(self.server.incoming.iterdir()) == []
        assert list(self.server.rejected.iterdir()) == []

    def looks_on(self) -> "Looking":
        return Looking(self)


class Looking:
    """Looks all the time while something is copied; nothing may be taken or refused meanwhile."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self.stop = threading.Event()
        self.trouble: list[BaseException] = []

    def __enter__(self) -> None:
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()
        assert self.trouble == []

    def _run(self) -> None:
        try:
            while not self.stop.wait(0.05):
                self.box.intake.turn()
        except BaseException as error:
            self.trouble.append(error)


@pytest.fixture
def box(ssh_server: Server, tmp_path: Path) -> Box:
    for folder in (ssh_server.incoming, ssh_server.rejected):
        for path in folder.iterdir():
            path.unlink()
    return Box(ssh_server, tmp_path)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.latent"
    path.write_bytes(MODEL.read_bytes())
    path.chmod(0o644)
    os.utime(path, (1e9, 1e9))
    return path


@pytest.mark.parametrize("options", [(), ("-p",)], ids=["plain", "with its times"])
def test_scp(box: Box, mine: Path, options: tuple[str, ...]) -> None:
    with box.looks_on():
        done = run(box.server.scp(*options, mine, "artist:"))
    assert (done.returncode, done.stderr) == (0, "")
    box.takes()


def test_sftp(box: Box, mine: Path) -> None:
    with box.looks_on():
        done = run(box.server.sftp(), f"put {mine}\n")
    assert (done.returncode, done.stderr) == (0, "")
    box.takes()


@pytest.mark.parametrize("options", [(), ("--inplace",), ("-a", "--whole-file"), ("--delay-updates",)], ids=str)
def test_rsync(box: Box, mine: Path, options: tuple[str, ...]) -> None:
    with box.looks_on():
        done = run(box.server.rsync(*options, mine))
    assert (done.returncode, done.stderr) == (0, "")
    box.takes()


def test_rsync_over_an_older_one_of_the_same_name(box: Box, mine: Path) -> None:
    data = bytearray(MODEL.read_bytes())
    data[1_000_000:1_000_100] = bytes(100)
    (box.server.incoming / mine.name).write_bytes(data)
    with box.looks_on():
        done = run(box.server.rsync("--inplace", "--no-whole-file", "--ignore-times", mine))
    assert (done.returncode, done.stderr) == (0, "")
    box.takes()


def test_under_a_temporary_name_and_renamed(box: Box, mine: Path) -> None:
    with box.looks_on():
        run(box.server.sftp(), f"put {mine} mine.latent.filepart\n")
        box.skip(60.0)
        assert box.store.entries() == []
    done = run(box.server.sftp(), "rename mine.latent.filepart mine.latent\n")
    assert (done.returncode, done.stderr) == (0, "")
    box.takes()


def ended(server: Server) -> bool:
    """Whether the server has let go of all who were connected; until then what came may still be written."""
    task = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    return task.read_text() == ""


def told(box: Box) -> None:
    """What was cut off is said after a while, and stays."""
    until(lambda: ended(box.server))
    assert 0 < (box.server.incoming / "mine.latent").stat().st_size < SIZE
    path = box.server.rejected / "mine.latent.reason.txt"
    for _ in range(20):
        box.skip(16.0)
        if path.exists():
            break
        # Who wrote it may have lived a little longer than the connection, and then all begins anew.
        time.sleep(0.1)
    assert box.store.entries() == []
    reason = path.read_text()
    assert reason.startswith("mine.latent is cut short")
    assert "stay for an hour" in reason


def test_scp_cut_off_and_begun_again(box: Box, mine: Path) -> None:
    with box.looks_on():
        cut(box.server.scp("-l", SLOW_KBIT, mine, "artist:"), box.server.incoming / mine.name, SOME)
    told(box)
    done = run(box.server.scp(mine, "artist:"))
    assert (done.returncode, done.stderr) == (0, "")
    box.takes()


def test_sftp_cut_off_and_resumed(box: Box, mine: Path) -> None:
    with box.looks_on():
        cut(box.server.sftp("-l", SLOW_KBIT), box.server.incoming / mine.name, SOME, f"put {mine}\n")
    told(box)
    done = run(box.server.sftp(), f"reput {mine}\n")
    assert (done.returncode, done.stderr) == (0, "")
    box.takes()


@pytest.mark.parametrize(
    ("options", "again"),
    [
        (("--partial", "--append-verify"), ("--partial", "--append-verify")),
        (("--inplace",), ("--inplace",)),
        (("--partial",), ("--partial",)),
    ],
    ids=str,
)
def test_rsync_cut_off_and_resumed(box: Box, mine: Path, options: tuple[str, ...], again: tuple[str, ...]) -> None:
    path = box.server.incoming / mine.name
    with box.looks_on():
        cut(box.server.rsync(f"--bwlimit={SLOW_KIB}", *options, mine), path, SOME)
        until(path.exists)
        until(lambda: not list(path.parent.glob(".*")))
    told(box)
    done = run(box.server.rsync(*again, mine))
    assert (done.returncode, done.stderr) == (0, "")
    box.takes()


def test_a_refused_one_is_told_over_the_same_way(box: Box, mine: Path, tmp_path: Path) -> None:
    mine.write_bytes(b"no zip at all " * 100)
    run(box.server.scp(mine, "artist:"))
    box.skip(16.0)
    box.skip(5.0)
    where = "artist:/rejected" if box.server.locked else f"artist:{box.server.rejected}"
    done = run(box.server.scp(f"{where}/*.reason.txt", tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert "mine.latent" in (tmp_path / "mine.latent.reason.txt").read_text()


def test_the_account_is_locked_in(box: Box, mine: Path) -> None:
    if not box.server.locked:
        pytest.skip("Only root can lock an account into a folder.")
    listed = run(box.server.sftp(), "pwd\nls -1 /\n").stdout
    assert "Remote working directory: /incoming" in listed
    assert set(listed.split()) >= {"/incoming", "/rejected"}
    assert not any(f"/{name}" in listed.split() for name in ("etc", "home", "var"))
    for words in (f"put {mine} /mine.latent", f"put {mine} /rejected/x", "get ../../etc/passwd", "rm /rejected"):
        assert run(box.server.sftp(), words + "\n").returncode != 0, words
    assert run(box.server.ssh("id")).stdout == "This service allows sftp connections only.\n"
    forward = run(box.server.ssh("-W", "127.0.0.1:22"))
    assert (forward.returncode != 0, forward.stdout) == (True, "")


def test_what_the_artist_copies_belongs_to_the_group(box: Box, mine: Path) -> None:
    if not box.server.locked:
        pytest.skip("Only root can give a folder to somebody else.")
    run(box.server.scp(mine, "artist:"))
    status = (box.server.incoming / mine.name).stat()
    assert status.st_gid == box.server.incoming.stat().st_gid
    assert status.st_mode & 0o777 == 0o640


def test_the_key_for_rsync_is_good_for_nothing_else(box: Box, mine: Path) -> None:
    server = box.server
    command = ["ssh", *server.options(server.syncing, "-p"), f"{server.me}@127.0.0.1", "id"]
    done = run(command)
    assert done.returncode != 0
    assert "uid=" not in done.stdout
    back = [*server.rsync()[:-1], f"{server.me}@127.0.0.1:", str(mine.parent / "back")]
    assert run(back).returncode != 0
    assert run([*server.rsync(mine)[:-1], f"{server.me}@127.0.0.1:../rejected/"]).returncode != 0
    assert list(server.rejected.iterdir()) == []


def test_the_process_takes_it_within_seconds(
    ssh_server: Server, box: Box, mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    stop, said = threading.Event(), []
    settings = Settings(model=ModelSettings(incoming=str(ssh_server.incoming)))
    thread = threading.Thread(target=probing.run, args=(settings, stop, said.append, Watchdog()))
    thread.start()
    try:
        done = run(ssh_server.scp(mine, "artist:"))
        assert (done.returncode, done.stderr) == (0, "")
        until(lambda: said)
    finally:
        stop.set()
        thread.join()
    assert said == ["mine.latent was accepted and is to play."]
    current = box.store.choice().current
    assert current is not None
    assert current.name == "glass"
