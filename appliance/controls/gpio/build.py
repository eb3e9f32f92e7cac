"""Makes a source of a settings table: its kind, and its fields by the names they have there."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from appliance.controls.gpio.adc import Adc
from appliance.controls.gpio.digital import Button, Digital, Motion, Switch, Touch
from appliance.controls.gpio.distance import Distance
from appliance.controls.gpio.encoder import Encoder
from appliance.controls.gpio.fakes import FakeBoard
from appliance.controls.gpio.line import Clock
from appliance.controls.source import Source

__all__ = ["KINDS", "open_gpio"]

_Make = Callable[[str, Mapping[str, Any], Any, Clock], Source]


def open_gpio(kind: str, arguments: Mapping[str, Any], factory: Any, clock: Clock) -> Source:
    """Open a source on GPIO pins.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    arguments : mapping
        The fields of its table; those that are not its own are left alone, and those left out are as in the settings.
    factory : gpiozero.Factory
        With gpiozero's mock factory the part is pretended too: see `FakeBoard`.
    clock : callable
        Monotonic seconds.

    Raises
    ------
    SourceError
        If it cannot be opened.
    """
    board = FakeBoard.of(factory)
    if board is not None:
        board.wire(kind, arguments)
    return KINDS[kind](kind, arguments, factory, clock)


def _adc(kind: str, table: Mapping[str, Any], factory: Any, clock: Clock) -> Source:
    return Adc(kind, table["channel"], table.get("device", 0), factory, clock)


def _encoder(_: str, table: Mapping[str, Any], factory: Any, clock: Clock) -> Source:
    return Encoder(table["pins"], table.get("push_pin"), table.get("steps", 24), factory, clock)


def _button(_: str, table: Mapping[str, Any], factory: Any, clock: Clock) -> Source:
    return Button(table["pin"], table.get("pull", "up"), factory, clock)


def _switch(_: str, table: Mapping[str, Any], factory: Any, clock: Clock) -> Source:
    return Switch(table["pin"], table.get("pull", "up"), factory, clock)


def _digital(_: str, table: Mapping[str, Any], factory: Any, clock: Clock) -> Source:
    return Digital(table["pin"], table.get("pull", "down"), factory, clock)


def _motion(_: str, table: Mapping[str, Any], factory: Any, clock: Clock) -> Source:
    return Motion(table["pin"], factory, clock)


def _touch(_: str, table: Mapping[str, Any], factory: Any, clock: Clock) -> Source:
    return Touch(table["pin"], factory, clock)


def _distance(_: str, table: Mapping[str, Any], factory: Any, clock: Clock) -> Source:
    near_m, far_m = table.get("near_m", 0.2), table.get("far_m", 1.5)
    return Distance(table["trigger"], table["echo"], near_m, far_m, factory, clock)


KINDS: Final[Mapping[str, _Make]] = {
    "mcp3004": _adc,
    "mcp3008": _adc,
    "mcp3208": _adc,
    "encoder": _encoder,
    "button": _button,
    "switch": _switch,
    "motion": _motion,
    "touch": _touch,
    "digital": _digital,
    "distance": _distance,
}
