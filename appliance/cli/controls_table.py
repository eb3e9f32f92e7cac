"""The table of knobs and sensors: on a terminal one that follows, elsewhere printed once."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from appliance.folders import shown

__all__ = ["Screen"]

_BAR: Final = 12
# What is printed to a file is not to be folded.
_WIDE: Final = 200
_FRESH_S: Final = 1.0
_AT_ITS_END: Final = "at its end since the start: turn it once"


class Screen:
    """Shows tables: each in place of the one before between entering and leaving, else one below the other."""

    def __init__(self) -> None:
        terminal = sys.stdout is not None and sys.stdout.isatty()
        self._console = Console(width=None if terminal else _WIDE, highlight=False)
        self._full, self._empty = "█·" if "utf" in self._console.encoding.lower() else "#."
        self._live: Live | None = None

    def show(self, controls: Sequence[Mapping[str, Any]], trouble: str = "") -> None:
        """Show how all stand, and below it in a sentence why nothing newer is known."""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for head in ("name", "source", "way", "moves", "room", "heard", ""):
            table.add_column(head, overflow="fold", no_wrap=head in ("way", "room", "heard"))
        for control in controls:
            table.add_row(*self._row(control))
        page = Group(table, Text(trouble, style="red")) if trouble else table
        if self._live is None:
            self._console.print(page)
        else:
            self._live.update(page, refresh=True)

    def _row(self, control: Mapping[str, Any]) -> list[Text]:
        trouble = control["trouble"]
        style = "red" if trouble else "bold" if control["touched"] else ""
        state = trouble or (_AT_ITS_END if control["waits"] else "moves it now" if control["touched"] else "")
        room = "" if control["room"] is None else f"{control['room']:.2f}"
        cells = (control["name"], control["source"], self._way(control["raw"]), _moves(control), room)
        return [Text(shown(cell), style=style) for cell in (*cells, _heard(control["age_s"]), state)]

    def _way(self, raw: float | None) -> str:
        if raw is None:
            return ""
        full = round(min(max(raw, 0.0), 1.0) * _BAR)
        return f"{self._full * full}{self._empty * (_BAR - full)} {raw:.3f}"

    def __enter__(self) -> "Screen":
        self._live = Live(console=self._console, auto_refresh=False)
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


def _moves(control: Mapping[str, Any]) -> str:
    moves, mapped = control["moves"], control["mapped"]
    if moves is None:
        return control["does"] or ""
    return str(moves) if mapped is None else f"{moves} {mapped:.2f}"


def _heard(age_s: float | None) -> str:
    if age_s is None:
        return "never"
    if age_s < _FRESH_S:
        return "now"
    return f"{age_s:.0f} s ago" if age_s < 120.0 else f"{age_s / 60.0:.0f} min ago"
