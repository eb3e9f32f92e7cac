"""Instruments of soundfonts and of our own making are played alike."""

from pathlib import Path

import numpy as np
import pytest

from appliance.errors import StudioError
from appliance.spectrum import codec, traits
from appliance.studio.sources.instruments import Instrument, instruments, play
from appliance.studio.sources.recipe import Recipe


def test_a_share_is_divided_among_those_trained_on(recipe: Recipe) -> None:
    everyone = {one.name: one for one in instruments(recipe)}
    assert len(everyone) == 18
    assert everyone["FluidR3/strings"].share == pytest.approx(0.7 / 6)
    assert everyone["FluidR3/viola"] == Instrument(
        "FluidR3/viola", "FluidR3_GM, MIT", "tune", 0.0, "/usr/share/sounds/sf2/FluidR3_GM.sf2", "", 41
    )
    assert everyone["FluidR3/halo pad"].split == "held_out"
    assert [everyone[f"glass/{at}"].split for at in range(10)] == ["train"] * 8 + ["tune", "held_out"]
    assert everyone["glass/0"].share == pytest.approx(0.3 / 8)
    assert {one.name for one in everyone.values() if one.harsh} == {"FluidR3/trumpet"}


def test_what_nothing_plays_is_named(recipe: Recipe) -> None:
    font = recipe.soundfonts[0].model_copy(update={"programs": (48, 0, 127)})
    source = recipe.textures[0].model_copy(update={"patches": {"glass": 1, "kazoo": 1}})
    wrong = recipe.model_copy(update={"soundfonts": (font,), "textures": (source,)})
    with pytest.raises(StudioError, match="'tiny' asks for program 0, program 127, kazoo, which nothing plays"):
        instruments(wrong)


def test_a_soundfont_that_is_none_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "text.sf2"
    path.write_text("not a soundfont")
    with pytest.raises(StudioError, match="is not a soundfont"):
        play(Instrument("x", "", "train", 1.0, str(path), "", 48), (60,), np.random.default_rng(0))


@pytest.mark.parametrize("name", ["FluidR3/strings", "glass/3"])
def test_both_kinds_sound_for_two_seconds_and_differ_in_loudness(recipe: Recipe, name: str) -> None:
    one = next(one for one in instruments(recipe) if one.name == name)
    clips = [play(one, (57, 64), np.random.default_rng(seed)) for seed in range(8)]
    assert all(clip.shape == (88_200, 2) and clip.dtype == np.float32 for clip in clips)
    levels = traits.level(np.stack([codec.analyse(clip, 44_100) for clip in clips]))
    assert levels.min() > -70.0
    assert np.ptp(levels) > 6.0
