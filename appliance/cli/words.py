"""``name=value`` words and the table of where things stand: what ``latent mood`` and ``latent place`` share."""

import time
from collections.abc import Iterable, Mapping

from appliance.errors import MoodError
from appliance.mood import Quantity
from appliance.names import hint, quoted

__all__ = ["changes_of", "day", "table_of"]


def changes_of(words: Iterable[str], what: str, known: Mapping[str, Quantity]) -> dict[str, float]:
    """Read ``name=value`` words.

    Parameters
    ----------
    what : str
        What they move, as in "mood".
    known : mapping
        All that can be moved.

    Raises
    ------
    MoodError
        Listing every problem.
    """
    changes: dict[str, float] = {}
    problems: list[str] = []
    for word in words:
        name, equals, text = word.partition("=")
        name = name.strip().lower()
        if name not in known:
            problems.append(f"there is no {what} called {quoted(name or word)}{hint(name, known)}")
            continue
        if name in changes:
            problems.append(f"{name} is named twice")
        quantity = known[name]
        value = _number(text)
        if value is None or not quantity.low <= value <= quantity.high:
            given = f"as in {name}={quantity.high:g}"
            if equals:
                given = f"not {quoted(text) if value is None else format(value, 'g')}"
            problems.append(f"{name} takes a number from {quantity.low:g} to {quantity.high:g}, {given}")
        else:
            changes[name] = value
    if problems:
        # Names are written small, even where they begin a sentence.
        text = "; ".join(problems)
        text = "T" + text[1:] if text.startswith("there") else text
        raise MoodError(text if text.endswith("?") else text + ".")
    return changes


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def table_of(standing: Mapping[str, float], what: str, known: Mapping[str, Quantity]) -> str:
    """Show where each of some quantities stands, one a line."""
    rows = [(what, "now", "range", "moves")]
    for name, value in standing.items():
        quantity = known[name]
        rows.append((name, f"{value:.3g}", f"{quantity.low:g} to {quantity.high:g}", quantity.moves))
    return "\n".join(f"{name:<12}{value:>7}   {span:<11}{moves}" for name, value, span, moves in rows)


def day(seconds: float) -> str:
    """Show when something was, given in seconds since 1970, by the clock of this machine."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
