"""Play in the foreground: one thread makes sound ahead of time, this one hands it to the card."""

import threading
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from appliance.settings import CardSettings
from appliance.stream.card import Card, open_card
from appliance.stream.reader import Counters, Reader
from appliance.stream.ring import Ring

__all__ = ["MakeSource", "play"]

Floats = npt.NDArray[np.float32]
MakeSource = Callable[[int, int], Iterator[Floats]]
"""Rate in Hz and channels to (hop_frames, channels) float32, one hop after the other."""

_PRIME_S: Final = 1.0
_GLANCE_S: Final = 0.1
_JOIN_S: Final = 2.0


def play(
    make_source: MakeSource,
    wanted: CardSettings,
    *,
    stop: threading.Event,
    say: Callable[[str], None],
    volume: float = 1.0,
    open_device: Callable[[str | None, int, int], Card] = open_card,
) -> Counters:
    """Play a source on a sound card until told to stop, or until the source ends.

    Parameters
    ----------
    make_source : callable
        Called once with the rate and channels that the card came to; its hops are made in a thread of their own.
    wanted : CardSettings
        Device, rate and channels as for `open_card`; seconds of sound to keep ready.
    stop : threading.Event
        Set from a signal handler or another thread; the sound then fades out over a second.
    say : callable
        Is given a sentence or two for whoever is watching.
    volume : float
        0..1, amplitude.
    open_device : callable
        Opens the card; a test gives a fake one.

    Returns
    -------
    Counters
        What was played.

    Raises
    ------
    CardError
        If the card is absent, or refuses now or later.
    Exception
        Whatever the source raised, after the fade.
    """
    card = open_device(wanted.device, wanted.rate, wanted.channels)
    try:
        source = make_source(card.rate, card.channels)
        ring = Ring(round(wanted.reserve_s * card.rate), card.channels)
        filler = _Filler(source, ring)
        reader = Reader(ring, card, volume)
        filler.start()
        try:
            _prime(ring, round(_PRIME_S * card.rate), stop)
            if filler.failure is None:
                card.start()
                say(f"Playing on {card.name} at {card.rate} Hz, {card.channels} channel{'s' * (card.channels > 1)}.")
            while not (stop.is_set() or filler.failure or (ring.closed and not ring.fill_frames)):
                reader.turn()
            reader.fade_out()
        finally:
            filler.stop()
    finally:
        card.close()
    if filler.failure is not None:
        raise filler.failure
    return reader.counters


class _Filler:
    """The thread that keeps the reserve full; it closes the ring when the source ends or fails."""

    def __init__(self, source: Iterator[Floats], ring: Ring) -> None:
        self.failure: BaseException | None = None
        self._source = source
        self._ring = ring
        self._thread = threading.Thread(target=self._fill, name="filler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End it; a source that does not come back is left behind, so that it cannot keep the process alive."""
        self._ring.close()
        self._thread.join(_JOIN_S)

    def _fill(self) -> None:
        try:
            for hop in self._source:
                if not self._ring.write(hop):
                    return
        # Whatever it is, it is raised again where somebody is waiting for it.
        except BaseException as error:
            self.failure = error
        finally:
            self._ring.close()


def _prime(ring: Ring, frames: int, stop: threading.Event) -> None:
    # In short waits, because `stop` does not wake the ring.
    while not stop.is_set() and not ring.wait_filled(frames, _GLANCE_S):
        pass
