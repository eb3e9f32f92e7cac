"""What the score does over many pieces, without making their sound: gates, key, figures, rests, relations.

    python tests/bench/pieces.py [--pieces 200] [--seed 7] [--model default] [--json]

Prints a table with the bar where there is one, and a dash for what so few pieces cannot tell. ``listen.py`` measures
what is heard; this looks at what only the score knows, and at one promise of the voice: that a held tone is steady.
"""

import argparse
import json
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from itertools import islice, pairwise
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from listening import partial_steadiness_db
from tables import Row, table

from appliance.engine.opening import space_of
from appliance.model.bundle import read
from appliance.model.library import find
from appliance.mood import Mood
from appliance.score import form, harmony, skim, territory
from appliance.score.grammar import SOUNDS
from appliance.score.path import figure_share, moment
from appliance.score.piece import FIGURES, Piece
from appliance.score.space import Space
from appliance.spectrum import traits
from appliance.spectrum.codec import BINS, Floats, bin_hz, decibels, from_decibels, power, transpose
from appliance.synth.voice import Texture, Voice

HEARD_DB = -75.0
# A figure counts as present while it is no more than this below the ground.
PRESENT_DB = -15.0
RELATED_HOPS = 12
TWO_HOURS_S = 7200.0
PARTIALS_HZ = (55.0, 110.0, 220.0)
RATE, WIDTH, HELD_HOPS = 48_000, 0.7, 60


@dataclass(frozen=True)
class Report:
    """What was found; times in seconds, shares 0..1.

    Attributes
    ----------
    compose_s : processor time for a piece, median
    hops, outside : hops gone through, and those outside the gates
    worth, random_worth : of the pieces kept, and of any one of the eight, means; as `skim.Finding` has it
    in_key, random_in_key, sharpness_db, random_sharpness_db, roughness, random_roughness : likewise
    pair_percentile : median over pairs of the ground's sounds
    figure_pair_percentile : likewise of a figure with the ground
    figure_present : of the time
    rests, rest_s, longest_without_rest_s
    lengths_s : shortest, median and longest piece
    first_return : least number of pieces after which a place is dealt again
    neighbours_db, random_db, two_hours_db : how far apart the mean spectra of pieces are
    tonic_moves : how many of the pieces have another tonic than the one before
    sag_db : how far peaks half way between sounds lie below those at the ends, median
    calmed : share of pieces whose wiggle was made smaller
    steadiness_db : standard deviation of the envelopes of held partials at 55, 110 and 220 Hz
    """

    pieces: int
    compose_s: float
    hops: int
    outside: int
    worth: float
    random_worth: float
    in_key: float
    random_in_key: float
    sharpness_db: float
    random_sharpness_db: float
    roughness: float
    random_roughness: float
    pair_percentile: float
    figure_pair_percentile: float
    figure_present: float
    rests: int
    rest_s: float
    longest_without_rest_s: float
    lengths_s: tuple[float, float, float]
    first_return: int | None
    neighbours_db: float
    random_db: float
    two_hours_db: float | None
    tonic_moves: float
    sag_db: float
    calmed: float
    steadiness_db: tuple[float, ...]


ROWS = [
    Row("pieces", "pieces", 0),
    Row("compose_s", "processor time for a piece, s", 3),
    Row("hops", "hops", 0),
    Row("outside", "  outside the gates", 0, "0"),
    Row("worth", "worth", 2),
    Row("random_worth", "  of any candidate", 2),
    Row("in_key", "in key", 2),
    Row("random_in_key", "  of any candidate", 2),
    Row("sharpness_db", "sharpness, dB", 1),
    Row("random_sharpness_db", "  of any candidate", 1),
    Row("roughness", "roughness", 3),
    Row("random_roughness", "  of any candidate", 3),
    Row("pair_percentile", "percentile of pairs", 0, "<= 20 (chance 50)"),
    Row("figure_pair_percentile", "  of figures with the ground", 0, "<= 20"),
    Row("figure_present", "figure present, share of the time", 2, "0.2 to 0.5"),
    Row("rests", "rests", 0),
    Row("rest_s", "  median, s", 1),
    Row("longest_without_rest_s", "  longest time without, s", 0, "<= 300"),
    Row("lengths_s", "lengths: least, median, most, s", 0, "180 to 720"),
    Row("first_return", "first return of a place, pieces", 0, ">= 30"),
    Row("neighbours_db", "neighbours differ by, dB", 1, "< any two"),
    Row("random_db", "  any two, dB", 1),
    Row("two_hours_db", "  two hours apart, dB", 1, ">= 0.95 of any two"),
    Row("tonic_moves", "tonic moves, share of the pieces", 2),
    Row("sag_db", "sag half way between sounds, dB", 1, "<= 4"),
    Row("calmed", "with a smaller wiggle, share", 2),
    Row("steadiness_db", "held 55, 110, 220 Hz vary by, dB", 2, "<= 2"),
]


def report(space: Space, seed: int, count: int) -> Report:
    """Compose pieces 0 to ``count`` of a seed and go through all of them."""
    composer = skim.Composer(space, territory.WIDE)
    mood = Mood()
    pieces, spent, eight = [], [], []
    for number in range(count):
        began = time.process_time()
        pieces.append(composer.compose(seed, number, mood))
        spent.append(time.process_time() - began)
        eight.append(
            [_every(space, piece, 10) for piece in islice(composer.candidates(seed, number, mood), skim.CANDIDATES)]
        )
    kept = [_every(space, piece, 1) for piece in pieces]
    random = [finding for findings in eight for finding in findings]
    percentiles = [_percentiles(space, piece) for piece in pieces]
    apart = _apart_db([_mean_db(space, piece) for piece in pieces])
    begins = np.array([form.form(seed, number).begins_s for number in range(count)])
    rests = _rests_s(pieces, begins)
    lag = np.abs(begins[:, np.newaxis] - begins[np.newaxis])
    later = np.abs(lag - TWO_HOURS_S) < 400.0
    lengths = sorted(piece.length_s for piece in pieces)
    return Report(
        pieces=count,
        compose_s=statistics.median(spent),
        hops=sum(skim.hops_of(piece) for piece in pieces),
        outside=sum(len(finding.outside) for finding in kept),
        worth=statistics.fmean(finding.worth for finding in kept),
        random_worth=statistics.fmean(finding.worth for finding in random),
        in_key=statistics.fmean(finding.in_key for finding in kept),
        random_in_key=statistics.fmean(finding.in_key for finding in random),
        sharpness_db=statistics.fmean(finding.sharpness_db for finding in kept),
        random_sharpness_db=statistics.fmean(finding.sharpness_db for finding in random),
        roughness=statistics.fmean(finding.roughness for finding in kept),
        random_roughness=statistics.fmean(finding.roughness for finding in random),
        pair_percentile=float(np.median(np.concatenate([ground for ground, _ in percentiles]))),
        figure_pair_percentile=float(np.median(np.concatenate([figures for _, figures in percentiles]))),
        figure_present=float(np.concatenate([_figures(piece, mood) for piece in pieces]).mean()),
        rests=len(rests),
        rest_s=statistics.median(rest_s for piece in pieces for _, rest_s in piece.rests),
        longest_without_rest_s=float(np.diff(rests).max()),
        lengths_s=(lengths[0], statistics.median(lengths), lengths[-1]),
        first_return=_first_return(space, seed, count),
        neighbours_db=float(np.mean(np.diag(apart, 1))),
        random_db=float(apart[np.triu_indices(count, 1)].mean()),
        two_hours_db=float(apart[later].mean()) if later.any() else None,
        tonic_moves=statistics.fmean(one.tonic != two.tonic for one, two in pairwise(pieces)),
        sag_db=float(np.median(np.concatenate([_sags_db(space, piece) for piece in pieces]))),
        calmed=statistics.fmean(piece.reach < 1.0 for piece in pieces),
        steadiness_db=_steadiness_db(),
    )


def _every(space: Space, piece: Piece, hops: int) -> skim.Finding:
    return skim.go_through(space, piece, Mood(), range(0, skim.hops_of(piece), hops), space.gates)


def _percentiles(space: Space, piece: Piece) -> tuple[Floats, Floats]:
    """Percentiles of the pairs of the ground's sounds, and of those of figures with the ground."""
    places = np.stack([piece.latent(letter) for letter in SOUNDS] + [piece.figure(each) for each in range(FIGURES)])
    shifts = (*piece.shifts, *piece.figure_shifts)
    sounds = np.stack([transpose(row, by) for row, by in zip(space.decode(places), shifts, strict=True)])
    found = harmony.roughness_percentiles(sounds)
    ground = len(SOUNDS)
    return found[:ground, :ground][np.triu_indices(ground, 1)], found[:ground, ground:].ravel()


def _mean_db(space: Space, piece: Piece) -> Floats:
    """Mean spectrum in dB of what is heard of a piece, (1233,)."""
    hops = range(0, skim.hops_of(piece), RELATED_HOPS)
    heard = skim.blends(space, skim.moments(space, piece, Mood(), hops))
    return np.asarray(np.maximum(decibels(heard), HEARD_DB).mean(axis=0))


def _apart_db(means: list[Floats]) -> Floats:
    """RMS difference of every pair, in dB, (n, n)."""
    return np.stack([np.sqrt(np.mean((np.stack(means) - mean) ** 2, axis=1)) for mean in means])


def _figures(piece: Piece, mood: Mood) -> Floats:
    """Whether a figure is heard in each hop, (hops,)."""
    least = 10.0 ** (PRESENT_DB / 10.0)
    phases = np.arange(skim.hops_of(piece)) * skim.HOP_S / piece.letter_s
    return np.array(
        [any(figure_share(piece, each, phase, mood) > least for each in range(FIGURES)) for phase in phases]
    )


def _rests_s(pieces: list[Piece], begins: Floats) -> list[float]:
    """When rests are, at their middle."""
    return [
        float(begin + letters * piece.letter_s) for piece, begin in zip(pieces, begins, strict=True)
        for letters, _ in piece.rests
    ]  # fmt: skip


def _first_return(space: Space, seed: int, count: int) -> int | None:
    """The least number of pieces after which a place is dealt again; None if none is."""
    last: dict[int, int] = {}
    least = None
    for number in range(count):
        for place in territory.deal(np.arange(len(space.atlas)), seed, number):
            if place in last:
                least = min(number - last[place], least or count)
            last[place] = number
    return least


def _sags_db(space: Space, piece: Piece) -> Floats:
    """How far the peaks half way between two sounds lie below the mean of theirs, without figures."""
    sags = []
    for index in range(len(piece.pattern) - 1):
        if piece.pattern[index] != piece.pattern[index + 1]:
            heard = [moment(space, piece, index + at, Mood(density=-1.0)) for at in (0.1, 0.65, 1.1)]
            one, middle, two = traits.tonality(skim.blends(space, heard))
            sags.append((one + two) / 2.0 - middle)
    return np.array(sags)


def _steadiness_db() -> tuple[float, ...]:
    """How much partials of a spectrum that does not change vary in a minute of sound; under them a ground at -50 dB."""
    bins = [int(np.argmin(np.abs(bin_hz() - hz))) for hz in PARTIALS_HZ]
    level_db = np.full(BINS, -70.0)
    level_db[bins] = -20.0
    voice = Voice(RATE, 2)
    parted = voice.split(power(from_decibels(level_db))[np.newaxis])[0]
    held = [Texture(parted, WIDTH, 1, hop) for hop in range(HELD_HOPS + 2)]
    clips = [clip for pair in zip(held[::2], held[1::2], strict=True) for clip in voice.clips(pair)]
    sound = np.empty((HELD_HOPS, voice.hop_frames, 2), dtype=np.float32)
    for block, (before, now) in zip(sound, pairwise(clips), strict=False):
        voice.join(before, now, block)
    return tuple(partial_steadiness_db(sound.reshape(-1, 2), RATE, float(bin_hz()[each])) for each in bins)


def main() -> None:
    """Compose, measure and print."""
    parser = argparse.ArgumentParser(description="Measures what the score does over many pieces.")
    parser.add_argument("--pieces", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--model", default=None)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    given = parser.parse_args()
    found = report(space_of(read(find(given.model))), given.seed, given.pieces)
    print(json.dumps(asdict(found)) if given.json else table(ROWS, [("score", found)]))


if __name__ == "__main__":
    main()
