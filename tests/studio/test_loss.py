"""Each part of the loss asks for what it says, of networks whose answers are known."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from appliance.spectrum.codec import BINS
from appliance.studio.judging.judge import divergences
from appliance.studio.training.loss import Loss, Weights, decode_mean, loss, rms_db
from appliance.studio.training.net import LATENT, contrast_db, mix_power

_NONE = Weights(kl=0.0, between=0.0, contrast=0.0, prior_contrast=0.0, prior_level=0.0)
_COUNT = 64


class _Known(nn.Module):
    """Answers with a function."""

    def __init__(self, answer: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, x: Tensor) -> object:
        return self.answer(x)


def _sounds() -> Tensor:
    """Peaks at places of their own over noise, (64, 1233)."""
    rng = torch.Generator().manual_seed(1)
    sounds = 0.2 + 0.02 * torch.rand(_COUNT, BINS, generator=rng)
    for row, place in enumerate(torch.randint(100, 137, (_COUNT,), generator=rng).tolist()):
        sounds[row, place::37] += 0.5
    return sounds


def _rate(x: Tensor, out: Callable[[Tensor], Tensor], weights: Weights, mean: Tensor | None = None) -> Loss:
    """Rate a decoder; what is encoded is at ``mean``, with hardly any noise."""
    at = torch.zeros(len(x), LATENT) if mean is None else mean
    encoder = _Known(lambda seen: (at, torch.full((len(seen), LATENT), -10.0)))
    decoder = _Known(lambda z: out(z)[: len(z)])
    return loss(encoder, decoder, x, weights, torch.Generator().manual_seed(2))  # type: ignore[arg-type]


def test_squared_error_is_in_decibels() -> None:
    x = _sounds()
    rated = _rate(x, lambda z: x + 3.0 / 96.0, _NONE)
    assert float(rated.squared) == pytest.approx(9.0, rel=1e-4)
    assert float(rated.whole) == float(rated.squared)


def test_what_is_below_the_floor_may_be_anywhere_there() -> None:
    x = _sounds()
    x[:, 600:] = 0.0
    under, over = x.clone(), x.clone()
    under[:, 600:] -= 0.5
    over[:, 600:] += 0.5
    assert float(_rate(x, lambda z: under, _NONE).squared) == 0.0
    assert float(_rate(x, lambda z: over, _NONE).squared) > 1000.0
    audible = x.clone()
    audible[:, :600] -= 0.5
    assert float(_rate(x, lambda z: audible, _NONE).squared) > 1000.0


def test_divergence_is_that_of_gaussians_and_counts_by_its_weight() -> None:
    x, rng = _sounds(), torch.Generator().manual_seed(3)
    mean = torch.randn(_COUNT, LATENT, generator=rng)
    rated = _rate(x, lambda z: x, replace(_NONE, kl=0.5), mean)
    wanted = divergences(mean.numpy(), np.full((_COUNT, LATENT), -10.0)).sum()
    assert float(rated.divergence) == pytest.approx(wanted, rel=1e-5)
    assert float(rated.whole) == pytest.approx(0.5 * wanted, rel=1e-5)


def test_contrast_asks_for_peaks_as_high_as_they_were() -> None:
    x = _sounds()
    blurred = nn.functional.avg_pool1d(x[:, None], 25, 1, 12)[:, 0]
    flat = replace(_NONE, contrast=0.5)
    rated = _rate(x, lambda z: blurred, flat)
    lost = (contrast_db(blurred) - contrast_db(x)).square().mean()
    assert float(rated.whole - rated.squared) == pytest.approx(0.5 * float(lost), rel=1e-4)
    assert float(lost) > 25.0
    assert float(_rate(x, lambda z: x, flat).whole) < 1e-6
    # A peak moved by a semitone is wrong in place but not in height.
    moved = _rate(x, lambda z: x.roll(10, 1), flat)
    assert float(moved.whole - moved.squared) < 0.2 * float(lost)


def test_half_way_between_two_sounds_both_are_wanted() -> None:
    x = _sounds()
    mean = torch.zeros(_COUNT, LATENT)
    mean[: _COUNT // 2, 0] = mean[_COUNT // 2 :, 1] = 1.0

    def share(z: Tensor) -> Tensor:
        return (z[:, :1] / (z[:, :1] + z[:, 1:2])).clamp(0.0, 1.0)

    def halves(z: Tensor) -> tuple[Tensor, Tensor]:
        return (x[: len(z)], x[-len(z) :]) if len(z) < _COUNT else (x, x)

    def both(z: Tensor) -> Tensor:
        return mix_power(*halves(z), share(z))

    def average(z: Tensor) -> Tensor:
        one, two = halves(z)
        return one * share(z) + two * (1.0 - share(z))

    weights = replace(_NONE, between=0.5)
    right, wrong = (_rate(x, way, weights, mean) for way in (both, average))
    assert float(right.squared) == pytest.approx(float(wrong.squared), abs=0.1)
    assert float(wrong.whole - wrong.squared) > 10.0 * float(right.whole - right.squared)


@pytest.mark.parametrize("name", ["prior_contrast", "prior_level"])
def test_draws_from_the_prior_are_to_be_like_the_batch(name: str) -> None:
    mean = torch.randn(_COUNT, LATENT, generator=torch.Generator().manual_seed(4))
    ramp = 0.3 * torch.cos(torch.arange(BINS) / 8.0).clamp_min(0.0)

    def decode(z: Tensor) -> Tensor:
        return (0.4 + 0.02 * z[:, :1]) + ramp * (1.0 + 0.1 * z[:, 1:2])

    def duller_and_softer_elsewhere(z: Tensor) -> Tensor:
        return decode(z) if len(z) == _COUNT else decode(z) * 0.8

    weights = replace(_NONE, **{name: 1.0})
    x = decode(mean)
    like, unlike = (float(_rate(x, way, weights, mean).whole) for way in (decode, duller_and_softer_elsewhere))
    assert like < 5.0
    assert unlike > 10.0 * like
    assert float(_rate(x, duller_and_softer_elsewhere, _NONE, mean).whole) < 0.1


def test_there_and_back_is_cut_to_the_range_and_has_no_noise() -> None:
    x = _sounds()
    encoder = _Known(lambda seen: (seen[:, :LATENT], torch.full((len(seen), LATENT), 4.0)))
    decoder = _Known(lambda z: z.repeat(1, 40)[:, :BINS] * 10.0 - 2.1)
    out = decode_mean(encoder, decoder, x)  # type: ignore[arg-type]
    assert torch.equal(out, (x[:, :LATENT].repeat(1, 40)[:, :BINS] * 10.0 - 2.1).clamp(0.0, 1.0))
    assert float(out.min()) == 0.0


def test_rms_is_in_decibels() -> None:
    assert rms_db(torch.zeros(2, 4), torch.full((2, 4), 0.25)) == pytest.approx(24.0)
    assert rms_db(torch.zeros(2, 4), torch.tensor([[0.5, 0, 0, 0], [0, 0, 0, 0]])) == pytest.approx(48.0 / 8**0.5)
