"""Step one of a shipped model: play its recipe's instruments and analyse what they sound like.

Each clip is a chord of 1 to 8 notes on 1 to 3 layered instruments, taken after the attack and brought to a common
loudness. Instruments that are tuned on or held out are layered only among themselves.
"""

import itertools
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np

from appliance.errors import StudioError
from appliance.folders import shown, write_whole
from appliance.spectrum import codec, traits
from appliance.spectrum.codec import Floats
from appliance.studio.corpus import LOUDNESS_LUFS
from appliance.studio.disk import writing
from appliance.studio.ledger import Clip, Entry, Ledger
from appliance.studio.sources import chords
from appliance.studio.sources.instruments import Instrument, instruments, play
from appliance.studio.sources.recipe import Recipe
from appliance.studio.sources.soundfont import RATE, require

__all__ = ["compose"]

# Of a recipe, what changes no clip.
_NOT_HEARD = {"licence", "author", "character", "epochs", "weights", "places"}
_LAYERS = (1, 2, 3)
_LOUDNESS_SD_LU = 2.0
_TENTHS = 20
# Filtered noise has less than ten decibels of tonality, breath and tuned noise about twenty, a chord forty.
_CLEAR_DB = 20.0
_HIGH_OCTAVES = 10.2  # 1176 Hz
# An instrument that falls silent on so many chords in a row has none that it can play.
_PATIENCE = 50


@dataclass(frozen=True)
class _Order:
    """Clips of one instrument; layers come from ``partners``."""

    recipe: Recipe
    instrument: Instrument
    partners: tuple[Instrument, ...]
    count: int


def compose(recipe: Recipe, corpus: Path, jobs: int | None, tell: Callable[[int, int], None]) -> None:
    """Play and analyse every instrument of a recipe; instruments that are in the corpus already are left out.

    Parameters
    ----------
    corpus : Path
        Folder of the corpus.
    jobs : int or None
        Processes; None is one for each core.
    tell : callable
        Told how many clips are done, of how many.

    Raises
    ------
    StudioError
        If FluidSynth or a soundfont is missing, the corpus cannot be written, or it holds clips of another recipe.
    """
    for font in recipe.soundfonts:
        require(font.file, font.package)
    everyone = instruments(recipe)
    with Ledger(corpus) as ledger:
        _claim(corpus, recipe)
        known = ledger.known()
        orders = [
            _Order(recipe, one, tuple(each for each in everyone if each.split == one.split), _count(recipe, one))
            for one in everyone
            if one.name not in known
        ]
        total = sum(order.count for order in orders)
        done = 0
        tell(0, total)
        # One at a time: the ledger's order, and so the split and the training, must not depend on who was quicker.
        work = joblib.Parallel(n_jobs=jobs or -1, return_as="generator", pre_dispatch="2*n_jobs")
        for order, entry in zip(orders, work(joblib.delayed(_entry)(order) for order in orders), strict=True):
            ledger.add(entry)
            done += order.count
            tell(done, total)


def _claim(corpus: Path, recipe: Recipe) -> None:
    """See that the clips in a folder are this recipe's."""
    path = corpus / "recipe.json"
    sounds = json.dumps(recipe.model_dump(mode="json", exclude=_NOT_HEARD), indent=1).encode()
    if path.exists() and path.read_bytes() != sounds:
        raise StudioError(
            f"{shown(corpus)} holds sounds of another recipe; remove it, or name another folder with --work."
        )
    with writing(path):
        write_whole(path, lambda file: file.write(sounds))


def _count(recipe: Recipe, one: Instrument) -> int:
    return max(1, round(recipe.clips * one.share)) if one.split == "train" else recipe.test_clips


def _entry(order: _Order) -> Entry:
    """All clips of one instrument; every clip has its own generator."""
    one = order.instrument
    key = zlib.crc32(one.name.encode())
    clips: list[Clip] = []
    attempt = 0
    while len(clips) < order.count and attempt < _PATIENCE:
        rng = np.random.default_rng((order.recipe.seed, key, len(clips), attempt))
        clip = _clip(order, rng)
        attempt = 0 if clip else attempt + 1
        clips += [clip] if clip else []
    problem = "" if clips else "nothing that it plays is steady"
    return Entry(one.name, licence=one.licence, clips=clips, problem=problem, split=one.split)


def _clip(order: _Order, rng: np.random.Generator) -> Clip | None:
    """One clip; None where nothing steady sounded."""
    notes = tuple(
        note for note in chords.chord(rng, order.recipe.chords, order.recipe.voices) if note <= order.recipe.highest
    )
    count = min(int(rng.choice(_LAYERS, p=order.recipe.layers)), len(order.partners))
    others = [one for one in order.partners if one != order.instrument]
    layers = [order.instrument, *(others[int(at)] for at in rng.choice(len(others), count - 1, replace=False))]
    if not notes:
        return None
    sound = sum((play(one, _part(notes, rng), rng) for one in layers), np.zeros((2 * RATE, 2), dtype=np.float32))
    envelope_db = 10.0 * np.log10(np.mean(sound.reshape(_TENTHS, -1) ** 2, axis=1) + 1e-12)
    # A sampled instrument far outside its range falls silent, and some sounds die away under the finger.
    if envelope_db.min() < -75.0 or envelope_db[-1] < envelope_db[0] - 9.0:
        return None
    lufs = _lufs(sound)
    wanted_lufs = LOUDNESS_LUFS + _LOUDNESS_SD_LU * float(np.clip(rng.normal(), -2.0, 2.0))
    half = _TENTHS // 2
    spectrum = codec.analyse(sound * np.float32(10.0 ** ((wanted_lufs - lufs) / 20.0)), RATE)
    return Clip(
        start_s=0.0,
        spectrum=spectrum,
        lufs=lufs,
        drift_db=float(envelope_db[half:].mean() - envelope_db[:half].mean()),
        flutter_db=float(envelope_db.std()),
        fit=_restful(spectrum) and not (any(one.harsh for one in layers) or _rubs(notes)),
    )


def _part(notes: tuple[int, ...], rng: np.random.Generator) -> tuple[int, ...]:
    """What one layer plays of a chord."""
    return tuple(note for note in notes if rng.random() < 0.75) or notes[:1]


def _restful(spectrum: Floats) -> bool:
    """Whether a sound is kind to the ear: clear enough, not too high, and with little power above 4 kHz."""
    one = spectrum[np.newaxis]
    power = codec.power(spectrum)
    high = codec.bin_hz() > 4000.0
    gentle = power[high].sum() < 0.02 * power.sum()
    return bool(gentle and traits.tonality(one)[0] > _CLEAR_DB and traits.pitch(one)[0] < _HIGH_OCTAVES)


def _rubs(notes: tuple[int, ...]) -> bool:
    """Whether two notes are a semitone apart, or less than a major third below middle C's octave."""
    return any(high - low == 1 or (high < 48 and high - low < 5) for low, high in itertools.pairwise(notes))


def _lufs(sound: Floats) -> float:
    return float(traits.level(codec.analyse(sound, RATE)[np.newaxis])[0])
