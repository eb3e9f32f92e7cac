"""Which sound card: the preferred ones in order, then any that is no screen."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from appliance.errors import CardError

__all__ = ["Choice", "Output", "alsa_cards", "choose"]

# A preferred card that is slow to appear, as a USB one behind a hub is, gets so long before another takes its place.
PATIENCE_S: Final = 60.0

_HARDWARE = re.compile(r"\(hw:(\d+),")
_SCREEN = "hdmi"
# Names that ALSA gives to its first card, and those of a sound server that may stand before them.
_FIRST_CARD = frozenset({"default", "sysdefault", "dmix"})
_SERVERS = frozenset({"pulse", "pipewire"})


@dataclass(frozen=True)
class Output:
    """A device that PortAudio lists and that plays.

    Attributes
    ----------
    index : int
        PortAudio's number.
    name : str
        PortAudio's name.
    usual : bool
        Whether the system plays on it by default.
    """

    index: int
    name: str
    usual: bool = False


@dataclass(frozen=True)
class Choice:
    """The device to open.

    Attributes
    ----------
    index : int
        PortAudio's number.
    name : str
        PortAudio's name.
    alsa_card : int or None
        Number of the ALSA card behind it; None where a sound server stands between, or nobody knows.
    remark : str
        Empty, or a sentence that says why it is none of the preferred ones.
    """

    index: int
    name: str
    alsa_card: int | None
    remark: str = ""


def alsa_cards(text: str) -> dict[str, int]:
    """Number of each card by its stable id, from the text of ``/proc/asound/cards``."""
    return {name: int(number) for number, name in re.findall(r"(?m)^ *(\d+) \[(\S+) *\]:", text)}


def choose(outputs: Sequence[Output], names: Sequence[str], waited_s: float, cards: Mapping[str, int]) -> Choice:
    """Choose a sound card.

    Parameters
    ----------
    outputs : sequence of Output
        Everything that plays.
    names : sequence of str
        Preferred first: PortAudio's name or a part of it, or an ALSA id (``ID``, ``CARD=ID`` or ``hw:CARD=ID``), all in
        any case of letters. Empty: what the machine plays on by default, but a screen only where there is nothing else.
    waited_s : float
        Seconds spent without any card so far; from 60 on, any that is no screen takes the place of the preferred ones.
    cards : mapping of str to int
        From `alsa_cards`.

    Raises
    ------
    CardError
        If nothing plays, or none of the names is there yet, or a name means more than one card.
    """
    if not outputs:
        raise CardError("There is no sound card; plug one in, or check `aplay -l`.")
    for name in names:
        found = _called(name, outputs, cards)
        if found is not None:
            return _choice(found, outputs, cards)
    # The usual one comes first, because sorting keeps the order of equals.
    ranked = sorted(outputs, key=lambda output: not output.usual)
    speakers = [output for output in ranked if not _is_screen(output, outputs, cards)]
    if not names:
        return _choice((speakers or ranked)[0], outputs, cards)
    if waited_s < PATIENCE_S or not speakers:
        raise CardError(_absence(names) + _advice(names, outputs, cards))
    return _choice(speakers[0], outputs, cards, f"{_absence(names)}; playing on {speakers[0].name!r} instead.")


def _choice(output: Output, outputs: Sequence[Output], cards: Mapping[str, int], remark: str = "") -> Choice:
    return Choice(output.index, output.name, _alsa_card(output, outputs, cards), remark)


def _called(name: str, outputs: Sequence[Output], cards: Mapping[str, int]) -> Output | None:
    """Find the output with a name; None if there is none."""
    lower = name.lower()
    number = {known.lower(): n for known, n in cards.items()}.get(_alsa_id(lower))
    matches = (
        [output for output in outputs if output.name.lower() == lower]
        or [output for output in outputs if number is not None and f"(hw:{number}," in output.name][:1]
        or [output for output in outputs if lower in output.name.lower()]
    )
    # The same card may be listed once for each sound system that reaches it; the first is as good as any.
    if len({output.name for output in matches}) > 1:
        several = ", ".join(repr(output.name) for output in matches)
        raise CardError(f"More than one sound card is called {name!r}; name one of {several}.")
    return matches[0] if matches else None


def _alsa_id(name: str) -> str:
    """Take the id out of ``hw:CARD=ID,DEV=0`` and its shorter forms."""
    return re.sub(r"^(plug)?hw:", "", name).removeprefix("card=").split(",")[0]


def _alsa_card(output: Output, outputs: Sequence[Output], cards: Mapping[str, int]) -> int | None:
    hardware = _HARDWARE.search(output.name)
    if hardware:
        return int(hardware[1])
    served = any(other.name in _SERVERS for other in outputs)
    return min(cards.values(), default=None) if output.name in _FIRST_CARD and not served else None


def _is_screen(output: Output, outputs: Sequence[Output], cards: Mapping[str, int]) -> bool:
    """Tell a screen by its name; on a Raspberry Pi ALSA's plain "default" may be one, too."""
    number = _alsa_card(output, outputs, cards)
    ids = [name for name, card in cards.items() if card == number]
    return any(_SCREEN in name.lower() for name in [output.name, *ids])


def _absence(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"There is no sound card called {names[0]!r}"
    return f"None of the sound cards {', '.join(map(repr, names))} is there"


def _advice(names: Sequence[str], outputs: Sequence[Output], cards: Mapping[str, int]) -> str:
    """End a sentence with what is there, and perhaps was meant."""
    there = list(dict.fromkeys(output.name for output in outputs))
    playing = {_alsa_card(output, outputs, cards) for output in outputs}
    known = {name.lower(): name for name in [*(name for name, n in cards.items() if n in playing), *there]}
    close = [match for name in names for match in difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)]
    suggestion = f"; did you mean {known[close[0]]!r}" if close else ""
    return f"{suggestion}; there are: {', '.join(map(repr, there))}."
