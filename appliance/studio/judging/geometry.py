"""The shape of a latent space: how it fills its prior, who lives beside whom, how even a walk through it sounds."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from appliance.spectrum.codec import BINS, FLOOR_DB, Floats
from appliance.studio.judging.judge import active_dimensions, band_levels_db, divergences
from appliance.studio.judging.judgement import Latents, Lines, Neighbours

__all__ = ["apart_db", "latents", "lines", "nearest", "neighbours"]

_REACH, _SLOTS = 4.0, 48
_RADII = 4000
_STEPS = 32
_LINES, _SHOWN = 160, 8

Indices = npt.NDArray[np.intp]


def latents(means: Floats, log_variances: Floats, rng: np.random.Generator) -> Latents:
    """Hold the aggregate posterior against N(0, 1).

    Parameters
    ----------
    means, log_variances : (n, 32)
        Of the posteriors of training clips.
    rng : numpy.random.Generator
        Gives the noise of the posteriors.
    """
    samples = means + np.exp(0.5 * log_variances) * rng.standard_normal(means.shape)
    edges = np.linspace(-_REACH, _REACH, _SLOTS + 1)
    histogram = [np.histogram(column, edges)[0] / len(samples) / np.diff(edges) for column in samples.T]
    radii = np.linalg.norm(samples[:_RADII], axis=1)
    one, two, correlation = _worst_correlation(means)
    return Latents(
        active=tuple(bool(each) for each in active_dimensions(means)),
        mean_variance=_numbers(means.var(axis=0, dtype=np.float64)),
        divergence=_numbers(divergences(means, log_variances)),
        centre=_numbers(samples.mean(axis=0)),
        spread=_numbers(samples.std(axis=0)),
        edges=_numbers(edges),
        histogram=tuple(_numbers(row) for row in histogram),
        radii=_numbers(radii),
        worst_pair=(one, two),
        worst_correlation=correlation,
    )


def nearest(places: Floats, source: Indices, count: int) -> Indices:
    """For each of (n, d) points the nearest from other sources, or from any where there is one source: (n, count)."""
    squared = np.square(places).sum(axis=1)
    apart = squared[:, np.newaxis] + squared - 2.0 * places @ places.T
    apart[_barred(source)] = np.inf
    return np.asarray(np.argsort(apart, axis=1)[:, :count], dtype=np.intp)


def apart_db(spectra: npt.NDArray[np.floating]) -> Floats:
    """Distance of every two rows of (n, k) levels in dB, RMS over the columns, (n, n)."""
    wide = spectra.astype(np.float64)
    squared = np.square(wide).mean(axis=1)
    gram = wide @ wide.T / spectra.shape[1]
    apart = np.sqrt(np.maximum(squared[:, np.newaxis] + squared - 2.0 * gram, 0.0))
    return np.asarray(apart, dtype=np.float32)


def neighbours(means: Floats, spectra: Floats, source: Indices) -> Neighbours:
    """Compare latent neighbours with random pairs; (n, 32), (n, 1233) and (n,), n at least 3."""
    barred = _barred(source)
    beside = nearest(means, source, 1)[:, 0]
    each = np.arange(len(means))
    apart = apart_db(spectra * -FLOOR_DB)
    bands = apart_db(band_levels_db(spectra))
    return Neighbours(
        clips=len(means),
        near_db=float(np.median(apart[each, beside])),
        random_db=float(np.median(apart[~barred])),
        closest_db=float(np.median(np.where(barred, np.inf, apart).min(axis=1))),
        near_bands_db=float(np.median(bands[each, beside])),
        random_bands_db=float(np.median(bands[~barred])),
    )


def lines(places: Floats, decode: Callable[[Floats], Floats], rng: np.random.Generator) -> Lines:
    """Walk straight from one place to another in 32 equal steps, 160 times; ``places`` (p, 32), p at least 2."""
    ends = np.stack([rng.choice(len(places), 2, replace=False) for _ in range(_LINES)])  # (lines, 2)
    share = np.linspace(0.0, 1.0, _STEPS + 1, dtype=np.float32)[:, np.newaxis]
    walks = np.stack([places[one] * (1.0 - share) + places[two] * share for one, two in ends])
    sounds = decode(walks.reshape(-1, places.shape[1])).reshape(_LINES, _STEPS + 1, BINS)
    steps = np.sqrt(np.square(np.diff(sounds, axis=1)).mean(axis=2)) * -FLOOR_DB  # (lines, steps)
    uneven = steps.max(axis=1) / np.maximum(steps.mean(axis=1), 1e-9)
    order = np.argsort(uneven)[np.linspace(0, _LINES - 1, _SHOWN).astype(int)]
    return Lines(tuple(_numbers(steps[row]) for row in order), _numbers(uneven))


def _worst_correlation(means: Floats) -> tuple[int, int, float]:
    """Two latents that move together most, and their correlation; a latent that does not move correlates with none."""
    wide = means.astype(np.float64)
    centred = (wide - wide.mean(axis=0)) / np.maximum(wide.std(axis=0), 1e-9)
    correlation = centred.T @ centred / len(wide)
    np.fill_diagonal(correlation, 0.0)
    one, two = np.unravel_index(int(np.abs(correlation).argmax()), correlation.shape)
    return int(one), int(two), float(correlation[one, two])


def _barred(source: Indices) -> npt.NDArray[np.bool_]:
    """Pairs that tell nothing: a clip with itself or with another of its source, (n, n)."""
    same = source[:, np.newaxis] == source
    return np.eye(len(source), dtype=np.bool_) if same.all(axis=1).any() else np.asarray(same, dtype=np.bool_)


def _numbers(values: npt.NDArray[np.floating]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
