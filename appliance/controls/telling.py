"""What the room tells the outside, and how seldom."""

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

__all__ = ["Changes", "State"]

# Ten times a second is smooth on a screen, and less than what the slowest MIDI cable carries; a little under a tenth,
# for two twentieths of a second do not always make one.
_APART_S: Final = 0.095

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value", float, int, str, float | int | str)


@dataclass(frozen=True)
class State:
    """How the room stands.

    Attributes
    ----------
    mood, place : mapping
        Names to values, each in its own range.
    piece : int or None
        Number of the piece that plays.
    pattern : str or None
        The path of the piece through its sounds, in letters A..E.
    loudness_lufs : float or None
        What is heard now; None before anything was.
    sounding : int
        0 at fault, 1 holding an old sound, 2 sounding.
    """

    mood: Mapping[str, float]
    place: Mapping[str, float]
    piece: int | None
    pattern: str | None
    loudness_lufs: float | None
    sounding: int


class Changes:
    """Picks what is worth telling: what has changed, no value more than ten times a second.

    Parameters
    ----------
    clock : callable
        Seconds that only go forward.
    least : float
        Floats that moved by no more than this have not changed.
    anew_s : float
        So often all is told anew, for those who came late.
    """

    def __init__(self, clock: Callable[[], float], least: float = 0.0, anew_s: float = math.inf) -> None:
        self._clock = clock
        self._least = least
        self._anew_s = anew_s
        self._told: dict[Hashable, tuple[float | int | str, float]] = {}
        self._whole_s = clock()

    def pick(self, values: Mapping[_Key, _Value]) -> dict[_Key, _Value]:
        """Those to tell now; they count as told."""
        now_s = self._clock()
        if now_s - self._whole_s >= self._anew_s:
            self.forget()
        picked = {key: value for key, value in values.items() if self._is_due(key, value, now_s)}
        self._told |= {key: (value, now_s) for key, value in picked.items()}
        return picked

    def forget(self) -> None:
        """Tell all anew: somebody new listens."""
        self._told.clear()
        self._whole_s = self._clock()

    def _is_due(self, key: Hashable, value: float | int | str, now_s: float) -> bool:
        if isinstance(value, float) and not math.isfinite(value):
            return False
        if key not in self._told:
            return True
        told, at_s = self._told[key]
        if isinstance(value, float) and isinstance(told, float):
            changed = abs(value - told) > self._least
        else:
            changed = value != told
        return changed and now_s - at_s >= _APART_S
