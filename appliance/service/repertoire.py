"""The repertoire: which model is to play, and what becomes of one that cannot be lived with.

What was chosen lies in the store, where the command line and whoever takes in new models change it; the engine looks
there, and goes back by itself when a model that has just begun lets it down.
"""

import dataclasses
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from appliance.errors import LatentError, ModelError
from appliance.folders import shown
from appliance.model.library import DEFAULT, find, place_of, pointer_to
from appliance.model.store import Choice, Pointer, Probation, Store
from appliance.score.territory import Bounds
from appliance.service.build import bounds_of
from appliance.service.chores import Chores
from appliance.settings import Settings

__all__ = ["PROBATION_S", "Repertoire"]

Built = TypeVar("Built")

PROBATION_S: Final = 600.0
# A machine that was restarted so often before a model had lasted for ten minutes may have been brought down by it.
_MOST_BOOTS: Final = 3
# The playlist's hours are written down so often, for a box that is switched off every night.
_NOTE_EVERY_S: Final = 3600.0
_TRY_EVERY_S: Final = 60.0
_MOST_UNWRITTEN: Final = 16


class Repertoire:
    """Knows which model is to play; for the engine's thread alone.

    Parameters
    ----------
    store : Store
    settings : Settings
    say : callable
        Told in one sentence of what was taken back, and why.
    boot : str
        Which start of the machine this is.
    clock : callable
        Monotonic seconds.

    Attributes
    ----------
    playing : Pointer or None
        What plays; None is the model of the settings.
    trouble : str
        Why a model that was chosen does not play; empty where it does.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        say: Callable[[str], None],
        boot: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.playing: Pointer | None = None
        self.trouble = ""
        self._store = store
        self._settings = settings
        self._base = settings.music.model
        self._say = say
        self._boot = boot
        self._clock = clock
        self._seen: tuple[int, int, int] | None = None
        self._choice = Choice()
        # What a full disk has refused so far.
        self._unwritten: deque[Callable[[Choice], Choice]] = deque(maxlen=_MOST_UNWRITTEN)
        self._chores = Chores(say)
        self._chores.start()
        self._refused: Pointer | None = None
        self._probation_s: float | None = None
        self._begun = False
        self._entry = 0
        self._played_s = 0.0
        self._ticked_s = clock()
        self._noted_s = clock()
        self._tried_s = clock()

    # --- beginning

    def opened(self, build: Callable[[Path, Bounds], Built], own: bool) -> Built:
        """Open what was chosen, or what is there instead.

        Parameters
        ----------
        build : callable
            Given the file of a model and its bounds.
        own : bool
            False: nothing but the model of the settings.

        Raises
        ------
        ModelError
            If that cannot be opened either.
        """
        for pointer in self._candidates() if own else []:
            try:
                built = build(self.path(pointer), self.bounds(pointer))
            except ModelError as error:
                self.failed(pointer, f"{shown(pointer.name)} does not play: {error}")
                continue
            self._begin(pointer)
            return built
        built = build(self.path(None), self.bounds(None))
        self._begin(None)
        return built

    def play_shipped(self) -> bool:
        """Take the model that is shipped for that of the settings, which cannot be used; False where it is that one."""
        before, self._base = self._base, DEFAULT
        return before != DEFAULT

    def path(self, pointer: Pointer | None) -> Path:
        """Where a model lies. Raises ModelError."""
        return find(self._base) if pointer is None else place_of(pointer, self._store)

    def bounds(self, pointer: Pointer | None) -> Bounds:
        """Within which the score stays: the territory is one of the model that the settings name."""
        bounds, music = bounds_of(self._settings.music), self._settings.music
        own = pointer is None and self._base == music.model
        return bounds if own else dataclasses.replace(bounds, kept=())

    # --- going on

    def wanted(self) -> Pointer | None:
        """Give what is to play now; costs no more than a look at whether the file has changed."""
        current = self._look().current
        if self._refused is not None and current == self._refused and not self._chosen_again():
            # It was taken back, and the disk does not know yet.
            return self.playing
        self._refused = None
        return current

    def _chosen_again(self) -> bool:
        """Whether somebody has chosen what was taken back: whoever chooses begins a probation, in no boot yet."""
        probation = self._choice.probation
        return probation is not None and probation.boot is None

    def take(self, pointer: Pointer | None) -> threading.Event:
        """Note that the engine is about to open another model: from now on it is on probation.

        Returns
        -------
        Event
            Set once that is on the disk: should the model take the process down, the next one knows which it was.
        """
        if pointer is not None:
            self._note_probation(pointer, heard=False)
        noted = threading.Event()
        self._chores.add(noted.set)
        return noted

    def plays(self, pointer: Pointer | None) -> None:
        """Note that it plays."""
        self.playing, self.trouble = pointer, ""
        self._entry = self._entry_of(pointer)
        self._played_s, self._noted_s = 0.0, self._clock()
        self._probation_s = None
        if pointer is not None:
            self._probation_s = self._clock()
            self._note_probation(pointer)

    def failed(self, pointer: Pointer | None, why: str) -> None:
        """Take back a model that was chosen; what played before it is chosen again.

        Parameters
        ----------
        why : str
            One sentence.
        """
        self.trouble = why
        self._say(why)
        if pointer == self.playing:
            self._probation_s = None
        if pointer is None or self._look().current != pointer:
            return
        self._refused = pointer
        self._change(lambda known: known.gone_back(stay=False) if known.current == pointer else known)
        self._chores.add(lambda: self._store.fail(pointer.digest, why))

    def tick(self) -> None:
        """Let time pass: a model that has lasted is off probation, and a playlist goes on. To be called often."""
        now_s = self._clock()
        passed_s, self._ticked_s = now_s - self._ticked_s, now_s
        self._go_through_probation(now_s)
        if self._unwritten and now_s - self._tried_s >= _TRY_EVERY_S:
            self._tried_s = now_s
            for _ in range(len(self._unwritten)):
                self._chores.add(partial(self._write, self._unwritten.popleft()))
        if self._settings.model.playlist:
            self._played_s += passed_s
            self._go_through_playlist(now_s)

    @property
    def probation_s(self) -> float | None:
        """Seconds for which what plays is still on probation."""
        return None if self._probation_s is None else PROBATION_S - (self._clock() - self._probation_s)

    def end(self) -> None:
        """Note that the engine ends on purpose."""
        if self._probation_s is not None:
            self._change(_off_duty)
        if self._settings.model.playlist:
            self._note_played()

    def close(self) -> None:
        """Let the disk have what it has not yet; any number of times."""
        self._chores.close()

    # --- within

    def _candidates(self) -> list[Pointer]:
        """Give what to begin with, and what instead where that cannot be opened.

        A model under which an engine died before it had lasted is taken back first.
        """
        choice, base = self._look(), self._settings.music.model
        if choice.base != base and self._store.folder.is_dir():
            # Who has named another model in the settings since something was chosen means that one.
            choice = self._change(partial(Choice.chosen, pointer=None, base=base))
        if not self._begun:
            choice = self._judge_earlier_life(choice)
        entries = self._settings.model.playlist
        if entries and choice.current is None:
            self._entry = len(entries) - 1
            self._play_next(self._clock())
            choice = self._choice
        self._played_s = choice.played_s
        if choice.current is None:
            return []
        # What was taken back just now may still be what the disk knows.
        return [each for each in (choice.current, choice.previous) if each not in (None, self._refused)]

    def _begin(self, pointer: Pointer | None) -> None:
        """Note that this model was opened and plays."""
        self.playing, self._begun = pointer, True
        probation = self._look().probation
        if pointer is not None and probation is not None and probation.digest == pointer.digest:
            # One that has been gone back to may not have lasted before, either.
            self._probation_s = self._clock()
            self._note_probation(pointer, probation.boots + (probation.boot not in (None, self._boot)))
        self._entry = self._entry_of(pointer)

    def _judge_earlier_life(self, choice: Choice) -> Choice:
        """Take back a model under which an engine died, or the machine went down again and again."""
        probation, current = choice.probation, choice.current
        if probation is None or current is None or probation.digest != current.digest or probation.boot is None:
            return choice
        name = shown(current.name)
        if probation.boot == self._boot:
            why = f"{name} was taken back: the engine died before it had played it for ten minutes; try another export."
        elif probation.boots >= _MOST_BOOTS:
            why = (
                f"{name} was taken back: the machine was restarted {probation.boots} times before it had played it for"
                " ten minutes; choose it again if that was no fault of it."
            )
        else:
            return choice
        self.failed(current, why)
        return self._choice

    def _note_probation(self, pointer: Pointer, boots: int = 1, heard: bool = True) -> None:
        """Note who is on probation in this life, unless another was chosen meanwhile."""
        probation = Probation(digest=pointer.digest, boot=self._boot, boots=boots, heard=heard)
        self._change(partial(_with_probation, pointer=pointer, probation=probation))

    def _note_played(self) -> None:
        played_s = self._played_s
        self._change(lambda known: known.model_copy(update={"played_s": played_s}))

    def _look(self) -> Choice:
        """Read what was chosen, where the file has changed."""
        try:
            there = (self._store.folder / "choice.json").stat()
            seen = (there.st_mtime_ns, there.st_ino, there.st_size)
        except OSError:
            seen = (0, 0, 0)
        if seen != self._seen:
            self._seen, known = seen, self._store.seen()
            if known is None:
                self._say("What plays was written down and cannot be read any more, so the music stays as it is.")
            else:
                self._choice = known
        return self._choice

    def _change(self, change: Callable[[Choice], Choice]) -> Choice:
        """Change what was chosen: here at once, and on the disk as soon as that lets us."""
        # Neither a slow disk nor somebody who holds its lock may keep the music waiting.
        self._choice = change(self._choice)
        self._chores.add(partial(self._write, change))
        return self._choice

    def _write(self, change: Callable[[Choice], Choice]) -> None:
        try:
            self._store.note(change)
        except ModelError as error:
            if not self._unwritten:
                self._say(str(error))
            self._unwritten.append(change)

    def _go_through_probation(self, now_s: float) -> None:
        """Let a model be that has lasted; one that was chosen once more begins again."""
        choice, playing = self._look(), self.playing
        if playing is None or choice.current != playing or self._refused is not None:
            return
        probation = choice.probation
        if self._probation_s is None:
            if probation is not None and probation.boot != self._boot:
                self._probation_s = now_s
                self._note_probation(playing)
        elif now_s - self._probation_s >= PROBATION_S:
            self._probation_s = None
            self._change(partial(_with_probation, pointer=playing, probation=None))
        elif probation is None or probation.boot != self._boot:
            self._note_probation(playing)

    def _go_through_playlist(self, now_s: float) -> None:
        entries = self._settings.model.playlist
        if self._played_s >= entries[self._entry].hours * 3600.0:
            self._play_next(now_s)
        elif now_s - self._noted_s >= _NOTE_EVERY_S:
            self._noted_s = now_s
            self._note_played()

    def _play_next(self, now_s: float) -> None:
        """Choose the next entry of the playlist that is there."""
        entries = self._settings.model.playlist
        self._played_s, self._noted_s = 0.0, now_s
        for step in range(1, len(entries) + 1):
            number = (self._entry + step) % len(entries)
            try:
                pointer = pointer_to(entries[number].model, self._store)
            except LatentError as error:
                self._say(f"The playlist passes over {shown(entries[number].model)}: {error}")
                continue
            self._entry = number
            self._change(partial(Choice.chosen, pointer=pointer, base=self._settings.music.model))
            return

    def _entry_of(self, pointer: Pointer | None) -> int:
        """Where in the playlist a model is; a guest counts as the entry that it came in."""
        for number, entry in enumerate(self._settings.model.playlist):
            if pointer is not None and entry.model in (pointer.name, pointer.digest[: len(entry.model)]):
                return number
        return self._entry


def _with_probation(known: Choice, pointer: Pointer, probation: Probation | None) -> Choice:
    return known.model_copy(update={"probation": probation}) if known.current == pointer else known


def _off_duty(known: Choice) -> Choice:
    """Note that the engine under which a model is on probation ended on purpose."""
    if known.probation is None:
        return known
    return known.model_copy(update={"probation": known.probation.model_copy(update={"boot": None})})
