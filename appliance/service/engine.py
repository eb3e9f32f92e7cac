"""The engine's process: ring, timeline and writer, and the socket by which hands reach it."""

import ctypes
import dataclasses
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from appliance.api.server import Server
from appliance.engine.log import Log, inputs_of
from appliance.engine.saved import Saved
from appliance.engine.timeline import Timeline
from appliance.engine.writer import Writer
from appliance.errors import ApiError, AudioFileError, ModelError, RingError
from appliance.folders import cache_folder, state_folder
from appliance.health.liveness import engine_verdict
from appliance.health.watchdog import Watchdog
from appliance.model.library import folders
from appliance.model.store import Store
from appliance.mood import Mood
from appliance.score.territory import Bounds
from appliance.service.asked import Asked
from appliance.service.build import build_timeline
from appliance.service.changing import Changing
from appliance.service.factory import ensure
from appliance.service.hands import Hands
from appliance.service.ladder import Ladder, Rung
from appliance.service.mornings import Morning, Mornings
from appliance.service.repertoire import Repertoire
from appliance.service.room import Room
from appliance.service.wires import Wires
from appliance.settings import BUILT_IN_BEDS, Settings
from appliance.stream.inlet import Inlet
from appliance.stream.layout import boot_id
from appliance.stream.ring import Ring, claim, open_ring

__all__ = ["run"]

Say = Callable[[str], None]

# How soon the engine sees that the player has made its ring, and has taken a turn.
_GLANCE_S: Final = 0.02
_TURNING_S: Final = 0.004
_PATIENCE_S: Final = 3.0
_TIDY_EVERY_S: Final = 10.0
_RUNGS: Final = (
    "",
    "After several crashes the engine starts without controls.",
    "After more crashes the engine starts without controls, and with the shipped model and weather.",
    "After still more crashes the engine starts without controls or control socket, and with the shipped model.",
)


def run(
    settings: Settings, folder: Path, stop: threading.Event, say: Say, watchdog: Watchdog, trouble: str = ""
) -> None:
    """Keep the ring of a folder full until told to stop; ``trouble`` is what was wrong with its settings.

    Raises
    ------
    RingError
        If another engine runs there.
    ModelError
        If the shipped model cannot be used either, or the model gives what is no sound.
    """
    lock = claim(folder, "engine")
    ladder = Ladder(folder)
    rung = ladder.climb()
    if _RUNGS[rung.number]:
        say(_RUNGS[rung.number])
    engine = _Engine(settings, rung, folder, say, watchdog, lambda: stop.is_set() or watchdog.orphaned, trouble)
    try:
        while engine.attach():
            engine.fill(ladder)
        watchdog.stopping()
        ladder.ended()
        engine.end()
    finally:
        engine.close()
        os.close(lock)


class _Engine:
    """Goes from ring to ring; there is another when the card has changed."""

    def __init__(
        self,
        settings: Settings,
        rung: Rung,
        folder: Path,
        say: Say,
        watchdog: Watchdog,
        stopped: Callable[[], bool],
        trouble: str,
    ) -> None:
        self._settings = settings
        self._rung = rung
        self._folder = folder
        self._say = say
        self._watchdog = watchdog
        self._ready = False
        self._stopped = stopped
        self._trouble = trouble
        self._began_s = time.monotonic()
        self._timeline: Timeline | None = None
        self._writer: Writer | None = None
        self._ring: Ring | None = None
        self._server: Server | None = None
        self._room = Room(state_folder(), say)
        store = Store(folders()[0])
        # An engine that crashed again and again plays what is shipped.
        known = settings if rung.own_model else Settings()
        self._repertoire = Repertoire(store, known, say, boot_id().hex())
        self._changing = Changing(self._repertoire, self._room, settings.model.crossfade_s)
        # What breaks most in a gallery is wiring: an engine that crashed again and again starts without any.
        wired = settings if rung.controls else Settings()
        self._wires = Wires(wired, folder, say)
        self._hands = Hands(wired, self._room, self._wires, folder, state_folder(), say, time.monotonic)
        self._mornings = Mornings(state_folder(), say)
        self._morning: Morning | None = None
        self._place: Saved | None = None
        self._piece = -1
        self._factory_for: Timeline | None = None
        self._tidied_s = 0.0

    def attach(self) -> bool:
        """Wait for a ring and begin to fill it, or go on where it was left; False when told to stop."""
        ring = self._await_ring()
        if ring is None:
            return False
        timeline = self._timeline_for(ring)
        self._room.enter(timeline)
        writer = Writer(Inlet(ring), timeline, Log(inputs_of(timeline, self._settings.sound)))
        goes_on = writer.begin(self._beginning)
        first, self._writer = self._writer is None, writer
        self._room.play(writer, ring)
        if first:
            self._hands.begin(writer.mood, goes_on or (self._morning is not None and self._morning.resume is not None))
            self._hands.start()
        else:
            # A hand may have moved the one before, since its place was kept.
            self._hands.renew()
        self._ring = ring
        self._note_facts(writer)
        if self._server is None and self._rung.api:
            self._listen()
        return True

    def fill(self, ladder: Ladder) -> None:
        """Fill the ring until told to stop, or until there is another."""
        writer = self._writer
        assert writer is not None
        while not self._stopped():
            try:
                did = writer.turn()
                if self._rung.own_model and self._change(writer):
                    return
            except RingError:
                # The player made another, or we do: what is in memory goes on there.
                self._place = writer.place()
                return
            except ModelError as error:
                if not self._take_back(f"{writer.instrument.name} was taken back: {error}"):
                    raise
                return
            verdict = engine_verdict(writer.seen)
            if verdict.healthy:
                self._well()
                ladder.healthy()
            if did:
                self._note_piece(writer)
                continue
            if writer.seen.reserve_full:
                self._idle()
            writer.news.wait(_TURNING_S if writer.turning else _GLANCE_S)
            writer.news.clear()
        self._keep_place(writer.place())

    def end(self) -> None:
        """Note that it ends on purpose, and not because of what it plays."""
        self._repertoire.end()

    def _change(self, writer: Writer) -> bool:
        """See to it that the model plays that was chosen; gives whether all must begin anew with another."""
        if self._changing.look(writer):
            # Where the room stands means other places now.
            self._hands.renew()
            self._note_facts(writer)
        why = self._changing.lets_down(writer)
        return bool(why) and self._take_back(why)

    def _take_back(self, why: str) -> bool:
        """Go back to the model that played before, if what plays was chosen and is on probation."""
        if self._repertoire.probation_s is None or self._repertoire.playing is None:
            return False
        self._changing.give_up(why)
        self._timeline, self._place = None, self._room.writer.place()
        return True

    def close(self) -> None:
        """Stop listening, and let go of what is wired."""
        if self._server is not None:
            self._server.close()
        self._hands.close()
        self._repertoire.close()

    def _await_ring(self) -> Ring | None:
        waited_since_s, told = time.monotonic(), False
        while not self._stopped():
            try:
                return open_ring(self._folder, writable=True)
            except RingError as error:
                if not told and time.monotonic() - waited_since_s > _PATIENCE_S:
                    self._say(f"{error} The engine waits for the player.")
                    told = True
            # Waiting is all there is to do, and no fault of this process.
            self._well()
            time.sleep(_GLANCE_S)
        return None

    def _well(self) -> None:
        if not self._ready:
            self._watchdog.ready()
            self._ready = True
        self._watchdog.alive()

    def _timeline_for(self, ring: Ring) -> Timeline:
        timeline = self._timeline
        if timeline is None or (timeline.rate, timeline.channels) != (ring.rate, ring.channels):
            timeline = self._timeline = self._open(ring)
        return timeline

    def _open(self, ring: Ring) -> Timeline:
        """Open what was chosen to be played, or what is there instead; what is shipped is last. Raises ModelError."""
        # A folder of recordings may be on a stick that was pulled out.
        beds = self._settings.music.beds if self._rung.own_model else BUILT_IN_BEDS

        def build(path: Path, bounds: Bounds) -> Timeline:
            sound = self._settings.sound
            return build_timeline(str(path), ring.rate, ring.channels, beds, sound, self._say, bounds)

        while True:
            try:
                return self._repertoire.opened(build, self._rung.own_model)
            except AudioFileError as error:
                if beds == BUILT_IN_BEDS:
                    raise
                beds = BUILT_IN_BEDS
                self._lack(f"{error} Meanwhile it is the shipped weather.")
            except ModelError as error:
                if not self._repertoire.play_shipped():
                    raise
                self._lack(f"{error} Meanwhile the shipped model plays.")

    def _lack(self, sentence: str) -> None:
        """Tell of something that the settings name and that is not there."""
        self._trouble = f"{self._trouble} {sentence}".lstrip()
        self._say(sentence)

    def _beginning(self) -> Saved:
        """Give cursor and mood to begin with where the ring holds nothing to go on with."""
        assert self._timeline is not None
        timeline, place = self._timeline, self._place
        if place is None:
            self._morning = self._mornings.begin(self._settings.music)
            place = self._morning.resume
        if place is not None and place.cursor.model == timeline.model:
            # The beds count in frames, which may be others now.
            bed = None if timeline.beds is None else timeline.beds.first(place.cursor.seed)
            cursor = dataclasses.replace(place.cursor, bed=bed, trail=(), leaving=None)
            return dataclasses.replace(place, cursor=cursor)
        mood = Mood.parse(f"{name}={value}" for name, value in self._settings.mood.items())
        if place is not None:
            # In another model the music does not begin from the first piece again.
            number = place.cursor.now.piece.number + 1
            return Saved(timeline.start(place.cursor.seed, mood, number), mood, 0)
        assert self._morning is not None
        return Saved(timeline.start(self._morning.seed, mood), mood, 0)

    def _note_piece(self, writer: Writer) -> None:
        place = writer.place()
        if place.cursor.now.piece.number != self._piece:
            self._piece = place.cursor.now.piece.number
            self._keep_place(place)

    def _keep_place(self, place: Saved) -> None:
        # A room that is dimmed because nobody is there is not to begin so.
        if self._mornings.keep_place(dataclasses.replace(place, mood=self._hands.standing_mood())):
            self._hands.keep()

    def _idle(self) -> None:
        """Do what can wait until there is nothing else to do."""
        if self._factory_for is not self._timeline and self._timeline is not None:
            self._factory_for = self._timeline
            trouble = ensure(self._timeline, cache_folder() / "factory")
            if trouble:
                self._say(trouble)
        now_s = time.monotonic()
        if now_s - self._tidied_s > _TIDY_EVERY_S:
            self._tidied_s = now_s
            _give_back_memory()

    def _listen(self) -> None:
        try:
            asked = Asked(self._room, self._hands, self._wires, self.status, self._rung.controls)
            self._server = Server(self._folder / "control", asked, self._say)
        except ApiError as error:
            # The music matters more.
            self._say(str(error))

    def _note_facts(self, writer: Writer) -> None:
        """Write into the ring what can be told even when this process is gone."""
        assert self._ring is not None
        facts = {
            "seed": writer.place().cursor.seed,
            "model": writer.instrument.name,
            "digest": writer.instrument.model,
            "boots": _told(self._ring).get("boots") if self._morning is None else self._morning.boots,
            "rung": self._rung.number,
        }
        self._ring.facts.write(json.dumps(facts).encode())

    def status(self) -> dict[str, Any]:
        """Tell what only the engine knows."""
        writer = self._room.writer
        piece = writer.place().cursor.now.piece
        verdict = engine_verdict(writer.seen)
        return {
            "piece": piece.number,
            "pattern": piece.pattern,
            "healthy": verdict.healthy,
            "health": verdict.reason,
            "uptime_s": time.monotonic() - self._began_s,
            "model": self._changing.told(writer),
            "settings_trouble": self._trouble,
        }


def _told(ring: Ring) -> dict[str, Any]:
    """What an engine said of itself before."""
    try:
        told = json.loads(ring.facts.read() or b"{}")
    except ValueError:
        told = {}
    return told if isinstance(told, dict) else {}


def _give_back_memory() -> None:
    """Let the system have what was needed only while something large was made."""
    # The C library keeps it otherwise; one that is not GNU's has no such call, and no such habit.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
