"""Levels by measure: the loudness of a file, loudness over time, and rests. ``test_levels.py`` proves them."""

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from appliance.synth.loudness import Meter
from appliance.weighting import LOUDNESS_OFFSET_LU

__all__ = [
    "Loudness",
    "Momentary",
    "Rests",
    "loudness",
    "rests",
]

Doubles = npt.NDArray[np.float64]

_MOMENTARY_STEPS = 4
_MOMENTARY_STEP_S = 0.1
_REST_LU = -7.0
_REST_S = 5.0
_EXCURSION_S = 0.3


class Loudness(NamedTuple):
    """Integrated loudness in LUFS, loudness range in LU (EBU Tech 3342), true peak in dBTP if it was asked for."""

    integrated_lufs: float
    range_lu: float
    true_peak_dbtp: float | None


def loudness(path: Path, start_s: float = 0.0, seconds: float | None = None, peak: bool = True) -> Loudness:
    """Measure a file, or a part of it, by ffmpeg's ``ebur128`` (EBU Tech 3341 and 3342, ITU-R BS.1770-4).

    The true peak takes twice as long as the rest. Raises RuntimeError where ffmpeg gives no figures.
    """
    part = ["-ss", f"{start_s:.3f}"] + ([] if seconds is None else ["-t", f"{seconds:.3f}"])
    meter = "ebur128=framelog=verbose" + (":peak=true" if peak else "")
    command = ["ffmpeg", "-hide_banner", "-nostdin", "-nostats", *part, "-i", str(path), "-vn", "-af", meter]
    done = subprocess.run([*command, "-f", "null", "-"], capture_output=True, text=True, check=False)
    summary = done.stderr.partition("Summary:")[2]
    found = {name: re.search(rf"\b{name}:\s+(\S+) (?:LUFS|LU|dBFS)", summary) for name in ("I", "LRA", "Peak")}
    integrated, span, highest = found.values()
    if done.returncode or integrated is None or span is None or (peak and highest is None):
        raise RuntimeError(f"ffmpeg measured nothing in {path}: {done.stderr.strip()[-300:]}")
    return Loudness(float(integrated[1]), float(span[1]), float(highest[1]) if highest else None)


class Momentary(Meter):
    """The house's loudness meter, asked for its blocks of 400 ms."""

    def momentary_lufs(self) -> Doubles:
        """List the loudness of 400 ms from each 100 ms on, in LUFS; -inf where silent."""
        with np.errstate(divide="ignore"):
            return np.asarray(LOUDNESS_OFFSET_LU + 10.0 * np.log10(self._windows(_MOMENTARY_STEPS)))


class Rests(NamedTuple):
    """Rests: how many, how long, and the longest time without one (the ends of the sound count as rests), in s."""

    number: int
    total_s: float
    median_s: float | None
    longest_between_s: float


def rests(momentary_lufs: Doubles, integrated_lufs: float, tolerated_s: float = _EXCURSION_S) -> Rests | None:
    """Find the rests: 5 s or more in which the sound stays 7 LU under its integrated loudness.

    What rises above that for no longer than 0.3 s between two quiet parts (a crackle of the fire, a drop of rain) does
    not end a rest. A block of 400 ms that holds any of a crackle is loud, so the crackle is 300 ms shorter than its run
    of loud blocks.
    """
    blocks_more = _MOMENTARY_STEPS - 1
    if len(momentary_lufs) * _MOMENTARY_STEP_S < _REST_S or not np.isfinite(integrated_lufs):
        return None
    quiet = momentary_lufs <= integrated_lufs + _REST_LU
    for start, end in _runs(~quiet):
        inside = start > 0 and end < len(quiet)
        if inside and end - start <= round(tolerated_s / _MOMENTARY_STEP_S) + blocks_more:
            quiet[start:end] = True
    found = _runs(quiet)
    found = found[(found[:, 1] - found[:, 0] + blocks_more) * _MOMENTARY_STEP_S >= _REST_S - 1e-9]
    # A block reaches over what follows it: a rest ends where its last block does.
    starts, ends = found[:, 0], found[:, 1] + blocks_more
    whole = len(quiet) + blocks_more
    between = np.append(starts, whole) - np.append(0, ends)
    lengths_s = (ends - starts) * _MOMENTARY_STEP_S
    median_s = float(np.median(lengths_s)) if len(found) else None
    return Rests(len(found), float(lengths_s.sum()), median_s, float(between.max()) * _MOMENTARY_STEP_S)


def _runs(flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """First and one past last index of each run of true values, shape (runs, 2)."""
    return np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]]))).reshape(-1, 2)
