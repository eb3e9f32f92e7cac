"""A corpus of instruments: pure splits, one loudness, and whole after a break."""

from pathlib import Path

import numpy as np
import pytest

from appliance.errors import StudioError
from appliance.spectrum import codec, traits
from appliance.studio.corpus import LOUDNESS_LUFS, SPLITS, Corpus, load
from appliance.studio.ledger import Ledger
from appliance.studio.sources import compose
from appliance.studio.sources.instruments import Instrument
from appliance.studio.sources.programs import HARSH, NAMES
from appliance.studio.sources.recipe import Recipe

_TONE_HZ = {"train": 300.0, "tune": 1000.0, "held_out": 3000.0}


def _compose(recipe: Recipe, folder: Path, jobs: int = 1) -> Corpus:
    compose.compose(recipe, folder, jobs, lambda done, of: None)
    return load(folder)


def _of_programs(recipe: Recipe, *programs: int, clips: int = 4) -> Recipe:
    font = recipe.soundfonts[0].model_copy(update={"programs": programs, "share": 1.0})
    return recipe.model_copy(update={"soundfonts": (font,), "textures": (), "clips": clips, "test_clips": 2})


def _apart_db(one: Corpus, two: Corpus) -> float:
    """Of clips at the same place, the farthest bin."""
    assert one.sources == two.sources
    assert np.array_equal(one.source, two.source)
    return float(np.abs(one.spectra.astype(np.float32) - two.spectra.astype(np.float32)).max()) * -codec.FLOOR_DB


def test_each_instrument_has_its_clips(corpus: Corpus) -> None:
    counts = dict(zip(corpus.sources, np.bincount(corpus.source).tolist(), strict=True))
    assert {counts[f"FluidR3/{NAMES[at]}"] for at in (16, 48, 52, 73, 89, 56)} == {7}
    assert {counts[f"glass/{at}"] for at in range(8)} == {2}
    assert {counts[name] for name in ("FluidR3/viola", "FluidR3/halo pad", "glass/8", "glass/9")} == {6}
    assert corpus.named("tune") == ("FluidR3/viola", "glass/8")
    assert corpus.named("held_out") == ("FluidR3/halo pad", "glass/9")
    assert set(corpus.licences) == {"FluidR3_GM, MIT", "synthesised, MIT"}


def test_clips_are_loud_tonal_and_in_range(corpus: Corpus) -> None:
    spectra = corpus.of("train")
    assert spectra.min() >= 0.0
    assert spectra.max() <= 1.0
    assert np.all(np.abs(traits.level(spectra) - LOUDNESS_LUFS) < 4.3)
    assert 1.0 < traits.level(spectra).std() < 3.0
    assert np.median(traits.tonality(spectra)) > 25.0
    assert corpus.lufs.std() > 3.0


def test_harsh_instruments_are_no_places(corpus: Corpus) -> None:
    harsh = np.isin(corpus.source, [corpus.sources.index(f"FluidR3/{NAMES[at]}") for at in HARSH if at == 56])
    assert harsh.any()
    assert not corpus.fit[harsh].any()
    assert 0.3 < corpus.fit[~harsh].mean() < 1.0


def test_layers_come_from_the_same_split_alone(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played: list[str] = []
    time_s = np.arange(88_200)[:, np.newaxis] / 44_100

    def tone(one: Instrument, notes: tuple[int, ...], rng: np.random.Generator) -> codec.Floats:
        played.append(one.name)
        return np.repeat(0.1 * np.sin(2.0 * np.pi * _TONE_HZ[one.split] * time_s), 2, axis=1).astype(np.float32)

    monkeypatch.setattr(compose, "play", tone)
    made = _compose(recipe, tmp_path)
    assert len(set(played)) == 18
    assert 1.3 * len(made.row) < len(played) < 2.1 * len(made.row)
    bins = [int(np.abs(codec.bin_hz() - hz).argmin()) for hz in _TONE_HZ.values()]
    loud = codec.decibels(made.spectra.astype(np.float32))[:, bins] > -70.0  # (n, 3)
    assert np.array_equal(loud, made.split[:, np.newaxis] == np.arange(3))
    assert len(np.unique(made.split)) == len(SPLITS)


def test_a_broken_composing_goes_on_as_if_nothing_had_been(
    recipe: Recipe, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tell(done: int, total: int) -> None:
        if done > 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compose.compose(recipe, tmp_path, 1, tell)
    with Ledger(tmp_path) as ledger:
        known = ledger.known()
    assert 0 < len(known) < 10
    told: list[tuple[int, int]] = []
    compose.compose(recipe, tmp_path, 1, lambda done, of: told.append((done, of)))
    assert told[0] == (0, len(corpus.row) - 7 * len(known))
    assert told[-1] == (told[0][1], told[0][1])
    assert _apart_db(load(tmp_path), corpus) < 0.1
    monkeypatch.setattr(compose, "play", None)
    whole = load(tmp_path).digest
    assert _compose(recipe, tmp_path).digest == whole


def test_two_processes_make_the_same_and_another_seed_another(recipe: Recipe, tmp_path: Path) -> None:
    few = _of_programs(recipe, 48, 73, 41)
    one, two = (_compose(few, tmp_path / str(jobs), jobs) for jobs in (1, 2))
    assert _apart_db(one, two) < 0.1
    other = _compose(few.model_copy(update={"seed": 4}), tmp_path / "other")
    assert _apart_db(one, other) > 10.0


def test_an_instrument_that_falls_silent_is_told_of(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compose, "play", lambda one, notes, rng: np.zeros((88_200, 2), np.float32))
    compose.compose(_of_programs(recipe, 48, 41), tmp_path, 1, lambda done, of: None)
    with Ledger(tmp_path) as ledger:
        assert ledger.problems() == [(f"FluidR3/{NAMES[at]}", "nothing that it plays is steady") for at in (48, 41)]
        assert len(ledger) == 0


def test_what_dies_away_under_the_finger_is_left_out(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fade = np.linspace(0.0, 12.0, 88_200)[:, np.newaxis]
    noise = 0.1 * np.random.default_rng(0).standard_normal((88_200, 2))
    sounds = {"FluidR3/strings": noise * 10.0 ** (-fade / 20.0), "FluidR3/viola": noise * 10.0 ** (-fade / 80.0)}
    monkeypatch.setattr(compose, "play", lambda one, notes, rng: sounds[one.name].astype(np.float32))
    compose.compose(_of_programs(recipe, 48, 41), tmp_path, 1, lambda done, of: None)
    with Ledger(tmp_path) as ledger:
        assert [name for name, _ in ledger.problems()] == ["FluidR3/strings"]
    assert np.allclose(load(tmp_path).drift_db, -1.5, atol=0.3)


def test_a_missing_soundfont_is_noticed_before_anything_is_played(recipe: Recipe, tmp_path: Path) -> None:
    font = recipe.soundfonts[0].model_copy(update={"file": tmp_path / "none.sf2"})
    with pytest.raises(StudioError, match="apt install fluid-soundfont-gm"):
        _compose(recipe.model_copy(update={"soundfonts": (font,)}), tmp_path / "corpus")
    assert not (tmp_path / "corpus").exists()
