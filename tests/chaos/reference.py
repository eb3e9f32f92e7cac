"""The same music, undisturbed: rendered in this process from the seed that the rooms play."""

import atexit
import functools
import random
import tempfile
from pathlib import Path

import numpy as np
from chaos.measure import RATE, Audio

from appliance.engine.timeline import Timeline
from appliance.mood import QUANTITIES, Mood
from appliance.service.build import build_timeline, endless
from appliance.service.factory import ensure
from appliance.settings import BUILT_IN_BEDS, SoundSettings

__all__ = ["HANDS", "SEED", "factory_folder", "prepare", "reference", "turned"]

SEED = 7
# What hands turn in these rooms, and how far.
HANDS = {name: (quantity.low, quantity.high) for name, quantity in QUANTITIES.items() if name != "volume"}

_MOODS = 16
_MOOD_HOPS = 10


@functools.cache
def reference(seconds: float) -> Audio:
    """Give so much of it, (frames, 2) float32, as the engine hands it to the player."""
    timeline = _timeline()
    hops = endless(timeline, SEED, Mood())
    count = -int(-seconds // timeline.hop_s)
    return np.concatenate([next(hops) for _ in range(count)])


@functools.cache
def turned() -> list[Audio]:
    """Give a little of the music in each of several moods, as hands may turn it: what a mood makes by itself."""
    rng, timeline, heard = random.Random(3), _timeline(), []
    for _ in range(_MOODS):
        mood = Mood(**{name: rng.uniform(*span) for name, span in HANDS.items()})
        hops = endless(timeline, SEED, mood)
        heard.append(np.concatenate([next(hops) for _ in range(_MOOD_HOPS)]))
    return heard


@functools.cache
def factory_folder() -> Path:
    """Give a folder with the factory sound as the set-up renders it; gone when this process ends."""
    folder = tempfile.TemporaryDirectory(prefix="latent-factory-")
    atexit.register(folder.cleanup)
    problem = ensure(_timeline(), Path(folder.name))
    assert problem is None, problem
    return Path(folder.name)


def prepare() -> None:
    """Render everything now: one timeline does it, and it is for one thread."""
    turned()
    factory_folder()


@functools.cache
def _timeline() -> Timeline:
    return build_timeline(None, RATE, 2, BUILT_IN_BEDS, SoundSettings(), print)
