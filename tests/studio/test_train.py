"""Training learns, keeps its best, goes on after a kill, and says how it does beside PCA."""

import csv
import os
import re
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from appliance.errors import StudioError
from appliance.studio.corpus import Corpus
from appliance.studio.training import checkpoint as kept
from appliance.studio.training import train
from appliance.studio.training.checkpoint import Checkpoint, TrainSettings
from appliance.studio.training.loss import rms_db

_TRAINING = """
import sys
from pathlib import Path
from appliance.studio import corpus
from appliance.studio.training import train
from appliance.studio.training.checkpoint import TrainSettings
from appliance.studio.training.net import Shape
train.use_threads(1)
train._ROUND_STEPS = 10
settings = TrainSettings(epochs=1, least_steps=60, batch=32, rate=5e-3, shape=Shape(32, 16, 1, 32))
train.train(corpus.load(Path(sys.argv[1])), Path(sys.argv[2]), settings, lambda told: print(told.step, flush=True))
"""


@pytest.fixture(autouse=True)
def _short_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "_ROUND_STEPS", 10)


def _quiet(progress: train.Progress) -> None:
    """Nobody watches."""


def test_training_lowers_the_error_and_repeats(
    corpus: Corpus, settings: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "_ROUND_STEPS", 30)
    told: list[train.Progress] = []
    longer = replace(settings, least_steps=150)
    first = train.train(corpus, tmp_path / "model.pt", longer, told.append)
    assert [progress.step for progress in told] == list(range(30, 151, 30))
    assert told[-1].steps == 150
    assert told[-1].tune_rms_db < told[0].tune_rms_db - 0.1
    assert told[-1].train_rms_db < told[0].train_rms_db - 1.0
    assert first.tune_rms_db == min(progress.tune_rms_db for progress in told)
    assert first.seconds > 0.0
    again = train.train(corpus, tmp_path / "again" / "model.pt", longer, _quiet)
    assert again.tune_rms_db == first.tune_rms_db
    other = train.train(corpus, tmp_path / "other" / "model.pt", replace(longer, seed=2), _quiet)
    assert other.tune_rms_db != first.tune_rms_db


def test_all_clips_are_seen_as_often_as_was_asked(corpus: Corpus, settings: TrainSettings, tmp_path: Path) -> None:
    told: list[train.Progress] = []
    train.train(corpus, tmp_path / "model.pt", replace(settings, epochs=4, batch=10, least_steps=1), told.append)
    assert told[-1].steps == 4 * (len(corpus.rows("train")) // 10)


def test_the_history_is_written_as_it_goes(corpus: Corpus, settings: TrainSettings, tmp_path: Path) -> None:
    told: list[train.Progress] = []

    def tell(progress: train.Progress) -> None:
        told.append(progress)
        with train.history_of(tmp_path / "model.pt").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert rows == [{name: str(value) for name, value in asdict(one).items()} for one in told]

    train.train(corpus, tmp_path / "model.pt", settings, tell)
    assert len(told) == 6
    assert str(told[2]).startswith("step 30 of 60: train ")


def test_a_worse_run_leaves_the_better_checkpoint(
    corpus: Corpus, settings: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "_ROUND_STEPS", 60)
    path = tmp_path / "model.pt"
    good = train.train(corpus, path, settings, _quiet)
    before = path.read_bytes()
    told: list[train.Progress] = []
    held = train.train(corpus, path, replace(settings, least_steps=20, rate=1e-6), told.append)
    assert path.read_bytes() == before
    assert held.tune_rms_db == good.tune_rms_db
    assert held.settings.least_steps == 60
    assert not any(progress.saved for progress in told)
    better = train.train(corpus, path, replace(settings, least_steps=300), told.append)
    assert better.tune_rms_db < good.tune_rms_db
    assert told[-1].saved


def test_the_best_is_kept_and_not_the_last(corpus: Corpus, settings: TrainSettings, tmp_path: Path) -> None:
    told: list[train.Progress] = []
    noise = np.random.default_rng(0).uniform(0.2, 0.8, corpus.spectra.shape).astype(np.float16)
    stalled = replace(corpus, spectra=noise)
    keen = replace(settings, least_steps=2000, rate=2e-2, patience=0.001)
    best = train.train(stalled, tmp_path / "model.pt", keen, told.append)
    assert told[-1].step < 2000
    errors = [progress.tune_rms_db for progress in told]
    assert best.tune_rms_db == min(errors) < errors[-1]
    # Stopped four rounds after the best, and not before: that is as long as the least patience.
    assert len(errors) - 1 - int(np.argmin(errors)) == 4
    patient: list[train.Progress] = []
    train.train(stalled, tmp_path / "other" / "model.pt", replace(keen, least_steps=200, patience=1.0), patient.append)
    assert patient[-1].step == 200


def test_a_checkpoint_of_another_corpus_is_not_compared(
    corpus: Corpus, settings: TrainSettings, tmp_path: Path
) -> None:
    path = tmp_path / "model.pt"
    train.train(corpus, path, settings, _quiet)
    other = replace(corpus, spectra=np.ascontiguousarray(corpus.spectra[::-1]))
    assert train.train(other, path, replace(settings, least_steps=20), _quiet).settings.least_steps == 20
    assert kept.load(tmp_path / "model-1.pt").settings.least_steps == 60


def test_a_killed_run_goes_on_and_ends_as_if_nothing_had_been(
    corpus: Corpus, settings: TrainSettings, tmp_path: Path
) -> None:
    whole = train.train(corpus, tmp_path / "whole" / "model.pt", settings, _quiet)
    path = tmp_path / "killed" / "model.pt"
    command = [sys.executable, "-c", _TRAINING, str(corpus.folder), str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    steps = [int(process.stdout.readline()) for _ in range(3)]
    os.kill(process.pid, signal.SIGKILL)
    steps += [int(line) for line in process.stdout]
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    assert steps[-1] < 60
    told: list[train.Progress] = []
    mended = train.train(corpus, path, settings, told.append)
    assert told[0].step > steps[-1]
    assert told[-1].step == 60
    assert mended.tune_rms_db == whole.tune_rms_db
    assert len(train.history_of(path).read_text().splitlines()) == 7
    assert not path.with_name("training.pt").exists()


def test_a_run_with_other_settings_begins_anew(corpus: Corpus, settings: TrainSettings, tmp_path: Path) -> None:
    def stop(progress: train.Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train.train(corpus, tmp_path / "model.pt", settings, stop)
    assert (tmp_path / "training.pt").exists()
    told: list[train.Progress] = []
    train.train(corpus, tmp_path / "model.pt", replace(settings, seed=5), told.append)
    assert told[0].step == 10


def test_a_file_that_is_no_checkpoint_is_not_written_over(
    corpus: Corpus, settings: TrainSettings, tmp_path: Path
) -> None:
    path = tmp_path / "model.pt"
    path.write_text("a thesis")
    with pytest.raises(StudioError, match="move it away"):
        train.train(corpus, path, settings, _quiet)
    assert path.read_text() == "a thesis"


def test_a_state_cut_short_is_refused(corpus: Corpus, settings: TrainSettings, tmp_path: Path) -> None:
    (tmp_path / "training.pt").write_bytes(b"PK\x03\x04")
    with pytest.raises(StudioError, match="is damaged; remove it"):
        train.train(corpus, tmp_path / "model.pt", settings, _quiet)


def test_too_small_a_corpus_is_refused(corpus: Corpus, settings: TrainSettings, tmp_path: Path) -> None:
    few = replace(corpus, split=np.where(np.arange(len(corpus.split)) < 7, 0, 1).astype(np.int8))
    with pytest.raises(StudioError, match="7 clips to train on and 75 to tune on; gather at least 8"):
        train.train(few, tmp_path / "model.pt", settings, _quiet)
    untuned = replace(corpus, split=np.zeros_like(corpus.split))
    with pytest.raises(StudioError, match="0 to tune on; gather"):
        train.train(untuned, tmp_path / "model.pt", settings, _quiet)
    assert not (tmp_path / "model.pt").exists()


def test_the_checkpoint_is_the_running_average(checkpoint: Checkpoint, corpus: Corpus, tmp_path: Path) -> None:
    kept.save(tmp_path / "model.pt", checkpoint)
    tune = torch.from_numpy(corpus.of("tune"))
    there_and_back = train.decode_mean(checkpoint.encoder, checkpoint.decoder, tune)
    assert rms_db(there_and_back, tune) == pytest.approx(checkpoint.tune_rms_db, abs=1e-4)


def test_pca_loses_nothing_of_what_has_32_dimensions() -> None:
    rng = np.random.default_rng(0)
    spectra = torch.from_numpy((0.5 + 0.003 * rng.normal(size=(80, 32)) @ rng.normal(size=(32, 1233))).astype("f4"))
    assert rms_db(spectra, train.pca(spectra, spectra)) < 0.05
    noise = torch.from_numpy(rng.uniform(0.2, 0.8, (80, 1233)).astype("f4"))
    assert rms_db(noise, train.pca(spectra, noise)) > 10.0


def test_the_verdict_gives_both_scores(corpus: Corpus, checkpoint: Checkpoint) -> None:
    ours, theirs = (float(number) for number in re.findall(r"(\d+\.\d+) dB", train.verdict(corpus, checkpoint)))
    held_out = torch.from_numpy(corpus.of("held_out"))
    assert ours == pytest.approx(
        rms_db(held_out, train.decode_mean(checkpoint.encoder, checkpoint.decoder, held_out)), abs=0.006
    )
    pca = train.pca(torch.from_numpy(corpus.of("train")), held_out)
    assert theirs == pytest.approx(rms_db(held_out, pca), abs=0.006)
    blind = replace(corpus, split=np.minimum(corpus.split, 1))
    assert train.verdict(blind, checkpoint) == "there are no held-out clips to score on"
