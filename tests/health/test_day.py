"""A day is told in one line, and nothing is told that is not known."""

from dataclasses import replace

import pytest

from appliance.health.day import Day, day_of, in_words, lasting

H = 3600.0
QUIET = Day("2026-11-22", 0, observed_s=24 * H, sounded_s=24 * H)


@pytest.mark.parametrize(
    ("day", "told"),
    [
        (QUIET, "Sounded 24 h of 24 h; never held; no silent block."),
        (
            replace(QUIET, sounded_s=24 * H - 120.0, holds=2, held_s=41.0, engine_restarts=1, loudest_lufs=-14.25),
            "Sounded 23 h 58 min of 24 h; held twice, 41 s in all; no silent block; engine started again once;"
            " loudest moment -14.2 LUFS.",
        ),
        (
            replace(QUIET, closed_s=16 * H, sounded_s=8 * H, holds=1, held_s=90.0, silent_s=0.25, cards_lost=3),
            "Sounded 8 h of 8 h; closed for 16 h; held once, 1 min in all; silent for 0.2 s for want of sound;"
            " sound card lost 3 times.",
        ),
        (
            replace(QUIET, hushed_s=2 * H, sounded_s=22 * H, player_restarts=2),
            "Sounded 22 h of 22 h; turned down to silence for 2 h; never held; no silent block;"
            " player started again twice.",
        ),
        (Day("", 0), "Sounded 0 s of 0 s; never held; no silent block."),
    ],
)
def test_a_day_in_one_line(day: Day, told: str) -> None:
    assert in_words(day) == told


def test_what_should_have_sounded_is_neither_closed_nor_turned_down() -> None:
    assert replace(QUIET, closed_s=10 * H, hushed_s=H).open_s == 13 * H


def test_the_mean_is_over_what_sounded() -> None:
    day = replace(QUIET, sounded_s=100.0, energy_s=100.0 * 10.0**-2.3)
    assert day.mean_lufs == pytest.approx(-23.0)
    assert Day("", 0).mean_lufs is None


def test_it_is_read_back_as_it_was() -> None:
    day = replace(QUIET, loudest_lufs=-14.25, holds=3)
    assert day_of(day.as_json()) == day


@pytest.mark.parametrize(
    "wrong",
    [
        {"holds": -1},
        {"holds": 1.5},
        {"holds": True},
        {"sounded_s": float("nan")},
        {"sounded_s": 1e300},
        {"sounded_s": "1"},
        {"label": 7},
        {"label": "x" * 11},
        {"loudest_lufs": "loud"},
        {"begun_ns": None},
        {"more": 1},
    ],
)
def test_what_is_no_day_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no "):
        day_of(QUIET.as_json() | wrong)
    with pytest.raises(ValueError, match="no day"):
        day_of([wrong])


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (60.0, "1 min"),
        (3700.0, "1 h 1 min"),
        (90_000.0, "1 day 1 h"),
        (2e5, "2 days 7 h"),
    ],
)
def test_a_length_of_time_in_its_two_largest_units(seconds: float, told: str) -> None:
    assert lasting(seconds) == told
