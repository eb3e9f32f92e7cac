"""The network: a variational autoencoder of spectra, 1233 -> 32 -> 1233, in torch.

Dense, with residual blocks in the decoder. A small convolutional net like that of the original took 0.5 ms to
decode a spectrum and twenty seconds for an epoch of 2,650 clips on one core; this one a fifth and a second.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from appliance.spectrum.codec import BINS, FLOOR_DB

__all__ = [
    "GAIN",
    "LATENT",
    "Autoencoder",
    "Block",
    "Decoder",
    "Encoder",
    "Shape",
    "augment",
    "band_levels_db",
    "contrast_db",
    "mix_power",
    "roll",
]

LATENT = 32
# Outputs are learned in units of 24 dB, about what they vary by.
GAIN = 0.25
# Of the disguised sounds, so many are two at once. Half of them cost 0.16 dB: they have up to sixteen notes, and
# what a network learns for those it lacks for eight.
_MIXED = 0.2
# 10 log10 of power in octaves of power: a value v is 2 ** ((v - 1) * _OCTAVES).
_OCTAVES = -FLOOR_DB / 10.0 * math.log2(10.0)


@dataclass(frozen=True)
class Shape:
    """Widths of the layers.

    Attributes
    ----------
    encoder : int
        The encoder runs in the studio alone; its size is only that of the bundle.
    block, blocks : int
        Residual blocks behind the latents.
    last : int
        Width before the output: most of the weights and of the time.
    """

    encoder: int = 512
    block: int = 256
    blocks: int = 2
    last: int = 1024


class Block(nn.Module):
    """Residual, with the norm before."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:  # (n, width) -> (n, width)
        out: Tensor = x + self.second(torch.relu(self.first(self.norm(x))))
        return out


class Encoder(nn.Module):
    """Spectra to mean and log-variance; ``centre`` (1233,) is the mean of the training set.

    The mean is a straight line plus what the layers bend it by; see `Autoencoder`.
    """

    centre: Tensor

    def __init__(self, shape: Shape, centre: Tensor) -> None:
        super().__init__()
        self.register_buffer("centre", centre)
        self.straight = nn.Linear(BINS, LATENT, bias=False)
        last = nn.Linear(shape.encoder // 2, 2 * LATENT)
        with torch.no_grad():
            last.weight.mul_(0.2)
        self.layers = nn.Sequential(
            nn.Linear(BINS, shape.encoder),
            nn.GELU(),
            nn.Linear(shape.encoder, shape.encoder // 2),
            nn.GELU(),
            last,
        )

    def forward(self, spectra: Tensor) -> tuple[Tensor, Tensor]:  # (n, 1233) -> (n, 32), (n, 32)
        off = spectra - self.centre
        mean, log_variance = self.layers(off * 4.0).chunk(2, dim=1)
        # Noise as wide as the prior would drown the straight line at the start.
        return mean + self.straight(off), (log_variance - 2.0).clamp(-10.0, 4.0)


class Decoder(nn.Module):
    """Latents to spectra, not yet cut to 0..1."""

    centre: Tensor

    def __init__(self, shape: Shape, centre: Tensor) -> None:
        super().__init__()
        self.register_buffer("centre", centre)
        self.straight = nn.Linear(LATENT, BINS, bias=False)
        self.enter = nn.Linear(LATENT, shape.block)
        self.blocks = nn.Sequential(*(Block(shape.block) for _ in range(shape.blocks)))
        self.widen = nn.Linear(shape.block, shape.last)
        self.leave = nn.Linear(shape.last, BINS)
        with torch.no_grad():
            self.leave.weight.mul_(0.1)

    def forward(self, z: Tensor) -> Tensor:  # (n, 32) -> (n, 1233)
        hidden = torch.relu(self.widen(torch.relu(self.blocks(self.enter(z)))))  # (n, last)
        out: Tensor = self.leave(hidden) * GAIN + self.straight(z) + self.centre
        return out


class Autoencoder(nn.Module):
    """Encoder and decoder, as one thing to train.

    Both begin as principal components, and learn how the world is bent: that takes half as many steps as learning
    all from nothing.
    """

    def __init__(self, shape: Shape, spectra: Tensor) -> None:
        """Begin at the centre of some training ``spectra`` (n, 1233) and on their longest axes."""
        super().__init__()
        centre = spectra.mean(dim=0)
        self.encoder, self.decoder = Encoder(shape, centre), Decoder(shape, centre)
        found = torch.linalg.eigh(torch.cov((spectra - centre).T))
        axes, wide = found.eigenvectors[:, -LATENT:], found.eigenvalues[-LATENT:].clamp_min(1e-8).sqrt()
        with torch.no_grad():
            self.encoder.straight.weight.copy_((axes / wide).T)
            self.decoder.straight.weight.copy_(axes * wide)


def mix_power(one: Tensor, two: Tensor, share: Tensor) -> Tensor:
    """Both sounds at once: powers added, ``share`` (n, 1) of the first; (n, 1233) in 0..1."""
    power = torch.exp2((one - 1.0) * _OCTAVES) * share + torch.exp2((two - 1.0) * _OCTAVES) * (1.0 - share)
    return (1.0 + torch.log2(power.clamp_min(2.0**-_OCTAVES)) / _OCTAVES).clamp(0.0, 1.0)


def contrast_db(spectra: Tensor) -> Tensor:
    """How far what stands out stands out, octave by octave in half octave steps, (n, 1233) -> (n, 19).

    The fourth-power mean of what exceeds the mean of the surrounding half octave: a soft maximum, so that a
    few tall partials count for more than many small ones.
    """
    # By running sums: pooling took three times as long and was a third of the training.
    sums = functional.pad(functional.pad(spectra, (30, 30)).cumsum(dim=1), (1, 0))  # (n, 1294)
    around = (sums[:, 61:] - sums[:, :-61]) / 61.0
    fourth = torch.relu(spectra - around).mul(-FLOOR_DB).square().square()
    blocks = fourth[:, : 60 * (BINS // 60)].reshape(len(spectra), -1, 60).mean(dim=2)  # (n, 20)
    return ((blocks[:, :-1] + blocks[:, 1:]) / 2.0 + 1e-3).pow(0.25)


def band_levels_db(spectra: Tensor) -> Tensor:
    """Power of each half octave and of the whole, in dB over the floor, (n, 1233) -> (n, 21)."""
    power = torch.exp2(spectra * _OCTAVES)
    bands = power[:, : 60 * (BINS // 60)].reshape(len(spectra), -1, 60).sum(dim=2)  # (n, 20)
    return 10.0 * torch.log10(torch.cat([bands, power.sum(dim=1, keepdim=True)], dim=1))


def roll(spectra: Tensor, bins: Tensor) -> Tensor:
    """Transpose each row (n, 1233) by its own number of bins (n, 1); what comes in from outside is silent."""
    source = torch.arange(BINS, device=spectra.device)[None] - bins
    inside = (source >= 0) & (source < BINS)
    return spectra.gather(1, source.clamp(0, BINS - 1)) * inside


def augment(spectra: Tensor, rng: torch.Generator, strength: float = 1.0) -> Tensor:
    """Make other sounds of these: transposed by semitones, two at once, brighter or darker, louder or softer.

    Whole semitones, so that all stay in equal temperament on A440. With a strength of 0 some are transposed, and
    that is all. (n, 1233) -> (n, 1233)
    """
    count, where = len(spectra), spectra.device

    def chance(scale: float) -> Tensor:
        return torch.rand(count, 1, generator=rng, device=where) * scale

    def transposed() -> Tensor:
        bins = 10 * torch.randint(-6, 7, (count, 1), generator=rng, device=where)
        return torch.where(chance(1.0) < 0.7, bins, 0)

    one = roll(spectra, transposed())
    two = roll(spectra[torch.randperm(count, generator=rng, device=where)], transposed())
    both = mix_power(one, two, chance(0.9) + 0.05)
    sounds = torch.where(chance(1.0) < _MIXED * strength, both, one)
    octaves = torch.linspace(-5.0, 5.0, BINS, device=where)[None]
    slope, offset_db = torch.randn(2, count, 1, generator=rng, device=where)
    tilt_db = (slope * 1.5 * octaves + offset_db) * strength
    return torch.where(sounds > 0.0, (sounds - tilt_db / FLOOR_DB).clamp(0.0, 1.0), 0.0)
