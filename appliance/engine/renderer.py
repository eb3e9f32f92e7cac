"""The renderer: frames to finished sound. What it remembers saves work and changes nothing."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from appliance.engine.cursor import Frame, Strand
from appliance.model.manifest import LATENT_SIZE
from appliance.mood import QUANTITIES
from appliance.score.colour import coloured
from appliance.score.path import WINDOW_LU, blend
from appliance.score.space import Space
from appliance.spectrum.codec import BINS, Floats, power
from appliance.spectrum.traits import weighted_power
from appliance.synth.beds import Beds
from appliance.synth.easing import eased
from appliance.synth.master import Limiter
from appliance.synth.voice import SPLIT_TOGETHER, Clips, Texture, Voice

__all__ = ["Renderer"]

_NATURE_CURVE = 1.5


class Renderer:
    """Renders hops of frames, one after the other or from anywhere.

    A hop needs the clips of its frame and of the one before, and the hop before it for the limiter. Whoever plays on
    finds them at hand; after a jump they are made again from the trail, to the same bits.

    Parameters
    ----------
    spaces : mapping of str to Space
        By the digests of their models; each decodes a row independently of the others. Looked at anew for each hop.
    voice : Voice
    limiter : Limiter
    beds : Beds or None
    target_lufs : float
    """

    def __init__(
        self, spaces: Mapping[str, Space], voice: Voice, limiter: Limiter, beds: Beds | None, target_lufs: float
    ) -> None:
        self._spaces = spaces
        self._voice = voice
        self._limiter = limiter
        self._beds = beds
        self._target_power = weighted_power(target_lufs)
        # By hop, with the frame that each was made from: frames are long to hash.
        self._textures: dict[int, tuple[Frame, Texture]] = {}
        self._clips: dict[int, tuple[Frame, Clips]] = {}
        self._window = np.zeros((2 * limiter.reach_frames + voice.hop_frames, voice.channels), dtype=np.float32)
        self._window_of: tuple[Frame, ...] | None = None

    def hop(self, trail: tuple[Frame, ...], frame: Frame, following: Callable[[int], list[Frame]]) -> Floats:
        """Render the hop that begins with a frame.

        Parameters
        ----------
        trail : tuple of Frame
            The two frames before it, newest last, or as many as there were.
        following : callable
            Asked for so many frames that will probably follow: work that is cheaper together is done ahead. Those that
            do not come are forgotten.

        Returns
        -------
        (hop_frames, channels) float32
        """
        if self._window_of != trail:
            self._recall(trail)
        # Void until the hop is whole, lest a failure on the way leave half of it to be taken for the trail's.
        self._window_of = None
        reach = self._limiter.reach_frames
        self._window[: 2 * reach] = self._window[self._voice.hop_frames :]
        self._mix(trail[-1] if trail else None, frame, following)
        self._window_of = (*trail[-1:], frame)
        self._textures = {hop: made for hop, made in self._textures.items() if hop > frame.hop}
        self._clips = {hop: made for hop, made in self._clips.items() if frame.hop <= hop <= frame.hop + 1}
        # The limiter may give a view of the window, which the next hop writes over.
        return self._limiter.limit(self._window).copy()

    def _recall(self, trail: tuple[Frame, ...]) -> None:
        """Fill the window as if the hops of this trail had just been played; what was made ahead of it is void."""
        self._window_of = None
        self._textures.clear()
        self._clips.clear()
        self._window[:] = 0.0
        if trail:
            self._mix(trail[-2] if len(trail) > 1 else None, trail[-1], lambda _: [])

    def _mix(self, before: Frame | None, frame: Frame, following: Callable[[int], list[Frame]]) -> None:
        """Write the newest hop of the window: two clips overlapped, and the beds."""
        hop = self._window[-self._voice.hop_frames :]
        earlier = None if before is None else self._clip(before, lambda _: [frame])
        self._voice.join(earlier, self._clip(frame, following), hop)
        if self._beds is None or frame.bed is None:
            return
        gain = (_bed_gain(before or frame), _bed_gain(frame))
        if any(gain):
            hop += _narrowed(self._beds.render(frame.seed, frame.bed, gain), ((before or frame).width, frame.width))

    def _clip(self, frame: Frame, following: Callable[[int], list[Frame]]) -> Clips:
        """Render a frame's clip, together with the next one, which the voice does at half the price."""
        known = self._clips.get(frame.hop)
        if known is None or known[0] != frame:
            partner = (following(1) or [frame])[0]
            pair = (self._texture(frame, following), self._texture(partner, lambda _: []))
            first, second = self._voice.clips(pair)
            self._clips[partner.hop] = partner, second
            known = self._clips[frame.hop] = frame, first
        return known[1]

    def _texture(self, frame: Frame, following: Callable[[int], list[Frame]]) -> Texture:
        """Decode and split a frame's sounds together with those of frames to come: weights are read once for all."""
        known = self._textures.get(frame.hop)
        if known is None or known[0] != frame:
            frames = [frame, *following(SPLIT_TOGETHER - 1)]
            leaving = [(row, each.leaving) for row, each in enumerate(frames) if each.leaving is not None]
            blends = self._blends([*(each.strand for each in frames), *(strand for _, strand in leaving)])
            music = blends[: len(frames)]
            for (row, _), blended in zip(leaving, blends[len(frames) :], strict=True):
                music[row] += blended
            levels = np.array([self._music_power(each) / self._voice.channels for each in frames], dtype=np.float32)
            split = self._voice.split(eased(music * levels[:, np.newaxis]))
            for each, parted in zip(frames, split, strict=True):
                self._textures[each.hop] = each, Texture(parted, each.width, each.seed, each.hop)
            known = self._textures[frame.hop]
        return known[1]

    def _blends(self, strands: Sequence[Strand]) -> Floats:
        """Decode strands and add up the sounds of each, coloured and as loud as their shares: (n, 1233) power."""
        rows = np.empty((len(strands), BINS), dtype=np.float32)
        for model in {strand.model for strand in strands}:
            space = self._spaces[model]
            numbers = [number for number, strand in enumerate(strands) if strand.model == model]
            latents = b"".join(sound.latent for number in numbers for sound in strands[number].sounds)
            powers = np.empty((0, BINS), dtype=np.float32)
            if latents:
                powers = power(space.decode(np.frombuffer(latents, dtype=np.float32).reshape(-1, LATENT_SIZE)))
            ends = np.cumsum([len(strands[number].sounds) for number in numbers])
            for number, part in zip(numbers, np.split(powers, ends[:-1]), strict=True):
                strand = strands[number]
                rows[number] = coloured(blend(strand.sounds, part), strand.colour, space.ordinary_db)
        return rows

    def _music_power(self, frame: Frame) -> float:
        """K-weighted power of a share of 1, which makes the music loud enough once the beds are added."""
        together = self._target_power
        if self._beds is not None and frame.bed is not None:
            beds = weighted_power(self._beds.lufs) * _bed_gain(frame) ** 2
            together = max(together - beds, 0.1 * together)
        return together


def _bed_gain(frame: Frame) -> float:
    """Linear gain of the beds: as prepared at rest, silent at 0, and in the end 9 dB louder; softer with the music."""
    share = frame.nature / QUANTITIES["nature"].rest
    gain: float = share if share <= 1.0 else share**_NATURE_CURVE
    return gain * 10.0 ** (0.05 * WINDOW_LU * frame.strand.colour.level) if frame.strand.colour.level else gain


def _narrowed(bed: Floats, widths: tuple[float, float]) -> Floats:
    """Bring the channels of a bed, (frames, channels), together from one width to another; at rest it stays."""
    first, last = (min(width / QUANTITIES["width"].rest, 1.0) for width in widths)
    if first == last == 1.0 or bed.shape[1] == 1:
        return bed
    channels = bed.shape[1]
    middle = bed @ np.full((channels, channels), 1.0 / channels, dtype=np.float32)
    spread = np.linspace(first, last, len(bed), endpoint=False, dtype=np.float32)[:, np.newaxis]
    return np.asarray(middle + spread * (bed - middle), dtype=np.float32)
