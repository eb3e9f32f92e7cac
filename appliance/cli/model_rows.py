"""All models of this machine, as rows of a table."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from appliance.cli.words import day
from appliance.errors import LatentError
from appliance.folders import shown
from appliance.model.choice import Choice, Entry, Pointer
from appliance.model.library import digest, pointer_to, shipped
from appliance.model.store import Store

__all__ = ["Row", "megabytes", "rows_of", "table"]

_DIGITS: Final = 8


@dataclass(frozen=True)
class Row:
    """One model; what is not known of it is None."""

    name: str
    file: str
    digest: str
    size: int
    precision: str | None
    realtime_factor: float | None
    arrived_at: float | None
    shipped: bool
    plays: bool
    states: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Give it as a JSON object."""
        return asdict(self)


def rows_of(store: Store, engine: Mapping[str, Any] | None, base: str) -> list[Row]:
    """Give all models, the shipped ones first, and then in the order in which they came.

    Parameters
    ----------
    engine : mapping or None
        What the engine says of its model; None where there is none.
    base : str
        The model of the settings.
    """
    choice = store.choice()
    settled = _of_the_settings(base, store)
    if choice.current is None:
        choice = choice.model_copy(update={"current": settled})
    elif choice.previous is None:
        choice = choice.model_copy(update={"previous": settled})
    playing = None if engine is None else engine.get("digest")
    rows = []
    for name, path in shipped().items():
        pointer = Pointer(digest=digest(path), name=name, shipped=True)
        rows.append(_row(pointer, path.stem, path.stat().st_size, None, choice, playing))
    for entry in store.entries():
        pointer = Pointer(digest=entry.digest, name=entry.verdict.name)
        rows.append(_row(pointer, entry.file, entry.verdict.size, entry, choice, playing))
    return rows


def _of_the_settings(base: str, store: Store) -> Pointer | None:
    try:
        return pointer_to(base, store)
    except LatentError:
        # A file anywhere.
        return None


def _row(
    pointer: Pointer,
    file: str,
    size: int,
    entry: Entry | None,
    choice: Choice,
    playing: str | None,
) -> Row:
    # The same model may be here twice; it plays as the one that was chosen.
    chosen = choice.current
    rival = chosen is not None and chosen.digest == pointer.digest and chosen != pointer
    plays = playing == pointer.digest and not rival
    states = []
    if plays:
        states.append("plays")
    elif pointer == chosen:
        states.append("chosen")
    if pointer == choice.previous:
        states.append("before")
    if choice.probation is not None and choice.probation.digest == pointer.digest and not rival:
        states.append("on probation")
    if entry is None:
        states.append("shipped")
    elif entry.failed:
        states.append(f"failed: {entry.failed}")
    return Row(
        name=pointer.name,
        file=file,
        digest=pointer.digest,
        size=size,
        precision=None if entry is None else entry.verdict.precision or None,
        realtime_factor=None if entry is None else entry.verdict.realtime_factor,
        arrived_at=None if entry is None else entry.arrived_at,
        shipped=pointer.shipped,
        plays=plays,
        states=tuple(states),
    )


def table(rows: Iterable[Row]) -> str:
    """Show models one a line; ``>`` marks the one that plays, and ``*`` the one that is chosen to."""
    cells = [("", "name", "file", "digest", "MB", "as", "speed", "came", "")]
    for row in rows:
        mark = ">" if row.plays else "*" if "chosen" in row.states else ""
        speed = "-" if row.realtime_factor is None else f"{row.realtime_factor:.0f}x"
        came = "-" if row.arrived_at is None else day(row.arrived_at)
        told = ", ".join(row.states)
        known = (row.digest[:_DIGITS], megabytes(row.size), row.precision or "-", speed, came, told)
        cells.append((mark, row.name, row.file, *known))
    printed = [[shown(cell) for cell in line] for line in cells]
    widths = [max(map(len, column)) for column in zip(*printed, strict=True)]
    lines = ("  ".join(map(str.ljust, line, widths)) for line in printed)
    return "\n".join(line.rstrip() for line in lines)


def megabytes(size: int) -> str:
    """Show a number of bytes."""
    return f"{size / 2**20:.1f}"
