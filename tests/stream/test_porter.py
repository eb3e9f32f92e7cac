"""What the porter makes of hours and clocks: moments of the monotonic clock, and nothing that could shut the room."""

import math
import threading
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from opening_hours import at, table

from appliance.stream.fader import CLOSING_S, Curtain
from appliance.stream.hours import Hours
from appliance.stream.porter import Plan, Porter, porter_of
from appliance.stream.sign import Rule
from appliance.stream.trust import Trust

YEAR_S = 365 * 86_400.0
DAILY = table(days={"mon-sun": ["10:00-18:00"]}, quiet=["16:00-17:00"])


class Day:
    """A porter whose wall clock is moved by hand; the monotonic one is 1000 s at noon of a Wednesday."""

    def __init__(self, told: dict[str, object] = DAILY, trusted: bool = True) -> None:
        self.wall_s = at("2026-12-02T12:00")
        self.now_s = 1000.0
        self.trusted = trusted
        self.said: list[str] = []
        trust = Trust(lambda: self.trusted, lambda: None, lambda: None)
        self.porter = Porter(Hours.of(told), self.said.append, trust, lambda: self.wall_s, lambda: self.now_s)

    def at(self, hour: float) -> Plan:
        """Let it be this hour of the day."""
        passed_s = at("2026-12-02T00:00") + 3600.0 * hour - self.wall_s
        self.wall_s += passed_s
        self.now_s += passed_s
        self.porter.look()
        return self.porter.plan


def test_hours_become_moments_of_the_monotonic_clock() -> None:
    day = Day()
    noon = day.porter.plan
    assert (noon.opens_s, noon.closes_s) == (1000.0 - 2 * 3600.0, 1000.0 + 6 * 3600.0)
    assert (noon.quiet_from_s, noon.quiet_until_s) == (1000.0 + 4 * 3600.0, 1000.0 + 5 * 3600.0)
    assert noon.rule is Rule.OPEN
    assert noon.change == datetime(2026, 12, 2, 16, tzinfo=ZoneInfo("Europe/Berlin"))
    quiet = day.at(16.5)
    assert (quiet.rule, quiet.change.hour) == (Rule.QUIET, 17)
    late = day.at(17.5)
    assert (late.rule, late.change.hour, late.closes_s) == (Rule.OPEN, 18, noon.closes_s)
    night = day.at(18.0)
    assert (night.rule, night.change.hour, night.change.day) == (Rule.CLOSED, 10, 3)
    assert (night.opens_s, night.closes_s) == (noon.opens_s + 86_400.0, noon.closes_s + 86_400.0)
    assert day.said == [
        "The room is open until 16:00.",
        "The room is open, and quiet until 17:00.",
        "The room is open until 18:00.",
        "The room is closed until tomorrow 10:00.",
    ]


def test_what_the_fader_is_to_do() -> None:
    plan = Day().porter.plan
    closes_s = plan.closes_s
    assert plan.curtain(closes_s - CLOSING_S) == Curtain(is_open=True, fallen=0.0)
    assert plan.curtain(closes_s - CLOSING_S / 4) == Curtain(is_open=True, fallen=0.75)
    assert plan.curtain(closes_s) == Curtain(is_open=False, fallen=1.0)
    assert plan.curtain(plan.quiet_from_s).ceiling == pytest.approx(10 ** (-8 / 20))
    assert plan.curtain(plan.quiet_until_s).ceiling == 1.0


def test_when_sound_is_made_and_how_much_until_the_room_changes() -> None:
    day = Day()
    noon = day.porter.plan
    assert noon.awake(noon.opens_s)
    assert noon.edge_s(noon.closes_s - 90.0) == 90.0
    # What was known at noon is good for the evening, too.
    assert not noon.awake(noon.closes_s)
    night = day.at(20.0)
    assert not night.awake(night.opens_s - 301.0)
    assert night.awake(night.opens_s - 299.0)
    assert [night.edge_s(night.opens_s - ahead_s) for ahead_s in (5000.0, 300.0, 10.0)] == [300.0, 300.0, 10.0]
    assert Plan().edge_s(5.0) == math.inf


def test_where_the_clock_is_not_trusted_the_room_is_open() -> None:
    day = Day(trusted=False)
    for hour in (12.0, 16.5, 23.0):
        plan = day.at(hour)
        assert plan == Plan(rule=Rule.UNTRUSTED)
        assert (plan.curtain(day.now_s), plan.awake(day.now_s)) == (Curtain(), True)
    assert day.said == ["The room is open, since the time of day cannot be trusted yet."]
    day.trusted = True
    assert day.at(23.0).rule is Rule.CLOSED


@pytest.mark.parametrize("years", [-56.0, -1.0, 1.0, 12.0, 400.0, 9_000.0, -3_000.0])
def test_a_clock_that_is_put_by_years_opens_the_room_until_it_is_known(years: float) -> None:
    day = Day()
    day.at(20.0)
    day.trusted = False
    day.wall_s += years * YEAR_S
    day.porter.look()
    assert day.porter.plan.rule is Rule.UNTRUSTED
    # Somebody vouches for it, wherever it is: that can close the room, but not end the porter.
    day.trusted = True
    day.porter.look()
    assert day.porter.plan.rule in Rule
    day.wall_s -= years * YEAR_S
    day.porter.look()
    assert day.porter.plan.rule is Rule.CLOSED


def test_hours_without_an_opening_keep_it_closed_and_those_without_an_end_open() -> None:
    never = Day(table(days={"mon": []})).porter.plan
    assert (never.rule, never.change, never.awake(1000.0)) == (Rule.CLOSED, None, False)
    assert not never.curtain(1000.0).is_open
    assert never.edge_s(1000.0) == math.inf
    always = Day(table()).porter.plan
    assert (always.rule, always.change, always.closes_s) == (Rule.OPEN, None, math.inf)
    quiet = Day(table(quiet=["11:00-13:00"])).porter.plan
    assert (quiet.rule, quiet.change.hour) == (Rule.QUIET, 13)


def test_without_hours_nobody_looks_at_a_clock() -> None:
    said: list[str] = []
    porter = Porter(None, said.append, wall_s=pytest.fail)
    porter.look()
    porter.start()
    porter.close()
    assert (porter.plan, said) == (Plan(), [])


def test_a_table_that_cannot_be_read_leaves_the_room_open_and_is_told() -> None:
    said: list[str] = []
    assert porter_of({"days": 3}, said.append).plan == Plan()
    assert said == ["What the player was given is no table of opening hours: check [hours]. The room stays open."]
    said.clear()
    porter_of(table(time_zone="Mars/Olympus"), said.append)
    assert "no time zone 'Mars/Olympus'" in said[0]
    said.clear()
    assert porter_of(None, said.append).plan == Plan()
    assert said == []


def test_it_looks_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.stream.porter._LOOK_EVERY_S", 0.001)
    looked = threading.Event()
    times = iter([at("2026-12-02T12:00")] * 3)

    def wall_s() -> float:
        moment = next(times, None)
        if moment is None:
            looked.set()
            return at("2026-12-02T20:00")
        return moment

    porter = Porter(Hours.of(DAILY), lambda _: None, Trust(lambda: True, lambda: None, lambda: None), wall_s)
    assert porter.plan.rule is Rule.OPEN
    porter.start()
    assert looked.wait(10.0)
    porter.close()


def test_a_fault_of_ours_opens_the_room_and_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    day = Day()
    assert day.at(20.0).rule is Rule.CLOSED
    with monkeypatch.context() as broken:
        broken.setattr(Hours, "opening", lambda self, at_s: 1 / 0)
        assert day.at(21.0).rule is Rule.UNTRUSTED
    assert day.at(22.0).rule is Rule.CLOSED


def test_where_nobody_can_be_told_it_goes_on_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.stream.porter._LOOK_EVERY_S", 0.001)
    day, said = Day(trusted=False), threading.Semaphore(0)

    def refuse(sentence: str) -> None:
        said.release()
        raise BrokenPipeError(sentence)

    day.porter._say = refuse
    day.trusted = True
    day.porter.start()
    assert said.acquire(timeout=10.0)
    day.wall_s = at("2026-12-02T20:00")
    assert said.acquire(timeout=10.0)
    day.porter.close()
    assert day.porter.plan.rule is Rule.CLOSED
