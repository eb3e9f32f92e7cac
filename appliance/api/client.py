"""Asking the engine something over its control socket."""

import contextlib
import json
import os
import socket
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from appliance.errors import ApiError, UsageError
from appliance.folders import shown

__all__ = ["ask", "control_path"]

# What the address of a Unix socket may hold, in bytes, its final zero not counted.
_LONGEST_PATH: Final = 107
_PIECE: Final = 1 << 20


def control_path(folder: Path) -> Path:
    """Tell where an engine listens that keeps its socket in a folder.

    Raises
    ------
    ApiError
        If no socket can have a path that long.
    """
    path = folder / "control"
    if len(os.fsencode(path)) > _LONGEST_PATH:
        raise ApiError(
            f"The path {shown(path)} is too long for a socket, which takes {_LONGEST_PATH} bytes; "
            "set XDG_RUNTIME_DIR to a shorter folder."
        )
    return path


def ask(folder: Path, request: Mapping[str, object], timeout_s: float = 5.0) -> dict[str, Any]:
    """Ask the engine something and wait for its answer.

    Parameters
    ----------
    folder : Path
        The runtime folder of the engine.
    request : mapping
        As in ``{"do": "mood", "set": {"pitch": 0.3}}``.
    timeout_s : float
        Seconds for all of it, above 0.

    Returns
    -------
    dict
        The answer, with ``ok`` true.

    Raises
    ------
    UsageError
        If the engine finds the request wrong.
    ApiError
        If it does not run, does not answer in time, or could not do it.
    """
    path = control_path(folder)
    deadline_s = time.monotonic() + timeout_s
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as talk:
            _connect(talk, path, timeout_s)
            line = _exchange(talk, json.dumps(request).encode() + b"\n", deadline_s)
    except FileNotFoundError as error:
        raise ApiError("No engine is running; start it with latent play.") from error
    except ConnectionRefusedError as error:
        raise ApiError("No engine is running, the last one was killed; start it with latent play.") from error
    except PermissionError as error:
        raise ApiError(f"The engine behind {shown(path)} belongs to another user; ask as that user.") from error
    except (TimeoutError, BlockingIOError) as error:
        raise ApiError(f"The engine does not answer within {timeout_s:g} s; restart it if that stays so.") from error
    except OSError as error:
        raise ApiError(f"The engine cannot be reached ({error.strerror}); restart it if that stays so.") from error
    return _answer(line)


def _connect(talk: socket.socket, path: Path, timeout_s: float) -> None:
    # Python's own timeout makes the socket non-blocking, and that is refused at once where others wait in line.
    whole = max(int(timeout_s * 1e6), 1)
    talk.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", *divmod(whole, 1_000_000)))
    talk.connect(os.fsencode(path))


def _exchange(talk: socket.socket, request: bytes, deadline_s: float) -> bytes:
    """Send the request and read up to a line end, or up to what there is if the engine ends it before."""
    talk.settimeout(_left_s(deadline_s))
    # An engine that refuses a request before its end has told why.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        talk.sendall(request)
    pieces: list[bytes] = []
    while not (pieces and pieces[-1].endswith(b"\n")):
        talk.settimeout(_left_s(deadline_s))
        try:
            piece = talk.recv(_PIECE)
        except ConnectionResetError:
            break
        if not piece:
            break
        pieces.append(piece)
    return b"".join(pieces)


def _left_s(deadline_s: float) -> float:
    left_s = deadline_s - time.monotonic()
    if left_s <= 0.0:
        raise TimeoutError
    return left_s


def _answer(line: bytes) -> dict[str, Any]:
    if not line.endswith(b"\n"):
        raise ApiError("The engine ended before it had answered; ask again.")
    try:
        answer = json.loads(line)
        if answer["ok"] is True:
            return dict(answer)
        sentence, code = str(answer["error"]), answer["exit_code"]
    except (ValueError, TypeError, KeyError) as error:
        raise ApiError("The engine gives an answer that makes no sense; is it of this version? Restart it.") from error
    raise UsageError(sentence) if code == UsageError.exit_code else ApiError(sentence)
