"""Who is healthy: what each process saw of itself, and the verdict its watchdog goes by.

A process that is alive proves nothing: the room may be silent. So the engine is judged by the frames it made and how
loud they came out, the player by the frames the card took and the sound in them. A process tells its watchdog that it
lives only while its verdict is healthy; whoever supervises then ends it and starts it again.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

__all__ = [
    "REST_LUFS",
    "SHORTFALL_LU",
    "SHORTFALL_S",
    "SILENT_S",
    "STALLED_S",
    "Advance",
    "EngineSeen",
    "Lasting",
    "PlayerSeen",
    "Verdict",
    "engine_verdict",
    "player_verdict",
    "shortfall_lu",
    "should_sound",
]

Clock = Callable[[], float]

STALLED_S: Final = 10.0
SILENT_S: Final = 10.0
# Trembling noise and two hops that meet stay within a few LU of what was announced; a voice that fell out does not.
SHORTFALL_LU: Final = 10.0
# Longer than any one clip, so that one odd spectrum is no alarm.
SHORTFALL_S: Final = 3.0
# The absolute gate of ITU-R BS.1770: what is announced below it is a rest.
REST_LUFS: Final = -70.0


@dataclass(frozen=True)
class Verdict:
    """Whether the watchdog may be told that all is well, and why (not), in plain words for `status`."""

    healthy: bool
    reason: str


@dataclass(frozen=True)
class EngineSeen:
    """What the engine observed of itself.

    Attributes
    ----------
    reserve_full : bool
        There is nothing to do until the player has taken more.
    made_age_s : float
        Seconds since it last made a frame.
    shortfall_lu : float or None
        How far its fresh sound lies below what was announced (see `shortfall_lu`); None in a rest.
    shortfall_s : float
        For how long that has been more than `SHORTFALL_LU`.
    finite : bool
        No sample of the fresh sound was infinite or not a number.
    """

    reserve_full: bool
    made_age_s: float
    shortfall_lu: float | None
    shortfall_s: float
    finite: bool


@dataclass(frozen=True)
class PlayerSeen:
    """What the player observed of itself.

    Attributes
    ----------
    card_open : bool
        False while it waits for a card and tries again.
    consumed_age_s : float
        Seconds since the card last took a frame.
    should_sound : bool
        See `should_sound`.
    silent_s : float
        For how long everything it sent has been digital silence.
    """

    card_open: bool
    consumed_age_s: float
    should_sound: bool
    silent_s: float


def engine_verdict(seen: EngineSeen) -> Verdict:
    """Judge the engine; whether the card takes the sound is none of its business."""
    if not seen.finite:
        return Verdict(False, "the fresh sound is not finite")
    # Written so that a shortfall that is not a number is an alarm too.
    if seen.shortfall_lu is not None and not seen.shortfall_lu <= SHORTFALL_LU and seen.shortfall_s >= SHORTFALL_S:
        if math.isnan(seen.shortfall_lu):
            return Verdict(False, "the loudness of the fresh sound cannot be measured")
        return Verdict(False, f"the fresh sound is {seen.shortfall_lu:.0f} LU softer than announced")
    if seen.reserve_full:
        return Verdict(True, "the reserve is full")
    if seen.made_age_s >= STALLED_S:
        return Verdict(False, f"no sound was made for {seen.made_age_s:.0f} s though the reserve is not full")
    return Verdict(True, "the reserve is being filled")


def player_verdict(seen: PlayerSeen) -> Verdict:
    """Judge the player; a hold in place of fresh sound is as good as any sound."""
    if not seen.card_open:
        return Verdict(True, "waiting for a sound card")
    if seen.consumed_age_s >= STALLED_S:
        return Verdict(False, f"the sound card took nothing for {seen.consumed_age_s:.0f} s though it is open")
    if not seen.should_sound:
        return Verdict(True, "silent as it should be")
    if seen.silent_s >= SILENT_S:
        return Verdict(False, f"nothing but digital silence was sent for {seen.silent_s:.0f} s")
    return Verdict(True, "playing")


def should_sound(*, volume: float, closed_hours: bool, fading_out: bool) -> bool:
    """Tell whether a room with an open card ought to hear something; ``volume`` is 0..1."""
    return volume > 0.0 and not closed_hours and not fading_out


def shortfall_lu(expected_lufs: float, fresh_lufs: float) -> float | None:
    """How far the fresh sound lies below what was announced, in LU; None where a rest was announced."""
    return None if expected_lufs <= REST_LUFS else expected_lufs - fresh_lufs


class Advance:
    """How long ago a counter last moved.

    Parameters
    ----------
    clock : callable
        Seconds, as `time.monotonic` gives them.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._count: int | None = None
        self._moved_at_s = clock()

    def seen(self, count: int) -> float:
        """Take in what the counter shows now; seconds since it was first seen to show that."""
        now_s = self._clock()
        if count != self._count:
            self._count, self._moved_at_s = count, now_s
        return now_s - self._moved_at_s


class Lasting:
    """For how long something has been so without a break.

    Parameters
    ----------
    clock : callable
        Seconds, as `time.monotonic` gives them.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since_s: float | None = None

    def seen(self, so: bool) -> float:
        """Take in whether it is so now; seconds since it was first seen so, 0.0 where it is not."""
        if not so:
            self._since_s = None
            return 0.0
        now_s = self._clock()
        if self._since_s is None:
            self._since_s = now_s
        return now_s - self._since_s
