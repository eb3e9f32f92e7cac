"""When the gallery is open, as ``latent.toml`` says it; `stream.hours` reads it the same way for the player."""

import difflib
from collections.abc import Callable
from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field, field_validator

from appliance.stream.hours import DAYS, day_of, days_of, interval_of
from appliance.wiring.tables import Row, Table, refusal

__all__ = ["HoursSettings"]


def _as(read: Callable[[str], Any]) -> AfterValidator:
    """Let pass what can be read so; it stays the text that it is."""

    def checked(text: str) -> str:
        try:
            read(text)
        except ValueError as error:
            raise refusal(str(error)) from error
        return text

    return AfterValidator(checked)


_Intervals = Annotated[tuple[Annotated[str, _as(interval_of)], ...], Row]
_Days = Annotated[str, _as(days_of)]
_Date = Annotated[str, _as(day_of)]


class HoursSettings(Table):
    """When the room sounds. Without this table it always does."""

    # Times by days, as in tue-fri = ["10:00-18:00"]. Days that no line names are closed; without any line none is.
    days: Annotated[dict[_Days, _Intervals], Field(max_length=7)] = Field(default_factory=dict)
    # The same for single dates, in place of what their day has: 2026-12-24 = ["10:00-14:00"], and [] for closed.
    dates: Annotated[dict[_Date, _Intervals], Field(max_length=1000)] = Field(default_factory=dict)
    # Times of every day at which it is to be softer, and what its volume stays below then.
    quiet: _Intervals = ()
    quiet_db: Annotated[float, Field(ge=-40.0, le=0.0)] = -8.0
    # As in "Europe/Berlin"; None: the machine's.
    time_zone: str | None = None
    # So long before it opens sound is made again, which nobody hears yet.
    wake_min: Annotated[float, Field(ge=0.5, le=60.0)] = 5.0

    @field_validator("days")
    @classmethod
    def _each_day_once(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        named = [day for name in value for day in days_of(name)]
        twice = [day for number, day in enumerate(DAYS) if named.count(number) > 1]
        if twice:
            raise refusal(f"names {' and '.join(twice)} more than once")
        return value

    @field_validator("time_zone")
    @classmethod
    def _a_zone_that_is_known(cls, value: str | None) -> str | None:
        if value is not None and not _known(value):
            close = difflib.get_close_matches(value[:40], available_timezones(), n=1, cutoff=0.5)
            raise refusal("is no time zone" + (f", did you mean {close[0]}?" if close else ', as in "Europe/Berlin"'))
        return value


def _known(zone: str) -> bool:
    try:
        ZoneInfo(zone)
    except (LookupError, ValueError, OSError):
        return False
    return True
