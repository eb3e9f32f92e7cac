"""From the ring to the card: fades, the fader and the last guard, so that nothing ever clicks or shouts."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from appliance.stream.card import Card
from appliance.stream.ring import Ring

__all__ = ["BLOCK_FRAMES", "CEILING", "Counters", "Reader"]

Floats = npt.NDArray[np.float32]

BLOCK_FRAMES: Final = 1024
CEILING: Final = float(10.0 ** (-1.0 / 20.0))
FADE_IN_S: Final = 0.5
FADE_OUT_S: Final = 1.0
_SEAM_S: Final = 0.01
_GLIDE_S: Final = 0.05


@dataclass(frozen=True)
class Counters:
    """What the reader has seen since it was made.

    Attributes
    ----------
    frames : int
        Written to the card.
    underruns : int
        Times that the ring ran dry although more was to come.
    bad_samples : int
        Samples that were not finite, played as zero.
    """

    frames: int
    underruns: int
    bad_samples: int


class Reader:
    """Plays a ring on a card, one block at a time; everything runs in the thread that calls.

    Parameters
    ----------
    ring : Ring
    card : Card
        Started, with as many channels as the ring.
    volume : float
        0..1, amplitude. Setting `volume` later glides over 50 ms.

    Raises
    ------
    ValueError
        If the channels differ, or the ring is shorter than four blocks.

    Notes
    -----
    Starts silent and fades in over 0.5 s. The last 10 ms in the ring are held back until something follows
    them: when nothing does they become the fade into silence, and the sound fades in again once two blocks
    lie ready.
    """

    def __init__(self, ring: Ring, card: Card, volume: float = 1.0) -> None:
        if ring.channels != card.channels:
            raise ValueError(f"a ring of {ring.channels} channels cannot play on a card of {card.channels}")
        if ring.capacity_frames < 4 * BLOCK_FRAMES:
            raise ValueError(f"a ring of {ring.capacity_frames} frames is shorter than {4 * BLOCK_FRAMES}")
        self._ring = ring
        self._card = card
        self._block: Floats = np.zeros((BLOCK_FRAMES, card.channels), dtype=np.float32)
        self._seam_frames = max(1, round(_SEAM_S * card.rate))
        self._starved = False
        self._position = 0.0
        self._target = 1.0
        self._step = 1.0 / (FADE_IN_S * card.rate)
        self.volume = volume
        self._gain = self._volume
        self._gain_step = 1.0 / (_GLIDE_S * card.rate)
        self._frames = 0
        self._underruns = 0
        self._bad_samples = 0

    @property
    def volume(self) -> float:
        """Amplitude that the fader goes to, 0..1; what is outside is brought inside."""
        return self._volume

    @volume.setter
    def volume(self, volume: float) -> None:
        # In this order a NaN comes out as silence.
        self._volume = min(1.0, max(0.0, volume))

    @property
    def counters(self) -> Counters:
        """All counts at once."""
        return Counters(self._frames, self._underruns, self._bad_samples)

    def turn(self) -> None:
        """Play up to a block: sound where there is any, else silence.

        Raises
        ------
        CardError
            If the card refuses it.
        """
        block = self._pull()
        block *= (self._fades(len(block)) * self._glide(len(block)))[:, np.newaxis]
        np.clip(block, -CEILING, CEILING, out=block)
        self._card.write(block)
        self._frames += len(block)

    def fade_out(self) -> None:
        """Play on for a second while fading to silence; a `turn` after it stays silent.

        Raises
        ------
        CardError
            If the card refuses.
        """
        self._target = 0.0
        self._step = 1.0 / (FADE_OUT_S * self._card.rate)
        while self._position > 0.0:
            self.turn()

    def _pull(self) -> Floats:
        """Give the next frames of the ring, with a short fade where its sound ends or begins again."""
        block = self._block
        ready = self._ring.fill_frames
        if self._starved and ready < 2 * len(block) and not (self._ring.closed and ready):
            block[:] = 0.0
            return block
        resumed, self._starved = self._starved, ready <= self._seam_frames
        if self._starved:
            self._underruns += not self._ring.closed
            sound = block[: self._ring.read(block[:ready])]
            self._guard(sound)
            sound *= self._seam(len(sound))[::-1]
            block[len(sound) :] = 0.0
        else:
            block = block[: ready - self._seam_frames]
            self._ring.read(block)
            self._guard(block)
        if resumed:
            start = block[: self._seam_frames]
            start *= self._seam(len(start))
        return block

    def _seam(self, frames: int) -> Floats:
        return _raised_cosine(np.linspace(0.0, 1.0, frames))[:, np.newaxis]

    def _guard(self, sound: Floats) -> None:
        finite = np.isfinite(sound)
        if not finite.all():
            self._bad_samples += int(sound.size - np.count_nonzero(finite))
            sound[~finite] = 0.0

    def _fades(self, frames: int) -> Floats:
        positions, self._position = _ramp(self._position, self._target, self._step, frames)
        return _raised_cosine(positions)

    def _glide(self, frames: int) -> Floats:
        gains, self._gain = _ramp(self._gain, self._volume, self._gain_step, frames)
        return gains.astype(np.float32)


def _ramp(start: float, end: float, step: float, frames: int) -> tuple[npt.NDArray[np.float64], float]:
    """Walk from start to end by `step` a frame, staying at the end; the values, and the last of them."""
    if start == end:
        return np.full(frames, end), end
    walk = start + np.copysign(step, end - start) * np.arange(1, frames + 1)
    values = np.minimum(walk, end) if end > start else np.maximum(walk, end)
    return values, float(values[-1])


def _raised_cosine(positions: npt.NDArray[np.float64]) -> Floats:
    """Gain at positions 0..1 of a fade: flat at both ends, so that neither can be heard as a corner."""
    return (0.5 - 0.5 * np.cos(np.pi * positions)).astype(np.float32)
