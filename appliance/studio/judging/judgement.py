"""What a model was found to be: plain numbers, from which the report and the advice are written."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from appliance.spectrum.codec import Floats

__all__ = [
    "Example",
    "Judgement",
    "Latents",
    "Lines",
    "Material",
    "Neighbours",
    "Part",
    "Precision",
    "Prior",
    "SourceError",
    "Training",
    "Trait",
]

Numbers = tuple[float, ...]


@dataclass(frozen=True)
class Material:
    """What was learned from: clips and sources by split, sources and clips by licence note.

    ``largest`` is the source with the most training clips, and ``largest_share`` its share of them.
    """

    clips: Mapping[str, int]
    sources: Mapping[str, int]
    licences: tuple[tuple[str, int, int], ...]
    largest: str
    largest_share: float


@dataclass(frozen=True)
class Part:
    """Clips of one kind, encoded and decoded again; errors in dB RMS, peaks over the local median in dB.

    ``rms_db`` and ``peaks_db`` are of the decoder that plays, with the detail that its atlas lends;
    ``alone_rms_db`` is of the network without it.
    """

    clips: int
    sources: int
    rms_db: float
    alone_rms_db: float
    pca_rms_db: float
    peaks_db: float
    data_peaks_db: float

    @property
    def share(self) -> float:
        """Error as a share of that of PCA."""
        return self.rms_db / max(self.pca_rms_db, 1e-9)

    @property
    def peaks_off_db(self) -> float:
        """How far peaks are off those of the originals, either way."""
        return abs(self.data_peaks_db - self.peaks_db)


@dataclass(frozen=True)
class SourceError:
    """Errors in dB RMS over the clips of one source."""

    name: str
    clips: int
    rms_db: float
    pca_rms_db: float


@dataclass(frozen=True)
class Trait:
    """A trait of sounds and of what came back of them: some values of both, and over all of them how far off."""

    name: str
    unit: str
    mean_abs: float
    correlation: float
    original: Numbers
    again: Numbers


@dataclass(frozen=True)
class Latents:
    """Posterior against prior, over training clips.

    Attributes
    ----------
    active : (32,) of bool
    mean_variance, divergence : (32,)
        Variance of the posterior mean over clips; KL divergence from the prior in nats.
    centre, spread : (32,)
        Mean and standard deviation of the aggregate posterior (means with their noise).
    histogram : (32, k)
        Density of the aggregate posterior on ``edges`` (k + 1,).
    radii : (m,)
        Distances of some of its samples from the origin.
    worst_pair : (int, int)
        The two latents whose means are most correlated, and ``worst_correlation``.
    """

    active: tuple[bool, ...]
    mean_variance: Numbers
    divergence: Numbers
    centre: Numbers
    spread: Numbers
    edges: Numbers
    histogram: tuple[Numbers, ...]
    radii: Numbers
    worst_pair: tuple[int, int]
    worst_correlation: float


@dataclass(frozen=True)
class Neighbours:
    """Do latent neighbours sound alike? Median distances in dB RMS over the bins, between clips of two sources.

    ``near_db`` to the nearest in latent space, ``random_db`` to any, ``closest_db`` to the most alike there is;
    the same over levels of half octaves.
    """

    clips: int
    near_db: float
    random_db: float
    closest_db: float
    near_bands_db: float
    random_bands_db: float

    @property
    def found(self) -> float:
        """How much of the likeness there is the latent space finds: 0 as good as chance, 1 all."""
        return (self.random_db - self.near_db) / max(self.random_db - self.closest_db, 1e-9)


@dataclass(frozen=True)
class Lines:
    """Straight lines between two places: size in dB RMS of each step of some, and largest over mean step of all."""

    steps_db: tuple[Numbers, ...]
    unevenness: Numbers


@dataclass(frozen=True)
class Precision:
    """How far int8 is off float32 in dB RMS, and the median time of one spectrum in microseconds."""

    off_db: float
    int8_us: float
    fp32_us: float


@dataclass(frozen=True)
class Prior:
    """Draws as wide as the atlas.

    Attributes
    ----------
    draws : int
    unusable : float
        Share with any reason of `judge.unusable`; ``reasons`` has the share of each.
    own : float
        The same share among training clips that were left out of the percentiles: what is right by chance.
    peaks_db, training_peaks_db : float
    level_sd_lu, training_level_sd_lu : float
        Standard deviation of loudness.
    """

    draws: int
    unusable: float
    reasons: Mapping[str, float]
    own: float
    peaks_db: float
    training_peaks_db: float
    level_sd_lu: float
    training_level_sd_lu: float

    @property
    def peaks_off_db(self) -> float:
        """How far peaks are off those of the training data, either way."""
        return abs(self.training_peaks_db - self.peaks_db)


@dataclass(frozen=True)
class Training:
    """As `train.Progress`, in order: steps done, errors in dB RMS, divergence in nats, seconds since the start."""

    step: Numbers
    train_rms_db: Numbers
    tune_rms_db: Numbers
    kl: Numbers
    seconds: Numbers


@dataclass(frozen=True)
class Example:
    """Sounds to hear and see side by side: ``kind`` is worst, usual, neighbours or draws."""

    kind: str
    title: str
    labels: tuple[str, ...]
    spectra: tuple[Floats, ...]


@dataclass(frozen=True)
class Judgement:
    """All that was measured of one model; None where there was nothing to measure it on.

    Attributes
    ----------
    corpus : str
        Name of its folder.
    settings : mapping
        With what it was trained.
    parts : mapping of str to Part
        ``train``, ``tune``, ``held_out`` and ``recordings`` (from elsewhere), those that there are.
    hz, error_db, pca_error_db : (k,)
        Error along frequency, of what was held out.
    sources : tuple of SourceError
        Those held out, worst first.
    missing : tuple of str
        What could not be measured and why, a sentence each.
    places : int
        Sounds in the atlas; 0 where there is none.
    took_s : float
        How long judging took.
    """

    corpus: str
    settings: Mapping[str, Any]
    material: Material
    parts: Mapping[str, Part]
    hz: Numbers
    error_db: Numbers
    pca_error_db: Numbers
    sources: tuple[SourceError, ...]
    traits: tuple[Trait, ...]
    latents: Latents
    prior: Prior
    places: int
    neighbours: Neighbours
    lines: Lines
    precision: Precision | None
    training: Training | None
    examples: tuple[Example, ...]
    missing: tuple[str, ...]
    took_s: float
