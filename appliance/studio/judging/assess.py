"""Step four: judge a trained model, on what it never heard, as it will be played.

Everything is measured on samples of at most a few thousand clips, so that a corpus of 45,000 is judged in a minute.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from appliance.errors import StudioError
from appliance.spectrum import traits
from appliance.spectrum.codec import FLOOR_DB, Floats, bin_hz
from appliance.studio.corpus import SPLITS, Corpus
from appliance.studio.exporting import atlas, measure, motion
from appliance.studio.exporting.atlas import AtlasSettings
from appliance.studio.exporting.export import lending
from appliance.studio.exporting.quantise import quantise
from appliance.studio.judging import examples, geometry, judge
from appliance.studio.judging.background import history, material
from appliance.studio.judging.judgement import Judgement, Neighbours, Part, Precision, Prior, SourceError, Trait
from appliance.studio.judging.verdict import UNUSABLE_SHARE
from appliance.studio.training import train
from appliance.studio.training.checkpoint import Checkpoint

__all__ = ["AssessSettings", "assess"]

_MOST = {"train": 2000, "tune": 2000, "held_out": 4000, "recordings": 2000}
_MOST_LATENTS = 12_000
_MOST_NEIGHBOURS = 2000
_CURVE_BINS = 20
_TRAITS = (
    ("pitch", "octaves", traits.pitch),
    ("level", "LU", traits.level),
    ("tonality", "dB", traits.tonality),
)
_SHOWN = 400
_DRAWS = 1000
_FEWEST = 8


@dataclass(frozen=True)
class AssessSettings:
    """On what to try a model.

    Attributes
    ----------
    history : Path
        What the training wrote after each epoch, as CSV; may be absent.
    recordings : Path
        Folder of FLAC recordings from elsewhere; may be absent.
    atlas : AtlasSettings
    seed : int
        Chooses the samples.
    """

    history: Path
    recordings: Path = measure.RECORDINGS
    atlas: AtlasSettings = field(default_factory=AtlasSettings)
    seed: int = 1


@dataclass(frozen=True)
class _Model:
    """The network, the decoder that plays where there is an atlas, and its places; without it, the training clips'."""

    checkpoint: Checkpoint
    lending: atlas.LendingDecoder | None
    places: Floats

    def encode(self, spectra: Floats) -> tuple[Floats, Floats]:
        with torch.no_grad():
            mean, log_variance = self.checkpoint.encoder(torch.from_numpy(spectra))
        return mean.numpy(), log_variance.numpy()

    def alone(self, z: Floats) -> Floats:
        with torch.no_grad():
            out = self.checkpoint.decoder(torch.from_numpy(z)).clamp(0.0, 1.0)
        return np.asarray(out.numpy(), dtype=np.float32)

    def play(self, z: Floats) -> Floats:
        return self.lending.decode(z) if self.lending else self.alone(z)


@dataclass(frozen=True)
class _Tried:
    """Clips, what came back of them played, by the network alone and by PCA, all (n, 1233), and where they are from."""

    clips: Floats
    again: Floats
    alone: Floats
    pca: Floats
    rows: npt.NDArray[np.intp]


def assess(corpus: Corpus, checkpoint: Checkpoint, settings: AssessSettings) -> Judgement:
    """Judge a model on the corpus that it was trained on.

    Raises
    ------
    StudioError
        If the corpus has fewer than eight training clips, or the history is damaged.
    """
    start = time.perf_counter()
    rng = np.random.default_rng(settings.seed)
    learned = corpus.of("train")
    if len(learned) < _FEWEST:
        raise StudioError(
            f"The corpus at {corpus.folder} has {len(learned)} clips to train on, and {_FEWEST} are needed to judge "
            "anything by; gather more, or keep more."
        )
    missing: list[str] = []
    if checkpoint.corpus != corpus.digest:
        missing.append(
            "The clips are not those that the model was trained on: train again, and these figures will fit."
        )
    model = _model(corpus, checkpoint, settings.atlas, learned, missing)
    tried = _tried(corpus, model, learned, settings.recordings, rng)
    missing += _absent(tried, settings)
    judged = next(tried[name] for name in ("held_out", "tune", "train") if name in tried)
    some = learned[_some(np.arange(len(learned)), _MOST_LATENTS, rng)]
    prior, drawn = _prior(model, some, rng)
    if prior.own > UNUSABLE_SHARE:
        missing.append(
            "Whether draws from the prior are of use cannot be told: so few clips are measured that by chance "
            f"{100.0 * prior.own:.0f} % of others like them would be outside."
        )
    hz, error_db, pca_error_db = _curves(judged)
    return Judgement(
        corpus=str(corpus.folder),
        settings=asdict(checkpoint.settings),
        material=material(corpus),
        parts={name: _part(corpus, name, one) for name, one in tried.items()},
        hz=hz,
        error_db=error_db,
        pca_error_db=pca_error_db,
        sources=_sources(corpus, judged),
        traits=_traits(judged),
        latents=geometry.latents(*model.encode(some), rng),
        prior=prior,
        places=len(model.places) if model.lending else 0,
        neighbours=_neighbours(corpus, model, rng),
        lines=geometry.lines(model.places, model.play, rng),
        precision=_precision(model.lending),
        training=history(settings.history),
        examples=examples.choose(corpus, (judged.rows, judged.clips, judged.again), model.encode, drawn[1], rng),
        missing=tuple(missing),
        took_s=time.perf_counter() - start,
    )


def _model(
    corpus: Corpus, checkpoint: Checkpoint, settings: AtlasSettings, learned: Floats, missing: list[str]
) -> _Model:
    try:
        places, spectra = atlas.choose(corpus, checkpoint.encoder, settings)
    except StudioError as error:
        missing.append(f"The network was judged without an atlas and its detail, and not in int8: {error}")
        with torch.no_grad():
            means = checkpoint.encoder(torch.from_numpy(learned[:_MOST_LATENTS]))[0].numpy()
        return _Model(checkpoint, None, means)
    return _Model(checkpoint, lending(corpus, checkpoint, places, spectra, settings), places.numpy())


def _tried(
    corpus: Corpus, model: _Model, learned: Floats, recordings: Path, rng: np.random.Generator
) -> dict[str, _Tried]:
    rows = {name: _some(corpus.rows(name), _MOST[name], rng) for name in SPLITS}
    clips = {name: corpus.spectra[at].astype(np.float32) for name, at in rows.items()}
    heard = measure.steady_recordings(recordings)
    clips["recordings"] = heard[_some(np.arange(len(heard)), _MOST["recordings"], rng)]
    clips = {name: part for name, part in clips.items() if len(part)}
    # The principal axes take seconds to find: all parts share them.
    together = train.pca(torch.from_numpy(learned), torch.from_numpy(np.concatenate(list(clips.values())))).numpy()
    borders = np.cumsum([len(part) for part in clips.values()])[:-1]
    tried = {}
    for (name, part), by_pca in zip(clips.items(), np.split(together, borders), strict=True):
        z = model.encode(part)[0]
        tried[name] = _Tried(part, model.play(z), model.alone(z), by_pca, rows.get(name, np.zeros(0, np.intp)))
    return tried


def _absent(tried: Mapping[str, _Tried], settings: AssessSettings) -> list[str]:
    said = []
    if "held_out" not in tried:
        said.append(
            "Nothing was held out, because the corpus has too few sources: errors below are of clips that were trained "
            "or tuned on, and flatter the model. Gather recordings from at least three files."
        )
    if "recordings" not in tried:
        said.append(f"There are no steady recordings from elsewhere in {settings.recordings} to try the model on.")
    if not settings.history.is_file():
        said.append(f"The course of the training is not known: there is no {settings.history}.")
    return said


def _part(corpus: Corpus, name: str, tried: _Tried) -> Part:
    return Part(
        clips=len(tried.clips),
        sources=len(corpus.named(name)) if name in SPLITS else 0,
        rms_db=measure.rms_db(tried.again, tried.clips),
        alone_rms_db=measure.rms_db(tried.alone, tried.clips),
        pca_rms_db=measure.rms_db(tried.pca, tried.clips),
        peaks_db=float(traits.tonality(tried.again).mean()),
        data_peaks_db=float(traits.tonality(tried.clips).mean()),
    )


def _curves(tried: _Tried) -> tuple[tuple[float, ...], ...]:
    """Error in sixths of an octave: frequencies in Hz, ours and that of PCA in dB RMS."""
    whole = len(bin_hz()) // _CURVE_BINS * _CURVE_BINS

    def curve(again: Floats) -> npt.NDArray[np.float64]:
        squared = np.square(again - tried.clips, dtype=np.float64).mean(axis=0)[:whole]
        return np.asarray(np.sqrt(squared.reshape(-1, _CURVE_BINS).mean(axis=1)) * -FLOOR_DB)

    hz = np.sqrt(bin_hz()[:whole:_CURVE_BINS] * bin_hz()[_CURVE_BINS - 1 : whole : _CURVE_BINS])
    return _numbers(hz), _numbers(curve(tried.again)), _numbers(curve(tried.pca))


def _sources(corpus: Corpus, tried: _Tried) -> tuple[SourceError, ...]:
    source = corpus.source[tried.rows]
    found = []
    for number in np.unique(source):
        own = source == number
        clips = tried.clips[own]
        errors = measure.rms_db(tried.again[own], clips), measure.rms_db(tried.pca[own], clips)
        found.append(SourceError(corpus.sources[number], int(own.sum()), *errors))
    return tuple(sorted(found, key=lambda one: -one.rms_db))


def _traits(tried: _Tried) -> tuple[Trait, ...]:
    def trait(name: str, unit: str, of: Callable[[Floats], Floats]) -> Trait:
        original, again = of(tried.clips).astype(np.float64), of(tried.again).astype(np.float64)
        flat = min(original.std(), again.std()) < 1e-6
        correlation = float("nan") if flat else float(np.corrcoef(original, again)[0, 1])
        off = float(np.abs(again - original).mean())
        return Trait(name, unit, off, correlation, _numbers(original[:_SHOWN]), _numbers(again[:_SHOWN]))

    return tuple(trait(*each) for each in _TRAITS)


def _prior(model: _Model, training: Floats, rng: np.random.Generator) -> tuple[Prior, tuple[Floats, Floats]]:
    """Draw as the score does; gives latents and sounds of the draws too."""
    axes, scale = motion.principal_axes(model.places)
    latents = motion.draws(model.places, axes, scale, _DRAWS, rng)
    sounds = model.play(latents)
    reasons = judge.unusable(sounds, training)
    order = rng.permutation(len(training))
    half = len(training) // 2
    left_out = judge.unusable(training[order[half:]], training[order[:half]])
    prior = Prior(
        draws=_DRAWS,
        unusable=judge.share_unusable(reasons),
        reasons={name: float(each.mean()) for name, each in reasons.items()},
        own=judge.share_unusable(left_out),
        peaks_db=float(traits.tonality(sounds).mean()),
        training_peaks_db=float(traits.tonality(training).mean()),
        level_sd_lu=float(traits.level(sounds).std()),
        training_level_sd_lu=float(traits.level(training).std()),
    )
    return prior, (latents, sounds)


def _neighbours(corpus: Corpus, model: _Model, rng: np.random.Generator) -> Neighbours:
    rows = _some(np.arange(len(corpus.split)), _MOST_NEIGHBOURS, rng)
    clips = corpus.spectra[rows].astype(np.float32)
    return geometry.neighbours(model.encode(clips)[0], clips, corpus.source[rows])


def _precision(model: atlas.LendingDecoder | None) -> Precision | None:
    """How far int8 is off, and how long both take."""
    if model is None:
        return None
    found = quantise(model)
    return Precision(found.off_db, found.int8_us, found.fp32_us)


def _some(rows: npt.NDArray[np.intp], most: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """At most so many of the rows, in order."""
    return rows if len(rows) <= most else np.sort(rng.choice(rows, most, replace=False))


def _numbers(values: npt.NDArray[np.floating]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
