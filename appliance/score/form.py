"""The long form: how long, how loud and where in time each piece is, without looking at the others.

Pieces come in blocks of ten. In each block the same ten lengths and the same ten levels are dealt anew, so that no two
neighbours are alike by chance for long, every hour is as loud as every other, and the time at which a piece begins
follows from its number alone.
"""

from dataclasses import dataclass

import numpy as np

__all__ = ["BLOCK", "Form", "form"]

BLOCK = 10
_LENGTHS_S = tuple(float(length) for length in np.geomspace(200.0, 690.0, BLOCK))
# Loudness units below the loudest.
_LEVELS_LU = tuple(float(level) for level in np.linspace(-4.0, 0.0, BLOCK))
# Rests are no farther apart than this, counted over the end of a piece too.
_REST_EVERY_S = 235.0
_REST_S = (5.0, 7.0)
_REST_SWAY = 0.04
_SWELL_S = (55.0, 140.0)
# Seconds, at pace 1, after which each figure swells again: primes, so that together they repeat after days.
_CYCLES_S = ((37.0, 41.0, 43.0), (53.0, 59.0, 61.0), (71.0, 73.0, 79.0))


@dataclass(frozen=True)
class Form:
    """What is settled about a piece before a single sound is chosen.

    Attributes
    ----------
    begins_s : float
        Since the beginning of the seed, if the pace has always been 1.
    length_s : float
        At pace 1.
    level_lu : float
        -4..0.
    rests : tuple of (float, float)
        For each rest the share of the piece at which its middle lies, and its seconds.
    swell_s : float
        Period of the slow swelling.
    swell_turn : float
        Where in that period it begins, 0..1.
    cycles : tuple of (float, float, float)
        For each figure: its period in seconds, at which second of it the piece begins, and a number in 0..1 that
        decides which of its returns are heard.
    """

    begins_s: float
    length_s: float
    level_lu: float
    rests: tuple[tuple[float, float], ...]
    swell_s: float
    swell_turn: float
    cycles: tuple[tuple[float, float, float], ...]


def form(seed: int, number: int) -> Form:
    """Settle the form of a piece: the same for the same arguments."""
    block, place = divmod(number, BLOCK)
    order, levels = (np.random.default_rng((seed, purpose, block)).permutation(BLOCK) for purpose in (4, 5))
    lengths = [_LENGTHS_S[index] for index in order]
    rng = np.random.default_rng((seed, 6, number))
    count = int(np.ceil(lengths[place] / _REST_EVERY_S))
    middles = (np.arange(count) + 0.5 + rng.uniform(-_REST_SWAY, _REST_SWAY, count)) / count
    return Form(
        begins_s=block * sum(_LENGTHS_S) + sum(lengths[:place]),
        length_s=lengths[place],
        level_lu=_LEVELS_LU[levels[place]],
        rests=tuple((float(middle), float(rng.uniform(*_REST_S))) for middle in middles),
        swell_s=float(rng.uniform(*_SWELL_S)),
        swell_turn=float(rng.random()),
        cycles=tuple(
            (period, float(rng.uniform(0.0, period)), float(rng.random()))
            for period in (float(rng.choice(periods)) for periods in _CYCLES_S)
        ),
    )
