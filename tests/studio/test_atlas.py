"""Which sounds become places, and how they lend their detail."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import StudioError
from appliance.studio.corpus import Corpus
from appliance.studio.exporting import atlas
from appliance.studio.judging import judge
from appliance.studio.training.checkpoint import Checkpoint
from appliance.studio.training.net import Decoder, Shape

_SETTINGS = atlas.AtlasSettings(places=16)


@pytest.fixture(scope="module")
def model() -> atlas.LendingDecoder:
    """Random sounds at random places, and a network that knows nothing of them."""
    torch.manual_seed(0)
    decoder = Decoder(Shape(32, 16, 1, 32), torch.full((1233,), 0.4))
    with torch.no_grad():
        for weights in decoder.parameters():
            weights.mul_(0.1)
    places = torch.randn(40, 32)
    return atlas.LendingDecoder(decoder, places, 0.2 + 0.4 * torch.rand(40, 1233), _SETTINGS)


def test_a_place_decodes_to_its_own_sound(model: atlas.LendingDecoder) -> None:
    rng = torch.Generator().manual_seed(0)
    sound = 0.2 + 0.4 * torch.rand(40, 1233, generator=rng)
    lending = atlas.LendingDecoder(model.decoder, model.places, sound, _SETTINGS)
    error_db = np.abs(lending.decode(model.places.numpy()) - atlas.topped(sound).numpy()) * 96.0
    assert error_db.max() < atlas.DETAIL_STEP_DB / 2.0 + 0.05


def test_far_from_all_places_only_the_network_is_left(
    model: atlas.LendingDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "loudest", 2.0)
    far = torch.full((1, 32), 30.0)
    with torch.no_grad():
        alone = atlas.topped(model.decoder(far)).clamp(0.0, 1.0).numpy()
    assert np.allclose(model.decode(far.numpy()), alone, atol=1e-6)


def test_nothing_whistles_above_all_else(model: atlas.LendingDecoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "loudest", 2.0)
    far = 6.0 * torch.randn(50, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        alone = model.decoder(far).clamp(0.0, 1.0).numpy()
    heard, highest = model.decode(far.numpy()), alone[:, 1150:1200].max(axis=1, keepdims=True)
    assert (alone[:, 1200:] > highest).any()
    assert np.allclose(heard[:, :1200], alone[:, :1200], atol=1e-6)
    assert np.allclose(heard[:, 1200:], np.minimum(alone[:, 1200:], highest), atol=1e-6)


def test_what_would_be_louder_than_all_places_is_turned_down_as_a_whole(model: atlas.LendingDecoder) -> None:
    far = torch.full((1, 32), 30.0)
    with torch.no_grad():
        alone = atlas.topped(model.decoder(far)).clamp(0.0, 1.0)
    assert float(atlas.total_power(alone)) > model.loudest + 0.05
    held = torch.from_numpy(model.decode(far.numpy()))
    off = (alone - held)[held > 0.0]
    assert float(off.max() - off.min()) < 1e-5
    # What falls below the floor on the way is missing from the sum, a trifle.
    assert float(atlas.total_power(held)) == pytest.approx(model.loudest, abs=1e-3)


def test_a_place_that_would_clip_is_turned_down(model: atlas.LendingDecoder) -> None:
    sounds = 0.4 + 0.4 * torch.rand(40, 1233, generator=torch.Generator().manual_seed(0))
    lending = atlas.LendingDecoder(model.decoder, model.places, sounds, _SETTINGS)
    held = lending.decode(model.places.numpy())
    assert not judge.unusable(held, sounds.numpy())["clipped"].any()
    assert judge.unusable(sounds.numpy(), sounds.numpy())["clipped"].all()


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


def test_what_somebody_found_unfit_or_wavers_is_no_place(corpus: Corpus) -> None:
    rows = atlas.candidates(corpus)
    assert 16 <= len(rows) < len(corpus.rows("train"))
    assert corpus.fit[rows].all()
    assert (corpus.split[rows] == 0).all()
    assert np.abs(corpus.drift_db[rows]).max() < 2.0
    assert corpus.flutter_db[rows].max() < 2.0
    assert not corpus.fit.all()
    swelling = replace(corpus, drift_db=np.where(np.arange(len(corpus.row)) == rows[0], np.float32(2.5), 0.0))
    assert rows[0] not in atlas.candidates(swelling)


def test_where_hardly_anything_is_steady_all_that_is_fit_may_serve(corpus: Corpus) -> None:
    trembling = replace(corpus, flutter_db=np.full_like(corpus.flutter_db, 9.0))
    rows = atlas.candidates(trembling)
    assert set(rows) == set(np.flatnonzero(corpus.fit & (corpus.split == 0)))


def test_places_are_different_training_clips(corpus: Corpus, checkpoint: Checkpoint) -> None:
    places, spectra = atlas.choose(corpus, checkpoint.encoder, _SETTINGS)
    again, _ = atlas.choose(corpus, checkpoint.encoder, _SETTINGS)
    assert torch.equal(places, again)
    assert len({row.tobytes() for row in spectra.numpy()}) == 16
    known = {row.tobytes() for row in corpus.of("train")}
    assert {row.tobytes() for row in spectra.numpy()} <= known
    with torch.no_grad():
        assert torch.allclose(checkpoint.encoder(spectra)[0], places, atol=1e-4)
    other, _ = atlas.choose(corpus, checkpoint.encoder, replace(_SETTINGS, seed=2))
    assert not torch.equal(places, other)


def test_places_are_spread(corpus: Corpus, checkpoint: Checkpoint) -> None:
    clips = np.random.default_rng(0).uniform(0.3, 0.3001, corpus.spectra.shape)
    clips[:20] = corpus.spectra[corpus.rows("train")[:20]]
    huddled = _of_training(replace(corpus, spectra=clips.astype(np.float16)))
    _, spectra = atlas.choose(huddled, checkpoint.encoder, _SETTINGS)
    assert sum(row.std() > 0.01 for row in spectra.numpy()) >= 14


def test_where_fewer_are_fit_than_wanted_all_become_places(corpus: Corpus, checkpoint: Checkpoint) -> None:
    _, spectra = atlas.choose(corpus, checkpoint.encoder, atlas.AtlasSettings(places=5000))
    wanted = {row.tobytes() for row in corpus.spectra[atlas.candidates(corpus)].astype(np.float32)}
    assert {row.tobytes() for row in spectra.numpy()} == wanted
    assert len(spectra) == len(wanted)


def test_the_same_clip_twice_is_one_place(corpus: Corpus, checkpoint: Checkpoint) -> None:
    rows = np.arange(len(corpus.row)) % 20
    twice = _of_training(replace(corpus, spectra=corpus.spectra[corpus.rows("train")[rows]]))
    _, spectra = atlas.choose(twice, checkpoint.encoder, atlas.AtlasSettings(places=5000))
    assert len({row.tobytes() for row in spectra.numpy()}) == len(spectra) == 20


@pytest.mark.parametrize("fit", [0, 15])
def test_too_few_fit_clips_are_refused(corpus: Corpus, checkpoint: Checkpoint, fit: int) -> None:
    few = replace(_of_training(corpus), fit=np.arange(len(corpus.row)) < fit)
    with pytest.raises(StudioError, match=f"has {fit} clips fit for the atlas and needs 16"):
        atlas.choose(few, checkpoint.encoder, _SETTINGS)
    enough = replace(few, fit=np.arange(len(corpus.row)) < 16)
    assert len(atlas.choose(enough, checkpoint.encoder, _SETTINGS)[0]) == 16


def _of_training(corpus: Corpus) -> Corpus:
    """The same clips, all steady and fit, and all to train on."""
    nothing = np.zeros_like(corpus.drift_db)
    return replace(
        corpus,
        split=np.zeros_like(corpus.split),
        fit=np.ones_like(corpus.fit),
        drift_db=nothing,
        flutter_db=nothing,
    )
