"""Where everything that can be moved stands, who moved it last, and where it goes by itself."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from appliance.controls.mapping import Span, take_over
from appliance.mood import STEERED
from appliance.wiring.tables import Combine

__all__ = ["Slot", "Standing"]

# What a source in trouble moved goes back over so many seconds.
_RETREAT_S: Final = 10.0

# What is moved, and by which control alone; "" where all that move it move one and the same.
Slot = tuple[str, str]


@dataclass(frozen=True)
class _Morph:
    """Where a value goes by itself, and since when; `back_from` names the control in trouble that it goes back from."""

    begin: float
    end: float
    since_s: float
    length_s: float
    back_from: str = ""

    def at(self, now_s: float) -> float:
        """Where it is; there and at rest once its time is over."""
        if self.over(now_s):
            return self.end
        done = max((now_s - self.since_s) / self.length_s, 0.0)
        return self.begin + (self.end - self.begin) * (0.5 - 0.5 * math.cos(math.pi * done))

    def over(self, now_s: float) -> bool:
        """Whether it has arrived."""
        return now_s - self.since_s >= self.length_s


class Standing:
    """The values behind all that can be moved.

    Controls that go together as "last" move one value between them. Under "sum" and "max" each has a value of its own,
    its share; a share at rest adds nothing to a sum. What is set goes into the shares, so that hands undo it.

    Parameters
    ----------
    combine : mapping
        How several controls go together, by what they move; what is not named goes by "last".
    standing : mapping
        Where everything stands to begin with; what is not named rests.
    """

    def __init__(self, combine: Mapping[str, Combine], standing: Mapping[str, float]) -> None:
        self._combine = combine
        begin = {name: quantity.rest for name, quantity in STEERED.items()} | dict(standing)
        self._values: dict[Slot, float] = {(name, ""): value for name, value in begin.items()}
        self._shares: dict[str, list[Slot]] = {}
        self._owners: dict[Slot, str] = {}
        self._morphs: dict[Slot, _Morph] = {}

    def slot(self, moves: str, name: str) -> Slot:
        """Where the value is that a control moves."""
        return (moves, "" if self._rule(moves) == "last" else name)

    def owner(self, slot: Slot) -> str | None:
        """Who moved it last; None where that was no control."""
        return self._owners.get(slot)

    @property
    def moving(self) -> bool:
        """Whether anything goes by itself."""
        return bool(self._morphs)

    def of(self, name: str) -> float:
        """Where something stands, within its range."""
        quantity, value = STEERED[name], self._values[name, ""]
        shares = [self._values[slot] for slot in self._shares.get(name, ())]
        if shares and self._rule(name) == "sum":
            value += sum(share - quantity.rest for share in shares)
        elif shares:
            value = max(shares)
        return min(max(value, quantity.low), quantity.high)

    def here(self, slot: Slot, wanted: float = math.inf) -> float:
        """The value that a control moves; a share of which nothing was known begins so that nothing jumps."""
        if slot not in self._values:
            moves, known = slot[0], self._shares.setdefault(slot[0], [])
            rest, here = STEERED[moves].rest, self.of(moves)
            if self._rule(moves) == "max":
                self._values[slot] = min(wanted, here) if known else here
            else:
                self._values[slot] = rest if known else self._values[moves, ""]
                self._values[moves, ""] = rest
            known.append(slot)
        return self._values[slot]

    def from_rest(self, slot: Slot) -> float:
        """The value that a control moves; a share of which nothing was known begins at rest."""
        return self._values.get(slot, STEERED[slot[0]].rest)

    def place(self, slot: Slot, owner: str, value: float) -> None:
        """Let a control stand for a value outright."""
        if slot not in self._values:
            self._shares.setdefault(slot[0], []).append(slot)
        self._own(slot, owner)
        self._values[slot] = value

    def put(self, slot: Slot, owner: str, before: float, after: float, span: Span, drifts: bool) -> None:
        """Move a value by a control that has gone from one value to another; see `take_over`.

        A hand ends what goes by itself; what drifts only shifts where that goes.
        """
        here, morph = self.here(slot), self._morphs.get(slot)
        self._own(slot, owner, ends=not drifts)
        self._values[slot] = take_over(here, before, after, span)
        if drifts and morph is not None:
            begin, end = (take_over(value, before, after, span) for value in (morph.begin, morph.end))
            self._morphs[slot] = dataclasses.replace(morph, begin=begin, end=end)

    def set(self, name: str, value: float, now_s: float, morph_s: float) -> None:
        """Let something stand at a value, whatever shares it has, and belong to nobody."""
        quantity = STEERED[name]
        value = min(max(value, quantity.low), quantity.high)
        ends: dict[Slot, float] = {(name, ""): value}
        shares = self._shares.get(name, ())
        if shares and self._rule(name) == "sum":
            part = quantity.rest + (value - quantity.rest) / len(shares)
            ends = {(name, ""): quantity.rest} | dict.fromkeys(shares, part)
        elif shares:
            highest = max(shares, key=lambda slot: self._values[slot])
            ends |= {slot: min(value, self._values[slot]) for slot in shares} | {highest: value}
        for slot, end in ends.items():
            self._owners.pop(slot, None)
            self._morphs[slot] = _Morph(self._values[slot], end, now_s, morph_s)
        self.advance(now_s)

    def retreat(self, slot: Slot, owner: str, neutral: float, now_s: float) -> bool:
        """Let go back what a control in trouble moved, if it was the last to do so; gives whether it was."""
        if self._owners.get(slot) != owner:
            return False
        del self._owners[slot]
        self._morphs[slot] = _Morph(self.here(slot), neutral, now_s, _RETREAT_S, owner)
        return True

    def stay(self, slot: Slot, owner: str) -> None:
        """End the retreat from a control that is well again."""
        if slot in self._morphs and self._morphs[slot].back_from == owner:
            del self._morphs[slot]

    def advance(self, now_s: float) -> None:
        """Let time pass."""
        for slot, morph in list(self._morphs.items()):
            self._values[slot] = morph.at(now_s)
            if morph.over(now_s):
                del self._morphs[slot]

    def _rule(self, moves: str) -> Combine:
        return self._combine.get(moves, "last")

    def _own(self, slot: Slot, owner: str, ends: bool = True) -> None:
        self._owners[slot] = owner
        if ends:
            self._morphs.pop(slot, None)
