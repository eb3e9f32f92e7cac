"""Gains that never jump."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.stream.crossfade import Crossfade
from appliance.stream.fader import Fader
from appliance.stream.state import Change, Gains

RATE = 8_000
SECOND_NS = 10**9


def walk(fader: Fader, seconds: float, frames: int = 100) -> np.ndarray:
    """The gain of each frame for so long."""
    parts = [
        np.broadcast_to(np.asarray(fader.gain(frames)).reshape(-1), frames)
        for _ in range(round(seconds * RATE / frames))
    ]
    return np.concatenate(parts)


def test_volume_begins_where_it_is_told_and_glides_from_there() -> None:
    fader = Fader(RATE)
    fader.tell(Gains(volume=0.5), 0)
    gain = walk(fader, 1.0)
    assert (gain[0], gain[-1]) == (pytest.approx(0.0, abs=1e-4), 0.5)
    assert (np.diff(gain) >= 0.0).all()
    fader.tell(Gains(volume=0.25, glide_s=0.2), 0)
    gain = walk(fader, 1.0)
    assert np.abs(np.diff(gain)).max() <= 1.01 / (0.2 * RATE)
    assert np.flatnonzero(gain == 0.25)[0] == pytest.approx(0.25 * 0.2 * RATE, abs=2)


def test_the_last_change_that_is_due_holds() -> None:
    fader = Fader(RATE)
    changes = (Change(2 * SECOND_NS, 0.0, 0.1), Change(5 * SECOND_NS, 1.0, 0.1))
    for now_s, wanted in ((0, 1.0), (1, 1.0), (2, 0.0), (4, 0.0), (5, 1.0), (99, 1.0)):
        fader.tell(Gains(changes=changes), now_s * SECOND_NS)
        assert fader.wanted == wanted
        assert walk(fader, 1.0)[-1] == pytest.approx(wanted, abs=1e-6)


def test_a_fade_out_ends_in_silence_for_good() -> None:
    fader = Fader(RATE)
    walk(fader, 1.0)
    fader.fade_out()
    assert not fader.silent
    walk(fader, 1.1)
    assert fader.silent
    fader.tell(Gains(volume=1.0), 0)
    assert not walk(fader, 1.0).any()


@given(volume=st.floats(), glide_s=st.floats(), at_ns=st.integers(0, 2**64 - 1), gain=st.floats())
def test_whatever_is_written_the_gain_stays_within_bounds(
    volume: float, glide_s: float, at_ns: int, gain: float
) -> None:
    gains = Gains.unpack(Gains(volume, glide_s, (Change(at_ns, gain, glide_s),)).pack())
    fader = Fader(RATE)
    fader.tell(gains, 2**63)
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
