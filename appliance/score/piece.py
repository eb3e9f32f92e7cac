"""A piece: five sounds and the order in which they are visited, three figures over them, and when all of it rests."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from appliance.score.grammar import SOUNDS
from appliance.spectrum.codec import Floats

__all__ = ["FIGURES", "Piece"]

FIGURES = 3


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
    figures : bytes
        Three float32 latents, the places of the figures.
    figure_shifts : tuple of int
    cycles : tuple of (float, float, float)
        For each figure its period and its beginning in seconds at pace 1, and which of its returns are heard; see
        `Form`.
    tonic : int
        Its chroma, 0..119.
    level_lu : float
        How loud the piece is.
    swell : (float, float)
        Period in seconds at pace 1 of its slow swelling, and where in it the piece begins, 0..1.
    rests : tuple of (float, float)
        Letters passed at the middle of each rest, and its seconds.
    coil : bytes
        Two float32 vectors in whitened latent space, orthonormal, that span the wiggler's circle.
    reach : float
        By how much of its radius the wiggler turns.
    turn_s : float
        Period of the wiggler at pace 1.
    letter_s : float
        Seconds on each letter at pace 1.
    """

    number: int
    pattern: str
    latents: bytes
    shifts: tuple[int, ...]
    offsets_lu: tuple[float, ...]
    figures: bytes
    figure_shifts: tuple[int, ...]
    cycles: tuple[tuple[float, float, float], ...]
    tonic: int
    level_lu: float
    swell: tuple[float, float]
    rests: tuple[tuple[float, float], ...]
    coil: bytes
    reach: float
    turn_s: float
    letter_s: float

    @cached_property
    def _ground(self) -> Floats:
        """The places of A to E, (5, 32)."""
        return np.frombuffer(self.latents, dtype=np.float32).reshape(len(SOUNDS), -1)

    @cached_property
    def _figures(self) -> Floats:
        """The places of the figures, (3, 32)."""
        return np.frombuffer(self.figures, dtype=np.float32).reshape(FIGURES, -1)

    @cached_property
    def circle(self) -> Floats:
        """The two vectors of the coil, (2, 32)."""
        return np.frombuffer(self.coil, dtype=np.float32).reshape(2, -1)

    def figure(self, index: int) -> Floats:
        """The (32,) place of a figure."""
        return np.asarray(self._figures[index])

    def latent(self, letter: str) -> Floats:
        """The (32,) place of a letter."""
        return np.asarray(self._ground[SOUNDS.index(letter)])

    @property
    def length_s(self) -> float:
        """Seconds at pace 1."""
        return len(self.pattern) * self.letter_s
