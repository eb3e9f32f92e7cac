"""The glide from one model to another: both go on, and their powers are shared out between them."""

import math
from collections.abc import Iterable
from dataclasses import replace

from appliance.engine.cursor import Cursor, Frame, Leaving, Passage
from appliance.mood import Mood
from appliance.score.path import Sound
from appliance.score.piece import Piece
from appliance.score.skim import heeded

__all__ = ["begun", "passed", "shared"]


def begun(cursor: Cursor, model: str, piece: Piece, mood: Mood, hops: int) -> Cursor:
    """Let the music of another model come in over so many hops, while that of a cursor goes on and gives way.

    What changes is the colour: the piece begins as loud as the one before, in the same place of its slow swelling and
    of a rest, and the nature sounds go on.

    Parameters
    ----------
    model : str
        Digest of the model that comes.
    piece : Piece
        Composed in that.
    mood : Mood
        For which it was composed.
    """
    before, (period_s, turn) = cursor.now, cursor.now.piece.swell
    swell = (period_s, (before.phase * before.piece.letter_s / period_s + turn) % 1.0)
    return replace(
        cursor,
        model=model,
        now=Passage(replace(piece, level_lu=before.piece.level_lu, swell=swell), 0.0, under=heeded(mood)),
        next=None,
        handover=0,
        # The same sounds, but now they are what leaves.
        trail=tuple(
            replace(frame, strand=replace(frame.strand, sounds=()), leaving=frame.strand) for frame in cursor.trail
        ),
        leaving=Leaving(replace(cursor, bed=None, trail=()), hops),
    )


def passed(frame: Frame, leaving: Leaving, beside: Frame, after: Cursor) -> tuple[Frame, Leaving | None]:
    """Share a frame with that of the model that leaves.

    Parameters
    ----------
    beside : Frame
        What the model that leaves would make of the hop alone.
    after : Cursor
        Where its music is a hop later.

    Returns
    -------
    frame : Frame
        Of both.
    leaving : Leaving or None
        A hop later; None once it has left.
    """
    done = (leaving.done + 1) / (leaving.hops + 1)
    arrived = math.sin(done * math.pi / 2.0) ** 2
    stays = replace(frame.strand, sounds=shared(frame.strand.sounds, arrived))
    goes = replace(beside.strand, sounds=shared(beside.strand.sounds, 1.0 - arrived))
    left = replace(leaving, cursor=after, done=leaving.done + 1)
    return replace(frame, strand=stays, leaving=goes), left if left.done < left.hops else None


def shared(sounds: Iterable[Sound], share: float) -> tuple[Sound, ...]:
    """Scale the shares of sounds."""
    return tuple(replace(sound, share=sound.share * share) for sound in sounds)
