"""Step three: train the autoencoder on a corpus, and say how it does on sources that it never heard.

The reference, in the same run and on the same training set, is PCA with as many components.
"""

import copy
import csv
import io
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from appliance.errors import StudioError
from appliance.folders import write_whole
from appliance.studio.corpus import Corpus
from appliance.studio.disk import writing
from appliance.studio.training.checkpoint import (
    Checkpoint,
    TrainSettings,
    best_rms_db,
    load,
    load_state,
    save,
    save_state,
)
from appliance.studio.training.loss import decode_mean, loss, rms_db
from appliance.studio.training.net import LATENT, Autoencoder, augment

__all__ = ["Progress", "device", "history_of", "pca", "train", "use_threads", "verdict"]

_FEWEST = 8
# Twenty seconds of work on a slow core: what a kill may cost.
_ROUND_STEPS = 400
_AXES_FROM = 8000
# Gradients are 50 to 220 long; a single one far longer threw a training back by 3 dB.
_STEEPEST = 500.0


@dataclass(frozen=True)
class Progress:
    """After each round of steps.

    Attributes
    ----------
    step, steps : int
        Done, and to do.
    train_rms_db, tune_rms_db : float
        Error in training, disguises and noise included, and on the tuning clips.
    kl : float
        Divergence from the prior in nats.
    seconds : float
        Since training began, pauses left out.
    saved : bool
        Better than all before, and kept.
    """

    step: int
    steps: int
    train_rms_db: float
    tune_rms_db: float
    kl: float
    seconds: float
    saved: bool

    def __str__(self) -> str:
        left_s = self.seconds / self.step * (self.steps - self.step)
        return (
            f"step {self.step} of {self.steps}: train {self.train_rms_db:.2f} dB, tune {self.tune_rms_db:.2f} dB"
            f"{', kept' if self.saved else ''}; {left_s / 60.0:.0f} min left"
        )


def use_threads(count: int) -> None:
    """Compute on this many threads; no more than there are idle cores, or it is a hundred times slower."""
    torch.set_num_threads(count)


def device() -> torch.device:
    """The GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def history_of(checkpoint: Path) -> Path:
    """Where the training's progress is written: a CSV with the fields of `Progress`."""
    return checkpoint.with_name("history.csv")


def train(corpus: Corpus, out: Path, settings: TrainSettings, tell: Callable[[Progress], None]) -> Checkpoint:
    """Train and keep the best by the tuning clips; a run that was broken off goes on where it was.

    One that ended is not run again: the same clips and settings would give the same.

    Parameters
    ----------
    corpus : Corpus
    out : Path
        Checkpoint to write. One already there that did better on the same clips with the same weights of the loss
        stays as it is, another is moved aside. Beside it lie the history, and until the end the state of the run.
    settings : TrainSettings
    tell : callable
        Told after each round of steps.

    Returns
    -------
    Checkpoint
        What ``out`` now holds.

    Raises
    ------
    StudioError
        If the corpus has fewer than eight training clips, or no tuning clips, or the disk is full.
    """
    if len(corpus.rows("train")) < _FEWEST or not len(corpus.rows("tune")):
        raise StudioError(
            f"The corpus has {len(corpus.rows('train'))} clips to train on and {len(corpus.rows('tune'))} to tune on; "
            f"gather at least {_FEWEST} to train on, from three sources or more."
        )
    done = out.with_name("trained.json")
    wanted = json.dumps({"corpus": corpus.digest, "settings": asdict(settings)}).encode()
    if out.exists() and done.exists() and done.read_bytes() == wanted:
        return load(out)
    run = _Run(corpus, out, settings)
    while run.step < run.steps and not run.stale():
        tell(run.round())
    with writing(done):
        write_whole(done, lambda file: file.write(wanted))
    run.state_path.unlink(missing_ok=True)
    return load(out)


class _Run:
    """A training in progress."""

    def __init__(self, corpus: Corpus, out: Path, settings: TrainSettings) -> None:
        torch.manual_seed(settings.seed)
        self.device = device()
        self.settings, self.out, self.corpus = settings, out, corpus
        self.state_path = out.with_name("training.pt")
        self.best = best_rms_db(out, corpus.digest, settings)
        # float16: a large corpus takes 2.5 kB a clip, and a batch is widened when it is used.
        self.spectra = torch.from_numpy(np.ascontiguousarray(corpus.spectra[corpus.rows("train")])).to(self.device)
        self.tune = torch.from_numpy(corpus.of("tune")).to(self.device)
        self.batch = min(settings.batch, len(self.spectra))
        batches = len(self.spectra) // self.batch
        self.steps = max(settings.epochs * batches, settings.least_steps)
        some = self.spectra[:: max(1, len(self.spectra) // _AXES_FROM)].float()
        self.pair = Autoencoder(settings.shape, some).to(self.device)
        self.average = copy.deepcopy(self.pair)
        self.optimiser = torch.optim.AdamW(self.pair.parameters(), lr=settings.rate, weight_decay=settings.weight_decay)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, settings.rate, total_steps=self.steps, pct_start=0.1
        )
        self.rng = torch.Generator(self.device).manual_seed(settings.seed)
        self.order = torch.zeros(0, dtype=torch.long, device=self.device)
        self.step, self.seconds, self.history = 0, 0.0, list[Progress]()
        self._resume()

    def stale(self) -> bool:
        """Whether the last part of the training brought nothing."""
        told = [progress.tune_rms_db for progress in self.history]
        patience = max(4, round(self.settings.patience * self.steps / _ROUND_STEPS))
        return len(told) > patience and min(told[-patience:]) >= min(told[:-patience])

    def round(self) -> Progress:
        """Some hundred steps, and a look at the tuning clips."""
        start, total, divergence = time.monotonic(), 0.0, 0.0
        count = min(_ROUND_STEPS, self.steps - self.step)
        for at in range(count):
            sounds = augment(self.spectra[self._next()].float(), self.rng, self._strength(self.step + at))
            rated = loss(self.pair.encoder, self.pair.decoder, sounds, self.settings.weights, self.rng)
            self.optimiser.zero_grad()
            rated.whole.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.pair.parameters(), _STEEPEST)
            self.optimiser.step()
            self.schedule.step()
            self._follow(self.step + at)
            total += float(rated.squared.detach())
            divergence += float(rated.divergence.detach())
        self.step += count
        self.seconds += time.monotonic() - start
        tune_rms = rms_db(self.tune, decode_mean(self.average.encoder, self.average.decoder, self.tune))
        saved = tune_rms < self.best
        told = Progress(
            self.step, self.steps, (total / count) ** 0.5, tune_rms, divergence / count, self.seconds, saved
        )
        self.history.append(told)
        self._keep(saved)
        return told

    def _follow(self, step: int) -> None:
        """Move the average towards the weights, in the beginning faster: the start is not worth remembering."""
        kept = min(self.settings.average, (1.0 + step) / (10.0 + step))
        with torch.no_grad():
            for slow, fast in zip(self.average.parameters(), self.pair.parameters(), strict=True):
                slow.lerp_(fast, 1.0 - kept)

    def _strength(self, step: int) -> float:
        """How much the clips are disguised: towards the end less and less, because they will be met as they are."""
        return min(1.0, (self.steps - step) / (self.steps * self.settings.undisguise))

    def _next(self) -> Tensor:
        """Rows of the next batch: all clips in random order, again and again."""
        if len(self.order) < self.batch:
            self.order = torch.randperm(len(self.spectra), generator=self.rng, device=self.device)
        rows, self.order = self.order[: self.batch], self.order[self.batch :]
        return rows

    def _named(self) -> dict[str, Any]:
        """What must be the same for a run to go on."""
        return {"settings": asdict(self.settings), "corpus": self.corpus.digest, "device": self.device.type}

    def _keep(self, better: bool) -> None:
        if better:
            self.best = self.history[-1].tune_rms_db
            pair = copy.deepcopy(self.average).cpu()
            kept = Checkpoint(pair.encoder, pair.decoder, self.settings, self.corpus.digest, self.best, self.seconds)
            save(self.out, kept)
        state = {
            "pair": self.pair.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "rng": self.rng.get_state(),
            "order": self.order,
            "history": [asdict(progress) for progress in self.history],
        }
        save_state(self.state_path, self._named() | state)
        table = io.StringIO(newline="")
        writer = csv.DictWriter(table, list(asdict(self.history[0])))
        writer.writeheader()
        writer.writerows(asdict(progress) for progress in self.history)
        path = history_of(self.out)
        with writing(path):
            write_whole(path, lambda file: file.write(table.getvalue().encode()))

    def _resume(self) -> None:
        state = load_state(self.state_path, self._named())
        if state is None:
            return
        self.pair.load_state_dict(state["pair"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.rng.set_state(state["rng"].cpu())
        self.order = state["order"].to(self.device)
        self.history = [Progress(**progress) for progress in state["history"]]
        self.step, self.seconds = self.history[-1].step, self.history[-1].seconds


def pca(train_spectra: Tensor, test: Tensor) -> Tensor:
    """Project on the 32 principal components of the training set and back, (n, 1233) in 0..1."""
    centre = train_spectra.mean(dim=0)
    covariance = torch.cov((train_spectra - centre).T)  # (1233, 1233)
    axes = torch.linalg.eigh(covariance).eigenvectors[:, -LATENT:]  # (1233, 32)
    projected: Tensor = ((test - centre) @ axes @ axes.T + centre).clamp(0.0, 1.0)
    return projected


def verdict(corpus: Corpus, checkpoint: Checkpoint) -> str:
    """The score: error on held-out sources, beside PCA with as many components from the same training set."""
    held_out = torch.from_numpy(corpus.of("held_out"))
    if not len(held_out):
        return "there are no held-out clips to score on"
    ours = rms_db(held_out, decode_mean(checkpoint.encoder, checkpoint.decoder, held_out))
    theirs = rms_db(held_out, pca(torch.from_numpy(corpus.of("train")), held_out))
    return f"held-out sources, RMS: network {ours:.2f} dB, PCA-{LATENT} {theirs:.2f} dB"
