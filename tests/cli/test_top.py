import re

import pytest

from appliance.cli import top
from appliance.stream.layout import Word
from appliance.stream.state import State


def test_elsewhere_than_on_a_terminal_it_is_printed_once(latent, ring):
    outcome = latent("top")
    head, empty, loudness, reserve, *rows = [line.rstrip() for line in outcome.out.splitlines()]
    assert outcome.code == 0
    assert re.fullmatch(r"All is well: playing\. +\d\d:\d\d:\d\d", head)
    assert empty == ""
    assert re.fullmatch(r"loudness +-20\.[23] LUFS +▆", loudness)
    assert re.fullmatch(r"reserve +12\.0 s +█{14}·{10}", reserve)
    assert rows[-1].split(maxsplit=1) == ["mood", "unknown, the engine does not answer"]


def test_where_nothing_plays_it_says_how_to_start(latent, nobody):
    outcome = latent("top")
    assert outcome.code == 1
    assert outcome.err.startswith("latent: Nothing plays on this machine")


def test_the_mood_is_drawn_each_in_its_range(latent, ring, desk):
    desk.status = lambda: {"mood": {"pitch": -1.0, "pace": 1.0, "volume": 1.0, "x": None}}
    rows = {line.split()[0]: line.split()[1:] for line in latent("top").out.splitlines() if line.strip()}
    assert rows["pitch"] == ["-1.00", "·" * 24]
    assert rows["pace"] == ["1.00", "█" * 12 + "·" * 12]
    assert rows["volume"] == ["1.00", "█" * 24]
    assert "x" not in rows


@pytest.mark.parametrize("lufs", [-120.0, 3.0])
def test_loudness_that_is_off_the_scale_stays_on_it(latent, ring, lufs):
    ring.reals[Word.LOUDNESS] = lufs
    line = next(line for line in latent("top").out.splitlines() if line.startswith("loudness"))
    assert line.partition("LUFS")[2].strip() == ("█" if lufs > 0 else "")


def test_it_follows_until_ctrl_c(ring, terminal):
    screen = terminal("top")
    screen.wait_for("All is well")
    ring.words[Word.STATE] = State.WAITING_FOR_CARD
    screen.wait_for("Nothing is heard: waiting for a sound card.")
    screen.interrupt()
    assert screen.code() == 0


def test_what_was_seen_last_stays_where_nothing_plays_any_more(ring, terminal):
    screen = terminal("top")
    screen.wait_for("All is well")
    ring.path.unlink()
    screen.wait_for(top._GONE)
    screen.wait_for("USB Audio DAC")
    screen.interrupt()
    assert screen.code() == 0
