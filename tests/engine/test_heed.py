from dataclasses import replace
from itertools import pairwise

import pytest

from appliance.engine.heed import UNMOVED, Heed, due, go_on
from appliance.engine.saved import dump, load
from appliance.mood import Mood, Place
from appliance.score.rest import Rest

REST = Mood()
HIGH = Mood(pitch=1.0)
RANKING = ("pitch", "tonality", "weirdness", "level", "consonance")


@pytest.fixture(scope="module")
def timeline(make_timeline):
    return make_timeline(with_beds=False)


def begins(timeline, hands, hops, cursor=None):
    """The hops at which a piece begins to be faded in, and the cursor in the end; hands by the hop."""
    cursor = timeline.start(7, REST) if cursor is None else cursor
    found = []
    for hop in range(hops):
        after = timeline.advance(cursor, hands(hop))
        if cursor.next is None and after.next is not None:
            found.append(hop)
        cursor = after
    return found, cursor


@pytest.mark.parametrize("hands", [REST, Mood(pace=4.0), Mood(nature=1.0, width=0.0), Mood(wander=1.0, density=1.0)])
def test_what_pieces_are_not_chosen_by_begins_none(timeline, hands):
    assert begins(timeline, lambda _: hands, 40)[0] == []


@pytest.mark.parametrize(
    "hands",
    [
        *(Mood(**{name: -1.0}) for name in RANKING),
        *(Mood(**{name: 1.0}) for name in RANKING),
        Mood(place=Place((1.0,) * 32, 0.8)),
    ],
)
def test_a_turned_knob_is_heard_in_what_is_chosen_within_seconds(timeline, hands):
    found, cursor = begins(timeline, lambda hop: hands if hop > 4 else REST, 30)
    assert len(found) == 1
    assert 3 <= found[0] - 5 <= 9
    assert cursor.now.piece.number == 1
    assert begins(timeline, lambda _: hands, 120, cursor)[0] == []


def test_a_small_turn_waits_for_the_next_piece(timeline):
    assert begins(timeline, lambda _: Mood(pitch=0.35, level=-0.3), 60)[0] == []


def test_while_a_hand_goes_back_and_forth_nothing_begins(timeline):
    assert begins(timeline, lambda hop: HIGH if hop // 2 % 2 else Mood(pitch=-1.0), 60)[0] == []


def test_at_most_one_a_minute(timeline):
    found, _ = begins(timeline, lambda hop: HIGH if hop // 20 % 2 else REST, 190)
    assert len(found) >= 2
    assert min(later - earlier for earlier, later in pairwise(found)) >= 60


def test_it_survives_that_the_engine_begins_anew(timeline):
    """The seconds that hands stood still are in what is saved."""
    _, cursor = begins(timeline, lambda _: HIGH, 3)
    saved = load(dump(cursor, HIGH, 0))
    assert saved.cursor.heed == cursor.heed != UNMOVED
    again, _ = begins(timeline, lambda _: HIGH, 12, saved.cursor)
    assert again == begins(timeline, lambda _: HIGH, 12, cursor)[0] != []


def test_a_place_saved_before_there_was_heed_is_taken(timeline):
    data = dump(timeline.start(7, REST), REST, 0)
    cut = data.replace(b',"heed":{"still_s":0.0,"since_s":60.0}', b"")
    assert len(cut) < len(data)
    assert load(cut).cursor.heed == UNMOVED


def test_a_place_counts_by_how_far_it_draws():
    near, far = Mood(place=Place((1.0,) * 32, 0.3)), Mood(place=Place((1.0,) * 32, 0.5))
    still = Heed(10.0, 60.0)
    assert not due(still, REST, near)
    assert due(still, REST, far)
    assert not due(still, near, far)
    assert due(still, far, REST)


def test_time_counts_only_while_hands_stand_still():
    assert go_on(Heed(3.0, 10.0), 1.0, REST, Mood(pitch=0.01)) == Heed(4.0, 11.0)
    assert go_on(Heed(3.0, 10.0), 1.0, REST, Mood(pitch=0.03)) == Heed(0.0, 11.0)
    assert go_on(Heed(60.0, 60.0), 1.0, REST, REST) == Heed(60.0, 60.0)


@pytest.mark.parametrize("hands", [Mood(pitch=0.5), Mood(width=0.2), Mood(place=Place((1.0,) * 32, 0.8))])
def test_a_hand_is_heard_in_a_rest_at_once(timeline, hands):
    resting = replace(timeline.start(7, REST), rest=Rest(8.0, 6.0))
    assert timeline.advance(resting, REST).trail[-1].sounds == ()
    cursor, shares = resting, []
    for _ in range(3):
        cursor = timeline.advance(cursor, hands)
        shares.append(cursor.trail[-1].share)
    assert shares[0] > 0.05
    assert shares == sorted(shares)
    assert shares[2] > 6.0 * shares[0]


def test_what_glides_by_itself_wakes_nobody(timeline):
    resting = replace(timeline.start(7, REST), rest=Rest(8.0, 6.0))
    assert timeline.advance(resting, Mood(pitch=0.01, wander=0.41, volume=0.99)).trail[-1].sounds == ()
