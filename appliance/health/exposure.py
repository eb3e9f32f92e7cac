"""How loud it is in the room, and for the guards: an estimate from what is sent, once a technician has measured it.

What is sent is known in LUFS (K-weighted, after the fader); what was measured of a reference noise, in dB(A). The
difference is taken to hold for the music. Over ten minutes of the default model it was 0.8 dB too high, in single
minutes from 1.1 dB too low to 4.3 too high (``tests/bench/dba.py``). An amplifier that is turned up later is not
known of.
"""

import json
import math
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from appliance.folders import write_whole

__all__ = ["RoomLevel", "energy_of", "exposed", "exposure_dba", "keep_level", "room_level"]

# Directive 2003/10/EC, article 3, as LEX,8h in dB(A).
_VALUES: Final = {"limit": 87.0, "upper action value": 85.0, "lower action value": 80.0}

_NAME: Final = "level.json"
_MOST_BYTES: Final = 4096
_LONGEST: Final = 200
_WORKING_DAY_S: Final = 8.0 * 3600.0


@dataclass(frozen=True)
class RoomLevel:
    """What was measured in the room.

    Attributes
    ----------
    measured_dba : float
        Of the reference noise, A-weighted, slow.
    noise_lufs : float
        How loud that was as it was sent.
    measured_on : str
        A date; empty where the clock could not be right.
    """

    measured_dba: float
    noise_lufs: float
    measured_on: str

    def dba(self, lufs: float) -> float:
        """Estimate how loud it is in the room when so much is sent, in dB(A)."""
        return lufs + self.measured_dba - self.noise_lufs


def exposure_dba(level: RoomLevel, energy_s: float) -> float | None:
    """Give LEX,8h of somebody who is in the room all day, in dB(A); None where nothing sounded.

    Parameters
    ----------
    level : RoomLevel
    energy_s : float
        See `day.Day.energy_s`.

    Notes
    -----
    ``LEX,8h = LAeq,Te + 10 lg(Te / 8 h)`` (ISO 9612:2009, formula 1), where the mean and the time come as their
    product.
    """
    return level.dba(10.0 * math.log10(energy_s / _WORKING_DAY_S)) if energy_s > 0.0 else None


def energy_of(level: RoomLevel, dba: float) -> float:
    """Give the energy that makes an exposure: the other way round."""
    return float(10.0 ** ((dba - level.dba(0.0)) / 10.0) * _WORKING_DAY_S)


def exposed(dba: float) -> str:
    """Tell an exposure in one sentence, and what the law calls it."""
    above = next((f", above the {name} of {bound:g}" for name, bound in _VALUES.items() if dba > bound), "")
    return f"Who was there all day was exposed to about {dba:.0f} dB(A) (LEX,8h){above}."


def room_level(state: Path) -> RoomLevel | None:
    """Read what was measured; None where nothing was, or it cannot be read."""
    path = state / _NAME
    try:
        there = path.stat()
    except OSError:
        return None
    return _read(path, there.st_ino, there.st_mtime_ns)


@lru_cache(maxsize=1)
def _read(path: Path, inode: int, changed_ns: int) -> RoomLevel | None:
    # Reading it every second would write down every day when it was read last.
    try:
        with path.open("rb") as file:
            told = json.loads(file.read(_MOST_BYTES))
        level = RoomLevel(float(told["measured_dba"]), float(told["noise_lufs"]), str(told["measured_on"])[:_LONGEST])
    except (OSError, ValueError, RecursionError, LookupError, TypeError, OverflowError):
        return None
    return level if math.isfinite(level.measured_dba) and math.isfinite(level.noise_lufs) else None


def keep_level(state: Path, level: RoomLevel) -> None:
    """Keep what was measured. Raises OSError if the disk refuses."""
    state.mkdir(parents=True, exist_ok=True)
    write_whole(state / _NAME, lambda file: file.write(json.dumps(asdict(level)).encode()))
