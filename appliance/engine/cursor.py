"""Where the music is: the small plain value from which the next hop follows."""

from dataclasses import dataclass

from appliance.engine.heed import UNMOVED, Heed
from appliance.mood import AT_REST, Mood
from appliance.score.colour import PLAIN, Colour
from appliance.score.path import Sound
from appliance.score.piece import Piece
from appliance.score.rest import AWAKE, Rest
from appliance.synth.beds import BedCursor

__all__ = ["Cursor", "Frame", "Passage"]


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
class Frame:
    """All that one clip is made of.

    Attributes
    ----------
    hop : int
    seed : int
    sounds : tuple of Sound
        Their shares add up to the power of the clip; none in a rest.
    nature, width : float
        As in `Mood`, already glided.
    bed : BedCursor or None
        Where the beds are; None without beds.
    colour : Colour
        Of all sounds together.
    """

    hop: int
    seed: int
    sounds: tuple[Sound, ...]
    nature: float
    width: float
    bed: BedCursor | None
    colour: Colour = PLAIN

    @property
    def share(self) -> float:
        """K-weighted power of the clip, in multiples of that of the target loudness."""
        return sum(sound.share for sound in self.sounds)


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
