"""The table of who is healthy, row by row, each beside the nearest case on the other side."""

import math
from dataclasses import replace

import pytest

from appliance.health.liveness import (
    REST_LUFS,
    SHORTFALL_LU,
    SHORTFALL_S,
    SILENT_S,
    STALLED_S,
    Advance,
    EngineSeen,
    Lasting,
    PlayerSeen,
    engine_verdict,
    player_verdict,
    shortfall_lu,
    should_sound,
)

FULL = EngineSeen(reserve_full=True, made_age_s=0.4, shortfall_lu=0.5, shortfall_s=0.0, finite=True)
FILLING = replace(FULL, reserve_full=False)
PLAYING = PlayerSeen(card_open=True, consumed_age_s=0.01, should_sound=True, silent_s=0.0)
HUSHED = replace(PLAYING, should_sound=False, silent_s=36_000.0)
NO_CARD = replace(PLAYING, card_open=False, consumed_age_s=3_600.0, silent_s=3_600.0)
SOFT = replace(FULL, shortfall_lu=SHORTFALL_LU + 0.1, shortfall_s=SHORTFALL_S)

ROWS = {
    "reserve full, frames consumed": (FULL, True, PLAYING, True),
    "reserve full for an hour": (replace(FULL, made_age_s=3_600.0), True, PLAYING, True),
    "reserve being filled": (FILLING, True, PLAYING, True),
    "card absent, player retrying": (replace(FULL, made_age_s=3_600.0), True, NO_CARD, True),
    "reserve not full, no frames made for 10 s: the player holds": (
        replace(FILLING, made_age_s=STALLED_S),
        False,
        PLAYING,
        True,
    ),
    "reserve not full, no frames made for a little less": (
        replace(FILLING, made_age_s=STALLED_S - 0.1),
        True,
        PLAYING,
        True,
    ),
    "fresh sound far below what was announced: the player holds": (SOFT, False, PLAYING, True),
    "fresh sound a little below what was announced": (
        replace(SOFT, shortfall_lu=SHORTFALL_LU, shortfall_s=60.0),
        True,
        PLAYING,
        True,
    ),
    "fresh sound far below for a moment": (replace(SOFT, shortfall_s=SHORTFALL_S - 0.1), True, PLAYING, True),
    "fresh sound silent where sound was announced": (
        replace(SOFT, shortfall_lu=shortfall_lu(-20.0, -math.inf)),
        False,
        PLAYING,
        True,
    ),
    "fresh sound silent in a rest": (
        replace(SOFT, shortfall_lu=shortfall_lu(-math.inf, -math.inf)),
        True,
        PLAYING,
        True,
    ),
    "fresh sound without a loudness": (replace(SOFT, shortfall_lu=math.nan), False, PLAYING, True),
    "fresh sound not finite: the player holds": (replace(FULL, finite=False), False, PLAYING, True),
    "frames not consumed for 10 s though a card is open": (
        FULL,
        True,
        replace(PLAYING, consumed_age_s=STALLED_S),
        False,
    ),
    "frames not consumed for a little less": (FULL, True, replace(PLAYING, consumed_age_s=STALLED_S - 0.1), True),
    "frames not consumed though closed": (FULL, True, replace(HUSHED, consumed_age_s=STALLED_S), False),
    "visitor turned volume to 0, closed hours": (FULL, True, HUSHED, True),
    "digital silence for 10 s though it should sound": (FULL, True, replace(PLAYING, silent_s=SILENT_S), False),
    "digital silence for a little less": (FULL, True, replace(PLAYING, silent_s=SILENT_S - 0.1), True),
}


@pytest.mark.parametrize(("engine", "engine_healthy", "player", "player_healthy"), ROWS.values(), ids=ROWS.keys())
def test_who_is_healthy(engine: EngineSeen, engine_healthy: bool, player: PlayerSeen, player_healthy: bool) -> None:
    assert engine_verdict(engine).healthy is engine_healthy
    assert player_verdict(player).healthy is player_healthy


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (FULL, "the reserve is full"),
        (FILLING, "the reserve is being filled"),
        (replace(FILLING, made_age_s=12.0), "no sound was made for 12 s though the reserve is not full"),
        (replace(SOFT, shortfall_lu=31.0), "the fresh sound is 31 LU softer than announced"),
        (replace(SOFT, shortfall_lu=math.inf), "the fresh sound is inf LU softer than announced"),
        (replace(SOFT, shortfall_lu=math.nan), "the loudness of the fresh sound cannot be measured"),
        (replace(FULL, finite=False), "the fresh sound is not finite"),
    ],
)
def test_the_engine_says_why(seen: EngineSeen, reason: str) -> None:
    assert engine_verdict(seen).reason == reason


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (PLAYING, "playing"),
        (NO_CARD, "waiting for a sound card"),
        (HUSHED, "silent as it should be"),
        (replace(PLAYING, consumed_age_s=12.0), "the sound card took nothing for 12 s though it is open"),
        (replace(PLAYING, silent_s=12.0), "nothing but digital silence was sent for 12 s"),
    ],
)
def test_the_player_says_why(seen: PlayerSeen, reason: str) -> None:
    assert player_verdict(seen).reason == reason


@pytest.mark.parametrize(
    ("volume", "closed_hours", "fading_out", "sounds"),
    [
        (1.0, False, False, True),
        (1e-6, False, False, True),
        (0.0, False, False, False),
        (1.0, True, False, False),
        (1.0, False, True, False),
    ],
)
def test_should_sound(volume: float, closed_hours: bool, fading_out: bool, sounds: bool) -> None:
    assert should_sound(volume=volume, closed_hours=closed_hours, fading_out=fading_out) is sounds


def test_a_rest_is_announced() -> None:
    assert shortfall_lu(-20.0, -33.0) == 13.0
    assert shortfall_lu(REST_LUFS, -math.inf) is None
    assert shortfall_lu(REST_LUFS + 1.0, -math.inf) == math.inf


class Now:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.s = 100.0

    def __call__(self) -> float:
        return self.s


def test_a_counter_ages_until_it_moves() -> None:
    now = Now()
    advance = Advance(now)
    now.s += 3.0
    assert advance.seen(7) == 0.0
    now.s += 4.0
    assert advance.seen(7) == 4.0
    now.s += 4.0
    assert advance.seen(7) == 8.0
    # A process that starts anew counts from zero, and that is a move too.
    assert advance.seen(0) == 0.0
    now.s += 2.0
    assert advance.seen(0) == 2.0


def test_a_state_lasts_until_it_breaks() -> None:
    now = Now()
    lasting = Lasting(now)
    assert lasting.seen(False) == 0.0
    now.s += 5.0
    assert lasting.seen(True) == 0.0
    now.s += 5.0
    assert lasting.seen(True) == 5.0
    assert lasting.seen(False) == 0.0
    now.s += 5.0
    assert lasting.seen(True) == 0.0
