"""What hands have taught the box, as small JSON files: whole after a power cut, and never thrown away unasked."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel

from appliance.errors import LatentError
from appliance.folders import shown, write_whole

__all__ = ["Kept"]

Content = TypeVar("Content", bound=BaseModel)


class Kept(Generic[Content]):
    """A file that is read once and then kept in memory; any thread may use it.

    What cannot be read is told of in a sentence and counts as empty. A damaged file is set aside, beside the new one.

    Parameters
    ----------
    path : Path
        Its folder is made where it is missing.
    empty : pydantic model
        What a missing file holds.
    most_bytes : int
        What is larger is damaged.
    say : callable
        Told in one sentence of what is damaged or cannot be read.
    """

    def __init__(self, path: Path, empty: Content, most_bytes: int, say: Callable[[str], None]) -> None:
        self._path = path
        self._empty = empty
        self._most_bytes = most_bytes
        self._say = say
        self._content: Content | None = None
        self._lock = threading.RLock()
        try:
            self._content = self._read()
        except LatentError as error:
            say(str(error))

    def get(self) -> Content:
        """Give what the file holds; does not wait for the disk."""
        return self._empty if self._content is None else self._content

    def change(self, change: Callable[[Content], Content]) -> Content:
        """Replace what the file holds by what a function makes of it, on the disk first.

        Raises
        ------
        LatentError
            If the file cannot be read or written; then nothing changes. What the function raises is passed on, too.
        """
        with self._lock:
            # Over what could not be read before, nothing may be written.
            changed = change(self._read() if self._content is None else self._content)
            data = changed.model_dump_json(indent=1).encode()
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(self._path, lambda file: file.write(data))
            except OSError as error:
                raise LatentError(
                    f"{shown(self._path)} cannot be written ({error.strerror}): make room for it or make it writable."
                ) from error
            self._content = changed
            return changed

    def _read(self) -> Content:
        try:
            with self._path.open("rb") as file:
                data = file.read(self._most_bytes + 1)
        except FileNotFoundError:
            return self._empty
        except OSError as error:
            raise LatentError(
                f"{shown(self._path)} cannot be read ({error.strerror}): check its rights and its disk."
            ) from error
        try:
            if len(data) > self._most_bytes:
                raise ValueError
            return type(self._empty).model_validate_json(data)
        except ValueError:
            self._set_aside()
            return self._empty

    def _set_aside(self) -> None:
        aside = self._path.with_name(f"{self._path.name}.damaged")
        number = 1
        while aside.exists():
            number += 1
            aside = self._path.with_name(f"{self._path.name}.damaged-{number}")
        try:
            self._path.rename(aside)
        except OSError as error:
            raise LatentError(
                f"{shown(self._path)} is damaged and cannot be set aside ({error.strerror}): move it away."
            ) from error
        self._say(f"{shown(self._path)} is damaged: it is set aside as {shown(aside.name)}, and a new one begins.")
