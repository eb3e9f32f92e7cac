"""``latent evidence``."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from appliance.errors import LatentError
from appliance.folders import shown, state_folder
from appliance.health.day import lasting

if TYPE_CHECKING:
    from appliance.health.evidence_lines import Boot, Change, DayLine

__all__ = ["evidence"]

_DAY_MIN = 1440


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def evidence(as_json: bool) -> None:
    """Show how the last months went: hours sounded, holds and faults of each day, and each start of the machine.

    It is noted at the end of each day, and twice before: a power cut may lose some hours of its last day.

    \b
    Keys of the JSON object; null is what is not known:
      boots   starts of the machine: number, began, version, model, and changes
              since, which are after_min, version, model
      days    day, starts (of the machine), open_min, sounded_min, holds, held_s,
              silent_ms, engine_restarts, player_restarts, cards_lost

    Example: latent evidence --json
    """
    from appliance.health.evidence import read
    from appliance.service.keeper import evidence_path

    path = evidence_path(state_folder())
    try:
        lines = read(path)
    except OSError as error:
        raise LatentError(
            f"The evidence in {shown(path)} cannot be read ({error.strerror}): ask as the user that Latent runs as."
        ) from error
    boots, days = [_of_a_boot(boot, lines.changes) for boot in lines.boots], _days(lines.days)
    if as_json:
        click.echo(json.dumps({"boots": boots, "days": days}))
    elif not (boots or days):
        click.echo(f"Nothing is noted yet in {shown(path)}: `latent play` begins it.")
    else:
        click.echo(_page(boots, days))


def _of_a_boot(boot: "Boot", changes: "Iterable[Change]") -> dict[str, Any]:
    since = [
        {"after_min": each.written_min, "version": each.version, "model": _known(each.model)}
        for each in changes
        if each.boot == boot.number
    ]
    told = {"number": boot.number, "began": _known(boot.began), "version": boot.version, "model": _known(boot.model)}
    return told | {"changes": since}


def _known(text: str) -> str | None:
    return None if text == "-" else text


def _days(lines: "Iterable[DayLine]") -> list[dict[str, Any]]:
    """Add up what was counted of one date in several starts of the machine."""
    days: dict[str, dict[str, Any]] = {}
    starts: dict[str, set[int]] = {}
    for each in lines:
        name = each.label or f"start {each.boot}, day {each.begun_min // _DAY_MIN + 1}"
        starts.setdefault(name, set()).add(each.boot)
        day = days.setdefault(name, {"day": name, "starts": 0} | dict.fromkeys(each.counts, 0))
        day["starts"] = len(starts[name])
        for what, count in each.counts.items():
            day[what] += count
    return list(days.values())


def _page(boots: Iterable[dict[str, Any]], days: Iterable[dict[str, Any]]) -> str:
    rows = [("day", "sounded", "of", "holds", "held", "silent", "engine", "player", "card")]
    for day in days:
        lengths = (_hours(day["sounded_min"]), _hours(day["open_min"]))
        troubles = (f"{day['holds']}", f"{day['held_s']} s", f"{day['silent_ms'] / 1000.0:g} s")
        faults = (f"{day[name]}" for name in ("engine_restarts", "player_restarts", "cards_lost"))
        rows.append((day["day"], *lengths, *troubles, *faults))
    width = max(len(row[0]) for row in rows)
    table = [f"{row[0]:<{width}}" + "".join(f"{cell:>10}" for cell in row[1:]) for row in rows]
    starts = []
    for each in boots:
        starts.append(f"start {each['number']}: {each['began'] or 'time not known'}, {_plays(each)}")
        starts += [f"  after {lasting(60.0 * since['after_min'])}: {_plays(since)}" for since in each["changes"]]
    return "\n".join([*table, "", *starts])


def _plays(told: dict[str, Any]) -> str:
    return f"version {told['version']}, model {told['model'] or 'not known'}"


def _hours(minutes: int) -> str:
    return f"{minutes // 60}:{minutes % 60:02d} h"
