"""FluidSynth's pad: six notes of General MIDI's sweep pad, held, with reverb and chorus as they are by default.

Of the eight pads in Debian's sound font it is the lightest whose voices all go on sounding: two a note, where the warm
pad has four, and the new age pad dies away (silence is quick to render).

The library is called through pyfluidsynth, which hands over 16-bit samples in memory: no MIDI file is read and no sound
file written, which is kinder to FluidSynth than `fluidsynth -F` would be.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["APT_PACKAGES", "Pad", "available"]

APT_PACKAGES = "libfluidsynth3 fluid-soundfont-gm"

_SOUND_FONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
_SWEEP_PAD = 95
_NOTES = (45, 52, 57, 60, 64, 71)
_VELOCITY = 90
_BLOCK_FRAMES = 4800


def available() -> bool:
    """Whether the library and the General MIDI sounds are installed."""
    try:
        import fluidsynth  # noqa: F401
    except ImportError:
        return False
    return _SOUND_FONT.exists()


class Pad:
    """Six notes that sound until it is closed."""

    def __init__(self, rate: int) -> None:
        import fluidsynth

        self._synth: Any = fluidsynth.Synth(samplerate=float(rate))
        font = self._synth.sfload(str(_SOUND_FONT))
        self._synth.program_select(0, font, 0, _SWEEP_PAD)
        for note in _NOTES:
            self._synth.noteon(0, note, _VELOCITY)

    def samples(self, frames: int) -> npt.NDArray[np.int16]:
        """Render the next frames in blocks of a tenth of a second at 48 kHz; give the last block, (4800, 2)."""
        for _ in range(max(1, frames // _BLOCK_FRAMES)):
            block = self._synth.get_samples(_BLOCK_FRAMES)
        return np.asarray(block, dtype=np.int16).reshape(-1, 2)

    def close(self) -> None:
        """Free the synth and its sounds."""
        self._synth.delete()
