"""``latent controls --calibrate``: learn where a knob really ends."""

import os
import select
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import click

from appliance.api.client import Session
from appliance.errors import LatentError, UsageError
from appliance.names import hint, quoted, sentence

__all__ = ["calibrate"]

_LOOK_S: Final = 0.125
_PATIENCE_S: Final = 15.0
# Of a knob that was turned by less, it was hardly meant.
_HARDLY: Final = 0.2
# Noise widens the ends for ever, a little.
_NEWS: Final = 0.005
_BAR: Final = 40
_DECIMALS: Final = 4

Wait = Callable[[float], bool]


def calibrate(session: Session, name: str) -> None:
    """Ask for a knob to be turned to both ends, and let the engine keep them.

    Raises
    ------
    UsageError
        If there is no such control.
    LatentError
        If it hardly moved or cannot be read.
    """
    control = _find(session, name)
    name = control["name"]
    click.echo(f"Turn {name} slowly to both ends, then press Enter; or leave it for {_PATIENCE_S:.0f} s.")
    low, high = _learn(lambda: _find(session, name), _Enter().wait, time.monotonic)
    session.ask({"do": "calibrate", "name": name, "low": low, "high": high})
    click.echo(f"{name} goes from {low:.3f} to {high:.3f}; that is kept.")


@dataclass
class _Ends:
    """The ends that were seen: each is the middle one of three looks, so that a crackle is none."""

    low: float = 1.0
    high: float = 0.0
    now: float | None = None
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=3))

    def see(self, raw: float) -> bool:
        """Take in where the knob stands; gives whether that is news."""
        self.recent.append(raw)
        if len(self.recent) < 3:
            return True
        self.now = sorted(self.recent)[1]
        news = self.now < self.low - _NEWS or self.now > self.high + _NEWS
        self.low, self.high = min(self.low, self.now), max(self.high, self.now)
        return news

    def bar(self) -> str:
        if self.now is None:
            return "Nothing is heard of it yet."
        first, last, here = (round(value * (_BAR - 1)) for value in (self.low, self.high, self.now))
        cells = ["=" if first <= number <= last else "." for number in range(_BAR)]
        cells[here] = "|"
        return f"[{''.join(cells)}] {self.low:.3f} to {self.high:.3f}, now {self.now:.3f}"


def _learn(look: Callable[[], dict[str, Any]], wait: Wait, clock: Callable[[], float]) -> tuple[float, float]:
    """Watch a knob until Enter is pressed or nothing is new for a while; gives the ends of its way."""
    ends = _Ends()
    news_s = clock()
    while True:
        control = look()
        name, raw = control["name"], control["raw"]
        if control["trouble"]:
            _show("\n")
            raise LatentError(f"{name} cannot be read ({control['trouble']}): mend it, then calibrate it again.")
        if raw is not None and ends.see(raw):
            news_s = clock()
        _show(f"\r{ends.bar():<{_BAR + 36}}")
        if wait(_LOOK_S) or clock() - news_s >= _PATIENCE_S:
            break
    _show("\n")
    if ends.now is None:
        raise LatentError(f"{name} told of no place where it stands, so it has no ends to learn; nothing is changed.")
    if ends.high - ends.low < _HARDLY:
        raise LatentError(
            f"{name} hardly moved ({ends.low:.3f} to {ends.high:.3f}): turn it all the way; nothing is changed."
        )
    return round(ends.low, _DECIMALS), round(ends.high, _DECIMALS)


def _find(session: Session, name: str) -> dict[str, Any]:
    controls: list[dict[str, Any]] = session.ask({"do": "controls"})["controls"]
    for control in controls:
        if control["name"] == name:
            return control
    known = [control["name"] for control in controls]
    raise UsageError(sentence(f"there is no control called {quoted(name)}{hint(name, known)}"))


def _show(text: str) -> None:
    # Elsewhere nobody watches the line change.
    if sys.stdout is not None and sys.stdout.isatty():
        click.echo(text, nl=False)


class _Enter:
    """The Enter key, or a line from whatever stands in for the keyboard."""

    def __init__(self) -> None:
        self._descriptor: int | None
        try:
            self._descriptor = None if sys.stdin is None else sys.stdin.fileno()
        except (OSError, ValueError):
            self._descriptor = None

    def wait(self, seconds: float) -> bool:
        """Wait so long for it to be pressed, and tell whether it was."""
        if self._descriptor is None:
            time.sleep(seconds)
            return False
        if not select.select([self._descriptor], [], [], seconds)[0]:
            return False
        if os.read(self._descriptor, 1 << 12):
            return True
        # Nobody will ever press it; only time is left.
        self._descriptor = None
        return False
