"""The atlas: real sounds to start from, and the detail they lend to what is decoded near them.

A decoder with 32 latents leaves out the fine structure of a sound. Each place keeps what was left out there
(data minus reconstruction), and a decoded spectrum gets the detail of the nearest places on top.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from appliance.errors import StudioError
from appliance.spectrum.codec import FLOOR_DB, Floats
from appliance.studio.corpus import SPLITS, Corpus
from appliance.studio.judging.judge import CREST
from appliance.studio.training.net import Decoder, Encoder

__all__ = [
    "BELOW_TOP",
    "DETAIL_STEP_DB",
    "FEWEST_PLACES",
    "NEPERS",
    "TOP",
    "AtlasSettings",
    "LendingDecoder",
    "candidates",
    "choose",
    "nearest_median",
    "topped",
    "total_power",
]

# The detail is kept in steps of half a decibel: int8 reaches +-63 dB, and the error is 0.15 dB RMS.
DETAIL_STEP_DB = 0.5
# Natural logarithm of power, of the whole range of values.
NEPERS = -FLOOR_DB / 10.0 * math.log(10.0)
# Bins from 18.3 kHz up, of which `loss` compares no draws with clips, and those of the half octave below.
TOP, BELOW_TOP = slice(1200, None), slice(1150, 1200)
# Half a decibel under what passes full scale.
_UNCLIPPED = 1.0 + (20.0 * math.log10(CREST) + 0.5) / FLOOR_DB
# A piece has five sounds; with a few more, one does not follow itself.
FEWEST_PLACES = 16
_DRIFT_DB = 2.0
_FLUTTER_DB = 2.0


@dataclass(frozen=True)
class AtlasSettings:
    """How many places, and how they lend.

    Attributes
    ----------
    places : int
        2.5 MB of detail; the score deals them out, so that none comes back for hours.
    neighbours : int
        Places that lend to one point. The weight of the farthest is zero, so that none switches in or out.
    sharpness : float
        Weights are ``distance ** (-2 * sharpness)``: a place has its own detail whole, and a point far from
        all still has a nearest. (Shepard's interpolation: D. Shepard, Proc. 23rd ACM National Conference, 1968.)
    reach : float
        Distance at which the loan has faded to 1/e, in median distances between nearest neighbours. Detail
        belongs to one sound: lent to a sound far off it only adds error (0.5 dB held out), where the network's
        own peaks stand as high.
    seed : int
    """

    places: int = 2048
    neighbours: int = 8
    sharpness: float = 4.0
    reach: float = 1.0
    seed: int = 1


class LendingDecoder(nn.Module):
    """The whole decoder: the network, and on top the detail of the nearest places; (n, 32) -> (n, 1233) in 0..1.

    Attributes
    ----------
    places : (p, 32)
    detail : (p, 1233)
        In steps of ``DETAIL_STEP_DB``, whole numbers within +-127.
    loudest : float
        Power of the loudest place, or of the loudest that does not clip, as a value; what would be louder is turned
        down to it as a whole. Far from all places two sounds at once may otherwise come out 20 dB too loud.
    """

    places: Tensor
    detail: Tensor

    def __init__(self, decoder: Decoder, places: Tensor, spectra: Tensor, settings: AtlasSettings) -> None:
        super().__init__()
        self.decoder = decoder
        self.settings = settings
        self.reach = settings.reach * nearest_median(places)
        with torch.no_grad():
            left_out_db = (spectra - decoder(places)) * -FLOOR_DB
        self.loudest = min(float(total_power(spectra).max()), _UNCLIPPED)
        self.register_buffer("places", places)
        self.register_buffer("detail", (left_out_db / DETAIL_STEP_DB).round().clamp(-127, 127))

    def weights(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Weights (n, k), adding up to at most 1, and indices (n, k) of the places that lend to each point."""
        squared = (z.square().sum(1, keepdim=True) - 2.0 * z @ self.places.T + self.places.square().sum(1)).clamp_min(0)
        near, index = squared.topk(self.settings.neighbours, largest=False)  # (n, k) both
        # The same softening above and below: a point on a place has weight 1 there and nothing divides by zero.
        weight = ((near[:, :1] + 1e-2) / (near + 1e-2)) ** self.settings.sharpness
        weight = weight - weight[:, -1:]
        fade = torch.exp(-near[:, :1] / self.reach**2)
        return fade * weight / (weight.sum(1, keepdim=True) + 1e-6), index

    def forward(self, z: Tensor) -> Tensor:
        weight, index = self.weights(z)
        lent = (weight[:, None, :] @ self.detail[index])[:, 0]
        out = topped(self.decoder(z) + lent * (DETAIL_STEP_DB / -FLOOR_DB)).clamp(0.0, 1.0)
        excess = (total_power(out) - self.loudest).relu()
        held: Tensor = (out - excess).clamp(0.0, 1.0)
        return held

    def decode(self, z: npt.NDArray[np.floating]) -> Floats:
        """Decode latents of numpy, (n, 32) -> (n, 1233), some hundred at a time."""
        with torch.no_grad():
            rows = torch.from_numpy(np.asarray(z, dtype=np.float32))
            parts = [self(rows[start : start + 256]) for start in range(0, len(rows), 256)]
        return np.asarray(torch.cat(parts).numpy(), dtype=np.float32)


def topped(spectra: Tensor) -> Tensor:
    """Hold what is above 18 kHz down to the highest of the half octave below it, (n, 1233) to the same.

    Nearly all clips are silent up there and training compares no draws, so one draw in eight whistled, 3 to 30 dB above
    what it had below; of the sounds that were recorded or synthesised one in a thousand does.
    """
    return torch.cat([spectra[:, : TOP.start], spectra[:, TOP].minimum(spectra[:, BELOW_TOP].amax(1, True))], dim=1)


def total_power(spectra: Tensor) -> Tensor:
    """Power of all bins together, as a value (1 is a full-scale sine), (n, 1233) to (n, 1)."""
    return 1.0 + torch.logsumexp((spectra - 1.0) * NEPERS, dim=1, keepdim=True) / NEPERS


def nearest_median(places: Tensor) -> float:
    """Median distance from a place to the nearest other."""
    apart = torch.cdist(places, places).fill_diagonal_(torch.inf)
    return float(apart.min(dim=1).values.median())


def candidates(corpus: Corpus) -> npt.NDArray[np.intp]:
    """Training clips that could be a place: fit, and without decay, swell or strong beating; (n,) int.

    The codec would freeze a moment that never was. Where hardly any is steady, all that are fit may serve.
    """
    fit = corpus.fit & (corpus.split == SPLITS.index("train"))
    steady = fit & (np.abs(corpus.drift_db) < _DRIFT_DB) & (corpus.flutter_db < _FLUTTER_DB)
    return np.flatnonzero(steady if steady.sum() >= FEWEST_PLACES else fit)


def choose(corpus: Corpus, encoder: Encoder, settings: AtlasSettings) -> tuple[Tensor, Tensor]:
    """Pick diverse places among the `candidates`; all of them where they are fewer than wanted.

    Each next place is drawn with probability proportional to its squared distance from those already picked
    (k-means++: D. Arthur and S. Vassilvitskii, SODA 2007).

    Returns
    -------
    places : (p, 32)
    spectra : (p, 1233)

    Raises
    ------
    StudioError
        If there are fewer than ``FEWEST_PLACES``.
    """
    # Of clips that are the same only the last: a place that is there already can never be drawn.
    rows = np.array(sorted({corpus.spectra[row].tobytes(): row for row in candidates(corpus)}.values()), dtype=np.intp)
    if len(rows) < FEWEST_PLACES:
        raise StudioError(
            f"The corpus has {len(rows)} clips fit for the atlas and needs {FEWEST_PLACES}; gather more, or keep more."
        )
    spectra = torch.from_numpy(corpus.spectra[rows].astype(np.float32))
    with torch.no_grad():
        latents = encoder(spectra)[0]
    rng = torch.Generator().manual_seed(settings.seed)
    picked = [int(torch.randint(len(rows), (1,), generator=rng))]
    away = torch.full((len(rows),), torch.inf)
    while len(picked) < min(settings.places, len(rows)):
        away = torch.minimum(away, (latents - latents[picked[-1]]).square().sum(dim=1))
        picked.append(int(torch.multinomial(away, 1, generator=rng)))
    return latents[picked], spectra[picked]
