"""How things are: what the ring tells, what the engine adds if it answers, and what the system knows of both."""

import json
import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from appliance.api.client import ask
from appliance.errors import LatentError
from appliance.folders import shown, state_folder
from appliance.health.day import Day, in_words
from appliance.health.exposure import exposure_dba, room_level
from appliance.health.liveness import REST_LUFS, PlayerSeen, player_verdict
from appliance.health.tally import today
from appliance.service.handover import trouble_told
from appliance.stream.ring import Ring, open_ring, ring_path
from appliance.stream.sign import Rule, sign
from appliance.stream.snapshot import Life, Snapshot, snapshot
from appliance.stream.state import State

__all__ = ["NO_CARD", "Memory", "memory_of", "status"]

NO_CARD: Final = "waiting for a sound card"
"""What the report calls a player that has none."""

# Whoever asks wants to know now; an engine that is stopped would keep them waiting.
_ANSWER_S: Final = 0.3
_SILENT_S: Final = 5.0
_MAPPING: Final = re.compile(r"[0-9a-f]+-[0-9a-f]+ ")
_MOST: Final = 1 << 64
_HOURS: Final = {
    Rule.ALWAYS: "always",
    Rule.UNTRUSTED: "untrusted clock",
    Rule.OPEN: "open",
    Rule.QUIET: "quiet",
    Rule.CLOSED: "closed",
}
_NO_HOURS: Final = {"hours": None, "hours_sign": None, "next_change": None}


@dataclass(frozen=True)
class Memory:
    """Memory of a process in MB (PSS): without the ring, and with its share of it."""

    own_mb: float
    whole_mb: float


@dataclass(frozen=True)
class _Place:
    """Where in the music a cursor is."""

    piece: int | None = None
    pattern: str | None = None
    seed: int | None = None


def status(
    folder: Path,
    clock_ns: Callable[[], int] = time.monotonic_ns,
    processes: Path = Path("/proc"),
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> dict[str, Any]:
    """Tell how things are in what JSON can say; null is what cannot be known.

    Parameters
    ----------
    folder : Path
        The runtime folder.
    clock_ns : callable
        CLOCK_MONOTONIC in nanoseconds.
    processes : Path
        Where the system shows its processes.
    now : callable
        Date and time of day.

    Returns
    -------
    dict
        With the keys that ``latent status --help`` lists.

    Raises
    ------
    RingError
        If nothing plays.
    """
    ring = open_ring(folder, writable=False)
    read = snapshot(ring, clock_ns())
    problems = {
        "engine": _problem("engine", read.engine, processes, waiting=False),
        # Without a card it has no books to put its number into, and that of another may stand there.
        "player": _problem("player", read.player, processes, waiting=read.state == State.WAITING_FOR_CARD),
    }
    told = {} if problems["engine"] else _answer(folder)
    found = [problem for problem in problems.values() if problem]
    if told.get("healthy") is False:
        found.append(f"the engine is not well ({_text(told.get('health'))})")
    memory = {
        who: None if problems[who] else memory_of(life.pid, folder, processes)
        for who, life in (("engine", read.engine), ("player", read.player))
    }
    day = today(folder, clock_ns())
    report = {
        "healthy": not found,
        "reason": "; ".join(found) or _well(read, now()),
        **_of_the_ring(read),
        **_of_the_hours(read, now()),
        # What a player that is gone said last is true no more.
        **({"state": "not running", "loudness_lufs": None, **_NO_HOURS} if problems["player"] else {}),
        **_of_the_music(ring, read, told),
        **_of_the_hands(told),
        "settings_trouble": _settings_trouble(told, folder),
        "uptime_s": None if problems["player"] else read.player.uptime_s,
        "engine": _process(read.engine, problems["engine"]) | {"answers": bool(told)},
        "player": _process(read.player, problems["player"]),
        "memory_mb": {who: each and each.own_mb for who, each in memory.items()},
        "memory_with_ring_mb": {who: each and each.whole_mb for who, each in memory.items()},
        "today": None if day is None else _of_the_day(day),
        "generation": read.generation,
    }
    report |= _of_the_room(report["loudness_lufs"], day)
    rounded: dict[str, Any] = _rounded(report)
    return rounded


def memory_of(pid: int | None, folder: Path, processes: Path = Path("/proc")) -> Memory | None:
    """Sum up the memory of a process; None where there is none, or it belongs to another user."""
    ring = str(ring_path(folder).resolve())
    own_kib = ring_kib = 0
    inside = False
    try:
        lines = (processes / str(pid) / "smaps").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    for line in lines:
        if _MAPPING.match(line):
            # A ring that another has replaced counts as deleted.
            inside = line.split(maxsplit=5)[-1].removesuffix(" (deleted)") == ring
        elif line.startswith("Pss:"):
            kib = int(line.split()[1])
            own_kib, ring_kib = (own_kib, ring_kib + kib) if inside else (own_kib + kib, ring_kib)
    return Memory(own_kib * 1.024e-3, (own_kib + ring_kib) * 1.024e-3)


def _problem(who: str, life: Life, processes: Path, waiting: bool) -> str:
    """Say why a process is not alive; empty if it is."""
    if life.pid is None and life.beat_age_s is None:
        return f"the {who} has not begun"
    if life.pid is not None and not waiting and not (processes / str(life.pid)).exists():
        return f"the {who} is not running"
    silent_s = life.uptime_s if life.beat_age_s is None else life.beat_age_s
    if silent_s is None or silent_s > _SILENT_S:
        since = "" if silent_s is None else f" for {silent_s:.0f} s"
        return f"the {who} has given no sign of life{since}"
    return ""


def _well(read: Snapshot, now: datetime) -> str:
    """Say what the player does; that it lives is known."""
    if read.state == State.CLOSED:
        return sign(Rule.CLOSED, read.change, now)
    if read.doing is not None and read.state in (State.STARTING, State.HOLDING):
        return read.doing
    card_open = read.state != State.WAITING_FOR_CARD
    return player_verdict(PlayerSeen(card_open, 0.0, read.volume != 0.0, 0.0)).reason


def _of_the_room(lufs: float | None, day: Day | None) -> dict[str, float | None]:
    """How loud it is, where somebody measured that once."""
    level = room_level(state_folder())
    return {
        "room_dba": None if level is None or lufs is None or lufs <= REST_LUFS else level.dba(lufs),
        "exposure_dba": None if level is None or day is None else exposure_dba(level, day.energy_s),
    }


def _of_the_day(day: Day) -> dict[str, Any]:
    """What the keeper has counted today."""
    counted = {name: value for name, value in day.as_json().items() if name not in ("begun_ns", "energy_s")}
    return counted | {"open_s": day.open_s, "mean_lufs": day.mean_lufs, "line": in_words(day)}


def _of_the_ring(read: Snapshot) -> dict[str, Any]:
    names = (
        "device rate channels reserve_s reserve_wanted_s underruns underrun_s holds held_s rewinds refusals bad_samples"
        " cards_lost knob_to_sound_ms loudness_lufs volume ceiling made_frames consumed_frames"
    )
    return {"state": read.doing} | {name: getattr(read, name) for name in names.split()}


def _of_the_hours(read: Snapshot, now: datetime) -> dict[str, Any]:
    if read.rule is None:
        return dict(_NO_HOURS)
    return {
        "hours": _HOURS[read.rule],
        "hours_sign": sign(read.rule, read.change, now),
        "next_change": None if read.change is None else read.change.isoformat(),
    }


def _of_the_music(ring: Ring, read: Snapshot, told: dict[str, Any]) -> dict[str, Any]:
    """What sounds: as the engine tells, or else as the cursors say that it left."""
    facts, saved, mood = read.facts, _saved_place(ring, read), told.get("mood")
    number, pattern = _whole(told.get("piece")), _text(told.get("pattern"))
    return {
        "piece": saved.piece if number is None else number,
        "pattern": pattern or saved.pattern,
        "seed": _whole(facts.get("seed")) if saved.seed is None else saved.seed,
        "model": _text(facts.get("model")),
        "model_digest": _text(facts.get("digest")),
        **_of_the_model(told.get("model")),
        "boots": _whole(facts.get("boots")),
        "rung": _whole(facts.get("rung")),
        "mood": {name: _real(value) for name, value in mood.items()} if isinstance(mood, dict) else None,
        "engine_health": _text(told.get("health")),
    }


def _of_the_model(told: object) -> dict[str, Any]:
    """What the engine tells of a change of models."""
    known = told if isinstance(told, dict) else {}
    return {
        "model_coming": _text(known.get("coming")),
        "model_trouble": _text(known.get("trouble")),
        "probation_s": _real(known.get("probation_s")),
    }


def _of_the_hands(told: dict[str, Any]) -> dict[str, Any]:
    """What is wired, as the engine tells."""
    troubles, counts = told.get("troubles"), told.get("osc")
    return {
        "controls": _whole(told.get("controls")),
        "troubles": {shown(name): _text(trouble) for name, trouble in troubles.items()}
        if isinstance(troubles, dict)
        else None,
        "awake": _real(told.get("awake")),
        "osc": {shown(name): _whole(count) for name, count in counts.items()} if isinstance(counts, dict) else None,
    }


def _settings_trouble(told: dict[str, Any], folder: Path) -> str | None:
    """Give what is wrong with the settings: by the engine, or else as it was when the player was started."""
    if "settings_trouble" in told:
        return _text(told["settings_trouble"]) or None
    return trouble_told(folder)


def _answer(folder: Path) -> dict[str, Any]:
    """Ask the engine; empty where it does not answer."""
    try:
        told = ask(folder, {"do": "status"}, _ANSWER_S).get("status")
    except LatentError:
        # It may be gone, or live without a socket; the ring tells the rest.
        return {}
    return told if isinstance(told, dict) else {}


def _saved_place(ring: Ring, read: Snapshot) -> _Place:
    """Give the place of the frame that is played, from the cursors in the ring."""
    saved = ring.saved(read.lane)
    at = read.read or 0
    # The newest that has begun; before the first has, the first.
    for frame in sorted(saved, key=lambda frame: (frame > at, abs(frame - at))):
        place = _place(saved[frame])
        if place.piece is not None:
            return place
    return _Place()


def _place(data: bytes) -> _Place:
    # Nothing of what knows a cursor is loaded for this: it would take longer than all the rest.
    try:
        cursor = json.loads(data)["cursor"]
        piece = cursor["now"]["piece"]
        return _Place(_whole(piece["number"]), _text(piece["pattern"]), _whole(cursor["seed"]))
    except (ValueError, RecursionError, LookupError, TypeError):
        # Somebody scribbled on it; there are others.
        return _Place()


def _process(life: Life, problem: str) -> dict[str, Any]:
    return {
        "alive": not problem,
        "pid": life.pid,
        "uptime_s": None if problem else life.uptime_s,
        "beat_age_s": life.beat_age_s,
    }


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _MOST else None


def _real(value: object) -> float | None:
    return value if isinstance(value, float) and math.isfinite(value) else _whole(value)


def _text(value: object) -> str | None:
    return shown(value) if isinstance(value, str) else None


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    return round(value, 3) if isinstance(value, float) else value
