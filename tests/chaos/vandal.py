"""A hostile writer: scribbles on a ring that is being played."""

import time

import numpy as np
from chaos.harm import Outcome
from chaos.room import Room

from appliance.stream.layout import Shape
from appliance.stream.ring import Ring

__all__ = ["everything", "for_a_while", "header", "once_nan", "once_noise"]


def once_nan(room: Room, short: bool, outcome: Outcome) -> None:
    _ring(room).lanes[:] = np.nan
    time.sleep(1.0 if short else 2.0)


def once_noise(room: Room, short: bool, outcome: Outcome) -> None:
    ring = _ring(room)
    ring.lanes[:] = _noise(ring.lanes.shape)
    time.sleep(1.0 if short else 2.0)


def for_a_while(room: Room, short: bool, outcome: Outcome) -> None:
    _scribble(room, short, history=False)


def everything(room: Room, short: bool, outcome: Outcome) -> None:
    _scribble(room, short, history=True)


def header(room: Room, short: bool, outcome: Outcome) -> None:
    """First the words of engine and player, then what never changes."""
    ring = _ring(room)
    chance = np.random.default_rng(4)
    for begin, end in ((0, 64), (64, 128)):
        for word in range(begin, end):
            ring.words[word] = int(chance.integers(1 << 63))
        time.sleep(1.5 if short else 4.0)
        ring = _ring(room)
    # The first bytes: nobody could open this ring any more.
    handle = ring.path.open("r+b", buffering=0)
    with handle:
        handle.write(chance.bytes(Shape.size()))
    time.sleep(1.5 if short else 4.0)
    outcome.need(_ring(room).intact(), "nobody made the ring anew")


def _scribble(room: Room, short: bool, history: bool) -> None:
    ring = _ring(room)
    fills = [np.nan, _noise(ring.lanes.shape[1:]), np.inf, 0.0, 1.0]
    until_s = time.monotonic() + (1.5 if short else 5.0)
    turn = 0
    while time.monotonic() < until_s:
        ring.lanes[:] = fills[turn % len(fills)]
        if history:
            ring.history[: len(ring.history) // 2] = fills[turn % 3 // 2 * 2]
            ring.history[len(ring.history) // 2 :] = 1.0
        turn += 1
        time.sleep(0.05)


def _ring(room: Room) -> Ring:
    ring = room.ring(writable=True)
    assert ring is not None, "there is no ring"
    return ring


def _noise(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(3).choice(np.array([-1.0, 1.0], dtype=np.float32), shape)
