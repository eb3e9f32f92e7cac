"""Which sounds become places, and how they lend their detail."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import StudioError
from appliance.studio import atlas, train
from appliance.studio.gather import Corpus
from appliance.studio.net import Decoder, Shape
from appliance.studio.programs import HARSH

_SETTINGS = atlas.AtlasSettings(places=16)


@pytest.fixture(scope="module")
def model() -> atlas.LendingDecoder:
    """Random sounds at random places, and a network that knows nothing of them."""
    torch.manual_seed(0)
    decoder = Decoder(Shape(32, 16, 1, 32), torch.full((1233,), 0.4))
    places = torch.randn(40, 32)
    return atlas.LendingDecoder(decoder, places, 0.3 + 0.4 * torch.rand(40, 1233), _SETTINGS)


def test_a_place_decodes_to_its_own_sound(model: atlas.LendingDecoder) -> None:
    rng = torch.Generator().manual_seed(0)
    sound = 0.3 + 0.4 * torch.rand(40, 1233, generator=rng)
    lending = atlas.LendingDecoder(model.decoder, model.places, sound, _SETTINGS)
    error_db = np.abs(lending.decode(model.places.numpy()) - sound.numpy()) * 96.0
    assert error_db.max() < atlas.DETAIL_STEP_DB / 2.0 + 0.05


def test_far_from_all_places_only_the_network_is_left(model: atlas.LendingDecoder) -> None:
    far = torch.full((1, 32), 30.0)
    with torch.no_grad():
        alone = model.decoder(far).clamp(0.0, 1.0).numpy()
    assert np.allclose(model.decode(far.numpy()), alone, atol=1e-6)


@given(st.integers(0, 39), st.integers(0, 39))
def test_nothing_switches_along_a_path(model: atlas.LendingDecoder, start: int, end: int) -> None:
    way = torch.linspace(0.0, 1.0, 400)[:, None]
    spectra = model.decode((model.places[start] * (1.0 - way) + model.places[end] * way).numpy())
    assert np.abs(np.diff(spectra, axis=0)).max() * 96.0 < 3.0


def test_weights_are_shares(model: atlas.LendingDecoder) -> None:
    weight, index = model.weights(torch.randn(50, 32))
    assert index.shape == weight.shape == (50, _SETTINGS.neighbours)
    assert float(weight.min()) >= 0.0
    assert float(weight.sum(dim=1).max()) <= 1.0
    assert torch.equal(weight[:, -1], torch.zeros(50))


def test_harsh_unsteady_and_rubbing_sounds_are_no_places(corpus: Corpus) -> None:
    fit = atlas.musical(corpus)
    assert 0 < fit.sum() < len(fit)
    assert not np.isin(corpus.programs[fit], HARSH).any()
    assert not (np.diff(corpus.notes[fit], axis=1) == 1).any()
    assert np.abs(corpus.drift_db[fit]).max() < 2.0
    assert not atlas.musical(replace(corpus, flutter_db=np.full_like(corpus.flutter_db, 9.0))).any()


def test_places_are_different_training_clips(corpus: Corpus, checkpoint: train.Checkpoint) -> None:
    places, spectra = atlas.choose(corpus, checkpoint.encoder, _SETTINGS)
    again, _ = atlas.choose(corpus, checkpoint.encoder, _SETTINGS)
    assert torch.equal(places, again)
    assert len({row.tobytes() for row in spectra.numpy()}) == 16
    known = {row.tobytes() for row in corpus.of("train")}
    assert {row.tobytes() for row in spectra.numpy()} <= known


def test_more_places_than_sounds_are_refused(corpus: Corpus, checkpoint: train.Checkpoint) -> None:
    with pytest.raises(StudioError, match="gather more"):
        atlas.choose(corpus, checkpoint.encoder, atlas.AtlasSettings(places=5000))
