"""Ranking: which sounds a piece is made of.

Candidates come from a hand of atlas places, each moved a little, and a few draws from the prior. They are
scored by their traits as the mood weighs them, and five are picked one by one: each must differ from those
already picked and go together with them, for which it may be transposed by a few semitones.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from appliance.mood import Mood
from appliance.score.space import Space
from appliance.spectrum import traits
from appliance.spectrum.codec import Floats, decibels, transpose

__all__ = ["Choice", "choose", "deal"]

_HAND = 56
_PRIOR_DRAWS = 8
# In standard deviations: far enough that a place never sounds twice the same, near enough to be that place.
_JITTER = 0.15
_SHORTLIST = 20
# What is liked at rest: clear tones, nothing too strange. A knob at its end weighs more than any of these.
_LIKING = {"pitch": 0.0, "level": 0.0, "tonality": 0.5, "weirdness": -0.25}
_KNOB_WEIGHT = 2.5
_WHIM = 0.5
_ROUGHNESS_WEIGHT = 14.0
_DIFFERENCE_WEIGHT = 3.0
_DIFFERENT_ENOUGH_DB = 14.0
_TUNING_STEP_BINS = 5
_TUNING_REACH_BINS = 30
_TUNING_COST = 0.004


@dataclass(frozen=True)
class Choice:
    """The sounds of a piece in order of choice.

    Attributes
    ----------
    latents : (n, 32) float32
    shifts : (n,) int
        Transpositions in bins of 10 cents.
    levels, pitches : (n,) float32
        In LUFS and octaves, once transposed.
    """

    latents: Floats
    shifts: npt.NDArray[np.intp]
    levels: Floats
    pitches: Floats


def deal(space: Space, seed: int, number: int) -> npt.NDArray[np.intp]:
    """Deal a piece its hand of atlas places.

    The atlas is split in two halves, shuffled anew each time they come round and dealt in turn: a place that
    was in one hand is not dealt again before the other half has had its turn.

    Returns
    -------
    (hand,) int
    """
    shuffled = np.random.default_rng((seed, 0)).permutation(len(space.atlas))
    halves = np.array_split(shuffled, 2) if len(shuffled) > 1 else [shuffled, shuffled]
    hand = min(_HAND, len(halves[1]))
    hands = len(halves[1]) // hand
    turn, place = divmod(number, hands)
    order = np.random.default_rng((seed, 1, turn)).permutation(halves[turn % 2])
    return np.asarray(order[place * hand : (place + 1) * hand], dtype=np.intp)


def choose(
    space: Space, hand: npt.NDArray[np.intp], mood: Mood, count: int, rng: np.random.Generator, before: Floats | None
) -> Choice:
    """Pick ``count`` sounds that suit the mood and each other.

    Parameters
    ----------
    hand : (n,) int
        Atlas places on offer.
    before : (1233,) float32, optional
        Spectrum of the sound they follow, with which they should go together too.
    """
    jitter = space.unwhiten(rng.normal(0.0, _JITTER, (len(hand), len(space.scale))).astype(np.float32))
    latents = np.concatenate([space.atlas[hand] + jitter, space.draws(_PRIOR_DRAWS, rng)])
    spectra = space.decode(latents)
    scores = _scores(space, latents, spectra, mood) + rng.normal(0.0, _WHIM, len(latents)).astype(np.float32)
    shortlist = np.argsort(-scores)[: max(_SHORTLIST, count)]
    picked, shifts = _pick(spectra[shortlist], scores[shortlist], mood.consonance, count, before)
    chosen = shortlist[picked]
    tuned = np.stack([transpose(spectra[index], int(shift)) for index, shift in zip(chosen, shifts, strict=True)])
    return Choice(latents[chosen], shifts, traits.level(tuned), traits.pitch(tuned))


def _scores(space: Space, latents: Floats, spectra: Floats, mood: Mood) -> Floats:
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


def _pick(
    spectra: Floats, scores: Floats, consonance: float, count: int, before: Floats | None
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Pick one by one the sound with the best score less roughness plus difference; give places and shifts."""
    reach = round(_TUNING_REACH_BINS * (1.0 + consonance) / _TUNING_STEP_BINS) * _TUNING_STEP_BINS
    tunings = np.arange(-reach, reach + 1, _TUNING_STEP_BINS)
    strictness = _ROUGHNESS_WEIGHT * (1.0 + consonance)
    rough = np.tile(_TUNING_COST * np.abs(tunings) / _TUNING_STEP_BINS, (len(spectra), 1)).astype(np.float32)
    if before is not None:
        rough += traits.dissonance(before[np.newaxis], spectra, tunings)[0]
    picked: list[int] = []
    shifts: list[int] = []
    sounds: list[Floats] = []
    for _ in range(count):
        best_tunings = tunings[rough.argmin(axis=1)]
        tuned = np.stack([transpose(row, int(shift)) for row, shift in zip(spectra, best_tunings, strict=True)])
        value = scores - strictness * rough.min(axis=1) + _DIFFERENCE_WEIGHT * _difference(tuned, sounds)
        value[picked] = -np.inf
        best = int(np.argmax(value))
        picked.append(best)
        shifts.append(int(best_tunings[best]))
        sounds.append(tuned[best])
        # Each sound must bear the roughest of those it is picked beside, not the average.
        rough = np.maximum(rough, traits.dissonance(sounds[-1][np.newaxis], spectra, tunings)[0])
    return np.array(picked), np.array(shifts)


def _difference(tuned: Floats, others: list[Floats]) -> Floats:
    """How far each of (n, 1233) spectra is from the nearest of others: 0 the same, 1 different enough, shape (n,)."""
    if not others:
        return np.ones(len(tuned), dtype=np.float32)
    apart_db = [np.sqrt(np.mean((decibels(tuned) - decibels(other)) ** 2, axis=1)) for other in others]
    return np.asarray(np.minimum(np.min(apart_db, axis=0) / _DIFFERENT_ENOUGH_DB, 1.0), dtype=np.float32)
