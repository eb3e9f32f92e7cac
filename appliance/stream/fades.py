"""The shapes of fades between 0 and 1."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = ["LANE_FADE_S", "blend_lanes", "lane_fade", "power_fade", "raised_cosine"]

Floats = npt.NDArray[np.float32]

# How long the old future of a turn goes on under the new one.
LANE_FADE_S: Final = 0.05


def raised_cosine(positions: npt.NDArray[Any]) -> Floats:
    """Gain at positions 0..1 of a fade, same shape: flat at both ends, so that neither can be heard as a corner."""
    return (0.5 - 0.5 * np.cos(np.pi * positions)).astype(np.float32)


def lane_fade(frames: int) -> Floats:
    """Gain of the new future of a turn, (frames,), rising within 0..1; the old one gets what is missing from 1.

    Both are made of clips with the same phases, so their amplitudes add.
    """
    return raised_cosine(np.arange(1, frames + 1) / np.float64(frames + 1))


def blend_lanes(old: Floats, new: Floats, gain: Floats) -> Floats:
    """Cross-fade from the old future to the new one; player and replay both do it here, and so get the same bits.

    Parameters
    ----------
    old, new : (frames, channels) float32
    gain : (frames,) float32
        Of the new one: `lane_fade`, or the part of it that is due.

    Returns
    -------
    (frames, channels) float32
    """
    return old + (new - old) * gain[:, np.newaxis]


def power_fade(frames: int) -> tuple[Floats, Floats]:
    """Gains out and in, (frames,) each, between sounds that have nothing to do with each other: their powers add."""
    turns = (np.arange(frames) + 1.0) / (frames + 1.0) * (np.pi / 2.0)
    return np.cos(turns).astype(np.float32), np.sin(turns).astype(np.float32)
