"""The folder of what was not taken, where an artist finds each file again, and beside it the reason in one sentence.

    rejected/NAME.latent              as it came; not there where it still waits or was thrown away
    rejected/NAME.latent.reason.txt

Old ones go by themselves, so that nothing that is copied here can fill the disk.
"""

import contextlib
import errno
import hashlib
import os
import stat
from pathlib import Path
from typing import Final

from appliance.folders import shown, write_whole
from appliance.model.outside import SIZE_LIMIT
from appliance.service.arriving.incoming import Kind, Stamp, kind_of, parted
from appliance.service.arriving.taking import copied

__all__ = ["MOST_BYTES", "Rejected", "safe_name", "why_not"]

MOST_BYTES: Final = 512 * 2**20
_MOST: Final = 32
_OLDEST_S: Final = 30 * 86_400.0
_REASON: Final = ".reason.txt"
_LONGEST_NAME: Final = 160


def safe_name(name: str) -> str:
    """Make of the name of a file, whatever it holds, one that can be shown and typed; different ones stay so."""
    plain = "".join(each if each.isprintable() and each not in "/\\" else "_" for each in name)
    if plain.startswith(".") or plain.endswith(_REASON):
        plain = f"_{plain}_"
    if plain == name and len(os.fsencode(name)) <= _LONGEST_NAME:
        return name
    digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:8]
    stem, suffix = parted(plain)
    return f"{stem.encode()[:_LONGEST_NAME].decode(errors='ignore')}-{digest}{suffix}"


def why_not(name: str, stamp: Stamp) -> str:
    """Say why something is not taken that nobody need look into."""
    kind = kind_of(name, stamp.mode)
    if stat.S_ISREG(stamp.mode) and stamp.size > SIZE_LIMIT:
        return f"{shown(name)} is larger than {SIZE_LIMIT >> 20} MiB, so it was thrown away; export a smaller model."
    if kind is Kind.FOREIGN:
        return f"{shown(name)} is not taken for a model: its name must end in .latent."
    if kind is Kind.FOLDER:
        return f"{shown(name)} is a folder; copy the .latent file that is in it, and remove the folder."
    what = "a link" if stat.S_ISLNK(stamp.mode) else "no plain file"
    return f"{shown(name)} is {what}; copy the .latent file itself."


class Rejected:
    """The folder of what was not taken.

    Parameters
    ----------
    folder : Path
        Made with the first reason.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def tell(self, name: str, reason: str) -> None:
        """Say why a file is not taken; nothing is written where that is said already.

        Raises
        ------
        OSError
            If the disk refuses.
        """
        path, data = self._reason(name), f"{reason}\n".encode(errors="backslashreplace")
        with contextlib.suppress(OSError):
            if stat.S_ISREG(path.lstat().st_mode) and path.read_bytes() == data:
                return
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, lambda file: file.write(data))

    def retract(self, name: str) -> None:
        """Take a reason back, where there is one."""
        with contextlib.suppress(OSError):
            self._reason(name).unlink()

    def supersede(self, name: str) -> None:
        """Forget what was refused under a name, for now a file of that name was taken."""
        self.retract(name)
        with contextlib.suppress(OSError):
            (self.folder / safe_name(name)).unlink()

    def move(self, name: str, source: int) -> None:
        """Move a file, or whatever it is, here; what was refused under its name before makes way.

        Parameters
        ----------
        name : str
        source : int
            The folder where it lies, open.

        Raises
        ------
        OSError
            If that cannot be.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self.folder / safe_name(name)
        _remove(target)
        try:
            os.rename(name, target, src_dir_fd=source)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            _carry(name, source, target)

    def prune(self, now_s: float, most_bytes: int = MOST_BYTES) -> None:
        """Throw away what is old or too much: 32 refusals stay, of 30 days and so many bytes; `now_s` since 1970."""
        found: dict[str, float] = {}
        sizes: dict[str, int] = {}
        with contextlib.suppress(OSError), os.scandir(self.folder) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    name = entry.name.removesuffix(_REASON)
                    # Moving a file leaves its mtime, which may be of any year.
                    found[name] = max(found.get(name, 0.0), status.st_ctime)
                    sizes[name] = sizes.get(name, 0) + status.st_size
        left = most_bytes
        for place, name in enumerate(sorted(found, key=lambda name: (-found[name], name))):
            left -= sizes[name]
            if place >= _MOST or now_s - found[name] > _OLDEST_S:
                _remove(self.folder / (name + _REASON))
                _remove(self.folder / name)
            elif left < 0:
                # What it says is short, and may still be read.
                _remove(self.folder / name)

    def _reason(self, name: str) -> Path:
        return self.folder / (safe_name(name) + _REASON)


def _remove(path: Path) -> None:
    """Remove what lies there, if that can be; no link is followed."""
    with contextlib.suppress(OSError):
        path.unlink()


def _carry(name: str, source: int, target: Path) -> None:
    """Move a plain file to another file system."""
    status = os.stat(name, dir_fd=source, follow_symlinks=False)
    part = target.with_name(f".{target.name}")
    try:
        part.touch(mode=0o600)
        if not copied(name, source, Stamp.of(status), part):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        part.chmod(0o644)
        part.rename(target)
    finally:
        _remove(part)
    os.unlink(name, dir_fd=source)
