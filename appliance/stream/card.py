"""The sound card, and one that only pretends; no other file imports `sounddevice`."""

import contextlib
import difflib
import os
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from appliance.errors import CardError

__all__ = ["Card", "FakeCard", "open_card"]

Floats = npt.NDArray[np.float32]

# With this much inside the card, blocking writes from a busy two-core machine were seen to leave no gap.
_LATENCY_S: Final = 0.25
# The first 10 to 15 ms after a start were seen to be swallowed on the way through a sound server.
_LEAD_S: Final = 0.05


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

    def start(self) -> None:
        """Begin to play; to be written to at once from here on. Raises CardError."""

    def write(self, block: Floats) -> None:
        """Play (n, channels) float32 frames, waiting until the card has room for them. Raises CardError."""

    def close(self) -> None:
        """Play what was written to its end and let the card go; any number of times."""


class FakeCard:
    """A card that keeps what it is given.

    Parameters
    ----------
    rate, channels : int
    sleep : callable or None
        Called with the length of each block in seconds: `time.sleep` makes it as slow as a real card, the
        sleep of a made-up clock lets a test drive it; None takes everything at once.

    Attributes
    ----------
    name : str
    blocks : list of (n, channels) float32
    started, closed : bool
    """

    name = "fake"

    def __init__(self, rate: int, channels: int, sleep: Callable[[float], None] | None = None) -> None:
        self.rate = rate
        self.channels = channels
        self.blocks: list[Floats] = []
        self.started = False
        self.closed = False
        self._sleep = sleep

    def start(self) -> None:
        """Begin to keep."""
        self.started = True

    def write(self, block: Floats) -> None:
        """Keep a copy."""
        if not self.started or self.closed:
            raise CardError("The fake card is not playing; start it before writing to it.")
        self.blocks.append(block.copy())
        if self._sleep is not None:
            self._sleep(len(block) / self.rate)

    def close(self) -> None:
        """Keep no more."""
        self.closed = True

    @property
    def frames(self) -> Floats:
        """All that was written, (n, channels) float32."""
        return np.concatenate([np.zeros((0, self.channels), dtype=np.float32), *self.blocks])


class _PortAudioCard:
    """Blocking writes: callbacks need writable code pages, which a hardened service has not got."""

    def __init__(self, stream: Any, name: str, sounddevice: ModuleType) -> None:
        self._stream = stream
        self._error: type[Exception] = sounddevice.PortAudioError
        self._latency_s: float = stream.latency
        self.name = name
        self.rate = int(stream.samplerate)
        self.channels = int(stream.channels)

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
        # PortAudio drops what an ALSA card still holds when it stops, so silence is put behind it to be dropped.
        if self._stream.active:
            with contextlib.suppress(CardError):
                self._write_silence(2.0 * self._latency_s)
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


def open_card(device: str | None, rate: int, channels: int) -> Card:
    """Open a sound card, without starting it.

    Parameters
    ----------
    device : str or None
        Its name or a part of it, in any case of letters; None is what the machine plays on by default.
    rate : int
        Frames per second wished for; a card that refuses gets its own usual rate.
    channels : int
        Wished for; a card with fewer gets what it has.

    Returns
    -------
    Card
        Its `rate` and `channels` say what it came to.

    Raises
    ------
    CardError
        If PortAudio is not installed, or there is no such card, or it refuses.
    """
    sounddevice = _sounddevice()
    index, info = _choose(sounddevice, device)
    name = str(info["name"])
    wanted = {"device": index, "channels": min(channels, int(info["max_output_channels"])), "dtype": "float32"}
    rates = list(dict.fromkeys([rate, int(info["default_samplerate"])]))
    problem: Exception | None = None
    for candidate in rates:
        try:
            with _quiet():
                stream = sounddevice.RawOutputStream(samplerate=candidate, latency=_LATENCY_S, **wanted)
        except sounddevice.PortAudioError as error:
            problem = error
            continue
        return _PortAudioCard(stream, name, sounddevice)
    tried = " and ".join(str(candidate) for candidate in rates)
    raise CardError(
        f"The sound card {name!r} refuses {wanted['channels']} channels at {tried} Hz ({_reason(problem)}); "
        "check that nothing else holds it, or name another with --device."
    ) from problem


def _sounddevice() -> ModuleType:
    try:
        with _quiet():
            import sounddevice
    except OSError as error:
        raise CardError("PortAudio is not installed; run `sudo apt install libportaudio2`.") from error
    module: ModuleType = sounddevice
    return module


def _choose(sounddevice: ModuleType, device: str | None) -> tuple[int, dict[str, Any]]:
    try:
        outputs = [(n, info) for n, info in enumerate(sounddevice.query_devices()) if info["max_output_channels"] > 0]
        default = int(sounddevice.default.device[1])
    except sounddevice.PortAudioError as error:
        raise CardError(f"The sound cards cannot be listed ({_reason(error)}); check `aplay -l`.") from error
    if not outputs:
        raise CardError("There is no sound card; plug one in, or check `aplay -l`.")
    if device is None:
        return next(((n, info) for n, info in outputs if n == default), outputs[0])
    names = list(dict.fromkeys(str(info["name"]) for _, info in outputs))
    exact = [output for output in outputs if output[1]["name"].lower() == device.lower()]
    matches = exact or [output for output in outputs if device.lower() in output[1]["name"].lower()]
    # The same card may be listed once for each sound system that reaches it; the first is as good as any.
    if len({info["name"] for _, info in matches}) == 1:
        return matches[0]
    if matches:
        several = ", ".join(repr(info["name"]) for _, info in matches)
        raise CardError(f"More than one sound card is called {device!r}; name one of {several}.")
    close = difflib.get_close_matches(device.lower(), [name.lower() for name in names], n=1, cutoff=0.5)
    suggestion = next((f"; did you mean {name!r}" for name in names if close and name.lower() == close[0]), "")
    raise CardError(f"There is no sound card called {device!r}{suggestion}; there are: {', '.join(map(repr, names))}.")


def _reason(error: Exception | None) -> str:
    """Give what PortAudio says, without its name and number in front and behind."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text.split(": ", 1)[-1].split(" [PaErrorCode", 1)[0]


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
