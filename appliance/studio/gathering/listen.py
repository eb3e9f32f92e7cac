"""One recording listened to: windows spread over it, their steadiest clips analysed. This is what workers do."""

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from appliance.folders import shown
from appliance.spectrum import traits
from appliance.spectrum.codec import CLIP_S, analyse
from appliance.studio.corpus import LOUDNESS_LUFS
from appliance.studio.gathering.recordings import Recording, UnreadableError
from appliance.studio.gathering.steady import Limits, Stretch, choose, common_reason, rate_window
from appliance.studio.ledger import Clip, Entry, Rejection

__all__ = ["Heard", "Order", "listen"]


@dataclass(frozen=True)
class Order:
    """A file to listen to.

    Attributes
    ----------
    path : Path
    name, licence : str
        As in `Entry`.
    clips : int
        How many to take at most.
    windows : int
        How many stretches to listen to at most, however long the file.
    window_s : float
    limits : Limits
    """

    path: Path
    name: str
    licence: str = ""
    clips: int = 3
    windows: int = 12
    window_s: float = 6.0
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Heard:
    """What came of a file; ``for_now`` where it is worth another try."""

    entry: Entry
    for_now: bool = False


def listen(order: Order) -> Heard:
    """Listen to a file, in any process.

    Raises
    ------
    StudioError
        If it takes ffmpeg, and that is missing here. What is wrong with the file is told in the entry.
    """
    # Several threads in each of several processes only get in each other's way.
    with threadpool_limits(1):
        try:
            clips, rejections = _clips(Recording(order.path), order)
        except UnreadableError as error:
            return Heard(_entry(order, problem=str(error)), error.for_now)
        except MemoryError:
            problem = f"{shown(order.path.name)} takes more memory than there is; leave it out or convert it to WAV."
            return Heard(_entry(order, problem=problem))
    return Heard(_entry(order, clips, rejections))


def _entry(
    order: Order, clips: tuple[Clip, ...] = (), rejections: tuple[Rejection, ...] = (), problem: str = ""
) -> Entry:
    return Entry(order.name, str(order.path), order.licence, clips, rejections, problem)


def _clips(recording: Recording, order: Order) -> tuple[tuple[Clip, ...], tuple[Rejection, ...]]:
    """Clips of a recording, and for each window without a usable one the reason."""
    if recording.seconds < CLIP_S:
        return (), (Rejection(0.0, "too short"),)
    stretches: list[Stretch] = []
    rejections: list[Rejection] = []
    heard = 0
    for start_s in _starts(recording.seconds, order):
        window = recording.read(start_s, order.window_s)
        if len(window) < round(CLIP_S * recording.rate):
            continue
        heard += 1
        rated = rate_window(window, recording.rate, order.limits)
        stretches += [_later(one, start_s) for one in rated]
        reason = common_reason(rated)
        if reason:
            rejections.append(Rejection(start_s + rated[0].start_s, reason))
    if not heard:
        raise UnreadableError(f"{shown(order.path.name)} is damaged; leave it out or copy it here again.")
    clips = []
    # So far apart that whichever is chosen first leaves room for the others.
    for one in choose(stretches, order.clips, max(CLIP_S, recording.seconds / (2 * order.clips))):
        clip = _clip(recording, one, order.limits)
        if clip is None:
            rejections.append(Rejection(one.start_s, "silence"))
        else:
            clips.append(clip)
    return tuple(clips), tuple(rejections)


def _starts(seconds: float, order: Order) -> list[float]:
    """Where windows begin: a short recording is covered, a long one sampled evenly."""
    count = min(order.windows, math.ceil(seconds / order.window_s))
    last_s = max(0.0, seconds - order.window_s)
    middles = ((np.arange(count) + 0.5) * seconds / count - order.window_s / 2.0).clip(0.0, last_s)
    return [float(start_s) for start_s in middles]


def _later(one: Stretch, by_s: float) -> Stretch:
    return Stretch(one.start_s + by_s, one.unrest, one.drift_db, one.flutter_db, one.reason)


def _clip(recording: Recording, one: Stretch, limits: Limits) -> Clip | None:
    """Two seconds as a spectrum at the common loudness; None where nothing of it can be heard."""
    sound = recording.read(one.start_s, CLIP_S)
    lufs = float(traits.level(analyse(sound, recording.rate)[np.newaxis])[0])
    # Loud enough for the eye, but all of it below hearing.
    if lufs < limits.silence_dbfs:
        return None
    # Again from the sound: a quiet one has lost what lay under the floor.
    louder = np.float32(10.0 ** ((LOUDNESS_LUFS - lufs) / 20.0))
    return Clip(one.start_s, analyse(sound * louder, recording.rate), lufs, one.drift_db, one.flutter_db)
