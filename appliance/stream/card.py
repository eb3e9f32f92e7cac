"""The sound card, and one that only pretends; no other file imports `sounddevice`."""

import contextlib
import itertools
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from appliance.errors import CardError
from appliance.stream.choice import Choice, Output, alsa_cards, choose
from appliance.stream.fake_card import FakeCard

__all__ = ["Card", "FakeCard", "find", "open_card", "refresh"]

Floats = npt.NDArray[np.float32]

# Through PulseAudio, `write` to monitor takes 95 ms with this (106 at most), of the 120 that a turn of a knob allows,
# and blocks of 1024 frames came through whole for 70 s under six busy loops on two cores. 0.06 did as well, at 75 ms,
# but leaves one block less to a card that is not a pretended one.
_LATENCY_S: Final = 0.08
# A sound server was seen to swallow up to this much of the first sound.
_LEAD_S: Final = 0.1
_COMMON_RATES: Final = (48_000, 44_100)
# Stereo, which some cards insist on, and the most that others insist on.
_COMMON_CHANNELS: Final = (2, 8)


class Card(Protocol):
    """What plays frames. One thread opens, starts, writes and closes it."""

    @property
    def name(self) -> str:
        """What the machine calls it."""

    @property
    def rate(self) -> int:
        """Frames per second."""

    @property
    def channels(self) -> int:
        """Samples in a frame."""

    @property
    def latency_s(self) -> float:
        """Seconds from `write` until a frame is heard, as far as the machine knows."""

    @property
    def alsa_card(self) -> int | None:
        """Number of the ALSA card behind it, which has the mixer; None where nobody knows."""

    @property
    def remark(self) -> str:
        """Empty, or a sentence that says why it is none of the preferred ones."""

    def start(self) -> None:
        """Begin to play; to be written to at once from here on. Raises CardError."""

    def write(self, block: Floats) -> None:
        """Play (n, channels) float32 frames, waiting until the card has room for them. Raises CardError."""

    def close(self) -> None:
        """Play what was written to its end and let the card go; any number of times."""


class _PortAudioCard:
    """Blocking writes: callbacks need writable code pages, which a hardened service has not got."""

    def __init__(self, stream: Any, choice: Choice, sounddevice: ModuleType) -> None:
        self._stream = stream
        self._error: type[Exception] = sounddevice.PortAudioError
        self._closed = False
        self.name = choice.name
        self.alsa_card = choice.alsa_card
        self.remark = choice.remark
        self.rate = round(stream.samplerate)
        self.channels = int(stream.channels)
        self.latency_s = float(stream.latency)

    def start(self) -> None:
        try:
            with _quiet():
                self._stream.start()
        except self._error as error:
            raise self._refusal("does not start", error) from error
        self._write_silence(_LEAD_S)

    def write(self, block: Floats) -> None:
        try:
            self._stream.write(np.ascontiguousarray(block, dtype=np.float32))
        except self._error as error:
            raise self._refusal("stopped taking sound", error) from error

    def close(self) -> None:
        # PortAudio may have freed the stream since then, and touching it again would end the process.
        if self._closed:
            return
        self._closed = True
        # PortAudio drops what an ALSA card still holds when it stops, so silence is put behind it to be dropped.
        with contextlib.suppress(CardError, self._error):
            if self._stream.active:
                self._write_silence(2.0 * self.latency_s)
        with contextlib.suppress(self._error), _quiet():
            self._stream.stop()
        with contextlib.suppress(self._error), _quiet():
            self._stream.close()

    def _write_silence(self, seconds: float) -> None:
        self.write(np.zeros((round(seconds * self.rate), self.channels), dtype=np.float32))

    def _refusal(self, what: str, error: Exception) -> CardError:
        return CardError(
            f"The sound card {self.name!r} {what} ({_reason(error)}); check its cable and that nothing else holds it."
        )


def open_card(
    names: Sequence[str],
    rate: int,
    channels: int,
    waited_s: float = 0.0,
    cards_file: Path = Path("/proc/asound/cards"),
) -> Card:
    """Open a sound card, without starting it.

    Parameters
    ----------
    names : sequence of str
        Preferred first: its name or a part of it, or its ALSA id, in any case of letters; see `choice.choose`.
        Empty is what the machine plays on by default.
    rate : int
        Frames per second wished for; a card that refuses gets its own usual rate, or 48000, or 44100.
    channels : int
        Wished for; a card with fewer gets what it has, and one that refuses gets 2 or 8.
    waited_s : float
        Seconds spent without a card so far; from 60 on another takes the place of the preferred ones.
    cards_file : Path
        Where ALSA lists its cards; it may be absent.

    Returns
    -------
    Card
        Its `rate`, `channels` and `remark` say what it came to.

    Raises
    ------
    CardError
        If PortAudio is not installed, or there is no such card, or it refuses.
    """
    sounddevice = _sounddevice()
    outputs, infos = _outputs(sounddevice)
    cards = _cards(cards_file)
    # A name is a sequence, too: of its letters, which nobody means.
    choice = choose(outputs, [names] if isinstance(names, str) else names, waited_s, cards)
    most, usual_rate = (int(infos[choice.index][key]) for key in ("max_output_channels", "default_samplerate"))
    counts = list(dict.fromkeys(min(count, most) for count in (channels, *_COMMON_CHANNELS)))
    rates = list(dict.fromkeys([rate, usual_rate, *_COMMON_RATES]))
    problems = []
    for wanted_channels, wanted_rate in itertools.product(counts, rates):
        wanted = {"device": choice.index, "channels": wanted_channels, "samplerate": wanted_rate}
        try:
            with _quiet():
                stream = sounddevice.RawOutputStream(dtype="float32", latency=_LATENCY_S, **wanted)
        except sounddevice.PortAudioError as error:
            problems.append(error)
            continue
        return _PortAudioCard(stream, choice, sounddevice)
    raise CardError(
        f"The sound card {choice.name!r} refuses {_or(counts)} channels at {_or(rates)} Hz ({_reason(problems[0])}); "
        "check that nothing else holds it, or name another with --device."
    ) from problems[0]


def find(names: Sequence[str], cards_file: Path = Path("/proc/asound/cards")) -> None:
    """See whether one of the names is there, without opening it; a machine without any card has nothing to compare.

    Raises
    ------
    CardError
        If PortAudio is not installed, or none of the names is there, or one means more than one card.
    """
    outputs, _ = _outputs(_sounddevice())
    if outputs:
        choose(outputs, names, 0.0, _cards(cards_file))


def refresh() -> None:
    """Have PortAudio look anew for what is plugged in; it does so only when it starts. Close every card before.

    Raises
    ------
    CardError
        If PortAudio is not installed or does not start.
    """
    sounddevice = _sounddevice()
    try:
        with _quiet():
            # After a start that failed there is nothing to end.
            if sounddevice._initialized:
                sounddevice._terminate()
            sounddevice._initialize()
    except sounddevice.PortAudioError as error:
        raise CardError(f"PortAudio does not start again ({_reason(error)}); check `aplay -l`.") from error


def _cards(cards_file: Path) -> dict[str, int]:
    return alsa_cards(cards_file.read_text(errors="replace")) if cards_file.exists() else {}


def _sounddevice() -> ModuleType:
    try:
        with _quiet():
            import sounddevice
    except OSError as error:
        raise CardError("PortAudio is not installed; run `sudo apt install libportaudio2`.") from error
    module: ModuleType = sounddevice
    return module


def _outputs(sounddevice: ModuleType) -> tuple[list[Output], dict[int, dict[str, Any]]]:
    """List what plays, and what PortAudio knows of each by its number."""
    try:
        infos = {n: info for n, info in enumerate(sounddevice.query_devices()) if info["max_output_channels"] > 0}
        usual = int(sounddevice.default.device[1])
    except sounddevice.PortAudioError as error:
        raise CardError(f"The sound cards cannot be listed ({_reason(error)}); check `aplay -l`.") from error
    return [Output(n, str(info["name"]), n == usual) for n, info in infos.items()], infos


def _or(numbers: Sequence[int]) -> str:
    return " or ".join(map(str, numbers))


def _reason(error: Exception) -> str:
    """Give what the system behind PortAudio says, else what PortAudio says, without what stands in front and behind."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    behind = re.search(r": '(.+)' \[\w+ error -?\d+\]$", text)
    return behind[1] if behind else re.sub(r"^Error [^:]+: ", "", text).split(" [PaErrorCode", 1)[0]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what PortAudio and ALSA print about a card out of the terminal; they raise it as well."""
    saved = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(nowhere)
        os.close(saved)
