"""Mood: the handful of quantities that hands, sensors and scenes may move."""

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from appliance.errors import MoodError

__all__ = ["AT_REST", "NOWHERE", "PLACES", "QUANTITIES", "STEERED", "Mood", "Place", "Quantity"]


@dataclass(frozen=True)
class Quantity:
    """A quantity's range, where it rests, and what it moves."""

    low: float
    high: float
    rest: float
    moves: str


QUANTITIES: dict[str, Quantity] = {
    "pitch": Quantity(-1.0, 1.0, 0.0, "prefers higher or lower sounds, and transposes at once"),
    "tonality": Quantity(-1.0, 1.0, 0.0, "prefers clear tones or noise, and lets peaks stand out or sink at once"),
    "weirdness": Quantity(-1.0, 1.0, 0.0, "prefers strange or ordinary sounds, and makes them so at once"),
    "level": Quantity(-1.0, 1.0, 0.0, "prefers loud or soft sounds, and plays 3 LU louder and brighter or softer"),
    "consonance": Quantity(-1.0, 1.0, 0.0, "how well sounds go together; at once, octaves or rough voices"),
    "density": Quantity(-1.0, 1.0, 0.0, "how often figures sound, and how short rests are; thins the sound at once"),
    "wander": Quantity(0.0, 1.0, 0.4, "radius of the wiggle"),
    "pace": Quantity(0.25, 4.0, 1.0, "speed of the path"),
    "nature": Quantity(0.0, 1.0, 0.5, "level of the beds"),
    "width": Quantity(0.0, 1.0, 0.7, "decorrelation between channels"),
    "volume": Quantity(0.0, 1.0, 1.0, "final fader"),
}

# What hands may also move: where on the plane of stored corners the music is, and how far along the model's axes.
PLACES: dict[str, Quantity] = {
    "x": Quantity(0.0, 1.0, 0.5, "goes from the left corners to the right ones"),
    "y": Quantity(0.0, 1.0, 0.5, "goes from the lower corners to the upper ones"),
    "draw": Quantity(0.0, 1.0, 0.8, "how strongly the corners draw"),
} | {
    f"axis{number}": Quantity(-1.0, 1.0, 0.0, f"shifts all sounds along principal axis {number}")
    for number in range(1, 9)
}

# All that hands may move.
STEERED: dict[str, Quantity] = QUANTITIES | PLACES

# A place has as many coordinates as a latent, and may be shifted along the first axes.
_SIZE = 32
_MOST_SHIFTS = 8
_FARTHEST_SD = 64.0
_FARTHEST_SHIFT_SD = 4.0
# Finer steps are not heard, and cursors are written down every second.
_DECIMALS = 4

# Most of the way to a new value in a second: a knob is heard at once, and one clip still fades into the next.
_HALF_WAY_S = 0.4
_ARRIVED = 1e-3


@dataclass(frozen=True)
class Place:
    """Where in the timbre space hands draw the music to.

    Attributes
    ----------
    target : tuple of float
        32 standard deviations along the principal axes of the model, from the middle of its atlas; empty for none.
    draw : float
        How strongly it draws, 0..1.
    shift : tuple of float
        Up to 8 standard deviations along the first axes, by which every sound is shifted.

    Raises
    ------
    MoodError
        On making one that cannot be.
    """

    target: tuple[float, ...] = ()
    draw: float = 0.0
    shift: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if len(self.target) not in (0, _SIZE) or len(self.shift) > _MOST_SHIFTS:
            raise MoodError(f"A place has {_SIZE} coordinates or none, and at most {_MOST_SHIFTS} shifts.")
        for values, most in ((self.target, _FARTHEST_SD), (self.shift, _FARTHEST_SHIFT_SD)):
            if not all(math.isfinite(value) and abs(value) <= most for value in values):
                raise MoodError(f"A place takes numbers from -{most:g} to {most:g}: choose one nearer to the middle.")
        if not (math.isfinite(self.draw) and 0.0 <= self.draw <= 1.0):
            raise MoodError(f"draw takes a number from 0 to 1, not {self.draw:g}.")
        object.__setattr__(self, "target", tuple(round(value, _DECIMALS) for value in self.target))
        object.__setattr__(self, "shift", tuple(round(value, _DECIMALS) for value in self.shift))

    def toward(self, there: "Place", keep: float) -> "Place":
        """Go towards another place until a part ``keep`` of the way is left; a new target begins to draw from 0."""
        if self == there:
            return self
        shift = _glided(self.shift, there.shift, keep)
        if there.target:
            target = _glided(self.target, there.target, keep) if self.target else there.target
            draw = _nearer(self.draw if self.target else 0.0, there.draw, keep)
            return Place(target, draw, shift)
        draw = _nearer(self.draw, 0.0, keep) if self.target else 0.0
        return Place(self.target, draw, shift) if draw else Place((), there.draw, shift)


NOWHERE = Place()


@dataclass(frozen=True)
class Mood:
    """One value for each of `QUANTITIES`, and a place; the defaults are at rest.

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
    place: Place = NOWHERE

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
        return cls().but(values)

    def toward(self, target: "Mood", seconds: float) -> "Mood":
        """Glide for some seconds towards another mood, half of the rest of the way every 0.4 s."""
        if self == target:
            return self
        keep = 0.5 ** (seconds / _HALF_WAY_S)
        moved = {name: _nearer(getattr(self, name), getattr(target, name), keep) for name in QUANTITIES}
        return self.but(moved, self.place.toward(target.place, keep))

    def but(self, changes: Mapping[str, float], place: Place | None = None) -> "Mood":
        """Give the same mood but for some quantities, and for the place if one is given. Raises MoodError."""
        values: dict[str, Any] = {**self.quantities(), **changes}
        return Mood(**values, place=self.place if place is None else place)

    def quantities(self) -> dict[str, float]:
        """Give the quantities by name, without the place."""
        return {name: getattr(self, name) for name in QUANTITIES}


AT_REST = Mood()


def _nearer(here: float, there: float, keep: float) -> float:
    """Go on until a part ``keep`` of the way is left, or nothing that matters."""
    rest = (here - there) * keep
    return there + rest if abs(rest) > _ARRIVED else there


def _glided(here: Sequence[float], there: tuple[float, ...], keep: float) -> tuple[float, ...]:
    """Go on with each number; what one has more than the other counts as 0 there."""
    count = max(len(here), len(there))
    one, two = ((*values, *(0.0,) * (count - len(values))) for values in (here, there))
    moved = tuple(_nearer(first, second, keep) for first, second in zip(one, two, strict=True))
    return there if moved == two else moved
