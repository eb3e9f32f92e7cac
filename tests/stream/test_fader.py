"""Gains that never jump."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.stream.crossfade import Crossfade
from appliance.stream.fader import CLOSING_S, OPENING_S, SHUTTING_S, Curtain, Fader
from appliance.stream.state import Gains

RATE = 8_000
CLOSED = Curtain(is_open=False)


def walk(fader: Fader, seconds: float, frames: int = 100) -> np.ndarray:
    """The gain of each frame for so long."""
    parts = [
        np.broadcast_to(np.asarray(fader.gain(frames)).reshape(-1), frames)
        for _ in range(round(seconds * RATE / frames))
    ]
    return np.concatenate(parts)


def test_volume_begins_where_it_is_told_and_glides_from_there() -> None:
    fader = Fader(RATE)
    fader.tell(Gains(volume=0.5))
    gain = walk(fader, 1.0)
    assert (gain[0], gain[-1]) == (pytest.approx(0.0, abs=1e-4), 0.5)
    assert (np.diff(gain) >= 0.0).all()
    fader.tell(Gains(volume=0.25, glide_s=0.2))
    gain = walk(fader, 1.0)
    assert np.abs(np.diff(gain)).max() <= 1.01 / (0.2 * RATE)
    assert np.flatnonzero(gain == 0.25)[0] == pytest.approx(0.25 * 0.2 * RATE, abs=2)


def decibels(gain: np.ndarray) -> np.ndarray:
    return 20.0 * np.log10(np.maximum(gain, 1e-9))


def close(fader: Fader, seconds: float) -> np.ndarray:
    """The last so many seconds before the room closes."""
    parts = []
    for tenth in range(round(10 * seconds)):
        fallen = min(max(1.0 - (seconds - tenth / 10) / CLOSING_S, 0.0), 1.0)
        fader.tell(Gains(), Curtain(fallen=fallen))
        parts.append(walk(fader, 0.1))
    return np.concatenate(parts)


def test_before_it_closes_it_falls_by_20_db_over_a_minute_and_then_it_falls_silent() -> None:
    fader = Fader(RATE)
    fader.tell(Gains())
    walk(fader, 1.0)
    gain = close(fader, CLOSING_S + 1.0)
    levels = decibels(gain[RATE:])
    assert np.abs(levels - np.linspace(0.0, -20.0, len(levels))).max() < 0.05
    assert (np.diff(levels) <= 0.0).all()
    # In the frame that steps the most, by a hair's breadth.
    assert np.abs(np.diff(levels)).max() < 1.1 * 20.0 / CLOSING_S / RATE
    assert not fader.shut
    fader.tell(Gains(), CLOSED)
    gain = np.concatenate([gain[-1:], walk(fader, SHUTTING_S + 0.1)])
    assert (np.diff(gain) <= 0.0).all()
    assert np.abs(np.diff(gain)).max() < 0.1 * 1.6 / (SHUTTING_S * RATE)
    assert gain[-1] == 0.0
    assert fader.shut
    assert fader.wanted == 1.0


def test_it_opens_over_half_a_minute_however_it_closed() -> None:
    fader = Fader(RATE)
    fader.tell(Gains(), CLOSED)
    assert not walk(fader, 1.0).any()
    assert fader.shut
    close(fader, 30.0)
    fader.tell(Gains(), CLOSED)
    walk(fader, SHUTTING_S + 1.0)
    fader.tell(Gains(), CLOSED)
    fader.tell(Gains())
    gain = walk(fader, OPENING_S + 0.1)
    assert (np.diff(gain) >= 0.0).all()
    assert gain[len(gain) // 2] == pytest.approx(0.5, abs=0.01)
    assert gain[round((OPENING_S - 0.1) * RATE)] < 1.0 == gain[-1]
    assert np.abs(np.diff(gain)).max() < 1.6 / (OPENING_S * RATE)


def test_who_begins_in_the_last_minute_begins_where_it_is() -> None:
    fader = Fader(RATE)
    gain = close(fader, 15.0)
    assert decibels(gain)[2 * RATE] == pytest.approx(-20.0 * 47.0 / 60.0, abs=0.1)
    assert decibels(gain)[-1] == pytest.approx(-20.0, abs=0.1)


def test_a_closing_that_is_called_off_is_taken_back_without_a_jump() -> None:
    fader = Fader(RATE)
    close(fader, 90.0)
    fader.tell(Gains(), CLOSED)
    before = walk(fader, 0.5 * SHUTTING_S)
    fader.tell(Gains())
    gain = np.concatenate([before[-1:], walk(fader, OPENING_S + 1.0)])
    assert np.abs(np.diff(gain)).max() < 1e-4
    assert gain[-1] == 1.0
    # Nor is there one where it is closed at once, as when somebody moves the clock.
    fader.tell(Gains(), CLOSED)
    gain = walk(fader, SHUTTING_S + 0.1)
    assert np.abs(np.diff(gain)).max() < 1.6 / (SHUTTING_S * RATE)
    assert gain[-1] == 0.0


def test_quiet_hours_are_a_ceiling_for_the_volume() -> None:
    fader = Fader(RATE)
    fader.tell(Gains())
    walk(fader, 1.0)
    fader.tell(Gains(), Curtain(ceiling=0.4))
    gain = walk(fader, 10.0)
    assert gain[-1] == pytest.approx(0.4)
    assert np.flatnonzero(gain <= 0.41)[0] > 5.0 * RATE
    assert np.abs(np.diff(gain)).max() < 1e-4
    assert fader.wanted == 0.4
    # Below it hands go where they like.
    for volume, heard in ((0.2, 0.2), (0.4, 0.4), (0.9, 0.4)):
        fader.tell(Gains(volume=volume), Curtain(ceiling=0.4))
        assert walk(fader, 1.0)[-1] == pytest.approx(heard)
    fader.tell(Gains(volume=0.9))
    assert walk(fader, 10.0)[-1] == pytest.approx(0.9)


def test_a_fade_out_ends_in_silence_for_good() -> None:
    fader = Fader(RATE)
    walk(fader, 1.0)
    fader.fade_out()
    assert not fader.silent
    walk(fader, 1.1)
    assert fader.silent
    fader.tell(Gains(volume=1.0))
    assert not walk(fader, 1.0).any()


@given(volume=st.floats(), glide_s=st.floats())
def test_whatever_is_written_the_gain_stays_within_bounds(volume: float, glide_s: float) -> None:
    gains = Gains.unpack(Gains(volume, glide_s).pack())
    fader = Fader(RATE)
    fader.tell(gains)
    told = walk(fader, 1.0)
    assert np.isfinite(told).all()
    assert 0.0 <= told.min() <= told.max() <= 1.0


@pytest.mark.parametrize("data", [None, b"", b"short", bytes(20), bytes(21), Gains().pack() + b"x"])
def test_other_bytes_are_no_gains(data: bytes | None) -> None:
    read = Gains.unpack(data)
    assert read is None or read == Gains(volume=0.0, glide_s=0.0)


@given(steps=st.lists(st.sampled_from(["leave", "within", "back", "walk"]), max_size=30))
def test_power_is_the_same_all_the_way(steps: list[str]) -> None:
    crossfade, last = Crossfade(RATE), (0.0, 1.0)
    for step in steps:
        if step == "leave":
            crossfade.leave(0.25)
        elif step == "within":
            crossfade.leave_within(512)
        elif step == "back":
            crossfade.come_back(0.5)
        into, away = crossfade.walk(512)
        assert np.allclose(into**2 + away**2, 1.0, atol=1e-5)
        # No step is larger than that of the shortest fade there is, a block.
        jumps = np.abs(np.diff(np.concatenate([[last[1]], away[:, 0]])))
        assert jumps.max() <= 1.01 * math.pi / 2 / 512
        last = (float(into[-1, 0]), float(away[-1, 0]))


def test_there_and_back() -> None:
    crossfade = Crossfade(RATE)
    assert crossfade.resting
    crossfade.come_back(512 / RATE)
    crossfade.walk(512)
    assert crossfade.fresh
    crossfade.leave(512 / RATE)
    crossfade.walk(512)
    assert crossfade.resting
    crossfade.come_back(512 / RATE)
    assert not crossfade.resting
    crossfade.walk(512)
    assert crossfade.fresh
