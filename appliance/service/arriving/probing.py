"""The process that takes in models: it waits for the folder to change, and looks; nothing is written while none comes.

What the system tells of changes only wakes it: each look is taken anew, and where nothing is told (a network disk, no
watches left, the folder gone), it looks every few seconds by itself.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from appliance.folders import shown, state_folder
from appliance.health.watchdog import Watchdog
from appliance.model.store import Store
from appliance.model.verdict import Verdict
from appliance.service.arriving.intake import Intake, Judge
from appliance.service.arriving.rejected import Rejected
from appliance.settings import Settings

__all__ = ["Bell", "incoming_folder", "rejected_folder", "run"]

_USUAL: Final = Path("/srv/latent/incoming")
_TICK_S: Final = 0.5
_SLOW_TICK_S: Final = 5.0
_BROKEN_PAUSE_S: Final = 60.0
_BEAT_S: Final = 1.0
# Longer than it takes to copy and try as many models as are taken in one turn.
_HUNG_S: Final = 900.0
# How much of the processor looking at a folder full of files may take.
_SHARE: Final = 0.05


def incoming_folder(given: str | None) -> Path:
    """Tell which folder models are copied to, and make it where it is in the state folder.

    Raises
    ------
    OSError
        If it cannot be made.
    """
    if given is not None:
        return Path(given).expanduser()
    if _USUAL.is_dir():
        return _USUAL
    folder = state_folder() / "incoming"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def rejected_folder(incoming: Path, models: Path) -> Path:
    """Tell where what is not taken goes: beside the folder that it was copied to, else among the models."""
    beside = incoming.parent / "rejected"
    there = beside if beside.is_dir() else beside.parent
    return beside if os.access(there, os.W_OK | os.X_OK) else models / "rejected"


class Bell:
    """Rings when something changes in a folder.

    Parameters
    ----------
    stop : threading.Event
        Ends every wait.
    """

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._watch: Iterator[object] | None = None
        self._inode: tuple[int, int] | None = None
        self._well = False

    def wait(self, folder: Path, seconds: float) -> None:
        """Wait until something changed in the folder since the last wait, or for so long."""
        if seconds < _SLOW_TICK_S or not self._watches(folder):
            self._stop.wait(min(seconds, _TICK_S if seconds < _SLOW_TICK_S else _SLOW_TICK_S))
            return
        assert self._watch is not None
        try:
            next(self._watch)
            self._well = True
        # No watches are left; or a name is not UTF-8, which it cannot tell; or it was told to stop.
        except Exception:
            self._watch = None
            self._stop.wait(_TICK_S if self._well else _SLOW_TICK_S)
            self._well = False

    def _watches(self, folder: Path) -> bool:
        try:
            status = folder.stat()
            if self._watch is None or self._inode != (status.st_dev, status.st_ino):
                self._watch, self._inode = self._open(folder), (status.st_dev, status.st_ino)
        except OSError:
            self._watch = None
        return self._watch is not None

    def _open(self, folder: Path) -> Iterator[object]:
        import watchfiles

        return watchfiles.watch(
            folder,
            watch_filter=None,
            recursive=False,
            debounce=round(_TICK_S * 1000),
            step=250,
            rust_timeout=round(_SLOW_TICK_S * 1000),
            yield_on_timeout=True,
            raise_interrupt=False,
            force_polling=False,
            stop_event=self._stop,
        )


class _Worker:
    """Looks again and again, in a thread of its own: copying and trying take their time, and signs of life do not wait.

    It is a daemon, and may be cut off at any instant, as by a power cut.
    """

    def __init__(self, settings: Settings, stop: threading.Event, say: Callable[[str], None], judge: Judge) -> None:
        self._settings = settings
        self._stop = stop
        self._say = say
        self._judge = judge
        self._sign_s = time.monotonic()
        self._trouble = ""
        threading.Thread(target=self._run, name="intake", daemon=True).start()

    @property
    def well(self) -> bool:
        """Whether it did something in the last while."""
        return time.monotonic() - self._sign_s < _HUNG_S

    def _run(self) -> None:
        bell = Bell(self._stop)
        intake: Intake | None = None
        while not self._stop.is_set():
            self._sign_s = time.monotonic()
            try:
                intake = intake or self._intake()
                patience_s = intake.turn()
                self._trouble = ""
            except OSError as error:
                what = shown(error.filename) if isinstance(error.filename, str | Path) else "the folder for models"
                self._complain(f"No models can be copied here ({what}: {error.strerror}): check that folder.")
                patience_s = _SLOW_TICK_S
            # A single odd file must not keep all later ones out.
            except Exception as error:
                self._complain(f"A model could not be taken in ({type(error).__name__}: {error}).")
                self._stop.wait(_BROKEN_PAUSE_S)
                continue
            took_s = time.monotonic() - self._sign_s
            if intake is None:
                self._stop.wait(patience_s)
            else:
                bell.wait(intake.folder, max(patience_s, min(took_s / _SHARE, _SLOW_TICK_S)))

    def _intake(self) -> Intake:
        table, models = self._settings.model, state_folder() / "models"
        folder = incoming_folder(table.incoming)
        rejected = Rejected(rejected_folder(folder, models))
        return Intake(folder, rejected, Store(models), table, self._settings.music.model, self._judge, self._say)

    def _complain(self, sentence: str) -> None:
        if sentence != self._trouble:
            self._trouble = sentence
            self._say(sentence)


def run(
    settings: Settings,
    stop: threading.Event,
    say: Callable[[str], None],
    watchdog: Watchdog,
    judge: Judge | None = None,
) -> None:
    """Take in what arrives until told to stop.

    Parameters
    ----------
    settings : Settings
    stop : threading.Event
    say : callable
        Is given sentences for whoever is watching.
    watchdog : Watchdog
    judge : callable, optional
        See `Judge`; the real trial if absent.
    """
    worker = _Worker(settings, stop, say, judge or _tried)
    watchdog.ready("waiting for models")
    while not (stop.is_set() or watchdog.orphaned):
        if worker.well:
            watchdog.alive()
        stop.wait(_BEAT_S)
    watchdog.stopping()


def _tried(path: Path, name: str) -> Verdict:
    # What it loads is not needed as long as no model comes.
    from appliance.service.arriving.trial import tried

    return tried(path, name)
