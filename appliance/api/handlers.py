"""What the engine can be asked to do."""

from typing import Any, Protocol

__all__ = ["Handlers"]


class Handlers(Protocol):
    """What the engine does when it is asked: called in the server's thread, one at a time; each must be quick.

    Each may raise a LatentError, whose sentence is the answer. Answers are what JSON can say; a number in them that is
    not finite is passed on as null by `status` and `controls`, and is a fault in the others.
    """

    def mood(self, changes: dict[str, float]) -> dict[str, float]:
        """Move some quantities, all of them known and in range (none: only look); gives where each one stands."""

    def place(self, changes: dict[str, float]) -> dict[str, float]:
        """Move some of what says where the music is, so too; gives where each one stands."""

    def status(self) -> dict[str, Any]:
        """Tell how things are."""

    def next_piece(self) -> None:
        """Begin a new piece."""

    def log(self) -> bytes:
        """Give the replay log, UTF-8 text."""

    def save_scene(self, name: str) -> bool:
        """Keep how things stand now under a name; gives whether it replaced another."""

    def recall_scene(self, name: str, morph_s: float | None) -> float:
        """Go to a scene in so many seconds, 0..600 (None: as the settings say); gives the seconds it takes."""

    def remove_scene(self, name: str) -> None:
        """Forget a scene."""

    def scenes(self) -> list[dict[str, Any]]:
        """Give all scenes: ``name``, ``saved_at`` (seconds since 1970) and ``values`` by name."""

    def keep(self, radius: float | None) -> dict[str, int]:
        """Remember the place that sounds now, within 0.1..2 (None: the usual radius).

        Gives the number of its ``spot``, and how many are ``kept`` and ``banned`` now.
        """

    def never(self, radius: float | None) -> dict[str, int]:
        """Ban the place that sounds now; otherwise as `keep`."""

    def forget(self, spot: int) -> dict[str, int]:
        """Forget what was kept or banned under a number; gives the same as `keep`."""

    def spots(self) -> list[dict[str, Any]]:
        """Give all that was kept or banned: ``spot``, ``banned``, ``radius`` and ``saved_at`` (seconds since 1970)."""

    def corner(self, which: str) -> dict[str, bool]:
        """Store the place that sounds now as one of `CORNERS`; gives which ones are stored."""

    def clear_corner(self, which: str) -> dict[str, bool]:
        """Forget a corner; gives which ones are stored."""

    def corners(self) -> dict[str, bool]:
        """Give which of the `CORNERS` are stored."""

    def controls(self) -> list[dict[str, Any]]:
        """Give every knob and sensor.

        Each has ``name``, ``source``, ``moves`` and ``does`` (what, or null), ``raw`` (0..1 of its own way, before
        anything that was learned is applied, or null), ``mapped`` (in the unit of what it moves, or null), ``low`` and
        ``high`` (the learned ends, or null), ``trouble`` (half a sentence, or null), ``age_s`` (seconds since it was
        last heard of, or null), ``touched`` (whether it is what moves its quantity now), ``room`` (where the room
        stands in what it moves, or null) and ``waits`` (whether it stands at its end since all began, and moves
        nothing yet).
        """

    def calibrate(self, name: str, low: float | None, high: float | None) -> None:
        """Keep the ends that were learned of a control, 0..1 of its way and at least 0.05 apart; None forgets them."""

    def turn(self, name: str, value: float | None) -> None:
        """Turn a control that only pretends to this share of its way, 0..1; None presses it."""
