"""When a file that is being copied here has arrived, whichever program copies it.

Nobody tells when a copy is complete. scp, sftp and cp write under the last name; rsync writes a hidden file and renames
it, or with --inplace writes over the old one; WinSCP and browsers add an ending of their own; a copy that broke off is
taken up minutes later where it stopped. So a file is judged by what is in it, and the time for which it has not changed
(size, inode, times) only says when it is worth looking:

    1 s     a model whose last bytes say that it is whole is tried
    5 s     what was tried and refused though it is whole goes to the rejected ones; so do links and devices
    15 s    any other model is tried too; one that is damaged or cut short is told of and stays, to be resumed
    60 s    files of other names and folders go to the rejected ones
    60 min  what is still cut short goes there as well, and so does what could still not be tried
    1 day   what another program has begun under a temporary name is thrown away

Whatever is larger than any model is thrown away at once. With every change all of it begins anew. What could not be
moved or thrown away is let be until it changes.
"""

import enum
import math
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from appliance.model.outside import SIZE_LIMIT

__all__ = ["SETTLE_S", "Incoming", "Kind", "Stamp", "Step", "kind_of", "parted"]

_SUFFIX: Final = ".latent"
_TEMPORARY: Final = (".filepart", ".part", ".partial", ".tmp", ".crdownload", "~")

SETTLE_S: Final = 1.0
_REFUSE_S: Final = 5.0
_TELL_S: Final = 15.0
_FOREIGN_S: Final = 60.0
_GIVE_UP_S: Final = 3600.0
_ABANDONED_S: Final = 86_400.0
_TRY_AGAIN_S: Final = 60.0


class Kind(enum.Enum):
    """What a name in the folder stands for."""

    MODEL = enum.auto()
    TEMPORARY = enum.auto()
    FOREIGN = enum.auto()
    FOLDER = enum.auto()
    ODD = enum.auto()
    """A link, a device, a pipe, a socket."""


class Step(enum.Enum):
    """What is to be done with a file now."""

    LOOK = enum.auto()
    """Try it, if its last bytes say that it is whole."""
    TRY = enum.auto()
    TELL = enum.auto()
    """Say why it is not taken, and let it be."""
    REJECT = enum.auto()
    DISCARD = enum.auto()
    """Throw it away, and say so."""
    ABANDON = enum.auto()
    """Throw it away without a word."""


class _Phase(enum.Enum):
    NEW = enum.auto()
    HALF = enum.auto()
    CUT = enum.auto()
    REFUSED = enum.auto()
    NO_ROOM = enum.auto()
    UNTRIED = enum.auto()
    LEFT = enum.auto()


@dataclass(frozen=True)
class Stamp:
    """A file as the disk knows it; as long as two are equal, nothing was written in between."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int
    mode: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Stamp":
        """Take what is needed from what `os.stat` gives."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_mode)


@dataclass
class _Watched:
    stamp: Stamp
    since_s: float
    phase: _Phase = _Phase.NEW
    reason: str = ""
    told: bool = False
    again_s: float = 0.0


def parted(name: str) -> tuple[str, str]:
    """Part the name of a model's file from its ending, which some systems write large; other names have none."""
    stem, suffix = name[: -len(_SUFFIX)], name[-len(_SUFFIX) :]
    return (stem, suffix) if suffix.lower() == _SUFFIX else (name, "")


def kind_of(name: str, mode: int) -> Kind:
    """Tell what a name and a mode stand for."""
    if stat.S_ISDIR(mode):
        return Kind.TEMPORARY if name.startswith(".") else Kind.FOLDER
    if not stat.S_ISREG(mode):
        return Kind.ODD
    if name.startswith(".") or name.lower().endswith(_TEMPORARY):
        return Kind.TEMPORARY
    return Kind.MODEL if parted(name)[1] else Kind.FOREIGN


class Incoming:
    """What is known of each file in the folder, and so what is to be done next; times are monotonic seconds."""

    def __init__(self) -> None:
        self._watched: dict[str, _Watched] = {}

    def patience_s(self, now_s: float) -> float:
        """Seconds until something is due if nothing changes; infinite where nothing will be."""
        plans = (_plan(name, each) for name, each in self._watched.items())
        return max(0.0, min((at_s for _, at_s in filter(None, plans)), default=math.inf) - now_s)

    def see(self, seen: Mapping[str, Stamp], now_s: float) -> list[str]:
        """Take in how the folder looks now.

        Returns
        -------
        list of str
            Names that something was told of which is no longer so: they changed, or are gone.
        """
        outdated = []
        for name, watched in list(self._watched.items()):
            if seen.get(name) != watched.stamp:
                del self._watched[name]
                if watched.told:
                    outdated.append(name)
        for name, stamp in seen.items():
            if name not in self._watched:
                self._watched[name] = _Watched(stamp, now_s)
        return outdated

    def due(self, now_s: float) -> list[tuple[str, Stamp, Step]]:
        """List what is to be done now, in the order in which the files were last touched."""
        plans = ((name, each.stamp, _plan(name, each)) for name, each in self._watched.items())
        found = [(name, stamp, plan[0]) for name, stamp, plan in plans if plan is not None and plan[1] <= now_s]
        # Not by mtime: scp -p and rsync -t bring that along from elsewhere.
        return sorted(found, key=lambda each: (each[1].ctime_ns, each[0]))

    def half(self, name: str) -> None:
        """Note that the last bytes of a file are not those of a whole one."""
        self._watched[name].phase = _Phase.HALF

    def cut(self, name: str, reason: str) -> None:
        """Note that a file was tried, and is damaged or cut short."""
        watched = self._watched[name]
        watched.phase, watched.reason = _Phase.CUT, reason

    def refused(self, name: str, reason: str) -> None:
        """Note that a file is whole, and why it is not taken."""
        watched = self._watched[name]
        watched.phase, watched.reason = _Phase.REFUSED, reason

    def no_room(self, name: str, now_s: float) -> bool:
        """Note that a file cannot be taken now, and is tried again later; gives whether this is news."""
        return self._put_off(name, _Phase.NO_ROOM, now_s)

    def untried(self, name: str, reason: str, now_s: float) -> bool:
        """Note that a file could not be tried, which is done again later for an hour; gives whether this is news."""
        self._watched[name].reason = reason
        return self._put_off(name, _Phase.UNTRIED, now_s)

    def reason(self, name: str) -> str:
        """Give the reason that was noted."""
        return self._watched[name].reason

    def told(self, name: str) -> None:
        """Note that it was said why a file is not taken."""
        self._watched[name].told = True

    def leave(self, name: str) -> None:
        """Note that nothing more can be done with a file, unless it changes."""
        self._watched[name].phase = _Phase.LEFT

    def forget(self, name: str) -> None:
        """Note that a file is gone, or must be looked at as if it were new."""
        self._watched.pop(name, None)

    def _put_off(self, name: str, phase: _Phase, now_s: float) -> bool:
        watched = self._watched[name]
        news = watched.phase is not phase
        watched.phase, watched.told, watched.again_s = phase, True, now_s + _TRY_AGAIN_S
        return news


def _plan(name: str, watched: _Watched) -> tuple[Step, float] | None:
    """Tell what is to be done next and when, if nothing changes until then."""
    if watched.phase is _Phase.LEFT:
        return None
    kind, since_s = kind_of(name, watched.stamp.mode), watched.since_s
    if stat.S_ISREG(watched.stamp.mode) and watched.stamp.size > SIZE_LIMIT:
        return Step.DISCARD, since_s
    if kind is Kind.MODEL:
        return _plan_of_model(watched)
    if kind is Kind.TEMPORARY:
        return Step.ABANDON, since_s + _ABANDONED_S
    return Step.REJECT, since_s + (_REFUSE_S if kind is Kind.ODD else _FOREIGN_S)


def _plan_of_model(watched: _Watched) -> tuple[Step, float]:
    match watched.phase:
        case _Phase.HALF:
            return Step.TRY, watched.since_s + _TELL_S
        case _Phase.REFUSED:
            return Step.REJECT, watched.since_s + _REFUSE_S
        # A file that ends its trial on purpose must not be tried for ever.
        case _Phase.UNTRIED if watched.again_s > watched.since_s + _GIVE_UP_S:
            return Step.REJECT, watched.since_s + _GIVE_UP_S
        case _Phase.NO_ROOM | _Phase.UNTRIED:
            return Step.TRY, watched.again_s
        case _Phase.CUT if watched.told:
            return Step.REJECT, watched.since_s + _GIVE_UP_S
        case _Phase.CUT:
            return Step.TELL, watched.since_s + _TELL_S
    return Step.LOOK, watched.since_s + SETTLE_S
