"""A knob behind a converter: what a hand does comes through at once, and nothing else does."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.controls.conditioning import STILL, Conditioner

Signal = Callable[[float, random.Random], float]
WHERE = 0.45


@dataclass(frozen=True)
class Reading:
    at_s: float
    given: float | None
    trouble: str | None


def read(
    signal: Signal, seconds: float, seed: int = 0, every_s: float = 0.01, lsb: int = 4, by_hand: bool = True
) -> list[Reading]:
    """What a conditioner gives for a voltage with noise of some steps of ten bits, at uneven times."""
    chance, conditioner, at_s, found = random.Random(seed), Conditioner(by_hand), 0.0, []
    while at_s < seconds:
        steps = round(1023 * signal(at_s, chance)) + chance.randint(-lsb, lsb)
        given = conditioner.feed(min(max(steps, 0), 1023) / 1023, 100.0 + at_s)
        found.append(Reading(at_s, given, conditioner.trouble))
        at_s += every_s * chance.uniform(0.8, 1.2)
    return found


def after_a_second(what: Signal) -> Signal:
    return lambda at_s, chance: WHERE if at_s < 1.0 else what(at_s, chance)


def strays(found: Sequence[Reading]) -> list[float]:
    """What was given elsewhere than where it had settled before."""
    settled = [each.given for each in found if each.given is not None and each.at_s < 1.0][-1]
    late = [each.given for each in found if each.given is not None and each.at_s >= 1.0]
    return [given for given in late if abs(given - settled) > 0.02]


@settings(deadline=None)
@given(st.floats(0.0, 1.0), st.integers(0, 1 << 30))
def test_noise_of_four_steps_moves_nothing(where: float, seed: int) -> None:
    found = read(lambda at_s, chance: where, 1.5, seed)
    given = {each.given for each in found if each.at_s >= 0.15} - {None}

    # Clipped at an end, it may wait there until it is turned.
    assert len(given) <= 1
    assert all(abs(each - where) <= 1.5 * STILL for each in given if each is not None)
    assert not any(each.trouble for each in found)


@settings(deadline=None)
@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.sampled_from([0.05, 0.5, 3.0]), st.integers(0, 1 << 30))
def test_nor_after_it_was_turned(begin: float, end: float, seconds: float, seed: int) -> None:
    found = read(lambda at_s, chance: begin + (end - begin) * min(max(at_s - 0.3, 0) / seconds, 1), seconds + 3, seed)
    given = {each.given for each in found if each.at_s > 0.3 + seconds + 0.6}

    places = [each for each in given if each is not None]
    # Turned as slowly as noise goes, it may be at the edge of a last step.
    assert len(given) <= 2
    assert not places or max(places) - min(places) <= 0.012
    assert all(abs(each - end) <= 1.5 * STILL for each in places)


@pytest.mark.parametrize("whole_way_s", [0.08, 0.12, 0.3, 1.0, 4.0])
@pytest.mark.parametrize("back", [False, True])
def test_a_turn_by_hand_is_given_within_50_ms(whole_way_s: float, back: bool) -> None:
    def knob(at_s: float) -> float:
        done = min(max((at_s - 0.5) / whole_way_s, 0.0), 1.0)
        way = done**3 * (10.0 - 15.0 * done + 6.0 * done * done)
        return 0.02 + 0.96 * (1.0 - way if back else way)

    for seed in range(20):
        for each in read(lambda at_s, chance: knob(at_s), 0.7 + whole_way_s, seed):
            if each.at_s < 0.15:
                continue
            lately = [knob(each.at_s - 0.001 * ms) for ms in range(51)]
            assert each.given is not None
            assert min(lately) - 0.015 <= each.given <= max(lately) + 0.015
            assert each.trouble is None


@pytest.mark.parametrize("shakes_hz", [1.0, 3.0, 5.0, 6.5])
def test_a_visitor_who_shakes_it_is_followed(shakes_hz: float) -> None:
    def knob(at_s: float) -> float:
        return 0.5 + 0.35 * math.sin(2.0 * math.pi * shakes_hz * max(at_s - 0.5, 0.0))

    for seed in range(10):
        held = 0.5
        for each in read(lambda at_s, chance: knob(at_s), 2.5, seed):
            held = held if each.given is None else each.given
            lately = [knob(each.at_s - 0.001 * ms) for ms in range(51)]
            assert min(lately) - 0.02 <= held <= max(lately) + 0.02
            assert each.trouble is None


NOISES: dict[str, Signal] = {
    "white": lambda at_s, chance: chance.random(),
    "half as wide": lambda at_s, chance: chance.uniform(0.25, 0.75),
    "on and off": lambda at_s, chance: float(chance.random() < 0.5),
    "hum of 50 Hz": lambda at_s, chance: 0.5 + 0.4 * math.sin(100.0 * math.pi * at_s),
    "hum of 60 Hz": lambda at_s, chance: 0.5 + 0.4 * math.sin(120.0 * math.pi * at_s),
}


@pytest.mark.parametrize("what", NOISES.values(), ids=NOISES)
def test_a_wire_that_hangs_loose_is_not_followed_and_is_told(what: Signal) -> None:
    lengths = []
    for seed in range(30):
        found = read(after_a_second(what), 5.0, seed)
        lengths.append(len(strays(found)))
        assert next(each.at_s for each in found if each.trouble) < 2.0
        assert all(each.trouble == "reads noise: is its wire loose?" for each in found if each.at_s > 2.0)
    assert max(lengths) <= 4
    assert sum(lengths) / len(lengths) <= 2.0


def test_narrow_noise_strays_no_farther_than_it_is_wide() -> None:
    for seed in range(10):
        found = read(after_a_second(lambda at_s, chance: WHERE + chance.uniform(-0.05, 0.05)), 4.0, seed)
        assert len(strays(found)) < 10
        assert all(abs(given - WHERE) <= 0.06 for given in strays(found))
        assert found[-1].trouble


def test_noise_from_the_first_moment_gives_nothing() -> None:
    for seed in range(50):
        assert all(each.given is None for each in read(NOISES["white"], 3.0, seed))


@pytest.mark.parametrize("end", [0.0, 1.0])
@pytest.mark.parametrize("lsb", [0, 4])
def test_a_wire_pulled_off_its_chip_or_shorted_is_held_and_told(end: float, lsb: int) -> None:
    for seed in range(20):
        found = read(after_a_second(lambda at_s, chance: end), 4.0, seed, lsb=lsb)
        assert strays(found) == []
        assert next(each.at_s for each in found if each.trouble) < 2.0
        assert found[-1].trouble == "leapt to its end and stays there: is its wire loose?"


def test_a_wire_that_comes_back_is_followed_again() -> None:
    def loose(at_s: float, chance: random.Random) -> float:
        return WHERE if at_s < 1.0 else 0.0 if at_s < 3.0 else 0.7

    found = read(loose, 5.0)
    well_s = [each.at_s for each in found if each.at_s > 3.0 and each.trouble is None]
    assert 3.4 < well_s[0] < 3.7
    assert found[-1].given == pytest.approx(0.7, abs=0.015)


def test_noise_that_ends_is_forgotten_after_a_second() -> None:
    found = read(lambda at_s, chance: chance.random() if 1.0 < at_s < 3.0 else WHERE, 5.0)
    well_s = [each.at_s for each in found if each.at_s > 3.0 and each.trouble is None]
    assert 3.3 < well_s[0] < 4.1
    assert all(each.trouble is None for each in found if each.at_s > 4.1)


def test_a_wire_that_comes_off_in_the_middle_of_a_turn_and_back() -> None:
    def knob(at_s: float, chance: random.Random) -> float:
        turned = 0.2 + 0.6 * min(max(at_s - 1.0, 0.0), 1.0)
        return 0.0 if 1.5 < at_s < 1.7 else turned

    for seed in range(10):
        found = read(knob, 3.0, seed)
        assert min(each.given for each in found if each.given is not None) > 0.18
        assert not any(each.trouble for each in found)
        assert found[-1].given == pytest.approx(0.8, abs=0.015)


def test_a_knob_that_crackles_goes_on_after_each() -> None:
    def knob(at_s: float, chance: random.Random) -> float:
        crackles = any(at < at_s < at + 0.008 for at in (1.1, 1.4, 1.7, 2.3))
        return 0.0 if crackles else 0.2 + 0.5 * min(max(at_s - 1.0, 0.0), 1.0)

    for seed in range(10):
        found = read(knob, 3.0, seed)
        assert not any(each.trouble for each in found)
        assert min(each.given for each in found if each.given is not None) > 0.18
        longest = silence = 0
        for each in found:
            silence = silence + 1 if each.given is None and each.at_s > 0.2 else 0
            longest = max(longest, silence)
        assert longest <= 8


@pytest.mark.parametrize("end", [0.0, 1.0])
def test_at_its_end_when_all_begins_it_is_not_known_until_it_is_turned(end: float) -> None:
    def knob(at_s: float, chance: random.Random) -> float:
        return abs(end - 0.4 * min(max(at_s - 2.0, 0.0), 1.0))

    found = read(knob, 4.0, lsb=0)
    assert all(each.given is None for each in found if each.at_s < 2.0)
    assert all(each.given is not None for each in found if each.at_s > 2.05)
    assert not any(each.trouble for each in found)


def test_which_began_at_its_end_is_told() -> None:
    for where, told in ((0.0, True), (0.5, False)):
        conditioner = Conditioner(by_hand=True)
        for tick in range(40):
            conditioner.feed(where if tick < 20 else 0.1, 0.01 * tick)
        assert conditioner.began_at_end is told


def test_light_may_leap_at_once() -> None:
    found = read(after_a_second(lambda at_s, chance: 0.95), 2.0, by_hand=False)
    assert found[0].given is not None
    assert next(each.at_s for each in found if each.given is not None and each.given > 0.9) < 1.05
    assert not any(each.trouble for each in found)


def test_light_that_flickers_is_well_and_a_loose_wire_is_not() -> None:
    flicker = read(lambda at_s, chance: 0.5 + 0.05 * math.sin(628.0 * at_s), 3.0, by_hand=False)
    assert not any(each.trouble for each in flicker)
    loose = read(after_a_second(NOISES["white"]), 4.0, by_hand=False)
    assert loose[-1].trouble
    assert next(each.at_s for each in loose if each.trouble) < 2.0


def test_read_once_a_second_it_may_be_anywhere() -> None:
    conditioner = Conditioner(by_hand=True)
    given = [conditioner.feed(value, float(second)) for second, value in enumerate((0.2, 0.9, 0.1, 0.6, 0.6, 0.6))]
    assert given[0] is None
    assert None not in given[1:]
    assert given[-1] == pytest.approx(0.6, abs=STILL + 1e-9)
    assert conditioner.trouble is None


def test_while_time_stands_still_nothing_happens() -> None:
    conditioner = Conditioner(by_hand=True)
    for tick in range(20):
        conditioner.feed(0.5, 0.01 * tick)
    given = {conditioner.feed(value, 0.19) for value in (0.0, 1.0, 0.3) * 50}
    assert given == {0.5}
    assert conditioner.trouble is None
    assert conditioner.feed(0.5, 0.2) == 0.5


@given(
    st.booleans(),
    st.lists(st.tuples(st.floats(0.0, 1.0), st.sampled_from([-0.01, 0.0, 0.001, 0.01, 0.5, 3600.0])), max_size=80),
)
def test_whatever_comes_it_gives_a_place_or_nothing(by_hand: bool, readings: list[tuple[float, float]]) -> None:
    conditioner, at_s = Conditioner(by_hand), 0.0
    for value, passed_s in readings:
        at_s += passed_s
        given = conditioner.feed(value, at_s)
        assert given is None or 0.0 <= given <= 1.0
