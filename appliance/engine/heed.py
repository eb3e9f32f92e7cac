"""Heed: when hands have moved so far that what sounds was not chosen for them, the next piece begins."""

import math
from dataclasses import dataclass

from appliance.mood import QUANTITIES, Mood, Place

__all__ = ["UNMOVED", "Heed", "due", "go_on", "moving"]

# By these a piece is chosen.
_RANKING = ("pitch", "tonality", "weirdness", "level", "consonance")
_MOVED = 0.4
# So near to where the hands are the glide counts as arrived; then so long they must have been there.
_ARRIVED = 0.02
# So much is made again before the next piece is composed, which takes a small machine seconds.
_STILL_S = 6.0
# Someone who plays with a knob is not to be left with a room that only ever begins.
_APART_S = 60.0
# Share of a quantity's range.
_BY_HAND = 0.02


@dataclass(frozen=True)
class Heed:
    """Seconds for which hands have stood still, and since a piece began because of them; neither counts past 60."""

    still_s: float = 0.0
    since_s: float = _APART_S


UNMOVED = Heed()


def go_on(heed: Heed, seconds: float, glided: Mood, hands: Mood) -> Heed:
    """Let time pass, with a mood on its way to where the hands are."""
    still_s = heed.still_s + seconds if _apart(glided, hands) <= _ARRIVED else 0.0
    return Heed(min(still_s, _APART_S), min(heed.since_s + seconds, _APART_S))


def moving(glided: Mood, hands: Mood) -> bool:
    """Whether a hand moves something now: what glides by itself goes in smaller steps."""
    spans = QUANTITIES.items()
    return glided.place != hands.place or any(
        abs(getattr(glided, name) - getattr(hands, name)) > _BY_HAND * (each.high - each.low) for name, each in spans
    )


def due(heed: Heed, under: Mood, hands: Mood) -> bool:
    """Whether a piece that was composed under one mood is to give way to one for where the hands are."""
    return heed.still_s >= _STILL_S and heed.since_s >= _APART_S and _apart(under, hands) > _MOVED


def _apart(one: Mood, other: Mood) -> float:
    """How far two moods are apart in what pieces are chosen by: the farthest of all."""
    here, there = one.quantities(), other.quantities()
    return max(_drawn_apart(one.place, other.place), *(abs(here[name] - there[name]) for name in _RANKING))


def _drawn_apart(one: Place, other: Place) -> float:
    """Root mean square of how far apart, in standard deviations, two places draw what is in the middle."""
    if one.target == other.target and one.draw == other.draw:
        return 0.0
    count = max(len(one.target), len(other.target), 1)
    here, there = ([place.draw * value for value in place.target] or [0.0] * count for place in (one, other))
    return math.dist(here, there) / math.sqrt(count)
