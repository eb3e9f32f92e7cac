"""The timeline: score, model and synth as one pure function, ``step(cursor, mood) -> (cursor', hop)``."""

import math
from dataclasses import replace

import numpy as np

from appliance.engine.cursor import Cursor, Frame, Passage
from appliance.model.bundle import Bundle
from appliance.model.decoder import open_decoder
from appliance.mood import QUANTITIES, Mood
from appliance.score.path import Moment, Sound, moment
from appliance.score.piece import compose
from appliance.score.space import Space
from appliance.spectrum.codec import BINS, Floats, power, transpose
from appliance.spectrum.traits import k_weighting
from appliance.synth.beds import Beds
from appliance.synth.master import Limiter
from appliance.synth.voice import Clips, Texture, Voice

__all__ = ["Timeline", "space_of"]

# Pieces overlap by this long, and between them the music breathes out by up to this much.
_HANDOVER_S = 14.0
_BREATH_DB = 3.0
# K-weighted power below which a sound is not brought up any more.
_QUIETEST = 10.0**-7.5


def space_of(bundle: Bundle) -> Space:
    """Open a bundle's decoder and give what the score needs of it. Raises ModelError."""
    manifest = bundle.manifest
    return Space(
        decode=open_decoder(bundle).decode,
        atlas=bundle.parts.atlas,
        axes=np.array(manifest.pca_axes, dtype=np.float32),
        scale=np.array(manifest.pca_scale, dtype=np.float32),
        directions={name: np.array(row, dtype=np.float32) for name, row in manifest.directions.items()},
        mean=manifest.statistics.trait_mean,
        sd=manifest.statistics.trait_sd,
        wiggle_speed=manifest.statistics.wiggle_speed,
    )


class Timeline:
    """Endless music from a model, at one rate for one number of channels.

    `step` is a function of its arguments alone. What the object remembers (the clips that still sound, a clip
    rendered ahead) saves work and changes nothing: a cursor from elsewhere only costs three clips instead of one.

    One thread at a time.

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
    """

    def __init__(
        self, bundle: Bundle, rate: int, channels: int, beds: Beds | None, target_lufs: float, ceiling_dbtp: float
    ) -> None:
        self.space = space_of(bundle)
        self.rate = rate
        self.channels = channels
        self._model = bundle.digest
        self._beds = beds
        self._target_lufs = target_lufs
        self._voice = Voice(rate, channels)
        self._limiter = Limiter(rate, channels, ceiling_dbtp)
        self.hop_frames = self._voice.hop_frames
        self.hop_s = self.hop_frames / rate
        self._handover_hops = round(_HANDOVER_S / self.hop_s)
        self._clips: dict[Frame, Clips] = {}
        self._ahead: tuple[Cursor, Mood, tuple[Cursor, Frame]] | None = None
        reach = self._limiter.reach_frames
        self._window = np.zeros((2 * reach + self.hop_frames, channels), dtype=np.float32)
        self._window_of: tuple[Frame, ...] | None = None

    def start(self, seed: int, mood: Mood, number: int = 0) -> Cursor:
        """Give the cursor at the beginning of a seed's piece ``number``; the mood is there at once, without a glide."""
        piece = None
        for each in range(number + 1):
            piece = compose(self.space, seed, each, mood, piece)
        assert piece is not None
        bed = None if self._beds is None else self._beds.first(seed)
        return Cursor(0, seed, self._model, Passage(piece, 0.0), None, 0, mood, bed, ())

    def advance(self, cursor: Cursor, mood: Mood) -> Cursor:
        """Pass over a hop without its sound: the cursor that `step` would give."""
        return self._follow(cursor, mood)[0]

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
        """
        after, frame = self._follow(cursor, mood)
        reach = self._limiter.reach_frames
        if self._window_of != cursor.trail:
            self._recall(cursor.trail)
        self._window[: 2 * reach] = self._window[self.hop_frames :]
        ahead = self._follow(after, mood)[1]
        self._mix(cursor.trail[-1] if cursor.trail else None, frame, ahead)
        self._window_of = after.trail
        self._clips = {kept: clips for kept, clips in self._clips.items() if kept in (frame, ahead)}
        # The limiter may give a view of the window, which the next hop writes over.
        return after, self._limiter.limit(self._window).copy()

    def _follow(self, cursor: Cursor, mood: Mood) -> tuple[Cursor, Frame]:
        """Give the next cursor and the frame between; kept for the next step, which asks for it again."""
        if self._ahead is not None and self._ahead[0] is cursor and self._ahead[1] == mood:
            return self._ahead[2]
        glided = cursor.mood.toward(mood, self.hop_s)
        frame = self._frame(cursor, glided)
        now, following, handover = self._pass(cursor, glided)
        bed = None
        if self._beds is not None and cursor.bed is not None:
            bed = self._beds.advance(cursor.seed, cursor.bed)
        after = replace(
            cursor,
            hop=cursor.hop + 1,
            now=now,
            next=following,
            handover=handover,
            mood=glided,
            bed=bed,
            trail=(*cursor.trail[-1:], frame),
        )
        self._ahead = (cursor, mood, (after, frame))
        return after, frame

    def _frame(self, cursor: Cursor, mood: Mood) -> Frame:
        """Everything about the clip that begins here."""
        here = moment(self.space, cursor.now.piece, cursor.now.phase, mood)
        sounds, offset_lu = here.sounds, here.offset_lu
        if cursor.next is not None:
            there = moment(self.space, cursor.next.piece, cursor.next.phase, mood)
            done = (cursor.handover + 1) / (self._handover_hops + 1)
            arrived = math.sin(done * math.pi / 2.0) ** 2
            sounds = _shared(here, 1.0 - arrived) + _shared(there, arrived)
            offset_lu = here.offset_lu * (1.0 - arrived) + there.offset_lu * arrived
            offset_lu -= _BREATH_DB * (1.0 - mood.density) * math.sin(done * math.pi) ** 2
        return Frame(cursor.hop, cursor.seed, sounds, offset_lu, mood.nature, mood.width, cursor.bed)

    def _pass(self, cursor: Cursor, mood: Mood) -> tuple[Passage, Passage | None, int]:
        """Move along the pieces by a hop, beginning the next one in time to fade it in."""
        now, following = self._along(cursor.now, mood), cursor.next
        if following is not None:
            following = self._along(following, mood)
            if cursor.handover + 1 >= self._handover_hops:
                return following, None, 0
            return now, following, cursor.handover + 1
        left_s = (len(now.piece.pattern) - now.phase) * now.piece.letter_s / mood.pace
        if left_s > _HANDOVER_S:
            return now, None, 0
        piece = compose(self.space, cursor.seed, now.piece.number + 1, mood, now.piece)
        return now, Passage(piece, 0.0), 0

    def _along(self, passage: Passage, mood: Mood) -> Passage:
        return Passage(passage.piece, passage.phase + mood.pace * self.hop_s / passage.piece.letter_s)

    def _recall(self, trail: tuple[Frame, ...]) -> None:
        """Fill the window as if the hops of this trail had just been played."""
        self._window[:] = 0.0
        self._window_of = None
        if trail:
            self._mix(trail[-2] if len(trail) > 1 else None, trail[-1], None)

    def _mix(self, before: Frame | None, frame: Frame, ahead: Frame | None) -> None:
        """Write the newest hop of the window: two clips overlapped, and the beds."""
        hop = self._window[-self.hop_frames :]
        earlier = None if before is None else self._clip(before, frame)
        self._voice.join(earlier, self._clip(frame, ahead), hop)
        if self._beds is None or frame.bed is None:
            return
        gain = (_nature_gain((before or frame).nature), _nature_gain(frame.nature))
        if any(gain):
            hop += self._beds.render(frame.seed, frame.bed, gain)

    def _clip(self, frame: Frame, partner: Frame | None) -> Clips:
        """Render a frame's clip, together with its partner's where that comes next."""
        if frame not in self._clips:
            pair = (frame, frame if partner is None or partner in self._clips else partner)
            textures = self._textures(pair)
            self._clips.update(zip(pair[::-1], self._voice.clips(textures)[::-1], strict=True))
        return self._clips[frame]

    def _textures(self, pair: tuple[Frame, Frame]) -> tuple[Texture, Texture]:
        """Decode the sounds of two frames, level each by its loudness, and add their powers."""
        latents = b"".join(sound.latent for frame in pair for sound in frame.sounds)
        spectra = self.space.decode(np.frombuffer(latents, dtype=np.float32).reshape(-1, len(self.space.scale)))
        powers = iter(power(spectra))
        weighting = k_weighting()
        textures = []
        for frame in pair:
            total = np.zeros(BINS, dtype=np.float32)
            for sound in frame.sounds:
                bins = transpose(next(powers), sound.shift_bins)
                total += bins * np.float32(sound.share / max(float(bins @ weighting), _QUIETEST))
            total *= np.float32(self._music_power(frame) / sum(sound.share for sound in frame.sounds))
            textures.append(Texture(total, frame.width, frame.seed, frame.hop))
        return textures[0], textures[1]

    def _music_power(self, frame: Frame) -> float:
        """K-weighted power per channel that makes the music loud enough once the beds are added."""
        together = 10.0 ** ((self._target_lufs + 0.691) / 10.0)
        if self._beds is not None and frame.bed is not None:
            beds = 10.0 ** ((self._beds.lufs + 0.691) / 10.0) * _nature_gain(frame.nature) ** 2
            together = max(together - beds, 0.1 * together)
        return float(together * 10.0 ** (frame.offset_lu / 10.0) / self.channels)


def _shared(here: Moment, share: float) -> tuple[Sound, ...]:
    """Scale the shares of a moment's sounds."""
    return tuple(replace(sound, share=sound.share * share) for sound in here.sounds)


def _nature_gain(nature: float) -> float:
    """Linear gain of the beds: as prepared at rest, twice that at the top, silent at 0."""
    return nature / QUANTITIES["nature"].rest
