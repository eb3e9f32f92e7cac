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

__all__ = ["Session", "ask", "control_path"]

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
    with Session(folder, timeout_s) as session:
        return session.ask(request)


class Session:
    """Asks many things over one connection, which begins with the first; for who looks several times a second.

    The engine ends it after 10 s without a request; so does an engine that ends. What is asked next begins another.

    Parameters
    ----------
    folder : Path
        The runtime folder of the engine.
    timeout_s : float
        Seconds for each question and its answer, above 0.
    """

    def __init__(self, folder: Path, timeout_s: float = 5.0) -> None:
        self._path = control_path(folder)
        self._timeout_s = timeout_s
        self._talk: socket.socket | None = None

    def ask(self, request: Mapping[str, object]) -> dict[str, Any]:
        """Ask something and wait for its answer; as the function `ask`."""
        deadline_s = time.monotonic() + self._timeout_s
        try:
            if self._talk is None:
                self._talk = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                _connect(self._talk, self._path, self._timeout_s)
            line = _exchange(self._talk, json.dumps(request).encode() + b"\n", deadline_s)
        except OSError as error:
            # An answer that comes late would be taken for that to another question.
            self.close()
            raise self._reason(error) from error
        if not line.endswith(b"\n"):
            self.close()
        return _answer(line)

    def close(self) -> None:
        """End the connection; any number of times."""
        if self._talk is not None:
            self._talk.close()
            self._talk = None

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _reason(self, error: OSError) -> ApiError:
        """Say in a sentence why the engine cannot be asked."""
        timeout_s = self._timeout_s
        match error:
            case FileNotFoundError():
                return ApiError("No engine is running; start it with latent play.")
            case ConnectionRefusedError():
                return ApiError("No engine is running, the last one was killed; start it with latent play.")
            case PermissionError():
                return ApiError(f"The engine behind {shown(self._path)} belongs to another user; ask as that user.")
            case TimeoutError() | BlockingIOError():
                return ApiError(f"The engine does not answer within {timeout_s:g} s; restart it if that stays so.")
        return ApiError(f"The engine cannot be reached ({error.strerror}); restart it if that stays so.")


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
