"""Where the music is: the small plain value from which the next hop follows."""

from dataclasses import dataclass, replace

from appliance.engine.heed import UNMOVED, Heed
from appliance.mood import AT_REST, Mood
from appliance.score.colour import PLAIN, Colour
from appliance.score.path import Sound
from appliance.score.piece import Piece
from appliance.score.rest import AWAKE, Rest
from appliance.synth.beds import BedCursor

__all__ = ["Cursor", "Frame", "Leaving", "Passage", "Strand"]


@dataclass(frozen=True)
class Passage:
    """A piece under way.

    Attributes
    ----------
    piece : Piece
    phase : float
        Letters that have passed.
    rests : int
        Rests that have passed.
    wound : float
        Turns by which hands on the pace have wound the wiggler on, 0..1.
    under : Mood
        For which it was composed.
    """

    piece: Piece
    phase: float
    rests: int = 0
    wound: float = 0.0
    under: Mood = AT_REST


@dataclass(frozen=True)
class Strand:
    """The part of a clip that one model makes.

    Attributes
    ----------
    model : str
        Digest of the model that the latents belong to.
    sounds : tuple of Sound
    colour : Colour
        Of all these sounds together.
    """

    model: str
    sounds: tuple[Sound, ...]
    colour: Colour = PLAIN


@dataclass(frozen=True)
class Frame:
    """All that one clip is made of.

    Attributes
    ----------
    hop : int
    seed : int
    strand : Strand
        The shares of its sounds, and of those of the other strand, add up to the power of the clip; none in a rest.
    nature, width : float
        As in `Mood`, already glided.
    bed : BedCursor or None
        Where the beds are; None without beds.
    leaving : Strand or None
        Of a model that gives way to another one.
    """

    hop: int
    seed: int
    strand: Strand
    nature: float
    width: float
    bed: BedCursor | None
    leaving: Strand | None = None

    @property
    def strands(self) -> tuple[Strand, ...]:
        """All there are."""
        return (self.strand,) if self.leaving is None else (self.strand, self.leaving)

    @property
    def sounds(self) -> tuple[Sound, ...]:
        """What the model makes that stays."""
        return self.strand.sounds

    @property
    def share(self) -> float:
        """K-weighted power of the clip, in multiples of that of the target loudness."""
        return sum(sound.share for strand in self.strands for sound in strand.sounds)


@dataclass(frozen=True)
class Leaving:
    """The music of another model, which gives way to that of the cursor it is part of.

    Attributes
    ----------
    cursor : Cursor
        Where it is; without trail, bed or anything that leaves it in turn.
    hops : int
        That it takes in all.
    done : int
        Of them that have passed.
    """

    cursor: "Cursor"
    hops: int
    done: int = 0


@dataclass(frozen=True)
class Cursor:
    """The state of the music before a hop.

    Attributes
    ----------
    hop : int
        Hops since the beginning.
    seed : int
    model : str
        Digest of the model the latents belong to.
    now : Passage
    next : Passage or None
        The piece that is being faded in.
    handover : int
        Hops since that began.
    mood : Mood
        As far as it has glided.
    bed : BedCursor or None
    trail : tuple of Frame
        The last two frames, newest last: their clips still sound.
    rest : Rest
    heed : Heed
    leaving : Leaving or None
        The model before, as long as it is still heard.
    until : int or None
        The hop at which the room closes or opens; None where that is far, or not known.
    """

    hop: int
    seed: int
    model: str
    now: Passage
    next: Passage | None
    handover: int
    mood: Mood
    bed: BedCursor | None
    trail: tuple[Frame, ...]
    rest: Rest = AWAKE
    heed: Heed = UNMOVED
    leaving: Leaving | None = None
    until: int | None = None

    @property
    def models(self) -> frozenset[str]:
        """Digests of all models without which it cannot be stepped from."""
        sounding = {strand.model for frame in self.trail for strand in frame.strands}
        return frozenset({self.model, *sounding} | ({self.leaving.cursor.model} if self.leaving else set()))

    def alone(self) -> "Cursor":
        """The same without the model that leaves, for whoever does not have that."""
        trail = tuple(replace(frame, leaving=None) for frame in self.trail)
        return replace(self, trail=trail, leaving=None)
