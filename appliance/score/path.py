"""The path through a piece's five sounds, and the wiggler that coils it into a helix."""

import math
from dataclasses import dataclass

import numpy as np

from appliance.mood import QUANTITIES, Mood
from appliance.score.grammar import SOUNDS
from appliance.score.piece import Piece
from appliance.score.space import Space
from appliance.spectrum.codec import Floats

__all__ = ["Moment", "Sound", "moment"]

# The first part of each letter stays where it is; then the path leaves for the next one.
_STAY = 0.3
# While one sound gives way to another both move this far towards each other through latent space. The rest
# is a cross-fade in power: half way between two chords a decoder has neither's peaks.
_APPROACH = 0.5
_COMPANION_POWER = 0.3
_INAUDIBLE = 1e-6
_TRANSPOSE_BINS = 70
_RADIUS_SHARE = 0.35
_WINDOW_LU = 3.0


@dataclass(frozen=True)
class Sound:
    """One sound of a moment: a float32 (32,) latent as bytes, its transposition in bins, its share of the power."""

    latent: bytes
    shift_bins: int
    share: float


@dataclass(frozen=True)
class Moment:
    """What sounds at one point of a piece, and how many LU louder than the target."""

    sounds: tuple[Sound, ...]
    offset_lu: float


def moment(space: Space, piece: Piece, phase: float, mood: Mood) -> Moment:
    """Look up a point of a piece.

    Parameters
    ----------
    phase : float
        Letters of the pattern passed so far; past the end, the last one goes on.
    mood : Mood
        Moves the point at once: along the trait directions, away from the origin, on the wiggler's circle.

    Notes
    -----
    The wiggler adds ``radius * (a cos(t) + b sin(t))`` with orthonormal ``a`` and ``b``: of two plain random
    vectors some pairs nearly point the same way, and the helix would be a line. The radius grows with the
    period, so that the speed is the same in every piece.
    """
    place = min(max(phase, 0.0), float(len(piece.pattern)))
    index = min(int(place), len(piece.pattern) - 1)
    here = piece.pattern[index]
    there = piece.pattern[min(index + 1, len(piece.pattern) - 1)]
    within = place - index
    wiggle = _wiggle(space, piece, phase, mood)
    bend = round(_TRANSPOSE_BINS * mood.pitch)
    offset_lu = _WINDOW_LU * mood.level
    sounds = []
    for letter, latent, share in _stages(piece, here, there, within):
        offset_lu += share * piece.offsets_lu[SOUNDS.index(letter)]
        shift = piece.shifts[SOUNDS.index(letter)] + bend
        sounds.append(Sound(_moved(space, latent + wiggle, mood), shift, share))
    companion = _companion(piece, index, within, mood.density, (here, there))
    if companion is not None:
        letter, share = companion
        shift = piece.shifts[SOUNDS.index(letter)] + piece.octaves[SOUNDS.index(letter)] + bend
        sounds.append(Sound(_moved(space, piece.latent(letter) - wiggle, mood), shift, share))
    return Moment(tuple(sounds), offset_lu)


def _stages(piece: Piece, here: str, there: str, within: float) -> list[tuple[str, Floats, float]]:
    """Letter, latent and share of the power of the sound that is left and the one that is reached."""
    one = piece.latent(here)
    part = min(max((within - _STAY) / (1.0 - _STAY), 0.0), 1.0)
    if here == there or part == 0.0:
        return [(here, one, 1.0)]
    part = part * part * (3.0 - 2.0 * part)
    arrived = math.sin(part * math.pi / 2.0) ** 2
    two = piece.latent(there)
    way = two - one
    return [
        (here, one + np.float32(_APPROACH * part) * way, 1.0 - arrived),
        (there, two - np.float32(_APPROACH * (1.0 - part)) * way, arrived),
    ]


def _wiggle(space: Space, piece: Piece, phase: float, mood: Mood) -> Floats:
    """Where on the wiggler's circle, (32,) latent units."""
    radius = space.wiggle_speed * piece.turn_s / (2.0 * math.pi) * mood.wander / QUANTITIES["wander"].rest
    turn = 2.0 * math.pi * phase * piece.letter_s / piece.turn_s
    coil = np.frombuffer(piece.coil, dtype=np.float32).reshape(2, -1)
    circle = np.array([math.cos(turn), math.sin(turn)], dtype=np.float32) * np.float32(radius)
    return space.unwhiten(np.asarray(circle @ coil, dtype=np.float32))


def _companion(
    piece: Piece, index: int, within: float, density: float, busy: tuple[str, str]
) -> tuple[str, float] | None:
    """The second voice's letter and share: it swells and is gone again within a letter, where it sounds at all."""
    # It comes and goes with density as gently as with time.
    wanted = min((0.45 * (1.0 + density) - piece.companions[index]) / 0.1, 1.0)
    if wanted <= 0.0:
        return None
    free = [letter for letter in SOUNDS if letter not in busy]
    letter = free[int(piece.companions[index] * 997) % len(free)]
    share = wanted * _COMPANION_POWER * math.sin(math.pi * min(within, 1.0)) ** 2
    return (letter, share) if share > _INAUDIBLE else None


def _moved(space: Space, latent: Floats, mood: Mood) -> bytes:
    """Apply what the mood does to a latent at once."""
    moved = latent
    for trait in ("pitch", "tonality"):
        weight = getattr(mood, trait)
        if weight and trait in space.directions:
            moved = moved + np.float32(weight) * space.directions[trait]
    if mood.weirdness:
        moved = moved * np.float32(1.0 + _RADIUS_SHARE * mood.weirdness)
    return moved.astype(np.float32).tobytes()
