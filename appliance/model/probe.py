"""Whether a `.latent` file is a model that can be played, as far as can be told without the engine.

What `bundle` checks is whether a file is what it says; here is whether that makes sense: that its networks can do no
harm, that its sounds are sounds, and that its manifest tells the truth about them. The bounds are wide: they keep out
what is broken, not what is unusual.
"""

import math
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from appliance.errors import ModelError
from appliance.model.bundle import Bundle
from appliance.model.manifest import LATENT_SIZE
from appliance.spectrum import traits
from appliance.spectrum.codec import FLOOR_DB, Floats, bin_hz, power

__all__ = ["check_axes", "check_sounds", "check_statistics"]

# Traits by which the score ranks.
_TRAITS: Final[Mapping[str, Callable[[Floats], Floats]]] = {
    "level": traits.level,
    "pitch": traits.pitch,
    "tonality": traits.tonality,
}
_RANKED: Final = ("level", "pitch", "tonality", "weirdness")
# Of 2,000 draws from each of the shipped models: all values lie within 0..0.86, the loudest is -14 LUFS, the median
# -24, and the softest -60; the median has a 5,000th of its loudness above 5 kHz, and one of a hundred a twentieth.
_RANGE: Final = (-0.5, 1.25)
_LOUDEST_LUFS: Final = 0.0
_SILENT_LUFS: Final = -60.0
_SHRILL_HZ: Final = 5_000.0
_SHRILL_SHARE: Final = 0.5
# How much two of their draws differ: 11 dB.
_ALIKE_DB: Final = 0.5
# Beyond this, golden spectra prove nothing; the studio never allows more than 0.5 dB.
_MOST_TOLERANCE_DB: Final = 1.0
# The shipped models' statistics, measured on every fourth place of their atlas: means within 0.1 standard deviations,
# spreads within 10 %, a step along a direction 0.8 to 2.1 where 1 is meant.
_MEAN_SD: Final = 0.5
_SPREAD: Final = 2.0
_RISE_SD: Final = (0.1, 6.0)
# The studio's axes are orthonormal to 2e-15, in float32 to 1e-6.
_ORTHONORMAL: Final = 1e-3


def check_axes(bundle: Bundle) -> None:
    """See that the axes and scales of a model are those of its atlas. Raises ModelError."""
    manifest, atlas = bundle.manifest, bundle.parts.atlas.astype(np.float64)
    axes, scale = np.array(manifest.pca_axes), np.array(manifest.pca_scale)
    if len(axes) != LATENT_SIZE:
        _refuse(bundle, f"has {len(axes)} principal axes where the engine needs {LATENT_SIZE}")
    if bundle.parts.golden_tolerance_db > _MOST_TOLERANCE_DB:
        off_db = bundle.parts.golden_tolerance_db
        _refuse(
            bundle, f"has a golden tolerance of {off_db:.3g} dB, where more than {_MOST_TOLERANCE_DB:g} proves nothing"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        askew = float(np.abs(axes @ axes.T - np.eye(LATENT_SIZE)).max())
    if not askew <= _ORTHONORMAL:
        _refuse(bundle, "has principal axes that are not at right angles or not of length 1")
    along = ((atlas - atlas.mean(axis=0)) @ axes.T).std(axis=0)
    off = np.flatnonzero(~(np.abs(np.log2(np.maximum(along, 1e-12) / scale)) <= math.log2(_SPREAD)))
    if len(off):
        axis = int(off[0])
        _refuse(
            bundle,
            f"says that its atlas spreads by {scale[axis]:.3g} along axis {axis + 1}, and it is {along[axis]:.3g}",
        )


def check_sounds(bundle: Bundle, decode: Callable[[Floats], Floats], latents: Floats) -> None:
    """Listen to what a model gives for latents, (n, 32), and for its atlas: whether it is sound at all.

    Raises
    ------
    ModelError
        If it is not finite, out of range, silent, ear-splitting, always the same, or another the second time.
    """
    drawn = decode(latents)
    for spectra in (drawn, decode(sample(bundle))):
        _check_values(bundle, spectra)
        _check_loudness(bundle, spectra)
    if float(np.sqrt(drawn.var(axis=0, dtype=np.float64).mean())) * -FLOOR_DB < _ALIKE_DB:
        _refuse(bundle, "gives the same sound wherever it is played", "train it longer, or export another")
    if not np.array_equal(decode(latents), drawn):
        _refuse(bundle, "decodes the same place differently each time", "export it for inference")
    if not np.allclose(np.concatenate([decode(row[np.newaxis]) for row in latents[:8]]), drawn[:8], atol=0.01):
        _refuse(bundle, "mixes sounds that are decoded together", "export it so that each row is decoded by itself")


def check_statistics(bundle: Bundle, decode: Callable[[Floats], Floats]) -> None:
    """See that what a manifest says of the traits is so, by decoding a part of the atlas. Raises ModelError."""
    told, latents = bundle.manifest.statistics, sample(bundle)
    missing = [name for name in _RANKED if name not in told.trait_mean]
    if missing:
        _refuse(bundle, f"does not say how its sounds are spread in {', '.join(missing)}")
    spectra = decode(latents)
    values = {name: of(spectra) for name, of in _TRAITS.items()} | {"weirdness": traits.weirdness(latents)}
    for name, found in values.items():
        mean, spread = float(found.mean(dtype=np.float64)), float(found.std(dtype=np.float64))
        _compare(bundle, name, (mean, spread), (told.trait_mean[name], told.trait_sd[name]))
    for name, of in _TRAITS.items():
        if name in bundle.manifest.directions:
            _check_direction(bundle, decode, name, of)


def sample(bundle: Bundle) -> Floats:
    """Up to 512 places from all over the atlas, (n, 32)."""
    atlas = bundle.parts.atlas
    return atlas[:: -(-len(atlas) // 512)]


def _check_values(bundle: Bundle, spectra: Floats) -> None:
    if not np.isfinite(spectra).all():
        _refuse(bundle, "gives sounds that are not finite numbers", "train and export it anew")
    low, high = float(spectra.min()), float(spectra.max())
    if not (_RANGE[0] <= low and high <= _RANGE[1]):
        _refuse(
            bundle, f"gives values from {low:.3g} to {high:.3g} where spectra have 0 to 1", "export it with its scale"
        )


def _check_loudness(bundle: Bundle, spectra: Floats) -> None:
    lufs = traits.level(spectra)
    if float(lufs.max()) > _LOUDEST_LUFS:
        _refuse(bundle, f"gives ear-splitting sounds (up to {lufs.max():.0f} LUFS)", "export it with its scale")
    if float(np.median(lufs)) < _SILENT_LUFS:
        _refuse(bundle, f"is silent (about {np.median(lufs):.0f} LUFS)", "train and export it anew")
    weighted = power(spectra) * traits.k_weighting()
    share = float(np.median(weighted[:, bin_hz() > _SHRILL_HZ].sum(axis=1) / np.maximum(weighted.sum(axis=1), 1e-12)))
    if share > _SHRILL_SHARE:
        _refuse(bundle, f"gives ear-splitting sounds ({share:.0%} of them above 5 kHz)", "train and export it anew")


def _compare(bundle: Bundle, name: str, found: tuple[float, float], told: tuple[float, float]) -> None:
    mean, spread = found
    if not abs(told[0] - mean) <= _MEAN_SD * max(spread, 1e-3):
        _refuse(bundle, f"says that its mean {name} is {told[0]:.3g}, and it is {mean:.3g}")
    if not abs(math.log2(max(spread, 1e-6) / told[1])) <= math.log2(_SPREAD):
        _refuse(bundle, f"says that its {name} spreads by {told[1]:.3g}, and it is {spread:.3g}")


def _check_direction(
    bundle: Bundle, decode: Callable[[Floats], Floats], name: str, of: Callable[[Floats], Floats]
) -> None:
    latents, way = sample(bundle).astype(np.float64), np.array(bundle.manifest.directions[name])
    # What the engine's float32 cannot hold is no direction either.
    ends = [np.clip(latents + sign * way / 2.0, -1e6, 1e6).astype(np.float32) for sign in (1.0, -1.0)]
    high, low = (of(decode(end)) for end in ends)
    rise = float(np.mean(high - low)) / bundle.manifest.statistics.trait_sd[name]
    if not _RISE_SD[0] <= rise <= _RISE_SD[1]:
        _refuse(bundle, f"has a direction of {name} along which it rises by {rise:.3g} standard deviations, not by 1")


def _refuse(bundle: Bundle, problem: str, remedy: str = "export it anew") -> None:
    raise ModelError(f"{bundle.path} {problem}; {remedy}.")
