"""Step three: measure a trained model, make it int8, and write the ``.latent`` bundle."""

import datetime
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from appliance.errors import StudioError
from appliance.model import bundle
from appliance.model.decoder import Decoder as Player
from appliance.model.decoder import Encoder as Listener
from appliance.spectrum.codec import Floats
from appliance.studio import atlas, card, graph, measure, motion, train
from appliance.studio.atlas import AtlasSettings
from appliance.studio.gather import Corpus

__all__ = ["ExportSettings", "Exported", "export"]

INT8_LIMIT_DB = 0.5
_DRAWS = 512


@dataclass(frozen=True)
class ExportSettings:
    """What to call the model, and how to make its atlas.

    Attributes
    ----------
    name, licence, author : str
    created : str
        ISO date; today where empty.
    recordings : str
        Folder of recordings for the independent test; scores of it are left out where there is none.
    atlas : AtlasSettings
    """

    name: str = "default"
    licence: str = "MIT"
    author: str = "The Latent founders"
    created: str = ""
    recordings: str = str(measure.RECORDINGS)
    atlas: AtlasSettings = field(default_factory=AtlasSettings)


@dataclass(frozen=True)
class Exported:
    """What was written, and the card with its scores."""

    bundle: bundle.Bundle
    card: str


@dataclass(frozen=True)
class _Precision:
    """Which decoder ships and why."""

    content: bytes
    decode: Callable[[Floats], Floats]
    reference: Callable[[Floats], Floats]
    off_db: float
    sentence: str


@dataclass(frozen=True)
class _Motion:
    """What the engine must know about moving: see `motion`; ``steps`` is how far each direction moves its trait."""

    axes: npt.NDArray[np.float64]
    scale: npt.NDArray[np.float64]
    speed: float
    ways: dict[str, Floats]
    steps: dict[str, float]
    values: dict[str, Floats]


def export(corpus: Corpus, checkpoint: train.Checkpoint, out: Path, settings: ExportSettings) -> Exported:
    """Write the bundle, and the card beside it.

    Raises
    ------
    StudioError
        If the corpus has no held-out clips, or too few fit for the atlas.
    ModelError
        If the bundle cannot be written.
    """
    if not len(corpus.rows("held_out")):
        raise StudioError("The corpus has no held-out clips to score the model on; gather some.")
    places, spectra = atlas.choose(corpus, checkpoint.encoder, settings.atlas)
    model = atlas.LendingDecoder(checkpoint.decoder, places, spectra, settings.atlas)
    axes, scale = motion.principal_axes(places.numpy())
    draws = np.random.default_rng(1).standard_normal((_DRAWS, len(scale))) * scale
    prior = (draws @ axes).astype(np.float32)
    precision = _precision(model, torch.from_numpy(prior))
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
    text = card.write(corpus.settings, _facts(settings, trial, rows, precision, moves))
    middles, _ = trial.pairs()
    golden = np.concatenate([trial.places[:6], middles[-5:], prior[:5]])
    parts = bundle.Parts(
        decoder=precision.content,
        decoder_fp32=None,
        encoder=listener,
        atlas=trial.places,
        golden_latents=golden,
        golden_spectra=precision.reference(golden),
        golden_tolerance_db=min(INT8_LIMIT_DB, max(0.05, 2.0 * precision.off_db)),
        card=text,
    )
    written = bundle.write(out, _manifest(settings, rows, precision, moves), parts)
    out.with_suffix(".md").write_text(text)
    return Exported(written, text)


def _motion(
    places: Floats, axes: npt.NDArray[np.float64], scale: npt.NDArray[np.float64], decode: Callable[[Floats], Floats]
) -> _Motion:
    decoded = decode(places)
    ways = motion.directions(places, decoded, decode)
    values = motion.trait_values(places, decoded)
    moved = {name: motion.trait_values(places, decode(places + way))[name] for name, way in ways.items()}
    steps = {name: float((moved[name] - values[name]).mean() / values[name].std()) for name in ways}
    return _Motion(axes, scale, motion.wiggle_speed(places, axes, scale, decode), ways, steps, values)


def _facts(
    settings: ExportSettings,
    trial: measure.Trial,
    rows: list[measure.Row],
    precision: _Precision,
    moves: _Motion,
) -> dict[str, str]:
    """What the card says that only this run knows."""
    radius = moves.speed * 30.0 / (2.0 * np.pi) * float(np.sqrt((moves.scale**2).mean()))
    return {
        "name": settings.name,
        "licence": settings.licence,
        "places": f"{len(trial.places):,}",
        "stretches": str(len(trial.recordings)),
        "table": measure.table(rows),
        "precision": precision.sentence,
        "speed": f"{moves.speed:.3f}",
        "radius": f"{radius:.2f}",
        "nearest": f"{atlas.nearest_median(torch.from_numpy(trial.places)):.2f}",
        "moved": ", ".join(f"{name} {step:+.2f}" for name, step in moves.steps.items()),
    }


def _manifest(
    settings: ExportSettings, rows: list[measure.Row], precision: _Precision, moves: _Motion
) -> bundle.Manifest:
    return bundle.Manifest(
        name=settings.name,
        licence=settings.licence,
        author=settings.author,
        created=settings.created or datetime.date.today().isoformat(),
        directions={name: way.tolist() for name, way in moves.ways.items()},
        pca_axes=moves.axes.tolist(),
        pca_scale=moves.scale.tolist(),
        statistics=bundle.Statistics(
            wiggle_speed=moves.speed,
            trait_mean={name: float(of.mean()) for name, of in moves.values.items()},
            trait_sd={name: float(of.std()) for name, of in moves.values.items()},
            scores=_scores(rows, precision),
        ),
    )


def _precision(model: atlas.LendingDecoder, prior: torch.Tensor) -> _Precision:
    """Ship int8 only where it is close to float32 and faster than it."""
    plain = graph.decoder_onnx(model, None)
    small = graph.decoder_onnx(model, graph.calibrate(model, torch.cat([model.places, prior])))
    float32, int8 = Player(plain, "fp32").decode, Player(small, "int8").decode
    places = model.places.numpy()
    off_db = measure.rms_db(int8(places), float32(places))
    slow_us, fast_us = measure.time_us((float32, int8), places[:1])
    measured = f"int8 is {off_db:.2f} dB RMS off float32; one spectrum takes {fast_us:.0f} us against {slow_us:.0f} us"
    if off_db <= INT8_LIMIT_DB and fast_us < slow_us:
        return _Precision(small, int8, float32, off_db, f"The decoder is int8: {measured} (one thread).")
    return _Precision(plain, float32, float32, 0.0, f"The decoder is float32, because {measured} (one thread).")


def _rows(
    corpus: Corpus,
    checkpoint: train.Checkpoint,
    trial: measure.Trial,
    encode: Callable[[Floats], Floats],
    precision: _Precision,
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


def _scores(rows: list[measure.Row], precision: _Precision) -> dict[str, float]:
    """The numbers of the reference and of what ships, for the manifest; those not measured are left out."""
    scores = {"int8_off_db": precision.off_db}
    for prefix, row in (("pca", rows[1]), ("model", rows[-1]), ("data", rows[0])):
        scores |= {f"{prefix}_{name}": value for name, value in vars(row).items() if name != "name"}
    return {name: round(value, 4) for name, value in scores.items() if np.isfinite(value)}
