"""What the store does to the disk: pages of JSON, folders that outlive a power cut, a lock among processes."""

import contextlib
import errno
import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel

from appliance.errors import ModelError
from appliance.folders import shown, sync_folder, write_whole

__all__ = [
    "digest_of",
    "is_shared",
    "locked",
    "make_folder",
    "read_page",
    "set_aside",
    "share",
    "write_page",
    "writing",
]

_LARGEST_PAGE: Final = 1 << 16
# What is done under the lock takes a moment, on a slow card some seconds.
_PATIENCE_S: Final = 30.0
_REMEDIES: Final = {
    errno.ENOSPC: "remove a model or make room",
    errno.EDQUOT: "remove a model or make room",
    errno.EACCES: "do it as the user that the engine runs as",
    errno.EPERM: "do it as the user that the engine runs as",
}

Page = TypeVar("Page", bound=BaseModel)


def read_page(path: Path, page: type[Page]) -> Page | None:
    """Read a page.

    Returns
    -------
    pydantic model or None
        None where there is no file.

    Raises
    ------
    ValueError
        If it is damaged.
    OSError
        If the disk refuses.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_PAGE + 1)
    except FileNotFoundError:
        return None
    if len(data) > _LARGEST_PAGE:
        raise ValueError
    return page.model_validate_json(data)


def write_page(path: Path, page: BaseModel) -> None:
    """Write a page in one move; OSError if the disk refuses."""
    data = page.model_dump_json(indent=1).encode()
    write_whole(path, lambda file: file.write(data))


def set_aside(path: Path) -> None:
    """Keep a damaged file under another name, beside those that were kept before."""
    number = 1
    aside = path.with_name(f"{path.name}.damaged")
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{number}")
    path.rename(aside)


def digest_of(handle: int) -> str:
    """Give the sha256 of an open file, from where it stands, in hex."""
    with os.fdopen(os.dup(handle), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, so that it outlives a power cut."""
    if not folder.exists():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)
    elif not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep all others, in this process and elsewhere, from changing a folder; it is made where it is missing.

    Raises
    ------
    ModelError
        If another holds it for half a minute, or the disk refuses, or refuses what is done meanwhile.
    """
    with writing(folder):
        make_folder(folder)
        handle = _lock_file(folder / ".lock")
        try:
            _wait_for(handle, folder)
            yield
        finally:
            os.close(handle)


def _wait_for(handle: int, folder: Path) -> None:
    deadline_s = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline_s:
                raise ModelError(
                    f"Another process has kept {shown(folder)} locked for {_PATIENCE_S:g} s: try again later."
                ) from error
        time.sleep(0.02)


def share(path: Path) -> int:
    """Share a lock with others of the same kind, until the open file that is given is closed."""
    handle = _lock_file(path)
    fcntl.flock(handle, fcntl.LOCK_SH)
    return handle


def is_shared(path: Path) -> bool:
    """Tell whether anybody shares a lock."""
    handle = _lock_file(path)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _lock_file(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn what the disk refuses into a sentence about a folder, in a ModelError."""
    try:
        yield
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "check its disk and its rights")
        raise ModelError(f"The models in {shown(folder)} cannot be changed ({error.strerror}): {remedy}.") from error
