"""A picture of finished sound: its spectrogram, and below it how loud it is."""

import atexit
import contextlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import soundfile
from scipy import fft

from appliance.errors import AudioFileError
from appliance.folders import cache_folder
from appliance.spectrum.codec import BINS, BINS_PER_OCTAVE, FLOOR_DB, TOP_HZ, analyse, decibels
from appliance.synth.loudness import Meter

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "FAINT",
    "HIGHEST_HZ",
    "INK",
    "LEAST_CLIP_S",
    "LEAST_RANGE_DB",
    "LOWEST_HZ",
    "PAPER",
    "bin_at",
    "clock",
    "give_matplotlib_a_folder",
    "plot",
]

_MOST_COLUMNS = 1600
_LEAST_HOP_S = 0.01
# A third of a second tells neighbouring semitones apart from 50 Hz on.
LEAST_CLIP_S = 0.34
LOWEST_HZ, HIGHEST_HZ = 40.0, 20_000.0
_RANGE_DB, LEAST_RANGE_DB = 70.0, 30.0
_LEAST_RANGE_LU = 12.0
# The absolute gate of ITU-R BS.1770.
_SILENT_LUFS = -70.0
_SHORT_TERM_S = 3.0
_TIME_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400)

PAPER, INK, FAINT, _ACCENT = "#101216", "#d7dae0", "#3a3f4a", "#f0a35e"


@dataclass(frozen=True)
class _Measured:
    """What is drawn: a column of 1233 decibels each ``hop_s``, loudness each second from the third on."""

    seconds: float
    rate: int
    hop_s: float
    level_db: npt.NDArray[np.float32]
    short_term_lufs: list[float]
    integrated_lufs: float
    true_peak_dbtp: float


def plot(audio_path: Path, png_path: Path) -> None:
    """Draw a sound file, 1600 x 900 pixels.

    The file is read once, in blocks, so that its length costs time but no memory.

    Raises
    ------
    AudioFileError
        If the sound cannot be read or holds nothing, or the picture cannot be written.
    """
    try:
        measured = _measure(audio_path)
    except (OSError, soundfile.SoundFileError) as error:
        raise AudioFileError(f"{audio_path} cannot be read as sound: check that it is a whole WAV or FLAC.") from error
    give_matplotlib_a_folder()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(16.0, 9.0), dpi=100, facecolor=PAPER)
    figure.subplots_adjust(left=0.062, right=0.922, bottom=0.055, top=0.932, hspace=0.05)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3.6, 1.0])
    for axes in (upper, lower):
        _style(axes)
    _draw_spectrogram(figure, upper, measured)
    _draw_loudness(lower, measured)
    upper.set_title(audio_path.name, loc="left", color=INK, fontsize=15, pad=12, parse_math=False)
    upper.set_title(_summary(measured), loc="right", color=INK, fontsize=12, pad=12)
    try:
        figure.savefig(png_path, format="png", facecolor=PAPER)
    except OSError as error:
        raise AudioFileError(f"{png_path} cannot be written: check that its folder may be written to.") from error


def give_matplotlib_a_folder() -> None:
    """Name a folder for what matplotlib keeps: where it finds none it says so on stderr."""
    if os.environ.get("MPLCONFIGDIR"):
        return
    folder = cache_folder() / "matplotlib"
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK | os.X_OK):
        folder = Path(tempfile.mkdtemp(prefix="latent-matplotlib-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["MPLCONFIGDIR"] = str(folder)


def _measure(path: Path) -> _Measured:
    with soundfile.SoundFile(path) as file:
        rate, channels, frames = file.samplerate, file.channels, file.frames
        if frames == 0:
            raise AudioFileError(f"{path} holds no sound to draw.")
        hop = max(-(-frames // _MOST_COLUMNS), round(rate * _LEAST_HOP_S))
        clip = np.zeros((fft.next_fast_len(max(hop, round(rate * LEAST_CLIP_S)), real=True), channels), np.float32)
        # Clips are longer than hops: a column belongs to the middle of its clip, which is this many hops back.
        delay = (len(clip) - hop) // (2 * hop)
        meter = Meter(rate, channels)
        columns = []
        for block in file.blocks(hop, dtype="float32", always_2d=True):
            meter.add(block)
            clip = np.concatenate([clip[len(block) :], block])
            columns.append(analyse(clip, rate))
    for _ in range(delay):
        clip = np.concatenate([clip[hop:], np.zeros((hop, channels), np.float32)])
        columns.append(analyse(clip, rate))
    level_db = decibels(np.stack(columns[delay:], axis=1))
    loudness = meter.short_term(), meter.integrated_lufs(), meter.true_peak_dbtp
    return _Measured(frames / rate, rate, hop / rate, level_db, *loudness)


def _style(axes: "Axes") -> None:
    axes.set_facecolor(PAPER)
    axes.tick_params(colors=INK, labelsize=11, length=4, color=FAINT)
    axes.yaxis.set_label_coords(-0.042, 0.5)
    for spine in axes.spines.values():
        spine.set_color(FAINT)


def _draw_spectrogram(figure: "Figure", axes: "Axes", measured: _Measured) -> None:
    from matplotlib.ticker import FixedLocator

    highest_hz = min(HIGHEST_HZ, measured.rate / 2.0)
    bottom, top = round(bin_at(LOWEST_HZ)), min(round(bin_at(highest_hz)) + 1, BINS)
    shown = measured.level_db[bottom:top]
    loudest = max(float(np.quantile(shown, 0.9995)), FLOOR_DB + LEAST_RANGE_DB)
    image = axes.imshow(
        shown,
        origin="lower",
        aspect="auto",
        interpolation="antialiased",
        cmap="magma",
        vmin=max(loudest - _RANGE_DB, FLOOR_DB),
        vmax=loudest,
        extent=(0.0, shown.shape[1] * measured.hop_s, bottom - 0.5, top - 0.5),
    )
    marks = [hz for hz in (50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000) if hz <= highest_hz]
    axes.yaxis.set_major_locator(FixedLocator([bin_at(hz) for hz in marks]))
    axes.set_yticklabels([f"{hz // 1000}k" if hz >= 1000 else str(hz) for hz in marks])
    axes.set_ylabel("frequency in Hz", color=INK, fontsize=12)
    axes.tick_params(labelbottom=False)
    place = axes.get_position()
    bar = figure.colorbar(image, cax=figure.add_axes((0.932, place.y0, 0.011, place.height)))
    bar.set_label("level in each 10 cents, dB re full-scale sine", color=INK, fontsize=11)
    bar.ax.tick_params(colors=INK, labelsize=10, color=FAINT)
    bar.outline.set_edgecolor(FAINT)


def _draw_loudness(axes: "Axes", measured: _Measured) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

    lufs = np.array(measured.short_term_lufs)
    middles = np.arange(len(lufs)) + _SHORT_TERM_S / 2.0
    heard = lufs[lufs > _SILENT_LUFS]
    if len(heard):
        low, high = float(heard.min()), float(heard.max())
        spare = max(_LEAST_RANGE_LU - (high - low), 3.0) / 2.0
        axes.set_ylim(low - spare, high + spare)
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.plot(middles, np.maximum(lufs, low - spare), color=_ACCENT, linewidth=1.6)
        axes.fill_between(middles, np.maximum(lufs, low - spare), low - spare, color=_ACCENT, alpha=0.14, linewidth=0)
        axes.axhline(measured.integrated_lufs, color=INK, linewidth=0.9, linestyle=(0, (6, 5)), alpha=0.7)
    else:
        axes.set_yticks([])
        axes.text(0.5, 0.5, "nothing to measure", color=FAINT, ha="center", va="center", transform=axes.transAxes)
    axes.set_xlim(0.0, measured.seconds)
    axes.xaxis.set_major_locator(MultipleLocator(_time_step_s(measured.seconds)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: clock(seconds)))
    axes.grid(axis="y", color=FAINT, linewidth=0.6)
    axes.set_ylabel("LUFS, over 3 s", color=INK, fontsize=12)


def _time_step_s(seconds: float) -> int:
    return next((step for step in _TIME_STEPS_S if seconds <= 13 * step), _TIME_STEPS_S[-1])


def bin_at(hz: float) -> float:
    return (BINS - 1) + BINS_PER_OCTAVE * float(np.log2(hz / TOP_HZ))


def clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _summary(measured: _Measured) -> str:
    if not np.isfinite(measured.integrated_lufs):
        return f"silent, {clock(measured.seconds)}"
    figures = f"integrated {measured.integrated_lufs:.1f} LUFS, true peak {measured.true_peak_dbtp:.1f} dBTP"
    # The axes have true minus signs, and so has the title.
    return f"{figures}, {clock(measured.seconds)}".replace("-", "\N{MINUS SIGN}")
