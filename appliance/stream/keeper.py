"""What is heard while there is no fresh sound: the ring's own history, or else the factory's minute."""

import secrets
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from appliance.stream.fades import raised_cosine
from appliance.stream.hold import LEAST_S, Wander
from appliance.stream.layout import BLOCK_FRAMES
from appliance.stream.ledger import Ledger
from appliance.stream.ring import Ring

__all__ = ["Factory", "Keeper"]

Floats = npt.NDArray[np.float32]
Factory = Callable[[], npt.NDArray[np.floating] | None]

# At first the engine gets so long before the factory's minute is played.
_PATIENCE_S: Final = 6.0
# A block of the hold may be 26 dB above what fresh sound was on average; what is more was never ours.
_MOST_ABOVE: Final = 400.0
_AVERAGE_S: Final = 20.0
# Before so much was heard nobody knows.
_LEARNED_S: Final = 10.0
# Out of silence the hold is faded in.
_RISE_S: Final = 1.0
# Silence is looked for in parts of a block of about a millisecond.
_PARTS: Final = 8


class Keeper:
    """Keeps the room sounding; the player's thread.

    Parameters
    ----------
    ring : Ring
    ledger : Ledger
    factory : callable
        Gives the factory's minute, (frames, channels), or None where there is none (yet); asked when it is needed.
    """

    def __init__(self, ring: Ring, ledger: Ledger, factory: Factory) -> None:
        self._ring = ring
        self._ledger = ledger
        self._factory = factory
        self._wander: Wander | None = None
        self._waited = 0
        self._patience = round(_PATIENCE_S * ring.rate)
        self._power = 0.0
        self._learned = 0
        self._is_factory = False
        self._rise_frames = round(_RISE_S * ring.rate)
        self._risen = 0
        self._share = BLOCK_FRAMES / (_AVERAGE_S * ring.rate)
        self._last: Floats = np.zeros((BLOCK_FRAMES, ring.channels), dtype=np.float32)

    @property
    def sounding(self) -> bool:
        """Whether the last `read` gave a hold rather than silence."""
        return self._wander is not None

    def move(self, ring: Ring, ledger: Ledger) -> None:
        """Keep to another ring's history from now on."""
        self._ring = ring
        self._ledger = ledger

    @property
    def patient(self) -> bool:
        """Whether silence is still what is to be expected: the engine has only just begun."""
        return self._waited < self._patience

    def learn(self, fresh: Floats) -> None:
        """Look at a block of fresh sound, so that what is held can be told from noise."""
        # Evenly at first: a piece begins softly.
        self._learned += 1
        self._power += (_power(fresh) - self._power) * max(self._share, 1.0 / self._learned)

    def begin(self) -> None:
        """Get ready to hold what was heard last; whoever calls fades over to it."""
        self._waited = self._patience
        self._look_for()
        self._risen = self._rise_frames

    def read(self) -> Floats:
        """Give the next block of the hold, (512, channels) float32; silence where there is nothing."""
        if self._wander is None and self._waited % self._ring.rate < BLOCK_FRAMES:
            self._look_for()
            self._risen = 0
        self._waited += BLOCK_FRAMES
        if self._wander is None:
            return np.zeros_like(self._last)
        block = self._wander.read(BLOCK_FRAMES)
        if self._wander.lost or not self._bearable(block):
            block = self._bridge()
        if self._risen < self._rise_frames:
            # Out of silence it comes softly.
            places = (self._risen + np.arange(1, BLOCK_FRAMES + 1)) / self._rise_frames
            block = block * raised_cosine(np.minimum(places, 1.0))[:, np.newaxis]
            self._risen += BLOCK_FRAMES
        self._last = block
        return block

    def _look_for(self) -> None:
        """Find something to hold: the history, or when there is none and patience is over, the factory's minute."""
        self._wander, self._is_factory = self._from_history(), False
        if self._wander is None and not self.patient:
            self._wander, self._is_factory = self._from_factory(), True

    def _from_history(self) -> Wander | None:
        start, frames = self._ledger.history_at, self._ledger.history_frames
        if frames < LEAST_S * self._ring.rate:
            return None
        wander = Wander(self._ring.history, start, self._ring.rate, secrets.randbits(32), frames)
        return None if wander.lost else wander

    def _from_factory(self) -> Wander | None:
        sound = self._factory()
        return None if sound is None else Wander(sound, 0, self._ring.rate, secrets.randbits(32))

    def _bearable(self, block: Floats) -> bool:
        highest = np.abs(block).reshape(_PARTS, -1).max(axis=1)
        # A NaN passes no comparison; and what was spoilt comes as silence.
        if not (highest.max() <= 1.0 and highest.min() > 0.0):
            return False
        known = self._learned * BLOCK_FRAMES >= _LEARNED_S * self._ring.rate
        return self._is_factory or not known or _power(block) <= _MOST_ABOVE * self._power

    def _bridge(self) -> Floats:
        """Go from what was heard last, played backwards, to the factory's minute: this hold is not what it was."""
        if self._is_factory:
            # Nor is that any more.
            self._factory = _nothing
        self._wander, self._is_factory = self._from_factory(), True
        if self._wander is None:
            self._wander, self._is_factory = self._from_history(), False
        fade = np.linspace(0.0, np.pi / 2.0, BLOCK_FRAMES, dtype=np.float32)[:, np.newaxis]
        bridge: Floats = self._last[::-1] * np.cos(fade)
        if self._wander is not None:
            bridge += self._wander.read(BLOCK_FRAMES) * np.sin(fade)
        return bridge


def _nothing() -> None:
    return None


def _power(block: Floats) -> float:
    flat = block.reshape(-1)
    return float(flat @ flat) / block.size
