"""What all harms have in common: what they tell, and how they wait, turn and write."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from chaos.room import Room

from appliance.errors import LatentError

__all__ = ["Act", "Outcome", "replace", "turn", "wait_for"]


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


def turn(room: Room, **quantities: float) -> bool:
    """Move the mood; whether the engine took it."""
    try:
        room.ask(do="mood", set=quantities)
    except LatentError:
        # It was killed a moment ago.
        return False
    return True


def wait_for(so: Callable[[], object], within_s: float) -> bool:
    """Wait until something is so; False where that takes too long."""
    until_s = time.monotonic() + within_s
    while not so():
        if time.monotonic() > until_s:
            return False
        time.sleep(0.02)
    return True


def replace(path: Path, content: bytes) -> None:
    """Put another file in the place of one."""
    part = path.with_suffix(".part")
    part.write_bytes(content)
    part.replace(path)
