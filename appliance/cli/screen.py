"""A page on a terminal that follows until Ctrl-C; elsewhere it is printed once."""

import sys
import threading
from collections.abc import Callable
from typing import Final

from rich.console import Console, RenderableType
from rich.live import Live

from appliance.stopping import stop_when_told

__all__ = ["Screen"]

# What is printed to a file is not to be folded.
_WIDE: Final = 200
_SPARKS: Final = {True: " ▁▂▃▄▅▆▇█", False: " .:-=+*#@"}


class Screen:
    """Where pages are shown.

    Parameters
    ----------
    whole : bool
        Whether a page has the whole terminal to itself while it follows.
    """

    def __init__(self, whole: bool = False) -> None:
        self._terminal = sys.stdout is not None and sys.stdout.isatty()
        self._console = Console(width=None if self._terminal else _WIDE, highlight=False)
        self._whole = whole
        self._drawn = "utf" in self._console.encoding.lower()

    @property
    def width(self) -> int:
        """Columns that there are now."""
        return self._console.width

    def show(
        self, page: RenderableType, again: Callable[[], RenderableType], every_s: float, once: bool = False
    ) -> None:
        """Show a page, and on a terminal in its place what there is again every so often, until Ctrl-C."""
        if once or not self._terminal:
            self._console.print(page)
            return
        stop = threading.Event()
        stop_when_told(stop)
        with Live(page, console=self._console, auto_refresh=False, screen=self._whole) as live:
            while not stop.wait(every_s):
                live.update(again(), refresh=True)

    def bar(self, part: float, width: int) -> str:
        """Draw a part, 0 to 1, of so many columns."""
        full = round(min(max(part, 0.0), 1.0) * width)
        filled, empty = "█·" if self._drawn else "#."
        return filled * full + empty * (width - full)

    def spark(self, part: float) -> str:
        """Draw a part, 0 to 1, in one column."""
        levels = _SPARKS[self._drawn]
        return levels[round(min(max(part, 0.0), 1.0) * (len(levels) - 1))]
