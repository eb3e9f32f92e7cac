"""The porter: goes by the opening hours and the wall clock, and tells the player by the monotonic one what to do.

Looking at the wall clock may take its time, so a thread of its own does it, once a second. What it leaves is good for
the next closing and opening, whatever becomes of the thread. Where the clock cannot be trusted the room is open.
"""

import contextlib
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from appliance.errors import SettingsError
from appliance.stream.fader import CLOSING_S, Curtain
from appliance.stream.hours import Hours, Span
from appliance.stream.sign import Rule, sign
from appliance.stream.trust import Trust

__all__ = ["Plan", "Porter", "porter_of"]

_LOOK_EVERY_S: Final = 1.0
_MINUTE_S: Final = 60.0


@dataclass(frozen=True)
class Plan:
    """What to do and when, in seconds of CLOCK_MONOTONIC.

    Attributes
    ----------
    opens_s, closes_s : float
        The room is open from the one to the other, and closed before and after.
    quiet_from_s, quiet_until_s : float
        The ceiling is lower from the one to the other.
    quiet_gain : float
        That ceiling, 0..1, amplitude.
    wake_s : float
        So long before it opens sound is to be made again.
    rule : Rule
    change : datetime or None
        When the rule changes next, on the gallery's clock.
    """

    opens_s: float = -math.inf
    closes_s: float = math.inf
    quiet_from_s: float = math.inf
    quiet_until_s: float = math.inf
    quiet_gain: float = 1.0
    wake_s: float = 0.0
    rule: Rule = Rule.ALWAYS
    change: datetime | None = None

    def curtain(self, now_s: float) -> Curtain:
        """What the fader is to do at a moment."""
        fallen = (now_s - (self.closes_s - CLOSING_S)) / CLOSING_S
        return Curtain(
            is_open=self.opens_s <= now_s < self.closes_s,
            fallen=min(max(fallen, 0.0), 1.0),
            ceiling=self.quiet_gain if self.quiet_from_s <= now_s < self.quiet_until_s else 1.0,
        )

    def awake(self, now_s: float) -> bool:
        """Whether sound is to be made at a moment: the room is open, or will be soon."""
        return self.opens_s - self.wake_s <= now_s < self.closes_s

    def edge_s(self, now_s: float) -> float:
        """For how many seconds of sound the room stays as it is, open or closed; infinite where that is not known."""
        if self.opens_s <= now_s < self.closes_s:
            return self.closes_s - now_s
        return min(self.opens_s - now_s, self.wake_s) if now_s < self.opens_s < math.inf else math.inf


class Porter:
    """Keeps the plan; `look` for one thread, `plan` for any.

    Parameters
    ----------
    hours : Hours or None
        None: the room is always open, and nobody looks at any clock.
    say : callable
        Is given a sentence whenever the room opens, closes or grows quiet.
    trust : Trust or None
        Another one than the system's, for a test.
    wall_s : callable
        Seconds since 1970.
    clock_s : callable
        CLOCK_MONOTONIC in seconds.

    Attributes
    ----------
    plan : Plan
    """

    def __init__(
        self,
        hours: Hours | None,
        say: Callable[[str], None],
        trust: Trust | None = None,
        wall_s: Callable[[], float] = time.time,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hours = hours
        self._say = say
        self._trust = trust or Trust()
        self._wall_s = wall_s
        self._clock_s = clock_s
        self._minute = -1.0
        self._spans: tuple[Span | None, Span | None] = (None, None)
        self._closed = threading.Event()
        self.plan = Plan()
        self.look()

    def look(self) -> None:
        """Look at the clock, and plan anew."""
        if self._hours is None:
            return
        before, self.plan = self.plan, self._planned(self._hours)
        if self.plan.rule is not before.rule:
            # A year that is in no calendar has no change either.
            now = datetime.fromtimestamp(0.0 if self.plan.change is None else self._wall_s(), UTC)
            self._say(f"The room is {sign(self.plan.rule, self.plan.change, now)}.")

    def start(self) -> None:
        """Look every second, in a thread of its own."""
        if self._hours is not None:
            threading.Thread(target=self._run, name="porter", daemon=True).start()

    def close(self) -> None:
        """Look no more; the plan stays."""
        self._closed.set()

    def _run(self) -> None:
        while not self._closed.wait(_LOOK_EVERY_S):
            # That nobody can be told is no reason to look no more.
            with contextlib.suppress(Exception):
                self.look()

    def _planned(self, hours: Hours) -> Plan:
        try:
            wall_s, now_s = self._wall_s(), self._clock_s()
            if self._trust.look(wall_s, now_s):
                opening, quieting = self._around(hours, wall_s)
                return _plan(hours, opening, quieting, wall_s, now_s - wall_s)
        except Exception:
            # A year that is in no calendar, or a fault of ours: neither may keep the room shut for months.
            return Plan(rule=Rule.UNTRUSTED)
        return Plan(rule=Rule.UNTRUSTED)

    def _around(self, hours: Hours, wall_s: float) -> tuple[Span | None, Span | None]:
        # Nothing changes but at whole minutes.
        minute = wall_s // _MINUTE_S
        if minute != self._minute:
            self._spans = hours.opening(wall_s), hours.quieting(wall_s)
            self._minute = minute
        return self._spans


def _plan(hours: Hours, opening: Span | None, quieting: Span | None, wall_s: float, ahead_s: float) -> Plan:
    """Say by the monotonic clock, which is so far ahead of the wall's, what the hours say."""

    def change(at_s: float | None) -> datetime | None:
        return None if at_s is None else hours.local(at_s)

    def later(at_s: float | None) -> float:
        return math.inf if at_s is None else at_s + ahead_s

    if opening is None:
        return Plan(opens_s=math.inf, rule=Rule.CLOSED)
    plan = Plan(opening.begin_s + ahead_s, later(opening.end_s), wake_s=hours.wake_s)
    if wall_s < opening.begin_s:
        return replace(plan, rule=Rule.CLOSED, change=change(opening.begin_s))
    closes = opening.end_s
    if quieting is None:
        return replace(plan, rule=Rule.OPEN, change=change(closes))
    quiet = wall_s >= quieting.begin_s
    turns = quieting.end_s if quiet else quieting.begin_s
    first = min((at for at in (closes, turns) if at is not None), default=None)
    return replace(
        plan,
        quiet_from_s=quieting.begin_s + ahead_s,
        quiet_until_s=later(quieting.end_s),
        quiet_gain=hours.quiet_gain,
        rule=Rule.QUIET if quiet else Rule.OPEN,
        change=change(first),
    )


def porter_of(told: dict[str, Any] | None, say: Callable[[str], None]) -> Porter:
    """Employ one for the opening hours as their table gives them in JSON; where it cannot be read, the room is open."""
    hours = None
    try:
        hours = None if told is None else Hours.of(told)
    except SettingsError as error:
        say(f"{error} The room stays open.")
    if hours is not None and hours.trouble:
        say(hours.trouble)
    return Porter(hours, say)
