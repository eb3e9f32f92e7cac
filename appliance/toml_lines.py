"""Where in a TOML text a key stands: the reader of the standard library does not tell."""

import functools
import re
from collections import Counter
from collections.abc import Mapping, Sequence

__all__ = ["line_of"]

_PART = r"(?:[\w-]+|\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*')"
_NAME = rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*"
_HEADER = re.compile(rf"[ \t]*\[(?P<one_of_many>\[?)[ \t]*(?P<name>{_NAME})[ \t]*\]")
_KEY = re.compile(rf"[ \t]*(?P<name>{_NAME})[ \t]*=")
# What may go over several lines, or hide a bracket: comments, strings, brackets, the ends of lines; then what parts
# the entries of a list, and whatever else one may begin with.
_MARK = re.compile(
    r"#[^\n]*|\"\"\"(?:[^\\]|\\.)*?\"\"\"|'''.*?'''|\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'|[\[{]|[\]}]|\n"
    r"|,|[^\s\"'#,\[\]{}]+",
    re.DOTALL,
)


def line_of(text: str, location: Sequence[object]) -> int | None:
    """Find the line, counted from 1, of a key or else of the innermost table or entry around it that has its own.

    Parameters
    ----------
    text : str
        Of which TOML it is known that it is valid.
    location : sequence
        The names from the outermost table inwards, and of what is in a list its place, counted from 0.
    """
    wanted, lines = tuple(str(part) for part in location), _lines(text)
    found = (lines.get(wanted[:count]) for count in range(len(wanted), 0, -1))
    return next((line for line in found if line is not None), None)


@functools.lru_cache(maxsize=1)
def _lines(text: str) -> Mapping[tuple[str, ...], int]:
    """The line of each table, key and entry of a list, by all its names; of what stands there twice, the first."""
    table: tuple[str, ...] = ()
    found: dict[tuple[str, ...], int] = {}
    lists: Counter[tuple[str, ...]] = Counter()
    position, number = 0, 1
    while position < len(text):
        header, key = _HEADER.match(text, position), _KEY.match(text, position)
        if header:
            table = names = _table(_parts(header["name"]), bool(header["one_of_many"]), lists)
        elif key:
            names = (*table, *_parts(key["name"]))
        else:
            names = ()
        for count in range(1, len(names) + 1):
            found.setdefault(names[:count], number)
        matched = header or key
        after, entries = _rest(text, matched.end() if matched else position)
        if key:
            for place, further in enumerate(entries):
                found.setdefault((*names, str(place)), number + further)
        number += text.count("\n", position, after)
        position = after
    return found


def _table(names: tuple[str, ...], one_of_many: bool, lists: Counter[tuple[str, ...]]) -> tuple[str, ...]:
    """Put into the names of a table which entry of its list each of them is; another one where it begins one."""
    path: tuple[str, ...] = ()
    for number, name in enumerate(names, 1):
        path = (*path, name)
        if one_of_many and number == len(names):
            lists[path] += 1
        if path in lists:
            path = (*path, str(lists[path] - 1))
    return path


def _rest(text: str, position: int) -> tuple[int, list[int]]:
    """Where the line begins that comes after all that was begun on this one; and of a list, how many further down each
    entry begins.
    """
    depth, line, is_list, due = 0, 0, False, False
    entries: list[int] = []
    for mark in _MARK.finditer(text, position):
        what = mark[0]
        if what == "\n" and depth <= 0:
            return mark.end(), entries
        if due and what not in ("\n", ",", "]") and what[0] != "#":
            entries.append(line)
            due = False
        if depth == 0:
            is_list = due = what == "["
        elif depth == 1 and what == ",":
            due = is_list
        line += what.count("\n")
        depth += (what in ("[", "{")) - (what in ("]", "}"))
    return len(text), entries


def _parts(name: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(_PART, name))
