"""A corpus of a few seconds' playing, and a network that was trained on it for a moment."""

from pathlib import Path

import pytest
import torch

from appliance.studio.corpus import Corpus, load
from appliance.studio.sources import compose
from appliance.studio.sources.recipe import Recipe
from appliance.studio.training import train
from appliance.studio.training.checkpoint import Checkpoint, TrainSettings
from appliance.studio.training.net import Shape

# More threads than idle cores make a small network a hundred times slower.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    """Eight programs and ten patches, of all three splits; one of them (the trumpet) harsh."""
    font = {
        "name": "FluidR3",
        "file": "/usr/share/sounds/sf2/FluidR3_GM.sf2",
        "package": "fluid-soundfont-gm",
        "licence": "FluidR3_GM, MIT",
        "share": 0.7,
        "programs": [16, 48, 52, 73, 89, 56, 41, 94],
    }
    told = {
        "name": "tiny",
        "licence": "MIT",
        "author": "Ada Example",
        "character": "A few of everything.",
        "seed": 3,
        "clips": 60,
        "test_clips": 6,
        "soundfonts": [font],
        "textures": [{"licence": "synthesised, MIT", "share": 0.3, "patches": {"glass": 10}}],
        "epochs": 1,
        "places": 16,
    }
    return Recipe.model_validate(told)


@pytest.fixture(scope="session")
def corpus(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("work") / "corpus"
    compose.compose(recipe, folder, 1, lambda done, of: None)
    return load(folder)


@pytest.fixture(scope="session")
def settings() -> TrainSettings:
    return TrainSettings(epochs=1, least_steps=60, batch=32, rate=5e-3, shape=Shape(32, 16, 1, 32))


@pytest.fixture(scope="session")
def checkpoint(corpus: Corpus, settings: TrainSettings, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    path: Path = tmp_path_factory.mktemp("train") / "model.pt"
    return train.train(corpus, path, settings, lambda progress: None)
