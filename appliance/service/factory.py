"""Rendering the factory sound: `python -m appliance.service.factory` at set-up, the engine's idle time later on."""

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from appliance.errors import LatentError
from appliance.folders import cache_folder, shown, write_whole
from appliance.mood import Mood
from appliance.stream.factory import load_exact, path

if TYPE_CHECKING:
    from appliance.engine.timeline import Timeline

__all__ = ["ensure", "main"]

_SECONDS: Final = 60.0
# Less than a minute where rate and channels are extreme.
_MOST_BYTES: Final = 24_000_000
_SEED: Final = 0xFAC
# A kept one is good if it is as loud as the timeline would make it now: the target may have been changed.
_COMPARED_HOPS: Final = 4
_TOLERATED_DB: Final = 1.0


def ensure(timeline: "Timeline", folder: Path) -> str | None:
    """See to it that a folder holds a minute of factory sound in the timeline's format, and as loud.

    A good one is left alone. Rendering takes a tenth of a second and 12 MB on a disk and in memory, in stereo at
    48 kHz; the timeline's cursors stay what they are.

    Returns
    -------
    str or None
        Why it could not be written, in one sentence; None where all is well.
    """
    file = path(folder, timeline.rate, timeline.channels)
    kept = load_exact(file, timeline.rate, timeline.channels)
    if kept is not None:
        fresh = _rendered(timeline, _COMPARED_HOPS)
        if abs(_level_db(fresh) - _level_db(kept[: len(fresh)])) < _TOLERATED_DB:
            return None
    most_hops = _MOST_BYTES // (2 * timeline.channels * timeline.hop_frames)
    sound = _rendered(timeline, min(math.ceil(_SECONDS / timeline.hop_s), most_hops))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(file, lambda opened: np.save(opened, sound, allow_pickle=False))
    except OSError as error:
        reason = error.strerror or str(error).rstrip(".")
        return f"The factory sound {shown(file)} cannot be written ({reason}): make room, or check the folder's rights."
    return None


def _rendered(timeline: "Timeline", hops: int) -> npt.NDArray[np.float16]:
    """Render the beginning of the factory's piece; float16 adds noise 74 dB below the sound and halves it."""
    sound = np.empty((hops * timeline.hop_frames, timeline.channels), dtype=np.float16)
    cursor = timeline.start(_SEED, Mood())
    for at in range(0, len(sound), timeline.hop_frames):
        cursor, hop = timeline.step(cursor, Mood())
        sound[at : at + timeline.hop_frames] = hop
    return sound


def _level_db(sound: npt.NDArray[np.floating]) -> float:
    return 10.0 * math.log10(max(float(np.mean(np.square(sound, dtype=np.float32))), 1e-20))


def main() -> int:
    """Render it for the card of the settings, where it is missing; give the exit code."""
    from appliance.settings_file import read_settings

    try:
        settings = read_settings(None)
        card, folder = settings.card, cache_folder() / "factory"
        if load_exact(path(folder, card.rate, card.channels), card.rate, card.channels) is not None:
            return 0
        # The engine takes a second to load, which nobody should wait for every time.
        from appliance.service.build import bounds_of, build_timeline
        from appliance.settings import BUILT_IN_BEDS

        bounds = bounds_of(settings.music)
        timeline = build_timeline(None, card.rate, card.channels, BUILT_IN_BEDS, settings.sound, _tell, bounds)
        problem = ensure(timeline, folder)
    except LatentError as error:
        _tell(str(error))
        return error.exit_code
    if problem:
        _tell(problem)
    return 1 if problem else 0


def _tell(sentence: str) -> None:
    print(sentence, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
