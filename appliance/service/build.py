"""Building the engine: from names and numbers to a timeline. Rendering and playing both start here."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from appliance.engine.timeline import Timeline
from appliance.errors import AudioFileError, UsageError
from appliance.folders import cache_folder
from appliance.model.bundle import read
from appliance.model.library import find
from appliance.mood import Mood
from appliance.score.territory import WIDE, Bounds
from appliance.settings import BUILT_IN_BEDS, MOST_CHANNELS, NO_BEDS, RATES, MusicSettings, SoundSettings
from appliance.spectrum.codec import Floats, linear_grid
from appliance.synth.beds import Beds
from appliance.synth.recordings import prepare
from appliance.synth.weather import weather

__all__ = ["bounds_of", "build_timeline", "endless"]

# The built-in weather is the same on every machine and every day, so that a seed means the same music.
_WEATHER_SEED = 0x5EA


def build_timeline(
    model: str | None,
    rate: int,
    channels: int,
    beds: str,
    sound: SoundSettings,
    tell: Callable[[str], None],
    bounds: Bounds = WIDE,
) -> Timeline:
    """Build the engine.

    Parameters
    ----------
    model : str or None
        Name or file; None is the shipped one.
    beds : str
        A folder of recordings, "weather" or "none".
    tell : callable
        Told in one sentence of each recording that had to be left out.
    bounds : Bounds
        Within which the score stays.

    Raises
    ------
    UsageError
        For a rate or a number of channels that cannot be.
    ModelError, AudioFileError
        Where model or recordings cannot be used.
    """
    if not RATES[0] <= rate <= RATES[1]:
        raise UsageError(f"The rate must be from {RATES[0]} to {RATES[1]} frames per second, not {rate}.")
    if not 1 <= channels <= MOST_CHANNELS:
        raise UsageError(f"There can be 1 to {MOST_CHANNELS} channels, not {channels}.")
    bundle = read(find(model))
    prepared = _beds(beds, rate, channels, tell)
    return Timeline(bundle, rate, channels, prepared, sound.target_lufs, sound.ceiling_dbtp, bounds)


def bounds_of(music: MusicSettings) -> Bounds:
    """Give the bounds that settings set."""
    kept = tuple((int(seed), int(piece)) for seed, _, piece in (place.partition("/") for place in music.territory))
    return Bounds(kept, music.radius, music.tuning_hz)


def endless(timeline: Timeline, seed: int, mood: Mood) -> Iterator[Floats]:
    """Give hop after hop, (hop_frames, channels) float32, for ever."""
    cursor = timeline.start(seed, mood)
    while True:
        cursor, hop = timeline.step(cursor, mood)
        yield hop


def _beds(name: str, rate: int, channels: int, tell: Callable[[str], None]) -> Beds | None:
    if name == NO_BEDS:
        return None
    if name == BUILT_IN_BEDS:
        prepared = weather(rate, channels, np.random.default_rng(_WEATHER_SEED))
    else:
        prepared = prepare(_expanded(name), rate, channels, cache_folder() / "beds", tell)
    return Beds(prepared, linear_grid(rate).hop_frames, rate)


def _expanded(name: str) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError as error:
        raise AudioFileError(f"There is no home folder for {name}: give the folder of recordings in full.") from error
