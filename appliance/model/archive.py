"""Zips and arrays from strangers: packed with the same bytes every time, unpacked in memory within limits."""

import io
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Sequence, Set
from typing import Final

import numpy as np

from appliance.spectrum.codec import Floats

__all__ = ["ArchiveError", "pack", "pack_array", "unpack", "unpack_array"]

_START: Final = b"PK\x03\x04"
_END_BYTES: Final = 22
_LOCATOR_BYTES: Final = 20
_DIRECTORY_LIMIT: Final = 8192
# The usual way, the strong way, and a directory that is itself encrypted.
_ENCRYPTED: Final = 0x1 | 0x40 | 0x2000
_LOCAL_HEADER_BYTES: Final = 30
# Exactly what `pack_array` (and `numpy.save`) writes for a C-ordered float32 array of one or two dimensions. Anything
# else, pickled objects included, is refused before numpy sees it.
_ARRAY: Final = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '<f4', 'fortran_order': False, 'shape': \((\d{1,9}),(?: (\d{1,9}))?\), \} *\n",
    re.DOTALL,
)


class ArchiveError(Exception):
    """Bytes that are not to be trusted; the message goes on where the name of the file stops.

    ``whole`` is False where bytes are missing or damaged, so that copying them again may mend it.
    """

    def __init__(self, problem: str, remedy: str = "copy it again, or export it anew", whole: bool = True) -> None:
        super().__init__(problem)
        self.remedy = remedy
        self.whole = whole


def pack(members: dict[str, bytes]) -> bytes:
    """Zip the members in order, uncompressed, with a fixed date: the same content gives the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as file:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            file.writestr(entry, content)
    return out.getvalue()


def unpack(data: bytes, *, known: Set[str], member_limit: int, total_limit: int, inside: str = "") -> dict[str, bytes]:
    """Unzip in memory.

    Parameters
    ----------
    data : bytes
        The zip.
    known : set of str
        The only names allowed, each at most once; so no name can lead anywhere.
    member_limit, total_limit : int
        Bytes that one member, and all of them, may come to; counted on what really comes out.
    inside : str
        Name of the zip within its file, for the sentence.

    Raises
    ------
    ArchiveError
        If the zip is damaged, encrypted, too large, or holds a link or a name that is not known.
    """
    where = f" in {inside}" if inside else ""
    if len(data) > total_limit:
        raise ArchiveError(f"is larger than {total_limit >> 20} MiB{where}")
    # What lies within a member is as it was packed, for its checksum was right: no copying mends that.
    _check_end(data, where, mendable=not inside)
    members: dict[str, bytes] = {}
    left = total_limit
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            entries = file.infolist()
            _check_overlaps(entries, file.start_dir, where, mendable=not inside)
            for entry in entries:
                _check_entry(entry, known, members, where)
                limit = min(member_limit, left)
                with file.open(entry) as member:
                    content = member.read(limit + 1)
                if len(content) > limit:
                    raise ArchiveError(f"is too large once unpacked, at {entry.filename}{where}")
                members[entry.filename] = content
                left -= len(content)
    # What zipfile raises on a damaged file is not documented as a whole; these are its and its parts' own.
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, struct.error) as error:
        raise ArchiveError(f"is damaged or cut short{where}", whole=bool(inside)) from error
    return members


def pack_array(values: Floats) -> bytes:
    """Give the array as the bytes of a `.npy` file, float32 and C-ordered."""
    out = io.BytesIO()
    np.save(out, np.ascontiguousarray(values, dtype="<f4"), allow_pickle=False)
    return out.getvalue()


def unpack_array(data: bytes, name: str, shape: tuple[int | None, ...]) -> Floats:
    """Read the bytes of a `.npy` file.

    Parameters
    ----------
    data : bytes
    name : str
        What it is, for the sentence.
    shape : tuple
        What it must be; where it holds None, any size of at least 1 will do.

    Returns
    -------
    float32 array of that shape; all finite, read-only.

    Raises
    ------
    ArchiveError
        If it is anything else.
    """
    header = _ARRAY.match(data)
    if header is None or header.end() != 10 + int.from_bytes(data[8:10], "little"):
        raise ArchiveError(f"holds {name} that is no plain float32 array")
    got = tuple(int(size) for size in header.groups() if size is not None)
    wanted = " x ".join("any" if size is None else str(size) for size in shape)
    fits = len(got) == len(shape) and all(g == w or (w is None and g >= 1) for g, w in zip(got, shape, strict=True))
    if not fits:
        raise ArchiveError(f"holds {name} of {' x '.join(map(str, got))} values where {wanted} belong")
    count = int(np.prod(got, dtype=object))
    if len(data) - header.end() != 4 * count:
        raise ArchiveError(f"holds {name} with more or fewer values than it says")
    values = np.frombuffer(data, dtype="<f4", offset=header.end()).reshape(got)
    if not np.isfinite(values).all():
        raise ArchiveError(f"holds {name} with values that are not finite")
    return values


def _check_end(data: bytes, where: str, mendable: bool) -> None:
    """Look at the end record first: a directory of millions of entries would fill the memory before any is seen."""
    if not data.startswith(_START):
        # Some tools make the whole length of zeros first, and fill it in from anywhere.
        begun = _START.startswith(data[: len(_START)]) or not any(data[: len(_START)])
        if begun and mendable:
            raise ArchiveError("is cut short", whole=False)
        raise ArchiveError(f"is not a zip, so it is no model{where}")
    end = data[-_END_BYTES:]
    if not end.startswith(b"PK\x05\x06") or end[-2:] != b"\x00\x00":
        raise ArchiveError(f"is cut short{where}", whole=not mendable)
    directory_bytes = int.from_bytes(end[12:16], "little")
    is_64 = data[-_END_BYTES - _LOCATOR_BYTES : -_END_BYTES].startswith(b"PK\x06\x07")
    if is_64 or directory_bytes > _DIRECTORY_LIMIT:
        raise ArchiveError(f"holds far more entries than a model has{where}")


def _check_entry(entry: zipfile.ZipInfo, known: Set[str], seen: dict[str, bytes], where: str) -> None:
    # orig_filename is what the file says; zipfile cuts filename at a zero byte.
    name = entry.orig_filename
    if name not in known or name != entry.filename:
        raise ArchiveError(f"holds an entry named {name[:60]!r}, which no model has{where}")
    if name in seen:
        raise ArchiveError(f"holds {name} twice{where}")
    if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
        raise ArchiveError(f"holds {name} as a link or a device, not as a plain file{where}")
    if entry.flag_bits & _ENCRYPTED:
        raise ArchiveError(f"is encrypted, at {name}{where}")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ArchiveError(f"is compressed in a way that is not known, at {name}{where}")


def _check_overlaps(entries: Sequence[zipfile.ZipInfo], directory_at: int, where: str, mendable: bool) -> None:
    """Bytes that entries share would unpack to any amount. A copy that was resumed in the wrong place has such, too."""
    free_from = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset < free_from:
            raise ArchiveError(f"holds entries that overlap, at {entry.filename[:60]!r}{where}", whole=not mendable)
        free_from = entry.header_offset + _LOCAL_HEADER_BYTES + len(entry.filename.encode()) + entry.compress_size
    if free_from > directory_at:
        raise ArchiveError(f"holds entries that overlap its directory{where}", whole=not mendable)
