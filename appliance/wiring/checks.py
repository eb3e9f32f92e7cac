"""What is wrong with the wiring as a whole: what no table can see by itself, such as a pin used twice."""

import difflib
import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from appliance.mood import STEERED
from appliance.names import is_scene_name
from appliance.wiring.tables import ACTIONS, CHIPS, SOURCES

__all__ = ["Problem", "problems"]

# Where in the file, and a part of a sentence that names it and says what is wrong there.
Problem = tuple[tuple[str, ...], str]

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_FIRST_PIN, _LAST_PIN = 2, 27
_ADS1115_CHANNELS: Final = 4
_SPI_PINS: Final = {9: "SPI's MISO", 10: "SPI's MOSI", 11: "SPI's clock", 8: "SPI's CE0", 7: "SPI's CE1"}
_I2C_PINS: Final = {2: "I2C's data", 3: "I2C's clock"}
# What is longer was not meant, and would fill the sentence.
_LONGEST: Final = 40
_MOST_LISTED: Final = 24
_MOST_BITS: Final = 256
_WITH_SCENE: Final = ("scene", "save")


def problems(table: Mapping[str, Any]) -> list[Problem]:
    """Find all that is wrong with the wiring in a settings file as it was read.

    Parts that are not of their type are passed over: that is told elsewhere. Of a control, that goes for its source.
    """
    controls = {name: each for name, each in _table(table.get("controls")).items() if isinstance(each, dict)}
    presence, light = _table(table.get("presence")), _table(table.get("light"))
    found: list[Problem] = []
    for name, control in controls.items():
        found += [(("controls", name, *where), what) for where, what in _of_one(name, control, presence)]
    found += _pins(controls, light)
    found += _channels(controls)
    found += _together(table, controls, presence)
    if any(each.get("source") == "osc" for each in controls.values()) and "port" not in _table(table.get("osc")):
        found.append((("osc",), "a control waits for OSC, but nobody listens: set port, as in port = 9000"))
    return [(where, f"{'.'.join(where)}: {what}") for where, what in found]


def _of_one(name: str, control: Mapping[str, Any], presence: Mapping[str, Any]) -> Iterator[Problem]:
    if not _NAME.fullmatch(name):
        yield (), "a control cannot be called so: take up to 40 letters (a to z), digits, _ and -"
    source, moves, does = control.get("source"), control.get("moves"), control.get("does")
    if source not in SOURCES:
        yield from _sourceless(source)
        return
    if moves is None and does is None and name not in _list(presence.get("sensors")):
        yield (), "moves nothing and does nothing: give it moves or does"
    yield from _moved(control, moves)
    yield from _done(does)
    near, far = control.get("near_m", 0.2), control.get("far_m", 1.5)
    if source == "distance" and _number(near) and _number(far) and near >= far:
        yield ("near_m",), f"must be less than far_m, which is {_figure(far)}"
    if source == "osc" and control.get("from_low", 0.0) == control.get("from_high", 1.0):
        yield ("from_low",), "is the same as from_high, so nothing would move"
    if source == "encoder" and does is not None and "push_pin" not in control:
        yield ("does",), "its push button does that: give it push_pin"
    if source == "encoder" and control.get("deadband"):
        yield ("deadband",), "an encoder has no ends to lie still at: leave it out"


def _sourceless(source: object) -> Iterator[Problem]:
    known = f"{', '.join(SOURCES[:-1])} or {SOURCES[-1]}"
    if source is None:
        yield (), f"needs a source: {known}"
    elif not isinstance(source, str):
        yield ("source",), f"must be text in quotes: {known}"
    else:
        close = difflib.get_close_matches(source.lower()[:_LONGEST], SOURCES, n=1)
        yield (
            ("source",),
            f"there is no source {_quoted(source)}"
            + (f", did you mean {close[0]}?" if close else f": there are {known}"),
        )


def _moved(control: Mapping[str, Any], moves: object) -> Iterator[Problem]:
    if moves is None:
        for key in ("low", "high", "curve", "neutral", "glide_s"):
            if key in control:
                yield (key,), "goes with moves, and it moves nothing: add moves, or leave this out"
        return
    if not isinstance(moves, str):
        return
    if moves not in STEERED:
        yield ("moves",), f"there is nothing called {_quoted(moves)} to move{_hint(moves, STEERED)}"
        return
    for key in ("low", "high", "neutral"):
        yield from _within((key,), moves, control.get(key))
    if control.get("low", STEERED[moves].low) == control.get("high", STEERED[moves].high):
        yield ("low",), "is the same as high, so nothing would move"


def _done(does: object) -> Iterator[Problem]:
    if not isinstance(does, str):
        return
    action, _, scene = does.partition(" ")
    if action not in ACTIONS:
        yield ("does",), f"there is nothing called {_quoted(does)} to do{_hint(action, ACTIONS)}"
    elif action in _WITH_SCENE and not scene.strip():
        yield ("does",), f'{action} needs the name of a scene, as in "{action} dusk"'
    elif action in _WITH_SCENE and not is_scene_name(scene.strip()):
        yield ("does",), f"a scene cannot be called so: take up to {_LONGEST} letters without a slash"
    elif scene and action not in _WITH_SCENE:
        yield ("does",), f"{action} goes without a name"


def _pins(controls: Mapping[str, Mapping[str, Any]], light: Mapping[str, Any]) -> Iterator[Problem]:
    """Pins that are not there, are used twice, or belong to a bus that is in use."""
    taken: dict[int, str] = {}
    sources = {source for each in controls.values() if isinstance(source := each.get("source"), str)}
    if sources & CHIPS.keys():
        taken |= _SPI_PINS
    if "ads1115" in sources:
        taken |= _I2C_PINS
    for where, pin in _named_pins(controls, light):
        if not _FIRST_PIN <= pin <= _LAST_PIN:
            yield where, f"there is no pin {_figure(pin)}: BCM numbers go from {_FIRST_PIN} to {_LAST_PIN}"
        elif pin in taken:
            yield where, f"pin {pin} is {taken[pin]} already: wire it to another"
        else:
            taken[pin] = f"used by {'.'.join(where[:2])}" if where[0] == "controls" else "used by the light"


def _named_pins(
    controls: Mapping[str, Mapping[str, Any]], light: Mapping[str, Any]
) -> Iterator[tuple[tuple[str, ...], int]]:
    for name, control in controls.items():
        for key in ("pin", "pins", "push_pin", "trigger", "echo"):
            value = control.get(key)
            for pin in value if isinstance(value, list) else [value]:
                if isinstance(pin, int) and not isinstance(pin, bool) and pin >= 0:
                    yield ("controls", name, key), pin
    pin = light.get("pin")
    if isinstance(pin, int) and not isinstance(pin, bool) and pin >= 0:
        yield ("light", "pin"), pin


def _channels(controls: Mapping[str, Mapping[str, Any]]) -> Iterator[Problem]:
    """Channels that a converter does not have, are used twice, or are of two chips in one place."""
    users: dict[tuple[object, ...], str] = {}
    chips: dict[object, tuple[object, str]] = {}
    for name, control in controls.items():
        source, channel = control.get("source"), control.get("channel")
        count = _ADS1115_CHANNELS if source == "ads1115" else CHIPS.get(str(source))
        if count is None or not isinstance(channel, int) or isinstance(channel, bool):
            continue
        where = ("controls", name, "channel")
        place = ("i2c", control.get("address", 0x48)) if source == "ads1115" else ("spi", control.get("device", 0))
        if not isinstance(place[1], int):
            continue
        if channel >= count:
            yield where, f"the {source} has no channel {_figure(channel)}, only 0 to {count - 1}"
        elif (*place, channel) in users:
            yield where, f"channel {channel} is used by controls.{users[*place, channel]} already: wire it to another"
        users.setdefault((*place, channel), name)
        chip, first = chips.setdefault(place, (source, name))
        if chip != source:
            yield (
                ("controls", name, "source"),
                f"chip enable {place[1]} has the {chip} of controls.{first}: wire it to the other, and set device",
            )


def _together(table: Mapping[str, Any], controls: Mapping[str, Any], presence: Mapping[str, Any]) -> Iterator[Problem]:
    for sensor in _list(presence.get("sensors")):
        if isinstance(sensor, str) and sensor not in controls:
            yield ("presence", "sensors"), f"there is no control called {_quoted(sensor)}{_hint(sensor, controls)}"
        elif isinstance(sensor, str) and (what := _no_sensor(controls[sensor])):
            yield ("presence", "sensors"), f"{sensor} is {what}, which cannot tell that somebody is there: name another"
    for name, value in _table(presence.get("away")).items():
        if name not in STEERED:
            yield ("presence", "away", name), f"there is nothing called so to move{_hint(name, STEERED)}"
        else:
            yield from _within(("presence", "away", name), name, value)
    for name in _table(table.get("combine")):
        if name not in STEERED:
            yield ("combine", name), f"there is nothing called so to move{_hint(name, STEERED)}"
    yield from _network(_table(table.get("osc")))
    yield from _address("metrics", _table(table.get("metrics")))


def _no_sensor(control: Mapping[str, Any]) -> str:
    """What a control is that tells nobody's presence; empty for one that does."""
    source = control.get("source")
    if source in (*CHIPS, "ads1115"):
        return "a knob" if control.get("part", "knob") == "knob" else ""
    return {"encoder": "an encoder", "clock": "a clock"}.get(str(source), "")


def _address(name: str, table: Mapping[str, Any]) -> Iterator[Problem]:
    listen = table.get("listen")
    if isinstance(listen, str) and listen.strip():
        try:
            ipaddress.ip_address(listen)
        except ValueError:
            yield (
                (name, "listen"),
                'must be an address in numbers, as in "127.0.0.1", or "0.0.0.0" for everybody in the network',
            )


def _network(osc: Mapping[str, Any]) -> Iterator[Problem]:
    yield from _address("osc", osc)
    for host in _list(osc.get("send_to")):
        port = host.rpartition(":")[2] if isinstance(host, str) else ""
        if port.isascii() and port.isdigit() and not 0 < int(port[:6]) < 1 << 16:
            yield ("osc", "send_to"), f"there is no port {port[:6]}: take one from 1 to 65535"


def _within(where: tuple[str, ...], moved: str, value: object) -> Iterator[Problem]:
    span = STEERED[moved]
    if _number(value) and not span.low <= value <= span.high:  # type: ignore[operator]
        yield where, f"{moved} goes from {span.low:g} to {span.high:g}, so {_figure(value)} cannot be"


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value - value == 0


def _figure(value: object) -> str:
    """A number as it is read; of one that nobody meant, its beginning."""
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        # Longer ones are not written in decimals.
        text = hex(value)
    else:
        text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _quoted(word: str) -> str:
    return repr(word if len(word) <= _LONGEST else f"{word[:_LONGEST]}...")


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _hint(word: str, known: Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(word[:_LONGEST].lower(), known, n=1)
    if close:
        return f", did you mean {close[0]}?"
    more = len(known) - _MOST_LISTED
    listed = ", ".join(known[:_MOST_LISTED]) + (f" and {more} more" if more > 0 else "")
    return f": there are {listed}" if known else ""
