"""Zips that mean harm."""

import io
import stat
import struct
import zipfile
import zlib

__all__ = ["bomb", "crowd", "encrypted", "one_folder", "overlapping", "symbolic", "twice"]

_END = struct.Struct("<4s4H2LH")


def _bomb_stream() -> bytes:
    """4 GB of zeros, deflated: a block that was flushed may be said again."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * 4095 + packer.flush()


def bomb(name: str) -> bytes:
    """A zip of one member that is inflated to 4 GB, and says so."""
    content = _bomb_stream()
    crc = 0
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 33, crc, len(content), 4095 << 20, len(name), 0)
    entry = struct.pack(
        "<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 8, 0, 33, crc, len(content), 4095 << 20, len(name), 0, 0, 0, 0, 0, 0
    )
    body = local + name.encode() + content
    directory = entry + name.encode()
    return body + directory + _END.pack(b"PK\5\6", 0, 0, 1, 1, len(directory), len(body), 0)


def symbolic(file: zipfile.ZipFile) -> None:
    entry = zipfile.ZipInfo("CARD.md")
    entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    file.writestr(entry, "/etc/passwd")


def twice(data: bytes) -> bytes:
    out = io.BytesIO(data)
    card = zipfile.ZipInfo("card.md")
    with zipfile.ZipFile(out, "a") as file:
        file.writestr(card, "another")
    # By its true name, zipfile would warn.
    return out.getvalue().replace(b"card.md", b"CARD.md")


def overlapping(data: bytes) -> bytes:
    """The last entry of the directory points at the content of the first."""
    directory = int.from_bytes(data[-6:-2], "little")
    last = data.rindex(b"PK\1\2")
    first = data[directory + 42 : directory + 46]
    return data[: last + 42] + first + data[last + 46 :]


def encrypted(data: bytes) -> bytes:
    changed = bytearray(data)
    directory = int.from_bytes(data[-6:-2], "little")
    changed[6] |= 1
    changed[directory + 8] |= 1
    return bytes(changed)


def crowd(_: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for number in range(100_000):
            file.writestr(zipfile.ZipInfo(f"{number}"), b"")
    return out.getvalue()


def one_folder(_: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("models/", b"")
    return out.getvalue()
