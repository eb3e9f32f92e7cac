"""Sound from FluidSynth; no other file imports it."""

from pathlib import Path
from typing import Self

import numpy as np

from appliance.errors import StudioError
from appliance.spectrum.codec import Floats

__all__ = ["RATE", "SOUNDFONT", "Renderer", "require"]

SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
RATE = 44_100
_CLIP_FRAMES = 88_200


def require(soundfont: str) -> None:
    """Check that there is something to render with; raises StudioError with what to install where there is not."""
    try:
        import fluidsynth  # noqa: F401
    except ImportError as error:
        raise StudioError(
            "FluidSynth is missing; install it with 'apt install fluidsynth' and 'pip install .[studio]'."
        ) from error
    if not Path(soundfont).is_file():
        raise StudioError(f"There is no soundfont at {soundfont}; try 'apt install fluid-soundfont-gm'.")


class Renderer:
    """A FluidSynth without reverb and chorus, whose smear belongs to the room and not to the sound."""

    def __init__(self, soundfont: str) -> None:
        import fluidsynth

        quiet = {"synth.reverb.active": 0, "synth.chorus.active": 0, "synth.polyphony": 512}
        self._synth = fluidsynth.Synth(gain=0.25, samplerate=RATE, channels=16, **quiet)
        self._font = self._synth.sfload(soundfont)
        if self._font < 0:
            self._synth.delete()
            raise StudioError(f"{soundfont} is not a soundfont; install one with 'apt install fluid-soundfont-gm'.")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._synth.delete()

    def play(self, layers: list[tuple[int, list[tuple[int, int]]]], wait_s: float) -> Floats:
        """Two seconds of held notes, ``wait_s`` after they began: (88200, 2) float32, full scale +-1."""
        for channel, (program, held) in enumerate(layers):
            self._synth.program_select(channel, self._font, 0, program)
            for note, velocity in held:
                self._synth.noteon(channel, note, velocity)
        self._synth.get_samples(int(wait_s * RATE))
        frames = self._synth.get_samples(_CLIP_FRAMES).astype(np.float32).reshape(-1, 2) / np.float32(32_768.0)
        self._synth.system_reset()
        return np.asarray(frames, dtype=np.float32)
