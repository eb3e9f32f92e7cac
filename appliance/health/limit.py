"""Keeping a day's exposure below a limit, by a ceiling for the volume that moves slowly."""

import math
from typing import Final

from appliance.health.day import Day
from appliance.health.exposure import RoomLevel, energy_of
from appliance.health.liveness import REST_LUFS

__all__ = ["Limit"]

_DAY_S: Final = 8.0 * 3600.0
_LAST_S: Final = 3600.0
# The loudness is that of one look a second.
_MARGIN_DB: Final = 0.5
_DB_PER_S: Final = 1.0 / 60.0
# What is too loud by more than this falls most of the way in that time.
_FAR_DB: Final = 6.0
_HURRY_S: Final = 60.0
# Over so long it is learned how loud the music is; until then it is taken to be as loud as it usually is.
_LEARN_S: Final = 600.0
_USUAL_LUFS: Final = -20.0
_LOWEST_DB: Final = -30.0


class Limit:
    """Says what the volume is to be kept below; one thread.

    Parameters
    ----------
    limit_dba : float
        LEX,8h.

    Notes
    -----
    What is left of the day's energy is spread over what is left of eight hours of sound, and over an hour at least. So
    the energy comes nearer to its limit as ``1 - exp(-t)`` does and never passes it, unless even 30 dB less are too
    loud.
    """

    def __init__(self, limit_dba: float) -> None:
        self._limit_dba = limit_dba
        self._full_power = 10.0 ** (_USUAL_LUFS / 10.0)

    def turn(self, level: RoomLevel, day: Day, lufs: float | None, gain: float, before: float, seconds: float) -> float:
        """Give the ceiling from now on, amplitude, at most 1.

        Parameters
        ----------
        level : RoomLevel
        day : Day
            As counted so far.
        lufs : float or None
            What is sent now.
        gain : float
            The fader's, by which that was made softer.
        before : float
            The ceiling up to now.
        seconds : float
            Since the last turn.
        """
        if lufs is not None and lufs > REST_LUFS and gain > 0.0:
            power = 10.0 ** (lufs / 10.0) / gain**2
            self._full_power += (power - self._full_power) * min(seconds / _LEARN_S, 1.0)
        left = energy_of(level, self._limit_dba - _MARGIN_DB) - day.energy_s
        allowed = left / max(_DAY_S - day.sounded_s, _LAST_S)
        wanted_db = 10.0 * math.log10(allowed / self._full_power) if allowed > 0.0 else _LOWEST_DB
        before_db, step_db = 20.0 * math.log10(before), _DB_PER_S * seconds
        fall_db = max(step_db, (before_db - wanted_db - _FAR_DB) * min(seconds / _HURRY_S, 1.0))
        ceiling_db = min(max(wanted_db, before_db - fall_db, _LOWEST_DB), before_db + step_db, 0.0)
        return float(10.0 ** (ceiling_db / 20.0))
