"""What is known of a `.latent` file from the outside, before anything in it is looked at.

A process that only waits for models needs no more, so nothing here loads numpy.
"""

import os
import stat
from io import FileIO
from pathlib import Path
from typing import Final

from appliance.errors import DamagedError, ModelError
from appliance.folders import shown

__all__ = ["NAME_PATTERN", "SIZE_LIMIT", "open_file"]

NAME_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
"""Of the name that a model gives itself."""
SIZE_LIMIT: Final = 128 * 2**20
"""Bytes of the whole file."""


def open_file(path: Path, name: str) -> FileIO:
    """Open a file for reading, if it is a plain one of a size that a model can have; links are not followed.

    Raises
    ------
    ModelError
        If it is anything else; DamagedError if it is empty.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        # A device could do something on being opened.
        _check_kind(path.lstat(), name)
        handle = os.open(path, flags)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its path is no path"
        raise ModelError(f"{shown(name)} could not be opened ({reason}); check its name and permissions.") from error
    file = FileIO(handle)
    try:
        _check_kind(os.fstat(handle), name)
    except ModelError:
        file.close()
        raise
    return file


def _check_kind(found: os.stat_result, name: str) -> None:
    name = shown(name)
    if stat.S_ISLNK(found.st_mode):
        raise ModelError(f"{name} is a link; copy the file itself.")
    if stat.S_ISDIR(found.st_mode):
        raise ModelError(f"{name} is a folder; name a .latent file.")
    if not stat.S_ISREG(found.st_mode):
        raise ModelError(f"{name} is not a plain file; name a .latent file.")
    if found.st_size == 0:
        raise DamagedError(f"{name} is empty; copy it again.")
    if found.st_size > SIZE_LIMIT:
        raise ModelError(f"{name} is larger than {SIZE_LIMIT >> 20} MiB; export a smaller model.")
