"""The table of knobs and sensors."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from appliance.cli.screen import Screen
from appliance.folders import shown

__all__ = ["table_of"]

_BAR: Final = 12
_FRESH_S: Final = 1.0
_AT_ITS_END: Final = "at its end since the start: turn it once"


def table_of(controls: Sequence[Mapping[str, Any]], screen: Screen, trouble: str = "") -> RenderableType:
    """Draw how all stand, and below it in a sentence why nothing newer is known."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for head in ("name", "source", "way", "moves", "room", "heard", ""):
        table.add_column(head, overflow="fold", no_wrap=head in ("way", "room", "heard"))
    for control in controls:
        table.add_row(*_row(control, screen))
    return Group(table, Text(trouble, style="red")) if trouble else table


def _row(control: Mapping[str, Any], screen: Screen) -> list[Text]:
    trouble, raw = control["trouble"], control["raw"]
    style = "red" if trouble else "bold" if control["touched"] else ""
    state = trouble or (_AT_ITS_END if control["waits"] else "moves it now" if control["touched"] else "")
    room = "" if control["room"] is None else f"{control['room']:.2f}"
    way = "" if raw is None else f"{screen.bar(raw, _BAR)} {raw:.3f}"
    cells = (control["name"], control["source"], way, _moves(control), room)
    return [Text(shown(cell), style=style) for cell in (*cells, _heard(control["age_s"]), state)]


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
