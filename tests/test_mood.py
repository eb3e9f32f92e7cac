import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import MoodError
from appliance.mood import NOWHERE, PLACES, QUANTITIES, Mood, Place


def moods() -> st.SearchStrategy[Mood]:
    return st.builds(Mood, **{name: st.floats(each.low, each.high) for name, each in QUANTITIES.items()})


def test_at_rest_every_quantity_rests():
    assert Mood().quantities() == {name: each.rest for name, each in QUANTITIES.items()}


def test_parse():
    assert Mood.parse(["pitch=-0.5", " Wander = 1"]) == Mood(pitch=-0.5, wander=1.0)


@pytest.mark.parametrize(
    ("word", "part"),
    [
        ("pich=1", "did you mean pitch?"),
        ("xyzzy=1", "there are pitch, tonality"),
        ("pace=9", "0.25 to 4, not 9"),
        ("pitch=nan", "from -1 to 1, not nan"),
        ("pitch=high", "not 'high'"),
        ("pitch", "as in pitch=1"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(word, part):
    with pytest.raises(MoodError) as caught:
        Mood.parse([word])
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


@given(moods(), moods(), st.floats(0.01, 60.0))
def test_a_glide_stays_between_and_comes_closer(here, there, seconds):
    moved = here.toward(there, seconds)
    for name in QUANTITIES:
        one, two, now = getattr(here, name), getattr(there, name), getattr(moved, name)
        assert min(one, two) - 1e-9 <= now <= max(one, two) + 1e-9
        assert abs(two - now) <= abs(two - one) * 0.5 ** (seconds / 2.0) + 1e-9


@given(moods(), moods())
def test_a_glide_arrives(here, there):
    for _ in range(60):
        here = here.toward(there, 1.0)
    assert here == there
    assert here.toward(there, 1.0) is here


def places() -> st.SearchStrategy[Place]:
    """Anywhere that can be, now and then without target or shifts."""
    some = st.floats(-3.0, 3.0)
    target = st.one_of(st.just(()), st.lists(some, min_size=32, max_size=32).map(tuple))
    return st.builds(Place, target, st.floats(0.0, 1.0), st.lists(some, max_size=8).map(tuple))


def drawn(place: Place) -> list[float]:
    """How far each coordinate is drawn, and shifted."""
    target = [place.draw * value for value in place.target] or [0.0] * 32
    return [*target, *place.shift, *[0.0] * (8 - len(place.shift))]


def test_places_rest_within_their_range():
    assert list(PLACES) == ["x", "y", "draw", *(f"axis{number}" for number in range(1, 9))]
    assert not set(PLACES) & set(QUANTITIES)
    assert all(each.low <= each.rest <= each.high for each in PLACES.values())


@given(moods(), places(), places())
def test_a_place_glides_without_a_jump_and_arrives(mood, here, there):
    now, target = (Mood(**mood.quantities(), place=place) for place in (here, there))
    for _ in range(60):
        after = now.toward(target, 1.0)
        # In a second the most of the way is gone, by the target and by how strongly it draws.
        assert max(abs(one - two) for one, two in zip(drawn(now.place), drawn(after.place), strict=True)) < 5.0
        now = after
    assert now == target
    assert now.toward(target, 1.0) is now


def test_a_new_target_begins_to_draw_from_nothing():
    there = Place((1.0,) * 32, 1.0)
    first = NOWHERE.toward(there, 0.75)
    assert first.target == there.target
    assert first.draw == 0.25


def test_a_target_is_left_once_it_draws_no_more():
    now, draws = Mood(place=Place((1.0,) * 32, 1.0)), []
    while now.place.target:
        draws.append(now.place.draw)
        now = now.toward(Mood(), 1.0)
    assert draws == sorted(draws, reverse=True)
    assert draws[-1] < 0.01
    assert now.place == NOWHERE


@pytest.mark.parametrize(
    "made",
    [
        {"target": (1.0,) * 31},
        {"target": (float("nan"),) * 32},
        {"target": (65.0,) * 32},
        {"draw": 1.5},
        {"draw": float("nan")},
        {"shift": (0.0,) * 9},
        {"shift": (5.0,)},
    ],
)
def test_a_place_that_cannot_be_is_refused(made):
    with pytest.raises(MoodError):
        Place(**made)
