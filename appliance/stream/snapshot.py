"""All that a ring tells of itself at one moment, for whoever only looks.

Nothing is believed: the file may have been scribbled on, so what cannot be is left out.
"""

import json
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from appliance.folders import shown
from appliance.stream.layout import BLOCK_FRAMES, Word
from appliance.stream.ring import Ring
from appliance.stream.sign import Rule
from appliance.stream.state import Gains, State

__all__ = ["Life", "Snapshot", "snapshot"]

_NS: Final = 1_000_000_000
# A ring lives until the machine is started again: no count in it comes near this.
_MOST: Final = 1 << 48
_MOST_PROCESSES: Final = 1 << 22
# A process may write down its time after the one who looks has taken it.
_AHEAD_NS: Final = _NS
_LONGEST_ANSWER_NS: Final = 3600 * _NS
_DAY_S: Final = 86_400
# Some three thousand years.
_LATEST_S: Final = 100_000_000_000
_LOUDNESS: Final = range(-130, 21)
_DOING: Final = {
    State.STARTING: "waiting for the first sound",
    State.WAITING_FOR_CARD: "waiting for a sound card",
    State.PLAYING: "playing",
    State.HOLDING: "holding what was heard before, for want of fresh sound",
    State.CLOSED: "closed",
}


@dataclass(frozen=True)
class Life:
    """Signs of life of one process; None where it has given none, or none that can be.

    Attributes
    ----------
    pid : int or None
    uptime_s : float or None
        Since it came to this ring.
    beat_age_s : float or None
        Since it last did something.
    """

    pid: int | None
    uptime_s: float | None
    beat_age_s: float | None


@dataclass(frozen=True)
class Snapshot:
    """What a ring tells; None stands for what it does not tell, or what cannot be.

    Attributes
    ----------
    generation : str
        Which ring this is, in hexadecimal.
    rate, channels : int
    reserve_wanted_s, reserve_s : float
        Seconds of fresh sound that the engine should keep ready, and those that are.
    lane, read : int
        The lane that plays, and the frame that is handed to the card next.
    state : State or None
        What the player did last.
    device : str or None
        The sound card that was opened last.
    underruns : int or None
        Blocks of 512 frames that were silent because there was neither fresh sound nor anything to hold.
    underrun_s : float or None
        The same in seconds.
    holds, rewinds, refusals, bad_samples, cards_lost : int or None
        How often the player held, the engine made the near future again, the player refused a block; samples that were
        not finite; cards that went away.
    held_s : float or None
    knob_to_sound_ms : float or None
        Between the last move of a hand and its sound; None before the first.
    loudness_lufs : float or None
        Of the last fifth of a second that was sent to the card; -120 for silence.
    volume : float or None
        Where the fader is to be, 0..1.
    ceiling : float
        What it is kept below, 0..1.
    made_frames, consumed_frames : int or None
        All that the engine made, and that the card took.
    engine, player : Life
    rule : Rule or None
        By what the room is open or closed.
    change : datetime or None
        When that changes next, on the gallery's clock.
    facts : dict
        What the engine tells of itself once: seed, model, boots, rung.
    """

    generation: str
    rate: int
    channels: int
    reserve_wanted_s: float
    reserve_s: float | None
    lane: int
    read: int | None
    state: State | None
    device: str | None
    underruns: int | None
    underrun_s: float | None
    holds: int | None
    held_s: float | None
    rewinds: int | None
    refusals: int | None
    bad_samples: int | None
    cards_lost: int | None
    knob_to_sound_ms: float | None
    loudness_lufs: float | None
    volume: float | None
    ceiling: float
    made_frames: int | None
    consumed_frames: int | None
    engine: Life
    player: Life
    rule: Rule | None
    change: datetime | None
    facts: dict[str, Any]

    @property
    def doing(self) -> str | None:
        """The player's state in plain words."""
        return None if self.state is None else _DOING[self.state]


def snapshot(ring: Ring, now_ns: int) -> Snapshot:
    """Read all counters of a ring, which may have been opened to be read only.

    Parameters
    ----------
    ring : Ring
    now_ns : int
        CLOCK_MONOTONIC in nanoseconds.
    """
    # All at once, so that they are of nearly the same moment.
    words = ring.words.tolist()
    lane = words[Word.PLAYING] & 1
    underruns, held = _count(words[Word.UNDERRUNS]), _count(words[Word.HELD])
    gains = Gains.unpack(ring.gains.read())
    return Snapshot(
        generation=ring.shape.generation.hex(),
        rate=ring.rate,
        channels=ring.channels,
        reserve_wanted_s=ring.reserve_s,
        reserve_s=_reserve_s(words, lane, ring),
        lane=lane,
        read=_count(words[Word.READ]),
        state=_state(words[Word.STATE]),
        device=_text(ring.device.read()),
        underruns=None if underruns is None else underruns // BLOCK_FRAMES,
        underrun_s=None if underruns is None else underruns / ring.rate,
        holds=_count(words[Word.HOLDS]),
        held_s=None if held is None else held / ring.rate,
        rewinds=_count(words[Word.REWINDS]),
        refusals=_count(words[Word.REFUSALS]),
        bad_samples=_count(words[Word.BAD]),
        cards_lost=_count(words[Word.CARDS_LOST]),
        knob_to_sound_ms=words[Word.ANSWER_NS] / 1e6 if 0 < words[Word.ANSWER_NS] < _LONGEST_ANSWER_NS else None,
        loudness_lufs=_loudness(words[Word.LOUDNESS]),
        volume=None if gains is None else gains.volume,
        ceiling=ring.ceiling,
        made_frames=_count(words[Word.MADE]),
        consumed_frames=_count(words[Word.CONSUMED]),
        engine=_life(words, now_ns, Word.ENGINE_PID, Word.ENGINE_START_NS, Word.ENGINE_BEAT_NS),
        player=_life(words, now_ns, Word.PLAYER_PID, Word.PLAYER_START_NS, Word.PLAYER_BEAT_NS),
        rule=next((rule for rule in Rule if rule == words[Word.RULE]), None),
        change=_change(words[Word.CHANGE_S], words[Word.CHANGE_OFFSET_S] - _DAY_S),
        facts=_facts(ring.facts.read()),
    )


def _reserve_s(words: Sequence[int], lane: int, ring: Ring) -> float | None:
    begin, end, read = words[Word.BEGIN_0 + lane], words[Word.END_0 + lane], words[Word.READ]
    if not begin <= end <= begin + ring.shape.lane_frames or max(end, read) >= _MOST:
        return None
    # Before what there is, or behind it, there is nothing that could be played.
    return (end - read) / ring.rate if begin <= read <= end else 0.0


def _life(words: Sequence[int], now_ns: int, pid: Word, start: Word, beat: Word) -> Life:
    return Life(
        pid=words[pid] if 0 < words[pid] <= _MOST_PROCESSES else None,
        uptime_s=_age_s(words[start], now_ns),
        beat_age_s=_age_s(words[beat], now_ns),
    )


def _age_s(at_ns: int, now_ns: int) -> float | None:
    return max(0, now_ns - at_ns) / _NS if 0 < at_ns <= now_ns + _AHEAD_NS else None


def _count(word: int) -> int | None:
    return word if word < _MOST else None


def _state(word: int) -> State | None:
    return next((state for state in State if state == word), None)


def _change(at_s: int, offset_s: int) -> datetime | None:
    if not (0 < at_s < _LATEST_S and abs(offset_s) < _DAY_S):
        return None
    return datetime.fromtimestamp(at_s, timezone(timedelta(seconds=offset_s)))


def _loudness(word: int) -> float | None:
    lufs: float = struct.unpack("<d", word.to_bytes(8, "little"))[0]
    # Zero is what the word holds before anything was measured.
    return lufs if word and math.isfinite(lufs) and round(lufs) in _LOUDNESS else None


def _text(data: bytes | None) -> str | None:
    return shown(data.decode(errors="replace")) if data else None


def _facts(data: bytes | None) -> dict[str, Any]:
    try:
        facts = json.loads(data or b"{}", parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}
