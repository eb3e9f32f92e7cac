"""A piece: five sounds, the order in which they are visited, and how the way between them is coiled."""

from dataclasses import dataclass

import numpy as np

from appliance.mood import Mood
from appliance.score.grammar import SOUNDS, expand
from appliance.score.ranking import choose, deal
from appliance.score.space import Space
from appliance.spectrum.codec import Floats, transpose

__all__ = ["Piece", "compose"]

# Seconds on each letter: with 10 to 22 letters a piece lasts two to nine minutes.
_LETTER_S = (14.0, 24.0)
_TURN_S = (15.0, 45.0)
# A second voice is moved an octave towards the middle, A below middle C at 220 Hz.
_MIDDLE_OCTAVE = 7.8
_OCTAVE_BINS = 120


@dataclass(frozen=True)
class Piece:
    """A small plain value from which every moment of the piece follows.

    Attributes
    ----------
    number : int
        Counted from 0 for each seed.
    pattern : str
        Letters A to E.
    latents : bytes
        Five float32 latents, the places of A to E.
    shifts : tuple of int
        Transposition of each in bins of 10 cents.
    offsets_lu : tuple of float
        How much louder each may be than the piece on average.
    octaves : tuple of int
        Transposition in bins of each as a second voice.
    coil : bytes
        Two float32 vectors in whitened latent space, orthonormal, that span the wiggler's circle.
    turn_s : float
        Period of the wiggler at pace 1.
    letter_s : float
        Seconds on each letter at pace 1.
    companions : tuple of float
        One number in 0..1 per letter of the pattern: the second voice sounds there if density is high enough.
    """

    number: int
    pattern: str
    latents: bytes
    shifts: tuple[int, ...]
    offsets_lu: tuple[float, ...]
    octaves: tuple[int, ...]
    coil: bytes
    turn_s: float
    letter_s: float
    companions: tuple[float, ...]

    def latent(self, letter: str) -> Floats:
        """The (32,) place of a letter."""
        places: Floats = np.frombuffer(self.latents, dtype=np.float32).reshape(len(SOUNDS), -1)
        return np.asarray(places[SOUNDS.index(letter)])


def compose(space: Space, seed: int, number: int, mood: Mood, before: Piece | None) -> Piece:
    """Compose a piece that follows another: the same for the same arguments.

    Level differences between the sounds are kept to a quarter, at most 1 LU: the room should not jump.
    """
    rng = np.random.default_rng((seed, 2, number))
    pattern = expand(rng)
    letter_s, turn_s = rng.uniform(*_LETTER_S), rng.uniform(*_TURN_S)
    companions = tuple(float(draw) for draw in rng.random(len(pattern)))
    coil = np.linalg.qr(rng.normal(size=(len(space.scale), 2)))[0].T.astype(np.float32)
    last = None
    if before is not None:
        letter = before.pattern[-1]
        spectrum = space.decode(before.latent(letter)[np.newaxis])[0]
        last = transpose(spectrum, before.shifts[SOUNDS.index(letter)])
    choice = choose(space, deal(space, seed, number), mood, len(SOUNDS), rng, last)
    heard = np.array([pattern.count(letter) for letter in SOUNDS])
    offsets = np.clip((choice.levels - choice.levels @ heard / heard.sum()) / 4.0, -1.0, 1.0)
    return Piece(
        number=number,
        pattern=pattern,
        latents=choice.latents.astype(np.float32).tobytes(),
        shifts=tuple(int(shift) for shift in choice.shifts),
        offsets_lu=tuple(float(offset) for offset in offsets),
        octaves=tuple(-_OCTAVE_BINS if pitch > _MIDDLE_OCTAVE else _OCTAVE_BINS for pitch in choice.pitches),
        coil=coil.tobytes(),
        turn_s=float(turn_s),
        letter_s=float(letter_s),
        companions=companions,
    )
