"""Zips and arrays from strangers: packed with the same bytes every time, unpacked in memory within limits."""

import io
import re
from collections.abc import Set
from typing import Final

import numpy as np

from appliance.model.zips import ArchiveError, Rules, Zip, write_zip
from appliance.spectrum.codec import Floats

__all__ = ["ArchiveError", "pack", "pack_array", "unpack", "unpack_array"]

# Exactly what `pack_array` (and `numpy.save`) writes for a C-ordered float32 array of one or two dimensions. Anything
# else, pickled objects included, is refused before numpy sees it.
_ARRAY: Final = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '<f4', 'fortran_order': False, 'shape': \((\d{1,9}),(?: (\d{1,9}))?\), \} *\n",
    re.DOTALL,
)


def pack(members: dict[str, bytes]) -> bytes:
    """Zip the members in order, uncompressed, with a fixed date: the same content gives the same bytes."""
    out = io.BytesIO()
    write_zip(out, ((name, [content]) for name, content in members.items()))
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
    rules = Rules("model", known.__contains__, member_limit, total_limit, inside=inside)
    members = Zip(io.BytesIO(data), rules)
    return {name: members.read(name) for name in members.names}


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
