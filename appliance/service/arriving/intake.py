"""Taking in the models that are copied to this machine: each is copied out of reach, tried, and kept or refused.

Everything happens in `Intake.turn`, which looks once and does what is due; it may be killed at any instant. Only when a
model is safe in the library, and chosen where it is to play, does it go from the folder that it was copied to.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.errors import ModelError
from appliance.folders import shown
from appliance.model.store import Entry, Pointer, Store
from appliance.model.verdict import Verdict
from appliance.service.arriving.incoming import Incoming, Kind, Stamp, Step, kind_of, parted
from appliance.service.arriving.pruning import Pruning
from appliance.service.arriving.rejected import Rejected, safe_name, why_not
from appliance.service.arriving.taking import copied, ends_whole, opened, seen, still
from appliance.settings import ModelSettings

__all__ = ["Intake", "Judge"]

Judge = Callable[[Path, str], Verdict]
"""Tries a file; given what sentences call it."""

_MIB: Final = 2**20
# Then what was accepted is chosen, before the next are looked at.
_MOST_TRIES: Final = 8
_MOST_STEPS: Final = 64
_HOUSEKEEP_EVERY_S: Final = 86_400.0


@dataclass(frozen=True)
class _Taken:
    name: str
    stamp: Stamp
    entry: Entry


class Intake:
    """Takes in what arrives in one folder.

    Parameters
    ----------
    folder : Path
        That models are copied to; it may come and go.
    rejected : Rejected
    store : Store
    settings : ModelSettings
    base : str
        The settings' ``[music] model``.
    judge : callable
        See `Judge`.
    say : callable
        Is given sentences for the log.
    clock, wall : callable
        Monotonic seconds, and seconds since 1970.
    """

    def __init__(
        self,
        folder: Path,
        rejected: Rejected,
        store: Store,
        settings: ModelSettings,
        base: str,
        judge: Judge,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.folder = folder
        self._rejected = rejected
        self._store = store
        self._settings = settings
        self._base = base
        self._judge = judge
        self._say = say
        self._clock = clock
        self._wall = wall
        self._incoming = Incoming()
        self._pruning = Pruning(store, rejected, settings, wall)
        self._housekeep_s = clock()
        self._store_ns: int | None = None
        self._tries = 0

    def turn(self) -> float:
        """Look once, and do what is due.

        Returns
        -------
        float
            Seconds until it should look again if nothing changes; may be infinite.

        Raises
        ------
        OSError
            If the folder is not there, or may not be read.
        """
        self._housekeep()
        self._tell_failed()
        with opened(self.folder) as folder:
            for name in self._incoming.see(seen(folder), self._clock()):
                self._rejected.retract(name)
            taken: list[_Taken] = []
            self._tries = 0
            for name, stamp, step in self._incoming.due(self._clock())[:_MOST_STEPS]:
                if self._tries < _MOST_TRIES:
                    self._do(name, stamp, step, folder, taken)
            self._finish(taken, folder)
        return self._incoming.patience_s(self._clock())

    def _do(self, name: str, stamp: Stamp, step: Step, folder: int, taken: list[_Taken]) -> None:
        """Do one thing with one file, which may have gone or changed since it was seen."""
        if not still(name, folder, stamp):
            self._incoming.forget(name)
            return
        try:
            if step is Step.LOOK and not ends_whole(name, folder, stamp):
                self._incoming.half(name)
            elif step in (Step.LOOK, Step.TRY):
                self._try(name, stamp, folder, taken)
            elif step is Step.TELL:
                self._tell_cut(name, stamp)
            else:
                self._clear(name, stamp, step, folder)
        except ModelError as error:
            self._put_off(name, _later(name, error))
        except OSError as error:
            self._fail(name, step, error)

    def _try(self, name: str, stamp: Stamp, folder: int, taken: list[_Taken]) -> None:
        if not self._pruning.has_room(stamp.size):
            self._put_off(
                name,
                f"There is no room for {shown(name)}: it needs {_mb(stamp.size)} and {self._settings.free_mb} MB must"
                f" stay free, but only {_mb(self._pruning.free_bytes() + self._settings.free_mb * _MIB)} are; make"
                " room, and it is taken within a minute.",
            )
            return
        copy = self._store.private()
        try:
            if not copied(name, folder, stamp, copy):
                self._incoming.forget(name)
                return
            self._tries += 1
            verdict = self._judge(copy, shown(name))
            if not verdict.accepted:
                self._refuse(name, stamp, verdict, folder)
            elif failed := self._failed_before(verdict.digest, stamp):
                self._incoming.refused(name, failed)
            else:
                entry = self._store.add(copy, parted(safe_name(name))[0], verdict, self._wall())
                taken.append(_Taken(name, stamp, entry))
        finally:
            with contextlib.suppress(OSError):
                copy.unlink(missing_ok=True)

    def _refuse(self, name: str, stamp: Stamp, verdict: Verdict, folder: int) -> None:
        if not still(name, folder, stamp):
            # What was judged is not what is there by now.
            self._incoming.forget(name)
        elif not verdict.judged:
            news = self._incoming.untried(name, verdict.reason, self._clock())
            self._tell_put_off(name, f"{verdict.reason} That is done here by itself within a minute.", news)
        elif verdict.whole and stamp.size > 0:
            self._incoming.refused(name, verdict.reason)
        else:
            self._incoming.cut(name, verdict.reason)

    def _failed_before(self, digest: str, stamp: Stamp) -> str:
        """Say why a model was taken back after this very file had been taken: it could not be removed then."""
        known = (entry for entry in self._store.entries() if entry.digest == digest)
        return next((entry.failed for entry in known if stamp.ctime_ns < entry.arrived_at * 1e9), "")

    def _finish(self, taken: list[_Taken], folder: int) -> None:
        """Let the last one that was accepted play, and clear all of them away."""
        if not taken:
            return
        try:
            plays = self._choose(taken[-1].entry)
        except ModelError as error:
            for each in taken:
                self._put_off(each.name, _later(each.name, error))
            return
        for each in taken:
            self._rejected.supersede(each.name)
            self._rejected.retract(f"{each.entry.file}.latent")
            self._say(f"{shown(each.name)} was accepted{' and is to play' if plays and each is taken[-1] else ''}.")
            if not still(each.name, folder, each.stamp):
                self._incoming.forget(each.name)
                continue
            try:
                os.unlink(each.name, dir_fd=folder)
                self._incoming.forget(each.name)
            except OSError as error:
                self._incoming.leave(each.name)
                self._say(f"{shown(each.name)} cannot be removed ({error.strerror}), so it stays where it is.")
        with self._heard():
            self._pruning.prune()

    def _choose(self, entry: Entry) -> bool:
        current = self._store.choice().current
        if self._settings.policy != "newest" or (current is not None and current.digest == entry.digest):
            return False
        self._store.choose(Pointer(digest=entry.digest, name=entry.verdict.name), self._base)
        return True

    def _tell_cut(self, name: str, stamp: Stamp) -> None:
        stays = f" The {stamp.size} bytes that are here stay for an hour, so the copy may be resumed, or begun again."
        self._tell(name, self._incoming.reason(name) + (stays if stamp.size > 0 else ""))
        self._incoming.told(name)

    def _clear(self, name: str, stamp: Stamp, step: Step, folder: int) -> None:
        """Take a file away for good."""
        kind = kind_of(name, stamp.mode)
        if step is not Step.ABANDON:
            reason = self._incoming.reason(name) if step is Step.REJECT and kind is Kind.MODEL else why_not(name, stamp)
            self._tell(name, reason)
        if kind is Kind.FOLDER:
            # Whoever is copying a whole folder would stumble.
            self._incoming.leave(name)
            return
        if step is Step.REJECT:
            self._rejected.move(name, folder)
        else:
            os.unlink(name, dir_fd=folder)
        self._incoming.forget(name)
        self._rejected.prune(self._wall())

    def _tell(self, name: str, reason: str) -> None:
        self._say(reason)
        self._rejected.tell(name, reason)

    def _put_off(self, name: str, reason: str) -> None:
        """Try a file again later, and say why."""
        self._tell_put_off(name, reason, self._incoming.no_room(name, self._clock()))

    def _tell_put_off(self, name: str, reason: str, news: bool) -> None:
        if news:
            # Where there is no room for a model, there may be none for a sentence.
            with contextlib.suppress(OSError):
                self._tell(name, reason)

    def _fail(self, name: str, step: Step, error: OSError) -> None:
        called = shown(name)
        if step in (Step.LOOK, Step.TRY) and isinstance(error, PermissionError):
            reason = f"{called} may not be read here: give all the right to read it (chmod 644), and copy it again."
            self._incoming.refused(name, reason)
        elif step in (Step.LOOK, Step.TRY):
            self._put_off(name, f"{called} cannot be copied ({error.strerror}); it is tried again within a minute.")
        else:
            self._incoming.leave(name)
            self._say(f"{called} stays in {shown(self.folder)}, for the disk refuses to move it ({error.strerror}).")

    def _housekeep(self) -> None:
        """Throw away what is old, once a day, and what an earlier life left half done."""
        if self._clock() >= self._housekeep_s:
            self._housekeep_s = self._clock() + _HOUSEKEEP_EVERY_S
            with self._heard():
                self._store.tidy()
                self._pruning.prune()

    def _tell_failed(self) -> None:
        """Say beside the rejected ones which models were taken back, where the library changed since the last look."""
        try:
            changed_ns = self._store.path("").parent.stat().st_mtime_ns
        except OSError:
            return
        if changed_ns == self._store_ns:
            return
        self._store_ns = changed_ns
        newest = {entry.file: entry for entry in self._store.entries()}
        for entry in newest.values():
            if entry.failed:
                with contextlib.suppress(OSError):
                    self._rejected.tell(f"{entry.file}.latent", entry.failed)

    @contextlib.contextmanager
    def _heard(self) -> Iterator[None]:
        try:
            yield
        except ModelError as error:
            self._say(str(error))


def _later(name: str, error: ModelError) -> str:
    """Say that a file waits for the library, and why."""
    if isinstance(error.__cause__, BlockingIOError):
        return f"{shown(name)} waits, for another process keeps the models locked; it is tried again within a minute."
    return f"{shown(name)} waits, and is tried again within a minute. {error}"


def _mb(size: float) -> str:
    return f"{max(size, 0.0) / _MIB:.1f} MB"
