"""From where a control stands to the value that it stands for: pure arithmetic."""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from appliance.mood import STEERED
from appliance.wiring.tables import Control, Curve, Encoder

__all__ = ["Ends", "Span", "span_of", "take_over"]

# What a logarithmic potentiometer gives half way, an eighth, becomes a half again under "log".
_BEND: Final = 64.0


@dataclass(frozen=True)
class Ends:
    """Which part of 0..1 a control really covers."""

    low: float = 0.0
    high: float = 1.0

    def of(self, value: float) -> float:
        """Stretch a reading, 0..1, so that the real ends become 0 and 1."""
        return min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)


@dataclass(frozen=True)
class Span:
    """What the way of a control stands for.

    Attributes
    ----------
    low, high : float
        At its two ends, in the unit of what it moves; low may be the larger.
    curve : str or points
    deadband : float
        Share of the way, at each end and around the middle, in which nothing moves.
    invert : bool
    """

    low: float
    high: float
    curve: Curve = "linear"
    deadband: float = 0.0
    invert: bool = False

    def value(self, way: float) -> float:
        """Value at a place of the way, 0..1."""
        bent = _bent(_still(1.0 - way if self.invert else way, self.deadband), self.curve)
        return self.low * (1.0 - bent) + self.high * bent

    def way(self, value: float) -> float:
        """A place of the way, 0..1, that stands for a value, or for the nearest one that it can stand for."""
        way = _moving(_unbent((self.clip(value) - self.low) / (self.high - self.low), self.curve), self.deadband)
        return 1.0 - way if self.invert else way

    def clip(self, value: float) -> float:
        """The nearest value that it can stand for."""
        return min(max(value, min(self.low, self.high)), max(self.low, self.high))


def span_of(control: Control) -> Span | None:
    """What a control's way stands for; None where it moves nothing."""
    if control.moves is None:
        return None
    quantity = STEERED[control.moves]
    low = quantity.low if control.low is None else control.low
    high = quantity.high if control.high is None else control.high
    # An encoder has neither ends nor a middle to lie still at.
    deadband = 0.0 if isinstance(control, Encoder) else control.deadband
    return Span(low, high, control.curve, deadband, control.invert)


def take_over(value: float, before: float, after: float, span: Span) -> float:
    """Move a value by a control that may stand elsewhere, as after a scene was recalled, without a jump.

    Each turn moves the value the same way, by the share of what is left on both sides, so that both meet at the latest
    at the end of the way; from then on they are one.

    Parameters
    ----------
    value : float
        Where what is moved stands.
    before, after : float
        What the control stood for, and stands for now.
    """
    if value == before:
        return after
    low, high = min(span.low, span.high), max(span.low, span.high)
    end = high if after > before else low
    if after == before or (value - end) * (before - end) < 0.0 or value == end:
        return value
    return end + (value - end) * (after - end) / (before - end)


def _still(way: float, deadband: float) -> float:
    """Leave both ends and the middle still within the deadband, and go evenly between."""
    if deadband == 0.0:
        return way
    side = min(abs(way - 0.5) - deadband, 0.5 - 2.0 * deadband) / (0.5 - 2.0 * deadband)
    return 0.5 + math.copysign(0.5 * max(side, 0.0), way - 0.5)


def _moving(still: float, deadband: float) -> float:
    """The place that `_still` leads to another one: its way back."""
    if still == 0.5 or deadband == 0.0:
        return still
    return 0.5 + math.copysign(deadband + abs(still - 0.5) * (1.0 - 4.0 * deadband), still - 0.5)


def _bent(way: float, curve: Curve) -> float:
    if curve == "linear" or (isinstance(curve, str) and way in (0.0, 1.0)):
        return way
    if curve == "log":
        return math.log1p((_BEND - 1.0) * way) / math.log(_BEND)
    if curve == "exp":
        return math.expm1(way * math.log(_BEND)) / (_BEND - 1.0)
    assert not isinstance(curve, str)
    for (left, low), (right, high) in pairwise(curve):
        if way <= right:
            return low + (high - low) * (way - left) / (right - left)
    return curve[-1][1]


def _unbent(bent: float, curve: Curve) -> float:
    """The place that `_bent` leads to another one, or the nearest to it that a table leads to: its way back."""
    if curve == "linear":
        return bent
    if curve == "log":
        return _bent(bent, "exp")
    if curve == "exp":
        return _bent(bent, "log")
    assert not isinstance(curve, str)
    for (left, low), (right, high) in pairwise(curve):
        if min(low, high) <= bent <= max(low, high):
            return left + (right - left) * ((bent - low) / (high - low) if high != low else 0.5)
    return min(curve, key=lambda point: abs(point[1] - bent))[0]
