"""Recipes say what a model is made of, and what is wrong with them is said in one sentence."""

from pathlib import Path

import pytest

from appliance.errors import StudioError
from appliance.studio.sources import recipe
from appliance.studio.sources.instruments import Instrument, instruments
from appliance.studio.sources.programs import HELD_OUT, TUNE

_MODELS = Path(__file__).parents[2] / "models"
_SHIPPED = sorted(path.name for path in _MODELS.glob("*.toml"))
_WHOLE = """
name = "small"
licence = "MIT"
author = "Ada Example"
character = "Small."
clips = 10
epochs = 2

[[soundfonts]]
name = "FluidR3"
file = "/usr/share/sounds/sf2/FluidR3_GM.sf2"
package = "fluid-soundfont-gm"
licence = "MIT"
share = 0.6
programs = [48, 71]

[[textures]]
licence = "MIT"
share = 0.4
patches = { glass = 10 }
"""


def _read(tmp_path: Path, text: str) -> recipe.Recipe:
    path = tmp_path / "small.toml"
    path.write_text(text)
    return recipe.read(path)


def test_a_recipe_is_read_as_it_is_written(tmp_path: Path) -> None:
    found = _read(tmp_path, _WHOLE)
    assert (found.name, found.clips, found.epochs) == ("small", 10, 2)
    assert found.soundfonts[0].programs == (48, 71)
    assert found.soundfonts[0].file == Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
    assert found.textures[0].patches == {"glass": 10}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("clips = 10", "clip = 10", r"clips: Field required; clip: Extra inputs"),
        ("share = 0.6", "share = 0.7", r"the shares of its sources add up to 1\.1 and not to 1"),
        ("share = 0.6", "share = 60", r"soundfonts\.0\.share: .*less than or equal to 1"),
        ("programs = [48, 71]", "programs = []", r"soundfonts\.0\.programs"),
        ("epochs = 2", "epochs = 2\nlayers = [0.5, 0.5, 0.5]", r"its layers add up to 1\.5 and not to 1"),
        ("epochs = 2", "epochs = 2\nchords = [1.0, 0.0, 0.0]", r"chords\.3: Field required"),
        ("epochs = 2", "epochs = 2\nvoices = 3", r"voices: .*greater than or equal to 4"),
        ("epochs = 2", "epochs = 0", r"epochs: .*greater than or equal to 1"),
        ('name = "small"', 'name = "../small"', r"name: .*pattern"),
        ("glass = 10", "glass = 0", r"textures\.0\.patches\.glass"),
        ("[[textures]]", "[[textures]", r"cannot be read as a recipe \(.*line 17"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert _WHOLE.count(old) == 1
    with pytest.raises(StudioError, match=said) as caught:
        _read(tmp_path, _WHOLE.replace(old, new))
    assert "small.toml" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith("mend it.")


def test_what_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match=r"There is no recipe .*absent\.toml"):
        recipe.read(tmp_path / "absent.toml")
    (tmp_path / "sound.toml").write_bytes(b"\xff\xfe\x00RIFF")
    with pytest.raises(StudioError, match="cannot be read as a recipe"):
        recipe.read(tmp_path / "sound.toml")
    with pytest.raises(StudioError, match="cannot be read as a recipe"):
        recipe.read(tmp_path)


def _leaks(one: Instrument) -> bool:
    """Whether an instrument is trained on that must not be."""
    kept = (*HELD_OUT, *TUNE) if one.soundfont else range(8, 10)
    return one.split == "train" and (one.number if one.soundfont else one.number % 10) in kept


def test_a_leak_would_be_seen() -> None:
    assert _leaks(Instrument("FluidR3/oboe", "", "train", 0.1, "x.sf2", "", HELD_OUT[0]))
    assert _leaks(Instrument("glass/19", "", "train", 0.1, "", "glass", 19))
    assert not _leaks(Instrument("glass/19", "", "held_out", 0.0, "", "glass", 19))


def test_three_recipes_are_shipped() -> None:
    assert {"choir.toml", "default.toml", "glass.toml"} <= set(_SHIPPED)


@pytest.mark.parametrize("name", _SHIPPED)
def test_a_shipped_recipe_is_whole_and_trains_on_nothing_that_it_is_scored_on(name: str) -> None:
    found = recipe.read(_MODELS / name)
    assert f"{found.name}.toml" == name
    everyone = instruments(found)
    assert len({one.name for one in everyone}) == len(everyone)
    assert not any(_leaks(one) for one in everyone)
    assert sum(one.share for one in everyone) == pytest.approx(1.0)
    for split in ("train", "tune", "held_out"):
        assert sum(one.split == split for one in everyone) >= 3, split
        assert any(one.family for one in everyone if one.split == split), split
    assert all(one.licence for one in everyone)
