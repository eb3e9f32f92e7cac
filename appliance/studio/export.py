"""Step three: measure a trained model, make it int8, and write the ``.latent`` bundle."""

import datetime
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
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
_GOLDEN = 16
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
        raise StudioError("the corpus has no held-out clips to score the model on; gather some")
    places, spectra = atlas.choose(corpus, checkpoint.encoder, settings.atlas)
    model = atlas.LendingDecoder(checkpoint.decoder, places, spectra, settings.atlas)
    listener = graph.encoder_onnx(checkpoint.encoder)
    encode = Listener(listener).encode
    precision = _precision(model)
    axes, scale = motion.principal_axes(places.numpy())
    speed = motion.wiggle_speed(places.numpy(), axes, scale, precision.decode)
    draws = np.random.default_rng(1).standard_normal((_DRAWS, len(scale))) * scale
    trial = measure.Trial(
        held_out=corpus.of("held_out"),
        recordings=measure.steady_recordings(Path(settings.recordings)),
        places=places.numpy(),
        place_spectra=spectra.numpy(),
        wiggled=motion.helix(speed, places.numpy(), axes, scale)[0],
        prior=(places.numpy().mean(axis=0) + draws @ axes).astype(np.float32),
    )
    rows = _rows(corpus, checkpoint, trial, encode, precision)
    decoded = precision.decode(trial.places)
    ways = motion.directions(trial.places, decoded, precision.decode)
    values = motion.trait_values(trial.places, decoded)
    facts = {
        "name": settings.name,
        "licence": settings.licence,
        "places": f"{len(places):,}",
        "table": measure.table(rows),
        "precision": precision.sentence,
        "speed": f"{speed:.3f}",
        "radius": f"{speed * 30.0 / (2.0 * np.pi) * float(np.sqrt((scale**2).mean())):.2f}",
        "nearest": f"{atlas.nearest_median(places):.2f}",
        "moved": _moved(trial.places, ways, precision.decode),
    }
    text = card.write(corpus.settings, facts)
    golden = _golden_latents(trial)
    manifest = bundle.Manifest(
        name=settings.name,
        licence=settings.licence,
        author=settings.author,
        created=settings.created or datetime.date.today().isoformat(),
        directions={name: [float(value) for value in way] for name, way in ways.items()},
        pca_axes=axes.tolist(),
        pca_scale=scale.tolist(),
        statistics=bundle.Statistics(
            wiggle_speed=speed,
            trait_mean={name: float(of.mean()) for name, of in values.items()},
            trait_sd={name: float(of.std()) for name, of in values.items()},
            scores=_scores(rows, precision),
        ),
    )
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
    written = bundle.write(out, manifest, parts)
    out.with_suffix(".md").write_text(text)
    return Exported(written, text)


def _precision(model: atlas.LendingDecoder) -> _Precision:
    """Ship int8 only where it is close to float32 and faster than it."""
    plain = graph.decoder_onnx(model, None)
    small = graph.decoder_onnx(model, graph.activation_scales(model, model.places))
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


def _golden_latents(trial: measure.Trial) -> Floats:
    """Places, midpoints and prior draws, (16, 32)."""
    middles, _ = trial.pairs()
    return np.concatenate([trial.places[:6], middles[-5:], trial.prior[: _GOLDEN - 11]])


def _moved(places: Floats, ways: dict[str, Floats], decode: Callable[[Floats], Floats]) -> str:
    """How far one step along each direction moves its trait, in standard deviations of the atlas."""
    before, after = motion.trait_values(places, decode(places)), {}
    for name, way in ways.items():
        after[name] = motion.trait_values(places, decode(places + way))[name]
    parts = (f"{name} {float((after[name] - before[name]).mean() / before[name].std()):+.2f}" for name in ways)
    return ", ".join(parts)
