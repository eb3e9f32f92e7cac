"""Being told to stop: by Ctrl-C, by SIGTERM, and by a terminal that is closed."""

import _thread
import signal
import threading
from typing import Final

__all__ = ["stop_when_told"]

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def stop_when_told(stop: threading.Event) -> None:
    """Set an event on Ctrl-C, on SIGTERM, and when the terminal is closed; of the main thread alone."""
    for number in _SIGNALS:
        # Not set right here: a signal may come while the main thread, waiting for that very event, holds its lock, and
        # would wait for itself for ever.
        signal.signal(number, lambda *_: _thread.start_new_thread(stop.set, ()))
