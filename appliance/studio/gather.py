"""Step one: render a corpus of steady sounds with FluidSynth and a General MIDI soundfont.

Each clip is a chord of 1 to 8 notes played by 1 to 3 layered instruments, taken after the attack, brought
to a common loudness and analysed. Train, tune and held-out clips use different instruments.
"""

import json
import multiprocessing
import os
import zipfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.errors import StudioError
from appliance.folders import write_whole
from appliance.spectrum import codec, traits
from appliance.studio import chords, programs
from appliance.studio.render import RATE, SOUNDFONT, Renderer, require

__all__ = ["SPLITS", "Corpus", "GatherSettings", "gather", "load"]

SPLITS = ("train", "tune", "held_out")
LAYERS = 3
_CHUNK = 250
_ENVELOPE_BLOCKS = 20  # 0.1 s each


@dataclass(frozen=True)
class GatherSettings:
    """What to render.

    Attributes
    ----------
    train, tune, held_out : int
        Clips of each split. One core renders thirty a second, so that these take it twenty minutes.
    seed : int
    soundfont : str
    loudness_lufs, loudness_sd_lu : float
        Clips are brought to this loudness with this spread, cut at two standard deviations: the master
        levels anyway, and a decoder that need not learn level learns timbre.
    """

    train: int = 30_000
    tune: int = 1_200
    held_out: int = 2_000
    seed: int = 1
    soundfont: str = str(SOUNDFONT)
    loudness_lufs: float = -24.0
    loudness_sd_lu: float = 2.0


@dataclass(frozen=True)
class Corpus:
    """Analysed clips.

    Attributes
    ----------
    spectra : (n, 1233) float16 in 0..1
    split : (n,) int8
        Index into ``SPLITS``.
    programs : (n, 3) int16
        General MIDI programs of the layers, -1 where there is none.
    notes : (n, 8) int16
        MIDI notes, lowest first, -1 where there is none.
    drift_db : (n,) float32
        Level of the second half of the clip over the first: decay is negative.
    flutter_db : (n,) float32
        Standard deviation of the level of tenths of a second: beating and tremolo.
    settings : GatherSettings
    """

    spectra: npt.NDArray[np.float16]
    split: npt.NDArray[np.int8]
    programs: npt.NDArray[np.int16]
    notes: npt.NDArray[np.int16]
    drift_db: npt.NDArray[np.float32]
    flutter_db: npt.NDArray[np.float32]
    settings: GatherSettings

    def rows(self, split: str) -> npt.NDArray[np.intp]:
        """Indices of the clips of one split."""
        return np.flatnonzero(self.split == SPLITS.index(split))

    def of(self, split: str) -> codec.Floats:
        """Spectra of one split, (n, 1233) float32."""
        return self.spectra[self.rows(split)].astype(np.float32)


def gather(out: Path, settings: GatherSettings, jobs: int | None, tell: Callable[[int, int], None]) -> Corpus:
    """Render, analyse and save a corpus.

    Parameters
    ----------
    out : Path
        The ``.npz`` file to write.
    settings : GatherSettings
    jobs : int or None
        Processes; None is one for each core. The corpus does not depend on it.
    tell : callable
        Told how many clips are done, of how many.

    Raises
    ------
    StudioError
        If FluidSynth or the soundfont is missing.
    """
    require(settings.soundfont)
    orders = [
        (settings, split, start, min(_CHUNK, getattr(settings, split) - start))
        for split in SPLITS
        for start in range(0, getattr(settings, split), _CHUNK)
    ]
    total = sum(order[3] for order in orders)
    parts: list[dict[str, npt.NDArray[Any]]] = []
    # spawn: a fork would copy the threads of whoever calls in an unknown state.
    with ProcessPoolExecutor(jobs or os.cpu_count(), multiprocessing.get_context("spawn")) as pool:
        for part in pool.map(_render_chunk, orders):
            parts.append(part)
            tell(sum(len(each["split"]) for each in parts), total)
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    out.parent.mkdir(parents=True, exist_ok=True)
    told = np.array(json.dumps(asdict(settings)))
    write_whole(out, lambda file: np.savez(file, allow_pickle=False, settings=told, **arrays))
    return Corpus(**arrays, settings=settings)


def load(path: Path) -> Corpus:
    """Read a corpus; raises StudioError where there is none or it is damaged."""
    try:
        with path.open("rb") as file, np.load(file) as archive:
            arrays = {name: archive[name] for name in archive.files if name != "settings"}
            return Corpus(**arrays, settings=GatherSettings(**json.loads(str(archive["settings"]))))
    except FileNotFoundError as error:
        raise StudioError(f"There is no corpus at {path}; make one with 'latent studio gather'.") from error
    except (OSError, EOFError, zipfile.BadZipFile, AttributeError, ValueError, KeyError, TypeError) as error:
        raise StudioError(f"{path} is not a corpus of this version; make one with 'latent studio gather'.") from error


def _render_chunk(order: tuple[GatherSettings, str, int, int]) -> dict[str, npt.NDArray[Any]]:
    """Render some clips of one split; every clip has its own generator, so chunks may come in any order."""
    settings, split, start, count = order
    code = SPLITS.index(split)
    rows = []
    with Renderer(settings.soundfont) as renderer:
        index = attempt = 0
        while index < count:
            rng = np.random.default_rng((settings.seed, code, start + index, attempt))
            row = _clip(renderer, programs.split_of(split), settings, rng)
            attempt = 0 if row else attempt + 1
            index += bool(row)
            rows += [row] if row else []
    arrays = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    return {**arrays, "split": np.full(count, code, dtype=np.int8)}


def _clip(
    renderer: Renderer, pool: tuple[int, ...], settings: GatherSettings, rng: np.random.Generator
) -> dict[str, npt.NDArray[Any]] | None:
    """One clip as a row of the corpus; None where nothing steady sounded."""
    notes = chords.chord(rng)
    used = rng.choice(pool, size=int(rng.choice((1, 2, LAYERS), p=(0.5, 0.35, 0.15))), replace=False)
    sound = renderer.play(_layers(notes, used, rng), wait_s=float(rng.uniform(1.2, 2.2)))
    envelope_db = 10.0 * np.log10(np.mean(sound.reshape(_ENVELOPE_BLOCKS, -1) ** 2, axis=1) + 1e-12)
    # A sampled instrument far outside its range falls silent, and some sounds die away under the finger.
    if envelope_db.min() < -75.0 or envelope_db[-1] < envelope_db[0] - 9.0:
        return None
    wanted_lufs = settings.loudness_lufs + settings.loudness_sd_lu * float(np.clip(rng.normal(), -2.0, 2.0))
    now_lufs = float(traits.level(codec.analyse(sound, RATE)[np.newaxis])[0])
    spectrum = codec.analyse(sound * np.float32(10.0 ** ((wanted_lufs - now_lufs) / 20.0)), RATE)
    half = _ENVELOPE_BLOCKS // 2
    return {
        "spectra": spectrum.astype(np.float16),
        "programs": np.array([*used, *[-1] * (LAYERS - len(used))], dtype=np.int16),
        "notes": np.array([*notes, *[-1] * (chords.VOICES - len(notes))], dtype=np.int16),
        "drift_db": np.array(envelope_db[half:].mean() - envelope_db[:half].mean(), dtype=np.float32),
        "flutter_db": np.array(envelope_db.std(), dtype=np.float32),
    }


def _layers(
    notes: tuple[int, ...], used: npt.NDArray[np.integer], rng: np.random.Generator
) -> list[tuple[int, list[tuple[int, int]]]]:
    """Share the chord among the instruments: (program, [(note, velocity), ...]) of each layer."""
    layers = []
    for number in used:
        share = [note for note in notes if rng.random() < 0.75] or [notes[0]]
        loudness = rng.uniform(45.0, 105.0)
        # High notes are held back: they are what tires the ear over an afternoon.
        velocity = [int(np.clip(rng.normal(loudness - 0.5 * max(0, note - 67), 8.0), 20, 120)) for note in share]
        layers.append((int(number), list(zip(share, velocity, strict=True))))
    return layers
