"""Step two: train the autoencoder on a corpus, and say how it does on instruments it never heard.

The reference, in the same run and on the same training set, is PCA with as many components.
"""

import contextlib
import pickle
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from appliance.errors import StudioError
from appliance.folders import write_whole
from appliance.spectrum.codec import FLOOR_DB
from appliance.studio.gather import Corpus
from appliance.studio.net import LATENT, Decoder, Encoder, Shape, augment, band_levels_db, contrast_db, mix_power

__all__ = [
    "Checkpoint",
    "Progress",
    "TrainSettings",
    "decode_mean",
    "load",
    "pca",
    "rms_db",
    "train",
    "use_threads",
    "verdict",
]

_SCALE_DB = -FLOOR_DB
_FEWEST = 8


@dataclass(frozen=True)
class TrainSettings:
    """How to train.

    Attributes
    ----------
    epochs : int
        The last ten lower the error by less than a twentieth of a decibel.
    batch : int
    rate : float
        Peak of the one-cycle schedule.
    kl : float
        Weight of the KL divergence beside the squared error in dB. From 0.005 to 0.06 (the evidence bound for
        an error of 6 dB) the error hardly moves, and the larger, the more the prior's draws sound like something.
    between : float
        Weight of the squared error half way: a point between two sounds must decode to both at once, their
        powers added. Without it a chord between two chords has the peaks of neither.
    contrast, prior_contrast : float
        Weight of the squared error in `contrast_db`: of what is decoded, and of draws from the prior (whose
        contrasts are compared in order of size, as they have no sound of their own). Squared error alone is
        least for an average, and an average of spectra is blurred: noise where a tone should be. It costs
        0.2 dB of error and gives back half of the lost height of the peaks.
    prior_level : float
        Weight of the same comparison of levels, by half octaves and in all. Without it draws from the prior
        differ in loudness by 8 LU (standard deviation), four times as much as the sounds they stand for.
    weight_decay : float
    seed : int
    shape : Shape
    """

    epochs: int = 80
    batch: int = 256
    rate: float = 2e-3
    kl: float = 0.03
    between: float = 0.5
    contrast: float = 0.5
    prior_contrast: float = 0.3
    prior_level: float = 0.1
    weight_decay: float = 1e-4
    seed: int = 1
    shape: Shape = field(default_factory=Shape)


@dataclass(frozen=True)
class Progress:
    """After an epoch: squared error in training and error on the tuning instruments, both as RMS dB."""

    epoch: int
    train_rms_db: float
    tune_rms_db: float
    saved: bool

    def __str__(self) -> str:
        kept = ", kept" if self.saved else ""
        return f"epoch {self.epoch}: train {self.train_rms_db:.2f} dB, tune {self.tune_rms_db:.2f} dB{kept}"


@dataclass(frozen=True)
class Checkpoint:
    """A trained pair with the arguments that made it and its error on the tuning instruments."""

    encoder: Encoder
    decoder: Decoder
    settings: TrainSettings
    corpus: str
    tune_rms_db: float


def use_threads(count: int) -> None:
    """Compute on this many threads; no more than there are idle cores, or it is a hundred times slower."""
    torch.set_num_threads(count)


def train(corpus: Corpus, out: Path, settings: TrainSettings, tell: Callable[[Progress], None]) -> Checkpoint:
    """Train and keep the best epoch by the tuning instruments.

    Parameters
    ----------
    corpus : Corpus
    out : Path
        Checkpoint to write. One already there that did better on the same corpus stays as it is.
    settings : TrainSettings
    tell : callable
        Told after each epoch.

    Returns
    -------
    Checkpoint
        What ``out`` now holds.

    Raises
    ------
    StudioError
        If the corpus has fewer than eight training clips, or no tuning clips.
    """
    spectra, tune = torch.from_numpy(corpus.of("train")), torch.from_numpy(corpus.of("tune"))
    if len(spectra) < _FEWEST or not len(tune):
        raise StudioError(f"The corpus is too small; gather at least {_FEWEST} training clips and some tuning clips.")
    torch.manual_seed(settings.seed)
    rng = torch.Generator().manual_seed(settings.seed)
    centre = spectra.mean(dim=0)  # (1233,)
    encoder, decoder = Encoder(settings.shape, centre), Decoder(settings.shape, centre)
    weights = [*encoder.parameters(), *decoder.parameters()]
    optimiser = torch.optim.AdamW(weights, lr=settings.rate, weight_decay=settings.weight_decay)
    batch = min(settings.batch, len(spectra))
    batches = len(spectra) // batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.rate, total_steps=settings.epochs * batches, pct_start=0.1
    )
    best = _best_so_far(out, str(corpus.settings))
    for epoch in range(settings.epochs):
        total = 0.0
        order = torch.randperm(len(spectra), generator=rng)[: batches * batch]
        for rows in order.reshape(batches, batch):
            loss, squared = _loss(encoder, decoder, augment(spectra[rows], rng), settings, rng)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            total += float(squared.detach())
        tune_rms = rms_db(tune, decode_mean(encoder, decoder, tune))
        better = tune_rms < best
        if better:
            best = tune_rms
            _save(out, encoder, decoder, settings, str(corpus.settings), tune_rms)
        tell(Progress(epoch + 1, (total / batches) ** 0.5, tune_rms, better))
    return load(out)


def _loss(
    encoder: Encoder, decoder: Decoder, x: Tensor, settings: TrainSettings, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """The whole loss, and the squared error in it."""
    mean, log_variance = encoder(x)  # (n, 32) both
    z = mean + torch.exp(0.5 * log_variance) * torch.randn(mean.shape, generator=rng)
    out = decoder(z)  # (n, 1233)
    wanted = contrast_db(x)  # (n, 19)
    squared = _squared_error(out, x)
    divergence = (0.5 * (mean**2 + log_variance.exp() - 1.0 - log_variance)).sum(dim=1).mean()
    flat = (contrast_db(out.relu()) - wanted).square().mean()
    loss = squared + settings.kl * divergence + settings.contrast * flat
    half, quarter = len(x) // 2, len(x) // 4
    share = torch.rand(half, 1, generator=rng) * 0.8 + 0.1
    # From the chord (exponent 1) out to the arc (1/2), which keeps the distance from the origin: points of the
    # prior are sums of that kind, and a decoder that never saw the arc gives them no peaks.
    bow = 1.0 - 0.5 * torch.rand(half, 1, generator=rng)
    between = decoder(share**bow * z[:half] + (1.0 - share) ** bow * z[-half:])
    mixed = mix_power(x[:half], x[-half:], share)
    flat = (contrast_db(between.relu()) - contrast_db(mixed)).square().mean()
    loss = loss + settings.between * (_squared_error(between, mixed) + settings.contrast * flat)
    drawn = decoder(torch.randn(quarter, LATENT, generator=rng) * mean.detach().std(dim=0))
    flat = (contrast_db(drawn.relu()).sort(dim=0)[0] - wanted[:quarter].sort(dim=0)[0]).square().mean()
    levels, usual = band_levels_db(drawn.clamp(0.0, 1.0)), band_levels_db(x[:quarter])
    off = (levels.sort(dim=0)[0] - usual.sort(dim=0)[0]).square().mean(dim=0)  # (21,)
    return loss + settings.prior_contrast * flat + settings.prior_level * (off[:-1].mean() + off[-1]), squared


def _squared_error(out: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared error in dB; below the floor anything is right, because it is cut off there."""
    error = (out - wanted) * _SCALE_DB
    return torch.where((wanted <= 0.0) & (out < 0.0), 0.0, error).square().mean()


def decode_mean(encoder: Encoder, decoder: Decoder, spectra: Tensor) -> Tensor:
    """There and back without noise, (n, 1233) in 0..1."""
    with torch.no_grad():
        out: Tensor = decoder(encoder(spectra)[0]).clamp(0.0, 1.0)
    return out


def rms_db(one: Tensor, two: Tensor) -> float:
    """Root of the mean squared difference over all bins and rows, in dB."""
    return float((one - two).square().mean().sqrt()) * _SCALE_DB


def pca(train_spectra: Tensor, test: Tensor) -> Tensor:
    """Project on the 32 principal components of the training set and back, (n, 1233) in 0..1."""
    centre = train_spectra.mean(dim=0)
    covariance = torch.cov((train_spectra - centre).T)  # (1233, 1233)
    axes = torch.linalg.eigh(covariance).eigenvectors[:, -LATENT:]  # (1233, 32)
    projected: Tensor = ((test - centre) @ axes @ axes.T + centre).clamp(0.0, 1.0)
    return projected


def verdict(corpus: Corpus, checkpoint: Checkpoint) -> str:
    """The score: error on held-out instruments, beside PCA with as many components from the same training set."""
    held_out = torch.from_numpy(corpus.of("held_out"))
    if not len(held_out):
        return "there are no held-out clips to score on"
    ours = rms_db(held_out, decode_mean(checkpoint.encoder, checkpoint.decoder, held_out))
    theirs = rms_db(held_out, pca(torch.from_numpy(corpus.of("train")), held_out))
    return f"held-out instruments, RMS: network {ours:.2f} dB, PCA-{LATENT} {theirs:.2f} dB"


def _save(out: Path, encoder: Encoder, decoder: Decoder, settings: TrainSettings, corpus: str, tune_rms: float) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "settings": asdict(settings),
        "corpus": corpus,
        "tune_rms_db": tune_rms,
        "encoder": encoder.state_dict(),
        "decoder": decoder.state_dict(),
    }
    write_whole(out, lambda file: torch.save(content, file))


def load(path: Path) -> Checkpoint:
    """Read a checkpoint; raises StudioError where there is none or it is damaged."""
    try:
        content = torch.load(path, weights_only=True)
        arguments = dict(content["settings"])
        settings = TrainSettings(**{**arguments, "shape": Shape(**arguments["shape"])})
        encoder = Encoder(settings.shape, content["encoder"]["centre"])
        decoder = Decoder(settings.shape, content["decoder"]["centre"])
        encoder.load_state_dict(content["encoder"])
        decoder.load_state_dict(content["decoder"])
    except FileNotFoundError as error:
        raise StudioError(f"There is no checkpoint at {path}; make one with 'latent studio train'.") from error
    except (OSError, EOFError, pickle.UnpicklingError, LookupError, TypeError, RuntimeError, ValueError) as error:
        raise StudioError(
            f"{path} is not a checkpoint of this version; make one with 'latent studio train'."
        ) from error
    encoder.eval()
    decoder.eval()
    return Checkpoint(encoder, decoder, settings, content["corpus"], content["tune_rms_db"])


def _best_so_far(path: Path, corpus: str) -> float:
    """Error of the checkpoint already at the path where it may be compared, else infinity."""
    with contextlib.suppress(StudioError):
        held = load(path)
        if held.corpus == corpus:
            return held.tune_rms_db
    return float("inf")
