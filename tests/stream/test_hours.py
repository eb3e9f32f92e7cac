"""The opening hours against a clock that is watched minute by minute, on the days when it is put forward and back."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opening_hours import at, table

from appliance.errors import SettingsError
from appliance.stream import hours as hours_module
from appliance.stream.hours import DAYS, Hours, day_of, days_of, interval_of

MINUTE_S = 60
DAY_MIN = 1440
# Where and when clocks are put forward, back, by half an hour, at midnight, and not at all.
CHANGES = [
    ("Europe/Berlin", date(2026, 10, 25)),
    ("Europe/Berlin", date(2027, 3, 28)),
    ("America/New_York", date(2026, 11, 1)),
    ("America/New_York", date(2027, 3, 14)),
    ("Australia/Lord_Howe", date(2027, 4, 4)),
    ("Australia/Lord_Howe", date(2027, 10, 3)),
    ("Africa/Cairo", date(2026, 10, 29)),
    ("Africa/Cairo", date(2027, 4, 30)),
    ("Asia/Kolkata", date(2026, 12, 31)),
]


@lru_cache(maxsize=len(CHANGES))
def watched(zone: str, day: date) -> tuple[int, np.ndarray]:
    """Look at the clock every minute for ten days: when that begins, and what it shows, in minutes since year 1."""
    begin = datetime.combine(day - timedelta(days=5), datetime.min.time(), UTC)
    begin_s = round(begin.timestamp())
    shown = [datetime.fromtimestamp(begin_s + MINUTE_S * n, ZoneInfo(zone)) for n in range(10 * DAY_MIN)]
    return begin_s, np.array([each.toordinal() * DAY_MIN + each.hour * 60 + each.minute for each in shown])


def is_open(told: dict[str, object], shown: np.ndarray) -> np.ndarray:
    """For each minute whether it is open: from when the clock first shows the beginning until it last shows the end."""
    found = np.zeros(len(shown), dtype=bool)
    for ordinal in range(shown[0] // DAY_MIN - 1, shown[-1] // DAY_MIN + 1):
        day = date.fromordinal(ordinal)
        week = {number: texts for name, texts in told["days"].items() for number in days_of(name)}
        texts = told["dates"].get(day.isoformat(), week.get(day.weekday(), []) if week else ["00:00-24:00"])
        for text in texts:
            begin, end = (60 * int(part[:2]) + int(part[3:]) for part in text.split("-"))
            end += DAY_MIN * (end <= begin)
            reached, ended = shown >= ordinal * DAY_MIN + begin, np.flatnonzero(shown == ordinal * DAY_MIN + end)
            if reached.any():
                # What the clock is put past counts as shown then.
                last = ended[-1] if len(ended) else np.count_nonzero(shown < ordinal * DAY_MIN + end)
                found[np.argmax(reached) : last] = True
    return found


def times() -> st.SearchStrategy[str]:
    near = ("00:00", "00:30", "01:00", "01:45", "02:00", "02:30", "03:00", "03:15", "10:00", "18:00", "23:30")
    return st.one_of(
        st.sampled_from(near), st.integers(0, DAY_MIN - 1).map(lambda minute: f"{minute // 60:02}:{minute % 60:02}")
    )


INTERVALS = st.lists(
    st.tuples(times(), st.one_of(times(), st.just("24:00"))).filter(lambda pair: pair[0] != pair[1]).map("-".join),
    max_size=3,
)


@given(
    place=st.sampled_from(CHANGES),
    week=st.dictionaries(st.sampled_from(DAYS), INTERVALS, max_size=7),
    special=st.dictionaries(st.integers(-2, 2), INTERVALS, max_size=3),
    minutes=st.lists(st.integers(4 * DAY_MIN, 7 * DAY_MIN), min_size=1, max_size=8),
)
def test_it_is_open_when_the_clock_says_so(place, week, special, minutes) -> None:
    zone, day = place
    dates = {(day + timedelta(days=off)).isoformat(): texts for off, texts in special.items()}
    told = table(days=week, dates=dates, time_zone=zone)
    hours, (begin_s, shown) = Hours.of(told), watched(zone, day)
    found = is_open(told, shown)
    for minute in minutes:
        at_s = begin_s + MINUTE_S * minute
        span = hours.opening(at_s)
        assert (span is not None and span.begin_s <= at_s) == found[minute]
        # What is the last day of all that was watched may go on.
        flips = np.flatnonzero(found[minute : 9 * DAY_MIN] != found[minute])
        if len(flips):
            assert span is not None
            assert (span.end_s if found[minute] else span.begin_s) == at_s + MINUTE_S * flips[0]


@pytest.mark.parametrize(
    ("day", "minutes"), [("2026-10-25", 25 * 60), ("2027-03-28", 23 * 60), ("2026-06-01", 24 * 60)]
)
def test_a_whole_day_is_as_long_as_it_is(day: str, minutes: int) -> None:
    span = Hours.of(table(days={"mon-sun": []}, dates={day: ["00:00-24:00"]})).opening(at(f"{day}T12:00"))
    assert span.end_s - span.begin_s == minutes * MINUTE_S


def test_the_hour_that_comes_twice_and_the_one_that_is_left_out() -> None:
    night = Hours.of(table(days={"sat": ["22:00-02:30"], "sun": ["02:15-04:00"]}))
    # Open until it is half past two for the second time.
    twice = night.opening(at("2026-10-24T23:00"))
    assert twice.begin_s == at("2026-10-24T22:00")
    assert twice.end_s == at("2026-10-25T04:00")
    assert Hours.of(table(days={"sat": ["22:00-02:30"]})).opening(at("2026-10-24T23:00")).end_s == at(
        "2026-10-25T02:30", fold=1
    )
    # There is no quarter past two: it opens, and a half past two closes, as the clock is put to three.
    assert Hours.of(table(days={"sun": ["02:15-04:00"]})).opening(at("2027-03-28T00:00")).begin_s == at(
        "2027-03-28T03:00"
    )
    assert Hours.of(table(days={"sat": ["22:00-02:30"]})).opening(at("2027-03-27T23:00")).end_s == at(
        "2027-03-28T03:00"
    )


def test_a_week_of_a_gallery() -> None:
    hours = Hours.of(
        table(
            days={"tue-fri": ["10:00-13:00", "14:00-18:00"], "sat,sun": ["11:00-19:00"]},
            dates={"2026-12-24": ["10:00-12:00"], "2026-12-25": [], "2026-12-28": ["10:00-11:00"]},
        )
    )
    # Wednesday evening, the day before Christmas Eve.
    for moment, begin, end in (
        ("2026-12-23T12:00", "2026-12-23T10:00", "2026-12-23T13:00"),
        ("2026-12-23T13:00", "2026-12-23T14:00", "2026-12-23T18:00"),
        ("2026-12-23T18:00", "2026-12-24T10:00", "2026-12-24T12:00"),
        ("2026-12-24T12:00", "2026-12-26T11:00", "2026-12-26T19:00"),
        ("2026-12-27T19:00", "2026-12-28T10:00", "2026-12-28T11:00"),
    ):
        assert hours.opening(at(moment)) == (at(begin), at(end)), moment


def test_without_days_it_is_open_but_for_the_dates() -> None:
    hours = Hours.of(table(dates={"2026-12-25": []}))
    assert hours.opening(at("2026-12-20T12:00")).end_s == at("2026-12-25T00:00")
    assert hours.opening(at("2026-12-25T12:00")).begin_s == at("2026-12-26T00:00")
    assert Hours.of(table()).opening(at("2026-12-20T12:00")).end_s is None
    assert Hours.of(table(days={"mon": []})).opening(at("2026-12-20T12:00")) is None
    # A long way off, but within two months.
    season = Hours.of(table(days={"mon": []}, dates={"2027-02-01": ["10:00-18:00"]}))
    assert season.opening(at("2026-12-20T12:00")).begin_s == at("2027-02-01T10:00")


def test_quiet_hours_are_those_of_every_day() -> None:
    hours = Hours.of(table(quiet=["20:00-22:00", "23:30-06:00"], quiet_db=-6.0))
    assert hours.quiet_gain == pytest.approx(0.501, abs=0.001)
    assert hours.quieting(at("2026-06-01T21:00")) == (at("2026-06-01T20:00"), at("2026-06-01T22:00"))
    assert hours.quieting(at("2026-06-01T22:00")) == (at("2026-06-01T23:30"), at("2026-06-02T06:00"))
    assert Hours.of(table()).quieting(at("2026-06-01T21:00")) is None


def test_a_zone_that_this_machine_does_not_know_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mended = Hours.of(table(time_zone="Europe/Berlyn"))
    assert "no time zone 'Europe/Berlyn'" in mended.trouble
    assert mended.opening(at("2026-06-01T12:00")) is not None
    # Nor its own.
    monkeypatch.setattr(hours_module, "_MACHINES_ZONE", tmp_path / "none")
    assert Hours.of(table(time_zone=None)).local(0.0).utcoffset() == timedelta(0)
    (tmp_path / "none").write_bytes(b"TZif? no")
    assert Hours.of(table(time_zone=None)).local(0.0).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "told",
    [
        {},
        table(days={"mon": "10:00-18:00"}),
        table(days={"moon": ["10:00-18:00"]}),
        table(days=[1]),
        table(dates={"2026-02-30": []}),
        table(quiet=[[600, 720]]),
        table(quiet_db="soft"),
        table(wake_min=None),
    ],
    ids=range(8),
)
def test_what_is_no_table_is_refused(told: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="no table of opening hours"):
        Hours.of(told)


def test_times_days_and_dates_are_read() -> None:
    assert interval_of("10:00-18:30") == (600, 1110)
    assert interval_of("20:00-02:00") == (1200, 1560)
    assert interval_of("00:00-24:00") == (0, 1440)
    for text in ("10-18", "10:00-25:00", "24:00-10:00", "9:00-10:00", "10:00 - 18:00", "10:00-24:30", "١٠:00-18:00"):
        with pytest.raises(ValueError, match="as in"):
            interval_of(text)
    with pytest.raises(ValueError, match="ends when it begins"):
        interval_of("10:00-10:00")
    assert days_of("mon") == (0,)
    assert days_of("tue-fri") == (1, 2, 3, 4)
    assert days_of("fri-mon") == (4, 5, 6, 0)
    assert days_of("mon,wed-thu,sun") == (0, 2, 3, 6)
    for text in ("", "Mon", "mon-", "-mon", "mon tue", "tues", "mon-tue-wed"):
        with pytest.raises(ValueError, match="is no day"):
            days_of(text)
    assert day_of("2028-02-29") == date(2028, 2, 29)
    for text, told in (("2027-02-29", "is in no calendar"), ("24.12.2026", "is no date"), ("20261224", "is no date")):
        with pytest.raises(ValueError, match=told):
            day_of(text)
