"""Rendering with the real FluidSynth and the real soundfont."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from appliance.errors import StudioError
from appliance.spectrum import codec, traits
from appliance.studio import gather, programs
from appliance.studio.chords import HIGHEST, LOWEST
from appliance.studio.gather import Corpus, GatherSettings
from appliance.studio.render import Renderer


def test_each_split_uses_its_own_instruments(corpus: Corpus) -> None:
    for split, count in (("train", 60), ("tune", 6), ("held_out", 8)):
        rows = corpus.rows(split)
        assert len(rows) == count
        used = set(corpus.programs[rows].ravel().tolist()) - {-1}
        assert used
        assert used <= set(programs.split_of(split))


def test_clips_are_loud_tonal_and_of_known_notes(corpus: Corpus) -> None:
    spectra = corpus.of("train")
    assert spectra.dtype == np.float32
    assert spectra.min() >= 0.0
    assert spectra.max() <= 1.0
    level = traits.level(spectra)
    assert np.all(np.abs(level - corpus.settings.loudness_lufs) < 2.0 * corpus.settings.loudness_sd_lu + 0.2)
    assert np.median(traits.tonality(spectra)) > 25.0
    notes = corpus.notes[corpus.notes >= 0]
    assert notes.min() >= LOWEST
    assert notes.max() <= HIGHEST


def test_a_clip_depends_on_the_seed_and_on_nothing_else(corpus: Corpus, tmp_path: Path) -> None:
    again = gather.gather(
        tmp_path / "again.npz", replace(corpus.settings, train=3, tune=1, held_out=1), 2, lambda done, of: None
    )
    assert np.array_equal(again.spectra[:3], corpus.spectra[:3])
    assert np.array_equal(again.spectra[3], corpus.spectra[60])
    other = gather.gather(
        tmp_path / "other.npz", replace(corpus.settings, train=1, tune=1, held_out=1, seed=4), 1, lambda done, of: None
    )
    assert not np.array_equal(other.spectra[0], corpus.spectra[0])


def test_a_note_is_where_equal_temperament_puts_it() -> None:
    with Renderer(GatherSettings().soundfont) as renderer:
        clip = renderer.play([(73, [(69, 90)])], wait_s=0.5)
    highest = int(np.argmax(codec.analyse(clip, 44_100)))
    assert abs(1200.0 * np.log2(codec.bin_hz()[highest] / 440.0)) < 15.0


def test_rolling_ten_bins_is_rendering_a_semitone_higher() -> None:
    with Renderer(GatherSettings().soundfont) as renderer:
        low, high = (
            codec.analyse(renderer.play([(80, [(note, 90) for note in notes])], wait_s=0.5), 44_100)
            for notes in ((48, 55, 64), (49, 56, 65))
        )
    bins, level_db = (part[0] for part in traits.peaks(high[np.newaxis]))
    rolled = codec.decibels(codec.transpose(low, 10))
    assert np.abs(rolled[bins] - level_db).max() < 3.0
    assert np.abs(codec.decibels(low)[bins] - level_db).max() > 20.0


def test_a_missing_soundfont_names_the_package(tmp_path: Path) -> None:
    settings = GatherSettings(train=1, soundfont=str(tmp_path / "none.sf2"))
    with pytest.raises(StudioError, match="apt install fluid-soundfont-gm"):
        gather.gather(tmp_path / "out.npz", settings, 1, lambda done, of: None)


def test_a_missing_fluidsynth_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fluidsynth", None)
    with pytest.raises(StudioError, match="apt install fluidsynth"):
        gather.gather(tmp_path / "out.npz", GatherSettings(train=1), 1, lambda done, of: None)


def test_what_is_no_soundfont_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "text.sf2"
    path.write_text("not a soundfont")
    with pytest.raises(StudioError, match="is not a soundfont"):
        Renderer(str(path))


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04"])
def test_what_is_no_corpus_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "corpus.npz"
    path.write_bytes(content)
    with pytest.raises(StudioError, match="latent studio gather"):
        gather.load(path)
    with pytest.raises(StudioError, match="There is no corpus"):
        gather.load(tmp_path / "absent.npz")
