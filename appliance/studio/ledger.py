"""The corpus opened for writing: sources and their clips enter, whole or not at all; decisions about them are kept."""

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from appliance.errors import StudioError
from appliance.folders import shown
from appliance.spectrum.codec import Floats
from appliance.studio.corpus import ROW_BYTES, mapped, split_by_name

__all__ = ["Clip", "Entry", "Ledger", "Rejection", "Told"]

_TABLES = """
CREATE TABLE IF NOT EXISTS source (
    number INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, path TEXT NOT NULL, licence TEXT NOT NULL,
    problem TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS clip (
    row INTEGER PRIMARY KEY, source INTEGER NOT NULL, start_s REAL NOT NULL, split TEXT NOT NULL, fit INTEGER NOT NULL,
    lufs REAL NOT NULL, drift_db REAL NOT NULL, flutter_db REAL NOT NULL, kept INTEGER);
CREATE TABLE IF NOT EXISTS rejection (source INTEGER NOT NULL, start_s REAL NOT NULL, reason TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS decision (
    step INTEGER NOT NULL, row INTEGER NOT NULL, kept INTEGER, guessed INTEGER NOT NULL, PRIMARY KEY (row, step));
CREATE INDEX IF NOT EXISTS decision_of_step ON decision (step);
"""
_LATEST = "FROM decision WHERE decision.row = clip.row ORDER BY step DESC LIMIT 1"


@dataclass(frozen=True)
class Clip:
    """Two seconds of a source that may be learned from.

    Attributes
    ----------
    start_s : float
        Where in the source it begins.
    spectrum : (1233,) in 0..1
        Brought to about ``LOUDNESS_LUFS``.
    lufs : float
        How loud it was.
    drift_db : float
        Level of its second half over its first: decay is negative.
    flutter_db : float
        Standard deviation of the level of its tenths of a second: beating and tremolo.
    fit : bool
        May become a place of the atlas, as far as its maker knows: no rub of semitones, no harsh instrument.
    """

    start_s: float
    spectrum: Floats
    lufs: float
    drift_db: float
    flutter_db: float
    fit: bool = True


@dataclass(frozen=True)
class Rejection:
    """Two seconds of a source that may not, and why, in a word or two: the same words for the same reason."""

    start_s: float
    reason: str


@dataclass(frozen=True)
class Entry:
    """A source and what came of it.

    Attributes
    ----------
    name : str
        The gathered folder's own name and the path below it, as in ``garden/2024/rain.wav``; or the name of an
        instrument.
    path : str
        Where the recording lies, absolute; empty for what was synthesised.
    licence : str
        A note; may be empty.
    clips, rejections : sequence
    problem : str
        Why nothing could be read; empty where something could.
    split : str
        One of ``SPLITS``; where empty, the name decides, by a hash, so that more sources change nothing.
    """

    name: str
    path: str = ""
    licence: str = ""
    clips: Sequence[Clip] = ()
    rejections: Sequence[Rejection] = ()
    problem: str = ""
    split: str = ""


@dataclass(frozen=True)
class Told:
    """What the ledger knows of one clip: ``kept`` is None until it is decided, ``guessed`` where nobody heard it."""

    row: int
    source: str
    path: str
    start_s: float
    licence: str
    lufs: float
    kept: bool | None
    guessed: bool


class Ledger:
    """A corpus opened for writing; use it in a ``with`` statement, in one process at a time.

    Raises
    ------
    StudioError
        If the folder cannot be written to, or is not a corpus.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "spectra.f16"
        with contextlib.ExitStack() as opened:
            self._open(folder, opened)
            self._opened = opened.pop_all()

    def _open(self, folder: Path, opened: contextlib.ExitStack) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._spectra = opened.enter_context(self._path.open("ab"))
            fcntl.flock(self._spectra, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Curation answers its page from several threads, one at a time.
            db = sqlite3.connect(folder / "clips.db", timeout=10.0, check_same_thread=False)
            self._db = opened.enter_context(contextlib.closing(db))
            self._db.executescript(_TABLES)
            self._require_whole(folder)
            # What was written before its transaction was not is not there.
            self._spectra.truncate(len(self) * ROW_BYTES)
        except BlockingIOError as error:
            raise StudioError(
                f"Another step is at work on {shown(folder)}; wait for it, or choose another folder with --work."
            ) from error
        except (OSError, sqlite3.Error) as error:
            raise StudioError(
                f"{shown(folder)} cannot hold a corpus ({error}); choose another folder with --work."
            ) from error

    def _require_whole(self, folder: Path) -> None:
        """Refuse what a disk has lost parts of: to truncate would fill the gap with silence, to add would hide it."""
        (problem,) = self._db.execute("PRAGMA quick_check(1)").fetchone()
        if problem == "ok" and self._path.stat().st_size < len(self) * ROW_BYTES:
            problem = f"the end of {self._path.name} is missing"
        if problem != "ok":
            raise StudioError(f"{shown(folder)} is not a whole corpus ({problem}); gather it again into a new folder.")

    def __len__(self) -> int:
        return int(self._db.execute("SELECT COALESCE(MAX(row) + 1, 0) FROM clip").fetchone()[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close both files; may be called again."""
        self._opened.close()

    def known(self) -> set[str]:
        """Names of the sources that were added."""
        return {name for (name,) in self._db.execute("SELECT name FROM source")}

    def add(self, entry: Entry) -> int:
        """Add a source with its clips; gives the row of the first of them.

        Raises
        ------
        StudioError
            If the source is there already, or the disk is full.
        """
        first = len(self)
        try:
            self._spectra.truncate(first * ROW_BYTES)
            for clip in entry.clips:
                self._spectra.write(np.asarray(clip.spectrum, dtype="<f2").tobytes())
            self._spectra.flush()
            os.fsync(self._spectra.fileno())
            with self._db:
                told = (entry.name, entry.path, entry.licence, entry.problem)
                cursor = self._db.execute("INSERT INTO source (name, path, licence, problem) VALUES (?, ?, ?, ?)", told)
                number = cursor.lastrowid
                split = entry.split or split_by_name(entry.name)
                self._db.executemany(
                    "INSERT INTO clip VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)",
                    [
                        (first + at, number, one.start_s, split, one.fit, one.lufs, one.drift_db, one.flutter_db)
                        for at, one in enumerate(entry.clips)
                    ],
                )
                rejected = [(number, rejection.start_s, rejection.reason) for rejection in entry.rejections]
                self._db.executemany("INSERT INTO rejection VALUES (?, ?, ?)", rejected)
        except sqlite3.IntegrityError as error:
            raise StudioError(f"{entry.name} is in the corpus already; leave it out or start a new one.") from error
        except (OSError, sqlite3.Error) as error:
            raise StudioError(f"The corpus could not be written ({error}); make room and run it again.") from error
        return first

    def decide(self, row: int, kept: bool | None) -> None:
        """Keep a clip, reject it, or take the decision back, by hand; raises StudioError where there is no such row."""
        self._step({row: kept}, guessed=False)

    def accept(self, guesses: Mapping[int, bool]) -> None:
        """Keep or reject clips that nobody heard, all in one step.

        Raises
        ------
        StudioError
            If there is no such row, or the disk is full; nothing is decided then.
        """
        self._step(guesses, guessed=True)

    def undo(self) -> list[int]:
        """Take the last step back: each of its clips is again as it was before; gives their rows, none at the start."""
        with self._written():
            (step,) = self._db.execute("SELECT MAX(step) FROM decision").fetchone()
            rows = [row for (row,) in self._db.execute("SELECT row FROM decision WHERE step = ? ORDER BY row", (step,))]
            self._db.execute("DELETE FROM decision WHERE step = ?", (step,))
            self._db.executemany(
                f"UPDATE clip SET kept = (SELECT kept {_LATEST}) WHERE row = ?", [(row,) for row in rows]
            )
        return rows

    def steps(self) -> int:
        """How often `undo` finds something to take back."""
        return int(self._db.execute("SELECT COUNT(DISTINCT step) FROM decision").fetchone()[0])

    def _step(self, kept: Mapping[int, bool | None], guessed: bool) -> None:
        with self._written():
            (step,) = self._db.execute("SELECT COALESCE(MAX(step), 0) + 1 FROM decision").fetchone()
            for row, each in kept.items():
                if self._db.execute("UPDATE clip SET kept = ? WHERE row = ?", (each, row)).rowcount == 0:
                    raise StudioError(f"The corpus has no clip {row}; reload the page.")
                self._db.execute("INSERT INTO decision VALUES (?, ?, ?, ?)", (step, row, each, guessed))

    @contextlib.contextmanager
    def _written(self) -> Iterator[None]:
        """Write what is inside as a whole, or none of it."""
        try:
            with self._db:
                yield
        except sqlite3.Error as error:
            raise StudioError(f"The decision could not be written ({error}); make room and try again.") from error

    def spectra(self) -> npt.NDArray[np.float16]:
        """All spectra added so far, (n, 1233) float16, memory-mapped and read-only."""
        return mapped(self._path, len(self))

    def told(self) -> list[Told]:
        """All clips in order of row, decided or not."""
        rows = self._db.execute(
            f"SELECT row, name, path, start_s, licence, lufs, kept, (SELECT guessed {_LATEST}) "
            "FROM clip JOIN source ON source = number ORDER BY row"
        )
        return [
            Told(row, name, path, start_s, licence, lufs, None if kept is None else bool(kept), bool(guessed))
            for row, name, path, start_s, licence, lufs, kept, guessed in rows
        ]

    def problems(self) -> list[tuple[str, str]]:
        """Sources that could not be read, and why."""
        return self._db.execute("SELECT name, problem FROM source WHERE problem != '' ORDER BY number").fetchall()

    def rejections(self) -> list[tuple[str, float, str]]:
        """Clips that were turned down: source, start in seconds, reason."""
        return self._db.execute(
            "SELECT name, start_s, reason FROM rejection JOIN source ON source = number ORDER BY number, start_s"
        ).fetchall()
