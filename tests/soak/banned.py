"""Whether what was banned stays away: places of a seed's own music are banned, and a day of it is gone through.

    python tests/soak/banned.py [--hours 24] [--seed 7] [--spots 12] [--radius 0.3] [--model default]

Every sound of every hop is looked at, of all that is planned; none is rendered. Hands are at rest, go to the ends of
what moves the music, and draw it to the banned places themselves, ten minutes each. Exits with 1 if a sound lies within
a banned place; tells how many would have without the ban.
"""

import argparse
import sys
import time

import numpy as np

from appliance.engine.timeline import Timeline
from appliance.mood import Mood, Place
from appliance.score.taste import NO_TASTE, Spot, Taste
from appliance.service.build import build_timeline
from appliance.settings import SoundSettings
from appliance.spectrum.codec import Floats

TURN_HOPS = 600


def spots(timeline: Timeline, seed: int, count: int, radius: float) -> tuple[Spot, ...]:
    """Some places that sound in the first hours of a seed, each the loudest of its moment, ten minutes apart."""
    cursor, found, hop = timeline.start(seed, Mood()), [], 0
    while len(found) < count:
        cursor, hop = timeline.advance(cursor, Mood()), hop + 1
        sounds = cursor.trail[-1].sounds
        if hop % TURN_HOPS == TURN_HOPS // 2 and sounds:
            found.append(Spot(max(sounds, key=lambda sound: sound.share).latent, radius))
    return tuple(found)


def gone_through(timeline: Timeline, seed: int, hours: float, banned: tuple[Spot, ...]) -> Floats:
    """How far outside of the nearest banned place the nearest sound of each hop is, in latent units; below 0 within."""
    centres = np.stack([spot.place for spot in banned]).astype(np.float64)
    radii = np.array([spot.radius * timeline.space.usual for spot in banned])
    targets = [Place(tuple(map(float, row)), 1.0) for row in timeline.space.whiten(centres.astype(np.float32))]
    ends = [Mood(pitch=-1.0), Mood(tonality=1.0, wander=1.0), Mood(weirdness=1.0), Mood(weirdness=-1.0, pace=2.0)]
    cursor, found = timeline.start(seed, Mood()), []
    for hop in range(round(hours * 3600.0)):
        turn = hop // TURN_HOPS
        hands = (Mood(), ends[turn // 3 % len(ends)], Mood(place=targets[turn // 3 % len(targets)]))[turn % 3]
        cursor = timeline.advance(cursor, hands)
        sounds = cursor.trail[-1].sounds
        if sounds:
            latents = np.frombuffer(b"".join(sound.latent for sound in sounds), np.float32).reshape(len(sounds), -1)
            apart = np.linalg.norm(latents[:, np.newaxis].astype(np.float64) - centres, axis=2)
            found.append(float((apart - radii).min()))
    return np.array(found)


def main() -> None:
    """Ban, go through, and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--spots", type=int, default=12)
    parser.add_argument("--radius", type=float, default=0.3)
    parser.add_argument("--model")
    given = parser.parse_args()
    timeline = build_timeline(given.model, 48_000, 2, "none", SoundSettings(), print)
    banned = spots(timeline, given.seed, given.spots, given.radius)
    began = time.monotonic()
    inside = {}
    for name, taste in (("without a ban", NO_TASTE), ("banned", Taste(banned=banned))):
        timeline.adopt(taste)
        found = gone_through(timeline, given.seed, given.hours, banned)
        inside[name] = int(np.count_nonzero(found < 0.0))
        print(f"{name:14} hops within {inside[name]:6} of {len(found)}, nearest {found.min():8.4f}", flush=True)
    print(f"{time.monotonic() - began:.0f} s")
    sys.exit(inside["banned"] > 0)


if __name__ == "__main__":
    main()
