"""Lines of a TOML text: where a key stands, which the standard library's reader does not tell, and what is no TOML."""

import functools
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

__all__ = ["line_of", "salvage"]

_MOST_LEFT_OUT: Final = 100
_AT_LINE: Final = re.compile(r"at line ([0-9]+)")

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


def salvage(text: str, whole: str) -> str:
    """Give what is TOML of a text that is not: lines that it breaks at are empty instead.

    With the first line of a table goes the whole table, whose keys would otherwise be taken for those of another.

    Parameters
    ----------
    whole : str
        A table that is nothing without any of its lines: it goes with all tables below it.
    """
    lines = text.split("\n")
    for _ in range(_MOST_LEFT_OUT):
        try:
            tomllib.loads("\n".join(lines))
            return "\n".join(lines)
        except tomllib.TOMLDecodeError as error:
            told = _AT_LINE.search(str(error))
            left = [number for number, line in enumerate(lines) if line.strip()]
            # An error "at end of document" is the last line's.
            number = int(told[1]) - 1 if told else left[-1] if left else 0
            if not left or number >= len(lines):
                break
            begin, end = _table_around(lines, number)
            if _named(lines[begin], whole):
                lines = list(_without(lines, whole))
            elif begin == number:
                lines[begin:end] = [""] * (end - begin)
            else:
                lines[number] = ""
        except (ValueError, RecursionError):
            break
    return ""


def _table_around(lines: Sequence[str], number: int) -> tuple[int, int]:
    """Where the table begins and ends that a line is in; before the first, there is one without a name."""
    heads = [at for at, line in enumerate(lines) if line.lstrip().startswith("[")]
    return max((at for at in heads if at <= number), default=-1), min(
        (at for at in heads if at > number), default=len(lines)
    )


def _named(line: str, name: str) -> bool:
    """Whether a table that begins so is the one of that name, or one below it."""
    return re.match(rf"\s*\[+\s*[\"']?{re.escape(name)}\b", line) is not None


def _without(lines: Sequence[str], name: str) -> Iterator[str]:
    """The lines, empty where they belong to a table of that name or below it."""
    inside = False
    for line in lines:
        if line.lstrip().startswith("["):
            inside = _named(line, name)
        yield "" if inside else line
