"""Ending: the last piece before the room closes comes to its end just then, and the opening begins with another.

A cursor says at which hop the room is to close or open. The piece before is hurried or held up until its last sound
falls there, and a rest lies around it.
"""

from appliance.engine.cursor import Cursor
from appliance.score.form import form
from appliance.score.rest import Rest, lead_s

__all__ = ["hurry", "is_near", "is_over", "rested"]

_REST_S = 6.0
# No more than a hand on the pace could.
_SLOWEST, _QUICKEST = 0.25, 4.0
# Where less of another piece would fit, this one is the last.
_LEAST_SHARE = 0.6
# By then whatever else would rest or begin had its time.
_NEAR_S = 75.0
_APART_S = 30.0


def is_over(cursor: Cursor) -> bool:
    """Whether the room closes or opens with the hop after this one."""
    return cursor.until is not None and cursor.hop + 1 >= cursor.until


def is_near(cursor: Cursor, hop_s: float) -> bool:
    """Whether the room closes or opens soon."""
    return cursor.until is not None and (cursor.until - cursor.hop) * hop_s <= _NEAR_S


def hurry(cursor: Cursor, left_s: float, pace: float, hop_s: float) -> float | None:
    """By how much the piece under way is to go quicker, to end as the room closes; None unless it is the last.

    Parameters
    ----------
    left_s : float
        For which it would go on by itself.
    """
    if cursor.until is None or cursor.next is not None:
        return None
    room_s = (cursor.until - cursor.hop) * hop_s
    following_s = form(cursor.seed, cursor.now.piece.number + 1).length_s / pace
    if room_s - left_s >= _LEAST_SHARE * following_s:
        return None
    return min(max(left_s / room_s, _SLOWEST), _QUICKEST)


def rested(cursor: Cursor, rest: Rest, hop_s: float) -> Rest:
    """Begin the rest in whose middle the room closes, once that is due; otherwise give the one there is."""
    if cursor.until is None or (cursor.until - cursor.hop - 1) * hop_s > lead_s(_REST_S) or rest.since_s < _APART_S:
        return rest
    return Rest(0.0, _REST_S)
