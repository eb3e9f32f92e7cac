"""The operations on spectra that training is made of."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from appliance.spectrum import codec
from appliance.studio.corpus import Corpus
from appliance.studio.training.net import (
    LATENT,
    Decoder,
    Encoder,
    Shape,
    augment,
    band_levels_db,
    contrast_db,
    mix_power,
    roll,
)


def _spectra(seed: int, rows: int = 3) -> torch.Tensor:
    return torch.rand(rows, codec.BINS, generator=torch.Generator().manual_seed(seed))


@given(st.integers(0, 1000), st.floats(0.0, 1.0))
def test_mixing_adds_powers(seed: int, share: float) -> None:
    one, two = _spectra(seed), _spectra(seed + 1)
    mixed = mix_power(one, two, torch.full((3, 1), share))
    power = share * codec.power(one.numpy()) + (1.0 - share) * codec.power(two.numpy())
    assert np.allclose(mixed.numpy(), codec.from_power(power), atol=1e-3)


@given(st.integers(0, 1000), st.integers(-60, 60))
def test_rolling_is_transposing(seed: int, bins: int) -> None:
    spectra = _spectra(seed)
    rolled = roll(spectra, torch.full((3, 1), bins))
    assert np.array_equal(rolled[1].numpy(), codec.transpose(spectra[1].numpy(), bins))


def test_augmenting_repeats_stays_in_range_and_leaves_silence_silent(corpus: Corpus) -> None:
    spectra = torch.from_numpy(corpus.of("train"))
    spectra[0] = 0.0
    one, two = (augment(spectra, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(one, two)
    assert float(one.min()) >= 0.0
    assert float(one.max()) <= 1.0
    assert not torch.allclose(one, spectra, atol=0.05)
    assert float(augment(torch.zeros(4, codec.BINS), torch.Generator()).max()) == 0.0


def test_contrast_grows_with_the_height_of_peaks_and_not_with_level() -> None:
    flat = torch.full((1, codec.BINS), 0.3)
    peaks = flat.clone()
    peaks[:, 50::100] += 0.3
    tall = flat.clone()
    tall[:, 50::100] += 0.5
    inner = slice(1, -1)
    assert float(contrast_db(flat)[:, inner].max()) < 0.5
    assert bool((contrast_db(tall) > contrast_db(peaks))[:, inner].all())
    assert torch.allclose(contrast_db(peaks + 0.1)[:, inner], contrast_db(peaks)[:, inner], atol=0.01)


def test_augmenting_transposes_by_whole_semitones() -> None:
    spectra = torch.zeros(200, codec.BINS)
    spectra[:, 605] = 0.8
    heard = augment(spectra, torch.Generator().manual_seed(6)) > 0.4
    where = [row.nonzero()[:, 0].tolist() for row in heard]
    assert {(place - 605) % 10 for row in where for place in row} == {0}
    assert len({row[0] for row in where if len(row) == 1}) == 13


def test_levels_of_bands_are_powers() -> None:
    spectra = torch.full((2, codec.BINS), 0.25)
    spectra[1, 60:120] += 10.0 / 96.0
    bands = band_levels_db(spectra)
    assert bands.shape == (2, 21)
    assert torch.allclose(bands[0, :20], torch.full((20,), 24.0 + 17.78), atol=0.01)
    assert torch.allclose(bands[1] - bands[0], torch.tensor([0.0, 10.0, *[0.0] * 18, 1.59]), atol=0.02)


def test_the_networks_have_the_shapes_that_they_should() -> None:
    shape, centre = Shape(encoder=32, block=16, blocks=2, last=24), torch.full((codec.BINS,), 0.3)
    encoder, decoder = Encoder(shape, centre), Decoder(shape, centre)
    with torch.no_grad():
        mean, log_variance = encoder(_spectra(1))
        assert mean.shape == log_variance.shape == (3, LATENT)
        assert encoder(1000.0 * _spectra(1))[1].abs().max() <= 10.0
        out = decoder(torch.zeros(2, LATENT))
    assert out.shape == (2, codec.BINS)
    assert float((out - 0.3).abs().max()) < 0.3
    assert "centre" in decoder.state_dict()
