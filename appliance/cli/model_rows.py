"""All models of this machine, as rows of a table."""

from collections.abc import Iterable, Mapping, Sequence
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
_WIDTH: Final = 80
_HEADS: Final = ("", "name", "file", "digest", "MB", "decoder", "speed", "came", "state")
# What is least missed first; `latent model info` tells it all.
_SPARED: Final = ("decoder", "MB", "speed", "file")


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
    failed: str

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
        states.append("goes back to this")
    if choice.probation is not None and choice.probation.digest == pointer.digest and not rival:
        states.append("on probation")
    failed = "" if entry is None else entry.failed
    if failed:
        states.append("failed")
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
        failed=failed,
    )


def table(rows: Iterable[Row]) -> str:
    """Show models one a line; ``>`` marks the one that plays, and ``*`` the one that is chosen to.

    Columns that say nothing are left out, and so are some for which 80 letters leave no room.
    """
    lines = [_cells(row) for row in rows]
    heads = [head for head in _HEADS if head not in _SPARED or any(line[head] for line in lines)]
    text = _aligned(heads, lines)
    for spared in _SPARED:
        if max(map(len, text.splitlines())) <= _WIDTH:
            break
        heads = [head for head in heads if head != spared]
        text = _aligned(heads, lines)
    return text


def _cells(row: Row) -> dict[str, str]:
    came = "shipped" if row.arrived_at is None else f"copied {day(row.arrived_at).split()[0]}"
    return {
        "": ">" if row.plays else "*" if "chosen" in row.states else "",
        "name": row.name,
        "file": "" if row.file == row.name else row.file,
        "digest": row.digest[:_DIGITS],
        "MB": megabytes(row.size),
        "decoder": row.precision or "",
        "speed": "" if row.realtime_factor is None else f"{row.realtime_factor:.0f}x",
        "came": came,
        "state": ", ".join(row.states),
    }


def _aligned(heads: Sequence[str], lines: Iterable[Mapping[str, str]]) -> str:
    printed = [heads, *([shown(line[head]) for head in heads] for line in lines)]
    widths = [max(map(len, column)) for column in zip(*printed, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in printed)


def megabytes(size: int) -> str:
    """Show a number of bytes."""
    return f"{size / 2**20:.1f}"
