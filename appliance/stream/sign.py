"""The sign at the door: by what the room is open or closed, in a number for the ring and in words for people."""

import enum
from datetime import datetime
from typing import Final

__all__ = ["Rule", "sign"]

_WEEK_DAYS: Final = 7


class Rule(enum.IntEnum):
    """By what the room is open or closed now."""

    ALWAYS = 1
    UNTRUSTED = 2
    OPEN = 3
    QUIET = 4
    CLOSED = 5


_WORDS: Final = {
    Rule.ALWAYS: "always open",
    Rule.UNTRUSTED: "open, since the time of day cannot be trusted yet",
    Rule.OPEN: "open",
    Rule.QUIET: "open, and quiet",
    Rule.CLOSED: "closed",
}


def sign(rule: Rule, change: datetime | None, now: datetime) -> str:
    """Say how the room is, and until when: "closed until tomorrow 10:00".

    Parameters
    ----------
    change : datetime or None
        When that changes, on the gallery's clock; None where nobody knows.
    now : datetime
        Of any time zone, but of one.
    """
    if change is None:
        return _WORDS[rule]
    days, clock = (change.date() - now.astimezone(change.tzinfo).date()).days, f"{change:%H:%M}"
    if 0 < days < _WEEK_DAYS:
        clock = f"{'tomorrow' if days == 1 else f'{change:%A}'} {clock}"
    elif days:
        clock = f"{change:%Y-%m-%d} {clock}"
    return f"{_WORDS[rule]} until {clock}"
