"""Descriptors: a spectrum as sixty numbers that a linear classifier can learn a taste from."""

from typing import Final

import numpy as np
import numpy.typing as npt

from appliance.spectrum.codec import Floats

__all__ = ["features"]

_POOL_BINS: Final = 9
_COMPONENTS: Final = 40
_HIGHEST: Final = 20
# Rows that are read at a time.
_BLOCK: Final = 2048


def features(spectra: npt.NDArray[np.float16]) -> Floats:
    """Describe spectra.

    Colour is the mean of every nine bins, roughness how far the bins within stand out of it: tones do, noise does not.
    Of both come the principal components, and what does not change with pitch: height, centre and spread of the
    colour, mean and highest roughness; and the products of these, because taste is seldom a straight line ("bright is
    fine where it is not noisy").

    Parameters
    ----------
    spectra : (n, 1233) float16
        May be a memory map; read block by block.

    Returns
    -------
    (n, <= 60) float32
        Each of mean 0 and variance 1.
    """
    pools = spectra.shape[1] // _POOL_BINS
    pooled = np.empty((len(spectra), 2 * pools), dtype=np.float32)
    for start in range(0, len(spectra), _BLOCK):
        block = spectra[start : start + _BLOCK, : pools * _POOL_BINS].astype(np.float32)
        block = block.reshape(len(block), pools, _POOL_BINS)
        pooled[start : start + _BLOCK, :pools] = block.mean(axis=2)
        pooled[start : start + _BLOCK, pools:] = block.max(axis=2) - block.mean(axis=2)
    overall = _overall(pooled[:, :pools], pooled[:, pools:])
    one, other = np.triu_indices(overall.shape[1])
    products = _standardised(overall[:, one] * overall[:, other])
    return np.concatenate([_components(pooled), overall, products], axis=1)


def _overall(colour: Floats, roughness: Floats) -> Floats:
    """Five numbers for each clip, (n, pools) twice to (n, 5)."""
    place = np.linspace(-1.0, 1.0, colour.shape[1], dtype=np.float32)
    height = colour.sum(axis=1) + np.float32(1e-6)
    centre = colour @ place / height
    width = np.sqrt(np.maximum(colour @ place**2 / height - centre**2, 0.0))
    highest = np.partition(roughness, -_HIGHEST, axis=1)[:, -_HIGHEST:].mean(axis=1)
    return _standardised(np.stack([height, centre, width, roughness.mean(axis=1), highest], axis=1))


def _standardised(columns: Floats) -> Floats:
    # What is the same for all clips says nothing, and stays near zero.
    return np.asarray((columns - columns.mean(axis=0)) / (columns.std(axis=0) + 1e-6), dtype=np.float32)


def _components(pooled: Floats) -> Floats:
    """Principal components, (n, pools) to (n, <= 40)."""
    pooled = pooled - pooled.mean(axis=0)
    heights, axes = np.linalg.eigh(pooled.T @ pooled / max(1, len(pooled)))
    # Clips that are all alike in a direction say nothing there.
    leading = [at for at in np.argsort(heights)[::-1][:_COMPONENTS] if heights[at] > 1e-8 * heights.max()]
    return np.asarray(pooled @ (axes[:, leading] / np.sqrt(heights[leading])), dtype=np.float32)
