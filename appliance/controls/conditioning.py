"""What a converter reads, freed of what no hand did: noise, leaps, a wire that came off."""

from collections import deque
from itertools import pairwise
from typing import Final

__all__ = ["STILL", "Conditioner"]

# Four steps of ten bits to either side are eight from one extreme to the other.
STILL: Final = 0.009
# After so long without a step it rests, and the middle of what was read since is where it does.
_REST_S: Final = 0.1
# The quickest hand turns a knob from end to end in 80 ms, twice as quickly half way, and passes all between.
_FASTEST_A_SECOND: Final = 25.0
_LEAP: Final = 0.03
# Back so near and so soon it was a crackle of the knob; more of them in half a second are noise.
_BACK: Final = 0.1
_CRACKLES: Final = 3
# After a leap, and when all begins, so much quiet is waited for; after several leaps, so much more.
_QUIET_S: Final = 0.025
_FIRST_QUIET_S: Final = 0.1
_LONG_QUIET_S: Final = 0.5
# Without quiet for so long it is noise.
_NOISY_S: Final = 0.3
# A hand that shakes a knob turns back fourteen times a second at most, and not twice within a few readings.
_SHAKES: Final = 7
_SHAKEN_S: Final = 0.35
_TURN_READINGS: Final = 4
_SHAKE: Final = 0.012
# Lamps flicker.
_SHAKE_BY_ITSELF: Final = 0.15
# Nearer to an end than this is that end; a wire that came off stays so near to one.
_END: Final = 0.001
_PEGGED: Final = 0.01
_PEGGED_S: Final = 0.5
_LOOSE: Final = "is its wire loose?"


class Conditioner:
    """Takes the readings of one channel, and gives where the knob stands.

    Parameters
    ----------
    by_hand : bool
        Whether a hand turns it. Light, and what else may leap by itself, is only freed of noise.

    Attributes
    ----------
    trouble : str or None
        Half a sentence that says what is wrong.
    began_at_end : bool
        Whether it stood at an end when all began, as a wire that is not there does: nothing is given until it leaves.
    """

    def __init__(self, by_hand: bool) -> None:
        self.trouble: str | None = None
        self.began_at_end = False
        self._by_hand = by_hand
        self._last: tuple[float, float] | None = None
        self._given: float | None = None
        self._settled: float | None = None
        self._rest: float | None = None
        self._since_step: tuple[float, float, float] = (0.0, 0.0, 0.0)
        self._three: deque[float] = deque(maxlen=3)
        self._recent: deque[tuple[float, float]] = deque()
        self._leaps: deque[float] = deque()
        self._crackles: deque[float] = deque()
        self._before_leap = 0.0
        self._quiet_from_s = 0.0
        self._restless_since_s: float | None = None
        self._pegged_since_s: float | None = None
        self._left_end = not by_hand

    def feed(self, value: float, at_s: float) -> float | None:
        """Take a reading, 0..1, and give where the knob stands; None while that cannot be told.

        A small step of the hand is given after two readings, and noise of four steps of ten bits never.
        """
        if self._last is None:
            self._quiet_from_s = at_s + _FIRST_QUIET_S if self._by_hand else at_s
        elif at_s <= self._last[1]:
            # It was read twice at one moment, which is too little time for any hand.
            return self._given
        believable = self._believable(value, at_s)
        self._last = value, at_s
        self._three.append(value)
        self._given = self._smoothed(value, at_s) if believable else None
        return self._given

    def _smoothed(self, value: float, at_s: float) -> float | None:
        if self.trouble is not None:
            # Where it stood before and what it read meanwhile say nothing.
            self.trouble = self._settled = self._rest = None
            self._three = deque([value], maxlen=3)
        if not self._left_end:
            self.began_at_end = self.began_at_end or _at_end(value)
            if _at_end(value):
                return None
            self._left_end = True
        middle = sorted(self._three)[len(self._three) // 2]
        settled = middle if self._settled is None else self._stepped(self._settled, middle)
        if settled != self._settled:
            self._settled, self._rest, self._since_step = settled, None, (at_s, middle, middle)
        elif self._rest is None:
            since_s, low, high = self._since_step
            self._since_step = since_s, min(low, middle), max(high, middle)
            if at_s - since_s >= _REST_S:
                self._rest = (low + high) / 2.0
        return self._settled

    def _stepped(self, settled: float, middle: float) -> float:
        """Follow a reading with some play; what rests leaves from where it rests, or noise would creep at the edge."""
        rest = settled if self._rest is None else self._rest
        if middle > max(settled, rest) + STILL:
            return middle - STILL
        return middle + STILL if middle < min(settled, rest) - STILL else settled

    def _believable(self, value: float, at_s: float) -> bool:
        """Whether this may be so; notes the trouble where it may not."""
        if self._by_hand:
            self._look_for_leap(value, at_s)
        needed_s = _QUIET_S if len(self._leaps) < 2 and len(self._crackles) <= _CRACKLES else _LONG_QUIET_S
        leapt = bool(self._leaps and at_s - self._leaps[-1] < needed_s) or len(self._crackles) > _CRACKLES
        turns, just_turned = self._turns(value, at_s)
        restless = turns >= _SHAKES or leapt
        if not restless:
            self._restless_since_s = None
        elif self._restless_since_s is None:
            self._restless_since_s = at_s
        if self._restless_since_s is not None and at_s - self._restless_since_s >= _NOISY_S:
            self._quiet_from_s = at_s + _LONG_QUIET_S
            self.trouble = f"reads noise: {_LOOSE}"
        if self._pegged_since_s is not None and at_s - self._pegged_since_s >= _PEGGED_S:
            self._quiet_from_s = at_s + _LONG_QUIET_S
            self.trouble = f"leapt to its end and stays there: {_LOOSE}"
        return not (restless or just_turned) and self._pegged_since_s is None and at_s >= self._quiet_from_s

    def _look_for_leap(self, value: float, at_s: float) -> None:
        """Note whether it went where no hand can be so soon, and whether that was but a crackle."""
        for noted in (self._leaps, self._crackles):
            while noted and at_s - noted[0] > _LONG_QUIET_S:
                noted.popleft()
        if _PEGGED < value < 1.0 - _PEGGED:
            self._pegged_since_s = None
        if self._last is None:
            return
        before, since_s = self._last
        if abs(value - before) <= _LEAP + _FASTEST_A_SECOND * (at_s - since_s):
            return
        soon = bool(self._leaps) and at_s - self._leaps[-1] <= _QUIET_S
        if soon and abs(value - self._before_leap) <= _BACK:
            self._leaps.pop()
            self._crackles.append(at_s)
            return
        self._leaps.append(at_s)
        self._before_leap = before
        self._pegged_since_s = None if _PEGGED < value < 1.0 - _PEGGED else at_s

    def _turns(self, value: float, at_s: float) -> tuple[int, bool]:
        """How often it has gone back and forth of late, and whether it did just now."""
        recent = self._recent
        recent.append((value, at_s))
        while at_s - recent[0][1] > _SHAKEN_S:
            recent.popleft()
        least = _SHAKE if self._by_hand else _SHAKE_BY_ITSELF
        values = [value for value, _ in recent]
        ways = [(number, after - before) for number, (before, after) in enumerate(pairwise(values), 1)]
        wide = [(number, way) for number, way in ways if abs(way) > least]
        turned = [first for (first, one), (_, other) in pairwise(wide) if one * other < 0.0]
        return len(turned), bool(turned) and turned[-1] > len(values) - _TURN_READINGS


def _at_end(value: float) -> bool:
    return value <= _END or value >= 1.0 - _END
