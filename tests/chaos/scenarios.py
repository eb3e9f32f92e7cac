"""What may happen to a room: each scenario does its harm and comes back when it is over."""

import contextlib
import fcntl
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import vandal
from room import Room, faketime_library

from appliance.errors import LatentError

__all__ = ["SCENARIOS", "Outcome", "Scenario"]


@dataclass
class Outcome:
    """What a scenario has to say beside what is measured on the tape."""

    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def need(self, true: bool, sentence: str) -> None:
        """Note a problem unless something holds."""
        if not true:
            self.problems.append(sentence)


Act = Callable[[Room, bool, Outcome], None]


@dataclass(frozen=True)
class Scenario:
    """One line of the table.

    Attributes
    ----------
    act : callable
        Does it to a room that plays; told whether to be short.
    prepare : callable or None
        Done before `latent play` starts.
    hole_s : float
        The longest hole allowed.
    seamless : bool
        Whether no step or click may be larger than the music's own.
    card, music : str
        Lines of the settings.
    short : bool
        Whether the short version has it.
    """

    name: str
    act: Act
    prepare: Act | None = None
    hole_s: float = 0.005
    seamless: bool = True
    card: str = ""
    music: str = ""
    short: bool = True


def undisturbed(room: Room, short: bool, outcome: Outcome) -> None:
    time.sleep(3.0 if short else 60.0)


def engine_killed(room: Room, short: bool, outcome: Outcome) -> None:
    rng = random.Random(1)
    kills = turned = 0
    for number in range(5 if short else 20):
        time.sleep(rng.uniform(0.2, 1.5))
        room.forget_crashes()
        if number % 3 == 2:
            # Killed while it answers a hand.
            pitch = rng.uniform(-1.0, 1.0)
            turned += _await(lambda: _turn(room, pitch=pitch), 10.0)  # noqa: B023
            time.sleep(rng.uniform(0.0, 0.12))
        kills += room.signal("engine", signal.SIGKILL)
    outcome.notes.append(f"{kills} kills, {turned} within 0.12 s of a turn")
    outcome.need(kills >= (4 if short else 15), f"the engine was there to be killed only {kills} times")


def engine_climbs(room: Room, short: bool, outcome: Outcome) -> None:
    for _ in range(11):
        _await(lambda: room.filling, 10.0)
        room.signal("engine", signal.SIGKILL)
    _await(lambda: room.rung() == 3, 20.0)
    outcome.notes.append(f"11 kills lead to rung {room.rung()}")
    outcome.need(room.rung() == 3, f"after 11 crashes the engine stands on rung {room.rung()}, not on 3")


def engine_stopped(room: Room, short: bool, outcome: Outcome) -> None:
    stopped = room.pid("engine")
    room.signal("engine", signal.SIGSTOP)
    time.sleep(14.0 if short else 60.0)
    outcome.need(room.pid("engine") not in (0, stopped), "the supervisor did not replace the stopped engine")


def engines_stopped(room: Room, short: bool, outcome: Outcome) -> None:
    """Stop every engine there is, so that the reserve runs out however long it is."""
    seen = set()
    until_s = time.monotonic() + (8.0 if short else 60.0)
    while time.monotonic() < until_s:
        pid = room.pid("engine")
        if pid not in seen and room.signal("engine", signal.SIGSTOP):
            seen.add(pid)
        time.sleep(0.01)
    outcome.need(room.counts()["held"] > 0, "the hold was never heard")
    room.signal("engine", signal.SIGCONT)
    outcome.notes.append(f"{len(seen)} engines stopped")


def engine_locked_out(room: Room, short: bool, outcome: Outcome) -> None:
    """Hold what every engine needs, so that none can start, on whichever rung."""
    with _locked_out(room):
        time.sleep(10.0 if short else 120.0)
        outcome.need(room.counts()["held"] > 0, "the hold was never heard")
        crashes = room.said().count("The engine ended")
    outcome.notes.append(f"{crashes} starts failed")


def model_broken(room: Room, short: bool, outcome: Outcome) -> None:
    model = room.home / "own.latent"
    whole = model.read_bytes()
    _replace(model, whole[: len(whole) // 2] + bytes(len(whole) // 2))
    room.signal("engine", signal.SIGKILL)
    time.sleep(10.0 if short else 60.0)
    outcome.notes.append(f"rung {room.rung()} while broken")
    _replace(model, whole)


def own_model(room: Room, short: bool, outcome: Outcome) -> None:
    shipped = Path(__file__).parents[2] / "models" / "default.latent"
    (room.home / "own.latent").write_bytes(shipped.read_bytes())


def first_boot(room: Room, short: bool, outcome: Outcome) -> None:
    """Let no engine start: what sounds can only be the factory's."""
    lock = _lock(room)
    assert lock is not None
    room.locks.append(lock)


def engine_at_last(room: Room, short: bool, outcome: Outcome) -> None:
    time.sleep(1.0 if short else 60.0)
    for lock in room.locks:
        os.close(lock)
    room.locks.clear()


def cores_busy(room: Room, short: bool, outcome: Outcome) -> None:
    loops = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(6)]
    try:
        time.sleep(5.0 if short else 30.0)
        if not short:
            room.signal("engine", signal.SIGKILL)
            time.sleep(15.0)
            outcome.notes.append("engine killed once meanwhile")
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def disk_full(room: Room, short: bool, outcome: Outcome) -> None:
    room.forget_crashes()
    room.signal("engine", signal.SIGKILL)
    time.sleep(3.0)
    _turn(room, pitch=0.5)
    time.sleep(1.0)
    with contextlib.suppress(LatentError):
        room.ask(do="next")
    time.sleep(2.0 if short else 20.0)


def fill_disk(room: Room, short: bool, outcome: Outcome) -> None:
    """Give state and cache a file system of their own, and leave no room on it."""
    small = room.home / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(small)], capture_output=True, check=False
    )
    room.env |= {"XDG_STATE_HOME": str(small), "XDG_CACHE_HOME": str(small)}
    if mounted.returncode:
        # The next best thing: no folder can be made there.
        small.rmdir()
        small.write_bytes(b"")
        outcome.notes.append("mounting is not allowed here, so the state folder is a file")
        return
    with contextlib.suppress(OSError), (small / "brim").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    outcome.notes.append(f"{os.statvfs(small).f_bavail} blocks free")


def clock_steps(room: Room, short: bool, outcome: Outcome) -> None:
    stamp = Path(room.env.get("FAKETIME_TIMESTAMP_FILE", ""))
    if not stamp.is_file():
        return
    for offset in ("+3650d", "-3650d", "+0"):
        _replace(stamp, offset.encode())
        time.sleep(1.5 if short else 15.0)
        if offset.startswith("-"):
            room.signal("engine", signal.SIGKILL)
            time.sleep(2.0)


def fake_clock(room: Room, short: bool, outcome: Outcome) -> None:
    if not faketime_library():
        outcome.notes.append("libfaketime is not installed: not done")
        return
    stamp = room.home / "clock"
    stamp.write_text("+0")
    room.env |= {
        "LD_PRELOAD": faketime_library(),
        "FAKETIME_TIMESTAMP_FILE": str(stamp),
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_NO_CACHE": "1",
        "NO_FAKE_STAT": "1",
    }


def mood_moves(room: Room, short: bool, outcome: Outcome) -> None:
    rng = random.Random(2)
    ranges = {"pitch": (-1, 1), "tonality": (-1, 1), "weirdness": (-1, 1), "level": (-1, 1), "consonance": (-1, 1)}
    ranges |= {"density": (-1, 1), "wander": (0, 1), "pace": (0.25, 4), "nature": (0, 1), "width": (0, 1)}
    moves = 15 if short else 100
    done = 0
    for _ in range(moves):
        name = rng.choice(sorted(ranges))
        done += _turn(room, **{name: rng.uniform(*ranges[name])})
        time.sleep(rng.uniform(0.03, 0.4))
    outcome.notes.append(f"{done} turns")
    outcome.need(done == moves, f"{moves - done} turns were refused")


def player_killed(room: Room, short: bool, outcome: Outcome) -> None:
    for number in range(1 if short else 3):
        if number:
            time.sleep(6.0)
        outcome.need(room.signal("player", signal.SIGKILL), "there was no player")
    time.sleep(3.0)


def server_killed(room: Room, short: bool, outcome: Outcome) -> None:
    room.tape.stop()
    room.server.kill()
    time.sleep(2.0 if short else 5.0)
    began_s = time.monotonic()
    room.server.start()
    room.record()
    back_s = room.await_sound() - began_s
    outcome.notes.append(f"sound {back_s:.1f} s after the server's start")
    outcome.need(back_s <= 5.0, f"sound came back only after {back_s:.1f} s")
    room.settled_frame = room.tape.frame_at(time.monotonic() + 1.2)
    time.sleep(1.5)


def _turn(room: Room, **quantities: float) -> bool:
    try:
        room.ask(do="mood", set=quantities)
    except LatentError:
        # It was killed a moment ago.
        return False
    return True


def _await(so: Callable[[], object], within_s: float) -> bool:
    until_s = time.monotonic() + within_s
    while not so():
        if time.monotonic() > until_s:
            return False
        time.sleep(0.02)
    return True


def _replace(path: Path, content: bytes) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(content)
    part.replace(path)


@contextlib.contextmanager
def _locked_out(room: Room) -> Iterator[None]:
    room.signal("engine", signal.SIGKILL)
    lock = None
    while lock is None:
        lock = _lock(room)
    try:
        yield
    finally:
        os.close(lock)


def _lock(room: Room) -> int | None:
    handle = os.open(room.folder / "engine.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


SCENARIOS = (
    Scenario("undisturbed", undisturbed),
    Scenario("engine killed", engine_killed),
    Scenario("engine killed up the ladder", engine_climbs, short=False),
    Scenario("engine stopped", engine_stopped),
    Scenario("engine stopped, 2 s reserve", engine_stopped, card="reserve_s = 2.0", short=False),
    Scenario("every engine stopped", engines_stopped, card="reserve_s = 4.0"),
    Scenario("engine cannot start", engine_locked_out, card="reserve_s = 2.0"),
    Scenario("engine cannot start, 20 s reserve", engine_locked_out, short=False),
    Scenario("model broken", model_broken, own_model, card="reserve_s = 4.0", music='model = "{home}/own.latent"'),
    Scenario("first boot without engine", engine_at_last, first_boot),
    Scenario("six busy loops", cores_busy),
    Scenario("disk full", disk_full, fill_disk),
    Scenario("clock +-10 years", clock_steps, fake_clock),
    Scenario("mood moved", mood_moves),
    Scenario("ring scribbled on once: NaN", vandal.once_nan),
    Scenario("ring scribbled on once: noise", vandal.once_noise),
    Scenario("ring scribbled on for 5 s", vandal.for_a_while),
    Scenario("ring scribbled on, history too", vandal.everything),
    Scenario("ring's header scribbled on", vandal.header, seamless=False, hole_s=2.0),
    Scenario("sound server killed", server_killed, seamless=False, hole_s=float("inf")),
    Scenario("player killed", player_killed, seamless=False, hole_s=2.0),
)
