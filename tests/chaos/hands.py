"""A hand that turns everything, again and again."""

import random
import time

from chaos.harm import Outcome, turn
from chaos.reference import HANDS
from chaos.room import Room

__all__ = ["mood_moves"]


def mood_moves(room: Room, short: bool, outcome: Outcome) -> None:
    rng = random.Random(2)
    moves = 15 if short else 100
    done = 0
    for _ in range(moves):
        name = rng.choice(sorted(HANDS))
        done += turn(room, **{name: rng.uniform(*HANDS[name])})
        time.sleep(rng.uniform(0.03, 0.4))
    outcome.notes.append(f"{done} turns")
    outcome.need(done == moves, f"{moves - done} turns were refused")
