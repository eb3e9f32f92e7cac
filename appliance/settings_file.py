"""Reading ``latent.toml``: every problem at once and in plain words, and what is right of a file that needs mending."""

import difflib
import stat
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from appliance.errors import SettingsError
from appliance.folders import configuration_folder, shown
from appliance.names import sentence
from appliance.settings import PLACE, Settings
from appliance.toml_lines import line_of, salvage
from appliance.wiring import checks
from appliance.wiring.room import HOST_AND_PORT
from appliance.wiring.tables import OSC_ADDRESS, TIME_OF_DAY, control_keys

__all__ = ["read_forgiving", "read_settings"]

_MOST_BYTES: Final = 1 << 20


class _NotTomlError(SettingsError):
    """The text of a settings file cannot be read as a whole."""

    def __init__(self, sentence: str, text: str) -> None:
        super().__init__(sentence)
        self.text = text


_DAYS: Final = ("hours", "days")
# Stands behind a key that cannot be.
_KEY: Final = "[key]"
# What the wiring lacks as a whole may be at no one key.
_WIRING: Final = ("controls", "combine", "presence")


def read_settings(path: Path | None) -> Settings:
    """Read a settings file; None stands for the usual place, which may be empty.

    Raises
    ------
    SettingsError
        Listing every problem at once, with 'did you mean' where a key is nearly right.
    """
    text, table = _read(path)
    settings, found = _settled(table)
    if settings is None:
        raise SettingsError(_told(path, text, found))
    return settings


def read_forgiving(path: Path | None) -> tuple[Settings, str]:
    """As `read_settings`, but what is wrong stands at its default: a room prefers sound to silence.

    Returns
    -------
    Settings
        With every key that is right; a table that needs another one of its keys goes with it.
    str
        Empty, or the sentence that `read_settings` would have ended with.
    """
    told = []
    try:
        text, table = _read(path)
    except _NotTomlError as error:
        text = salvage(error.text, _DAYS[0])
        told, table = [str(error)], tomllib.loads(text)
    except SettingsError as error:
        return Settings(), str(error)
    settings, found = _settled(table)
    if settings is None:
        told.append(_told(path, text, found))
    while settings is None:
        if not any([_leave_out(table, where) for where, _ in found]):
            for name in _WIRING if any(name in table for name in _WIRING) else list(table):
                table.pop(name, None)
        settings, found = _settled(table)
    return settings, " ".join(told)


def _read(path: Path | None) -> tuple[str, dict[str, Any]]:
    """Give the file and what TOML makes of it, both empty where none is needed. Raises SettingsError."""
    chosen = path or configuration_folder() / "latent.toml"
    name = shown(chosen)
    try:
        text = _text(chosen)
    except (FileNotFoundError, NotADirectoryError) as error:
        if path is None:
            return "", {}
        raise SettingsError(f"The settings file {name} cannot be read ({error.strerror}): check its path.") from error
    except OSError as error:
        raise SettingsError(
            f"The settings file {name} cannot be read ({error.strerror}): check its path and its rights."
        ) from error
    except UnicodeDecodeError as error:
        rest = error.object.decode("utf-8", "replace")
        raise _NotTomlError(f"The settings file {name} is not valid TOML: it is not UTF-8 text.", rest) from error
    try:
        return text, tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise _NotTomlError(f"The settings file {name} is not valid TOML: {shown(str(error))}.", text) from error


def _settled(table: dict[str, Any]) -> tuple[Settings | None, list[checks.Problem]]:
    """Give the settings, or all that is wrong with them."""
    found = checks.problems(table)
    try:
        settings = Settings.model_validate(table)
    except ValidationError as error:
        errors = error.errors(include_input=False, include_url=False)
        # What stands at a key that cannot be is nobody's concern.
        keys = [item["loc"][:-1] for item in errors if item["loc"][-1] == _KEY]
        plain = [item for item in errors if item["loc"][-1] == _KEY or not any(_is_at(item, key) for key in keys)]
        return None, [_problem(item, table) for item in plain if not _told_by_checks(item, table)] + found
    return (None if found else settings), found


def _told(path: Path | None, text: str, found: list[checks.Problem]) -> str:
    lines = [(line_of(text, where), shown(what)) for where, what in found]
    # In the order of the file; what is found at no line goes first.
    ordered = sorted(lines, key=lambda each: each[0] or 0)
    told = "; ".join(what if line is None else f"line {line}, {what}" for line, what in ordered)
    name = shown(path or configuration_folder() / "latent.toml")
    return sentence(f"The settings file {name} needs mending: {told}")


def _leave_out(table: dict[str, Any], where: tuple[str, ...]) -> bool:
    """Take out the last thing on the way to a problem that is there; False where nothing is."""
    if not where:
        return False
    inner = table.get(where[0])
    # With a line of them less, other days would be closed, and nobody would hear why.
    if where[:2] == _DAYS and isinstance(inner, dict):
        return inner.pop(_DAYS[1], None) is not None
    if isinstance(inner, dict) and _leave_out(inner, where[1:]):
        return True
    return table.pop(where[0], None) is not None


_PATTERNS = {
    PLACE: 'must be a seed and a piece, as in "7/12"',
    TIME_OF_DAY: 'must be a time of day, as in "08:30"',
    OSC_ADDRESS: 'must be an OSC address, as in "/1/fader1"',
    HOST_AND_PORT: 'must be a host and a port, as in "192.168.1.20:9000"',
}


def _text(path: Path) -> str:
    """Read a file of reasonable size; a device, a pipe or a folder could keep us for ever. Raises SettingsError too."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise SettingsError(f"The settings file {shown(path)} is not an ordinary file: name a TOML file.")
    with path.open("rb") as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise SettingsError(f"The settings file {shown(path)} is longer than 1 MiB: name a TOML file.")
    # Some editors begin a file with a byte order mark.
    return content.decode("utf-8-sig")


def _figure(bound: float | None) -> str:
    return f"{bound:g}" if isinstance(bound, float) else str(bound)


def _problem(error: ErrorDetails, table: dict[str, Any]) -> checks.Problem:
    """Describe one problem in plain words, and for an unknown key name the known one that is nearest."""
    location = [str(part) for part in error["loc"] if part != _KEY]
    kind, bounds = error["type"], error.get("ctx", {})
    if location[0] == "controls" and len(location) > 2:
        # After the name of a control stands which of all kinds it was taken for.
        del location[2]
    where = tuple(location)
    name = "mood" if kind == "mood" else ".".join(location)
    header = f"[[{'.'.join(location[:-1])}]]" if isinstance(error["loc"][-1], int) else f"[{name}]"
    plain = {
        "source": "is no control: begin one with a line of its own, as in [controls.tilt]",
        "model_type": f"must be a table, as in {header}",
        "dict_type": f"must be a table, as in [{name}]",
        "string_type": "must be text in quotes",
        "string_pattern_mismatch": _PATTERNS.get(str(bounds.get("pattern")), "must not be empty"),
        "string_too_long": f"is longer than {bounds.get('max_length')} letters",
        "tuple_type": 'must be a list, as in ["7/12"]' if location[0] == "music" else "must be a list in brackets",
        "too_long": f"takes at most {bounds.get('max_length')}{' pieces' * (location[0] == 'music')}",
        "too_short": f"takes at least {bounds.get('min_length')}",
        "int_type": "must be a whole number",
        "float_type": "must be a number",
        "bool_type": "must be true or false",
        "finite_number": "is not a finite number",
        "greater_than_equal": f"must be at least {_figure(bounds.get('ge'))}",
        "less_than_equal": f"must be at most {_figure(bounds.get('le'))}",
        "literal_error": f"must be {bounds.get('expected')}",
        "missing": "is missing",
    }
    if kind != "extra_forbidden":
        return where, f"{name}: {plain.get(kind, error['msg'])}"
    close = difflib.get_close_matches(location[-1], _known(where, table), n=1)
    return where, f"there is no {name}" + (f", did you mean {close[0]}?" if close else "")


def _is_at(error: ErrorDetails, place: tuple[int | str, ...]) -> bool:
    return error["loc"][: len(place)] == place


def _told_by_checks(error: ErrorDetails, table: dict[str, Any]) -> bool:
    """Whether a problem is told better by the checks of the wiring: of a control, that it has no source."""
    return error["type"] == "source" and isinstance(table["controls"][error["loc"][1]], dict)


def _known(where: tuple[str, ...], table: dict[str, Any]) -> Iterable[str]:
    """The keys that there are where an unknown one was found."""
    if where[0] == "controls":
        return control_keys(table["controls"][where[1]].get("source"))
    model: type[BaseModel] = Settings
    for name in where[:-1]:
        # What is no key is the place in a list, of which it is known already what it holds.
        if name in model.model_fields:
            model = next(_models(model.model_fields[name].annotation))
    return model.model_fields


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The tables that a value may be, be it in a list or left out."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _models(each)
