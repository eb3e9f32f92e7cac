"""Tables of what was measured: a row for each measure, a column for each thing measured, and the bars."""

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Row", "table"]


class Row(NamedTuple):
    """A measure: its field, what it is called, its decimals, and its bar in words."""

    field: str
    name: str
    decimals: int
    bar: str = ""


def table(rows: Sequence[Row], things: Sequence[tuple[str, object]]) -> str:
    """Write the measures one below the other, a column for each (heading, thing that has the fields), and the bars."""
    columns = [
        [heading, *(_told(getattr(thing, row.field), row.decimals) for row in rows)] for heading, thing in things
    ]
    widths = [max(map(len, column)) + 2 for column in columns]
    names = ["", *(row.name for row in rows)]
    bars = ["bar", *(row.bar for row in rows)]
    longest = max(map(len, names))
    lines = []
    for name, bar, *values in zip(names, bars, *columns, strict=True):
        cells = "".join(f"{value:>{width}}" for value, width in zip(values, widths, strict=True))
        lines.append(f"{name:{longest}}{cells}  {bar}".rstrip())
    return "\n".join(lines)


def _told(value: object, decimals: int) -> str:
    """Write a value, several in a row, or a dash for none."""
    if isinstance(value, list | tuple):
        return " ".join(_told(each, decimals) for each in value)
    return "-" if value is None else f"{value:.{decimals}f}"
