"""``latent top``."""

import math
import time
from collections import deque
from typing import Any, Final

import click
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from appliance.cli.screen import Screen
from appliance.cli.status_page import headline, rows_of
from appliance.errors import RingError
from appliance.folders import runtime_folder, shown
from appliance.mood import STEERED
from appliance.service.status import NO_CARD
from appliance.service.status import status as look

__all__ = ["top"]

_LOOK_S: Final = 0.5
_NAME: Final = 15
_BAR: Final = 24
# What the meter and its past reach from and to, in LUFS.
_SOFTEST, _LOUDEST = -60.0, -10.0
_PAST: Final = 600
_GONE: Final = "What is shown was so before"
# Drawn here, or said by the meters.
_DRAWN: Final = ("mood", "loudness", "reserve")


@click.command()
def top() -> None:
    """Watch how things are: loudness as it moves, the reserve, the mood, and all that `latent status` tells.

    In a terminal it follows until Ctrl-C, also through restarts of the engine and the player; elsewhere it is printed
    once. It only looks.

    Example: ssh -t box latent top
    """
    screen = Screen(whole=True)
    watch = _Top(screen, look(runtime_folder()))
    screen.show(watch.page(), watch.again, _LOOK_S)


class _Top:
    """What is shown, and the loudness that was."""

    def __init__(self, screen: Screen, report: dict[str, Any]) -> None:
        self._screen = screen
        self._past: deque[float | None] = deque(maxlen=_PAST)
        self._report = report

    def again(self) -> RenderableType:
        """Look again, and draw it; where nothing plays any more, what was seen last stands below that."""
        try:
            self._report = look(runtime_folder())
        except RingError as error:
            return self.page(f"{error} {_GONE}:")
        return self.page()

    def page(self, trouble: str = "") -> RenderableType:
        """Draw what was seen last, below why there is nothing newer."""
        told = self._report
        self._past.append(None if trouble else told["loudness_lufs"])
        well = not trouble and told["healthy"] and told["state"] != NO_CARD
        head = Text(trouble or headline(told), style="green" if well else "red")
        clock = Text(time.strftime("%H:%M:%S"), style="dim")
        top = Table.grid(expand=True)
        top.add_column(ratio=1)
        top.add_column(justify="right", no_wrap=True)
        top.add_row(head, clock)
        parts: list[RenderableType] = [top]
        if told["settings_trouble"]:
            parts.append(Text(shown(told["settings_trouble"]), style="yellow"))
        return Group(*parts, Text(), self._meters(told), _grid(self._rows(told)), Text(), self._moods(told["mood"]))

    def _meters(self, told: dict[str, Any]) -> Table:
        loudness, ready_s, wanted_s = told["loudness_lufs"], told["reserve_s"], told["reserve_wanted_s"]
        room = max(self._screen.width - _NAME - 12, 8)
        past = "".join(" " if each is None else self._screen.spark(_height(each)) for each in list(self._past)[-room:])
        heard = "unknown" if loudness is None else f"{loudness:.1f} LUFS"
        ready = "unknown" if ready_s is None else f"{ready_s:.1f} s"
        part = 0.0 if ready_s is None else ready_s / wanted_s
        return _grid([("loudness", f"{heard:<12}{past}"), ("reserve", f"{ready:<12}{self._screen.bar(part, _BAR)}")])

    def _rows(self, told: dict[str, Any]) -> list[tuple[str, str]]:
        return [(name, text) for name, text in rows_of(told) if name not in _DRAWN]

    def _moods(self, mood: dict[str, float | None] | None) -> RenderableType:
        if mood is None:
            return _grid([("mood", "unknown, the engine does not answer")])
        return _grid(
            [
                (name, f"{value:<12.2f}{self._screen.bar(_part(name, value), _BAR)}")
                for name, value in mood.items()
                if value is not None
            ]
        )


def _grid(rows: list[tuple[str, str]]) -> Table:
    table = Table.grid()
    table.add_column(width=_NAME, style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in rows:
        table.add_row(name, Text(shown(text)))
    return table


def _height(loudness_lufs: float) -> float:
    return (loudness_lufs - _SOFTEST) / (_LOUDEST - _SOFTEST)


def _part(name: str, value: float) -> float:
    """How far a quantity stands from its lowest to its highest, 0 to 1; of a pace, in octaves."""
    quantity = STEERED[name]
    if quantity.low > 0.0:
        return math.log(value / quantity.low) / math.log(quantity.high / quantity.low)
    return (value - quantity.low) / (quantity.high - quantity.low)
