"""Harm to the engine: killed, stopped, kept from starting, its model broken."""

import contextlib
import fcntl
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from chaos.harm import Outcome, replace, turn, wait_for
from chaos.room import Room

__all__ = [
    "engine_at_last",
    "engine_climbs",
    "engine_killed",
    "engine_locked_out",
    "engine_stopped",
    "engines_stopped",
    "first_boot",
    "model_broken",
    "own_model",
]


def engine_killed(room: Room, short: bool, outcome: Outcome) -> None:
    rng = random.Random(1)
    kills, last, turned = 3 if short else 20, 0, 0
    for number in range(kills):
        last = _await_engine(room, last, outcome)
        time.sleep(rng.uniform(0.2, 1.5))
        if number % 3 == 2:
            # Killed while it answers a hand.
            turned += _turn_somehow(room, rng.uniform(-1.0, 1.0))
            time.sleep(rng.uniform(0.0, 0.12))
        room.forget_crashes()
        room.signal("engine", signal.SIGKILL)
    outcome.notes.append(f"{kills} kills, {turned} of them within 0.12 s of a turn")
    outcome.need(turned >= kills // 3, "not every turn was taken")


def engine_climbs(room: Room, short: bool, outcome: Outcome) -> None:
    last = 0
    for _ in range(9):
        last = _await_engine(room, last, outcome)
        outcome.need(wait_for(lambda: room.filling, 20.0), "an engine did not begin to fill")
        room.signal("engine", signal.SIGKILL)
    _await_engine(room, last, outcome)
    wait_for(lambda: room.rung() == 3, 20.0)
    outcome.notes.append(f"9 kills lead to rung {room.rung()}")
    outcome.need(room.rung() == 3, f"after 9 crashes the engine stands on rung {room.rung()}, not on 3")


def engine_stopped(room: Room, short: bool, outcome: Outcome) -> None:
    stopped = room.pid("engine")
    room.signal("engine", signal.SIGSTOP)
    time.sleep(14.0 if short else 60.0)
    outcome.need(room.pid("engine") not in (0, stopped), "the supervisor did not replace the stopped engine")


def engines_stopped(room: Room, short: bool, outcome: Outcome) -> None:
    """Stop every engine there is, so that the reserve runs out however long it is."""
    seen = set()
    until_s = time.monotonic() + (5.0 if short else 60.0)
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
        time.sleep(6.0 if short else 120.0)
        outcome.need(room.counts()["held"] > 0, "the hold was never heard")
        crashes = room.said().count("The engine ended")
    outcome.notes.append(f"{crashes} starts failed")


def model_broken(room: Room, short: bool, outcome: Outcome) -> None:
    model = room.home / "own.latent"
    whole = model.read_bytes()
    replace(model, whole[: len(whole) // 2] + bytes(len(whole) // 2))
    room.signal("engine", signal.SIGKILL)
    time.sleep(10.0 if short else 60.0)
    outcome.notes.append(f"rung {room.rung()} while broken")
    replace(model, whole)


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


def _turn_somehow(room: Room, pitch: float) -> bool:
    return wait_for(lambda: turn(room, pitch=pitch), 10.0)


def _await_engine(room: Room, last: int, outcome: Outcome) -> int:
    """Wait for another engine than the last one; its process."""
    there = wait_for(lambda: room.pid("engine") not in (0, last), 20.0)
    outcome.need(there, "no engine was started again within 20 s")
    return room.pid("engine")


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
