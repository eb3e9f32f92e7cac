"""A reading of the music: any recording of minutes to hours, measured, so that ours can stand beside others.

    .venv/bin/python tests/bench/listen.py FILE [FILE ...] [--json]

Prints one table, a column for each file and the bar where there is one; a dash where a file is too short for a measure.
With ``--json`` one object for each file. Files are what soundfile reads (WAV, FLAC, Ogg, MP3), of any rate, read in
blocks: what is kept is a spectrum for every 2 s. ``tests/musical.py``, ``levels.py`` and ``whistles.py`` say what is
measured how. The bar on whistling is for tone over noise; the prominence ratio, ECMA-74's other measure, has none and
is printed for interest.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

# Before numpy is loaded: threads of its libraries would share the core.
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).parents[1]))

import levels
import musical
from tables import Row, table
from whistles import Whistles

from appliance.spectrum import codec
from appliance.spectrum.codec import Floats

BLOCK_S, CLIP_S, HOUR_S = 60, 2, 3600.0
# Less than this is no hour's loudness to be told.
LEAST_HOUR_S = 300.0
# How often a clip is compared with the one a second later.
SECOND_LATER_EVERY_S = 10
SEED = 1


class UnreadableError(Exception):
    """A file cannot be measured; the message says which and why."""


@dataclass(frozen=True)
class Reading:
    """All measures of one file, units in the names; None where the file is too short to tell."""

    file: str
    seconds: float
    integrated_lufs: float | None
    hours_lufs: list[float | None]
    loudness_range_lu: float | None
    true_peak_dbtp: float | None
    rests: int | None
    rests_total_s: float | None
    rests_median_s: float | None
    longest_between_rests_s: float | None
    in_key_share: float | None
    in_key_any_rotation: float | None
    in_key_scattered: float | None
    dissonance_percentile_2s: float | None
    dissonance_percentile_10s: float | None
    dissonance_percentile_30s: float | None
    tilt_db_per_octave: float | None
    tone_longest_s: float | None
    tone_long_per_hour: float | None
    tone_highest_db: float | None
    prominence_longest_s: float | None
    prominence_long_per_hour: float | None
    prominence_highest_db: float | None
    coherence_below_120: float | None
    coherence_above_120: float | None
    change_1s_db: float | None
    change_10s_db: float | None
    change_60s_db: float | None
    change_600s_db: float | None
    neighbours_db: float | None
    all_pairs_db: float | None
    two_hours_db: float | None
    swelling_share: float | None
    swelling_share_of_an_octave: float | None
    took_s: float


ROWS = [
    Row("seconds", "length, s", 0),
    Row("integrated_lufs", "loudness, LUFS", 1),
    Row("hours_lufs", "  of each hour, LUFS", 1, "within 1 LU of the target"),
    Row("loudness_range_lu", "  range, LU", 1, "5 to 9"),
    Row("true_peak_dbtp", "  true peak, dBTP", 1, "<= -1"),
    Row("rests", "rests", 0),
    Row("rests_total_s", "  all together, s", 0),
    Row("rests_median_s", "  median, s", 1),
    Row("longest_between_rests_s", "  longest time without, s", 0, "<= 300"),
    Row("in_key_share", "in key, share of the tones", 2),
    Row("in_key_any_rotation", "  any rotation (chance)", 2),
    Row("in_key_scattered", "  tones scattered (chance)", 2),
    Row("dissonance_percentile_2s", "dissonance percentile, 2 s", 0, "<= 20 (chance 50)"),
    Row("dissonance_percentile_10s", "  10 s", 0, "<= 20"),
    Row("dissonance_percentile_30s", "  30 s", 0, "<= 20"),
    Row("tilt_db_per_octave", "tilt, dB per octave", 1, "-9 to -3"),
    Row("tone_longest_s", "tone over noise > 10 dB, longest s", 1, "<= 8"),
    Row("tone_long_per_hour", "  above 8 s, per hour", 1, "0"),
    Row("tone_highest_db", "  highest, dB", 1),
    Row("prominence_longest_s", "prominence > 10 dB, longest s", 1),
    Row("prominence_long_per_hour", "  above 8 s, per hour", 1),
    Row("prominence_highest_db", "  highest, dB", 1),
    Row("coherence_below_120", "coherence, 20 to 120 Hz", 2, ">= 0.9"),
    Row("coherence_above_120", "  above 120 Hz", 2, "-0.1 to 0.8"),
    Row("change_1s_db", "change within 1 s, dB", 1),
    Row("change_10s_db", "  10 s, dB", 1),
    Row("change_60s_db", "  60 s, dB", 1),
    Row("change_600s_db", "  600 s, dB", 1),
    Row("neighbours_db", "5-minute neighbours differ by, dB", 1),
    Row("all_pairs_db", "  all pairs, dB", 1),
    Row("two_hours_db", "  two hours apart, dB", 1),
    Row("swelling_share", "swells (proxy), share of the time", 2),
    Row("swelling_share_of_an_octave", "  in an octave on average", 2),
    Row("took_s", "processor time of this reading, s", 0),
]


class Spectra:
    """A spectrum of every 2 s, and of some also that of a second later."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._all: list[Floats] = []
        self._pairs: list[tuple[Floats, Floats]] = []

    def add(self, block: Floats) -> None:
        """Take the next block, (frames, channels); less than 2 s at its end is left out."""
        clip = CLIP_S * self._rate
        for start in range(0, len(block) - clip + 1, clip):
            self._all.append(codec.analyse(block[start : start + clip], self._rate))
            later = block[start + self._rate : start + self._rate + clip]
            if start % (SECOND_LATER_EVERY_S * self._rate) == 0 and len(later) == clip:
                self._pairs.append((self._all[-1], codec.analyse(later, self._rate)))

    def all(self) -> Floats:
        """Stack the spectra of every 2 s, (n, 1233)."""
        return np.array(self._all, dtype=np.float32).reshape(-1, codec.BINS)

    def change_in_a_second_db(self) -> float | None:
        """Give the change from one second to the next."""
        pairs = np.array(self._pairs, dtype=np.float32).reshape(-1, 2, codec.BINS)
        return musical.change_db(musical.pooled_power(pairs[:, 0]), musical.pooled_power(pairs[:, 1]))


def blocks(sound: soundfile.SoundFile) -> Iterator[Floats]:
    """Read a file in minutes, (frames, channels); what is not finite is silence."""
    for block in sound.blocks(BLOCK_S * sound.samplerate, dtype="float32", always_2d=True):
        yield np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0)


def ears(path: Path) -> dict[str, object]:
    """Measure all but the loudness by ffmpeg, in one pass over the file."""
    with soundfile.SoundFile(path) as sound:
        rate, channels = sound.samplerate, sound.channels
        spectra, meter = Spectra(rate), levels.Momentary(rate, channels)
        long_term, whistles, swells = musical.LongTerm(rate, channels), Whistles(rate), musical.Swells(rate)
        frames = 0
        for block in blocks(sound):
            frames += len(block)
            meter.add(block)
            spectra.add(block)
            long_term.add(block)
            clip = CLIP_S * rate
            for start in range(0, len(block) - clip + 1, clip):
                steady = musical.steady_spectra(block[start : start + clip], rate)
                whistles.add(steady)
                swells.add(steady)
    seconds = frames / rate
    swelling = swells.shares()
    found = levels.rests(meter.momentary_lufs(), meter.integrated_lufs())
    return {
        "seconds": seconds,
        "rests": found and found.number,
        "rests_total_s": found and found.total_s,
        "rests_median_s": found and found.median_s,
        "longest_between_rests_s": found and found.longest_between_s,
        "tilt_db_per_octave": long_term.tilt_db_per_octave(),
        "coherence_below_120": long_term.coherence(20.0, 120.0),
        "coherence_above_120": long_term.coherence(120.0, rate),
        "swelling_share": swelling and swelling.any_octave,
        "swelling_share_of_an_octave": swelling and swelling.mean_octave,
        "change_1s_db": spectra.change_in_a_second_db(),
        **whistling(whistles, seconds),
        **over_time(spectra.all()),
    }


def whistling(whistles: Whistles, seconds: float) -> dict[str, float | None]:
    """Tell of narrow peaks, by both ratios; None for sound that is too short to hold one of 8 s."""
    told: dict[str, float | None] = {}
    for name, tracks in zip(("tone", "prominence"), whistles.results(), strict=True):
        known = seconds >= 10.0
        told[f"{name}_longest_s"] = tracks.longest_s if known else None
        told[f"{name}_long_per_hour"] = tracks.long_ones * HOUR_S / seconds if known else None
        told[f"{name}_highest_db"] = tracks.highest_db if known else None
    return told


def over_time(spectra: Floats) -> dict[str, float | None]:
    """Measure what needs a spectrum of every 2 s, (n, 1233)."""
    rng = np.random.default_rng(SEED)
    key = musical.key_share(spectra, rng)
    pooled = musical.pooled_power(spectra)
    likeness = musical.likeness_db(pooled)
    told = {
        "in_key_share": key and key.caught,
        "in_key_any_rotation": key and key.any_rotation,
        "in_key_scattered": key and key.scattered,
        "neighbours_db": likeness and likeness.neighbours_db,
        "all_pairs_db": likeness and likeness.all_pairs_db,
        "two_hours_db": likeness and likeness.two_hours_db,
    }
    for lag_s in (2, 10, 30):
        told[f"dissonance_percentile_{lag_s}s"] = musical.dissonance_percentile(spectra, lag_s // CLIP_S, rng)
    for lag_s in (10, 60, 600):
        lag = lag_s // CLIP_S
        told[f"change_{lag_s}s_db"] = musical.change_db(pooled[:-lag], pooled[lag:])
    return told


def loudness(path: Path, seconds: float) -> dict[str, object]:
    """Ask ffmpeg for the loudness of the whole and of each hour."""
    whole = levels.loudness(path)
    starts = [start for start in np.arange(0.0, seconds, HOUR_S) if start == 0.0 or seconds - start >= LEAST_HOUR_S]
    hours = [whole] if len(starts) == 1 else [levels.loudness(path, start, HOUR_S, peak=False) for start in starts]
    # ffmpeg says -70 where nothing passes the gate, and the range wants a few windows of 3 s.
    sounds = whole.integrated_lufs > -70.0
    return {
        "integrated_lufs": whole.integrated_lufs if sounds else None,
        "hours_lufs": [hour.integrated_lufs if hour.integrated_lufs > -70.0 else None for hour in hours],
        "loudness_range_lu": whole.range_lu if sounds and seconds >= 10.0 else None,
        "true_peak_dbtp": whole.true_peak_dbtp if sounds else None,
    }


def read(path: Path) -> Reading:
    """Measure a file. Raises UnreadableError where there is none, or none that holds sound."""
    began = sum(os.times()[:4])
    if not path.is_file():
        raise UnreadableError(f"There is no file {path}; name a recording.")
    try:
        heard = ears(path)
        heard |= loudness(path, float(heard["seconds"]))  # type: ignore[arg-type]
    except soundfile.LibsndfileError as error:
        raise UnreadableError(
            f"{path} cannot be read ({error.error_string}); name a WAV, FLAC, Ogg or MP3 file."
        ) from error
    except FileNotFoundError as error:
        raise UnreadableError("ffmpeg is missing: apt-get install ffmpeg.") from error
    except (RuntimeError, ZeroDivisionError) as error:
        raise UnreadableError(f"{path} holds no sound that can be measured; name another recording.") from error
    return Reading(file=str(path), took_s=sum(os.times()[:4]) - began, **heard)  # type: ignore[arg-type]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--json", action="store_true", help="print one JSON object for each file instead of a table")
    wish = parser.parse_args()
    readings = []
    for path in wish.files:
        try:
            readings.append(read(path))
        except UnreadableError as error:
            print(error, file=sys.stderr)
            sys.exit(2)
        if wish.json:
            print(json.dumps(asdict(readings[-1])), flush=True)
    if not wish.json:
        print(table(ROWS, [(Path(reading.file).name, reading) for reading in readings]))


if __name__ == "__main__":
    main()
