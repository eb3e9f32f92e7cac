"""Where a key stands in a file, however it was written."""

import time
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.toml_lines import line_of

TEXT = '''# [no]
title = "x"  # [no]
[controls.day]
points = [
  ["08:00", 0.1],  # ]
  ["09:00"]
]
curve = [[0, 0],
[1, 1]]
"moves" = 'pitch'
note = """
[no]
does = 3
"""
[ controls . "the door" ]   # here
pin=3
more.low = 1
inline = { a = 1, b = [2, 3] }
[[list]]
name = "]"
[[list]]
other = 1
[[list.inner]]
[list.deeper]
[[list.inner]]
a = 1
[[list]]
[[list.inner]]
b = 1
[tail]
entries = [  # one
  { a = 1, b = [2, 3] }, 7,

  ''\'two,
lines''\', # ]
  nan,
]
'''


@pytest.mark.parametrize(
    ("location", "line"),
    [
        (("title",), 2),
        (("controls",), 3),
        (("controls", "day"), 3),
        (("controls", "day", "points"), 4),
        (("controls", "day", "points", 0, 1), 5),
        (("controls", "day", "points", 1, 0), 6),
        (("controls", "day", "curve", 1), 9),
        (("controls", "day", "curve"), 8),
        (("controls", "day", "moves"), 10),
        (("controls", "day", "note"), 11),
        (("controls", "day", "does"), 3),
        (("controls", "the door", "pin"), 16),
        (("controls", "the door", "more"), 17),
        (("controls", "the door", "more", "low"), 17),
        (("controls", "the door", "inline", "b"), 18),
        (("controls", "the door", "inline", "0"), 18),
        (("list",), 19),
        (("list", 0), 19),
        (("list", 0, "name"), 20),
        (("list", 0, "other"), 19),
        (("list", "1"), 21),
        (("list", 1, "other"), 22),
        (("list", 1, "inner"), 23),
        (("list", 1, "inner", 0, "a"), 23),
        (("list", 1, "deeper", "none"), 24),
        (("list", 1, "inner", 1, "a"), 26),
        (("list", 2, "inner", 0, "b"), 29),
        (("list", 3), 19),
        (("tail", "entries", 0, "a"), 32),
        (("tail", "entries", 1), 32),
        (("tail", "entries", 2), 34),
        (("tail", "entries", 3), 36),
        (("tail", "entries", 4), 31),
        (("no",), None),
        ((), None),
    ],
)
def test_the_line_of_a_key_or_of_the_table_around_it(location: tuple[object, ...], line: int | None) -> None:
    tomllib.loads(TEXT)
    assert line_of(TEXT, location) == line


def test_lines_that_end_as_on_windows() -> None:
    assert line_of("a = 1\r\n[b]\r\nc = [\r\n1,\r\n]\r\nd = 2\r\n", ("b", "d")) == 6


def test_what_is_in_a_table_within_a_line_is_no_entry_of_a_list() -> None:
    assert line_of("a = { b = [\n1], c = 2 }\n", ("a", 0)) == 1


def test_many_keys_are_found_quickly() -> None:
    text = "".join(f"[controls.k{number}]\nsource = 'midi'\n" for number in range(5000))
    began_s = time.perf_counter()
    assert [line_of(text, ("controls", f"k{number}", "source")) for number in range(5000)] == [
        2 * number + 2 for number in range(5000)
    ]
    assert time.perf_counter() - began_s < 2.0


def test_a_long_list_is_read_quickly() -> None:
    began_s = time.perf_counter()
    assert line_of("a = [\n" + "1,\n" * 200_000 + "]", ("a", 199_999)) == 200_001
    assert time.perf_counter() - began_s < 5.0


@given(st.text(alphabet="[]{}\"'#=.\\\n ab1,", max_size=60), st.lists(st.sampled_from("ab1"), max_size=3))
def test_whatever_the_text_it_gives_a_line_of_it_or_none(text: str, location: list[str]) -> None:
    line = line_of(text, location)
    assert line is None or 1 <= line <= text.count("\n") + 1
