"""A hand that turns everything, again and again."""

import random
import time

from chaos.harm import Outcome, turn
from chaos.room import Room

__all__ = ["mood_moves"]


def mood_moves(room: Room, short: bool, outcome: Outcome) -> None:
    rng = random.Random(2)
    ranges = {"pitch": (-1, 1), "tonality": (-1, 1), "weirdness": (-1, 1), "level": (-1, 1), "consonance": (-1, 1)}
    ranges |= {"density": (-1, 1), "wander": (0, 1), "pace": (0.25, 4), "nature": (0, 1), "width": (0, 1)}
    moves = 15 if short else 100
    done = 0
    for _ in range(moves):
        name = rng.choice(sorted(ranges))
        done += turn(room, **{name: rng.uniform(*ranges[name])})
        time.sleep(rng.uniform(0.03, 0.4))
    outcome.notes.append(f"{done} turns")
    outcome.need(done == moves, f"{moves - done} turns were refused")
