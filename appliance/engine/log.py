"""The log of a run: everything from which its sound can be made again, kept in memory and saved on request."""

import hashlib
import importlib.metadata
import json
import platform
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
from pydantic import ConfigDict, TypeAdapter

from appliance.engine.cursor import Cursor
from appliance.engine.saved import EXACT, check
from appliance.engine.timeline import Timeline
from appliance.errors import MoodError, UsageError
from appliance.mood import Mood
from appliance.score.taste import Taste
from appliance.score.territory import Bounds
from appliance.settings import MOST_CHANNELS, RATES, MusicSettings, SoundSettings
from appliance.spectrum.codec import linear_grid
from appliance.stream.fades import LANE_FADE_S
from appliance.synth.beds import Bed

__all__ = ["MOST_LOG_BYTES", "Chosen", "Inputs", "Log", "Logged", "Turn", "inputs_of", "read"]

# Turns of 10 kB at most, 2000 of them, and as many pieces: 22 MB.
_LIMIT: Final = 2000
MOST_LOG_BYTES: Final = 64 << 20

_KIND: Final = "latent log"
_FORMAT: Final = 3
_LIBRARIES = ("latent-appliance", "numpy", "scipy", "onnxruntime")
_BLOCK_FRAMES = 256


@dataclass(frozen=True)
class Inputs:
    """What else decides the bits of the sound.

    Attributes
    ----------
    rate : int
        Frames per second.
    channels : int
    model : str
        Digest.
    beds : str or None
        Digest of the loops as they were prepared; None without beds.
    target_lufs, ceiling_dbtp : float
    bounds : Bounds
    taste : Taste
    versions : dict
        Of this program and the libraries that it computes with.
    machine : str
        Kind of processor.
    """

    rate: int
    channels: int
    model: str
    beds: str | None
    target_lufs: float
    ceiling_dbtp: float
    bounds: Bounds
    taste: Taste
    versions: dict[str, str]
    machine: str


@dataclass(frozen=True)
class Turn:
    """From stream frame ``frame`` on a chain is heard: the one that starts from ``cursor`` under the target ``mood``.

    Its hop k lies at ``base + k * hop_frames``. The cursor is the one from which `step` is called first: its hop lies
    at ``frame`` or before, and what comes before ``frame`` is left out. For a turn that is heard within hop h that is
    ``advance(cursor of hop h - 1, mood)``, so that the mood has begun to glide when hop h begins. Unless it is
    ``faded`` in over the chain before it, it begins at once: the player was holding, and had nothing left of that.
    """

    frame: int
    base: int
    cursor: Cursor
    mood: Mood
    faded: bool = True


@dataclass(frozen=True)
class Chosen:
    """A piece that began at stream frame ``frame`` or, with the first turn, before: what ranking chose for it."""

    frame: int
    seed: int
    number: int
    pattern: str
    latents: bytes


@dataclass(frozen=True)
class Logged:
    """A log that was read: at least one turn, in order, each with a cursor that can be stepped from.

    The sound ends before stream frame ``end_frame``.
    """

    __pydantic_config__: ClassVar[ConfigDict] = EXACT

    inputs: Inputs
    turns: tuple[Turn, ...]
    pieces: tuple[Chosen, ...]
    end_frame: int


_JSON: Final = TypeAdapter(Logged)


class Log:
    """Remembers the turns of a run, the latest 2000. One thread adds; any thread may save.

    Every turn carries its own cursor, so that when the oldest are dropped the rest still stands alone. The pieces in a
    cursor are there with all that was chosen for them, and survive a machine on which ranking would choose otherwise;
    pieces that begin later are composed anew in a replay. So those are noted, too, for the replay to compare.

    Parameters
    ----------
    inputs : Inputs
    limit : int
        Turns, and pieces, to keep.
    """

    def __init__(self, inputs: Inputs, limit: int = _LIMIT) -> None:
        self._inputs = inputs
        self._hop_frames = linear_grid(inputs.rate).hop_frames
        self._turns: deque[Turn] = deque(maxlen=limit)
        self._pieces: deque[Chosen] = deque(maxlen=limit)
        self._lock = threading.Lock()

    def renew(self, model: str, bounds: Bounds, taste: Taste) -> None:
        """Begin anew, for what follows is played from another model or to another taste."""
        with self._lock:
            self._inputs = replace(self._inputs, model=model, bounds=bounds, taste=taste)
            self._turns.clear()
            self._pieces.clear()

    def is_of(self, model: str, taste: Taste) -> bool:
        """Whether all that is logged was played from this model and to this taste."""
        return (self._inputs.model, self._inputs.taste) == (model, taste)

    def add(self, turn: Turn) -> None:
        """Add a turn that the player has taken. What the old chain would have begun later is forgotten.

        One that follows before the cross-fade of the last could be complete takes its place: so it is while the player
        holds, and the last was never heard.

        Raises
        ------
        ValueError
            If it comes before its own cursor.
        """
        _check_turns((turn,), self._inputs.rate)
        with self._lock:
            while self._turns and _unheard(self._turns[-1], turn, round(LANE_FADE_S * self._inputs.rate)):
                self._turns.pop()
            self._turns.append(turn)
            while self._pieces and self._pieces[-1].frame >= turn.frame:
                self._pieces.pop()
        self.follow(turn.cursor)

    def follow(self, cursor: Cursor) -> None:
        """Note the pieces of a hop of the chain of the latest turn; to be called for each of its hops, in order.

        Before there is one, nothing is noted.
        """
        if not self._turns:
            return
        turn = self._turns[-1]
        frame = max(turn.frame, turn.base + cursor.hop * self._hop_frames)
        for passage in (cursor.now, cursor.next):
            if passage is None:
                continue
            piece = passage.piece
            chosen = Chosen(frame, cursor.seed, piece.number, piece.pattern, piece.latents)
            if not any(_same(chosen, known) for known in reversed(self._pieces)):
                with self._lock:
                    self._pieces.append(chosen)

    def to_json(self, end_frame: int) -> bytes:
        """Write the log of the sound before a stream frame: a line that tells what it is, and a line of content.

        Raises
        ------
        ValueError
            If no turn was added.
        """
        with self._lock:
            logged = Logged(self._inputs, tuple(self._turns), tuple(self._pieces), end_frame)
        if not logged.turns:
            raise ValueError("a log without a turn cannot be written")
        content = _JSON.dump_json(logged)
        head = {"kind": _KIND, "format": _FORMAT, "sha256": hashlib.sha256(content).hexdigest()}
        return json.dumps(head).encode() + b"\n" + content + b"\n"


def read(data: bytes, name: str) -> Logged:
    """Read a log.

    Parameters
    ----------
    name : str
        What an error calls it.

    Raises
    ------
    UsageError
        If it is no log, of another format, or damaged.
    """
    line, _, content = data.partition(b"\n")
    try:
        head = json.loads(line)
    except (ValueError, RecursionError):
        head = None
    if not isinstance(head, dict) or head.get("kind") != _KIND:
        raise UsageError(f"{name} is no log of this program: name a file that was saved as one.")
    if head.get("format") != _FORMAT:
        raise UsageError(f"{name} was saved by another version of this program: replay it with that one.")
    content = content.removesuffix(b"\n")
    if hashlib.sha256(content).hexdigest() != head.get("sha256"):
        raise UsageError(f"{name} is damaged: save or copy it again.")
    try:
        logged = _JSON.validate_json(content)
        _check(logged)
    except (ValueError, MoodError) as error:
        raise UsageError(f"{name} holds what no run can have logged: save or copy it again.") from error
    return logged


def inputs_of(timeline: Timeline, sound: SoundSettings) -> Inputs:
    """Say what a timeline, made with these settings, was made from."""
    return Inputs(
        rate=timeline.rate,
        channels=timeline.channels,
        model=timeline.model,
        beds=None if timeline.beds is None else _digest(timeline.beds.all),
        target_lufs=sound.target_lufs,
        ceiling_dbtp=sound.ceiling_dbtp,
        bounds=timeline.bounds,
        taste=timeline.taste,
        versions={name: importlib.metadata.version(name) for name in _LIBRARIES},
        machine=_machine(),
    )


def _check(logged: Logged) -> None:
    """Raise ValueError where a log of the right types cannot be."""
    inputs = logged.inputs
    if not (RATES[0] <= inputs.rate <= RATES[1] and 1 <= inputs.channels <= MOST_CHANNELS and logged.turns):
        raise ValueError("rate, channels or turns")
    SoundSettings(target_lufs=inputs.target_lufs, ceiling_dbtp=inputs.ceiling_dbtp)
    bounds, places = inputs.bounds, tuple(f"{seed}/{piece}" for seed, piece in inputs.bounds.kept)
    MusicSettings(tuning_hz=bounds.tuning_hz, radius=bounds.radius, territory=places)
    for turn in logged.turns:
        check(turn.cursor)
    _check_turns(logged.turns, inputs.rate)


def _unheard(before: Turn, turn: Turn, fade_frames: int) -> bool:
    """Whether a turn leaves nothing of the one before it."""
    if not before.faded:
        return turn.frame < before.frame or (turn.frame == before.frame and not turn.faded)
    return turn.frame < before.frame + fade_frames


def _check_turns(turns: tuple[Turn, ...], rate: int) -> None:
    hop_frames, fade_frames = linear_grid(rate).hop_frames, round(LANE_FADE_S * rate)
    for turn in turns:
        if turn.base + turn.cursor.hop * hop_frames > turn.frame:
            raise ValueError("a turn cannot be heard before the hop of its cursor begins")
    for before, turn in pairwise(turns):
        if turn.frame < before.frame + (fade_frames if before.faded else 0):
            raise ValueError("a turn cannot come before the cross-fade of the one before is complete")


def _same(one: Chosen, other: Chosen) -> bool:
    return (one.seed, one.number, one.pattern, one.latents) == (other.seed, other.number, other.pattern, other.latents)


def _digest(beds: Iterable[Bed]) -> str:
    """Hash what beds are: all of their spectra and a block of every second or so of their loops.

    A night of recordings takes gigabytes, and every one of them is known by less.
    """
    digest = hashlib.sha256()
    for bed in beds:
        digest.update(repr((bed.loop.shape, bed.lufs, bed.scale)).encode())
        digest.update(bed.spectrum.tobytes())
        for start in range(0, len(bed.loop), 128 * _BLOCK_FRAMES):
            digest.update(np.ascontiguousarray(bed.loop[start : start + _BLOCK_FRAMES]).tobytes())
    return digest.hexdigest()


def _machine() -> str:
    """Kind of processor: how a model's numbers are rounded depends on it."""
    kinds: list[str] = []
    path = Path("/proc/cpuinfo")
    if path.exists():
        lines = (line.partition(":") for line in path.read_text(encoding="utf-8", errors="replace").splitlines())
        # Intel and AMD tell their "model name", a Raspberry Pi its "Model".
        kinds = [value.strip() for name, _, value in lines if name.strip() in ("model name", "Model")]
    return " ".join([platform.machine(), *dict.fromkeys(kinds)])
