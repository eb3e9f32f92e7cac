"""A place in the music as bytes and back: what the ring keeps beside each hop, and what a morning goes on from."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from pydantic import ConfigDict, TypeAdapter, ValidationError

from appliance.engine.cursor import Cursor, Frame, Passage, Strand
from appliance.errors import MoodError
from appliance.folders import shown
from appliance.model.manifest import LATENT_SIZE
from appliance.mood import Mood
from appliance.score.grammar import SOUNDS
from appliance.score.piece import FIGURES
from appliance.spectrum.codec import BINS, BINS_PER_OCTAVE
from appliance.synth.beds import BedCursor

__all__ = ["EXACT", "MOST_BYTES", "Saved", "check", "dump", "load"]

# Every float comes back with all its bits, and nothing is taken for what it is not.
EXACT: Final = ConfigDict(
    extra="forbid", strict=True, allow_inf_nan=False, ser_json_bytes="base64", val_json_bytes="base64"
)

# A hand-over that gives way to a hand-over of another model, in which all figures sound, takes three quarters of it.
MOST_BYTES: Final = 32 << 10

# Far outside all that music can come to, and well inside what arithmetic bears.
_LONGEST = 1 << 48
_SEEDS = 1 << 63
_LONGEST_PATTERN = 64
_LARGEST_LATENT = 1e4
_LOUDEST_LU = 40.0
_SLOWEST_S = 3600.0
_MOST_SOUNDS = 32
_LARGEST_SHARE = 1e3
_MOST_RESTS = 64
# More would be taken for a room that is silent though it should sound.
_LONGEST_REST_S = 60.0


@dataclass(frozen=True)
class Saved:
    """A place in the music.

    Attributes
    ----------
    cursor : Cursor
    mood : Mood
        Where the hands were: the target that the music glides to.
    base : int
        Stream frame at which hop 0 of this chain lies; may be negative.
    """

    __pydantic_config__: ClassVar[ConfigDict] = EXACT

    cursor: Cursor
    mood: Mood
    base: int


_JSON: Final = TypeAdapter(Saved)


def dump(cursor: Cursor, mood: Mood, base: int) -> bytes:
    """Write a place as JSON, at most 16 KiB; floats keep all their bits."""
    return _JSON.dump_json(Saved(cursor, mood, base))


def load(data: bytes) -> Saved:
    """Read a place; `step` from it gives the same bits as from the cursor that was dumped.

    Raises
    ------
    ValueError
        If it is not such a place, whole and within what `step` can bear. Whether model and beds are still those that it
        was made with only `step` can tell.
    """
    if len(data) > MOST_BYTES:
        raise ValueError(f"a saved place has at most {MOST_BYTES} bytes, not {len(data)}")
    try:
        saved = _JSON.validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = shown(".".join(str(step) for step in first["loc"])) or "its beginning"
        raise ValueError(f"no saved place: wrong at {where} ({first['msg']})") from error
    except MoodError as error:
        raise ValueError(f"no saved place: {error}") from error
    _need(abs(saved.base) < _LONGEST, "base")
    check(saved.cursor)
    return saved


def check(cursor: Cursor) -> None:
    """Check that a cursor of the right types can be stepped from. Raises ValueError."""
    _need(0 <= cursor.hop < _LONGEST, "hop")
    _need(0 <= cursor.seed < _SEEDS, "seed")
    _need(cursor.until is None or 0 <= cursor.until < _LONGEST, "until")
    _check_passage(cursor.now)
    if cursor.next is None:
        _need(cursor.handover == 0, "handover")
    else:
        _check_passage(cursor.next)
        _need(cursor.next.piece.number == cursor.now.piece.number + 1, "number")
        _need(0 <= cursor.handover < _SLOWEST_S, "handover")
    if cursor.bed is not None:
        _check_bed(cursor.bed)
    if cursor.leaving is not None:
        left = cursor.leaving
        _need(0 <= left.done < left.hops <= _SLOWEST_S, "leaving")
        _need(
            left.cursor.leaving is None and not left.cursor.trail and left.cursor.hop == cursor.hop,
            "leaving",
        )
        check(left.cursor)
    rest = cursor.rest
    _need(0.0 <= rest.since_s <= _SLOWEST_S and 0.0 <= rest.length_s <= _LONGEST_REST_S, "rest")
    heed = cursor.heed
    _need(0.0 <= heed.still_s <= _SLOWEST_S and 0.0 <= heed.since_s <= _SLOWEST_S, "heed")
    hops = [frame.hop for frame in cursor.trail]
    _need(len(hops) <= 2 and hops == list(range(cursor.hop - len(hops), cursor.hop)), "trail")
    for frame in cursor.trail:
        _need(frame.hop >= 0 and frame.seed == cursor.seed, "trail")
        _check_frame(frame)


def _check_passage(passage: Passage) -> None:
    piece, letters = passage.piece, len(passage.piece.pattern)
    _need(0.0 <= passage.phase < _LONGEST, "phase")
    _need(0.0 <= passage.wound <= 1.0, "wound")
    _need(0 <= passage.rests <= _MOST_RESTS, "rests")
    _need(0 <= piece.number < _LONGEST, "number")
    _need(0 < letters <= _LONGEST_PATTERN and set(piece.pattern) <= set(SOUNDS), "pattern")
    _check_latents(piece.latents, len(SOUNDS))
    _check_latents(piece.coil, 2)
    _check_latents(piece.figures, FIGURES)
    _check_each(piece.shifts, len(SOUNDS), BINS, "shifts")
    _check_each(piece.figure_shifts, FIGURES, BINS, "figure_shifts")
    _check_each(piece.offsets_lu, len(SOUNDS), _LOUDEST_LU, "offsets_lu")
    _need(0 <= piece.tonic < BINS_PER_OCTAVE, "tonic")
    _need(abs(piece.level_lu) <= _LOUDEST_LU, "level_lu")
    _need(0.0 <= piece.reach <= 1.0 and 0.0 <= piece.swell[1] <= 1.0, "reach or swell")
    _need(len(piece.cycles) == FIGURES, "cycles")
    _need(all(0.0 <= begin_s <= _SLOWEST_S and 0.0 <= chance <= 1.0 for _, begin_s, chance in piece.cycles), "cycles")
    _need(len(piece.rests) <= _MOST_RESTS, "rests")
    _need(all(0.0 <= at <= letters and 0.0 <= seconds <= _LONGEST_REST_S for at, seconds in piece.rests), "rests")
    periods_s = (piece.turn_s, piece.letter_s, piece.swell[0], *(period_s for period_s, _, _ in piece.cycles))
    _need(all(0.1 <= seconds <= _SLOWEST_S for seconds in periods_s), "turn_s, letter_s or another period")


def _check_frame(frame: Frame) -> None:
    shares = [sound.share for strand in frame.strands for sound in strand.sounds]
    _need(len(shares) <= _MOST_SOUNDS and min(shares, default=0.0) >= 0.0 and sum(shares) < _LARGEST_SHARE, "share")
    for strand in frame.strands:
        _check_strand(strand)
    _need(0.0 <= frame.nature <= 1.0 and 0.0 <= frame.width <= 1.0, "nature or width")
    if frame.bed is not None:
        _check_bed(frame.bed)


def _check_strand(strand: Strand) -> None:
    for sound in strand.sounds:
        _check_latents(sound.latent, 1)
        _need(abs(sound.shift_bins) <= BINS, "shift_bins")
    colour = strand.colour
    _need(
        max(map(abs, (colour.tonality, colour.weirdness, colour.level, colour.consonance, colour.density))) <= 1.0,
        "colour",
    )
    _need(0 <= colour.tonic < BINS_PER_OCTAVE, "colour")


def _check_bed(bed: BedCursor) -> None:
    counts = (bed.hop, bed.segment, bed.bed, bed.place, bed.next_bed, bed.next_place, bed.left, bed.faded, bed.stay)
    _need(all(0 <= count < _LONGEST for count in counts) and -1 <= bed.came_from < _LONGEST, "bed")
    _need(bed.faded < bed.fade < _LONGEST, "fade")


def _check_latents(content: bytes, count: int) -> None:
    _need(len(content) == 4 * count * LATENT_SIZE, "a latent's length")
    # A comparison with NaN is false.
    _need(bool((np.abs(np.frombuffer(content, dtype=np.float32)) <= _LARGEST_LATENT).all()), "a latent")


def _check_each(values: Iterable[float], count: int, largest: float, what: str) -> None:
    sizes = [abs(value) for value in values]
    _need(len(sizes) == count and max(sizes) <= largest, what)


def _need(holds: bool, what: str) -> None:
    """Raise ValueError where a part of a cursor is not what music can come to."""
    if not holds:
        raise ValueError(f"no saved place: {what} cannot be")
