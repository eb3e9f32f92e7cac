"""What every source of movement is: a knob, a sensor, a fader on a network, the time of day."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Event", "Position", "Press", "Source", "SourceError", "Step"]


@dataclass(frozen=True)
class Position:
    """It stands here, 0..1 of its way, since ``at_s`` (monotonic seconds)."""

    value: float
    at_s: float


@dataclass(frozen=True)
class Step:
    """It was turned by this share of its whole way, up or down: an encoder has no ends."""

    by: float
    at_s: float


@dataclass(frozen=True)
class Press:
    """It was pressed: what a button does is done once."""

    at_s: float


Event = Position | Step | Press


class SourceError(Exception):
    """A source cannot be read; the message is half a sentence that says why, as in 'no echo for 1.2 s'."""


class Source(Protocol):
    """One thing that moves.

    Attributes
    ----------
    every_s : float
        How often it wants to be read.
    """

    every_s: float

    def read(self) -> Sequence[Event]:
        """Give what has happened since it was read last, oldest first; a position may be given anew each time.

        Raises
        ------
        SourceError
            While it cannot be read. It may be asked again, and may then go on.
        """

    def close(self) -> None:
        """Let go of it; any number of times."""
