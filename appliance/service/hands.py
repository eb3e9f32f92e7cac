"""Hands: reads all sources, lets the desk say where everything stands, and moves the room there."""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from appliance.controls.desk import Action, Desk
from appliance.controls.mapping import Ends
from appliance.controls.reader import Told
from appliance.errors import LatentError, UsageError
from appliance.mood import QUANTITIES, STEERED, Mood
from appliance.service.chores import Chores
from appliance.service.knob_ends import Calibration
from appliance.service.listed import listed
from appliance.service.readings import Readings
from appliance.service.room import Room
from appliance.service.scenes import Scenes
from appliance.service.sparing import Sparing
from appliance.service.stood import Stood
from appliance.service.wires import Wires
from appliance.settings import Settings

__all__ = ["Hands"]

Clock = Callable[[], float]

# A hand is followed a hundred times a second; with nothing wired, only scenes and their like go on by themselves.
_TURN_S: Final = 0.01
_IDLE_TURN_S: Final = 0.1
# What glides by itself goes in steps, since each makes the future anew: smaller ones would not be heard.
_STEP_EVERY_S: Final = 1.5
_STEP: Final = 0.005
_TELL_EVERY_S: Final = 0.05
_NOTE_EVERY_S: Final = 1.0
_NOTE_TOUCHED_S: Final = 0.1
# No sound is shorter.
_LISTEN_EVERY_S: Final = 0.5
_PATIENCE_S: Final = 1.0


class Hands:
    """All that moves the room, in one thread beside the one that writes.

    Parameters
    ----------
    settings : Settings
    room : Room
    wires : Wires
        Where sources come from, and where the state of the room goes.
    runtime, state : Path
        Folders: for where things stand while the machine is on, and for what survives it.
    say : callable
        Told in one sentence of what a press could not do.
    clock : callable
        Monotonic seconds.
    """

    def __init__(
        self,
        settings: Settings,
        room: Room,
        wires: Wires,
        runtime: Path,
        state: Path,
        say: Callable[[str], None],
        clock: Clock,
    ) -> None:
        say = Sparing(say, clock)
        self.scenes = Scenes(state, say)
        self.calibration = Calibration(state, say)
        self._settings = settings
        self._room = room
        self._wires = wires
        self._stood, self._stood_before = Stood(runtime / "hands"), Stood(state / "hands.json")
        self._say = say
        self._clock = clock
        self._lock = threading.RLock()
        self._desk: Desk | None = None
        self._readings: Readings | None = None
        self._asked: deque[Action] = deque()
        self._chores = Chores(say)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._sent: dict[str, float] = {}
        self._sent_s = self._told_s = self._noted_s = self._listened_s = 0.0
        self._noting = False

    def begin(self, mood: Mood, goes_on: bool) -> None:
        """Take over where the room stands, once; `goes_on` where that was reached before this process began."""
        now_s = self._clock()
        stood = (self._stood.read() or self._stood_before.read() or {}) if goes_on else {}
        awake = stood.pop("awake", 1.0)
        settings, standing = self._settings, mood.quantities() | stood
        self._readings = Readings(self._wires.buses(), self._clock)
        desk = Desk(self._wires.controls, settings.combine, settings.presence, standing, now_s, goes_on, awake)
        for name in desk.channels:
            learned = self.calibration.get(name)
            desk.calibrate(name, None if learned is None else Ends(*learned))
        self._desk = desk
        self._sent = desk.values()
        if self._mood(self._sent) != mood:
            # Corners were stored, or what was noted last is newer than what sounds.
            self._room.writer.move(self._mood(self._sent))

    def start(self) -> None:
        """Begin to read and to move, in threads of their own."""
        self._chores.start()
        self.readings.start()
        self._thread = threading.Thread(target=self._run, name="hands", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop; any number of times."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_PATIENCE_S)
        if self._readings is not None:
            self._readings.close()
        if self._desk is not None:
            self._chores.add(self._note_standing)
        self._chores.close()
        self._wires.close()

    def turn(self) -> None:
        """Take what came in, let time pass, and move the room if something moved."""
        for part in self._parts:
            part()

    def keep(self) -> None:
        """Write down where everything stands, for the next time the machine is on."""
        self._stood_before.note(self._standing_and_awake())

    @property
    def desk(self) -> Desk:
        """Where all controls come together."""
        assert self._desk is not None
        return self._desk

    @property
    def readings(self) -> Readings:
        """What all controls tell."""
        assert self._readings is not None
        return self._readings

    # --- what the control socket asks for, from any thread

    def set(self, values: Mapping[str, float], morph_s: float = 0.0) -> None:
        """Move some of what can be moved; it is under way when this returns."""
        now_s = self._clock()
        with self._lock:
            self.desk.set(values, now_s, morph_s)
            self._move(now_s, at_once=True)

    def renew(self) -> None:
        """Move the room to where everything stands, because what that means has changed."""
        with self._lock:
            self._sent = self.desk.values()
            self._room.writer.move(self._mood(self._sent))

    def standing(self) -> dict[str, float]:
        """Where everything stands, as if somebody were there."""
        with self._lock:
            return self.desk.standing()

    def standing_mood(self) -> Mood:
        """The mood, so too: what a morning goes on with."""
        return self._mood(self.standing())

    def act(self, action: Action) -> None:
        """Do what a press asks for; what cannot be done is said."""
        try:
            self._act(action)
        except LatentError as error:
            self._say(str(error))

    def recall_scene(self, name: str, morph_s: float | None) -> float:
        """Go to a scene; gives the seconds that takes."""
        morph_s = self._settings.scenes.morph_s if morph_s is None else morph_s
        self.set(self.scenes.recall(name), morph_s)
        return morph_s

    def calibrate(self, name: str, ends: tuple[float, float] | None) -> None:
        """Keep and use the ends of a control; None forgets them. Raises UsageError, LatentError."""
        if name not in self.desk.channels:
            known = ", ".join(self.desk.channels) or "none in the settings"
            raise UsageError(f"There is no control called {name!r}: there are {known}.")
        if ends is None:
            self.calibration.forget(name)
        else:
            self.calibration.learn(name, *ends)
        with self._lock:
            self.desk.calibrate(name, None if ends is None else Ends(*ends))

    def controls(self) -> list[dict[str, Any]]:
        """Give every control as the control socket tells it."""
        now_s = self._clock()
        with self._lock:
            values = self.desk.values()
            return [
                listed(
                    each,
                    self.calibration.get(name),
                    self.readings.age_s(name, now_s),
                    self.desk.moves_now(each),
                    None if each.control.moves is None else values[each.control.moves],
                )
                for name, each in self.desk.channels.items()
            ]

    def troubles(self) -> dict[str, str]:
        """Give the controls that are in trouble, and why."""
        with self._lock:
            channels = self.desk.channels.values()
            return {each.name: each.trouble for each in channels if each.trouble is not None}

    # --- how

    @property
    def _parts(self) -> tuple[Callable[[], None], ...]:
        return self._follow, self._answer, self._tell, self._note

    def _run(self) -> None:
        wait_s = _TURN_S if self._wires.busy else _IDLE_TURN_S
        while not self._stop.wait(wait_s):
            for part in self._parts:
                try:
                    part()
                except Exception as error:
                    # A fault of ours must not freeze all knobs for months.
                    self._say(f"The hands stumbled ({type(error).__name__}: {error}); they go on.")

    def _follow(self) -> None:
        now_s = self._clock()
        with self._lock:
            touched_s = self.desk.touched_s
            for told in self.readings.told():
                self._take(told, now_s)
            self._look_for_silence(now_s)
            self.desk.turn(now_s)
            self._move(now_s, at_once=self.desk.touched_s != touched_s)

    def _answer(self) -> None:
        """Do what was asked for by presses, and by our own addresses."""
        self._asked += self._wires.asked(self.set)
        while self._asked:
            self.act(self._asked.popleft())

    def _tell(self) -> None:
        now_s = self._clock()
        if now_s - self._listened_s >= _LISTEN_EVERY_S:
            self._listened_s = now_s
            self._room.listen()
        if self._wires.tells and now_s - self._told_s >= _TELL_EVERY_S:
            self._told_s = now_s
            with self._lock:
                values = self.desk.values()
            self._wires.tell(self._room.state(values, round(now_s * 1e9)))

    def _note(self) -> None:
        now_s = self._clock()
        # What a hand did is to survive at once; what goes by itself goes on from about there.
        every_s = _NOTE_TOUCHED_S if self.desk.touched_s >= self._noted_s else _NOTE_EVERY_S
        if now_s - self._noted_s >= every_s and not self._noting:
            self._noted_s, self._noting = now_s, True
            self._chores.add(self._note_standing)

    def _note_standing(self) -> None:
        try:
            self._stood.note(self._standing_and_awake())
        finally:
            self._noting = False

    def _standing_and_awake(self) -> dict[str, float]:
        """Where everything stands, and how far the room is from dimmed, which is none of that."""
        return self.standing() | {"awake": round(self.desk.awake, 2)}

    def _take(self, told: Told, now_s: float) -> None:
        trouble = told.trouble
        if trouble is None:
            try:
                self._asked += self.desk.take(told.name, told.events, now_s)
            except Exception as error:
                # A fault of ours in one must not hold up the others.
                trouble = f"cannot be followed ({type(error).__name__}: {error})"
        if trouble is not None:
            self.desk.fail(told.name, trouble, now_s)

    def _look_for_silence(self, now_s: float) -> None:
        """Find sources whose reader hangs."""
        for name, channel in self.desk.channels.items():
            silent_s = self.readings.silent_s(name, now_s)
            if silent_s > channel.control.stale_s and channel.trouble is None:
                self.desk.fail(name, f"has given no reading for {silent_s:.1f} s: look at its wires", now_s)

    def _move(self, now_s: float, at_once: bool) -> None:
        """Move the room if it is worth it."""
        values = self.desk.values()
        moved = {
            name: abs(value - self._sent.get(name, value)) / (STEERED[name].high - STEERED[name].low)
            for name, value in values.items()
        }
        # The player's fader needs nothing made anew.
        volume, largest = moved.pop("volume"), max(moved.values())
        step = largest > 0.0 if at_once or not self.desk.moving else largest >= _STEP
        due = at_once or now_s - self._sent_s >= _STEP_EVERY_S
        if step and due:
            self._sent_s = now_s
            self._sent = values
        elif volume:
            self._sent = self._sent | {"volume": values["volume"]}
        else:
            return
        self._room.writer.move(self._mood(self._sent))

    def _mood(self, values: Mapping[str, float]) -> Mood:
        return Mood().but({name: values[name] for name in QUANTITIES}, self._room.place(values))

    def _act(self, action: Action) -> None:
        room = self._room
        if action.does == "next":
            room.writer.next_piece()
        elif action.does in ("keep", "never"):
            note, heard = room.keep if action.does == "keep" else room.never, room.heard()
            self._chores.add(lambda: note(None, heard))
        elif action.does == "rest":
            self.set({name: each.rest for name, each in STEERED.items()}, self._settings.scenes.morph_s)
        elif action.does == "save":
            standing = self.standing()
            self._chores.add(lambda: self.scenes.save(action.scene, standing))
        else:
            self.recall_scene(action.scene, None)
