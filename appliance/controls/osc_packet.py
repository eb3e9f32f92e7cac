"""What is inside an OSC packet: the one door to python-osc, which is shown only what cannot hang it or make it talk."""

import struct
from typing import Final

from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

__all__ = ["OscError", "build", "messages", "read"]

_BUNDLE: Final = b"#bundle\x00"
# Prefix and time tag.
_HEAD: Final = 16
_SIZE: Final = struct.Struct(">i")
# Bytes; a control says a number or a name.
_LONGEST: Final = 1024
_KINDS: Final = frozenset(b",ihfdsbrmtTFN[]")


class OscError(Exception):
    """Not OSC, or not OSC that a control would send."""


def messages(packet: bytes) -> list[bytes]:
    """Take bundles apart, to any depth, in the order in which the messages stand; time tags are ignored.

    Raises
    ------
    OscError
        If a bundle's sizes do not add up. python-osc reads bundles too, but goes round for ever on a negative size
        and gives up at Python's own depth.
    """
    found = []
    waiting = [(0, len(packet))]
    while waiting:
        start, end = waiting.pop()
        if packet.startswith(_BUNDLE, start, end):
            waiting.extend(reversed(_elements(packet, start + _HEAD, end)))
        else:
            found.append(packet[start:end])
    return found


def _elements(packet: bytes, at: int, end: int) -> list[tuple[int, int]]:
    found = []
    while at + _SIZE.size < end:
        start = at + _SIZE.size
        at = start + _SIZE.unpack_from(packet, at)[0]
        if not start < at <= end:
            break
        found.append((start, at))
    if at != end:
        raise OscError("sizes do not add up")
    return found


def read(message: bytes) -> tuple[str, list[object]]:
    """Address and arguments of one message.

    Raises
    ------
    OscError
        If it cannot be read, or says more than a control would.
    """
    if not message.startswith(b"/") or len(message) > _LONGEST:
        raise OscError("no message of a control")
    start = (message.find(b"\0") // 4 + 1) * 4
    if not _KINDS.issuperset(message[start:].partition(b"\0")[0]):
        # python-osc would write a line to the log for each.
        raise OscError("arguments of unknown kinds")
    try:
        parsed = OscMessage(message)
        return parsed.address, parsed.params
    except Exception as error:
        # Bytes from outside meet somebody else's parser: whatever it raises is about the bytes.
        raise OscError(str(error)) from error


def build(address: str, value: float | int | str) -> bytes:
    """One message of one argument: float32, int32 or text. Raises OscError where the value does not fit."""
    builder = OscMessageBuilder(address)
    try:
        builder.add_arg(value)
        return builder.build().dgram
    except Exception as error:
        raise OscError(str(error)) from error
