"""A night in minutes: the real engine and player on a made-up clock, every sample of what they play looked at.

    python tests/soak/night.py [--hours 24] [--seed 7] [--json] [--inject click|nan|silence|repeat|leak]

Hands move, the engine is killed and resumed, the card is pulled out and plugged in again. Prints one table; ends with 1
and a sentence for each thing that was wrong. What is injected must be found.
"""

import argparse
import dataclasses
import gc
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from simulated import Room
from soak.ears import Ears, Heard
from soak.house import House, Kept

from appliance.errors import CardError
from appliance.mood import Mood
from appliance.service.build import build_timeline
from appliance.settings import SoundSettings
from appliance.spectrum.codec import Floats
from appliance.stream.layout import BLOCK_FRAMES, Word
from appliance.stream.state import State

__all__ = ["INJECTIONS", "Night", "Report", "measure"]

RATE = 48_000
INJECTIONS = ("click", "nan", "silence", "repeat", "leak")
# The engine does what there is to do this often, the ears listen to so much at a time.
_WORK_BLOCKS = 9
_LISTEN_BLOCKS = 960
# How often things happen, on average.
_GESTURE_S, _NEXT_S, _KILL_S, _CARD_S = 60.0, 900.0, 240.0, 1500.0
# Most deaths are short; some outlast the reserve.
_DEATHS_S = (0.0, 0.3, 2.0, 5.0, 45.0)
_MOVED = ("pitch", "tonality", "weirdness", "consonance", "wander", "pace", "width")
_LEAK_MB = 200.0


@dataclasses.dataclass(frozen=True)
class Report:
    """What was measured, and what was wrong: a sentence each."""

    hours: float
    seed: int
    turns: int
    kills: int
    cards_lost: int
    holds: int
    held_s: float
    refusals: int
    heard: Heard
    kept: Kept
    wrong: tuple[str, ...]


class Night:
    """Lets time pass in a room, with everything that happens in one.

    Parameters
    ----------
    folder : Path
    hours : float
    seed : int
    inject : str
        One of `INJECTIONS`, or empty: what goes wrong, half way through.
    """

    def __init__(self, folder: Path, hours: float, seed: int, inject: str = "") -> None:
        timeline = build_timeline(None, RATE, 2, "weather", SoundSettings(), print)
        self._blocks = round(hours * 3600.0 * RATE / BLOCK_FRAMES)
        self._hours = hours
        self._seed = seed
        self._inject = inject
        # What is to come again must be over first.
        self._next_s = 15.0 if inject == "repeat" else _NEXT_S
        self._room = Room(folder, timeline, reserve_s=20.0)
        self._rng = np.random.default_rng(seed)
        self._ears = Ears(RATE, min(3600.0, hours * 3600.0))
        self._house = House(hours)
        self._mood = Mood()
        self._gesture: list[Mood] = []
        self._back = 0
        self._kills = 0
        self._base = 0
        self._turned = 0
        self._new_piece = False
        self._state = State.STARTING
        self._leaked: list[bytes] = []

    def run(self) -> Report:
        """Let the whole night pass."""
        room = self._room
        for block in range(self._blocks):
            if block % _WORK_BLOCKS == 0:
                self._happen(block)
                room.work()
                self._look()
            self._play()
            if block % _LISTEN_BLOCKS == _LISTEN_BLOCKS - 1:
                self._listen(block)
        word = room.word
        heard, kept = self._ears.heard(), self._house.kept()
        return Report(
            hours=self._hours,
            seed=self._seed,
            turns=word(Word.REWINDS),
            kills=self._kills,
            cards_lost=word(Word.CARDS_LOST),
            holds=word(Word.HOLDS),
            held_s=word(Word.HELD) / RATE,
            refusals=word(Word.REFUSALS),
            heard=heard,
            kept=kept,
            wrong=(*heard.wrong(), *kept.wrong(), *self._wrong()),
        )

    def _wrong(self) -> list[str]:
        refusals = self._room.word(Word.REFUSALS)
        return [f"The player refused what the engine made, {refusals} times."] if refusals else []

    # --- what happens

    def _happen(self, block: int) -> None:
        room, passed_s = self._room, _WORK_BLOCKS * BLOCK_FRAMES / RATE
        chance = dict(zip(("hand", "next", "kill", "card"), self._rng.random(4) / passed_s, strict=True))
        if room.writer is None and block >= self._back:
            room.engine(self._seed, self._mood)
            self._tell()
        if chance["card"] < 1.0 / _CARD_S:
            room.card.vanish()
        if chance["kill"] < 1.0 / _KILL_S and room.writer is not None:
            room.kill()
            # With a process everything of it goes.
            gc.collect()
            self._kills += 1
            self._back = block + round(self._rng.choice(_DEATHS_S) * RATE / BLOCK_FRAMES)
        if chance["hand"] < 1.0 / _GESTURE_S:
            self._gesture = self._moves()
        if self._gesture:
            self._mood = self._gesture.pop()
            self._tell()
        if chance["next"] < 1.0 / self._next_s and room.writer is not None:
            room.writer.next_piece()
        if self._inject == "repeat" and block // _WORK_BLOCKS == self._blocks // _WORK_BLOCKS // 2:
            self._begin_again()

    def _moves(self) -> list[Mood]:
        """A hand takes hold of something and turns it, in a few steps."""
        name = str(self._rng.choice(_MOVED))
        low, high = {"wander": (0.0, 1.0), "width": (0.0, 1.0), "pace": (0.5, 3.0)}.get(name, (-1.0, 1.0))
        here, there = getattr(self._mood, name), self._rng.uniform(low, high)
        steps = np.linspace(there, here, int(self._rng.integers(1, 12)), endpoint=False)
        return [dataclasses.replace(self._mood, **{name: float(value)}) for value in steps]

    def _tell(self) -> None:
        if self._room.writer is not None and self._room.writer.mood != self._mood:
            self._room.writer.move(self._mood)

    def _begin_again(self) -> None:
        """Let the same music begin as at first."""
        for lane in (0, 1):
            self._room.ring.forget(lane)
        self._room.engine(self._seed)

    # --- what is played

    def _play(self) -> None:
        room = self._room
        read = room.word(Word.READ)
        try:
            room.reader.turn()
        except CardError:
            # As the player does; nothing was heard meanwhile.
            room.replug()
            self._ears.gap()
            room.ring.words[Word.CARDS_LOST] += 1
            return
        self._mark(read)
        if self._inject == "leak":
            self._leaked.append(bytes(int(_LEAK_MB * 1e6 / self._blocks)))

    def _mark(self, read: int) -> None:
        """Tell the ears where in the block that was just played something meets something."""
        room, ears = self._room, self._ears
        state = State(room.word(Word.STATE))
        if state != self._state:
            self._state = state
            ears.seam("hold", 0)
        if room.word(Word.READ) != read:
            hop = (self._base - read) % room.timeline.hop_frames
            if hop < BLOCK_FRAMES:
                ears.seam("piece" if self._new_piece else "hop", hop)
                self._new_piece = False
            turned = room.word(Word.TAKEN_FRAME)
            if turned == read != self._turned:
                self._turned = turned
                ears.seam("turn", 0)
        ears.block()

    def _look(self) -> None:
        """See which piece plays."""
        writer = self._room.writer
        if writer is not None:
            place = writer.place()
            self._base = place.base
            self._new_piece |= self._ears.piece(place.cursor.seed, place.cursor.now.piece)

    def _listen(self, block: int) -> None:
        sound = self._room.card.frames
        self._room.card.blocks.clear()
        if self._blocks // 2 <= block < self._blocks // 2 + _LISTEN_BLOCKS:
            sound = self._spoilt(sound)
        self._ears.listen(sound)
        self._house.look(block / self._blocks)

    def _spoilt(self, sound: Floats) -> Floats:
        spoilt = sound.copy()
        at = len(sound) // 3
        if self._inject == "click":
            spoilt[at, 0] += 0.1
        elif self._inject == "nan":
            spoilt[at, 1] = np.nan
        elif self._inject == "silence":
            spoilt[at : at + RATE // 5] = 0.0
        return spoilt


def measure(hours: float, seed: int, inject: str = "") -> Report:
    """Play so many hours and measure them."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        return Night(Path(folder), hours, seed, inject).run()


def _lines(report: Report) -> list[tuple[str, object]]:
    flat = dataclasses.asdict(report)
    wrong = flat.pop("wrong")
    inner = [*flat.pop("heard").items(), *flat.pop("kept").items()]
    return [*flat.items(), *inner, ("wrong", "; ".join(wrong) or "nothing")]


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return " ".join(map(_shown, value)) if isinstance(value, tuple | list) else str(value)


def main() -> int:
    parser = argparse.ArgumentParser(description="Play a night in minutes and look at every sample of it.")
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--inject", choices=INJECTIONS, default="")
    options = parser.parse_args()
    report = measure(options.hours, options.seed, options.inject)
    if options.json:
        print(json.dumps(dataclasses.asdict(report)))
    else:
        for name, value in _lines(report):
            print(f"{name:22} {_shown(value)}")
    for sentence in report.wrong:
        print(sentence, file=sys.stderr)
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
