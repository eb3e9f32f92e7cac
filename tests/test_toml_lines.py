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
'''


@pytest.mark.parametrize(
    ("location", "line"),
    [
        (("title",), 2),
        (("controls",), 3),
        (("controls", "day"), 3),
        (("controls", "day", "points", 1, 0), 4),
        (("controls", "day", "curve"), 8),
        (("controls", "day", "moves"), 10),
        (("controls", "day", "note"), 11),
        (("controls", "day", "does"), 3),
        (("controls", "the door", "pin"), 16),
        (("controls", "the door", "more"), 17),
        (("controls", "the door", "more", "low"), 17),
        (("controls", "the door", "inline", "b"), 18),
        (("list",), 19),
        (("list", 1, "other"), 19),
        (("no",), None),
        ((), None),
    ],
)
def test_the_line_of_a_key_or_of_the_table_around_it(location: tuple[object, ...], line: int | None) -> None:
    tomllib.loads(TEXT)
    assert line_of(TEXT, location) == line


def test_lines_that_end_as_on_windows() -> None:
    assert line_of("a = 1\r\n[b]\r\nc = [\r\n1,\r\n]\r\nd = 2\r\n", ("b", "d")) == 6


def test_many_keys_are_found_quickly() -> None:
    text = "".join(f"[controls.k{number}]\nsource = 'midi'\n" for number in range(5000))
    began_s = time.perf_counter()
    assert [line_of(text, ("controls", f"k{number}", "source")) for number in range(5000)] == [
        2 * number + 2 for number in range(5000)
    ]
    assert time.perf_counter() - began_s < 2.0


@given(st.text(alphabet="[]{}\"'#=.\\\n ab1,", max_size=60), st.lists(st.sampled_from("ab1"), max_size=3))
def test_whatever_the_text_it_gives_a_line_of_it_or_none(text: str, location: list[str]) -> None:
    line = line_of(text, location)
    assert line is None or 1 <= line <= text.count("\n") + 1
