"""What training leaves behind is read back as it was, and nothing else is written over."""

import resource
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from appliance.errors import StudioError
from appliance.studio.corpus import Corpus
from appliance.studio.training import checkpoint as step
from appliance.studio.training.checkpoint import Checkpoint, TrainSettings

_NO_CHECKPOINTS = [b"", b"text", b"PK\x03\x04", b"PK\x05\x06" + bytes(18)]


def test_a_checkpoint_comes_back_with_all_its_arguments(checkpoint: Checkpoint, corpus: Corpus, tmp_path: Path) -> None:
    step.save(tmp_path / "new" / "model.pt", checkpoint)
    again = step.load(tmp_path / "new" / "model.pt")
    assert again.settings == checkpoint.settings
    assert again.corpus == checkpoint.corpus == corpus.digest
    assert (again.tune_rms_db, again.seconds) == (checkpoint.tune_rms_db, checkpoint.seconds)
    assert not again.decoder.training
    z = torch.randn(3, 32)
    with torch.no_grad():
        assert torch.equal(again.decoder(z), checkpoint.decoder(z))
        spectra = torch.from_numpy(corpus.of("tune"))
        assert torch.equal(again.encoder(spectra)[0], checkpoint.encoder(spectra)[0])


@pytest.mark.parametrize("content", _NO_CHECKPOINTS)
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    with pytest.raises(StudioError, match=r"is not a checkpoint of this version.*latent studio train"):
        step.load(path)
    with pytest.raises(StudioError, match=r"is not a checkpoint of this version.*latent studio train"):
        step.best_rms_db(path, "any", TrainSettings())
    with pytest.raises(StudioError, match="There is no checkpoint"):
        step.load(tmp_path / "absent.pt")


@pytest.mark.parametrize("wrong", ["settings", "decoder", "seconds"])
def test_a_checkpoint_of_another_make_is_refused(checkpoint: Checkpoint, tmp_path: Path, wrong: str) -> None:
    path = tmp_path / "model.pt"
    step.save(path, checkpoint)
    content = torch.load(path, weights_only=True)
    if wrong == "settings":
        content["settings"]["colour"] = 1
    elif wrong == "decoder":
        content["decoder"]["leave.bias"] = torch.zeros(7)
    else:
        del content["seconds"]
    torch.save(content, path)
    with pytest.raises(StudioError, match="is not a checkpoint of this version"):
        step.load(path)


def test_only_checkpoints_of_the_same_clips_and_aim_are_compared(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path, settings = tmp_path / "model.pt", checkpoint.settings
    assert step.best_rms_db(path, checkpoint.corpus, settings) == float("inf")
    step.save(path, checkpoint)
    assert step.best_rms_db(path, checkpoint.corpus, settings) == checkpoint.tune_rms_db
    assert step.best_rms_db(path, checkpoint.corpus, replace(settings, seed=9)) == checkpoint.tune_rms_db
    assert step.best_rms_db(path, "another", settings) == float("inf")
    dimmer = replace(settings, weights=replace(settings.weights, kl=0.5))
    assert step.best_rms_db(path, checkpoint.corpus, dimmer) == float("inf")


def test_what_may_not_be_compared_is_moved_aside(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    for corpus in ("first", "first", "second", "third"):
        step.save(path, replace(checkpoint, corpus=corpus))
    assert {held.name: step.load(held).corpus for held in tmp_path.iterdir()} == {
        "model-1.pt": "first",
        "model-2.pt": "second",
        "model.pt": "third",
    }


def test_a_file_that_is_no_checkpoint_is_not_written_over(checkpoint: Checkpoint, tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_text("a thesis")
    with pytest.raises(StudioError, match="move it away"):
        step.save(tmp_path / "model.pt", checkpoint)
    assert (tmp_path / "model.pt").read_text() == "a thesis"


def test_a_state_is_for_the_same_run_alone(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "training.pt"
    run = {"settings": asdict(checkpoint.settings), "corpus": checkpoint.corpus, "device": "cpu"}
    assert step.load_state(path, run) is None
    step.save_state(path, run | {"order": torch.arange(5), "history": []})
    state = step.load_state(path, run)
    assert state is not None
    assert state["order"].tolist() == list(range(5))
    assert step.load_state(path, run | {"corpus": "another"}) is None
    assert step.load_state(path, run | {"settings": {**run["settings"], "seed": 2}}) is None  # type: ignore[dict-item]


@pytest.mark.parametrize("content", _NO_CHECKPOINTS)
def test_a_damaged_state_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "training.pt"
    path.write_bytes(content)
    with pytest.raises(StudioError, match=r"training\.pt is damaged; remove it"):
        step.load_state(path, {})


def test_where_nothing_can_be_written_a_sentence_says_so(checkpoint: Checkpoint, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StudioError, match="cannot be written"):
        step.save(tmp_path / "file" / "model.pt", checkpoint)
    assert (tmp_path / "file").read_text() == "no folder"


def test_a_full_disk_is_named_and_costs_nothing(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    step.save(path, checkpoint)
    before, limits = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    # A file that may not grow further fails in the middle, as on a disk that fills.
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
    try:
        with pytest.raises(StudioError, match=r"model\.pt cannot be written .*make room"):
            step.save(path, checkpoint)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert [held.name for held in tmp_path.iterdir()] == ["model.pt"]
