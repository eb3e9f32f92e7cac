"""The card's own mixer: new ones arrive muted, or turned down to nothing."""

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["Control", "parse_controls", "principal", "remedy", "set_up"]

_PATIENCE_S: Final = 3.0
_NAMES: Final = frozenset({"Master", "PCM", "Digital", "Speaker", "Headphone", "Line Out", "Analogue"})
# Nobody who wants to hear something sets a volume below both; where the card tells no dB, the first has to do.
_SILENT_PERCENT: Final = 50
_SILENT_DB: Final = -30.0
_FALLBACK_PERCENT: Final = 80

_HEAD = re.compile(r"(?m)^Simple mixer control '(.+)',(\d+)$")


@dataclass(frozen=True)
class Control:
    """A playback control, as `amixer` tells it.

    Attributes
    ----------
    name : str
    index : int
        Tells controls of the same name apart.
    muted : bool
        Whether any of its channels is.
    percent : int or None
        Of its range, where its loudest channel stands; None for a mere switch.
    level_db : float or None
        The same in decibels, where the card knows.
    """

    name: str
    index: int
    muted: bool
    percent: int | None
    level_db: float | None

    @property
    def silent(self) -> bool:
        """Whether it is turned down so far that a room hears nothing."""
        low = self.percent is not None and self.percent < _SILENT_PERCENT
        return low and (self.level_db is None or self.level_db < _SILENT_DB)


def parse_controls(text: str) -> list[Control]:
    """Read the output of ``amixer scontents``; controls that only record are left out."""
    _, *parts = _HEAD.split(text)
    controls = []
    for name, index, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        capabilities = body.partition("Capabilities:")[2].partition("\n")[0].split()
        states = "\n".join(line.split("Capture ")[0] for line in body.splitlines() if "[" in line)
        if not {"pvolume", "pswitch", "volume", "switch"} & set(capabilities) or not states:
            continue
        percents = [int(each) for each in re.findall(r"\[(\d+)%\]", states)]
        levels_db = [float(each) for each in re.findall(r"\[(-?[\d.]+)dB\]", states)]
        muted = "[off]" in states
        controls.append(Control(name, int(index), muted, max(percents, default=None), max(levels_db, default=None)))
    return controls


def principal(controls: list[Control]) -> list[Control]:
    """Give those that all sound goes through, and leave out a microphone and its like."""
    return [control for control in controls if control.name in _NAMES]


def set_up(card_number: int, run: Callable[..., Any] = subprocess.run) -> list[str]:
    """Unmute what plays on an ALSA card, and turn up what is as good as silent; nothing is ever turned down.

    Parameters
    ----------
    card_number : int
        As in ``/proc/asound/cards``.
    run : callable
        As `subprocess.run`.

    Returns
    -------
    list of str
        A sentence for each thing that was changed or could not be.
    """
    amixer = _Amixer(card_number, run)
    try:
        controls = principal(parse_controls(amixer("scontents")))
    except _RefusedError as refused:
        return [str(refused)]
    said = []
    for control in controls:
        wanted, what = remedy(control)
        if not wanted:
            continue
        try:
            amixer("sset", f"'{control.name}',{control.index}", "playback", *wanted)
            said.append(f"The mixer of sound card {card_number} had {control.name!r} {what}.")
        except _RefusedError as refused:
            said.append(str(refused))
    return said


def remedy(control: Control) -> tuple[list[str], str]:
    """Give what `amixer sset` is to be told, and the same in words; nothing where all is well."""
    wanted, words = [], []
    if control.silent:
        target = f"{_FALLBACK_PERCENT}%" if control.level_db is None else "0dB"
        wanted.append(target)
        words.append(f"at {control.percent} % of its range, now at {target.replace('%', ' %').replace('dB', ' dB')}")
    if control.muted:
        wanted.append("unmute")
        words.append("muted, now unmuted")
    return wanted, " and ".join(words)


class _RefusedError(Exception):
    """In a sentence, why the mixer could not be asked or set."""


class _Amixer:
    def __init__(self, card_number: int, run: Callable[..., Any]) -> None:
        self._card_number = card_number
        self._run = run

    def __call__(self, *words: str) -> str:
        """Run `amixer`; its output. Raises _RefusedError."""
        command = ["amixer", "-c", str(self._card_number), *words]
        try:
            done = self._run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
        except FileNotFoundError as error:
            raise _RefusedError("The sound card's mixer was not checked: run `sudo apt install alsa-utils`.") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            reason = "it does not answer" if isinstance(error, subprocess.TimeoutExpired) else error.strerror
            raise self._refusal(str(reason)) from error
        if done.returncode != 0:
            raise self._refusal(next(iter(done.stderr.splitlines()), f"exit code {done.returncode}"))
        return str(done.stdout)

    def _refusal(self, reason: str) -> _RefusedError:
        return _RefusedError(
            f"The mixer of sound card {self._card_number} could not be set ({reason}); "
            f"look at it with `alsamixer -c {self._card_number}`."
        )
