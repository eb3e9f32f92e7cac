"""What is said on the control socket: one JSON object a line, in each direction."""

import difflib
import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model
from pydantic_core import ErrorDetails

from appliance.errors import LatentError, UsageError
from appliance.folders import shown
from appliance.mood import QUANTITIES

__all__ = ["LONGEST_REQUEST", "Handlers", "refusal", "reply"]

# Bytes of a line, its end not counted.
LONGEST_REQUEST: Final = 65_536
# Comparing words takes time, and a sentence is to be read: what is longer, or more of it, was not meant for us.
_LONGEST_WORD: Final = 40
_MOST_PROBLEMS: Final = 5


class Handlers(Protocol):
    """What the engine does when it is asked: called in the server's thread, one at a time; each must be quick.

    Each may raise a LatentError, whose sentence is the answer.
    """

    def mood(self, changes: dict[str, float]) -> dict[str, float]:
        """Move some quantities, all of them known and in range (none: only look); gives where each one stands."""

    def status(self) -> dict[str, Any]:
        """Tell how things are in what JSON can say; a number that is not finite is passed on as null."""

    def next_piece(self) -> None:
        """Begin a new piece."""

    def log(self) -> bytes:
        """Give the replay log, UTF-8 text."""


class _Request(BaseModel):
    # Strict: true is no number, and "0.3" is none either.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


if TYPE_CHECKING:
    _Changes = _Request
else:
    _Changes = create_model(
        "_Changes",
        __base__=_Request,
        **{name: (Annotated[float, Field(ge=each.low, le=each.high)], each.rest) for name, each in QUANTITIES.items()},
    )


class _MoodRequest(_Request):
    do: Literal["mood"]
    changes: _Changes = Field(default_factory=_Changes, alias="set")

    def answer(self, handlers: Handlers) -> dict[str, Any]:
        return {"mood": handlers.mood(self.changes.model_dump(exclude_unset=True))}


class _StatusRequest(_Request):
    do: Literal["status"]

    def answer(self, handlers: Handlers) -> dict[str, Any]:
        # A silent room has a level of minus infinity, for which JSON has no word.
        return {"status": json.loads(json.dumps(handlers.status()), parse_constant=lambda _: None)}


class _NextRequest(_Request):
    do: Literal["next"]

    def answer(self, handlers: Handlers) -> dict[str, Any]:
        handlers.next_piece()
        return {}


class _LogRequest(_Request):
    do: Literal["log"]

    def answer(self, handlers: Handlers) -> dict[str, Any]:
        # As text, so that who asks can write the very same bytes.
        return {"log": handlers.log().decode()}


_REQUESTS: Final[dict[str, type[_Request]]] = {
    "mood": _MoodRequest,
    "status": _StatusRequest,
    "next": _NextRequest,
    "log": _LogRequest,
}
_AnyRequest = _MoodRequest | _StatusRequest | _NextRequest | _LogRequest
_ADAPTER: Final[TypeAdapter[_AnyRequest]] = TypeAdapter(Annotated[_AnyRequest, Field(discriminator="do")])


def reply(line: bytes, handlers: Handlers, say: Callable[[str], None]) -> bytes:
    """Answer one request; never raises.

    Parameters
    ----------
    line : bytes
        Whatever a client sent, without its line end.
    say : callable
        Told in a sentence what a handler did not foresee.

    Returns
    -------
    bytes
        One line of JSON with its end: ``ok`` and what was asked for, or what `refusal` gives.
    """
    try:
        request = _parse(line)
    except UsageError as error:
        return refusal(error)
    try:
        return _line({"ok": True} | request.answer(handlers))
    except LatentError as error:
        return refusal(error)
    except Exception as error:
        what = shown(" ".join(f"{type(error).__name__}: {error}".split()))
        sentence = f"The engine failed to answer {request.do!r} ({what})."
        say(sentence)
        return refusal(LatentError(sentence))


def refusal(error: LatentError) -> bytes:
    """Give the line that says what was wrong; its ``exit_code`` is 2 where the request was."""
    return _line({"ok": False, "error": " ".join(str(error).split()), "exit_code": error.exit_code})


def _line(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer, allow_nan=False).encode() + b"\n"


def _parse(line: bytes) -> _AnyRequest:
    try:
        # Given bytes, json would guess at their encoding.
        words = json.loads(line.decode(), object_pairs_hook=_once_each, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise UsageError(f"The request is not one line of JSON ({error.msg}, column {error.colno}).") from error
    except UnicodeDecodeError as error:
        raise UsageError("The request is not one line of JSON (not UTF-8 text).") from error
    except RecursionError as error:
        raise UsageError("The request is nested too deeply.") from error
    except ValueError as error:
        # Python reads no whole numbers of more than some thousand digits.
        raise UsageError("The request holds a number that is too long.") from error
    try:
        return _ADAPTER.validate_python(words)
    except ValidationError as error:
        raise UsageError(_sentence(error.errors(include_input=False, include_url=False))) from error


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    words: dict[str, Any] = {}
    for name, value in pairs:
        if name in words:
            raise UsageError(f"The request names {_short(name)} twice; say it once.")
        words[name] = value
    return words


def _no_number(name: str) -> float:
    raise UsageError(f"The request holds {name}, which is no number that can be used.")


def _sentence(errors: list[ErrorDetails]) -> str:
    more = len(errors) - _MOST_PROBLEMS
    text = "; ".join(map(_problem, errors[:_MOST_PROBLEMS])) + (f"; and {more} more" if more > 0 else "")
    return text[0].upper() + text[1:] + ("" if text.endswith("?") else ".")


def _problem(error: ErrorDetails) -> str:
    """Describe one problem in plain words, with the known word that is nearest."""
    location, kind = error["loc"], error["type"]
    if kind == "union_tag_invalid":
        word = str(error["ctx"]["tag"])
        return f"there is no request called {_short(word)}{_did_you_mean(word, _REQUESTS)}"
    if not location:
        return 'a request is an object that says what to do, as in {"do": "status"}'
    request, name = str(location[0]), str(location[-1])
    if kind == "string_unicode":
        return "names are text, not half of a character"
    if len(location) > 2 and name in QUANTITIES:
        quantity = QUANTITIES[name]
        return f"{name} takes a number from {quantity.low:g} to {quantity.high:g}"
    if len(location) > 2:
        return f"there is no mood called {_short(name)}{_did_you_mean(name, QUANTITIES)}"
    if kind != "extra_forbidden":
        return '"set" takes an object, as in {"do": "mood", "set": {"pitch": 0.3}}'
    known = [str(field.alias or word) for word, field in _REQUESTS[request].model_fields.items()]
    return f"there is no {_short(name)} in a {request} request{_did_you_mean(name, known)}"


def _short(word: str) -> str:
    word = shown(word)
    return repr(word if len(word) <= _LONGEST_WORD else word[:_LONGEST_WORD] + "...")


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word[:_LONGEST_WORD], known, n=1)
    return f", did you mean {close[0]}?" if close else f", there are {', '.join(known)}"
