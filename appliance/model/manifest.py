"""`manifest.json` of a `.latent` file: what a model says about itself."""

import math
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from appliance.model.outside import NAME_PATTERN
from appliance.spectrum.codec import BINS, BINS_PER_OCTAVE, FLOOR_DB, TOP_HZ

__all__ = ["FORMAT", "LATENT_SIZE", "Manifest", "Member", "SpectrumLayout", "Statistics"]

FORMAT: Final = 1
LATENT_SIZE: Final = 32

# What a terminal would obey instead of print has no place in a name.
_Line = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
_Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
_Latent = Annotated[list[float], Field(min_length=LATENT_SIZE, max_length=LATENT_SIZE)]
_Positive = Annotated[float, Field(gt=0.0)]


class _Page(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Member(_Page):
    """One file inside the zip: sha256 in hex, and size in bytes."""

    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=0)]


class SpectrumLayout(_Page):
    """The spectra that the model was made for; must be those of the codec."""

    bins: int = BINS
    bins_per_octave: int = BINS_PER_OCTAVE
    top_hz: float = TOP_HZ
    floor_db: float = FLOOR_DB

    @model_validator(mode="after")
    def _is_ours(self) -> Self:
        if (self.bins, self.bins_per_octave, self.top_hz, self.floor_db) != (BINS, BINS_PER_OCTAVE, TOP_HZ, FLOOR_DB):
            raise ValueError(
                f"must be {BINS} bins, {BINS_PER_OCTAVE} an octave, up to {TOP_HZ} Hz, with a floor of {FLOOR_DB} dB"
            )
        return self


class Statistics(_Page):
    """What was measured when the model was exported.

    Attributes
    ----------
    wiggle_speed : float
        Latent distance that a wiggle may cover in a second.
    trait_mean, trait_sd : dict[str, float]
        Of each trait over the atlas, in the unit of the trait; the same names in both.
    scores : dict[str, float]
        How well the model did, by name of the measure.
    """

    wiggle_speed: _Positive
    trait_mean: dict[_Word, float]
    trait_sd: dict[_Word, _Positive]
    scores: dict[_Word, float]

    @model_validator(mode="after")
    def _same_traits(self) -> Self:
        if self.trait_mean.keys() != self.trait_sd.keys():
            raise ValueError("trait_mean and trait_sd must name the same traits")
        return self


class Manifest(_Page):
    """The whole page.

    Attributes
    ----------
    directions : dict[str, list[float]]
        For each trait, the latent direction (32) along which it grows.
    pca_axes : list[list[float]]
        Principal axes of the atlas, (k, 32) with k of 1..32, longest first.
    pca_scale : list[float]
        Standard deviation of the atlas along each, (k,).
    pca_names : list[str]
        What each moves most, (k,); empty where nobody looked.
    members : dict[str, Member]
        Every other file in the zip; `bundle.write` fills it in.
    """

    format: Literal[1] = FORMAT
    name: Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
    licence: _Line
    author: _Line
    created: _Line
    latent_size: Literal[32] = LATENT_SIZE
    spectrum: SpectrumLayout = SpectrumLayout()
    directions: dict[_Word, _Latent]
    pca_axes: Annotated[list[_Latent], Field(min_length=1, max_length=LATENT_SIZE)]
    pca_scale: list[_Positive]
    pca_names: list[_Line] = Field(default_factory=list)
    statistics: Statistics
    members: dict[str, Member] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _shapes_agree(self) -> Self:
        if len(self.pca_scale) != len(self.pca_axes):
            raise ValueError("pca_scale must hold one number for each of pca_axes")
        if self.pca_names and len(self.pca_names) != len(self.pca_axes):
            raise ValueError("pca_names must hold one name for each of pca_axes, or none")
        for name, direction in self.directions.items():
            if math.hypot(*direction) == 0.0:
                raise ValueError(f"the direction of {name} has no length")
        return self
