"""Composing a piece: plan eight, go through each with the gates in hand, and keep the best that stays within them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

import numpy as np

from appliance.mood import Mood, Place
from appliance.score import harmony
from appliance.score.form import Form, form
from appliance.score.gates import Gates, blended, measure
from appliance.score.grammar import SOUNDS, expand
from appliance.score.moves import DRAWN_SHARE
from appliance.score.path import Sound, blend, moment
from appliance.score.piece import FIGURES, Piece
from appliance.score.ranking import Offer, offer, pick
from appliance.score.space import Space
from appliance.score.taste import Taste
from appliance.score.territory import WIDE, Bounds, deal, drift, timbre, within
from appliance.spectrum import traits
from appliance.spectrum.codec import CLIP_S, Floats, from_power, power

__all__ = ["CANDIDATES", "Composer", "Finding", "blends", "go_through", "heeded", "hops_of", "moments", "share_outside"]

HOP_S = CLIP_S / 2.0
CANDIDATES = 8
# Every candidate is gone through at this distance, and the best then hop by hop.
_SKIM_HOPS = 10
# From which hop on at which distance: what is bad is found early, and in the end all hops were looked at.
_FINER = ((0, 4), (2, 4), (1, 2))
# So many of the best are tried with less and less of a wiggle before others are looked at.
_SECOND_CHANCES = 3
_MORE = 4
# A hand may go back and forth while a piece is about to begin, and a contact sheet asks for all of its pieces twice.
_REMEMBERED = 64
# The decoder is quickest with about so many.
_TOGETHER = 40
# Where a piece leaves the gates its wiggle is made smaller.
_CALMER = (1.0, 0.7, 0.4)
_CALMEST = 0.1
_LETTER_S = (11.0, 38.0)
_TURN_S = (15.0, 45.0)
# In a territory that an artist narrowed, what nobody recorded is drawn nearer to what was kept.
_STRAYING = 0.5
# A mood in steps: while a hand moves, the piece to come need not be composed again for every hair's breadth.
_MOOD_STEP = 0.05


@dataclass(frozen=True)
class Finding:
    """What was heard at hops of a piece.

    Attributes
    ----------
    outside : tuple of int
        The hops that lie outside the gates.
    share_outside : float
        How many of all, 0..1.
    sharpness_db, roughness, in_key : float
        Means over all.
    """

    outside: tuple[int, ...]
    share_outside: float
    sharpness_db: float
    roughness: float
    in_key: float

    @property
    def worth(self) -> float:
        """How good the piece is: in key, sharp and smooth, and above all within the gates."""
        return self.in_key + self.sharpness_db / 40.0 - 2.0 * self.roughness - 20.0 * self.share_outside


class Composer:
    """Composes the pieces of a space; each follows from seed, number, mood and taste alone. One thread at a time.

    Parameters
    ----------
    space : Space
    bounds : Bounds
    """

    def __init__(self, space: Space, bounds: Bounds) -> None:
        self._space = space
        # What an artist kept is what the contact sheet played, whatever the tuning of the room.
        self._bounds = bounds if not bounds.kept else WIDE
        self._pool = np.arange(len(space.atlas))
        self._kept: Floats | None = None
        self._known: dict[tuple[int, int, Mood], Piece] = {}
        if bounds.kept:
            self._narrow(bounds)

    def adopt(self, taste: Taste) -> None:
        """From now on compose to another taste."""
        self._space = self._space.tasting(taste)
        self._known.clear()

    def compose(self, seed: int, number: int, mood: Mood) -> Piece:
        """Compose a piece: the same for the same seed, number and mood, which counts in steps of a twentieth."""
        mood = heeded(mood)
        key = (seed, number, mood)
        if key not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.pop(next(iter(self._known)))
            self._known[key] = self._compose(seed, number, mood)
        return self._known[key]

    def candidates(self, seed: int, number: int, mood: Mood) -> Iterator[Piece]:
        """Plan one piece after the other for this place in the music."""
        settled = form(seed, number)
        rng = np.random.default_rng((seed, 2, number))
        tonic = harmony.tonic_bin(seed, number, self._bounds.tuning_hz)
        centre = self._centre(seed, settled.begins_s + settled.length_s / 2.0)
        if mood.place.target:
            target = np.array(mood.place.target, dtype=np.float32)
            centre = centre + np.float32(DRAWN_SHARE * mood.place.draw) * (target - centre)
        hand, kept = deal(self._pool, seed, number), self._space.taste.returning(number)
        there = offer(self._space, hand, centre, tonic, mood, rng, kept)
        while True:
            yield self._plan(number, settled, tonic, there, mood, rng)

    def _compose(self, seed: int, number: int, mood: Mood) -> Piece:
        plans = self.candidates(seed, number, mood)
        skimmed = [next(plans) for _ in range(CANDIDATES)]
        inner = self._space.gates.inner()
        worth = [
            go_through(self._space, piece, mood, range(0, hops_of(piece), _SKIM_HOPS), inner).worth for piece in skimmed
        ]
        best = [skimmed[index] for index in np.argsort(-np.array(worth), kind="stable")]
        calmer: Iterator[Piece] = (replace(piece, reach=reach) for reach in _CALMER for piece in best[:_SECOND_CHANCES])
        others = (replace(piece, reach=_CALMER[-1]) for piece in chain(best[_SECOND_CHANCES:], islice(plans, _MORE)))
        gone: dict[Piece, float] = {}
        calmest = (replace(piece, reach=_CALMEST) for piece in best[:_SECOND_CHANCES])
        for piece in chain(calmer, others, calmest):
            gone[piece] = share_outside(self._space, piece, mood)
            if not gone[piece]:
                break
        return min(gone, key=gone.__getitem__)

    def _plan(
        self, number: int, settled: Form, tonic: int, there: Offer, mood: Mood, rng: np.random.Generator
    ) -> Piece:
        """Plan one piece from what is on offer."""
        pattern = _pattern(settled.length_s, rng)
        chosen = pick(there, len(SOUNDS), FIGURES, mood, rng)
        ground, figures = list(chosen.ground), list(chosen.figures)
        heard = np.array([pattern.count(letter) for letter in SOUNDS])
        levels = there.levels[ground]
        offsets = np.clip((levels - levels @ heard / heard.sum()) / 4.0, -1.0, 1.0)
        coil = np.linalg.qr(rng.normal(size=(len(self._space.scale), 2)))[0].T.astype(np.float32)
        return Piece(
            number=number,
            pattern=pattern,
            latents=there.latents[ground].astype(np.float32).tobytes(),
            shifts=tuple(int(there.shifts[row]) for row in ground),
            offsets_lu=tuple(float(offset) for offset in offsets),
            figures=there.latents[figures].astype(np.float32).tobytes(),
            figure_shifts=tuple(int(there.shifts[row]) for row in figures),
            cycles=settled.cycles,
            tonic=tonic,
            level_lu=settled.level_lu,
            swell=(settled.swell_s, settled.swell_turn),
            rests=tuple((_joint(pattern, middle), rest_s) for middle, rest_s in settled.rests),
            coil=coil.tobytes(),
            reach=1.0,
            turn_s=float(rng.uniform(*_TURN_S)),
            letter_s=settled.length_s / len(pattern),
        )

    def _centre(self, seed: int, time_s: float) -> Floats:
        """Where the territory is at a time, in standard deviations from the middle of the atlas."""
        wanders = drift(seed, time_s, len(self._space.scale))
        if self._kept is None:
            return wanders
        home = self._kept[np.argmin(np.linalg.norm(self._kept - wanders, axis=1))]
        return np.asarray(home + np.float32(_STRAYING * self._bounds.radius) * wanders, dtype=np.float32)

    def _narrow(self, bounds: Bounds) -> None:
        """Stay around the sounds of the pieces that an artist kept."""
        pieces = [self.compose(seed, number, Mood()) for seed, number in bounds.kept]
        latents = np.stack([piece.latent(letter) for piece in pieces for letter in SOUNDS])
        self._known.clear()
        space = self._space
        self._bounds, self._kept = bounds, space.whiten(latents)
        # Part by part: all spectra of an atlas at once would take more memory than the engine has left.
        parts = np.array_split(space.atlas, -(-len(space.atlas) // 128))
        heard = np.concatenate([timbre(space.decode(part)) for part in parts])
        self._pool = within(heard, timbre(space.decode(latents)), bounds.radius)


def go_through(space: Space, piece: Piece, mood: Mood, hops: Sequence[int], gates: Gates) -> Finding:
    """Decode a piece at some of its hops, counted at pace 1, and hold what is heard against gates."""
    outside: list[int] = []
    means = np.zeros(3)
    # Part by part, so that a long piece takes no more memory than a short one.
    for at in range(0, len(hops), _TOGETHER):
        part = hops[at : at + _TOGETHER]
        powers, lufs = _decoded(space, moments(space, piece, mood, part))
        found = measure(blended(powers))
        out = gates.outside(found) | np.array([gates.outside_level(each).any() for each in lufs])
        outside += [hop for hop, is_out in zip(part, out, strict=True) if is_out]
        in_key = harmony.in_key(found.chroma, piece.tonic, np.zeros(1, dtype=np.intp))
        means += [each.sum() / len(hops) for each in (found.sharpness_db, found.roughness, in_key)]
    return Finding(tuple(outside), len(outside) / len(hops), *(float(mean) for mean in means))


def moments(space: Space, piece: Piece, mood: Mood, hops: Sequence[int]) -> list[tuple[Sound, ...]]:
    """What sounds at some hops of a piece, counted at pace 1."""
    return [moment(space, piece, hop * HOP_S / piece.letter_s, mood) for hop in hops]


def blends(space: Space, heard: Sequence[tuple[Sound, ...]]) -> Floats:
    """What is heard at moments, all at one level: (n, 1233) spectra."""
    return from_power(blended(_decoded(space, heard)[0]))


def _decoded(space: Space, heard: Sequence[tuple[Sound, ...]]) -> tuple[Floats, list[Floats]]:
    """Power of each moment, (n, 1233), and the loudness of each of its sounds as the decoder gives it."""
    latents = np.frombuffer(b"".join(sound.latent for sounds in heard for sound in sounds), dtype=np.float32)
    spectra = space.decode(latents.reshape(-1, len(space.scale)))
    ends = np.cumsum([len(sounds) for sounds in heard])[:-1]
    parts = np.split(power(spectra), ends)
    powers = np.stack([blend(sounds, part) for sounds, part in zip(heard, parts, strict=True)])
    return powers, np.split(traits.level(spectra), ends)


def share_outside(space: Space, piece: Piece, mood: Mood) -> float:
    """How much of a piece lies outside the gates: 0 where no hop does, else what the first part gone through told."""
    for first, step in _FINER:
        share = go_through(space, piece, mood, range(first, hops_of(piece), step), space.gates).share_outside
        if share:
            return share
    return 0.0


def hops_of(piece: Piece) -> int:
    """How many hops a piece has at pace 1."""
    return int(piece.length_s / HOP_S) + 1


def _pattern(length_s: float, rng: np.random.Generator) -> str:
    """Expand the grammar to a pattern whose letters are neither hurried nor endless at this length."""
    low, high = (length_s / seconds for seconds in reversed(_LETTER_S))
    while not low <= len(pattern := expand(rng)) <= high:
        pass
    return pattern


def _joint(pattern: str, share: float) -> float:
    """Find the place nearest to a share of the pattern where one sound is giving way to another, in letters."""
    joints = [index + 0.65 for index in range(len(pattern) - 1) if pattern[index] != pattern[index + 1]]
    return min(joints, key=lambda joint: abs(joint - share * len(pattern)))


def heeded(mood: Mood) -> Mood:
    """Take what counts of a mood in steps: pace, nature, width and volume do not."""
    steps = {
        name: _in_steps(getattr(mood, name))
        for name in ("pitch", "tonality", "weirdness", "level", "consonance", "density", "wander")
    }
    place = mood.place
    target, shift = (tuple(_in_steps(value) for value in values) for values in (place.target, place.shift))
    return Mood().but(steps, Place(target, _in_steps(place.draw), shift))


def _in_steps(value: float) -> float:
    return round(round(value / _MOOD_STEP) * _MOOD_STEP, 2)
