"""Step five: measure a trained model, make it int8, and write the ``.latent`` bundle."""

import datetime
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from appliance.errors import StudioError
from appliance.folders import write_whole
from appliance.model import bundle
from appliance.model.decoder import Encoder as Listener
from appliance.spectrum import traits
from appliance.spectrum.codec import Floats
from appliance.studio.corpus import SPLITS, Corpus
from appliance.studio.exporting import atlas, card, graph, measure, motion
from appliance.studio.exporting.atlas import AtlasSettings
from appliance.studio.exporting.quantise import INT8_LIMIT_DB, Quantised, quantise
from appliance.studio.judging import judge
from appliance.studio.training import train
from appliance.studio.training.checkpoint import Checkpoint
from appliance.studio.training.loss import decode_mean

__all__ = ["ExportSettings", "Exported", "export", "lending"]

_DRAWS = 1000
# Lending may cost so much on sounds that are no places; what it gives is the peaks of those that are.
_LENDING_COST_DB = 0.03
_REACHES = (1.0, 0.85, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2)


@dataclass(frozen=True)
class ExportSettings:
    """What to call the model, and how to make its atlas.

    Attributes
    ----------
    name, licence, author : str
    created : str
        ISO date; today where empty.
    character : str
        A sentence for the card.
    made : str
        Another: with what, and how long it took.
    recordings : str
        Folder of recordings for the independent test; scores of it are left out where there is none.
    atlas : AtlasSettings
    """

    name: str
    licence: str
    author: str
    created: str = ""
    character: str = ""
    made: str = "Made by `latent studio gather`, `train` and `export`."
    recordings: str = str(measure.RECORDINGS)
    atlas: AtlasSettings = field(default_factory=AtlasSettings)


@dataclass(frozen=True)
class Exported:
    """What was written, and the card with its scores."""

    bundle: bundle.Bundle
    card: str


@dataclass(frozen=True)
class _Motion:
    """What the engine must know about moving: see `motion`."""

    axes: npt.NDArray[np.float64]
    scale: npt.NDArray[np.float64]
    names: list[str]
    speed: float
    ways: dict[str, Floats]
    tried: dict[str, motion.Movement]
    values: dict[str, Floats]


def export(corpus: Corpus, checkpoint: Checkpoint, out: Path, settings: ExportSettings) -> Exported:
    """Write the bundle, and the card beside it.

    Raises
    ------
    StudioError
        If the checkpoint is of another corpus, or the corpus has no held-out clips, or too few fit for the atlas.
    ModelError
        If the bundle cannot be written.
    """
    if checkpoint.corpus != corpus.digest:
        raise StudioError("The checkpoint was trained on other clips than are kept now; run 'latent studio train'.")
    if not len(corpus.rows("held_out")):
        raise StudioError("The corpus has no held-out clips to score the model on; gather at least three sources.")
    places, spectra = atlas.choose(corpus, checkpoint.encoder, settings.atlas)
    model = lending(corpus, checkpoint, places, spectra, settings.atlas)
    axes, scale = motion.principal_axes(places.numpy())
    prior = motion.draws(places.numpy(), axes, scale, _DRAWS, np.random.default_rng(1))
    precision = quantise(model)
    moves = _motion(places.numpy(), axes, scale, precision.decode)
    trial = measure.Trial(
        held_out=corpus.of("held_out"),
        recordings=measure.steady_recordings(Path(settings.recordings)),
        places=places.numpy(),
        place_spectra=spectra.numpy(),
        wiggled=motion.helix(moves.speed, places.numpy(), axes, scale)[0],
        prior=prior,
    )
    listener = graph.encoder_onnx(checkpoint.encoder)
    rows = _rows(corpus, checkpoint, trial, Listener(listener).encode, precision)
    scores = _scores(rows, precision) | _space_scores(corpus, checkpoint, prior, precision)
    text = card.write(_facts(corpus, settings, trial, rows, precision, moves, scores, model.settings.reach))
    middles, _ = trial.pairs()
    golden = np.concatenate([trial.places[:6], middles[-5:], prior[:5]])
    parts = bundle.Parts(
        decoder=precision.content,
        decoder_fp32=None,
        encoder=listener,
        atlas=trial.places,
        golden_latents=golden,
        golden_spectra=precision.reference(golden),
        golden_tolerance_db=min(INT8_LIMIT_DB, max(0.05, 2.0 * precision.off_db * precision.int8)),
        card=text,
    )
    written = bundle.write(out, _manifest(settings, scores, moves), parts)
    write_whole(out.with_suffix(".md"), lambda file: file.write(text.encode()))
    return Exported(written, text)


def lending(
    corpus: Corpus, checkpoint: Checkpoint, places: torch.Tensor, spectra: torch.Tensor, settings: AtlasSettings
) -> atlas.LendingDecoder:
    """Let the places lend as far as it costs the tuning clips hardly anything."""
    tune = torch.from_numpy(corpus.of("tune"))
    with torch.no_grad():
        latents = checkpoint.encoder(tune)[0].numpy()
    alone_db = measure.rms_db(decode_mean(checkpoint.encoder, checkpoint.decoder, tune).numpy(), tune.numpy())
    for share in _REACHES:
        model = atlas.LendingDecoder(
            checkpoint.decoder, places, spectra, replace(settings, reach=settings.reach * share)
        )
        if measure.rms_db(model.decode(latents), tune.numpy()) <= alone_db + _LENDING_COST_DB:
            break
    return model


def _motion(
    places: Floats, axes: npt.NDArray[np.float64], scale: npt.NDArray[np.float64], decode: Callable[[Floats], Floats]
) -> _Motion:
    ways = motion.directions(places, axes, scale, decode)
    return _Motion(
        axes,
        scale,
        motion.axis_names(places, axes, scale, decode),
        motion.wiggle_speed(places, axes, scale, decode),
        ways,
        motion.movements(places, axes, scale, ways, decode),
        motion.trait_values(places, decode(places)),
    )


def _facts(
    corpus: Corpus,
    settings: ExportSettings,
    trial: measure.Trial,
    rows: list[measure.Row],
    precision: Quantised,
    moves: _Motion,
    scores: dict[str, float],
    reach: float,
) -> card.Facts:
    """What the card tells."""
    radius = moves.speed * 30.0 / (2.0 * np.pi) * float(np.sqrt((moves.scale**2).mean()))
    return card.Facts(
        name=settings.name,
        licence=settings.licence,
        character=settings.character,
        made=settings.made,
        sources=tuple((split, corpus.named(split), len(corpus.rows(split))) for split in SPLITS),
        licences=tuple(sorted({note for note in corpus.licences if note})),
        places=len(trial.places),
        recordings=len(trial.recordings),
        table=measure.table(rows),
        scores=scores,
        precision=str(precision),
        speed=moves.speed,
        radius=radius,
        nearest=atlas.nearest_median(torch.from_numpy(trial.places)),
        reach=reach,
        movements=moves.tried,
        axes=tuple(moves.names),
    )


def _manifest(settings: ExportSettings, scores: dict[str, float], moves: _Motion) -> bundle.Manifest:
    return bundle.Manifest(
        name=settings.name,
        licence=settings.licence,
        author=settings.author,
        created=settings.created or datetime.date.today().isoformat(),
        directions={name: way.tolist() for name, way in moves.ways.items()},
        pca_axes=moves.axes.tolist(),
        pca_scale=moves.scale.tolist(),
        pca_names=moves.names,
        statistics=bundle.Statistics(
            wiggle_speed=moves.speed,
            trait_mean={name: float(of.mean()) for name, of in moves.values.items()},
            trait_sd={name: float(of.std()) for name, of in moves.values.items()},
            scores=scores,
        ),
    )


def _rows(
    corpus: Corpus,
    checkpoint: Checkpoint,
    trial: measure.Trial,
    encode: Callable[[Floats], Floats],
    precision: Quantised,
) -> list[measure.Row]:
    spectra = torch.from_numpy(corpus.of("train"))

    def alone(z: Floats) -> Floats:
        with torch.no_grad():
            return np.asarray(checkpoint.decoder(torch.from_numpy(z)).clamp(0.0, 1.0).numpy(), dtype=np.float32)

    def components(x: Floats) -> Floats:
        return np.asarray(train.pca(spectra, torch.from_numpy(x)).numpy(), dtype=np.float32)

    return [
        measure.data_row(trial),
        measure.score("PCA-32", trial, components, None),
        measure.score("network alone", trial, lambda x: alone(encode(x)), alone),
        measure.score("with detail lent", trial, lambda x: precision.reference(encode(x)), precision.reference),
        measure.score("as shipped", trial, lambda x: precision.decode(encode(x)), precision.decode),
    ]


def _scores(rows: list[measure.Row], precision: Quantised) -> dict[str, float]:
    """The numbers of the reference and of what ships, for the manifest; those not measured are left out."""
    scores = {"int8_off_db": precision.off_db}
    for prefix, row in (("pca", rows[1]), ("model", rows[-1]), ("data", rows[0])):
        scores |= {f"{prefix}_{name}": value for name, value in vars(row).items() if name != "name"}
    return {name: round(value, 4) for name, value in scores.items() if np.isfinite(value)}


def _space_scores(corpus: Corpus, checkpoint: Checkpoint, prior: Floats, precision: Quantised) -> dict[str, float]:
    """How much of the latent space is used, and of use."""
    training = corpus.of("train")
    with torch.no_grad():
        means = checkpoint.encoder(torch.from_numpy(training))[0].numpy()
    return {
        "active_dimensions": float(judge.active_dimensions(means).sum()),
        "prior_unusable": round(judge.share_unusable(judge.unusable(precision.decode(prior), training)), 4),
        "data_train_peaks_db": round(float(traits.tonality(training[:: max(1, len(training) // 4000)]).mean()), 4),
        "int8_us": round(precision.int8_us, 1),
        "fp32_us": round(precision.fp32_us, 1),
    }
