"""A chain of hops in a lane of the ring: where it lies, and the cursor of each of its hops."""

from collections.abc import Iterable
from dataclasses import dataclass

from appliance.engine.cursor import Cursor
from appliance.engine.saved import Saved, dump, load
from appliance.engine.timeline import Timeline
from appliance.mood import NOWHERE, Mood
from appliance.score.moves import unshifted
from appliance.score.taste import NO_TASTE, Taste
from appliance.stream.layout import BLOCK_FRAMES
from appliance.stream.ring import Ring

__all__ = ["Chain", "recover", "started"]


@dataclass
class Chain:
    """What a lane is filled with: hop k lies at ``base + k * hop_frames``.

    Attributes
    ----------
    mood : Mood
        The target under which it is made.
    taste : Taste
        To which it is made.
    cursors : dict
        By the frame that a hop begins with; that of ``end`` is among them.
    end : int
        The frame that the hop made next begins with.
    pure : int
        From this frame on it could be made again; before it sounds a model that nobody here has.
    edge : int or None
        The frame at which the room closes or opens, as far as the score knows; it may have passed.
    """

    base: int
    mood: Mood
    cursors: dict[int, Cursor]
    end: int
    taste: Taste = NO_TASTE
    pure: int = 0
    edge: int | None = None

    def reach(self, frame: int, timeline: Timeline) -> Cursor | None:
        """The cursor of the hop that begins with a frame, found from one before if need be; None if there is none."""
        at = max((known for known in self.cursors if known <= frame), default=None)
        if at is None or (frame - at) % timeline.hop_frames:
            return None
        cursor = self.cursors[at]
        for _ in range(at, frame, timeline.hop_frames):
            cursor = timeline.advance(cursor, self.mood)
        return cursor

    def saves(self, frames: Iterable[int]) -> list[tuple[int, int, bytes]]:
        """Give cursors as `Inlet.save` takes them."""
        return [
            (self.cursors[frame].hop, frame, dump(self.cursors[frame], self.mood, self.base))
            for frame in frames
            if frame in self.cursors
        ]

    def at(self, frame: int) -> Cursor:
        """The cursor of the hop that a frame lies in, or of the earliest one there is; from any thread."""
        cursors = self.cursors.copy()
        return cursors[max((at for at in cursors if at <= frame), default=min(cursors))]

    def sounding(self, frame: int, timeline: Timeline, shifted: bool) -> tuple[bytes, ...]:
        """The latents of what is heard at a frame, the loudest first; from any thread."""
        # In the first half of a hop the clip that began with the one before is the louder of the two that sound.
        cursor = self.at(frame + timeline.hop_frames // 2)
        sounds = sorted(cursor.trail[-1].sounds if cursor.trail else (), key=lambda sound: -sound.share)
        if cursor.model != timeline.model:
            # Of a model that leaves; what is kept and banned are places in the one that comes.
            return ()
        place = NOWHERE if shifted else cursor.mood.place
        return tuple(unshifted(timeline.space, sound.latent, place) for sound in sounds)

    def forget_before(self, frame: int) -> None:
        """Drop cursors that nobody can go back to any more."""
        self.cursors = {at: cursor for at, cursor in self.cursors.items() if at >= frame}


def recover(ring: Ring, lane: int, timeline: Timeline) -> Chain | None:
    """Find out what a lane was being filled with when an engine ended there, from the cursors it left.

    Returns
    -------
    Chain or None
        None where there is nothing of this model that leads to the lane's end, or somebody scribbled on it.
    """
    end = ring.lane(lane).end
    found = {frame: saved for frame, data in ring.saved(lane).items() if (saved := _whole(data)) is not None}
    last = max((frame for frame in found if frame <= end), default=None)
    if last is None:
        return None
    base, mood = found[last].base, found[last].mood
    fits = {
        frame: each.cursor
        for frame, each in found.items()
        if frame <= end
        and each.cursor.model == timeline.model
        and each.base == base
        and frame == base + each.cursor.hop * timeline.hop_frames
    }
    if last not in fits or end - last > ring.shape.lane_frames:
        return None
    if not fits[last].models <= timeline.models:
        # What is made next would lack the clip that still sounds.
        return None
    # Where one model was giving way to another as the engine ended, the ring has it, and nobody need make it again.
    pure = min(frame for frame, cursor in fits.items() if cursor.models <= timeline.models)
    known = {frame: cursor if cursor.models <= timeline.models else cursor.alone() for frame, cursor in fits.items()}
    chain = Chain(base, mood, known, end, timeline.taste, pure)
    cursor = chain.reach(end, timeline)
    if cursor is None:
        return None
    chain.cursors[end] = cursor
    chain.edge = _edge(cursor, base, timeline)
    return chain


def started(cursor: Cursor, mood: Mood, at: int, timeline: Timeline) -> Chain:
    """Begin a chain whose first hop lies at a frame, or up to a block behind it."""
    begin = -(-at // BLOCK_FRAMES) * BLOCK_FRAMES
    base = begin - cursor.hop * timeline.hop_frames
    return Chain(base, mood, {begin: cursor}, begin, timeline.taste, edge=_edge(cursor, base, timeline))


def _edge(cursor: Cursor, base: int, timeline: Timeline) -> int | None:
    return None if cursor.until is None else base + cursor.until * timeline.hop_frames


def _whole(data: bytes) -> Saved | None:
    try:
        return load(data)
    except ValueError:
        # Somebody scribbled on it; there are others.
        return None
