"""What the corpus plays: voicings for a slow, open music, as MIDI notes (A440, equal temperament)."""

import numpy as np

__all__ = ["HIGHEST", "LOWEST", "SHARES", "VOICES", "chord"]

LOWEST = 24  # C1, 33 Hz
HIGHEST = 96  # C7, 2093 Hz
VOICES = 8

# Semitones over the root. Open and suspended sounds come first and come more often: two sounds of this
# kind go together in nearly any transposition, which is what the score wants of its five.
_OPEN = ((0, 7), (0, 12), (0, 7, 14), (0, 5, 7), (0, 2, 7), (0, 7, 9), (0, 5, 10), (0, 2, 7, 9))
_TRIADS = ((0, 4, 7), (0, 3, 7))
_THIRDS = (*_TRIADS, (0, 4, 7, 14), (0, 3, 7, 14), (0, 4, 7, 11), (0, 3, 7, 10), (0, 4, 7, 9), (0, 4, 11, 14))
# Single notes teach what one instrument is; clusters fill the space between the chords.
_KINDS = ("single", "open", "thirds", "cluster")
SHARES = (0.12, 0.45, 0.31, 0.12)


def chord(
    rng: np.random.Generator, shares: tuple[float, float, float, float] = SHARES, voices: int = VOICES
) -> tuple[int, ...]:
    """Draw 1 to ``voices`` different notes, lowest first, all within ``LOWEST`` .. ``HIGHEST``.

    Parameters
    ----------
    shares : tuple of float
        How many of all are single notes, open chords, chords with thirds, and clusters; they add up to one.
    voices : int
        At least 4.
    """
    kind = rng.choice(_KINDS, p=shares)
    if kind == "single":
        return (int(rng.integers(LOWEST, HIGHEST + 1)),)
    if kind == "cluster":
        count = int(rng.integers(2, voices + 1))
        low = int(rng.integers(LOWEST, HIGHEST - 14))
        return tuple(sorted(low + int(step) for step in rng.choice(15, size=count, replace=False)))
    shapes = _OPEN if kind == "open" else _THIRDS
    return _spread(shapes[int(rng.integers(len(shapes)))], voices, rng)


def _spread(shape: tuple[int, ...], voices: int, rng: np.random.Generator) -> tuple[int, ...]:
    """Lay a chord over several octaves: the root at the bottom, the others above it, some doubled."""
    root = int(np.clip(round(rng.normal(46.0, 9.0)), LOWEST, 72))
    notes = {root}
    count = int(rng.integers(len(shape), voices + 1))
    for voice in range(1, count):
        step = shape[voice] if voice < len(shape) else shape[int(rng.integers(len(shape)))]
        octave = int(rng.choice(4, p=(0.35, 0.35, 0.2, 0.1)))
        notes.add(root + step + 12 * octave)
    return tuple(sorted(note for note in notes if note <= HIGHEST))
