"""Presence: the room dims while nobody is there, and wakes when somebody comes."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from appliance.wiring.room import PresenceSettings

__all__ = ["Presence"]

_THERE: Final = 0.5


@dataclass
class Presence:
    """How far the room is from dimmed, 0, to awake, 1.

    Parameters
    ----------
    rule : PresenceSettings
    seen_s : float
        When somebody was last there.
    """

    rule: PresenceSettings
    seen_s: float
    awake: float = 1.0

    def see(self, ways: Iterable[float | None], touched: bool, now_s: float) -> None:
        """Take where the sensors stand, 0..1, None for one in trouble, and whether a hand moved anything.

        Where no sensor can be trusted somebody is taken to be there: a gallery prefers sound to silence.
        """
        known = [way for way in ways if way is not None]
        if touched or not known or max(known) >= _THERE:
            self.seen_s = now_s

    def turn(self, now_s: float, passed_s: float) -> float:
        """Let time pass; gives how far awake the room is."""
        away = now_s - self.seen_s >= 60.0 * self.rule.after_min
        step = -passed_s / self.rule.dim_s if away else passed_s / self.rule.wake_s
        self.awake = min(max(self.awake + step, 0.0), 1.0)
        return self.awake
