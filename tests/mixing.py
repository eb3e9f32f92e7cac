"""A desk with faders and knobs on it, the time, and hands: for tests of the controls."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from pydantic import TypeAdapter

from appliance.controls.desk import Action, Desk
from appliance.controls.source import Position, Press, Step
from appliance.wiring.room import PresenceSettings
from appliance.wiring.tables import AnyControl, Combine

CONTROL: TypeAdapter[AnyControl] = TypeAdapter(AnyControl)


def fader(moves: str = "pitch", **keys: Any) -> dict[str, Any]:
    """A control that makes no noise and has no ends but 0 and 1."""
    return {"source": "midi", "port": "nano", "cc": 1, "moves": moves, **keys}


def knob(moves: str = "pitch", **keys: Any) -> dict[str, Any]:
    return {"source": "mcp3008", "channel": 0, "moves": moves, **keys}


class Table:
    """A desk, the time, and hands."""

    def __init__(
        self,
        controls: Mapping[str, Mapping[str, Any]],
        combine: Mapping[str, Combine] | None = None,
        presence: Mapping[str, Any] | None = None,
        standing: Mapping[str, float] | None = None,
        goes_on: bool = False,
        awake: float = 1.0,
    ) -> None:
        self.now_s = 1000.0
        tables = {name: CONTROL.validate_python(table) for name, table in controls.items()}
        rule = None if presence is None else PresenceSettings(**presence)
        self.desk = Desk(tables, combine or {}, rule, standing or {}, self.now_s, goes_on, awake)

    def __getitem__(self, name: str) -> float:
        return self.desk.values()[name]

    def pass_s(self, seconds: float = 0.01) -> "Table":
        self.now_s += seconds
        self.desk.turn(self.now_s)
        return self

    def move(self, name: str, *values: float) -> list[Action]:
        """Move a control from place to place, a hundredth of a second each."""
        actions = []
        for value in values:
            self.now_s += 0.01
            actions += self.desk.take(name, [Position(value, self.now_s)], self.now_s)
            self.desk.turn(self.now_s)
        return actions

    def hold(self, name: str, value: float, seconds: float) -> "Table":
        self.move(name, *[value] * round(seconds / 0.01))
        return self

    def step(self, name: str, by: float) -> "Table":
        self.now_s += 0.01
        self.desk.take(name, [Step(by, self.now_s)], self.now_s)
        self.desk.turn(self.now_s)
        return self

    def press(self, name: str) -> list[Action]:
        self.now_s += 0.01
        events = [Position(1.0, self.now_s), Press(self.now_s), Position(0.0, self.now_s)]
        return self.desk.take(name, events, self.now_s)

    def fail(self, name: str) -> None:
        self.desk.fail(name, "has no wire", self.now_s)

    def set(self, morph_s: float = 0.0, **values: float) -> None:
        self.desk.set(values, self.now_s, morph_s)

    def watch(self, name: str, seconds: float, every_s: float = 0.1) -> list[float]:
        seen = [self[name]]
        for _ in range(round(seconds / every_s)):
            seen.append(self.pass_s(every_s)[name])
        return seen


def largest_step(values: list[float]) -> float:
    return max(abs(after - before) for before, after in pairwise(values))


TWO = {"one": fader(), "other": fader(cc=2)}
