"""Rests: where the music falls silent for some seconds, by a clock of its own.

A piece says where its rests are due; once one has begun, only time moves it. Bound to the path, a hand that turns up
the pace would drag the room back into a silence that it has just left.
"""

import math
from dataclasses import dataclass

__all__ = ["AWAKE", "FADE_S", "Rest", "gain", "go_on", "lead_s", "woken"]

# A rest is entered and left over so many seconds.
FADE_S = 6.0
# At a quick pace rests are due sooner than this; then some are left out.
_APART_S = 60.0
_DENSITY_SHARE = 0.25
_LONG_AGO_S = 600.0
# After so much of the rise a tenth of the power is back.
_WOKEN_S = 0.381 * FADE_S


@dataclass(frozen=True)
class Rest:
    """Seconds since the last rest began, with the fade into it, and for how many of them nothing sounds."""

    since_s: float
    length_s: float


AWAKE = Rest(_LONG_AGO_S, 0.0)


def gain(rest: Rest) -> float:
    """Power of the music against that without a rest, 0..1."""
    if rest.since_s < FADE_S:
        return math.cos(0.5 * math.pi * rest.since_s / FADE_S) ** 4
    back = (rest.since_s - FADE_S - rest.length_s) / FADE_S
    return math.sin(0.5 * math.pi * min(max(back, 0.0), 1.0)) ** 4


def woken(rest: Rest, seconds: float) -> Rest:
    """Let a rest give way to a hand that moves: whoever turns a knob in a silence is to hear something at once.

    Its end begins from where the music is now, a tenth of its power at the least, and comes three times as soon.
    """
    over_s = FADE_S + rest.length_s
    if rest.since_s >= over_s + FADE_S:
        return rest
    # Falling and rising mirror each other.
    risen_s = FADE_S - rest.since_s if rest.since_s < FADE_S else max(rest.since_s - over_s, 0.0)
    return Rest(over_s + min(max(risen_s + 2.0 * seconds, _WOKEN_S), FADE_S), rest.length_s)


def lead_s(length_s: float) -> float:
    """Seconds by which a rest begins before its middle is due."""
    return FADE_S + length_s / 2.0


def go_on(rest: Rest, seconds: float, due_s: float | None, density: float) -> Rest:
    """Let time pass, and begin a rest of ``due_s`` seconds if one is due and the last is long enough ago."""
    since_s = min(rest.since_s + seconds, _LONG_AGO_S)
    if due_s is None or since_s < _APART_S:
        return Rest(since_s, rest.length_s)
    return Rest(0.0, due_s * (1.0 - _DENSITY_SHARE * density))
