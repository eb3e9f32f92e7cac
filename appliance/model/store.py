"""The models that were accepted on this machine, and which of them plays: whole after a power cut at any instant.

    models/store/SHA256.latent   a bundle, never changed
    models/store/SHA256.json     what is known of it: an `Entry`; counts only beside the bundle
    models/choice.json           what plays and what played before: a `Choice`; replaced in one move
    models/.new-*                private copies that are being judged
    models/.lock                 held while something is changed
    models/.copying              held by who may have private copies

Readers need no lock. Several processes write: one that accepts what was copied here, the command line, the engine.
"""

import contextlib
import os
import re
import tempfile
import weakref
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from appliance.errors import ModelError
from appliance.folders import shown, sync_folder
from appliance.model.choice import Choice, Entry, Pointer, Probation, begins, superfluous
from appliance.model.disk import (
    digest_of,
    is_shared,
    locked,
    make_folder,
    read_page,
    set_aside,
    share,
    write_page,
    writing,
)
from appliance.model.verdict import Verdict
from appliance.names import hint, quoted

__all__ = ["Choice", "Entry", "Pointer", "Probation", "Store"]

_SUFFIX: Final = ".latent"
_SIDE: Final = ".json"
_PRIVATE: Final = ".new-"
_COPYING: Final = ".copying"
_DIGEST: Final = re.compile(r"[0-9a-f]{64}\Z")


class Store:
    """The models of this machine; any thread of any process may use it.

    What is missing or damaged on the disk is passed over when it is read. What cannot be written is told of in a
    `ModelError`, and then nothing changed.

    Parameters
    ----------
    folder : Path
        ``$STATE_DIRECTORY/models``; made with the first thing that is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._store = folder / "store"
        self._choice = folder / "choice.json"
        self._copies = False

    @property
    def folder(self) -> Path:
        """Where all of it lies."""
        return self._folder

    def entries(self) -> list[Entry]:
        """Give the models that can be played, in the order in which they came."""
        found = (self._entry(digest) for digest in self._digests())
        return sorted((entry for entry in found if entry), key=lambda entry: (entry.number, entry.digest))

    def find(self, word: str) -> Entry:
        """Find a model by its name, the name of its file, or four or more digits of its digest; the newest of several.

        Raises
        ------
        ModelError
            If there is none.
        """
        found = self.match(word)
        if found is not None:
            return found
        known = sorted({entry.verdict.name for entry in self.entries()})
        text = f"No model called {quoted(word)} was copied to this machine{hint(word, known)}"
        raise ModelError(text if text.endswith("?") else text + ".")

    def match(self, word: str) -> Entry | None:
        """Find a model as `find` does, None where there is none."""
        entries = self.entries()
        named = [entry for entry in entries if word in (entry.verdict.name, entry.file)]
        return next(reversed(named or [entry for entry in entries if begins(entry.digest, word)]), None)

    def path(self, digest: str) -> Path:
        """Tell where a model lies, or would lie."""
        return self._store / (digest + _SUFFIX)

    def private(self) -> Path:
        """Make an empty file that only this user can read, for a copy that is then judged and added.

        It is the caller's to remove where it is not added; what a process that died has left goes with `tidy`.

        Raises
        ------
        ModelError
            If there is no room for it.
        """
        with locked(self._folder):
            if not self._copies:
                # For as long as there is this store, nobody takes its copies for leftovers.
                weakref.finalize(self, os.close, share(self._folder / _COPYING))
                self._copies = True
            handle, name = tempfile.mkstemp(dir=self._folder, prefix=_PRIVATE)
            os.close(handle)
        return Path(name)

    def add(self, copy: Path, file: str, verdict: Verdict, arrived_at: float) -> Entry:
        """Take in a private copy that was judged; the file moves.

        Parameters
        ----------
        copy : Path
            From `private`.
        file : str
            What it was called when it came; an ending ``.latent`` is dropped.
        arrived_at : float
            Seconds since 1970.

        Returns
        -------
        Entry
            The newest. Where the model was here before, it came anew, and that it failed is forgotten.

        Raises
        ------
        ModelError
            If it is not what was judged, or cannot be taken in.
        """
        with writing(self._folder):
            make_folder(self._store)
            handle = os.open(copy, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                if digest_of(handle) != verdict.digest:
                    raise ModelError(f"{shown(file)} changed after it was judged; copy it again.")
                os.fchmod(handle, 0o444)
                os.fsync(handle)
            finally:
                os.close(handle)
        with locked(self._folder):
            entry = Entry(
                digest=verdict.digest,
                file=file.removesuffix(_SUFFIX),
                number=1 + max((entry.number for entry in self.entries()), default=0),
                arrived_at=arrived_at,
                verdict=verdict,
            )
            copy.rename(self.path(entry.digest))
            self._list(entry)
            return entry

    def fail(self, digest: str, why: str) -> None:
        """Note that a model was taken back, in one sentence; one that is not here is passed over."""
        with locked(self._folder):
            self._mark(digest, why)

    def remove(self, digest: str) -> None:
        """Throw a model away.

        Raises
        ------
        ModelError
            If it plays or would be gone back to, or cannot be removed.
        """
        with locked(self._folder):
            choice = self._chosen()
            for pointer, why in ((choice.current, "plays"), (choice.previous, "is what would be gone back to")):
                if pointer is not None and not pointer.shipped and pointer.digest == digest:
                    raise ModelError(f"{shown(pointer.name)} {why}; choose another with latent model use first.")
            self._discard(digest)

    def choice(self) -> Choice:
        """Give what was chosen; where that is missing, damaged or cannot be read, nothing was."""
        return self.seen() or Choice()

    def seen(self) -> Choice | None:
        """Give what was chosen, but None where that is damaged or cannot be read."""
        try:
            return read_page(self._choice, Choice) or Choice()
        except (OSError, ValueError):
            return None

    def choose(self, pointer: Pointer | None, base: str) -> Choice:
        """Choose what plays from now on; what played becomes what is gone back to.

        Parameters
        ----------
        pointer : Pointer or None
            None is the model of the settings. What is chosen already stays so, and so does what is gone back to.
        base : str
            The settings' ``[music] model``.

        Raises
        ------
        ModelError
            If it cannot be written.
        """
        return self.note(lambda choice: choice.chosen(pointer, base))

    def go_back(self, failed: str = "") -> Choice:
        """Choose again what played before.

        Parameters
        ----------
        failed : str
            Why, in one sentence: then what plays now is marked, and not gone back to in turn.

        Raises
        ------
        ModelError
            If nothing played before, or it cannot be written.
        """
        with locked(self._folder):
            before = self._chosen()
            choice = before.gone_back(stay=not failed)
            write_page(self._choice, choice)
            if failed and before.current is not None:
                # What plays is settled; on a disk that fills up just now, the mark is less.
                with contextlib.suppress(OSError):
                    self._mark(before.current.digest, failed)
            return choice

    def note(self, change: Callable[[Choice], Choice]) -> Choice:
        """Replace what was chosen by what a function makes of it, in one move.

        Raises
        ------
        ModelError
            If it cannot be written; what the function raises is passed on.
        """
        with locked(self._folder):
            before = self._chosen()
            choice = change(before)
            if choice != before:
                write_page(self._choice, choice)
            return choice

    def prune(self, keep: int, keep_days: float, now_s: float, spared: Collection[str] = ()) -> list[Entry]:
        """Throw away what is old or too many; never what is in use, nor the newest two.

        Parameters
        ----------
        keep : int
            How many stay, those in use among them.
        keep_days : float
            What came longer ago goes, however few there are.
        now_s : float
            Seconds since 1970. What came later than this, or decades ago, is taken for new: a clock was wrong.
        spared : collection of str
            Digests of others that stay.

        Returns
        -------
        list of Entry
            What went.

        Raises
        ------
        ModelError
            If one cannot be removed.
        """
        if not self._store.is_dir():
            return []
        with locked(self._folder):
            gone = superfluous(self.entries(), {*spared, *self._in_use()}, keep, keep_days, now_s)
            for entry in gone:
                self._discard(entry.digest)
            return gone

    def tidy(self) -> None:
        """Throw away what a power cut or a killed process has left half done.

        Raises
        ------
        ModelError
            If the disk refuses.
        """
        if not self._folder.is_dir():
            return
        with locked(self._folder):
            left = list(self._folder.glob(f".{self._choice.name}.*"))
            if not is_shared(self._folder / _COPYING):
                left += self._folder.glob(f"{_PRIVATE}*")
            for path in (*left, *self._store.glob(f".*{_SIDE}.*")):
                path.unlink()
            in_use = self._in_use()
            for digest in self._digests():
                if digest not in in_use and self._is_half(digest):
                    self._discard(digest)

    def _digests(self) -> list[str]:
        """Name all that has a bundle or a page."""
        with contextlib.suppress(OSError):
            names = [path for path in self._store.iterdir() if path.suffix in (_SUFFIX, _SIDE)]
            return sorted({path.stem for path in names if _DIGEST.match(path.stem)})
        return []

    def _entry(self, digest: str) -> Entry | None:
        try:
            return self._whole(digest)
        except (OSError, ValueError):
            return None

    def _is_half(self, digest: str) -> bool:
        # What the disk refuses to show today may be whole tomorrow; a page that is strange may be a later version's.
        try:
            return self._whole(digest) is None
        except ValidationError as error:
            return any(each["type"] == "json_invalid" for each in error.errors(include_url=False))
        except OSError:
            return False
        except ValueError:
            return True

    def _whole(self, digest: str) -> Entry | None:
        entry = read_page(self._store / (digest + _SIDE), Entry)
        path = self.path(digest)
        there = not path.is_symlink() and path.is_file()
        return entry if there and entry is not None and entry.digest == digest else None

    def _list(self, entry: Entry) -> None:
        try:
            self._write(entry)
        except OSError:
            if self._entry(entry.digest) is None:
                self._discard(entry.digest)
            raise

    def _mark(self, digest: str, why: str) -> None:
        entry = self._entry(digest)
        if entry is not None and entry.failed != why:
            self._write(entry.model_copy(update={"failed": why}))

    def _write(self, entry: Entry) -> None:
        write_page(self._store / (entry.digest + _SIDE), entry)

    def _discard(self, digest: str) -> None:
        # Either order will do: one without the other is not listed, and goes with the next tidying.
        (self._store / (digest + _SIDE)).unlink(missing_ok=True)
        self.path(digest).unlink(missing_ok=True)
        sync_folder(self._store)

    def _in_use(self) -> set[str]:
        choice = self._chosen()
        named = self.match(choice.base) if choice.base else None
        used = {pointer.digest for pointer in (choice.current, choice.previous) if pointer is not None}
        return used if named is None else used | {named.digest}

    def _chosen(self) -> Choice:
        """Read what was chosen, to change it: what is damaged is set aside, and what the disk refuses is raised."""
        try:
            return read_page(self._choice, Choice) or Choice()
        except ValueError:
            set_aside(self._choice)
            return Choice()
