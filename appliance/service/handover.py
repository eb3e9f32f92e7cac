"""What the player is told before it starts: a small file, so that it never loads what settings are read with."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from appliance.folders import write_whole

if TYPE_CHECKING:
    from appliance.settings import Settings

__all__ = ["FILE", "hand_over", "trouble_told"]

FILE: Final = "player.json"
_MOST_BYTES: Final = 1 << 16


def hand_over(folder: Path, settings: "Settings", devices: Sequence[str], trouble: str) -> Path:
    """Write the player's part of the settings.

    Parameters
    ----------
    folder : Path
        The one for what runs.
    settings : Settings
    devices : sequence of str
        Cards named on the command line; where there are any, those of the settings do not count.
    trouble : str
        Empty, or a sentence on what is wrong with the settings, for whoever asks how things are.

    Returns
    -------
    Path
        What was written, for `appliance.service.player.Wish.read`.

    Raises
    ------
    OSError
        If the folder refuses.
    """
    card, hours = settings.card, settings.hours
    told = {
        "names": list(devices or card.device),
        "rate": card.rate,
        "channels": card.channels,
        "reserve_s": card.reserve_s,
        "hours": None if hours is None else hours.model_dump(mode="json"),
        "trouble": trouble,
    }
    path = folder / FILE
    write_whole(path, lambda file: file.write(json.dumps(told).encode()))
    return path


def trouble_told(folder: Path) -> str | None:
    """Give what was wrong with the settings when the player was started; None where nobody knows of anything."""
    try:
        told: Any = json.loads((folder / FILE).read_bytes()[:_MOST_BYTES])
    except (OSError, ValueError, RecursionError):
        return None
    trouble = told.get("trouble") if isinstance(told, dict) else None
    return trouble if isinstance(trouble, str) and trouble else None
