"""A corpus of a few seconds' rendering, and a network that was trained on it for a moment."""

from pathlib import Path

import pytest
import torch

from appliance.studio import gather, train

# More threads than idle cores make a small network a hundred times slower.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> gather.Corpus:
    path = tmp_path_factory.mktemp("corpus") / "corpus.npz"
    gather.gather(path, gather.GatherSettings(train=60, tune=6, held_out=8, seed=3), 1, lambda done, of: None)
    return gather.load(path)


@pytest.fixture(scope="session")
def settings() -> train.TrainSettings:
    return train.TrainSettings(
        epochs=2, batch=32, rate=5e-3, shape=train.Shape(encoder=32, block=16, blocks=1, last=32)
    )


@pytest.fixture(scope="session")
def checkpoint(
    corpus: gather.Corpus, settings: train.TrainSettings, tmp_path_factory: pytest.TempPathFactory
) -> train.Checkpoint:
    path: Path = tmp_path_factory.mktemp("train") / "checkpoint.pt"
    return train.train(corpus, path, settings, lambda progress: None)
