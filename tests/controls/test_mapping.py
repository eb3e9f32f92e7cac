"""From the way of a control to values, back again, and soft take-over."""

import math
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from appliance.controls.mapping import Ends, Span, span_of, take_over
from appliance.mood import PLACES, QUANTITIES
from appliance.wiring.tables import Button, Encoder

SHARES = st.floats(0.0, 1.0)
VALUES = st.floats(-4.0, 4.0)


def tables() -> st.SearchStrategy[tuple[tuple[float, float], ...]]:
    middle = st.lists(st.tuples(st.floats(0.05, 0.95), SHARES), max_size=4, unique_by=lambda point: round(point[0], 2))
    return st.builds(
        lambda first, points, last: ((0.0, first), *sorted(points), (1.0, last)), SHARES, middle, SHARES
    ).filter(lambda points: len({up for _, up in points}) > 1 and all(b[0] - a[0] > 0.005 for a, b in pairwise(points)))


@st.composite
def spans(draw: st.DrawFn, any_table: bool = True) -> Span:
    low, high = draw(VALUES), draw(VALUES)
    assume(abs(high - low) > 0.01)
    names = st.sampled_from(["linear", "log", "exp"])
    curve = draw(st.one_of(names, tables()) if any_table else names)
    return Span(low, high, curve, draw(st.sampled_from([0.0, 0.05, 0.2])), draw(st.booleans()))


@given(spans(), SHARES)
def test_a_value_is_always_between_the_two_ends(span: Span, way: float) -> None:
    assert span.clip(span.value(way)) == pytest.approx(span.value(way), abs=1e-9)


@given(spans(), SHARES)
def test_the_way_back_leads_to_the_same_value(span: Span, way: float) -> None:
    value = span.value(way)
    back = span.way(value)
    assert 0.0 <= back <= 1.0
    assert span.value(back) == pytest.approx(value, abs=1e-6)


@given(spans(any_table=False), st.floats(0.0, 1.0))
def test_without_a_deadband_the_way_back_is_the_same_way(span: Span, way: float) -> None:
    assume(span.deadband == 0.0)
    assert span.way(span.value(way)) == pytest.approx(way, abs=1e-6)


@given(spans(any_table=False), VALUES)
def test_a_value_out_of_reach_has_the_nearest_end_for_its_way(span: Span, value: float) -> None:
    assert span.value(span.way(value)) == pytest.approx(span.clip(value), abs=1e-6)


@given(spans(any_table=False), SHARES, SHARES)
def test_more_of_the_way_is_more_or_the_same(span: Span, one: float, other: float) -> None:
    way, farther = sorted((one, other))
    rises = (span.high > span.low) != span.invert
    step = span.value(farther) - span.value(way)
    assert step >= -1e-12 if rises else step <= 1e-12


def test_the_ends_and_the_middle_lie_still_within_the_deadband() -> None:
    span = Span(-1.0, 1.0, deadband=0.1)
    assert [span.value(way) for way in (0.0, 0.1, 0.4, 0.5, 0.6, 0.9, 1.0)] == pytest.approx([-1, -1, 0, 0, 0, 1, 1])
    assert span.value(0.25) == pytest.approx(-0.5)


@pytest.mark.parametrize(("curve", "half"), [("linear", 0.5), ("log", 0.84), ("exp", 1 / 9), (((0, 0), (1, 1)), 0.5)])
def test_each_curve_half_way(curve: object, half: float) -> None:
    assert Span(0.0, 1.0, curve).value(0.5) == pytest.approx(half, abs=0.01)  # type: ignore[arg-type]


def test_a_logarithmic_knob_under_log_is_even_again() -> None:
    assert Span(0.0, 1.0, "log").value(0.125) == pytest.approx(0.5, abs=0.03)


def test_ends_are_stretched_over_the_whole_way() -> None:
    ends = Ends(0.1, 0.9)
    assert [ends.of(value) for value in (0.0, 0.1, 0.5, 0.9, 1.0)] == pytest.approx([0.0, 0.0, 0.5, 1.0, 1.0])


def test_a_control_covers_the_range_of_what_it_moves_or_its_own_part_of_it() -> None:
    for name, quantity in (QUANTITIES | PLACES).items():
        span = span_of(Button(source="button", pin=4, moves=name))
        assert span == Span(quantity.low, quantity.high)
    part = span_of(Button(source="button", pin=4, moves="pace", low=2.0, high=0.5, curve="exp", invert=True))
    assert part == Span(2.0, 0.5, "exp", 0.0, True)
    assert span_of(Button(source="button", pin=4, does="next")) is None


def test_an_encoder_has_no_deadband_to_be_stuck_in() -> None:
    assert span_of(Encoder(source="encoder", pins=(5, 6), moves="pitch", deadband=0.2)) == Span(-1.0, 1.0)


# --- soft take-over

TURNS = st.lists(SHARES, min_size=2, max_size=30)


@given(spans(), SHARES, TURNS)
def test_take_over_never_leaves_the_span_and_goes_with_the_hand(span: Span, begin: float, ways: list[float]) -> None:
    low, high = min(span.low, span.high), max(span.low, span.high)
    value = low + begin * (high - low)
    for one, other in pairwise(ways):
        before, after = span.value(one), span.value(other)
        moved = take_over(value, before, after, span)
        assert low - 1e-9 <= moved <= high + 1e-9
        assert (moved - value) * (after - before) >= 0.0
        # Neither passes the other.
        assert (moved - after) * (value - before) >= -1e-9
        value = moved


@given(spans(), VALUES, SHARES, SHARES)
def test_take_over_never_jumps(span: Span, value: float, one: float, other: float) -> None:
    before, after = span.value(one), span.value(other)
    moved = take_over(value, before, after, span)
    end = max(span.low, span.high) if after > before else min(span.low, span.high)
    left = abs(end - before)
    if left:
        # As much of what is left as the hand took of its own.
        assert abs(moved - value) <= abs(value - end) * abs(after - before) / left + 1e-9
    else:
        assert moved == value


@given(st.floats(0.01, 0.99), st.floats(0.01, 0.99), SHARES)
def test_small_turns_move_little(begin: float, way: float, size: float) -> None:
    span, step = Span(0.0, 1.0), 0.01 * size
    moved = take_over(begin, way, min(way + step, 1.0), span)
    assert abs(moved - begin) <= step / (1.0 - way) + 1e-12


@given(spans(any_table=False), SHARES, SHARES, st.booleans())
def test_at_the_end_of_the_way_both_have_met(span: Span, begin: float, way: float, upwards: bool) -> None:
    value = span.low + begin * (span.high - span.low)
    before, end = span.value(way), span.value(1.0 if upwards else 0.0)
    assume(before != end)
    value = take_over(value, before, end, span)
    assert value == pytest.approx(end, abs=1e-9)


def test_once_met_they_are_one() -> None:
    span, value, way = Span(-1.0, 1.0), 0.7, -0.9
    for after in (0.0, 1.0, 0.3, -1.0, 0.25):
        value, way = take_over(value, way, after, span), after
    assert value == 0.25


def test_a_value_outside_the_span_waits_until_it_is_turned_towards_it() -> None:
    span = Span(-0.5, 0.5)
    assert take_over(1.0, 0.0, 0.4, span) == 1.0
    assert 0.4 < take_over(1.0, 0.5, 0.45, span) < 1.0
    assert math.isfinite(take_over(1.0, 0.5, 0.5, span))
