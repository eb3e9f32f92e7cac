"""Names that people give and mistype: of scenes, of corners, and the known one that is nearest."""

import difflib
from collections.abc import Collection
from typing import Final

from appliance.errors import UsageError
from appliance.folders import shown

__all__ = ["CORNERS", "LONGEST_NAME", "are_ends", "hint", "is_scene_name", "quoted", "scene_name", "sentence"]

CORNERS: Final = ("top-left", "top-right", "bottom-left", "bottom-right")
# Comparing words takes time, and a sentence is to be read: what is longer was not meant for us.
LONGEST_NAME: Final = 40
_MOST_LISTED: Final = 16
# Nearer ends than these are those of a knob that was not turned.
_NARROWEST: Final = 0.05
# Of rounding.
_TINY: Final = 1e-9


def scene_name(text: str) -> str:
    """Give the name of a scene as it is kept: without the spaces around it.

    Raises
    ------
    UsageError
        If a scene cannot be called so.
    """
    name = text.strip()
    if not is_scene_name(name):
        raise UsageError(
            f"A scene cannot be called {quoted(text)}: choose 1 to {LONGEST_NAME} printable characters without a slash."
        )
    return name


def is_scene_name(name: str) -> bool:
    """Tell whether a scene can be called so."""
    return 0 < len(name) <= LONGEST_NAME and name.isprintable() and "/" not in name


def are_ends(low: float, high: float) -> bool:
    """Tell whether these can be the ends of a knob: in 0..1, and at least 0.05 apart."""
    return 0.0 <= low <= high - _NARROWEST + _TINY and high <= 1.0


def quoted(word: str) -> str:
    """Make a word fit for a sentence, whatever it holds and however long it is."""
    word = shown(word)
    return repr(word if len(word) <= LONGEST_NAME else word[:LONGEST_NAME] + "...")


def hint(word: str, known: Collection[str]) -> str:
    """Say, as the rest of a sentence on a word that is unknown, which known one is nearest, or else which there are."""
    close = difflib.get_close_matches(word[:LONGEST_NAME], known, n=1)
    if close:
        return f", did you mean {shown(close[0])}?"
    if not known:
        return ", there is none yet"
    listed = ", ".join(shown(each) for each in list(known)[:_MOST_LISTED])
    more = len(known) - _MOST_LISTED
    return f", there are {listed}" + (f" and {more} more" if more > 0 else "")


def sentence(text: str) -> str:
    """Begin with a capital, and end with a full stop where there is no question mark."""
    return text[0].upper() + text[1:] + ("" if text.endswith("?") else ".")
