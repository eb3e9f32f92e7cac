"""The page of a contact sheet: a small spectrogram of each excerpt, and how to hear the whole piece."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile
from scipy import fft

from appliance.cli.plot import (
    FAINT,
    HIGHEST_HZ,
    INK,
    LEAST_CLIP_S,
    LEAST_RANGE_DB,
    LOWEST_HZ,
    PAPER,
    bin_at,
    clock,
    give_matplotlib_a_folder,
)
from appliance.errors import AudioFileError
from appliance.spectrum.codec import FLOOR_DB, Floats, analyse, decibels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from appliance.service.contact_sheet import Shown

__all__ = ["Panel", "page"]

_COLUMNS = 4
_WIDTH_PX, _EDGE_PX, _BETWEEN_PX, _AXIS_PX = 1600, 28, 24, 34
_PANEL_PX = (_WIDTH_PX - _AXIS_PX - 2 * _EDGE_PX - (_COLUMNS - 1) * _BETWEEN_PX) / _COLUMNS
_HEADER_PX, _PICTURE_PX, _TITLE_PX, _LINE_PX, _BELOW_PX = 74, 176, 27, 16, 26
_COMMAND_CHARACTERS = 50
# Of a letter at a size of one point, on the wide side.
_LETTER_PX = 0.77
# A pixel shows a moment and about 60 cents.
_MOMENTS = 360
_BINS_TOGETHER = 6
_MARKS_HZ = (100, 1000, 10_000)
_QUIET = "#9aa1ae"
# On so small a picture the weather is haze: less of it is shown than on a large one.
_RANGE_DB = 56.0


@dataclass(frozen=True)
class Panel:
    """A piece on the sheet, whose it is, and the command that plays all of it."""

    shown: "Shown"
    seed: int
    command: str

    @property
    def at(self) -> str:
        return clock(self.shown.at_s)

    @property
    def long(self) -> str:
        return clock(self.shown.length_s)

    @property
    def title(self) -> str:
        return f"seed {self.seed} piece {self.shown.number} · at {self.at} · {self.long} long"


def page(audio_path: Path, png_path: Path, panels: Sequence[Panel], seconds: float, heading: str) -> None:
    """Draw so many seconds from the beginning of each panel, 1600 pixels wide; all share one scale of colours.

    Raises
    ------
    AudioFileError
        If the sound cannot be read, or the picture cannot be written.
    """
    try:
        levels = _levels(audio_path, panels, seconds)
    except (OSError, soundfile.SoundFileError) as error:
        raise AudioFileError(f"{audio_path} cannot be read as sound: check that it is a whole WAV or FLAC.") from error
    give_matplotlib_a_folder()
    from matplotlib.figure import Figure

    commands = [_wrapped(panel.command) for panel in panels]
    words_px = _TITLE_PX + _LINE_PX * max(len(lines) for lines in commands)
    row_px = words_px + _PICTURE_PX + _BELOW_PX
    height_px = _HEADER_PX + row_px * math.ceil(len(panels) / _COLUMNS)
    figure = Figure(figsize=(_WIDTH_PX / 100, height_px / 100), dpi=100, facecolor=PAPER)
    sheet = _Sheet(figure, height_px)
    loudest_db = max(FLOOR_DB + LEAST_RANGE_DB, *(float(np.quantile(level, 0.999)) for level in levels))
    title_pt = min(_fitting(panel.title, 11.0, _PANEL_PX) for panel in panels)
    half_px = _WIDTH_PX / 2 - _EDGE_PX
    sheet.write(_EDGE_PX, 44, audio_path.name, size=_fitting(audio_path.name, 17.0, half_px))
    sheet.write(_WIDTH_PX - _EDGE_PX, 44, heading, size=_fitting(heading, 12.0, half_px), ha="right")
    for place, (panel, lines, level) in enumerate(zip(panels, commands, levels, strict=True)):
        row, column = divmod(place, _COLUMNS)
        left_px, top_px = _EDGE_PX + _AXIS_PX + column * (_PANEL_PX + _BETWEEN_PX), _HEADER_PX + row * row_px
        sheet.write(left_px, top_px + 16, panel.title, size=title_pt)
        for number, line in enumerate(lines):
            baseline_px = top_px + _TITLE_PX + _LINE_PX * number + 7
            sheet.write(left_px, baseline_px, line, size=8.5, color=_QUIET, family="monospace")
        sheet.draw(left_px, top_px + words_px, level, loudest_db, marked=column == 0)
    try:
        figure.savefig(png_path, format="png", facecolor=PAPER)
    except OSError as error:
        raise AudioFileError(f"{png_path} cannot be written: check that its folder may be written to.") from error


class _Sheet:
    """A figure that is laid out in pixels from its upper left corner."""

    def __init__(self, figure: "Figure", height_px: int) -> None:
        self._figure = figure
        self._height_px = height_px

    def write(self, x_px: float, y_px: float, words: str, **looks: object) -> None:
        # A dollar in a file's name begins no formula.
        place = x_px / _WIDTH_PX, 1.0 - y_px / self._height_px
        self._figure.text(*place, words, parse_math=False, **({"color": INK} | looks))  # type: ignore[arg-type]

    def draw(self, left_px: float, top_px: float, level_db: Floats, loudest_db: float, marked: bool) -> None:
        from matplotlib.ticker import FixedLocator

        bottom, height = 1.0 - (top_px + _PICTURE_PX) / self._height_px, _PICTURE_PX / self._height_px
        axes = self._figure.add_axes((left_px / _WIDTH_PX, bottom, _PANEL_PX / _WIDTH_PX, height), facecolor=PAPER)
        axes.imshow(
            level_db,
            origin="lower",
            aspect="auto",
            interpolation="antialiased",
            cmap="magma",
            vmin=max(loudest_db - _RANGE_DB, FLOOR_DB),
            vmax=loudest_db,
            extent=(0.0, level_db.shape[1], bin_at(LOWEST_HZ), bin_at(HIGHEST_HZ)),
        )
        axes.set_xlim(0.0, _MOMENTS)
        axes.set_xticks([])
        axes.yaxis.set_major_locator(FixedLocator([bin_at(hz) for hz in _MARKS_HZ]))
        axes.set_yticklabels([f"{hz // 1000}k" if hz >= 1000 else str(hz) for hz in _MARKS_HZ] if marked else [])
        axes.tick_params(colors=_QUIET, labelsize=9, length=3, color=FAINT)
        for spine in axes.spines.values():
            spine.set_color(FAINT)


def _levels(path: Path, panels: Sequence[Panel], seconds: float) -> list[Floats]:
    """Measure each panel: decibels of (bands, moments), fewer moments where the file ends before."""
    with soundfile.SoundFile(path) as file:
        rate = file.samplerate
        levels = []
        for panel in panels:
            file.seek(round(panel.shown.at_s * rate))
            sound = file.read(round(seconds * rate), dtype="float32", always_2d=True)
            levels.append(_measure(sound, rate, seconds))
    return levels


def _measure(sound: Floats, rate: int, seconds: float) -> Floats:
    clip_frames = fft.next_fast_len(round(rate * LEAST_CLIP_S), real=True)
    around = np.pad(sound, ((clip_frames // 2, clip_frames), (0, 0)))
    moments = math.ceil(_MOMENTS * len(sound) / round(seconds * rate))
    starts = ((np.arange(moments) + 0.5) * seconds / _MOMENTS * rate).astype(int)
    bins = np.stack([analyse(around[start : start + clip_frames], rate) for start in starts], axis=1)
    bottom, top = round(bin_at(LOWEST_HZ)), round(bin_at(HIGHEST_HZ))
    edges = np.arange(bottom, top, _BINS_TOGETHER)
    # The mean would darken what is narrower than a pixel: a tone.
    return decibels(np.maximum.reduceat(bins[:top], edges, axis=0))


def _wrapped(command: str) -> list[str]:
    return textwrap.wrap(command, _COMMAND_CHARACTERS, subsequent_indent="  ", break_on_hyphens=False)


def _fitting(words: str, points: float, width_px: float) -> float:
    """Give the size at which words fit: a seed may have many digits."""
    return min(points, width_px / (_LETTER_PX * len(words)))
