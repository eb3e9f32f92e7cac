"""Changing the model while it plays: the next one is opened in a thread beside the music, which then glides over."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from appliance.engine.instrument import Instrument
from appliance.engine.writer import Change, Writer
from appliance.errors import LatentError
from appliance.folders import shown
from appliance.health.liveness import engine_verdict
from appliance.model.bundle import read
from appliance.model.store import Pointer
from appliance.mood import Mood, Place
from appliance.score.territory import Bounds
from appliance.service.places import Places
from appliance.service.repertoire import Repertoire
from appliance.service.room import Room

__all__ = ["Changing"]

_LOOK_EVERY_S: Final = 0.5
# Filling the reserve again after a turn takes less on the slowest machine that a model is accepted on.
_BEHIND_S: Final = 20.0
_UNWELL_S: Final = 5.0
# A disk that is slower than this, or full, is no reason to wait any longer.
_NOTED_S: Final = 5.0


@dataclass(frozen=True)
class _Opened:
    """What came of opening a model: it may be what plays already, under another name."""

    pointer: Pointer | None
    change: Change | None = None
    places: Places | None = None
    problem: str = ""


class Changing:
    """Looks which model is to play, opens it, and lets the room glide over to it; for the engine's thread alone.

    Parameters
    ----------
    repertoire : Repertoire
    room : Room
    fade_s : float
        How long one model gives way to the other.
    clock : callable
        Monotonic seconds.
    """

    def __init__(
        self, repertoire: Repertoire, room: Room, fade_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._repertoire = repertoire
        self._room = room
        self._fade_s = fade_s
        self._clock = clock
        self._looked_s = clock() - _LOOK_EVERY_S
        self._coming: Pointer | None = None
        self._thread: threading.Thread | None = None
        self._opened: _Opened | None = None
        self._kept_up_s = self._well_s = clock()

    def look(self, writer: Writer) -> bool:
        """Do what is due; to be called at every turn of the engine.

        Returns
        -------
        bool
            Whether the room has begun to glide over to another model.
        """
        opened = self._opened
        if opened is not None and not writer.changing:
            self._thread = self._opened = None
            # Somebody may have chosen yet another one meanwhile.
            return self._repertoire.wanted() == opened.pointer and self._arrive(opened)
        now_s = self._clock()
        if now_s - self._looked_s < _LOOK_EVERY_S:
            return False
        self._looked_s = now_s
        self._repertoire.tick()
        wanted = self._repertoire.wanted()
        # Beside a reserve that is being filled, opening would take time from it.
        if self._thread is None and wanted != self._repertoire.playing and writer.seen.reserve_full:
            self._open(wanted, writer)
        return False

    def lets_down(self, writer: Writer) -> str:
        """Say why the model that plays must be taken back at once; empty where it need not, or is off probation."""
        now_s, seen = self._clock(), writer.seen
        if seen.reserve_full:
            self._kept_up_s = now_s
        verdict = engine_verdict(seen)
        if verdict.healthy:
            self._well_s = now_s
        playing = self._repertoire.playing
        if playing is None or self._repertoire.probation_s is None:
            return ""
        name = shown(playing.name)
        if now_s - self._kept_up_s > _BEHIND_S:
            return f"{name} was taken back: this machine falls behind with it; export a smaller one."
        if now_s - self._well_s > _UNWELL_S:
            return f"{name} was taken back: {verdict.reason}; try another export."
        return ""

    def give_up(self, why: str) -> None:
        """Take back what plays; whoever calls this opens what played before."""
        self._repertoire.failed(self._repertoire.playing, why)
        self._kept_up_s = self._well_s = self._clock()

    def told(self, writer: Writer) -> dict[str, Any]:
        """Tell how things are, for `latent status`."""
        instrument = writer.instrument
        coming = self._coming if self._thread is not None else None
        return {
            "name": instrument.name,
            "digest": instrument.model,
            "coming": None if self._thread is None else coming.name if coming else "that of the settings",
            "gliding": writer.changing,
            "trouble": self._repertoire.trouble or None,
            "probation_s": self._repertoire.probation_s,
        }

    def _open(self, pointer: Pointer | None, writer: Writer) -> None:
        """Open a model in a thread of its own, while the music goes on."""
        noted = self._repertoire.take(pointer)
        cursor, mood = writer.place().cursor, writer.mood
        # A place that hands draw to is one of the model before.
        mood = replace(mood, place=Place(shift=mood.place.shift))
        number = (cursor.next or cursor.now).piece.number + 1
        self._coming = pointer

        def work() -> None:
            noted.wait(_NOTED_S)
            try:
                path, bounds = self._repertoire.path(pointer), self._repertoire.bounds(pointer)
                self._opened = self._made(pointer, path, bounds, (cursor.seed, number, mood), writer.instrument.model)
            except LatentError as error:
                self._opened = _Opened(pointer, problem=str(error))
            except Exception as error:
                self._opened = _Opened(pointer, problem=f"It cannot be played ({type(error).__name__}: {error}).")

        self._thread = threading.Thread(target=work, name="opening", daemon=True)
        self._thread.start()

    def _made(
        self, pointer: Pointer | None, path: Path, bounds: Bounds, begins: tuple[int, int, Mood], playing: str
    ) -> _Opened:
        bundle = read(path)
        if bundle.digest == playing:
            return _Opened(pointer)
        instrument, places = Instrument(bundle, bounds), self._room.places_in(bundle.digest)
        instrument.adopt(places.taste)
        seed, number, mood = begins
        # Composed here, for the room waits for the first piece.
        piece = instrument.composer.compose(seed, number, mood)
        return _Opened(pointer, Change(instrument, piece, mood, self._fade_s), places)

    def _arrive(self, opened: _Opened) -> bool:
        if opened.problem:
            name = "The model of the settings" if opened.pointer is None else shown(opened.pointer.name)
            self._repertoire.failed(opened.pointer, f"{name} does not play: {opened.problem}")
            return False
        self._repertoire.plays(opened.pointer)
        if opened.change is None or opened.places is None:
            return False
        self._room.change(opened.change, opened.places)
        self._kept_up_s = self._well_s = self._clock()
        return True
