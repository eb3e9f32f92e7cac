"""What the control socket asks of the engine, handed on to the parts that know."""

from collections.abc import Callable
from typing import Any

from appliance.errors import ApiError, UsageError
from appliance.mood import PLACES, QUANTITIES
from appliance.service.hands import Hands
from appliance.service.room import Room
from appliance.service.wires import Wires

__all__ = ["Asked"]


class Asked:
    """The handlers of the control socket; see `appliance.api.handlers.Handlers` for what each does.

    Parameters
    ----------
    room : Room
    hands : Hands
    wires : Wires
    status : callable
        Tells how the engine is.
    movable : bool
        Whether the engine takes controls.
    """

    def __init__(
        self, room: Room, hands: Hands, wires: Wires, status: Callable[[], dict[str, Any]], movable: bool
    ) -> None:
        self._room = room
        self._hands = hands
        self._wires = wires
        self._status = status
        self._movable = movable

    def mood(self, changes: dict[str, float]) -> dict[str, float]:
        """Move some quantities."""
        return self._set(changes, list(QUANTITIES))

    def place(self, changes: dict[str, float]) -> dict[str, float]:
        """Move some of what says where the music is."""
        return self._set(changes, list(PLACES))

    def status(self) -> dict[str, Any]:
        """Tell what only the engine knows."""
        return self._status() | {
            "mood": {name: value for name, value in self._hands.standing().items() if name in QUANTITIES},
            "controls": len(self._wires.controls),
            "troubles": self._hands.troubles() | self._wires.troubles(),
            "awake": self._hands.desk.awake,
            "osc": self._wires.counts(),
        }

    def next_piece(self) -> None:
        """Let the next piece begin."""
        self._room.writer.next_piece()

    def log(self) -> bytes:
        """Give the log of what was heard since this engine began, or since its taste was changed."""
        try:
            return self._room.writer.log_until_now()
        except ValueError as error:
            raise ApiError("Nothing that can be replayed was heard yet: ask again in a moment.") from error

    def save_scene(self, name: str) -> bool:
        """Keep how things stand now."""
        return self._hands.scenes.save(name, self._hands.standing())

    def recall_scene(self, name: str, morph_s: float | None) -> float:
        """Go to a scene."""
        self._need_movable()
        return self._hands.recall_scene(name, morph_s)

    def remove_scene(self, name: str) -> None:
        """Forget a scene."""
        self._hands.scenes.remove(name)

    def scenes(self) -> list[dict[str, Any]]:
        """Give all scenes."""
        return self._hands.scenes.listed()

    def keep(self, radius: float | None) -> dict[str, int]:
        """Remember the place that sounds now."""
        return self._room.keep(radius)

    def never(self, radius: float | None) -> dict[str, int]:
        """Ban the place that sounds now."""
        return self._room.never(radius)

    def forget(self, spot: int) -> dict[str, int]:
        """Forget what was kept or banned."""
        return self._room.forget(spot)

    def spots(self) -> list[dict[str, Any]]:
        """Give all that was kept or banned."""
        return self._room.places.listed()

    def corner(self, which: str) -> dict[str, bool]:
        """Store the place that sounds now as a corner."""
        return self._cornered(self._room.corner(which))

    def clear_corner(self, which: str) -> dict[str, bool]:
        """Forget a corner."""
        return self._cornered(self._room.clear_corner(which))

    def corners(self) -> dict[str, bool]:
        """Give which corners are stored."""
        return self._room.corners()

    def controls(self) -> list[dict[str, Any]]:
        """Give every knob and sensor."""
        return self._hands.controls()

    def calibrate(self, name: str, low: float | None, high: float | None) -> None:
        """Keep the ends of a control; None forgets them."""
        self._hands.calibrate(name, None if low is None or high is None else (low, high))

    def turn(self, name: str, value: float | None) -> None:
        """Turn a control that only pretends."""
        self._wires.turn(name, value)

    def _set(self, changes: dict[str, float], names: list[str]) -> dict[str, float]:
        if changes:
            self._need_movable()
            self._hands.set(changes)
        standing = self._hands.standing()
        return {name: standing[name] for name in names}

    def _need_movable(self) -> None:
        if not self._movable:
            raise UsageError("After several crashes the engine takes no controls; restart it to try again.")

    def _cornered(self, stored: dict[str, bool]) -> dict[str, bool]:
        # The plane that the corners span is another now, or is there for the first time.
        self._hands.renew()
        return stored
