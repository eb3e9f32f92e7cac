"""A day is held to its limit, whatever music and knobs do, and nobody hears the ceiling move."""

import math
from dataclasses import replace

import pytest

from appliance.health.day import Day
from appliance.health.exposure import RoomLevel, exposure_dba
from appliance.health.limit import Limit

LEVEL = RoomLevel(80.0, -20.0, "")
TURN_S = 10.0
H = 3600.0


class Room:
    """Music of some loudness, turned down by a fader that the ceiling keeps below."""

    def __init__(self, limit_dba: float, lufs: float, volume: float = 1.0) -> None:
        self.limit = Limit(limit_dba)
        self.lufs, self.volume, self.ceiling = lufs, volume, 1.0
        self.day = Day("", 0)
        self.ceilings_db: list[float] = []

    def play(self, hours: float) -> None:
        for _ in range(round(hours * H / TURN_S)):
            gain = min(self.volume, self.ceiling)
            sent = self.lufs + 20.0 * math.log10(gain)
            energy_s = self.day.energy_s + TURN_S * 10.0 ** (sent / 10.0)
            self.day = replace(self.day, sounded_s=self.day.sounded_s + TURN_S, energy_s=energy_s)
            self.ceiling = self.limit.turn(LEVEL, self.day, sent, gain, self.ceiling, TURN_S)
            self.ceilings_db.append(20.0 * math.log10(self.ceiling))

    @property
    def exposure_dba(self) -> float:
        return exposure_dba(LEVEL, self.day.energy_s)


@pytest.mark.parametrize("hours", [2.0, 8.0, 12.0, 24.0])
@pytest.mark.parametrize(("limit_dba", "lufs"), [(75.0, -20.0), (79.0, -20.0), (70.0, -14.0), (75.0, -12.0)])
def test_a_day_of_any_length_stays_below_the_limit(limit_dba: float, lufs: float, hours: float) -> None:
    room = Room(limit_dba, lufs)
    room.play(hours)
    assert room.exposure_dba <= limit_dba


def test_eight_hours_use_what_is_allowed() -> None:
    room = Room(75.0, -20.0)
    room.play(8.0)
    assert room.exposure_dba == pytest.approx(74.5, abs=0.7)


@pytest.mark.parametrize("volume", [1.0, 0.3])
def test_what_is_soft_enough_is_left_alone(volume: float) -> None:
    room = Room(82.0, -20.0, volume)
    room.play(8.0)
    assert min(room.ceilings_db) == 0.0


def test_a_volume_that_is_low_already_is_not_taken_for_soft_music() -> None:
    room = Room(75.0, -20.0, 0.3)
    room.play(4.0)
    room.volume = 1.0
    room.play(4.0)
    assert room.exposure_dba <= 75.0


@pytest.mark.parametrize(("limit_dba", "falls_db"), [(79.0, 1.0), (65.0, 30.0)])
def test_it_rises_by_one_decibel_a_minute_and_falls_faster_only_where_it_is_far_too_loud(
    limit_dba: float, falls_db: float
) -> None:
    room = Room(limit_dba, -20.0)
    room.play(4.0)
    room.day = Day("", 0)
    room.play(1.0)
    steps_db = [later - earlier for earlier, later in zip(room.ceilings_db, room.ceilings_db[1:], strict=False)]
    assert max(steps_db) <= TURN_S / 60.0 + 1e-9
    assert min(steps_db) >= -falls_db * TURN_S / 60.0 - 1e-9
    assert min(room.ceilings_db) >= -30.0


def test_another_day_begins_with_all_of_its_share() -> None:
    room = Room(75.0, -20.0)
    room.play(20.0)
    low_db = room.ceilings_db[-1]
    room.day = Day("", 0)
    room.play(2.0)
    assert room.ceilings_db[-1] > low_db + 3.0


def test_rests_and_silence_do_no_harm() -> None:
    limit = Limit(75.0)
    for lufs, gain in ((None, 1.0), (-120.0, 1.0), (-20.0, 0.0)):
        assert 0.9 < limit.turn(LEVEL, Day("", 0), lufs, gain, 1.0, 1.0) <= 1.0
