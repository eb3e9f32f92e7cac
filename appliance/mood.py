"""Mood: the handful of quantities that hands, sensors and scenes may move."""

import dataclasses
import difflib
import math
from collections.abc import Iterable
from dataclasses import dataclass

from appliance.errors import MoodError

__all__ = ["QUANTITIES", "Mood", "Quantity"]


@dataclass(frozen=True)
class Quantity:
    """A quantity's range, where it rests, and what it moves."""

    low: float
    high: float
    rest: float
    moves: str


QUANTITIES: dict[str, Quantity] = {
    "pitch": Quantity(-1.0, 1.0, 0.0, "prefers higher or lower sounds, and transposes at once"),
    "tonality": Quantity(-1.0, 1.0, 0.0, "prefers clear tones or noise"),
    "weirdness": Quantity(-1.0, 1.0, 0.0, "prefers strange or ordinary sounds"),
    "level": Quantity(-1.0, 1.0, 0.0, "prefers loud or soft sounds, and plays 3 LU louder or softer"),
    "consonance": Quantity(-1.0, 1.0, 0.0, "how strictly sounds are chosen and tuned to go together"),
    "density": Quantity(-1.0, 1.0, 0.0, "how often figures sound, and how short the rests are"),
    "wander": Quantity(0.0, 1.0, 0.4, "radius of the wiggle"),
    "pace": Quantity(0.25, 4.0, 1.0, "speed of the path"),
    "nature": Quantity(0.0, 1.0, 0.5, "level of the beds"),
    "width": Quantity(0.0, 1.0, 0.7, "decorrelation between channels"),
    "volume": Quantity(0.0, 1.0, 1.0, "final fader"),
}

# Half of the way to a new value in little more than a second: a knob is heard at once, yet nothing jumps.
_HALF_WAY_S = 1.2
_ARRIVED = 1e-3


@dataclass(frozen=True)
class Mood:
    """One value for each of `QUANTITIES`; the defaults are at rest.

    Raises
    ------
    MoodError
        On making one with a value that is not finite or out of range.
    """

    pitch: float = 0.0
    tonality: float = 0.0
    weirdness: float = 0.0
    level: float = 0.0
    consonance: float = 0.0
    density: float = 0.0
    wander: float = 0.4
    pace: float = 1.0
    nature: float = 0.5
    width: float = 0.7
    volume: float = 1.0

    def __post_init__(self) -> None:
        for name, quantity in QUANTITIES.items():
            value = getattr(self, name)
            if not (math.isfinite(value) and quantity.low <= value <= quantity.high):
                raise MoodError(f"{name} takes a number from {quantity.low:g} to {quantity.high:g}, not {value:g}.")

    @classmethod
    def parse(cls, assignments: Iterable[str]) -> "Mood":
        """Read ``name=value`` words; what is not named rests. Raises MoodError for the first that cannot be."""
        values: dict[str, float] = {}
        for word in assignments:
            name, equals, text = word.partition("=")
            name = name.strip().lower()
            if name not in QUANTITIES:
                close = difflib.get_close_matches(name, QUANTITIES, n=1)
                hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(QUANTITIES)}."
                raise MoodError(f"There is no mood called {name or word!r}: {hint}")
            try:
                values[name] = float(text)
            except ValueError:
                quantity = QUANTITIES[name]
                given = f"not {text!r}" if equals else "as in " + f"{name}={quantity.high:g}"
                raise MoodError(f"{name} takes a number from {quantity.low:g} to {quantity.high:g}, {given}.") from None
        return cls(**values)

    def toward(self, target: "Mood", seconds: float) -> "Mood":
        """Glide for some seconds towards another mood, half of the rest of the way every 1.2 s."""
        if self == target:
            return self
        keep = 0.5 ** (seconds / _HALF_WAY_S)
        moved = {}
        for field in dataclasses.fields(self):
            here, there = getattr(self, field.name), getattr(target, field.name)
            rest = (here - there) * keep
            moved[field.name] = there + rest if abs(rest) > _ARRIVED else there
        return Mood(**moved)
