"""How loud the room is follows from one measurement, and exposure from how loud it was for how long."""

import math
from pathlib import Path

import pytest

from appliance.health.exposure import RoomLevel, exposed, exposure_dba, keep_level, room_level

LEVEL = RoomLevel(68.5, -20.0, "2026-11-22")
H = 3600.0


def energy_s(lufs: float, seconds: float) -> float:
    return 10.0 ** (lufs / 10.0) * seconds


def test_what_is_sent_as_loud_as_the_noise_is_as_loud_as_that() -> None:
    assert LEVEL.dba(-20.0) == 68.5
    assert LEVEL.dba(-26.0) == 62.5


@pytest.mark.parametrize(
    ("hours", "lufs", "dba"),
    [(8.0, -20.0, 68.5), (4.0, -20.0, 65.49), (16.0, -20.0, 71.51), (8.0, -3.5, 85.0), (0.8, -10.0, 68.5)],
)
def test_exposure_is_that_of_eight_hours(hours: float, lufs: float, dba: float) -> None:
    assert exposure_dba(LEVEL, energy_s(lufs, hours * H)) == pytest.approx(dba, abs=0.01)


def test_levels_of_a_day_add_up_as_powers() -> None:
    whole = energy_s(-10.0, 4.0 * H) + energy_s(-30.0, 4.0 * H)
    assert exposure_dba(LEVEL, whole) == pytest.approx(78.5 + 10.0 * math.log10(0.505), abs=0.01)


def test_where_nothing_sounded_there_is_none() -> None:
    assert exposure_dba(LEVEL, 0.0) is None


@pytest.mark.parametrize(
    ("dba", "ends"),
    [
        (62.4, "about 62 dB(A) (LEX,8h)."),
        (80.1, "(LEX,8h), above the lower action value of 80."),
        (85.1, "(LEX,8h), above the upper action value of 85."),
        (87.1, "(LEX,8h), above the limit of 87."),
    ],
)
def test_the_values_of_the_law_are_named(dba: float, ends: str) -> None:
    assert exposed(dba).endswith(ends)


def test_it_is_kept(tmp_path: Path) -> None:
    assert room_level(tmp_path) is None
    keep_level(tmp_path / "state", LEVEL)
    assert room_level(tmp_path / "state") == LEVEL


@pytest.mark.parametrize(
    "scribble",
    [
        b"",
        b"{}",
        b"[" * 9000,
        b"\xff",
        b"7",
        b'{"measured_dba": "loud", "noise_lufs": -20, "measured_on": ""}',
        b'{"measured_dba": NaN, "noise_lufs": -20, "measured_on": ""}',
        b'{"measured_dba": 1e999, "noise_lufs": -20, "measured_on": ""}',
    ],
)
def test_what_cannot_be_read_counts_as_nothing(tmp_path: Path, scribble: bytes) -> None:
    (tmp_path / "level.json").write_bytes(scribble)
    assert room_level(tmp_path) is None
