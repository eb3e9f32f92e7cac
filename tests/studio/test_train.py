"""Training learns, keeps its best, and says how it does beside PCA."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from appliance.errors import StudioError
from appliance.studio import train
from appliance.studio.gather import Corpus


def test_training_lowers_the_error_and_repeats(
    corpus: Corpus, settings: train.TrainSettings, checkpoint: train.Checkpoint, tmp_path: Path
) -> None:
    again = train.train(corpus, tmp_path / "again.pt", settings, lambda progress: None)
    assert again.tune_rms_db == checkpoint.tune_rms_db
    told: list[train.Progress] = []
    longer = train.train(corpus, tmp_path / "longer.pt", replace(settings, epochs=60), told.append)
    assert longer.tune_rms_db < checkpoint.tune_rms_db - 0.5
    assert [progress.epoch for progress in told] == list(range(1, 61))
    assert longer.tune_rms_db == min(progress.tune_rms_db for progress in told)


def test_a_worse_run_leaves_the_better_checkpoint(
    corpus: Corpus, settings: train.TrainSettings, tmp_path: Path
) -> None:
    path = tmp_path / "checkpoint.pt"
    good = train.train(corpus, path, replace(settings, epochs=6), lambda progress: None)
    kept = path.read_bytes()
    told: list[train.Progress] = []
    held = train.train(corpus, path, replace(settings, epochs=1, seed=9), told.append)
    assert path.read_bytes() == kept
    assert held.tune_rms_db == good.tune_rms_db
    assert held.settings.epochs == 6
    assert not any(progress.saved for progress in told)


def test_a_checkpoint_of_another_corpus_is_not_compared(
    corpus: Corpus, settings: train.TrainSettings, tmp_path: Path
) -> None:
    path = tmp_path / "checkpoint.pt"
    train.train(corpus, path, replace(settings, epochs=6), lambda progress: None)
    other = replace(corpus, settings=replace(corpus.settings, seed=99))
    assert train.train(other, path, replace(settings, epochs=1), lambda progress: None).settings.epochs == 1


def test_pca_loses_nothing_of_what_has_32_dimensions() -> None:
    rng = np.random.default_rng(0)
    spectra = torch.from_numpy((0.5 + 0.003 * rng.normal(size=(80, 32)) @ rng.normal(size=(32, 1233))).astype("f4"))
    assert train.rms_db(spectra, train.pca(spectra, spectra)) < 0.05
    noise = torch.from_numpy(rng.uniform(0.2, 0.8, (80, 1233)).astype("f4"))
    assert train.rms_db(noise, train.pca(spectra, noise)) > 10.0


def test_the_verdict_gives_both_scores(corpus: Corpus, checkpoint: train.Checkpoint) -> None:
    said = train.verdict(corpus, checkpoint)
    ours, theirs = (float(number) for number in re.findall(r"(\d+\.\d+) dB", said))
    assert 0.0 < theirs < ours


def test_too_small_a_corpus_is_refused(corpus: Corpus, settings: train.TrainSettings, tmp_path: Path) -> None:
    few = replace(corpus, spectra=corpus.spectra[:4], split=corpus.split[:4])
    with pytest.raises(StudioError, match="too small"):
        train.train(few, tmp_path / "checkpoint.pt", settings, lambda progress: None)


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04"])
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(content)
    with pytest.raises(StudioError, match="latent studio train"):
        train.load(path)
    with pytest.raises(StudioError, match="There is no checkpoint"):
        train.load(tmp_path / "absent.pt")
