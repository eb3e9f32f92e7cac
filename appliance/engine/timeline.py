"""The timeline: score, model and synth as one pure function, ``step(cursor, mood) -> (cursor', hop)``."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from appliance.engine import ending, glide, heed
from appliance.engine.cursor import Cursor, Frame, Passage, Strand
from appliance.engine.heed import Heed
from appliance.engine.instrument import Instrument
from appliance.engine.renderer import Renderer
from appliance.model.bundle import Bundle
from appliance.mood import Mood
from appliance.score.colour import colour_of
from appliance.score.path import moment
from appliance.score.piece import Piece
from appliance.score.rest import gain, go_on, lead_s, woken
from appliance.score.skim import heeded
from appliance.score.space import Space
from appliance.score.taste import Taste
from appliance.score.territory import WIDE, Bounds
from appliance.spectrum.codec import Floats
from appliance.spectrum.traits import weighted_power
from appliance.synth.beds import Beds
from appliance.synth.master import Limiter
from appliance.synth.voice import SPLIT_TOGETHER, Voice
from appliance.weighting import LOUDNESS_OFFSET_LU

__all__ = ["Timeline"]

# Pieces overlap by this long, and between them the music breathes out by this much, twice that where density is least.
_HANDOVER_S = 14.0
_BREATH_DB = 3.0
# Music softer than this is told to be at rest: what is heard then are the beds, which come and go as they like.
_REST_SHARE = 10.0**-2.0
_REST_LUFS = -120.0
_INAUDIBLE = 1e-6
# A hand on the pace winds the wiggler on while it turns: a quicker path alone is heard only after some seconds.
_WOUND_AN_OCTAVE = 0.22


class Timeline:
    """Endless music from a model, at one rate for one number of channels; for a while from two, when one is changed.

    `step` is a function of its arguments alone. What the object remembers (what was planned and rendered ahead) saves
    work and changes nothing: a cursor from elsewhere only costs a little more. One thread at a time.

    Parameters
    ----------
    bundle : Bundle
    rate : int
        Frames per second.
    channels : int
    beds : Beds or None
    target_lufs : float
        Loudness of music and beds together at rest, ITU-R BS.1770-4.
    ceiling_dbtp : float
    bounds : Bounds
        Within which the score stays.

    Attributes
    ----------
    instrument : Instrument
        What plays, or is to.
    """

    def __init__(
        self,
        bundle: Bundle,
        rate: int,
        channels: int,
        beds: Beds | None,
        target_lufs: float,
        ceiling_dbtp: float,
        bounds: Bounds = WIDE,
    ) -> None:
        self.instrument = Instrument(bundle, bounds)
        self._instruments = {self.instrument.model: self.instrument}
        self.rate = rate
        self.channels = channels
        self.beds = beds
        self._target_power = weighted_power(target_lufs)
        voice = Voice(rate, channels)
        self.hop_frames = voice.hop_frames
        self.hop_s = self.hop_frames / rate
        self.handover_hops = round(_HANDOVER_S / self.hop_s)
        self._spaces = {self.model: self.space}
        self._renderer = Renderer(self._spaces, voice, Limiter(rate, channels, ceiling_dbtp), beds, target_lufs)
        self._plan: list[_Planned] = []

    @property
    def model(self) -> str:
        """Digest of the model that plays, or is to."""
        return self.instrument.model

    @property
    def space(self) -> Space:
        """Its timbre space."""
        return self.instrument.space

    @property
    def bounds(self) -> Bounds:
        """Within which the score stays."""
        return self.instrument.bounds

    @property
    def taste(self) -> Taste:
        """What was kept and banned."""
        return self.space.taste

    @property
    def models(self) -> frozenset[str]:
        """Digests of the models whose cursors can be stepped from."""
        return frozenset(self._instruments)

    def adopt(self, taste: Taste) -> None:
        """From now on play to another taste; cursors stay good."""
        self.instrument.adopt(taste)
        self._spaces[self.model] = self.space
        self._plan.clear()

    def bring(self, instrument: Instrument) -> None:
        """Make ready to play another model; cursors of those before stay good, and `change` leads over from them."""
        self.instrument = instrument
        self._instruments[instrument.model] = instrument
        self._spaces[instrument.model] = instrument.space
        self._plan.clear()

    def drop(self, models: Iterable[str]) -> None:
        """Forget models by their digests; no cursor in which one is heard can be stepped from any more."""
        for model in models:
            if model != self.model:
                self._instruments.pop(model, None)
                self._spaces.pop(model, None)
        self._plan.clear()

    def start(self, seed: int, mood: Mood, number: int = 0) -> Cursor:
        """Give the cursor at the beginning of a seed's piece ``number``; the mood is there at once, without a glide."""
        bed = None if self.beds is None else self.beds.first(seed)
        return Cursor(0, seed, self.model, self._begun(seed, number, mood, self.model), None, 0, mood, bed, ())

    def advance(self, cursor: Cursor, mood: Mood) -> Cursor:
        """Pass over a hop without its sound: the cursor that `step` would give."""
        return self._planned(cursor, mood, 1)[0].after

    def step(self, cursor: Cursor, mood: Mood) -> tuple[Cursor, Floats]:
        """Play one hop.

        Parameters
        ----------
        cursor : Cursor
        mood : Mood
            Where the hands are; the music glides there.

        Returns
        -------
        cursor : Cursor
            Of the next hop.
        hop : (hop_frames, channels) float32
            Mastered, before the volume fader. It runs late by the limiter's reach (see `Limiter`).

        Raises
        ------
        ValueError
            If the cursor belongs to another model.
        """
        if not cursor.models <= self.models:
            raise ValueError("this cursor belongs to another model")
        now = self._planned(cursor, mood, 1)[0]
        # While a hand moves, what is planned far ahead would be thrown away again.
        farthest = SPLIT_TOGETHER if now.after.mood == mood else 1

        def following(count: int) -> list[Frame]:
            return [planned.frame for planned in self._planned(cursor, mood, min(count, farthest) + 1)[1:]]

        return now.after, self._renderer.hop(cursor.trail, now.frame, following)

    def expected_lufs(self, after: Cursor) -> float:
        """Loudness that the score wants of the hop before a cursor, whatever the voice makes of it; -120 in a rest."""
        # A hop is made of two clips; at the very beginning there is only one.
        shares = [frame.share for frame in after.trail]
        # Where one of them rests, the hop begins or ends far below their mean.
        if min(shares) <= _REST_SHARE:
            return _REST_LUFS
        return LOUDNESS_OFFSET_LU + 10.0 * math.log10(self._target_power * sum(shares) / 2.0)

    def hasten(self, cursor: Cursor, mood: Mood) -> Cursor:
        """Let the next piece begin to be faded in now, unless one is already."""
        if cursor.next is not None:
            return cursor
        number = cursor.now.piece.number + 1
        return replace(cursor, next=self._begun(cursor.seed, number, mood, cursor.model), handover=0)

    def change(self, cursor: Cursor, piece: Piece, mood: Mood, hops: int) -> Cursor:
        """Let the model that was brought last come in over so many hops, with a piece of its own; see `glide.begun`.

        Raises
        ------
        ValueError
            If the cursor is of that model already, or still on its way from a third one.
        """
        if cursor.model == self.model or cursor.models != {cursor.model}:
            raise ValueError("this cursor belongs to a model from which no way leads")
        return glide.begun(cursor, self.model, piece, mood, hops)

    def _planned(self, cursor: Cursor, mood: Mood, count: int) -> list["_Planned"]:
        """Give this hop and those after it if the mood stays; what was planned before is kept as far as it holds."""
        while self._plan and self._plan[0].cursor is not cursor:
            self._plan.pop(0)
        if self._plan and self._plan[0].mood != mood:
            self._plan.clear()
        while len(self._plan) < count:
            self._plan.append(self._follow(self._plan[-1].after if self._plan else cursor, mood))
        return self._plan[:count]

    def _follow(self, cursor: Cursor, mood: Mood) -> "_Planned":
        """Look one hop ahead."""
        frame, after = self._go_on(cursor, mood)
        if cursor.leaving is not None:
            frame, left = glide.passed(frame, cursor.leaving, *self._go_on(cursor.leaving.cursor, mood))
            after = replace(after, leaving=left)
        return _Planned(cursor, mood, replace(after, trail=(*cursor.trail[-1:], frame)), frame)

    def _go_on(self, cursor: Cursor, mood: Mood) -> tuple[Frame, Cursor]:
        """Give the frame of a hop, and the cursor after it but for its trail; what leaves it is left alone."""
        glided = cursor.mood.toward(mood, self.hop_s)
        rest = woken(cursor.rest, self.hop_s) if heed.moving(cursor.mood, mood) else cursor.rest
        frame = self._frame(cursor, glided, gain(rest))
        now, following, handover = self._pass(cursor, glided)
        now, due_s = _due(now, glided)
        near = ending.is_near(cursor, self.hop_s)
        attention = heed.go_on(cursor.heed, self.hop_s, glided, mood)
        if following is None and not near and heed.due(attention, now.under, mood):
            following = self._begun(cursor.seed, now.piece.number + 1, mood, cursor.model)
            attention = Heed(attention.still_s, 0.0)
        bed = None
        if self.beds is not None and cursor.bed is not None:
            bed = self.beds.advance(cursor.seed, cursor.bed)
        after = replace(
            cursor,
            hop=cursor.hop + 1,
            now=now,
            next=following,
            handover=handover,
            mood=glided,
            bed=bed,
            rest=ending.rested(cursor, go_on(rest, self.hop_s, None if near else due_s, glided.density), self.hop_s),
            heed=attention,
            until=None if ending.is_over(cursor) else cursor.until,
        )
        return frame, after

    def _frame(self, cursor: Cursor, mood: Mood, awake: float) -> Frame:
        """Everything about the clip that begins here, so much of whose power is not resting."""
        space = self._spaces[cursor.model]
        sounds = moment(space, cursor.now.piece, cursor.now.phase, mood, cursor.now.wound)
        if cursor.next is not None:
            there = moment(space, cursor.next.piece, cursor.next.phase, mood, cursor.next.wound)
            done = (cursor.handover + 1) / (self.handover_hops + 1)
            arrived = math.sin(done * math.pi / 2.0) ** 2
            breath: float = 10.0 ** (-0.1 * _BREATH_DB * (1.0 - mood.density) * math.sin(done * math.pi) ** 2)
            sounds = glide.shared(sounds, breath * (1.0 - arrived)) + glide.shared(there, breath * arrived)
        if awake < 1.0:
            sounds = glide.shared(sounds, awake) if awake > _INAUDIBLE else ()
        louder = cursor.now if cursor.next is None or 2 * cursor.handover < self.handover_hops else cursor.next
        colour = colour_of(mood, louder.piece.tonic)
        strand = Strand(cursor.model, sounds, colour)
        return Frame(cursor.hop, cursor.seed, strand, mood.nature, mood.width, cursor.bed)

    def _pass(self, cursor: Cursor, mood: Mood) -> tuple[Passage, Passage | None, int]:
        """Move along the pieces by a hop, beginning the next one in time to fade it in."""
        if ending.is_over(cursor):
            number = (cursor.next or cursor.now).piece.number + 1
            return self._begun(cursor.seed, number, mood, cursor.model), None, 0
        hurry = ending.hurry(cursor, _left_s(cursor.now, mood), mood.pace, self.hop_s)
        now, following = self._along(cursor.now, cursor.mood, mood, hurry or 1.0), cursor.next
        if following is not None:
            following = self._along(following, cursor.mood, mood)
            if cursor.handover + 1 >= self.handover_hops:
                return following, None, 0
            return now, following, cursor.handover + 1
        if hurry is not None or _left_s(now, mood) > _HANDOVER_S:
            return now, None, 0
        return now, self._begun(cursor.seed, now.piece.number + 1, mood, cursor.model), 0

    def _begun(self, seed: int, number: int, mood: Mood, model: str) -> Passage:
        """Compose a piece and stand at its beginning."""
        return Passage(self._instruments[model].composer.compose(seed, number, mood), 0.0, under=heeded(mood))

    def _along(self, passage: Passage, before: Mood, mood: Mood, hurry: float = 1.0) -> Passage:
        wound = (passage.wound + _WOUND_AN_OCTAVE * abs(math.log2(mood.pace / before.pace))) % 1.0
        phase = passage.phase + hurry * mood.pace * self.hop_s / passage.piece.letter_s
        return replace(passage, phase=phase, wound=wound)


@dataclass(frozen=True)
class _Planned:
    """A step without its sound: from which cursor under which mood, the cursor after it, and the frame."""

    cursor: Cursor
    mood: Mood
    after: Cursor
    frame: Frame


def _left_s(passage: Passage, mood: Mood) -> float:
    """Seconds for which a piece goes on at a pace; less than none where its last sound lingers."""
    return (len(passage.piece.pattern) - passage.phase) * passage.piece.letter_s / mood.pace


def _due(passage: Passage, mood: Mood) -> tuple[Passage, float | None]:
    """See whether the next rest of a piece is due, and for how many seconds; then it has passed."""
    if passage.rests >= len(passage.piece.rests):
        return passage, None
    middle, rest_s = passage.piece.rests[passage.rests]
    if (middle - passage.phase) * passage.piece.letter_s / mood.pace > lead_s(rest_s):
        return passage, None
    return replace(passage, rests=passage.rests + 1), rest_s
