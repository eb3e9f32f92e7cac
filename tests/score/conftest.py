import numpy as np
import pytest

from appliance.engine.opening import space_of
from appliance.model.bundle import read
from appliance.model.library import find
from appliance.score.space import Space
from appliance.spectrum import codec, traits

PLACES = 240
SIZE = 32


@pytest.fixture(scope="session")
def space() -> Space:
    """A timbre space without a network: chords of sharp partials at random places, blended by nearness."""
    rng = np.random.default_rng(0)
    atlas = rng.normal(size=(PLACES, SIZE)).astype(np.float32)
    spectra = np.stack([_chord(rng) for _ in range(PLACES)])

    def decode(latents: codec.Floats) -> codec.Floats:
        nearness = -((latents[:, np.newaxis] - atlas) ** 2).sum(axis=2) / 6.0
        weights = np.exp(nearness - nearness.max(axis=1, keepdims=True))
        return ((weights / weights.sum(axis=1, keepdims=True)) @ spectra).astype(np.float32)

    measured = {
        "pitch": traits.pitch(spectra),
        "level": traits.level(spectra),
        "tonality": traits.tonality(spectra),
        "weirdness": traits.weirdness(atlas),
    }
    directions = {"pitch": np.eye(SIZE, dtype=np.float32)[0], "tonality": np.eye(SIZE, dtype=np.float32)[1]}
    return Space(
        decode,
        atlas,
        np.eye(SIZE, dtype=np.float32),
        np.ones(SIZE, dtype=np.float32),
        directions,
        {name: float(values.mean()) for name, values in measured.items()},
        {name: float(values.std()) for name, values in measured.items()},
        wiggle_speed=0.2,
    )


@pytest.fixture(scope="session")
def shipped() -> Space:
    """The space of the model that comes with the program."""
    return space_of(read(find(None)))


@pytest.fixture(scope="session")
def harmonic():
    """Give the spectrum of notes, each with its partials."""
    return _notes


def _notes(*hz: float, partials: int = 8, loudest_db: float = -20.0, ground_db: float = -80.0) -> codec.Floats:
    bins = np.arange(codec.BINS)
    level_db = np.full(codec.BINS, ground_db)
    for fundamental in hz:
        for number in range(1, partials + 1):
            centre = 1232 + 120 * np.log2(fundamental * number / codec.TOP_HZ)
            level_db = np.maximum(level_db, loudest_db - 6.0 * np.log2(number) - 4.0 * (bins - centre) ** 2)
    return codec.from_decibels(level_db)


def _chord(rng: np.random.Generator) -> codec.Floats:
    root_hz = 55.0 * 2.0 ** (rng.integers(0, 36) / 12.0)
    return _notes(*(root_hz * 2.0 ** (step / 12.0) for step in rng.choice([0, 4, 7, 12, 14, 19], 3, replace=False)))
