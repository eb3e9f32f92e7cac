"""Waiting for what is real: sockets, threads and ports take their time."""

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = 20.0
Found = TypeVar("Found")


def until(look: Callable[[], Found], patience_s: float = PATIENCE_S) -> Found:
    """Look until there is something, and give it."""
    deadline_s = time.monotonic() + patience_s
    while not (found := look()):
        assert time.monotonic() < deadline_s, "nothing came"
        time.sleep(0.0002)
    return found
