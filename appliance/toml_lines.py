"""Where in a TOML text a key stands: the reader of the standard library does not tell."""

import functools
import re
from collections.abc import Mapping, Sequence

__all__ = ["line_of"]

_PART = r"(?:[\w-]+|\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*')"
_NAME = rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*"
_HEADER = re.compile(rf"[ \t]*\[\[?[ \t]*(?P<name>{_NAME})[ \t]*\]")
_KEY = re.compile(rf"[ \t]*(?P<name>{_NAME})[ \t]*=")
# What may go over several lines, or hide a bracket: comments, strings, brackets, the ends of lines.
_MARK = re.compile(
    r"#[^\n]*|\"\"\"(?:[^\\]|\\.)*?\"\"\"|'''.*?'''|\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'|[\[{]|[\]}]|\n", re.DOTALL
)


def line_of(text: str, location: Sequence[object]) -> int | None:
    """Find the line, counted from 1, of a key or else of the innermost table around it that has one of its own.

    Parameters
    ----------
    text : str
        Of which TOML it is known that it is valid.
    location : sequence
        The names from the outermost table inwards; what is no key, as the place in a list, is left out of account.
    """
    wanted, lines = tuple(str(part) for part in location), _lines(text)
    found = (lines.get(wanted[:count]) for count in range(len(wanted), 0, -1))
    return next((line for line in found if line is not None), None)


@functools.lru_cache(maxsize=1)
def _lines(text: str) -> Mapping[tuple[str, ...], int]:
    """The line of each table and each key, by all its names; of what stands there twice, the first."""
    table: tuple[str, ...] = ()
    found: dict[tuple[str, ...], int] = {}
    position, number = 0, 1
    while position < len(text):
        header, key = _HEADER.match(text, position), _KEY.match(text, position)
        if header:
            table = names = _parts(header["name"])
        elif key:
            names = (*table, *_parts(key["name"]))
        else:
            names = ()
        for count in range(1, len(names) + 1):
            found.setdefault(names[:count], number)
        matched = header or key
        after = _next_line(text, matched.end() if matched else position)
        number += text.count("\n", position, after)
        position = after
    return found


def _next_line(text: str, position: int) -> int:
    """Where the line begins that comes after all that was begun on this one."""
    depth = 0
    for mark in _MARK.finditer(text, position):
        what = mark[0]
        if what == "\n" and depth <= 0:
            return mark.end()
        depth += (what in ("[", "{")) - (what in ("]", "}"))
    return len(text)


def _parts(name: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(_PART, name))
