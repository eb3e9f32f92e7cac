"""Harm to what surrounds the engine: processor, disk, clock, sound server, and the player itself."""

import contextlib
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

from chaos.harm import Outcome, turn
from chaos.reference import factory_folder
from chaos.room import Room

from appliance.errors import LatentError

__all__ = [
    "clock_steps",
    "cores_busy",
    "disk_full",
    "fake_clock",
    "fill_disk",
    "player_killed",
    "server_killed",
    "undisturbed",
]


def undisturbed(room: Room, short: bool, outcome: Outcome) -> None:
    time.sleep(1.5 if short else 60.0)


def cores_busy(room: Room, short: bool, outcome: Outcome) -> None:
    loops = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(6)]
    try:
        time.sleep(4.0 if short else 30.0)
        if not short:
            room.signal("engine", signal.SIGKILL)
            time.sleep(15.0)
            outcome.notes.append("engine killed once meanwhile")
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def fill_disk(room: Room, short: bool, outcome: Outcome) -> None:
    """Give state and cache a file system of their own, and leave no room on it beside the factory sound."""
    small = room.home / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "none", str(small)], capture_output=True, check=False
    )
    room.env |= {"XDG_STATE_HOME": str(small), "XDG_CACHE_HOME": str(small)}
    if mounted.returncode:
        # The next best thing: no folder can be made there.
        small.rmdir()
        small.write_bytes(b"")
        outcome.notes.append("mounting is not allowed here, so the state folder is a file")
        return
    shutil.copytree(factory_folder(), small / "latent" / "factory")
    with contextlib.suppress(OSError), (small / "brim").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    outcome.notes.append(f"{os.statvfs(small).f_bavail} blocks free")


def disk_full(room: Room, short: bool, outcome: Outcome) -> None:
    room.forget_crashes()
    room.signal("engine", signal.SIGKILL)
    time.sleep(2.5)
    turn(room, pitch=0.5)
    time.sleep(0.5)
    with contextlib.suppress(LatentError):
        room.ask(do="next")
    time.sleep(1.0 if short else 20.0)


def fake_clock(room: Room, short: bool, outcome: Outcome) -> None:
    """Give `latent play` a wall clock of its own; the machine's is everybody's."""
    library, stamp = room.home / "wall_clock.so", room.home / "clock"
    source = Path(__file__).with_name("wall_clock.c")
    try:
        subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    except FileNotFoundError:
        outcome.notes.append("not done: there is no C compiler here for another clock")
        return
    stamp.write_bytes(bytes(8))
    room.env |= {"LD_PRELOAD": str(library), "WALL_CLOCK_OFFSET": str(stamp)}
    asked = [sys.executable, "-c", "import time; print(time.time())"]
    stamp.write_bytes(struct.pack("<q", 1 << 30))
    shown = float(subprocess.run(asked, env=room.env, capture_output=True, check=True).stdout)
    stamp.write_bytes(bytes(8))
    outcome.need(shown > time.time() + (1 << 29), "the pretended clock is not believed")


def clock_steps(room: Room, short: bool, outcome: Outcome) -> None:
    stamp = room.home / "clock"
    if not stamp.exists():
        return
    with stamp.open("r+b", buffering=0) as file:
        for years in (10, -10, 0):
            file.seek(0)
            file.write(struct.pack("<q", round(years * 365.25 * 86_400)))
            time.sleep(1.0 if short else 15.0)
            if years < 0:
                room.signal("engine", signal.SIGKILL)
                time.sleep(1.5)
                year = time.localtime().tm_year + years
                outcome.notes.append(f"engine killed meanwhile, at its {year}")


def player_killed(room: Room, short: bool, outcome: Outcome) -> None:
    for number in range(1 if short else 3):
        if number:
            time.sleep(6.0)
        outcome.need(room.signal("player", signal.SIGKILL), "there was no player")
    time.sleep(1.5)


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
    time.sleep(1.0 if short else 4.0)
