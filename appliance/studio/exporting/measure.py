"""How good a model is: error on what it never heard, and whether the peaks that make a tone are still there."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch

from appliance.spectrum import codec, traits
from appliance.spectrum.codec import FLOOR_DB, Floats
from appliance.studio.training.net import mix_power

__all__ = ["RECORDINGS", "Row", "Trial", "rms_db", "score", "steady_recordings", "table", "time_us"]

# Debian's `sonic-pi-samples`: an independent test set, never trained or tuned on.
RECORDINGS = Path("/usr/share/sonic-pi/samples")
_LOUDNESS_LUFS = -24.0
Map = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Trial:
    """What a model is tried on.

    Attributes
    ----------
    held_out : (n, 1233) float32
        Clips of instruments that it never heard.
    recordings : (m, 1233) float32
        Steady moments of recordings from elsewhere; may be empty.
    places, place_spectra : (p, 32), (p, 1233) float32
    wiggled : (w, 32) float32
        On the wiggler's circles around places.
    prior : (q, 32) float32
        Draws from a normal distribution as wide as the atlas, around the origin.
    """

    held_out: Floats
    recordings: Floats
    places: Floats
    place_spectra: Floats
    wiggled: Floats
    prior: Floats

    def pairs(self) -> tuple[Floats, Floats]:
        """Midpoints of neighbours in the list (p // 2, 32), and both sounds at once (p // 2, 1233)."""
        one, two = self.places[0:-1:2], self.places[1::2]
        first, second = torch.from_numpy(self.place_spectra[0:-1:2]), torch.from_numpy(self.place_spectra[1::2])
        mixed = mix_power(first, second, torch.full((len(one), 1), 0.5))
        return ((one + two) / 2.0).astype(np.float32), np.asarray(mixed.numpy(), dtype=np.float32)


@dataclass(frozen=True)
class Row:
    """One line of the table: errors in dB RMS, and peaks over the local median in dB; NaN where there is none."""

    name: str
    held_out_rms_db: float
    recordings_rms_db: float
    between_rms_db: float
    held_out_peaks_db: float
    recordings_peaks_db: float
    places_peaks_db: float
    between_peaks_db: float
    wiggled_peaks_db: float
    prior_peaks_db: float


def score(name: str, trial: Trial, there_and_back: Map, decode: Map | None) -> Row:
    """Try one model; without ``decode`` (PCA has no places) only what goes there and back."""
    nan = float("nan")
    again = there_and_back(trial.held_out)
    heard = there_and_back(trial.recordings) if len(trial.recordings) else trial.recordings
    middles, mixed = trial.pairs()
    between = decode(middles) if decode else None
    return Row(
        name,
        rms_db(again, trial.held_out),
        rms_db(heard, trial.recordings) if len(heard) else nan,
        rms_db(between, mixed) if between is not None else nan,
        _peaks_db(again),
        _peaks_db(heard) if len(heard) else nan,
        _peaks_db(decode(trial.places)) if decode else nan,
        _peaks_db(between) if between is not None else nan,
        _peaks_db(decode(trial.wiggled)) if decode else nan,
        _peaks_db(decode(trial.prior)) if decode else nan,
    )


def data_row(trial: Trial) -> Row:
    """The same measures of the data itself; between two places, of both sounds at once."""
    heard = _peaks_db(trial.recordings) if len(trial.recordings) else float("nan")
    held, places, mixed = (_peaks_db(part) for part in (trial.held_out, trial.place_spectra, trial.pairs()[1]))
    return Row("data", 0.0, 0.0, 0.0, held, heard, places, mixed, float("nan"), float("nan"))


def table(rows: Sequence[Row]) -> str:
    """The rows as Markdown."""
    heads = ("", "held out", "recordings", "between", "held out", "recordings", "places", "between", "wiggled", "prior")
    lines = ["| dB | error RMS | | | peaks over median | | | | | |", "|---|" + "---:|" * 9, "|" + "|".join(heads) + "|"]
    for row in rows:
        values = [value for name, value in vars(row).items() if name != "name"]
        cells = ["–" if np.isnan(value) else f"{value:.2f}" for value in values]
        lines.append("|".join(["", row.name, *cells, ""]))
    return "\n".join(lines)


def rms_db(one: Floats, two: Floats) -> float:
    """Root of the mean squared difference over all bins and rows, in dB."""
    return float(np.sqrt(np.mean(np.square(one - two, dtype=np.float64)))) * -FLOOR_DB


def steady_recordings(folder: Path) -> Floats:
    """Find the steady two-second stretches of a folder of recordings, brought to the loudness of the corpus.

    Steady is: tenths of a second whose level has a standard deviation below 3 dB, and halves within 3 dB.

    Returns
    -------
    (n, 1233) float32; n is 0 where there is no such folder or nothing steady in it.
    """
    found = []
    for path in sorted(folder.glob("*.flac")):
        sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
        block = rate // 10
        for start in range(0, len(sound) - 20 * block + 1, rate):
            clip = sound[start : start + 20 * block]
            levels_db = 10.0 * np.log10(np.mean(clip.reshape(20, -1) ** 2, axis=1) + 1e-12)
            drift_db = abs(float(levels_db[:10].mean() - levels_db[10:].mean()))
            if levels_db.min() > -60.0 and levels_db.std() < 3.0 and drift_db < 3.0:
                now_lufs = traits.level(codec.analyse(clip, rate)[np.newaxis])[0]
                found.append(codec.analyse(clip * np.float32(10.0 ** ((_LOUDNESS_LUFS - now_lufs) / 20.0)), rate))
    return np.stack(found) if found else np.zeros((0, codec.BINS), dtype=np.float32)


def time_us(decoders: Sequence[Map], z: Floats, rounds: int = 300) -> list[float]:
    """Median time of one call of each, in microseconds, taken in turns because machines are noisy."""
    taken: list[list[float]] = [[] for _ in decoders]
    for _ in range(rounds):
        for decode, times in zip(decoders, taken, strict=True):
            start = time.perf_counter()
            decode(z)
            times.append(time.perf_counter() - start)
    return [float(np.median(times)) * 1e6 for times in taken]


def _peaks_db(spectra: Floats) -> float:
    return float(traits.tonality(spectra).mean())
