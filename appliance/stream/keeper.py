"""What is heard while there is no fresh sound: the ring's own history, or else the factory's minute."""

import secrets
from typing import Final

import numpy as np
import numpy.typing as npt

from appliance.stream.hold import Wander, usable
from appliance.stream.layout import BLOCK_FRAMES
from appliance.stream.ledger import Ledger
from appliance.stream.ring import Ring

__all__ = ["Keeper"]

Floats = npt.NDArray[np.float32]

# At first the engine gets so long before the factory's minute is played.
_PATIENCE_S: Final = 6.0
# A block of the hold may be 13 dB above what fresh sound was on average; what is more was never ours.
_MOST_ABOVE: Final = 20.0
_AVERAGE_S: Final = 20.0


class Keeper:
    """Keeps the room sounding; the player's thread.

    Parameters
    ----------
    ring : Ring
    ledger : Ledger
    factory : (frames, channels) array or None
        Played where there is no history.
    """

    def __init__(self, ring: Ring, ledger: Ledger, factory: npt.NDArray[np.floating] | None) -> None:
        self._ring = ring
        self._ledger = ledger
        self._factory = factory
        self._wander: Wander | None = None
        self._waited = 0
        self._patience = round(_PATIENCE_S * ring.rate)
        self._power = 0.0
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

    def learn(self, fresh: Floats) -> None:
        """Look at a block of fresh sound, so that what is held can be told from noise."""
        self._power += (_power(fresh) - self._power) * (self._share if self._power else 1.0)
        self._last = fresh

    def begin(self) -> None:
        """Get ready to hold what was heard last."""
        self._waited = self._patience
        self._wander = self._from_history()

    def read(self) -> Floats:
        """Give the next block of the hold, (512, channels) float32; silence where there is nothing."""
        self._waited += BLOCK_FRAMES
        if self._wander is None:
            self._wander = self._from_history()
            if self._wander is None:
                return np.zeros_like(self._last)
        block = self._wander.read(BLOCK_FRAMES)
        if not self._bearable(block):
            block = self._bridge()
        self._last = block
        return block

    def _from_history(self) -> Wander | None:
        start, frames = self._ledger.history_start, self._ledger.history_frames
        if usable(self._ring.history, start, frames, self._ring.rate):
            return Wander(self._ring.history, start, self._ring.rate, secrets.randbits(32), frames)
        return self._from_factory() if self._waited >= self._patience else None

    def _from_factory(self) -> Wander | None:
        if self._factory is None:
            return None
        return Wander(self._factory, 0, self._ring.rate, secrets.randbits(32))

    def _bearable(self, block: Floats) -> bool:
        # A NaN passes no comparison.
        return float(np.abs(block).max()) <= 1.0 and (not self._power or _power(block) <= _MOST_ABOVE * self._power)

    def _bridge(self) -> Floats:
        """Go from what was heard last, played backwards, to another hold: the history is not what it was."""
        self._wander = self._from_factory()
        fade = np.linspace(0.0, np.pi / 2.0, BLOCK_FRAMES, dtype=np.float32)[:, np.newaxis]
        bridge: Floats = self._last[::-1] * np.cos(fade)
        if self._wander is not None:
            bridge += self._wander.read(BLOCK_FRAMES) * np.sin(fade)
        return bridge


def _power(block: Floats) -> float:
    flat = block.reshape(-1)
    return float(flat @ flat) / block.size
