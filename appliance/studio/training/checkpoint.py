"""What training leaves behind: the best pair of networks so far, and where a broken run goes on."""

import io
import itertools
import pickle
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from appliance.errors import StudioError
from appliance.folders import write_whole
from appliance.studio.disk import writing
from appliance.studio.training.loss import Weights
from appliance.studio.training.net import Decoder, Encoder, Shape

__all__ = ["Checkpoint", "TrainSettings", "best_rms_db", "load", "load_state", "save", "save_state"]

_DAMAGED = (OSError, EOFError, pickle.UnpicklingError, LookupError, TypeError, RuntimeError, ValueError)


@dataclass(frozen=True)
class TrainSettings:
    """How to train.

    Attributes
    ----------
    epochs : int
        Times each clip is seen, in one disguise or another.
    least_steps : int
        A small corpus is seen more often, until so many steps are done; they matter more than epochs.
    batch : int
        Small batches learn more in the same time: 96 instead of 256 lowered the error by 0.24 dB in as many epochs.
    rate : float
        Peak of the one-cycle schedule.
    average : float
        Share that the running average of the weights keeps at each step; the average is what is kept.
    undisguise : float
        Last part of the training, in which the clips are disguised less and less.
    patience : float
        Training ends early when so large a part of it brought nothing on the tuning clips.
    weight_decay : float
    seed : int
    weights : Weights
    shape : Shape
    """

    epochs: int = 100
    least_steps: int = 6000
    batch: int = 96
    rate: float = 2e-3
    average: float = 0.999
    undisguise: float = 0.4
    patience: float = 0.3
    weight_decay: float = 1e-4
    seed: int = 1
    weights: Weights = field(default_factory=Weights)
    shape: Shape = field(default_factory=Shape)


@dataclass(frozen=True)
class Checkpoint:
    """A trained pair with the arguments that made it and its error on the tuning clips.

    Attributes
    ----------
    encoder, decoder
        On the CPU, and not for further training.
    settings : TrainSettings
    corpus : str
        Digest of what it was trained on.
    tune_rms_db : float
    seconds : float
        How long training had taken.
    """

    encoder: Encoder
    decoder: Decoder
    settings: TrainSettings
    corpus: str
    tune_rms_db: float
    seconds: float


def save(path: Path, made: Checkpoint) -> None:
    """Write a checkpoint, whole or not at all; one that may not be compared with it is moved aside, never lost.

    Raises
    ------
    StudioError
        If the disk refuses, or what is there is no checkpoint.
    """
    if path.exists() and not _comparable(load(path), made.corpus, made.settings):
        with writing(path):
            path.rename(_free(path))
    content = {
        "settings": asdict(made.settings),
        "corpus": made.corpus,
        "tune_rms_db": made.tune_rms_db,
        "seconds": made.seconds,
        "encoder": made.encoder.state_dict(),
        "decoder": made.decoder.state_dict(),
    }
    _write(path, content)


def load(path: Path) -> Checkpoint:
    """Read a checkpoint; raises StudioError where there is none or it is damaged."""
    try:
        content = torch.load(path, weights_only=True, map_location="cpu")
        told = dict(content["settings"])
        settings = TrainSettings(**{**told, "weights": Weights(**told["weights"]), "shape": Shape(**told["shape"])})
        encoder = Encoder(settings.shape, content["encoder"]["centre"])
        decoder = Decoder(settings.shape, content["decoder"]["centre"])
        encoder.load_state_dict(content["encoder"])
        decoder.load_state_dict(content["decoder"])
        made = Checkpoint(
            encoder.eval(), decoder.eval(), settings, content["corpus"], content["tune_rms_db"], content["seconds"]
        )
    except FileNotFoundError as error:
        raise StudioError(f"There is no checkpoint at {path}; make one with 'latent studio train'.") from error
    except _DAMAGED as error:
        raise StudioError(
            f"{path} is not a checkpoint of this version; move it away and make one with 'latent studio train'."
        ) from error
    return made


def best_rms_db(path: Path, corpus: str, settings: TrainSettings) -> float:
    """Error of the checkpoint already at the path where it may be compared, else infinity.

    It may where it was trained on the same clips for the same aim: with other weights of the loss another model is
    wanted, whatever its error.

    Raises
    ------
    StudioError
        If there is a file that is no checkpoint: it may be anything, so it is not written over.
    """
    if not path.exists():
        return float("inf")
    held = load(path)
    return held.tune_rms_db if _comparable(held, corpus, settings) else float("inf")


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write all that a run needs to go on."""
    _write(path, state)


def load_state(path: Path, wanted: dict[str, Any]) -> dict[str, Any] | None:
    """Read where a run of the same settings on the same corpus stopped; None where there is none to go on with."""
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
    except FileNotFoundError:
        return None
    except _DAMAGED as error:
        raise StudioError(f"{path} is damaged; remove it and run 'latent studio train' again.") from error
    return state if all(state.get(name) == value for name, value in wanted.items()) else None


def _comparable(held: Checkpoint, corpus: str, settings: TrainSettings) -> bool:
    return held.corpus == corpus and held.settings.weights == settings.weights


def _free(path: Path) -> Path:
    """The first of model-1.pt, model-2.pt, ... that is not there."""
    names = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in itertools.count(1))
    return next(name for name in names if not name.exists())


def _write(path: Path, content: dict[str, Any]) -> None:
    # Where a disk is full, PyTorch hides its refusal behind an error of its own.
    packed = io.BytesIO()
    torch.save(content, packed)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, lambda file: file.write(packed.getbuffer()))
