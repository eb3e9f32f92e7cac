"""Looking into a folder that strangers write to, and taking files out of it: nothing in it is followed or trusted."""

import contextlib
import errno
import itertools
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from appliance.service.arriving.incoming import Stamp, parted

__all__ = ["copied", "ends_whole", "opened", "seen", "still"]

# More are looked at as these go.
_MOST_SEEN: Final = 512
_MOST_NAMES: Final = 100_000
_BLOCK: Final = 1 << 20
# A zip without a comment, as a model is, ends with this record of so many bytes.
_END: Final = b"PK\x05\x06"
_END_BYTES: Final = 22


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[int]:
    """Hold a folder open, so that all that follows happens in this one, whatever takes its name meanwhile.

    Raises
    ------
    OSError
        If it is not there, or may not be read.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield handle
    finally:
        os.close(handle)


def seen(folder: int) -> dict[str, Stamp]:
    """Give what lies in an open folder, models before all else where there is too much of it."""
    found: dict[bool, list[tuple[str, Stamp]]] = {True: [], False: []}
    with os.scandir(folder) as entries:
        for entry in itertools.islice(entries, _MOST_NAMES):
            first = found[bool(parted(entry.name)[1])]
            if len(first) < _MOST_SEEN:
                # What is gone by now was there for a moment only.
                with contextlib.suppress(OSError):
                    first.append((entry.name, Stamp.of(entry.stat(follow_symlinks=False))))
    return dict((found[True] + found[False])[:_MOST_SEEN])


def still(name: str, folder: int, stamp: Stamp) -> bool:
    """Tell whether a file is there, and as it was."""
    try:
        return Stamp.of(os.stat(name, dir_fd=folder, follow_symlinks=False)) == stamp
    except OSError:
        return False


def ends_whole(name: str, folder: int, stamp: Stamp) -> bool:
    """Tell whether the last bytes of a file are those of a whole model of its length.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    with _reading(name, folder) as handle:
        end = os.pread(handle, _END_BYTES, max(stamp.size - _END_BYTES, 0))
    starts, directory_bytes = int.from_bytes(end[16:20], "little"), int.from_bytes(end[12:16], "little")
    return end.startswith(_END) and starts + directory_bytes + _END_BYTES == stamp.size


def copied(name: str, folder: int, stamp: Stamp, target: Path) -> bool:
    """Copy a file out of reach, into one that is there and empty; False if it is not, or does not stay, as it was.

    Raises
    ------
    OSError
        If it cannot be read, or the copy not be written.
    """
    with _reading(name, folder) as source:
        if Stamp.of(os.fstat(source)) != stamp or not stat.S_ISREG(stamp.mode):
            return False
        left = stamp.size
        with target.open("r+b") as file:
            while left > 0 and (block := os.read(source, min(_BLOCK, left))):
                file.write(block)
                left -= len(block)
        return left == 0 and Stamp.of(os.fstat(source)) == stamp and still(name, folder, stamp)


@contextlib.contextmanager
def _reading(name: str, folder: int) -> Iterator[int]:
    # First without opening it: a pipe would keep us waiting, and a device may do anything.
    path = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        if not stat.S_ISREG(os.fstat(path).st_mode):
            raise OSError(errno.EINVAL, "it is no plain file any more", name)
        handle = os.open(f"/proc/self/fd/{path}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    finally:
        os.close(path)
    try:
        yield handle
    finally:
        os.close(handle)
