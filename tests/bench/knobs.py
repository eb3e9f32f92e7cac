"""What turning a knob does to what is heard: at once, to its own measure, and to the loudness of an hour.

    python tests/bench/knobs.py [--model default] [--places 8] [--only pitch,wander] [--hours 1]

Three tables, with their bars; exits with 1 if one is missed. Turns are made as the engine makes them: the clip that
began a hop earlier glides too, and the new future is faded in over 50 ms at any place of a hop.

**Change within a second.** Between the same seed turned and unturned, third octaves from 50 Hz to 16 kHz, both
channels together, over 0.6 to 1.0 s after the first changed sample: the root mean square of the differences of level,
over the bands that lie less than 50 dB under the loudest in either, cut off there. Weather sounds, as it does by
default, and where it covers the music no knob but its own is heard. A width changes no sum of the channels: there the
ratio of sides to middle is compared instead, above 200 Hz. Volume is the player's fader, and is not measured.

**Own measure.** On sound without weather (but for nature), low and high end, before and after a turn between them; then
at rest at five settings in even steps, each a piece composed for it, which must rise on average. Rests are passed by.

**Hour.** Integrated loudness of whole hours, nothing skipped, with weather, from the beginning of a seed.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from listening import band_correlations, spectral_change_db

from appliance.engine.cursor import Cursor
from appliance.engine.timeline import Timeline
from appliance.mood import QUANTITIES, Mood
from appliance.score import harmony
from appliance.score.rest import FADE_S, Rest
from appliance.service.build import build_timeline, endless
from appliance.settings import SoundSettings
from appliance.spectrum import traits
from appliance.spectrum.codec import Floats, analyse
from appliance.stream.fades import LANE_FADE_S, blend_lanes, lane_fade
from appliance.synth.loudness import Meter, loop_lufs

RATE, TARGET_LUFS = 48_000, -20.0
LEAST_DB, LEAST_SHARE, LOUDNESS_LU = 3.0, 0.9, 1.0
FADE = round(LANE_FADE_S * RATE)
EDGES_HZ = 1000.0 * 2.0 ** ((np.arange(-13, 14) - 0.5) / 3.0)
WINDOW = slice(round(0.6 * RATE), RATE)
COUNTED_DB, SIDES_ABOVE_HZ = 50.0, 200.0
# Seed, piece, second of it.
PLACES = ((7, 0, 40), (11, 3, 61), (23, 8, 77), (5, 14, 50), (40, 21, 90), (77, 30, 33), (91, 2, 120), (8, 17, 70),
          (60, 5, 55), (19, 11, 100), (33, 26, 45), (52, 9, 80))  # fmt: skip
SOUNDING = 0.25
STEPS = (0.0, 0.25, 0.5, 0.75, 1.0)
Place = tuple[int, int, int]
Measure = Callable[[Timeline, Sequence[Cursor], Floats], float]


@dataclass(frozen=True)
class Own:
    """A knob's own measure: what it is, how much it is to rise from end to end, and seconds after the turn."""

    name: str
    least: float
    of: Measure
    span_s: tuple[int, int] = (6, 10)
    with_beds: bool = False


def setting(name: str, share: float) -> Mood:
    """A mood with one quantity somewhere on its way from low to high; pace goes by octaves."""
    each = QUANTITIES[name]
    if name == "pace":
        return Mood().but({name: each.low * (each.high / each.low) ** share})
    return Mood().but({name: each.low + share * (each.high - each.low)})


def play(timeline: Timeline, cursor: Cursor, mood: Mood, hops: int) -> tuple[list[Cursor], Floats]:
    """Cursors after each of some hops, and their sound."""
    cursors, sound = [], []
    for _ in range(hops):
        cursor, hop = timeline.step(cursor, mood)
        cursors.append(cursor)
        sound.append(hop)
    return cursors, np.concatenate(sound)


def begin(timeline: Timeline, place: Place, mood: Mood, then: Mood, hold: int = 0) -> Cursor:
    """Go to a place after which, if hands turn so many hops later, there is no rest for half a minute."""
    seed, number, second = place
    cursor = timeline.start(seed, mood, number)
    for _ in range(second):
        cursor = timeline.advance(cursor, mood)
    while True:
        ahead, least = cursor, cursor.trail[-1].share
        for hop in range(hold + 26):
            ahead = timeline.advance(ahead, mood if hop < hold else then)
            least = min(least, ahead.trail[-1].share)
        if least > SOUNDING * 10.0 ** (0.3 * min(mood.level, then.level, 0.0)):
            return cursor
        cursor = timeline.advance(cursor, mood)


# --- change within a second


def bands(sound: Floats) -> Floats:
    """Power in third octaves, (26,)."""
    power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
    at = np.searchsorted(np.fft.rfftfreq(len(sound), 1.0 / RATE), EDGES_HZ)
    return np.add.reduceat(power[: at[-1]], at[:-1]) + 1e-12


def change_db(one: Floats, other: Floats, name: str) -> float:
    """How far two sounds, (frames, 2), are apart."""
    powers = [bands(each[:, 0]) + bands(each[:, 1]) for each in (one, other)]
    levels = 10.0 * np.log10(powers)
    floor = levels.max() - COUNTED_DB
    counted = (levels > floor).any(axis=0)
    if name == "width":
        sides = [bands(each[:, 0] - each[:, 1]) / bands(each[:, 0] + each[:, 1]) for each in (one, other)]
        levels, floor = 10.0 * np.log10(sides), -COUNTED_DB
        counted &= EDGES_HZ[:-1] > SIDES_ABOVE_HZ
    first, second = np.maximum(levels, floor)[:, counted]
    return float(np.sqrt(np.mean((first - second) ** 2)))


def turned(timeline: Timeline, before: Cursor, moods: tuple[Mood, Mood], share: float) -> tuple[Floats, Floats]:
    """The second after a turn at some share of a hop, unturned and turned."""
    frame = round(share * timeline.hop_frames)
    old, new = (play(timeline, timeline.advance(before, mood), mood, 3)[1] for mood in moods)
    fade = slice(frame, frame + FADE)
    new[fade] = blend_lanes(old[fade], new[fade], lane_fade(FADE))
    return old[frame : frame + RATE][WINDOW], new[frame : frame + RATE][WINDOW]


def half_turns(timeline: Timeline, names: Sequence[str], places: Sequence[Place]) -> bool:
    """Turn each knob by half of its way, in both halves and both directions, at each place."""
    print(f"{'half a turn':26}  median   least  of {len(places)} places  bar: median >= {LEAST_DB:g} dB")
    fine, all_db = True, []
    for name in names:
        for first, last in ((0.0, 0.5), (0.5, 0.0), (0.5, 1.0), (1.0, 0.5)):
            moods = setting(name, first), setting(name, last)
            found = []
            for number, place in enumerate(places):
                cursor = begin(timeline, place, *moods)
                found.append(change_db(*turned(timeline, cursor, moods, number % 4 / 4.0), name))
            told = [f"{getattr(mood, name):.4g}" for mood in moods]
            missed = "" if np.median(found) >= LEAST_DB else "  MISSED"
            print(f"{name:11}{told[0]:>6} to {told[1]:<6}{np.median(found):7.1f} {min(found):7.1f}{missed}", flush=True)
            fine &= not missed
            all_db += found
    share = float(np.mean(np.array(all_db) >= LEAST_DB))
    print(f"{'turns of 3 dB or more':26}{share:7.2f}  bar: >= {LEAST_SHARE:g}\n")
    return fine and share >= LEAST_SHARE


# --- own measures


def spectra(sound: Floats) -> Floats:
    """Of each two seconds, (n, 1233)."""
    return np.stack([analyse(sound[at : at + 2 * RATE], RATE) for at in range(0, len(sound) - RATE, RATE)])


def in_key(_: Timeline, cursors: Sequence[Cursor], sound: Floats) -> float:
    found = harmony.chroma(*traits.peaks(spectra(sound)))
    tonics = [cursor.trail[-1].strand.colour.tonic or cursor.now.piece.tonic for cursor in cursors]
    still = np.zeros(1, dtype=np.intp)
    return float(np.mean([harmony.in_key(row[None], tonic, still) for row, tonic in zip(found, tonics, strict=False)]))


def radius(timeline: Timeline, cursors: Sequence[Cursor], _: Floats) -> float:
    latents = b"".join(sound.latent for cursor in cursors for sound in cursor.trail[-1].sounds)
    return float(traits.weirdness(np.frombuffer(latents, np.float32).reshape(-1, len(timeline.space.scale))).mean())


def voices(_: Timeline, cursors: Sequence[Cursor], __: Floats) -> float:
    """How many sounds there are at a time: as many as, if all were as loud, would be as even (inverse Simpson)."""
    frames = [cursor.trail[-1] for cursor in cursors if cursor.trail[-1].sounds]
    return float(np.mean([frame.share**2 / sum(each.share**2 for each in frame.sounds) for frame in frames]))


def weather_lufs(timeline: Timeline, cursors: Sequence[Cursor], _: Floats) -> float:
    """Loudness of the weather alone: of a rest there."""
    resting = replace(cursors[0], rest=Rest(FADE_S, 60.0), trail=())
    return max(loop_lufs(play(timeline, resting, cursors[0].mood, 6)[1], RATE), -70.0)


OWN = {
    "pitch": Own("pitch, octaves", 1.0, lambda _, __, sound: float(traits.pitch(spectra(sound)).mean())),
    "tonality": Own("tonality, dB", 6.0, lambda _, __, sound: float(traits.tonality(spectra(sound)).mean())),
    "weirdness": Own("distance from the origin", 1.0, radius),
    "level": Own("loudness before mastering, LU", 4.0, lambda _, __, sound: loop_lufs(sound, RATE)),
    "consonance": Own("share in key", 0.2, in_key),
    "density": Own("sounds at a time", 1.0, voices, (2, 22)),
    "wander": Own("change in 2 s, dB", 1.0, lambda _, __, sound: spectral_change_db(sound, RATE, 2.0), (2, 22)),
    "pace": Own("change in 2 s, dB", 1.0, lambda _, __, sound: spectral_change_db(sound, RATE, 2.0), (2, 22)),
    "nature": Own("weather, LUFS", 10.0, weather_lufs, with_beds=True),
    "width": Own("1 - correlation", 0.3, lambda _, __, sound: 1.0 - band_correlations(sound, RATE).above_120),
}


def own_measures(build: Callable[[bool], Timeline], names: Sequence[str], places: Sequence[Place]) -> bool:
    """Turn each knob from end to end, and set it to five settings."""
    print(f"{'own measure':41}    low  turned   rise   bar   at five settings")
    fine = True
    for name in names:
        own, ends = OWN[name], (setting(name, 0.0), setting(name, 1.0))
        timeline = build(own.with_beds)
        first, last = own.span_s
        low, high, steps = [], [], []
        for place in places:
            cursors, sound = play(timeline, begin(timeline, place, *ends, last - first + 1), ends[0], last - first + 1)
            low.append(own.of(timeline, cursors, sound))
            cursors, sound = play(timeline, cursors[-1], ends[1], last + 1)
            high.append(own.of(timeline, cursors[first:], sound[first * RATE :]))
            row = []
            for share in STEPS:
                mood = setting(name, share)
                cursor = begin(timeline, place, mood, mood)
                row.append(own.of(timeline, *play(timeline, cursor, mood, last - first + 1)))
            steps.append(row)
        rise, at = float(np.mean(high) - np.mean(low)), np.mean(steps, axis=0)
        missed = "" if rise >= own.least and (np.diff(at) > 0.0).all() else "  MISSED"
        told = " ".join(f"{value:6.2f}" for value in at)
        ends_told = f"{np.mean(low):7.2f}{np.mean(high):8.2f}{rise:7.2f}{own.least:6.1f}"
        print(f"{name:11}{own.name:30}{ends_told}   {told}{missed}", flush=True)
        fine &= not missed
    print()
    return fine


# --- hours


def hours(timeline: Timeline, names: Sequence[str], count: float) -> bool:
    """Measure hours at rest and at both ends of each knob."""
    print(f"{'hour':26}   LUFS   bar: {TARGET_LUFS:g} +- {LOUDNESS_LU:g}, level +- 3 more")
    fine = True
    for name, mood in [("rest", Mood()), *((name, setting(name, end)) for name in names for end in (0.0, 1.0))]:
        meter, sound = Meter(RATE, 2), endless(timeline, 7, mood)
        for _ in range(round(count * 3600.0)):
            meter.add(next(sound))
        apart = abs(meter.integrated_lufs() - TARGET_LUFS - 3.0 * mood.level)
        missed = "" if apart <= LOUDNESS_LU else "  MISSED"
        told = "" if name == "rest" else f"{getattr(mood, name):g}"
        print(f"{name:11}{told:15}{meter.integrated_lufs():7.2f}{missed}", flush=True)
        fine &= not missed
    return fine


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model")
    parser.add_argument("--places", type=int, default=8)
    parser.add_argument("--only", help="quantities, with commas between")
    parser.add_argument("--hours", type=float, default=1.0)
    given = parser.parse_args()
    names = given.only.split(",") if given.only else list(OWN)
    places = PLACES[: given.places]

    def build(beds: bool) -> Timeline:
        return build_timeline(given.model, RATE, 2, "weather" if beds else "none", SoundSettings(), print)

    fine = half_turns(build(True), names, places)
    fine &= own_measures(build, names, places)
    if given.hours:
        fine &= hours(build(True), names, given.hours)
    sys.exit(not fine)


if __name__ == "__main__":
    main()
