"""Curate: a page on which clips are heard and kept or rejected, served to the browser of whoever listens.

State is in the ledger and nowhere else: a reload, another browser or a restart goes on where it was left.
"""

import contextlib
import functools
import ipaddress
import json
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from appliance.errors import StudioError
from appliance.studio.curating.curation import Curation, DecidedError, SilentError, UnknownClipError

__all__ = ["app", "serve"]

_PAGE = Path(__file__).parent / "page"
_LONGEST_REQUEST: Final = 4096
_LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
_PATIENCE_S: Final = 2
_STATUS: Final[dict[type[Exception], int]] = {UnknownClipError: 404, DecidedError: 409, SilentError: 410}
# The page is all there is: nothing is fetched from elsewhere, and nobody shows it inside of theirs.
_HEADERS: Final = {
    "content-security-policy": "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    # Another corpus may be served here tomorrow.
    "cache-control": "no-store",
}


def app(corpus: Path, hosts: tuple[str, ...] = _LOOPBACK) -> Starlette:
    """Open a corpus and make the page that curates it; it is closed when the server stops.

    Parameters
    ----------
    corpus : Path
    hosts : tuple of str
        Names by which the page may be called; ``*`` for any. A site elsewhere whose name was made to point here
        (DNS rebinding) calls it by its own.

    Raises
    ------
    StudioError
        If there is no corpus, or it holds no clips.
    """
    curation = Curation(corpus)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        with curation:
            yield

    served = Starlette(
        routes=[
            Route("/api/state", _state),
            Route("/api/decide", _decide, methods=["POST"]),
            Route("/api/undo", _undo, methods=["POST"]),
            Route("/api/accept", _accept, methods=["POST"]),
            Route("/api/clips/{row:int}/codec.wav", functools.partial(_sound, Curation.codec)),
            Route("/api/clips/{row:int}/original.wav", functools.partial(_sound, Curation.original)),
            Mount("/", StaticFiles(directory=_PAGE, html=True)),
        ],
        middleware=[
            Middleware(_Headed),
            Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False),
        ],
        exception_handlers={HTTPException: _refused, StudioError: _failed},
        lifespan=lifespan,
    )
    served.state.curation = curation
    return served


def serve(corpus: Path, host: str, port: int, tell: Callable[[str], None]) -> None:
    """Serve the page until Ctrl-C.

    Parameters
    ----------
    corpus : Path
    host : str
        A name or address of this machine.
    port : int
        0 takes any that is free.
    tell : callable
        Told in a sentence where the page is, and who else may reach it.

    Raises
    ------
    StudioError
        If there is nothing to curate, or the port is taken.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family)
    except (OSError, OverflowError, UnicodeError) as error:
        # What the library adds in brackets only says once more where.
        why = str(getattr(error, "strerror", None) or error).partition(" (while ")[0]
        raise StudioError(
            f"The page cannot be served at {host}, port {port} ({why}); choose another --port, or --host."
        ) from error
    with listener:
        address, port = listener.getsockname()[:2]
        alone = ipaddress.ip_address(address).is_loopback
        served = app(corpus, (*_LOOPBACK, _in_link(host)) if alone else ("*",))
        if not alone:
            tell(f"Anyone in the network may listen and swipe, because --host is {host}; 127.0.0.1 is for you alone.")
        tell(f"Open http://{_in_link(host)}:{port} to listen; every decision is kept at once, and Ctrl-C ends it.")
        config = uvicorn.Config(
            served, log_level="warning", access_log=False, ws="none", timeout_graceful_shutdown=_PATIENCE_S
        )
        with _stoppable():
            uvicorn.Server(config).run(sockets=[listener])


def _in_link(host: str) -> str:
    return f"[{host}]" if ":" in host else host


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end what is inside in good order: uvicorn raises them once more when it is done."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.default_int_handler) for number in numbers]
    try:
        with contextlib.suppress(KeyboardInterrupt):
            yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


class _Headed:
    """Adds our headers to every answer."""

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self._inner(scope, receive, headed)


def _curation(request: Request) -> Curation:
    curation: Curation = request.app.state.curation
    return curation


def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


def _failed(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, _STATUS.get(type(error), 500))


def _state(request: Request) -> Response:
    try:
        hand = [int(row) for row in request.query_params.get("hand", "").split(",") if row]
    except ValueError as error:
        raise HTTPException(400, "The hand is a list of rows with commas between them.") from error
    return JSONResponse(_curation(request).state(hand))


async def _decide(request: Request) -> Response:
    asked = await _asked(request)
    row, keep = asked.get("row"), asked.get("keep")
    if not _is_row(row) or not isinstance(keep, bool):
        raise HTTPException(400, "A decision takes a row and keep, true or false.")
    return await _answer(_curation(request).decide, row, keep, _hand(asked))


async def _undo(request: Request) -> Response:
    return await _answer(_curation(request).undo, _hand(await _asked(request)))


async def _accept(request: Request) -> Response:
    asked = await _asked(request)
    number = asked.get("number")
    if not _is_row(number):
        raise HTTPException(400, "To accept a guess takes its number.")
    return await _answer(_curation(request).accept, number, _hand(asked))


async def _sound(heard: Callable[[Curation, int], bytes], request: Request) -> Response:
    wav = await run_in_threadpool(heard, _curation(request), request.path_params["row"])
    return Response(wav, media_type="audio/wav")


async def _answer(method: Callable[..., dict[str, Any]], *given: object) -> Response:
    return JSONResponse(await run_in_threadpool(method, *given))


async def _asked(request: Request) -> dict[str, Any]:
    """The JSON object that came with a request.

    No form elsewhere can send this content type, and no script elsewhere may without leave, which nobody gives.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "Send it as application/json.")
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _LONGEST_REQUEST:
            raise HTTPException(413, f"A request takes at most {_LONGEST_REQUEST} bytes.")
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "This is not JSON.") from error
    if not isinstance(asked, dict):
        raise HTTPException(400, "A request is a JSON object.")
    return asked


def _is_row(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _hand(asked: dict[str, Any]) -> list[int]:
    hand = asked.get("hand", [])
    if not isinstance(hand, list) or not all(_is_row(row) for row in hand):
        raise HTTPException(400, "The hand is a list of rows.")
    return hand
