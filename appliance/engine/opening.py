"""Opening a model: from a bundle to what the score needs of it."""

import numpy as np

from appliance.model.bundle import Bundle
from appliance.model.decoder import open_decoder
from appliance.score.space import Space

__all__ = ["space_of"]


def space_of(bundle: Bundle) -> Space:
    """Open a bundle's decoder and give what the score needs of it. Raises ModelError."""
    manifest = bundle.manifest
    return Space(
        decode=open_decoder(bundle).decode,
        atlas=bundle.parts.atlas,
        axes=np.array(manifest.pca_axes, dtype=np.float32),
        scale=np.array(manifest.pca_scale, dtype=np.float32),
        directions={name: np.array(row, dtype=np.float32) for name, row in manifest.directions.items()},
        mean=manifest.statistics.trait_mean,
        sd=manifest.statistics.trait_sd,
        wiggle_speed=manifest.statistics.wiggle_speed,
    )
