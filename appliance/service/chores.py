"""Chores: what waits for a disk, done in a thread of its own, so that no knob waits for it."""

import queue
import threading
from collections.abc import Callable
from typing import Final

from appliance.errors import LatentError

__all__ = ["Chores"]

_MOST: Final = 32
_PATIENCE_S: Final = 2.0


class Chores:
    """Does one after the other; until it is started, each at once.

    Parameters
    ----------
    say : callable
        Told in one sentence of what could not be done.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._waiting: queue.Queue[Callable[[], object] | None] = queue.Queue(_MOST)
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Let nobody wait from now on."""
        self._thread = threading.Thread(target=self._run, name="chores", daemon=True)
        self._thread.start()

    def add(self, chore: Callable[[], object]) -> None:
        """Have something done soon."""
        if self._thread is None:
            self._do(chore)
            return
        try:
            self._waiting.put_nowait(chore)
        except queue.Full:
            self._say("The disk is too slow for all that is to be kept: press again in a while.")

    def close(self) -> None:
        """Do what waits, unless the disk hangs; any number of times."""
        thread, self._thread = self._thread, None
        if thread is not None:
            try:
                self._waiting.put_nowait(None)
            except queue.Full:
                # It hangs, so there is nothing to wait for.
                return
            thread.join(_PATIENCE_S)

    def _run(self) -> None:
        while (chore := self._waiting.get()) is not None:
            self._do(chore)

    def _do(self, chore: Callable[[], object]) -> None:
        try:
            chore()
        except LatentError as error:
            self._say(str(error))
        except Exception as error:
            # The next one is to be done all the same.
            self._say(f"Something could not be kept ({type(error).__name__}: {error}).")
