"""Make the process fit for playing: nothing swapped out, nothing collected, and first in the queue for a core."""

import ctypes
import gc
import os
import resource
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["Footing", "settle"]

# Well below the kernel's own interrupt threads (50), one of which serves the card.
_PRIORITY: Final = 20
_NICER: Final = -10
# A player that spins would freeze a machine with one core. So many microseconds without once waiting, which a block
# of 21 ms never needs, earn it SIGXCPU and then SIGKILL; both end it, and its supervisor starts another.
_RTTIME_US: Final = (500_000, 1_000_000)
# MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT. Without the last all that is mapped would be fetched, five times as much.
_MLOCK_FLAGS: Final = 1 | 2 | 4


@dataclass(frozen=True)
class Footing:
    """What `settle` came to.

    Attributes
    ----------
    scheduler : "fifo", "nice" or "usual"
        SCHED_FIFO, a raised priority among equals, or neither.
    memory_locked : bool
        Whether what the process touches stays in memory.
    """

    scheduler: Literal["fifo", "nice", "usual"]
    memory_locked: bool


def settle(say: Callable[[str], None]) -> Footing:
    """Make this process fit for playing, as far as the system allows; never fails.

    To be called by the thread that plays, once everything is imported and before a card is opened: a sound server's
    library hands the sound over in a thread of its own, which is real-time only if the one that opens is.

    Parameters
    ----------
    say : callable
        Given one sentence for each thing that is not allowed.

    Notes
    -----
    Threads and children made later are real-time as well, under the same limit; with SCHED_RESET_ON_FORK, writes
    through a sound server were seen to wait twice as long and 3 ms to be lost. Cyclic garbage is no longer collected.
    """
    memory_locked = _lock_memory(say)
    scheduler = _go_first(say)
    gc.collect()
    gc.freeze()
    gc.disable()
    return Footing(scheduler, memory_locked)


def _lock_memory(say: Callable[[str], None]) -> bool:
    _, most = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (most, most))
    if ctypes.CDLL(None, use_errno=True).mlockall(_MLOCK_FLAGS) == 0:
        return True
    reason = os.strerror(ctypes.get_errno())
    say(f"The player's memory may be swapped out ({reason}); allow it to be locked with LimitMEMLOCK=infinity.")
    return False


def _go_first(say: Callable[[str], None]) -> Literal["fifo", "nice", "usual"]:
    # The limit comes first: no moment passes in which the player could freeze the machine.
    _, most = resource.getrlimit(resource.RLIMIT_RTTIME)
    soft, hard = _RTTIME_US if most == resource.RLIM_INFINITY else tuple(min(each, most) for each in _RTTIME_US)
    resource.setrlimit(resource.RLIMIT_RTTIME, (soft, hard))
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
        return "fifo"
    except OSError as error:
        say(f"The player does not run in real time ({error.strerror}); allow it with LimitRTPRIO={_PRIORITY}.")
    try:
        os.nice(_NICER)
        return "nice"
    except OSError as error:
        say(f"The player runs at the usual priority ({error.strerror}); allow a higher one with LimitNICE={_NICER}.")
    return "usual"
