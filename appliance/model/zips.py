"""Zips from strangers: looked at as a whole before anything is taken out, and then taken out within limits."""

import contextlib
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Final

__all__ = ["ArchiveError", "Rules", "Zip", "write_zip"]

_START: Final = b"PK\x03\x04"
_END_BYTES: Final = 22
_LOCATOR_BYTES: Final = 20
# The usual way, the strong way, and a directory that is itself encrypted.
_ENCRYPTED: Final = 0x1 | 0x40 | 0x2000
_LOCAL_HEADER_BYTES: Final = 30
_BLOCK: Final = 1 << 20
# What zipfile raises on a damaged file is not documented as a whole; these are its and its parts' own.
_DAMAGE: Final = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, struct.error)


class ArchiveError(Exception):
    """Bytes that are not to be trusted; the message goes on where the name of the file stops.

    ``whole`` is False where bytes are missing or damaged, so that copying them again may mend it.
    """

    def __init__(self, problem: str, remedy: str = "copy it again, or export it anew", whole: bool = True) -> None:
        super().__init__(problem)
        self.remedy = remedy
        self.whole = whole


@dataclass(frozen=True)
class Rules:
    """What a zip may hold.

    Attributes
    ----------
    kind : str
        What such a zip is, for sentences.
    is_known : callable
        Whether a member may be called so; no name that it lets pass may lead anywhere.
    member_limit, total_limit : int
        Bytes that one member, and all of them, may come to; counted on what really comes out.
    directory_limit : int
        Bytes that the list of its members may have.
    inside : str
        Name of the zip within its file, for sentences.
    """

    kind: str
    is_known: Callable[[str], bool]
    member_limit: int
    total_limit: int
    directory_limit: int = 8192
    inside: str = ""


class Zip:
    """A zip that was looked at: what is listed in it may be taken out, each member once.

    Parameters
    ----------
    file : binary file
        That can be read anywhere.
    rules : Rules

    Raises
    ------
    ArchiveError
        If it is damaged, encrypted, too large, or holds a link, a name that is not known, or one twice.
    """

    def __init__(self, file: IO[bytes], rules: Rules) -> None:
        self._rules = rules
        self._where = f" in {rules.inside}" if rules.inside else ""
        # What lies within a member is as it was packed, for its checksum was right: no copying mends that.
        self._mendable = not rules.inside
        self._left = rules.total_limit
        self._check_end(file)
        with self._damage():
            self._zip = zipfile.ZipFile(file)
        self._entries: dict[str, zipfile.ZipInfo] = {}
        entries = self._zip.infolist()
        self._check_overlaps(entries)
        for entry in entries:
            self._check_entry(entry)
            self._entries[entry.filename] = entry

    @property
    def names(self) -> list[str]:
        """All members, as they lie there."""
        return list(self._entries)

    def blocks(self, name: str) -> Iterator[bytes]:
        """Take a member out, piece by piece. Raises ArchiveError if it is damaged or too large, KeyError if absent."""
        entry, limit = self._entries[name], min(self._rules.member_limit, self._left)
        with self._damage():
            member = self._zip.open(entry)
        with member:
            while block := self._read(member, min(limit + 1, _BLOCK)):
                limit -= len(block)
                self._left -= len(block)
                if limit < 0:
                    raise ArchiveError(f"is too large once unpacked, at {name}{self._where}")
                yield block

    def read(self, name: str) -> bytes:
        """Take a member out; see `blocks`."""
        return b"".join(self.blocks(name))

    def _read(self, member: IO[bytes], size: int) -> bytes:
        with self._damage():
            return member.read(size)

    @contextlib.contextmanager
    def _damage(self) -> Iterator[None]:
        try:
            yield
        except _DAMAGE as error:
            raise ArchiveError(f"is damaged or cut short{self._where}", whole=not self._mendable) from error

    def _check_end(self, file: IO[bytes]) -> None:
        """Look at the end record first: a directory of millions of entries would fill the memory before any is seen."""
        size, kind, where = file.seek(0, 2), self._rules.kind, self._where
        if size > self._rules.total_limit:
            raise ArchiveError(f"is larger than {self._rules.total_limit >> 20} MiB{where}")
        file.seek(0)
        start = file.read(len(_START))
        file.seek(max(size - _END_BYTES - _LOCATOR_BYTES, 0))
        tail = file.read(_END_BYTES + _LOCATOR_BYTES)
        if start != _START:
            # Some tools make the whole length of zeros first, and fill it in from anywhere.
            if self._mendable and (_START.startswith(start) or not any(start)):
                raise ArchiveError("is cut short", whole=False)
            raise ArchiveError(f"is not a zip, so it is no {kind}{where}")
        end = tail[-_END_BYTES:]
        if not end.startswith(b"PK\x05\x06") or end[-2:] != b"\x00\x00":
            raise ArchiveError(f"is cut short{where}", whole=not self._mendable)
        directory_bytes = int.from_bytes(end[12:16], "little")
        is_64 = tail.startswith(b"PK\x06\x07") and len(tail) == _END_BYTES + _LOCATOR_BYTES
        if is_64 or directory_bytes > self._rules.directory_limit:
            raise ArchiveError(f"holds far more entries than a {kind} has{where}")

    def _check_entry(self, entry: zipfile.ZipInfo) -> None:
        # orig_filename is what the file says; zipfile cuts filename at a zero byte.
        name, kind, where = entry.orig_filename, self._rules.kind, self._where
        if not self._rules.is_known(name) or name != entry.filename:
            raise ArchiveError(f"holds an entry named {name[:60]!r}, which no {kind} has{where}")
        if name in self._entries:
            raise ArchiveError(f"holds {name} twice{where}")
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
            raise ArchiveError(f"holds {name} as a link or a device, not as a plain file{where}")
        if entry.flag_bits & _ENCRYPTED:
            raise ArchiveError(f"is encrypted, at {name}{where}")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ArchiveError(f"is compressed in a way that is not known, at {name}{where}")

    def _check_overlaps(self, entries: list[zipfile.ZipInfo]) -> None:
        """Bytes that entries share would unpack to any amount. A copy resumed in the wrong place has such, too."""
        free_from, where, whole = 0, self._where, not self._mendable
        for entry in sorted(entries, key=lambda entry: entry.header_offset):
            if entry.header_offset < free_from:
                raise ArchiveError(f"holds entries that overlap, at {entry.filename[:60]!r}{where}", whole=whole)
            free_from = entry.header_offset + _LOCAL_HEADER_BYTES + len(entry.filename.encode()) + entry.compress_size
        if free_from > self._zip.start_dir:
            raise ArchiveError(f"holds entries that overlap its directory{where}", whole=whole)


def write_zip(out: IO[bytes], members: Iterable[tuple[str, Iterable[bytes]]]) -> None:
    """Zip members in order, uncompressed, with a fixed date: the same content gives the same bytes.

    Parameters
    ----------
    out : binary file
        That can be written anywhere.
    members : iterable of (str, iterable of bytes)
        Names, and what they hold, piece by piece.

    Raises
    ------
    zipfile.LargeZipFile
        If it comes to more than 2 GiB.
    OSError
        If the disk refuses.
    """
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED, allowZip64=False) as file:
        for name, blocks in members:
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            with file.open(entry, "w") as member:
                for block in blocks:
                    member.write(block)
