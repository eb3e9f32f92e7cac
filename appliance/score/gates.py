"""Gates: what a sound must not be, judged by the sounds that the model was made of.

The author of the instrument made fifty songs to keep fifteen, because now and then a decoder gives something too loud
or odd. The box has no ear; it has the atlas, whose sounds somebody chose.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from appliance.score.harmony import chroma
from appliance.spectrum import traits
from appliance.spectrum.codec import BINS, Floats, bin_hz, decibels, from_power, power

__all__ = ["QUIETEST", "Gates", "Measured", "blended", "gates_of", "measure"]

_SHARPEST_PEAKS = 12
_GROUND_BINS = 30
_HARSH_HZ = (2_000.0, 6_000.0)
_INNER_LU, _INNER_SHARPNESS_DB, _INNER_HARSHNESS_DB, _INNER_ROUGHNESS = 3.0, 3.0, 2.5, 0.08
# K-weighted power below which a sound is not brought up any more.
QUIETEST = 10.0**-7.5
# At this level, spectra are measured: that of a loud clip.
_MEASURED_LUFS = -20.0


@dataclass(frozen=True)
class Measured:
    """What the gates look at, each (n,) float32.

    Attributes
    ----------
    sharpness_db : how far the 12 highest peaks stand over what is around them, on average.
    harshness_db : the part of the loudness that lies between 2 and 6 kHz, where the ear is most easily tired.
    roughness : how much the 12 highest peaks beat with each other, 0..1.
    chroma : of the 12 highest peaks, (n, 120); see `harmony.chroma`.
    """

    sharpness_db: Floats
    harshness_db: Floats
    roughness: Floats
    chroma: Floats


@dataclass(frozen=True)
class Gates:
    """Bounds of what is heard.

    Attributes
    ----------
    lufs : (float, float)
        Loudness of a sound as the decoder gives it, before it is levelled.
    sharpness_db : float
        At least.
    harshness_db, roughness : float
        At most.
    """

    lufs: tuple[float, float]
    sharpness_db: float
    harshness_db: float
    roughness: float

    def inner(self) -> "Gates":
        """Gates a little narrower: who is within them is not outside these a moment later."""
        return Gates(
            (self.lufs[0] + _INNER_LU, self.lufs[1] - _INNER_LU / 2.0),
            self.sharpness_db + _INNER_SHARPNESS_DB,
            self.harshness_db - _INNER_HARSHNESS_DB,
            self.roughness - _INNER_ROUGHNESS,
        )

    def outside_level(self, lufs: Floats) -> npt.NDArray[np.bool_]:
        """Whether sounds are too loud or too soft by themselves, (n,)."""
        return np.asarray(~((lufs >= self.lufs[0]) & (lufs <= self.lufs[1])))

    def outside(self, found: Measured) -> npt.NDArray[np.bool_]:
        """Whether what is heard is too blunt, harsh or rough, (n,)."""
        inside = (
            (found.sharpness_db >= self.sharpness_db)
            & (found.harshness_db <= self.harshness_db)
            & (found.roughness <= self.roughness)
        )
        return np.asarray(~inside)


def gates_of(spectra: Floats) -> Gates:
    """Set the gates by the sounds of an atlas, (places, 1233): a little outside all but the strangest of them."""
    found = measure(blended(power(spectra)))
    lufs = traits.level(spectra)
    return Gates(
        lufs=(float(np.percentile(lufs, 1)) - 10.0, float(np.percentile(lufs, 99)) + 6.0),
        sharpness_db=float(np.percentile(found.sharpness_db, 1)) - 2.0,
        harshness_db=float(np.percentile(found.harshness_db, 98)) + 1.0,
        roughness=float(np.percentile(found.roughness, 98)) + 0.03,
    )


def blended(powers: Floats) -> Floats:
    """Bring power spectra, (n, 1233), to the level at which they are measured, K-weighted."""
    loud = np.maximum(powers @ traits.k_weighting(), QUIETEST)
    return np.asarray(powers * (traits.weighted_power(_MEASURED_LUFS) / loud)[:, np.newaxis], dtype=np.float32)


def measure(powers: Floats) -> Measured:
    """Measure power spectra, (n, 1233), that were brought to one level."""
    spectra = from_power(powers)
    level_db = decibels(spectra)
    sums = np.zeros((len(powers), BINS + 1))
    np.cumsum(level_db, axis=1, out=sums[:, 1:])
    bins, heights = traits.peaks(spectra, _SHARPEST_PEAKS)
    first, last = np.maximum(bins - _GROUND_BINS, 0), np.minimum(bins + _GROUND_BINS + 1, BINS)
    rows = np.arange(len(powers))[:, np.newaxis]
    ground = (sums[rows, last] - sums[rows, first]) / (last - first)
    sharpness = np.where(np.isfinite(heights), heights - ground, 0.0).mean(axis=1)
    harsh = powers @ _harsh() / np.maximum(powers @ traits.k_weighting(), 1e-12)
    return Measured(
        sharpness.astype(np.float32),
        (10.0 * np.log10(np.maximum(harsh, 1e-9))).astype(np.float32),
        traits.roughness(bins, heights),
        chroma(bins, heights),
    )


@lru_cache(maxsize=1)
def _harsh() -> Floats:
    hz = bin_hz()
    return traits.k_weighting() * ((hz >= _HARSH_HZ[0]) & (hz <= _HARSH_HZ[1]))
