"""Where things are kept (systemd's folders where it gives them, else the XDG folders of the user), and safely so."""

import contextlib
import errno
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

__all__ = [
    "cache_folder",
    "configuration_folder",
    "runtime_folder",
    "shown",
    "state_folder",
    "sync_folder",
    "write_whole",
]


def _folder(systemd: str, xdg: str, fallback: str) -> Path:
    given = os.environ.get(systemd)
    if given:
        # systemd joins several folders with colons; ours is the first.
        return Path(given.split(":")[0])
    return Path(os.environ.get(xdg) or _home() / fallback) / "latent"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        # A container may run us as a user that has no name, and so no home.
        return _temporary()


def _temporary() -> Path:
    return Path(tempfile.gettempdir()) / f"latent-{os.getuid()}"


def shown(name: str | Path) -> str:
    """Make a name fit for a sentence: what cannot be printed, line ends and broken bytes too, as escapes."""
    return "".join(each if each.isprintable() else _escaped(each) for each in str(name))


def _escaped(character: str) -> str:
    # Bytes of a file name that are not UTF-8 come to us as lone surrogates.
    code = ord(character)
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else repr(character)[1:-1]


def state_folder() -> Path:
    """What must survive: models that were copied to the box, what was learned there."""
    return _folder("STATE_DIRECTORY", "XDG_STATE_HOME", ".local/state")


def cache_folder() -> Path:
    """What can be made again: prepared recordings."""
    return _folder("CACHE_DIRECTORY", "XDG_CACHE_HOME", ".cache")


def configuration_folder() -> Path:
    """Where ``latent.toml`` is looked for."""
    return _folder("CONFIGURATION_DIRECTORY", "XDG_CONFIG_HOME", ".config")


def runtime_folder() -> Path:
    """What the running processes share, gone after a restart of the machine: made here if need be, for the owner alone.

    Raises
    ------
    OSError
        If it cannot be made, or lies where anybody may write and is somebody else's.
    """
    if _runtime_given():
        folder = _folder("RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR", "")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder
    folder = _temporary()
    folder.mkdir(mode=0o700, exist_ok=True)
    there = folder.lstat()
    if not stat.S_ISDIR(there.st_mode) or there.st_uid != os.getuid() or there.st_mode & 0o022:
        raise PermissionError(errno.EPERM, "it is somebody else's, or others may write to it", str(folder))
    return folder


def _runtime_given() -> bool:
    return bool(os.environ.get("RUNTIME_DIRECTORY") or os.environ.get("XDG_RUNTIME_DIR"))


def write_whole(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file so that a power cut leaves the old one or the new one, never half of one.

    Parameters
    ----------
    write : callable
        Given a file to write to; what it raises is passed on, and nothing changes.

    Raises
    ------
    OSError
        If the folder or the disk refuses.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fchmod(handle, 0o644)
            os.fsync(handle)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    # The new name is safe only once the folder is, too.
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are safe; OSError if the disk refuses."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
