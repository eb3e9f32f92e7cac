"""What training makes small."""

from dataclasses import dataclass

import torch
from torch import Tensor

from appliance.spectrum.codec import FLOOR_DB
from appliance.studio.training.net import LATENT, Decoder, Encoder, band_levels_db, contrast_db, mix_power

__all__ = ["Loss", "Weights", "decode_mean", "loss", "rms_db"]

_SCALE_DB = -FLOOR_DB


@dataclass(frozen=True)
class Weights:
    """How much each part of the loss counts; squared error in dB counts 1.

    Attributes
    ----------
    kl : float
        KL divergence from the prior. From 0.005 to 0.06 (the evidence bound for an error of 6 dB) the error hardly
        moves, and the larger, the more the prior's draws sound like something.
    between : float
        Squared error half way: a point between two sounds must decode to both at once, their powers added. Without
        it a chord between two chords has the peaks of neither.
    contrast, prior_contrast : float
        Squared error in `contrast_db`: of what is decoded, and of draws from the prior (whose contrasts are compared
        in order of size, as they have no sound of their own). Squared error alone is least for an average, and an
        average of spectra is blurred: noise where a tone should be. It costs 0.2 dB of error and gives back half of
        the lost height of the peaks.
    prior_level : float
        The same comparison of levels, by half octaves and in all. Without it draws from the prior differ in
        loudness by 8 LU (standard deviation), four times as much as the sounds they stand for.
    """

    kl: float = 0.03
    between: float = 0.25
    contrast: float = 0.5
    prior_contrast: float = 0.3
    prior_level: float = 0.1


@dataclass(frozen=True)
class Loss:
    """The whole, and two parts of it: squared error in dB squared, and divergence in nats."""

    whole: Tensor
    squared: Tensor
    divergence: Tensor


def loss(encoder: Encoder, decoder: Decoder, x: Tensor, weights: Weights, rng: torch.Generator) -> Loss:
    """Rate a batch, (n, 1233) in 0..1 with n at least 4."""
    mean, log_variance = encoder(x)  # (n, 32) both
    z = mean + torch.exp(0.5 * log_variance) * torch.randn(mean.shape, generator=rng, device=x.device)
    out = decoder(z)  # (n, 1233)
    wanted = contrast_db(x)  # (n, 19)
    squared = _squared_error(out, x)
    divergence = (0.5 * (mean**2 + log_variance.exp() - 1.0 - log_variance)).sum(dim=1).mean()
    flat = (contrast_db(out.relu()) - wanted).square().mean()
    whole = squared + weights.kl * divergence + weights.contrast * flat
    whole = whole + weights.between * _between(decoder, x, z, weights, rng)
    return Loss(whole + _prior(decoder, x, mean.detach().std(dim=0), wanted, weights, rng), squared, divergence)


def decode_mean(encoder: Encoder, decoder: Decoder, spectra: Tensor) -> Tensor:
    """There and back without noise, (n, 1233) in 0..1."""
    with torch.no_grad():
        out: Tensor = decoder(encoder(spectra)[0]).clamp(0.0, 1.0)
    return out


def rms_db(one: Tensor, two: Tensor) -> float:
    """Root of the mean squared difference over all bins and rows, in dB."""
    return float((one - two).square().mean().sqrt()) * _SCALE_DB


def _squared_error(out: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared error in dB; below the floor anything is right, because it is cut off there."""
    error = (out - wanted) * _SCALE_DB
    return torch.where((wanted <= 0.0) & (out < 0.0), 0.0, error).square().mean()


def _between(decoder: Decoder, x: Tensor, z: Tensor, weights: Weights, rng: torch.Generator) -> Tensor:
    """Points between the first half of a batch and the second, against both sounds at once."""
    half = len(x) // 2
    share = torch.rand(half, 1, generator=rng, device=x.device) * 0.8 + 0.1
    # From the chord (exponent 1) out to the arc (1/2), which keeps the distance from the origin: points of the
    # prior are sums of that kind, and a decoder that never saw the arc gives them no peaks.
    bow = 1.0 - 0.5 * torch.rand(half, 1, generator=rng, device=x.device)
    out = decoder(share**bow * z[:half] + (1.0 - share) ** bow * z[-half:])
    mixed = mix_power(x[:half], x[-half:], share)
    flat = (contrast_db(out.relu()) - contrast_db(mixed)).square().mean()
    return _squared_error(out, mixed) + weights.contrast * flat


def _prior(decoder: Decoder, x: Tensor, wide: Tensor, wanted: Tensor, weights: Weights, rng: torch.Generator) -> Tensor:
    """Draws as wide as the batch, whose contrasts and levels should be distributed as the batch's."""
    quarter = len(x) // 4
    drawn = decoder(torch.randn(quarter, LATENT, generator=rng, device=x.device) * wide)
    flat = (contrast_db(drawn.relu()).sort(dim=0)[0] - wanted[:quarter].sort(dim=0)[0]).square().mean()
    levels, usual = band_levels_db(drawn.clamp(0.0, 1.0)), band_levels_db(x[:quarter])
    off = (levels.sort(dim=0)[0] - usual.sort(dim=0)[0]).square().mean(dim=0)  # (21,)
    return weights.prior_contrast * flat + weights.prior_level * (off[:-1].mean() + off[-1])
