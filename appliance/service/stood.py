"""Where everything stood, for an engine that begins after this one."""

import contextlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from appliance.folders import write_whole
from appliance.mood import STEERED, Quantity

__all__ = ["Stood"]

# How far the room is from dimmed is not steered, but is to go on, too.
_KNOWN: Final = STEERED | {"awake": Quantity(0.0, 1.0, 1.0, "dims where nobody is")}
_MOST_BYTES: Final = 1 << 16


class Stood:
    """A small file; whatever is wrong with it, there is music. One thread at a time writes.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._noted: dict[str, float] = {}

    def note(self, values: Mapping[str, float]) -> None:
        """Write down where everything stands, unless that is written already."""
        if values == self._noted:
            return
        # Only a restart would have needed it.
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._path, lambda file: file.write(json.dumps(dict(values)).encode()))
            self._noted = dict(values)

    def read(self) -> dict[str, float] | None:
        """Give what is known of it, within its ranges; None if nothing is."""
        try:
            with self._path.open("rb") as file:
                told = json.loads(file.read(_MOST_BYTES))
        except (OSError, ValueError, RecursionError):
            return None
        if not isinstance(told, dict):
            return None
        known = {name: each for name, each in _KNOWN.items() if _finite(told.get(name))}
        return {name: min(max(float(told[name]), each.low), each.high) for name, each in known.items()} or None


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
