"""Which sounds of a judged model are worth hearing."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from appliance.spectrum.codec import FLOOR_DB, Floats
from appliance.studio.corpus import Corpus
from appliance.studio.judging.geometry import apart_db, nearest
from appliance.studio.judging.judgement import Example

__all__ = ["choose"]

_EACH = 3
_BESIDE = 2
_AMONG = 1500
_DRAWS = 6

Encode = Callable[[Floats], tuple[Floats, Floats]]
Rows = npt.NDArray[np.intp]


def choose(
    corpus: Corpus, judged: tuple[Rows, Floats, Floats], encode: Encode, draws: Floats, rng: np.random.Generator
) -> tuple[Example, ...]:
    """Pick the worst and the usual of what was judged, some with their neighbours, and some draws.

    Parameters
    ----------
    judged : (n,) int, (n, 1233), (n, 1233)
        Rows of the corpus, their clips, and what came back.
    encode : callable
        (n, 1233) to mean and log-variance.
    draws : (m, 1233)
        Decoded draws from the prior.
    """
    rows, clips, again = judged
    errors = np.sqrt(np.square(clips - again, dtype=np.float64).mean(axis=1)) * -FLOOR_DB
    worst = _of_different_sources(corpus.source[rows], np.argsort(-errors))
    middle_first = np.argsort(np.abs(errors - np.median(errors)))
    usual = _of_different_sources(corpus.source[rows], middle_first[~np.isin(middle_first, worst)])
    found = []
    for kind, at in (*(("worst", at) for at in worst), *(("usual", at) for at in usual)):
        title = f"{_name(corpus, int(rows[at]))}: {errors[at]:.1f} dB off"
        found.append(Example(kind, title, ("original", "as it came back"), (clips[at], again[at])))
    found += _beside(corpus, encode, rng)
    kept = draws[:_DRAWS]
    labels = tuple(f"draw {number + 1}" for number in range(len(kept)))
    return (*found, Example("draws", "Six draws, not chosen", labels, tuple(kept)))


def _beside(corpus: Corpus, encode: Encode, rng: np.random.Generator) -> list[Example]:
    """A clip whose neighbours are close for this model, a usual one, and one whose are far."""
    rows = np.arange(len(corpus.split))
    rows = rows if len(rows) <= _AMONG else np.sort(rng.choice(rows, _AMONG, replace=False))
    clips = corpus.spectra[rows].astype(np.float32)
    near = nearest(encode(clips)[0], corpus.source[rows], _BESIDE)  # (n, 2)
    far_db = apart_db(clips * -FLOOR_DB)[np.arange(len(rows)), near[:, 0]]
    found = []
    for share, word in ((0.1, "close"), (0.5, "usual"), (0.95, "far")):
        at = int(np.argsort(far_db)[int(share * (len(rows) - 1))])
        both = [at, *(int(one) for one in near[at])]
        labels = ("the sound", *(_name(corpus, int(rows[one])) for one in both[1:]))
        title = f"{_name(corpus, int(rows[at]))} ({word}: {far_db[at]:.1f} dB)"
        found.append(Example("neighbours", title, labels, tuple(clips[one] for one in both)))
    return found


def _of_different_sources(source: Rows, order: Rows) -> list[int]:
    """The first three in this order, no two of one source while there are others."""
    kept: dict[int, int] = {}
    for at in order:
        kept.setdefault(int(source[at]), int(at))
        if len(kept) == _EACH:
            break
    rest = (int(at) for at in order if int(at) not in kept.values())
    found = list(kept.values())
    while len(found) < min(_EACH, len(order)):
        found.append(next(rest))
    return found


def _name(corpus: Corpus, row: int) -> str:
    return f"{corpus.sources[corpus.source[row]]}, {corpus.start_s[row]:.1f} s"
