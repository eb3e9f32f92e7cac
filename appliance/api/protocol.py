"""What is said on the control socket: one JSON object a line, in each direction."""

import json
from collections.abc import Callable
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from appliance.api.handlers import Handlers
from appliance.api.requests import ADAPTER, REQUESTS, SAID, SETTABLE, AnyRequest
from appliance.errors import LatentError, UsageError
from appliance.folders import shown
from appliance.names import hint, quoted, sentence

__all__ = ["LONGEST_REQUEST", "refusal", "reply"]

# Bytes of a line, its end not counted.
LONGEST_REQUEST: Final = 65_536
# A sentence is to be read.
_MOST_PROBLEMS: Final = 5


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


def _parse(line: bytes) -> AnyRequest:
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
        return ADAPTER.validate_python(words)
    except ValidationError as error:
        raise UsageError(_sentence(error.errors(include_input=False, include_url=False))) from error


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    words: dict[str, Any] = {}
    for name, value in pairs:
        if name in words:
            raise UsageError(f"The request names {quoted(name)} twice; say it once.")
        words[name] = value
    return words


def _no_number(name: str) -> float:
    raise UsageError(f"The request holds {name}, which is no number that can be used.")


def _sentence(errors: list[ErrorDetails]) -> str:
    more = len(errors) - _MOST_PROBLEMS
    return sentence("; ".join(map(_problem, errors[:_MOST_PROBLEMS])) + (f"; and {more} more" if more > 0 else ""))


def _problem(error: ErrorDetails) -> str:
    """Describe one problem in plain words, with the known word that is nearest."""
    location, kind = error["loc"], error["type"]
    if kind == "union_tag_invalid":
        word = str(error["ctx"]["tag"])
        return f"there is no request called {quoted(word)}{hint(word, REQUESTS)}"
    if kind == SAID:
        return error["msg"]
    if not location:
        return 'a request is an object that says what to do, as in {"do": "status"}'
    request, name = str(location[0]), str(location[-1])
    if kind == "string_unicode":
        return "names are text, not half of a character"
    if len(location) > 2:
        return _problem_of_number(request, name)
    known = {str(field.alias or word): field for word, field in REQUESTS[request].model_fields.items()}
    if kind == "extra_forbidden":
        return f"there is no {quoted(name)} in a {request} request{hint(name, known)}"
    return f'"{name}" takes {known[name].description}'


def _problem_of_number(request: str, name: str) -> str:
    known = SETTABLE[request]
    if name not in known:
        return f"there is no {request} called {quoted(name)}{hint(name, known)}"
    return f"{name} takes a number from {known[name].low:g} to {known[name].high:g}"
