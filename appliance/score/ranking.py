"""Ranking: which sounds a piece is made of.

Candidates come from a hand of atlas places, each moved a little, and a few draws from around the middle of the
territory. Each is moved onto the key of the piece and scored: by its traits as the mood weighs them, by how near it is
to the territory, and by how well it fits the key. From the best of them five are picked one by one for the ground and
three for the figures: each must differ from those already picked and go together with them.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from appliance.mood import Mood, Place
from appliance.score import harmony
from appliance.score.gates import blended, measure
from appliance.score.moves import drawn
from appliance.score.space import Space
from appliance.spectrum import traits
from appliance.spectrum.codec import Floats, decibels, power, transpose

__all__ = ["Choice", "Offer", "offer", "pick"]

_DRAWS = 12
_DRAWN_AROUND = 0.55
# In standard deviations: far enough that a place never sounds twice the same, near enough to be that place.
_JITTER = 0.15
_SHORTLIST = 26
# What is liked at rest: clear tones, nothing too strange. A knob at its end weighs more than any of these.
_LIKING = {"pitch": 0.0, "level": 0.0, "tonality": 0.5, "weirdness": -0.25}
_KNOB_WEIGHT = 2.5
_NEARNESS_WEIGHT = 1.0
_KEY_WEIGHT = 8.0
_WHIM = 0.6
# Of the worst pair's percentile, from 0 to 1.
_ROUGHNESS_WEIGHT = 7.0
_DIFFERENCE_WEIGHT = 3.0
_DIFFERENT_ENOUGH_DB = 14.0
# What lies outside the gates, or nearly, is taken only where there is nothing else.
_OUTSIDE = 100.0
# What somebody kept is taken even then, and what somebody banned never if there is anything else.
_KEPT = 150.0
_BANNED = 10_000.0
# A target weighs so much more than the territory that one drifts through.
_TARGET_NEARNESS = 3.0
# Seconds in which the wiggler goes once around in the middle of pieces.
_USUAL_TURN_S = 30.0
# Figures lie above the ground rather than under it.
_FIGURE_PITCH_WEIGHT = 1.0


@dataclass(frozen=True, eq=False)
class Offer:
    """The best sounds that a piece can have, best first.

    Attributes
    ----------
    latents : (n, 32) float32
    shifts : (n,) int
        Transpositions in bins of 10 cents, onto the key.
    scores : (n,) float32
    levels, pitches : (n,) float32
        In LUFS and octaves, once transposed.
    percentiles : (n, n) float32
        How rough each pair is among its own transpositions, 0..1.
    differences : (n, n) float32
        How far each pair is apart: 0 the same, 1 different enough.
    """

    latents: Floats
    shifts: npt.NDArray[np.intp]
    scores: Floats
    levels: Floats
    pitches: Floats
    percentiles: Floats
    differences: Floats


@dataclass(frozen=True)
class Choice:
    """Rows of an offer: those of the ground and those of the figures, in order of choice."""

    ground: tuple[int, ...]
    figures: tuple[int, ...]


def offer(
    space: Space,
    hand: npt.NDArray[np.intp],
    centre: Floats,
    tonic: int,
    mood: Mood,
    rng: np.random.Generator,
    kept: Floats,
) -> Offer:
    """Find the sounds of a hand, and some that nobody recorded, that suit mood, territory and key.

    Parameters
    ----------
    hand : (n,) int
        Atlas places.
    centre : (32,) float32
        Of the territory, in standard deviations from the middle of the atlas.
    tonic : int
        Its chroma, 0..119.
    kept : (k, 32) float32
        Latents that are to be among them, and to be picked.
    """
    size = len(space.scale)
    fresh = centre + rng.normal(0.0, _DRAWN_AROUND, (_DRAWS, size)).astype(np.float32)
    jitter = rng.normal(0.0, _JITTER, (len(hand), size)).astype(np.float32)
    again = space.whiten(kept) + rng.normal(0.0, _JITTER, kept.shape).astype(np.float32)
    steps = np.concatenate([space.whitened[hand] + jitter, fresh, again])
    latents = space.middle + space.unwhiten(steps)
    # Judged where hands draw them to; the latents themselves are free to go elsewhere with the hands.
    heard = drawn(space, latents, mood.place)
    spectra = space.decode(heard)
    shifts, shares = harmony.tunings(harmony.chroma(*traits.peaks(spectra)), tonic, 1.0 + mood.consonance)
    moved = np.stack([transpose(row, int(shift)) for row, shift in zip(spectra, shifts, strict=True)])
    gates = space.gates.inner()
    outside = gates.outside_level(traits.level(spectra)) | gates.outside(measure(blended(power(moved))))
    # Axes count by how much of the atlas lies along them: far along a narrow one nothing changes.
    apart = np.linalg.norm((steps - centre) * (space.scale / np.linalg.norm(space.scale)), axis=1)
    scores = (
        _taste(space, latents, spectra, mood)
        + np.float32(_KEY_WEIGHT * (1.0 + mood.consonance)) * shares
        - np.float32(_nearness(mood.place)) * (apart - apart.mean()) / max(float(apart.std()), 1e-6)
        - np.float32(_OUTSIDE) * outside
        - np.float32(_BANNED) * space.is_banned(heard, _wiggle(space))
    )
    scores[len(scores) - len(kept) :] += np.float32(_KEPT)
    best = np.argsort(-scores, kind="stable")[:_SHORTLIST]
    sounds = moved[best]
    pair = decibels(sounds)
    apart_db = np.sqrt(np.mean((pair[:, np.newaxis] - pair[np.newaxis]) ** 2, axis=2))
    return Offer(
        latents=latents[best],
        shifts=shifts[best],
        scores=scores[best],
        levels=traits.level(sounds),
        pitches=traits.pitch(sounds),
        percentiles=harmony.roughness_percentiles(sounds) / np.float32(100.0),
        differences=np.minimum(apart_db / np.float32(_DIFFERENT_ENOUGH_DB), np.float32(1.0)),
    )


def pick(there: Offer, ground: int, figures: int, mood: Mood, rng: np.random.Generator) -> Choice:
    """Pick so many sounds for the ground and so many for the figures, by their score, each other and a whim."""
    strictness = np.float32(_ROUGHNESS_WEIGHT * (1.0 + mood.consonance))
    scores = there.scores + rng.normal(0.0, _WHIM, len(there.scores)).astype(np.float32)
    picked: list[int] = []
    for place in range(ground + figures):
        if place == ground:
            scores = scores + np.float32(_FIGURE_PITCH_WEIGHT) * (there.pitches - there.pitches[picked].mean())
        value = scores.copy()
        if picked:
            # Each sound must bear the roughest of those it is picked beside, not the average.
            value -= strictness * there.percentiles[picked].max(axis=0)
            value += np.float32(_DIFFERENCE_WEIGHT) * there.differences[picked].min(axis=0)
        value[picked] = -np.inf
        picked.append(int(np.argmax(value)))
    return Choice(tuple(picked[:ground]), tuple(picked[ground:]))


def _nearness(place: Place) -> float:
    return _NEARNESS_WEIGHT * (1.0 + (_TARGET_NEARNESS * place.draw if place.target else 0.0))


def _wiggle(space: Space) -> float:
    """How far the wiggler usually carries a sound, in latent units."""
    return space.wiggle_speed * _USUAL_TURN_S / (2.0 * np.pi) * float(space.scale.mean())


def _taste(space: Space, latents: Floats, spectra: Floats, mood: Mood) -> Floats:
    """Weigh the traits, each in standard deviations of the atlas and cut at 2.5, shape (n,)."""
    measured = {
        "pitch": traits.pitch(spectra),
        "level": traits.level(spectra),
        "tonality": traits.tonality(spectra),
        "weirdness": traits.weirdness(latents),
    }
    total = np.zeros(len(latents), dtype=np.float32)
    for name, values in measured.items():
        weight = _LIKING[name] + _KNOB_WEIGHT * getattr(mood, name)
        total += np.float32(weight) * np.clip((values - space.mean[name]) / max(space.sd[name], 1e-6), -2.5, 2.5)
    return total
