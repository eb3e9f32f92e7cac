"""The path through a piece's sounds: the ground, coiled by the wiggler into a helix, and the figures over it."""

import math
from dataclasses import dataclass

import numpy as np

from appliance.mood import QUANTITIES, Mood
from appliance.score.gates import QUIETEST
from appliance.score.grammar import SOUNDS
from appliance.score.moves import moved
from appliance.score.piece import FIGURES, Piece
from appliance.score.space import Space
from appliance.spectrum import traits
from appliance.spectrum.codec import BINS, Floats, transpose

__all__ = ["WINDOW_LU", "Sound", "blend", "figure_share", "moment"]

# The first part of each letter stays where it is; then the path leaves for the next one.
_STAY = 0.3
_INAUDIBLE = 1e-6
# Above its rest, wander widens the wiggle more than in proportion.
_WANDER_CURVE = 1.5
_WANDER_ASKS = 0.25
_TRANSPOSE_BINS = 70
WINDOW_LU = 3.0
# Pieces are up to 4 LU under the loudest, swell, and are crossed by figures and rests; so much makes the hour as loud
# as it is to be.
_MAKE_UP_LU = 1.6
_SWELL_LU = 1.7
# A figure's share of the power against the ground's, and how it comes and goes in seconds.
_FIGURE_SHARE = 0.45
_FIGURE_UP_S = 4.0
_FIGURE_DOWN_S = 11.0
# Where density is highest, this is the least.
_FIGURE_FLOOR = 0.45
# At rest so many of a figure's returns are heard; the golden ratio spreads them as evenly as can be.
_FIGURES_HEARD = 0.62
_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0


@dataclass(frozen=True)
class Sound:
    """One sound of a moment: a float32 (32,) latent as bytes, its transposition in bins, and its K-weighted power.

    Power counts in multiples of that of the target loudness.
    """

    latent: bytes
    shift_bins: int
    share: float


def moment(space: Space, piece: Piece, phase: float, mood: Mood, wound: float = 0.0) -> tuple[Sound, ...]:
    """Look up what sounds at one point of a piece: the ground, then the figures.

    Parameters
    ----------
    phase : float
        Letters of the pattern passed so far; past the end, the last one goes on.
    mood : Mood
        Moves the point at once: along the trait directions, away from the origin, on the wiggler's circle, and to
        where hands draw it. What was banned is kept clear of.
    wound : float
        Turns by which hands have wound the wiggler on.

    Notes
    -----
    The wiggler adds ``radius * (a cos(t) + b sin(t))`` with orthonormal ``a`` and ``b``: of two plain random
    vectors some pairs nearly point the same way, and the helix would be a line. The radius grows with the
    period, so that the speed is the same in every piece.
    """
    floor = _FIGURE_FLOOR * max(mood.density, 0.0)
    strength = _strength(piece, phase, mood) / (1.0 + FIGURES * floor)
    place = min(max(phase, 0.0), float(len(piece.pattern)))
    index = min(int(place), len(piece.pattern) - 1)
    here = piece.pattern[index]
    there = piece.pattern[min(index + 1, len(piece.pattern) - 1)]
    wiggle = _wiggle(space, piece, phase, wound, mood)
    bend = round(_TRANSPOSE_BINS * mood.pitch)
    sounds = []
    for letter, ground, share in _stages(space, piece, here, there, place - index):
        number = SOUNDS.index(letter)
        part = share * strength * 10.0 ** (piece.offsets_lu[number] / 10.0)
        sounds.append(Sound(moved(space, ground + wiggle, mood), piece.shifts[number] + bend, part))
    for number in range(FIGURES):
        share = max(figure_share(piece, number, phase, mood), floor)
        if share > _INAUDIBLE:
            latent = moved(space, piece.figure(number) - wiggle, mood)
            sounds.append(Sound(latent, piece.figure_shifts[number] + bend, share * strength))
    return tuple(sounds)


def figure_share(piece: Piece, number: int, phase: float, mood: Mood) -> float:
    """Power of a figure against that of the ground, 0 while it is away.

    It swells at the beginning of each of its cycles for a few seconds and fades for more than ten; density decides how
    many of the cycles are heard, and lets a figure come and go with it as gently as with time.
    """
    period_s, begin_s, chance = piece.cycles[number]
    turns, share = divmod((phase * piece.letter_s + begin_s) / period_s, 1.0)
    since_s = share * period_s / mood.pace
    wanted = _FIGURES_HEARD * (1.0 + mood.density) - (chance + _GOLDEN * turns) % 1.0
    wanted = min(max(wanted / 0.1, 0.0), 1.0)
    if since_s < _FIGURE_UP_S:
        swell = math.sin(0.5 * math.pi * since_s / _FIGURE_UP_S) ** 2
    else:
        # At a quick pace the next one comes sooner.
        down_s = min(_FIGURE_DOWN_S, period_s / mood.pace - _FIGURE_UP_S)
        swell = math.cos(0.5 * math.pi * min((since_s - _FIGURE_UP_S) / down_s, 1.0)) ** 4
    return _FIGURE_SHARE * wanted * swell


def blend(sounds: tuple[Sound, ...], powers: Floats) -> Floats:
    """Level each sound by its K-weighted loudness, transpose it, and add up.

    Parameters
    ----------
    powers : (n, 1233) float32
        What their latents decode to, as power.

    Returns
    -------
    (1233,) float32; its K-weighted power is the sum of the shares.
    """
    weighting = traits.k_weighting()
    total = np.zeros(BINS, dtype=np.float32)
    for sound, bins in zip(sounds, powers, strict=True):
        moved = transpose(bins, sound.shift_bins)
        total += moved * np.float32(sound.share / max(float(moved @ weighting), QUIETEST))
    return total


def _strength(piece: Piece, phase: float, mood: Mood) -> float:
    """Power of the ground: the piece's own level and its slow swelling."""
    period_s, begins = piece.swell
    swell = math.sin(2.0 * math.pi * (phase * piece.letter_s / period_s + begins))
    lu = _MAKE_UP_LU + piece.level_lu + WINDOW_LU * mood.level + _SWELL_LU * swell
    strength: float = 10.0 ** (lu / 10.0)
    return strength


def _stages(space: Space, piece: Piece, here: str, there: str, within: float) -> list[tuple[str, Floats, float]]:
    """Letter, latent and share of the power of the sound that is left and the one that is reached.

    The one is cross-faded in power with the other, for half way between two chords a decoder has neither's peaks; they
    move towards each other only as far as the model bears.
    """
    one = piece.latent(here)
    part = min(max((within - _STAY) / (1.0 - _STAY), 0.0), 1.0)
    if here == there or part == 0.0:
        return [(here, one, 1.0)]
    part = part * part * (3.0 - 2.0 * part)
    arrived = math.sin(part * math.pi / 2.0) ** 2
    two = piece.latent(there)
    way = np.float32(space.approach) * (two - one)
    return [
        (here, one + np.float32(part) * way, 1.0 - arrived),
        (there, two - np.float32(1.0 - part) * way, arrived),
    ]


def _wiggle(space: Space, piece: Piece, phase: float, wound: float, mood: Mood) -> Floats:
    """Where on the wiggler's circle, (32,) latent units."""
    share = mood.wander / QUANTITIES["wander"].rest
    radius = space.wiggle_speed * piece.turn_s / (2.0 * math.pi) * (share if share <= 1.0 else share**_WANDER_CURVE)
    turn = 2.0 * math.pi * (phase * piece.letter_s / piece.turn_s + wound)
    # Who asks for more, or for another pace, is not held to how calm the piece was to be.
    asked = min(max((share - 1.0) / _WANDER_ASKS, 0.5 * abs(math.log2(mood.pace))), 1.0)
    radius *= piece.reach ** (1.0 - 0.5 * asked)
    across, along = piece.circle
    return space.unwhiten(np.float32(radius * math.cos(turn)) * across + np.float32(radius * math.sin(turn)) * along)
