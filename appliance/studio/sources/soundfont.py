"""Sound from FluidSynth; no other file imports it."""

import ctypes
from pathlib import Path

import numpy as np

from appliance.errors import StudioError
from appliance.spectrum.codec import Floats

__all__ = ["RATE", "Renderer", "require"]

RATE = 44_100
_CLIP_FRAMES = 88_200
_BLOCK = 64
_WRITE_FLOAT = (
    ("synth", ctypes.c_void_p),
    ("len", ctypes.c_int),
    ("left", ctypes.c_void_p),
    ("left_offset", ctypes.c_int),
    ("left_step", ctypes.c_int),
    ("right", ctypes.c_void_p),
    ("right_offset", ctypes.c_int),
    ("right_step", ctypes.c_int),
)


def require(soundfont: Path, package: str) -> None:
    """Check that there is something to render with; raises StudioError with what to install where there is not."""
    try:
        import fluidsynth  # noqa: F401
    except ImportError as error:
        raise StudioError(
            "FluidSynth is missing; install it with 'apt install fluidsynth' and 'pip install .[studio]'."
        ) from error
    if not soundfont.is_file():
        raise StudioError(f"There is no soundfont at {soundfont}; install it with 'apt install {package}'.")


class Renderer:
    """A FluidSynth without reverb and chorus, whose smear belongs to the room and not to the sound."""

    def __init__(self, soundfont: str) -> None:
        import fluidsynth

        quiet = {"synth.reverb.active": 0, "synth.chorus.active": 0, "synth.polyphony": 512}
        # pyfluidsynth offers only 16 bits, whose dither goes on from clip to clip: no two runs would be the same.
        self._write = fluidsynth.cfunc(
            "fluid_synth_write_float",
            ctypes.c_int,
            *((name, kind, 1) for name, kind in _WRITE_FLOAT),
        )
        self._synth = fluidsynth.Synth(gain=0.25, samplerate=RATE, channels=16, **quiet)
        self._font = self._synth.sfload(soundfont)
        if self._font < 0:
            self._synth.delete()
            raise StudioError(f"{soundfont} is not a soundfont that FluidSynth reads; install it again.")

    def play(self, program: int, held: list[tuple[int, int]], wait_s: float) -> Floats:
        """Two seconds of held notes (note, velocity), ``wait_s`` after they began: (88200, 2) float32."""
        self._synth.program_select(0, self._font, 0, program)
        for note, velocity in held:
            self._synth.noteon(0, note, velocity)
        # Whole blocks of 64 frames, or a rest would stay behind in the synthesiser and begin the next clip.
        start = int(wait_s * RATE)
        frames = np.zeros((-(-(start + _CLIP_FRAMES) // _BLOCK) * _BLOCK, 2), dtype=np.float32)
        room = frames.ctypes.data
        self._write(self._synth.synth, len(frames), room, 0, 2, room, 1, 2)
        self._synth.system_reset()
        # A reset alone lets the notes go, and they would die away in the next clip; before it, this does nothing.
        self._synth.all_sounds_off(-1)
        return frames[start : start + _CLIP_FRAMES]
