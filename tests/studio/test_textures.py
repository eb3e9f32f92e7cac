import numpy as np
import pytest

from appliance.errors import StudioError
from appliance.spectrum import codec, traits
from appliance.studio.sources import textures

RATE = 44_100
CHORD = (45, 57, 64)
NOISY = ("noise", "wind")
TONAL = tuple(name for name in textures.FAMILIES if name not in NOISY)


def clip(family: str, patch: int = 3, notes: tuple[int, ...] = CHORD, seed: int = 1) -> codec.Floats:
    return textures.render(family, patch, notes, np.random.default_rng(seed))


def spectrum(family: str, patch: int = 3, notes: tuple[int, ...] = CHORD, seed: int = 1) -> codec.Floats:
    return codec.analyse(clip(family, patch, notes, seed), RATE)


@pytest.mark.parametrize("family", textures.FAMILIES)
@pytest.mark.parametrize("notes", [(24,), (96,), (36, 43, 48, 55, 60, 67, 72, 96)])
def test_gives_two_seconds_of_sound_that_neither_clips_nor_is_silent(family: str, notes: tuple[int, ...]) -> None:
    sound = clip(family, notes=notes)
    assert sound.shape == (88_200, 2)
    assert sound.dtype == np.float32
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() <= 0.9001
    assert 0.05 < np.sqrt(np.mean(sound**2)) < 0.11


@pytest.mark.parametrize("family", textures.FAMILIES)
def test_the_same_arguments_give_the_same_bytes_and_another_seed_another_clip(family: str) -> None:
    assert clip(family).tobytes() == clip(family).tobytes()
    assert clip(family).tobytes() != clip(family, seed=2).tobytes()


@pytest.mark.parametrize("family", textures.FAMILIES)
def test_clips_of_one_patch_are_nearer_to_each_other_than_patches_are(family: str) -> None:
    first = [spectrum(family, patch, seed=1) for patch in range(4)]
    again = [spectrum(family, patch, seed=2) for patch in range(4)]
    same = np.mean([np.abs(one - two).mean() for one, two in zip(first, again, strict=True)])
    others = np.mean([np.abs(first[i] - again[j]).mean() for i in range(4) for j in range(4) if i != j])
    assert others > 1.2 * same


@pytest.mark.parametrize("family", textures.FAMILIES)
def test_the_level_stays(family: str) -> None:
    for patch in range(4):
        sound = clip(family, patch, seed=patch)
        first, second = (np.mean(half**2) for half in np.split(sound, 2))
        assert abs(10.0 * np.log10(second / first)) < 2.0


@pytest.mark.parametrize("family", [*TONAL, "noise"])
def test_the_notes_that_were_asked_for_sound_and_others_do_not(family: str) -> None:
    notes = (48, 61)
    found = np.mean([spectrum(family, patch, notes) for patch in range(4)], axis=0, keepdims=True)
    height = (codec.decibels(found) - traits.local_median_db(found))[0]

    def near(note: int) -> float:
        place = codec.BINS - 1 + 120.0 * np.log2(440.0 * 2.0 ** ((note - 69) / 12.0) / codec.TOP_HZ)
        return float(height[round(place) - 2 : round(place) + 3].max())

    assert min(near(note) for note in notes) > 15.0
    # No family has a partial at a minor third below the lower note or at a tritone above it.
    assert max(near(45), near(54)) < min(near(note) for note in notes) - 10.0


def test_tones_stand_out_and_wind_does_not() -> None:
    stack = {name: np.stack([spectrum(name, patch) for patch in range(4)]) for name in (*TONAL, "wind")}
    assert np.median(traits.tonality(stack["wind"])) < 12.0
    for name in TONAL:
        assert np.median(traits.tonality(stack[name])) > 20.0, name


@pytest.mark.parametrize("family", textures.FAMILIES)
def test_the_treble_is_gentle(family: str) -> None:
    power = codec.power(np.stack([spectrum(family, patch) for patch in range(6)]))
    share = power[:, codec.bin_hz() > 4000.0].sum(axis=1) / power.sum(axis=1)
    assert np.median(share) < 0.05


@pytest.mark.parametrize(
    ("family", "patch", "notes", "said"),
    [("kazoo", 0, CHORD, "bells, .*wind"), ("glass", 0, (), "note"), ("glass", -1, CHORD, "patch")],
)
def test_what_cannot_be_played_is_refused(family: str, patch: int, notes: tuple[int, ...], said: str) -> None:
    with pytest.raises(StudioError, match=said):
        clip(family, patch, notes)
