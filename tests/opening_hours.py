"""Tables of opening hours and moments, as tests write them."""

from datetime import datetime
from zoneinfo import ZoneInfo

__all__ = ["at", "table"]


def table(**given: object) -> dict[str, object]:
    """What the settings hand to the player, but for what is given."""
    return {
        "days": {},
        "dates": {},
        "quiet": [],
        "quiet_db": -8.0,
        "time_zone": "Europe/Berlin",
        "wake_min": 5.0,
    } | given


def at(text: str, zone: str = "Europe/Berlin", fold: int = 0) -> float:
    """Seconds since 1970 at a time of a gallery's clock."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()
