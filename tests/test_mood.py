import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import MoodError
from appliance.mood import QUANTITIES, Mood


def moods() -> st.SearchStrategy[Mood]:
    return st.builds(Mood, **{name: st.floats(each.low, each.high) for name, each in QUANTITIES.items()})


def test_at_rest_every_quantity_rests():
    assert dataclasses.asdict(Mood()) == {name: each.rest for name, each in QUANTITIES.items()}


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
