"""Territory: which part of the timbre space the music is in, and how that drifts over minutes, hours and a day."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from appliance.score.gates import blended
from appliance.spectrum.codec import BINS, Floats, power

__all__ = ["WIDE", "Bounds", "deal", "drift", "timbre", "within"]

# Period in seconds and width, in standard deviations of the atlas, of each arc. Together they are as wide as the atlas
# is along one axis, and the longest is narrow enough that what comes back two hours later is no more alike than chance.
_ARCS = ((37.0 * 60.0, 0.80), (2.3 * 3600.0, 0.55), (11.0 * 3600.0, 0.25))
# A place waits for the hands of a cycle less this many: 33 of 36.
_HANDS = 36
_GROUPS = 9
_SMALLEST_HAND = 16
_FEWEST_PLACES = 64
_PAIRS = 2000
_THIRD_BINS = 40
_UNHEARD_DB = -75.0


@dataclass(frozen=True)
class Bounds:
    """How an artist narrows the music.

    Attributes
    ----------
    kept : tuple of (int, int)
        Seed and number of the pieces around which it stays; none: all of the space.
    radius : float
        How far around them, where 1 is as far as two places of the atlas usually are from each other.
    tuning_hz : float
        The a above middle C.
    """

    kept: tuple[tuple[int, int], ...] = ()
    radius: float = 0.6
    tuning_hz: float = 440.0


WIDE = Bounds()


def drift(seed: int, time_s: float, size: int) -> Floats:
    """Where the music is drawn to at a time, (size,) standard deviations from the middle of the atlas.

    Each arc passes smoothly through places drawn for every half of its period: it takes as long as the period says, yet
    never the same way twice.
    """
    place = np.zeros(size)
    for arc, (period_s, width) in enumerate(_ARCS):
        half, share = divmod(time_s / (period_s / 2.0), 1.0)
        ends = [np.random.default_rng((seed, 7, arc, int(half) + step)).normal(size=size) for step in (0, 1)]
        angle = 0.5 * np.pi * share
        place += width * (np.cos(angle) * ends[0] + np.sin(angle) * ends[1])
    return place.astype(np.float32)


def timbre(spectra: Floats) -> Floats:
    """What of sounds an ear goes by when it calls two alike: levels of third octaves in dB at one loudness, (n, 30)."""
    parts = np.add.reduceat(blended(power(spectra)), np.arange(BINS % _THIRD_BINS, BINS, _THIRD_BINS), axis=1)
    return np.asarray(np.maximum(10.0 * np.log10(np.maximum(parts, 1e-12)), _UNHEARD_DB), dtype=np.float32)


def within(places: Floats, kept: Floats, radius: float) -> npt.NDArray[np.intp]:
    """Say which places, (n, size), lie around those kept, (k, size): never fewer than 64.

    The radius is counted in what two places usually are apart: the median of up to 2,000 pairs.
    """
    pairs = np.random.default_rng(0).integers(len(places), size=(2, _PAIRS))
    usual = float(np.median(np.linalg.norm(places[pairs[0]] - places[pairs[1]], axis=1)))
    apart = np.min([np.linalg.norm(places - each, axis=1) for each in kept], axis=0)
    nearest = np.argsort(apart, kind="stable")
    count = max(int(np.count_nonzero(apart <= radius * usual)), min(_FEWEST_PLACES, len(places)))
    return np.asarray(np.sort(nearest[:count]), dtype=np.intp)


def deal(pool: npt.NDArray[np.intp], seed: int, number: int) -> npt.NDArray[np.intp]:
    """Deal a piece its hand of the places in a pool.

    A cycle has 36 hands. The pool is split into nine groups for good, each of which makes four hands of every cycle,
    shuffled anew each time: a place that was dealt is not dealt again in the 32 pieces that follow. A pool that
    would make hands of fewer than 16 has fewer of them, and its places return sooner.

    Returns
    -------
    (hand,) int
        Members of the pool.
    """
    hands = min(_HANDS, max(1, len(pool) // _SMALLEST_HAND))
    groups = max(1, hands * _GROUPS // _HANDS)
    of_group = max(1, hands // groups)
    cycle, place = divmod(number, groups * of_group)
    group, turn = divmod(place, of_group)
    shuffled = np.random.default_rng((seed, 0)).permutation(pool)
    mine = np.random.default_rng((seed, 1, cycle, group)).permutation(np.array_split(shuffled, groups)[group])
    return np.asarray(np.array_split(mine, of_group)[turn], dtype=np.intp)
