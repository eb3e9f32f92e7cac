"""The yardsticks of the report that need no network: which latents say something, and which draws are of use."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from appliance.spectrum import traits
from appliance.spectrum.codec import BINS, FLOOR_DB, Floats, power

__all__ = [
    "CREST",
    "REASONS",
    "Usual",
    "active_dimensions",
    "band_levels_db",
    "divergences",
    "share_unusable",
    "unusable",
]

REASONS = ("near silent", "clipped", "pitch", "tonality", "bands", "bins")
_PERCENTILES = (0.1, 99.9)
_ACTIVE_VARIANCE = 0.01
# Brought back from so far under the usual loudness, a sound has a third less of the range of the codec.
_SILENT_LU = 30.0
# Two seconds of Gaussian noise at 48 kHz reach sqrt(2 ln N) times their RMS (M. R. Leadbetter, G. Lindgren, H. Rootzén,
# "Extremes and Related Properties of Random Sequences and Processes", 1983, theorem 1.5.3).
CREST = float(np.sqrt(2.0 * np.log(96_000)))
# Where half octaves begin; the last ends with the codec, after 33 bins.
_EDGES = np.arange(0, BINS, 60)
_LEAST_WIDTH_DB = 1.0
# Eight clips lie beyond each percentile of so many.
_MOST_CLIPS = 8000

Bools = npt.NDArray[np.bool_]


def active_dimensions(means: Floats) -> Bools:
    """Which latents tell sounds apart: the variance of the posterior mean over the data is above 0.01.

    Parameters
    ----------
    means : (n, 32)
        Posterior means of clips.

    Returns
    -------
    (32,) bool

    Notes
    -----
    Y. Burda, R. Grosse and R. Salakhutdinov, "Importance weighted autoencoders" (2016), section 5.2.
    """
    return np.asarray(np.var(means, axis=0, dtype=np.float64) > _ACTIVE_VARIANCE, dtype=np.bool_)


def divergences(means: Floats, log_variances: Floats) -> npt.NDArray[np.float64]:
    """KL divergence from N(0, 1) per latent, averaged over clips, in nats: (n, 32) both to (32,)."""
    wide = means.astype(np.float64)
    return np.asarray(0.5 * (wide**2 + np.exp(log_variances) - 1.0 - log_variances).mean(axis=0))


@dataclass(frozen=True)
class Usual:
    """What is usual among training clips: the measure of whether a draw from the prior sounds like one of them.

    Attributes
    ----------
    level_lufs : float
        Their median loudness.
    pitch, tonality : (2,)
        Their 0.1 and 99.9 percentiles, in octaves and dB.
    bands_db : (3, 21)
        Percentiles 0.1, 50 and 99.9 of the level of each half octave.
    bins : (2, 1233)
        Percentiles 0.1 and 99.9 of each bin.
    most_band, most_bins : float
        99.9 percentiles of `_worst_band` and of the share of bins outside theirs.
    """

    level_lufs: float
    pitch: npt.NDArray[np.float64]
    tonality: npt.NDArray[np.float64]
    bands_db: npt.NDArray[np.float64]
    bins: npt.NDArray[np.float64]
    most_band: float
    most_bins: float

    @classmethod
    def of(cls, training: Floats) -> "Usual":
        """Measure training clips, (n, 1233) in 0..1; of more than 8,000 every so manieth."""
        clips = _every(training, _MOST_CLIPS)
        level_lufs = float(np.median(traits.level(clips)))
        clips = _levelled(clips, level_lufs)
        bands = band_levels_db(clips)
        bands_db = np.percentile(bands, (_PERCENTILES[0], 50.0, _PERCENTILES[1]), axis=0)
        bins = np.percentile(clips, _PERCENTILES, axis=0).astype(np.float64)
        return cls(
            level_lufs,
            np.percentile(traits.pitch(clips), _PERCENTILES),
            np.percentile(traits.tonality(clips), _PERCENTILES),
            bands_db,
            bins,
            float(np.percentile(_worst_band(bands, bands_db), _PERCENTILES[1])),
            float(np.percentile(_outside(clips, bins).mean(axis=1), _PERCENTILES[1])),
        )

    def reasons(self, draws: Floats) -> dict[str, Bools]:
        """Why not: see `unusable`."""
        level = traits.level(draws)
        loud = (draws >= 1.0).any(axis=1) | (np.sqrt(power(draws).sum(axis=1)) * CREST > 1.0)
        clips = _levelled(draws, self.level_lufs)
        return {
            "near silent": np.asarray(level < self.level_lufs - _SILENT_LU),
            "clipped": np.asarray(loud),
            "pitch": _outside(traits.pitch(clips), self.pitch),
            "tonality": _outside(traits.tonality(clips), self.tonality),
            "bands": _worst_band(band_levels_db(clips), self.bands_db) > self.most_band,
            "bins": _outside(clips, self.bins).mean(axis=1) > self.most_bins,
        }


def unusable(draws: Floats, training: Floats) -> dict[str, Bools]:
    """Tell which draws from the prior are near silent, clipped, or spectrally outside the training data.

    Parameters
    ----------
    draws : (n, 1233) in 0..1
        Decoded draws.
    training : (m, 1233) in 0..1

    Returns
    -------
    dict of (n,) bool
        One for each of ``REASONS``; a draw with none is usable.

    Notes
    -----
    *Near silent*: more than 30 LU under the median loudness of the training data. *Clipped*: a bin at the ceiling
    of 1, or so much power in all that two seconds with random phases pass full scale.

    *Spectrally outside* are four measures, each against its own 0.1 and 99.9 percentiles in the training data:

    - ``pitch`` and ``tonality``, as in `traits`.
    - ``bands``: of 21 half octaves, the one whose level is farthest from its median, in units of the way from that
      median to the percentile on the same side. One number for all bands, above its own 99.9 percentile.
    - ``bins``: the share of the 1233 bins outside their own percentiles, above its own 99.9 percentile.

    Bands tested one by one would reject 4 % of the training data itself; the largest of them, held against its
    own distribution, rejects 0.1 % (the max-T of P. Westfall and S. Young, "Resampling-based multiple testing", 1993).
    All together reject at most 0.6 % of the training data, and of clips like it that were not measured about as much
    where there are thousands; of a few hundred clips the percentiles are the extremes, and more are outside.

    The training data was brought to one loudness, and the engine levels what it plays. So draws are brought to the
    same loudness before they are compared.
    """
    return Usual.of(training).reasons(draws)


def share_unusable(reasons: Mapping[str, Bools]) -> float:
    """Share of the draws with any reason, 0..1."""
    return float(np.any(list(reasons.values()), axis=0).mean())


def _every(rows: Floats, most: int) -> Floats:
    return rows[:: -(-len(rows) // most)]


def _levelled(spectra: Floats, level_lufs: float) -> Floats:
    """Bring to a loudness; what is at the floor stays there."""
    off = (traits.level(spectra) - level_lufs)[:, np.newaxis] / np.float32(-FLOOR_DB)
    return np.where(spectra > 0.0, np.clip(spectra - off, 0.0, 1.0), np.float32(0.0)).astype(np.float32)


def band_levels_db(spectra: Floats) -> npt.NDArray[np.float64]:
    """Level of each half octave in dB relative to a full-scale sine, not below the floor, (n, 21)."""
    total = 2.0 * np.add.reduceat(power(spectra).astype(np.float64), _EDGES, axis=1)
    return np.asarray(10.0 * np.log10(np.maximum(total, 10.0 ** (FLOOR_DB / 10.0))))


def _worst_band(bands: npt.NDArray[np.float64], usual_db: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How far the oddest band (n, 21) is from its median, where 1 is at its percentile, (n,)."""
    low, middle, high = usual_db
    above = (bands - middle) / np.maximum(high - middle, _LEAST_WIDTH_DB)
    below = (middle - bands) / np.maximum(middle - low, _LEAST_WIDTH_DB)
    return np.asarray(np.maximum(above, below).max(axis=1))


def _outside(values: npt.NDArray[np.floating], between: npt.NDArray[np.float64]) -> Bools:
    return np.asarray((values < between[0]) | (values > between[1]), dtype=np.bool_)
