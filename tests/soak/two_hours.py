"""Two hours of music, rendered and measured: loudness by the hour, how pieces differ, how much the music moves.

    python tests/soak/two_hours.py [--hours 2] [--seed 7] [--json]

Prints one table. `tests/engine/test_two_hours.py` holds the music to its bars.
"""

import argparse
import dataclasses
import json
from dataclasses import dataclass

import numpy as np

from appliance.model.manifest import LATENT_SIZE
from appliance.mood import Mood
from appliance.score.piece import Piece
from appliance.service.build import build_timeline
from appliance.settings import SoundSettings
from appliance.spectrum.codec import Floats, analyse, decibels
from appliance.synth.loudness import Meter

RATE = 48_000
LAGS_S = (1, 10, 60)
# Below this nothing is heard under music at -20 LUFS; changes there are no changes.
HEARD_DB = -75.0


@dataclass(frozen=True)
class Report:
    """What was measured.

    Attributes
    ----------
    hourly_lufs : list of float
        Integrated loudness of each hour.
    true_peak_dbtp : float
    not_finite : int
        Samples that are NaN or infinite.
    pieces : int
    least_difference_db : float
        RMS difference between the mean spectra of the two pieces that are most alike.
    own_difference_db : float
        The most that the even seconds of a piece differ from its odd ones, for comparison.
    same_places : int
        Pairs of pieces that share a sound (latents closer than 0.05).
    change_db : dict
        For each lag in seconds, the median over time of the RMS spectral change.
    stillest_minute_db : float
        The least of all changes from one minute to the next.
    """

    hourly_lufs: list[float]
    true_peak_dbtp: float
    not_finite: int
    pieces: int
    least_difference_db: float
    own_difference_db: float
    same_places: int
    change_db: dict[int, float]
    stillest_minute_db: float


def measure(hours: float, seed: int) -> Report:
    """Render so many hours at rest and measure them; nothing is kept but a spectrum a second."""
    timeline = build_timeline(None, RATE, 2, "weather", SoundSettings(), print)
    cursor = timeline.start(seed, Mood())
    per_hour = round(3600 / timeline.hop_s)
    meters, not_finite = [], 0
    spectra, owners, places = [], [], {}
    for hop in range(round(hours * per_hour)):
        if hop % per_hour == 0:
            meters.append(Meter(RATE, 2))
        owners.append(cursor.now.piece.number)
        places[cursor.now.piece.number] = sounds_of(cursor.now.piece)
        cursor, sound = timeline.step(cursor, Mood())
        not_finite += int(np.count_nonzero(~np.isfinite(sound)))
        meters[-1].add(sound)
        spectra.append(np.maximum(decibels(analyse(sound, RATE)), HEARD_DB).astype(np.float32))
    heard = np.stack(spectra)
    parts = [heard[np.array(owners) == number] for number in sorted(set(owners))]
    means = np.stack([part.mean(axis=0) for part in parts])
    change = {lag: _changes(heard, round(lag / timeline.hop_s)) for lag in LAGS_S}
    return Report(
        hourly_lufs=[meter.integrated_lufs() for meter in meters],
        true_peak_dbtp=max(meter.true_peak_dbtp for meter in meters),
        not_finite=not_finite,
        pieces=len(means),
        least_difference_db=_least_difference(means),
        own_difference_db=max(
            _rms(part[::2].mean(axis=0) - part[1::2].mean(axis=0)) for part in parts if len(part) > 60
        ),
        same_places=_same_places(list(places.values())),
        change_db={lag: float(np.median(values)) for lag, values in change.items()},
        stillest_minute_db=float(change[60].min()),
    )


def sounds_of(piece: Piece) -> Floats:
    """Where the sounds of a piece are, its figures among them: (sounds, 32)."""
    ground, figures = (np.frombuffer(places, dtype=np.float32) for places in (piece.latents, piece.figures))
    return np.concatenate([ground, figures]).reshape(-1, LATENT_SIZE)


def _changes(heard: Floats, hops: int) -> Floats:
    return np.sqrt(np.mean((heard[hops:] - heard[:-hops]) ** 2, axis=1))


def _least_difference(means: Floats) -> float:
    return min(_rms(one - other) for index, one in enumerate(means) for other in means[:index])


def _rms(difference: Floats) -> float:
    return float(np.sqrt(np.mean(difference**2)))


def _same_places(places: list[Floats]) -> int:
    return sum(
        bool(np.linalg.norm(one[:, None] - other[None], axis=2).min() < 0.05)
        for index, one in enumerate(places)
        for other in places[:index]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Render hours of music and measure them.")
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report = measure(options.hours, options.seed)
    if options.json:
        print(json.dumps(dataclasses.asdict(report)))
        return
    for name, value in dataclasses.asdict(report).items():
        print(f"{name:22} {value}")


if __name__ == "__main__":
    main()
