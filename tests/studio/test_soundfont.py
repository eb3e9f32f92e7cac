"""Playing with the real FluidSynth and the real soundfont."""

import sys
from pathlib import Path

import numpy as np
import pytest

from appliance.errors import StudioError
from appliance.spectrum import codec, traits
from appliance.studio.sources.soundfont import RATE, Renderer, require

_FONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(str(_FONT))


def _spectrum(renderer: Renderer, program: int, notes: tuple[int, ...]) -> codec.Floats:
    return codec.analyse(renderer.play(program, [(note, 90) for note in notes], wait_s=0.5), RATE)


def test_a_clip_is_two_seconds_of_stereo(renderer: Renderer) -> None:
    sound = renderer.play(48, [(60, 90)], wait_s=1.0)
    assert sound.shape == (2 * RATE, 2)
    assert sound.dtype == np.float32
    assert 0.001 < np.abs(sound).max() < 1.0


def test_a_note_is_where_equal_temperament_puts_it(renderer: Renderer) -> None:
    highest = int(np.argmax(_spectrum(renderer, 73, (69,))))
    assert abs(1200.0 * np.log2(codec.bin_hz()[highest] / 440.0)) < 15.0


def test_rolling_ten_bins_is_playing_a_semitone_higher(renderer: Renderer) -> None:
    low, high = (_spectrum(renderer, 80, notes) for notes in ((48, 55, 64), (49, 56, 65)))
    bins, level_db = (part[0] for part in traits.peaks(high[np.newaxis]))
    rolled = codec.decibels(codec.transpose(low, 10))
    assert np.abs(rolled[bins] - level_db).max() < 3.0
    assert np.abs(codec.decibels(low)[bins] - level_db).max() > 20.0


def test_nothing_of_one_clip_is_left_in_the_next(renderer: Renderer) -> None:
    loud = [(note, 120) for note in range(36, 84, 5)]
    one = _spectrum(renderer, 73, (69,))
    renderer.play(19, loud, wait_s=1.3)
    assert np.abs(renderer.play(73, [], wait_s=0.0)).max() < 1e-4
    assert np.abs(_spectrum(renderer, 73, (69,)) - one).max() * -codec.FLOOR_DB < 0.1
    assert np.abs(_spectrum(renderer, 19, (69,)) - one).max() * -codec.FLOOR_DB > 10.0


def test_a_missing_soundfont_names_the_package(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match="apt install fluid-soundfont-gm"):
        require(tmp_path / "none.sf2", "fluid-soundfont-gm")
    require(_FONT, "fluid-soundfont-gm")


def test_a_missing_fluidsynth_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fluidsynth", None)
    with pytest.raises(StudioError, match="apt install fluidsynth"):
        require(_FONT, "fluid-soundfont-gm")


def test_what_is_no_soundfont_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "text.sf2"
    path.write_text("not a soundfont")
    with pytest.raises(StudioError, match="is not a soundfont"):
        Renderer(str(path))
