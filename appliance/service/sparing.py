"""Saying things sparingly: what a network or a loose wire repeats must not fill a journal for months."""

import threading
from collections.abc import Callable
from typing import Final

__all__ = ["Sparing"]

_SAME_AGAIN_S: Final = 60.0
_MOST: Final = 20


class Sparing:
    """Passes sentences on, the same one once a minute at most, and no more than twenty a minute; from any thread.

    Parameters
    ----------
    say : callable
        Given what is said.
    clock : callable
        Monotonic seconds.
    """

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._say = say
        self._clock = clock
        self._said_s: dict[str, float] = {}
        self._lock = threading.Lock()

    def __call__(self, sentence: str) -> None:
        """Say it, or not."""
        now_s = self._clock()
        with self._lock:
            self._said_s = {each: at_s for each, at_s in self._said_s.items() if now_s - at_s < _SAME_AGAIN_S}
            if sentence in self._said_s or len(self._said_s) >= _MOST:
                return
            self._said_s[sentence] = now_s
        self._say(sentence)
