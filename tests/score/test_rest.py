from itertools import pairwise

import numpy as np
import pytest

from appliance.score.form import form
from appliance.score.rest import AWAKE, FADE_S, Rest, gain, go_on, lead_s, woken

# The player calls so much digital silence a fault.
WATCHDOG_S = 10.0
SHORTEST_S = 5.0


def rested(length_s, density=0.0, later=0.0, step_s=0.05):
    """Power over time from the beginning of a rest, while the density is another one later."""
    rest, powers = go_on(AWAKE, step_s, length_s, density), []
    for _ in range(round(40.0 / step_s)):
        powers.append(gain(rest))
        rest = go_on(rest, step_s, None, later)
    return np.array(powers)


@pytest.mark.parametrize("later", [-1.0, 0.0, 1.0])
@pytest.mark.parametrize("density", [-1.0, 0.0, 1.0])
def test_a_rest_falls_is_silent_and_rises_once_whatever_moves(density, later):
    powers = rested(6.0, density, later)
    assert powers[0] == 1.0
    assert powers[-1] == 1.0
    silent = np.flatnonzero(powers < 1e-9)
    assert (np.diff(silent) == 1).all()
    assert (np.diff(powers[: silent[0]]) <= 0.0).all()
    assert (np.diff(powers[silent[-1] :]) >= 0.0).all()
    assert np.array_equal(powers, rested(6.0, density, density))
    assert np.abs(np.diff(powers)).max() < 0.03


def test_density_shortens_a_rest_and_leaves_it_one():
    sparse, plain, dense = ((rested(6.0, density) < 1e-9).sum() * 0.05 for density in (-1.0, 0.0, 1.0))
    assert sparse > plain > dense > 4.0
    assert plain == pytest.approx(6.0, abs=0.3)


def test_no_rest_is_an_alarm_and_none_at_rest_is_short():
    lengths = [length_s for seed in range(5) for number in range(100) for _, length_s in form(seed, number).rests]
    assert min(lengths) >= SHORTEST_S
    # Hop by hop, as it is played: a hop is silent where the clips it begins and ends with are.
    longest = rested(max(lengths), density=-1.0, step_s=1.0) < 1e-6
    assert SHORTEST_S < sum(one and two for one, two in pairwise(longest)) < WATCHDOG_S


def test_two_rests_are_not_heard_one_after_the_other():
    resting = Rest(20.0, 6.0)
    assert go_on(resting, 1.0, 6.0, 0.0) == Rest(21.0, 6.0)
    assert go_on(Rest(120.0, 6.0), 1.0, 5.5, 0.0) == Rest(0.0, 5.5)


def test_its_middle_comes_when_it_is_due():
    powers = rested(6.0)
    middle_s = np.flatnonzero(powers < 1e-9).mean() * 0.05
    assert middle_s == pytest.approx(lead_s(6.0), abs=0.1)
    assert lead_s(6.0) > FADE_S


@pytest.mark.parametrize("since_s", np.arange(0.0, 18.5, 0.5))
def test_a_hand_wakes_it_from_wherever_it_is(since_s):
    rest, hop_s = Rest(float(since_s), 6.0), 1.0
    before, powers = gain(rest), []
    for _ in range(4):
        rest = woken(rest, hop_s)
        powers.append(gain(rest))
        rest = go_on(rest, hop_s, None, 0.0)
    assert powers[0] >= max(before, 0.1) - 1e-9
    assert (np.diff(powers) >= 0.0).all()
    assert powers[2] > 0.9


def test_what_does_not_rest_is_not_woken():
    assert woken(AWAKE, 1.0) == AWAKE
    assert woken(Rest(18.0, 6.0), 1.0) == Rest(18.0, 6.0)
